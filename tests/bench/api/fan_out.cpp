#include "load.hpp"

#include <algorithm>
#include <map>
#include <stdexcept>

namespace ocim::bench {

using Clock = std::chrono::steady_clock;
using std::chrono_literals::operator""ms;

namespace {

class FanOut final : public test::HttpsClients::Listener {
public:
    FanOut(const test::Endpoint& endpoint, std::size_t watchers) : clients_(endpoint, *this) {
        const auto watch =
            test::http_request("GET", std::string(records) + "?watch=true&resourceVersion=" + revision(endpoint));
        for (std::size_t i = 0; i <= watchers; ++i) {
            if (!clients_.connect(clients_.add())) throw std::runtime_error("a connection was refused");
            if (i > 0) clients_.send(i, watch);
        }
    }

    Delivery run(std::size_t writes, Seconds pace) {
        static int round = 0;
        ++round;
        const auto step = std::chrono::duration_cast<Clock::duration>(pace);
        auto due = Clock::now() + 200ms;
        const auto expected = writes * (clients_.size() - 1);
        const auto give_up = Clock::now() + 60'000ms + step * writes;
        std::size_t sent = 0;
        while ((out_.after_sending.size() < expected || answered_ < writes) && Clock::now() < give_up) {
            if (sent == answered_ && sent < writes && Clock::now() >= due) {
                const auto name = "w" + std::to_string(round) + "-" + std::to_string(sent++);
                due += step;
                current_ = &written_[name];
                current_->sent = Clock::now();
                clients_.send(0, create_record(name));
            }
            const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(due - Clock::now());
            clients_.run(sent == answered_ ? std::clamp(left, 0ms, 100ms) : 100ms);
        }
        for (const auto& [name, write] : written_)
            for (const auto seen : write.seen)
                out_.after_answer.push_back(std::max(0.0, milliseconds(seen - write.done)));
        out_.missing = expected - out_.after_sending.size();
        return std::move(out_);
    }

private:
    struct Write {
        Clock::time_point sent, done;
        std::vector<Clock::time_point> seen;
    };

    static std::string revision(const test::Endpoint& endpoint) {
        struct Once final : test::HttpsClients::Listener {
            std::string body;
            void answered(std::size_t, const test::HttpsClients::Reply& reply) override { body = reply.body; }
            void lost(std::size_t, bool) override { throw std::runtime_error("lost"); }
        } once;
        test::HttpsClients client(endpoint, once);
        client.connect(client.add());
        client.send(0, test::http_request("GET", std::string(records) + "?limit=1"));
        while (once.body.empty()) client.run(1000ms);
        const auto at = once.body.find(R"("resourceVersion":")") + 19;
        return once.body.substr(at, once.body.find('"', at) - at);
    }

    void answered(std::size_t, const test::HttpsClients::Reply& reply) override {
        if (reply.status != 201) throw std::runtime_error("refused: " + std::string(reply.body));
        ++answered_;
        current_->done = reply.received;
        out_.writes.push_back(milliseconds(reply.received - reply.sent));
    }
    void line(std::size_t, std::string_view line, Clock::time_point now) override {
        const auto at = line.find(R"("name":"w)");
        if (at == std::string_view::npos) return;
        const auto found = written_.find(line.substr(at + 8, line.find('"', at + 8) - at - 8));
        if (found == written_.end()) return;
        found->second.seen.push_back(now);
        out_.after_sending.push_back(milliseconds(now - found->second.sent));
    }
    void lost(std::size_t, bool) override { throw std::runtime_error("the server closed a watch"); }

    test::HttpsClients clients_;
    std::map<std::string, Write, std::less<>> written_;
    Write* current_ = nullptr;
    std::size_t answered_ = 0;
    Delivery out_;
};

}  // namespace

Delivery fan_out(const test::Endpoint& endpoint, std::size_t watchers, std::size_t writes, Seconds pace,
                 const std::function<double()>& cpu_seconds) {
    FanOut watching(endpoint, watchers);
    const auto before = cpu_seconds();
    auto out = watching.run(writes, pace);
    out.server_seconds = cpu_seconds() - before;
    return out;
}

}  // namespace ocim::bench
