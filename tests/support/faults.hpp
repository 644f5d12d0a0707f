#pragma once

#include "support/door.hpp"
#include "support/running.hpp"

#include <gtest/gtest.h>
#include <chrono>
#include <iostream>
#include <set>
#include <string>

/// What a backend can suffer, and what must hold then: one test a provider and fault, the same for all.
namespace ocim::test {

enum class Fault {
    down,                 ///< connections are refused
    slow,                 ///< connections are taken, and nothing more happens
    refuses_credentials,  ///< by the real server
    wrong_protocol,       ///< somebody else answers there
    html,                 ///< a web server's page, with status 200
    truncated_json,       ///< a whole reply, half a document
    cut_off,              ///< half a reply
    huge_body,            ///< a reply without an end
};

inline std::string name_of(Fault fault) {
    switch (fault) {
        case Fault::down: return "Down";
        case Fault::slow: return "Slow";
        case Fault::refuses_credentials: return "RefusesCredentials";
        case Fault::wrong_protocol: return "WrongProtocol";
        case Fault::html: return "Html";
        case Fault::truncated_json: return "TruncatedJson";
        case Fault::cut_off: return "CutOff";
        case Fault::huge_body: break;
    }
    return "HugeBody";
}
inline std::string fault_name(const testing::TestParamInfo<Fault>& info) { return name_of(info.param); }

/// What is said in an HTTP server's place.
inline Door::Script http_garbage(Fault fault) {
    return [fault](RawSocket& socket) {
        const std::string head = "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Type: ";
        const std::string json = R"([{"name":"demo","typ)", html = "<html><body><h1>It works!</h1></body></html>";
        if (socket.read_until("\r\n\r\n").empty()) return;
        switch (fault) {
            case Fault::html:
                socket.send(head + "text/html\r\nContent-Length: " + std::to_string(html.size()) + "\r\n\r\n" + html);
                return;
            case Fault::truncated_json:
                socket.send(head + "application/json\r\nContent-Length: " + std::to_string(json.size()) + "\r\n\r\n" +
                            json);
                return;
            case Fault::cut_off: socket.send(head + "application/json\r\nContent-Length: 5000\r\n\r\n" + json); return;
            case Fault::huge_body: {
                const std::string chunk = "10000\r\n" + std::string(0x10000, '[') + "\r\n";
                socket.send(head + "application/json\r\nTransfer-Encoding: chunked\r\n\r\n");
                while (socket.send(chunk)) {}
                return;
            }
            case Fault::down:
            case Fault::slow:
            case Fault::refuses_credentials:
            case Fault::wrong_protocol: break;
        }
        socket.send("SSH-2.0-OpenSSH_9.2p1 Debian-2\r\n");
    };
}

/// What is said in the place of a server that speaks first, as those of MySQL and SSH do.
inline Door::Script greeting_garbage(Fault fault) {
    return [fault](RawSocket& socket) {
        switch (fault) {
            case Fault::huge_body:
                while (socket.send(std::string(0x10000, '\x7f'))) {}
                return;
            case Fault::cut_off: socket.send("SS"); return;
            case Fault::html: socket.send("<html><body><h1>It works!</h1></body></html>\r\n"); return;
            case Fault::down:
            case Fault::slow:
            case Fault::refuses_credentials:
            case Fault::truncated_json:
            case Fault::wrong_protocol: break;
        }
        socket.send("HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n");
    };
}

/// Two backends of one provider under the runtime: "struck", which is reached through a door, and "well".
class FaultTest : public testing::TestWithParam<Fault> {
protected:
    using Clock = std::chrono::steady_clock;

    explicit FaultTest(std::function<void(runtime::Manager&)> register_kinds)
        : running(loop, std::move(register_kinds)) {}

    /// Declares an object that holds something in that backend.
    virtual void put(const std::string& name, const std::string& backend) = 0;
    virtual std::string stands(const std::string& name) = 0;
    /// The struck one suffers the test's fault, or no more.
    virtual void strike(Fault fault) = 0;
    virtual void mend() = 0;
    virtual Door& door() = 0;
    /// Calls so far, as the door saw them.
    virtual int calls() { return door().connections() + door().turns(); }

    static constexpr std::chrono::seconds promised{10}, deadline{100};

    static double seconds_since(Clock::time_point began) {
        return std::chrono::duration<double>(Clock::now() - began).count();
    }

    /// The whole of it. `reasons`: what the objects may say.
    void suffers(const std::set<std::string>& reasons) {
        constexpr int count = 30;
        const auto nth = [](int n) { return "o" + std::to_string(n); };
        for (int n = 0; n < count; ++n) put(nth(n), "struck");
        put("beside", "well");
        running.start();
        const auto good = [&](const std::string& name) { return stands(name).starts_with("True "); };
        const auto all_good = [&] {
            for (int n = 0; n < count; ++n)
                if (!good(nth(n))) return false;
            return good("beside");
        };
        ASSERT_TRUE(running.until(all_good, deadline)) << stands(nth(0)) << ", " << stands("beside");

        strike(GetParam());
        auto began = Clock::now();
        put("later", "struck");
        const auto says_so = [&](const std::string& name) {
            const auto now = stands(name);
            return !now.starts_with("True ") && reasons.contains(now.substr(now.find(' ') + 1));
        };
        const auto said = [&] { return says_so("later") && says_so(nth(0)) && says_so(nth(count - 1)); };
        ASSERT_TRUE(running.until(said, deadline)) << stands("later") << ", " << stands(nth(0));
        const auto told_after = seconds_since(began);
        EXPECT_TRUE(good("beside")) << "another backend's object: " << stands("beside");
        put("beside2", "well");
        EXPECT_TRUE(running.until([&] { return good("beside2"); }, deadline)) << stands("beside2");

        // what it costs while it lasts: probes, and not something an object
        constexpr std::chrono::seconds window{6};
        const int before = calls();
        began = Clock::now();
        running.until([&] { return Clock::now() - began >= window; }, deadline);
        const int made = calls() - before;
        // a probe every 2.4 to 3 s; each is at most a connection and a request, and a look may follow
        EXPECT_LE(made, 12) << "in " << window.count() << " s, with " << count << " objects";
        EXPECT_TRUE(said()) << "it holds as long as the fault does: " << stands(nth(0));

        mend();
        began = Clock::now();
        ASSERT_TRUE(running.until([&] { return all_good() && good("later"); }, deadline))
            << stands(nth(0)) << ", " << stands("later");
        std::cout << name_of(GetParam()) << ": said after " << told_after << " s, " << made << " calls in "
                  << window.count() << " s, well again after " << seconds_since(began) << " s\n";
        RecordProperty("told_after_ms", static_cast<int>(told_after * 1000));
        if (told_after > promised.count()) std::cout << "  later than the promised " << promised.count() << " s\n";
    }

    static std::set<std::string> usual_reasons(Fault fault) {
        switch (fault) {
            case Fault::down:
            case Fault::slow: return {"BackendUnreachable"};
            case Fault::refuses_credentials: return {"BackendAuthFailed"};
            case Fault::wrong_protocol:
            case Fault::html:
            case Fault::truncated_json:
            case Fault::cut_off:
            case Fault::huge_body: break;
        }
        return {"BackendUnreachable", "BackendFailing"};
    }

    /// Of those faults that a door can show, whatever stands behind it.
    static void show(Door& door, Fault fault, Door::Script garbage) {
        if (fault == Fault::down)
            door.shut();
        else if (fault == Fault::slow)
            door.stand_still();
        else
            door.say(std::move(garbage));
    }

    RealLoop loop;
    Running running;
};

}  // namespace ocim::test
