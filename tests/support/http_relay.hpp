#pragma once

#include "support/door.hpp"

#include <algorithm>
#include <atomic>
#include <cctype>
#include <charconv>
#include <deque>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <utility>

/// An HTTP server behind a door, some of whose answers come otherwise.
namespace ocim::test {

/// One request meets each of them: the first that fits.
struct Trouble {
    enum class What {
        answer,  ///< `text` instead of what the server would say; it never hears of the request
        lose,    ///< the server does it, and its reply is lost
        keep,    ///< the server does it, and its reply is kept back for as long as the client waits
        cut,     ///< half of the reply
    };
    What what = What::answer;
    std::string method, path;  ///< the beginning of the target's end: its query, or its last segment; "" fits all
    std::string text{};        ///< a whole reply
    int times = 1;
};

/// A reply without a body, or with one of JSON.
inline std::string http_reply(const std::string& status, const std::string& headers = {},
                              const std::string& body = {}) {
    return "HTTP/1.1 " + status +
           "\r\nConnection: close\r\nContent-Type: application/json\r\nContent-Length: " + std::to_string(body.size()) +
           "\r\n" + headers + "\r\n" + body;
}

/// For a Door: one request a connection.
class HttpRelay {
public:
    explicit HttpRelay(std::uint16_t target) : target_(target) {}

    void expect(Trouble trouble) {
        const std::lock_guard lock(mutex_);
        troubles_.push_back(std::move(trouble));
    }
    /// How many are still to be met.
    std::size_t left() const {
        const std::lock_guard lock(mutex_);
        return troubles_.size();
    }
    /// How many replies were kept back so far.
    int kept() const { return kept_.load(); }
    void forget() {
        const std::lock_guard lock(mutex_);
        troubles_.clear();
    }
    Door::Script script() {
        return [this](RawSocket& client) { serve(client); };
    }

private:
    static std::size_t length_in(const std::string& head) {
        constexpr std::string_view name = "\r\ncontent-length:";  // some put a space behind it, some do not
        const auto same = [](char a, char b) { return std::tolower(static_cast<unsigned char>(a)) == b; };
        const auto found = std::ranges::search(head, name, same).end();
        const auto digits = std::find_if(found, head.end(), [](char letter) { return letter != ' '; });
        std::size_t out = 0;
        std::from_chars(std::to_address(digits), head.data() + head.size(), out);
        return out;
    }
    std::optional<Trouble> met_by(const std::string& method, const std::string& target) {
        const std::lock_guard lock(mutex_);
        for (auto trouble = troubles_.begin(); trouble != troubles_.end(); ++trouble) {
            if (!trouble->method.empty() && trouble->method != method) continue;
            if (!trouble->path.empty() && target.find(trouble->path) == std::string::npos) continue;
            auto out = *trouble;
            if (--trouble->times <= 0) troubles_.erase(trouble);
            return out;
        }
        return std::nullopt;
    }
    void serve(RawSocket& client) {
        auto request = client.read_until("\r\n\r\n");
        const auto head = request.find("\r\n\r\n");
        if (head == std::string::npos) return;
        const auto size = head + 4 + length_in(request.substr(0, head));
        while (request.size() < size) {
            const auto more = client.read_some();
            if (more.empty()) return;
            request += more;
        }
        const auto space = request.find(' ');
        const auto trouble =
            met_by(request.substr(0, space), request.substr(space + 1, request.find(' ', space + 1) - space - 1));
        if (trouble && trouble->what == Trouble::What::answer) {
            client.send(trouble->text);
            return;
        }
        request.insert(request.find("\r\n") + 2, "Connection: close\r\n");
        auto server = RawSocket::connect(target_);
        server.send(request);
        std::string reply;
        for (;;) {
            const auto more = server.read_some(std::chrono::seconds(120));
            if (more.empty()) break;
            reply += more;
        }
        if (trouble && trouble->what == Trouble::What::lose) return;
        if (trouble && trouble->what == Trouble::What::keep) {
            kept_.fetch_add(1);
            client.read_some(std::chrono::seconds(120));
            return;
        }
        if (trouble) reply.resize(reply.size() / 2);
        if (const auto end = reply.find("\r\n"); end != std::string::npos)
            reply.insert(end + 2, "Connection: close\r\n");
        client.send(reply);
    }

    std::uint16_t target_;
    std::atomic<int> kept_ = 0;
    mutable std::mutex mutex_;
    std::deque<Trouble> troubles_;
};

}  // namespace ocim::test
