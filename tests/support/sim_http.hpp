#pragma once

#include "net/http_client.hpp"
#include "support/sim_system.hpp"

#include <functional>
#include <string>

namespace ocim::test {

/// The wire to a service whose state is a SimWorld: the same faults, one level lower, so that an area's own reading and
/// writing runs. `answer` is the service: what it replies, and what the request does to its state.
template <class World>
class SimHttp final : public net::HttpClient {
public:
    using Answer = std::function<net::HttpReply(typename World::Map&, const net::HttpRequest&)>;
    SimHttp(World& world, Answer answer, Clock& clock, Random& random)
        : world_(world), answer_(std::move(answer)), clock_(clock), random_(random) {}

    awaitable<Result<net::HttpReply>> send(net::HttpRequest request) override {
        const bool writes = request.method != "GET";
        ++world_.calls[writes ? "action" : "read"];
        co_await travel();
        if (world_.dies && world_.dies()) {
            if (writes && happens(500)) land_late(std::move(request));  // it was on its way already
            co_await nobody_listens();
        }
        CO_TRY(auto refusal, co_await trouble());
        if (refusal.status != 0) co_return refusal;
        if (writes) co_return co_await write(std::move(request));
        auto reply = answer_(world_.things(clock_.now()), request);
        co_await travel();
        if (happens(world_.faults.truncated)) co_return cut_off();
        co_return reply;
    }

private:
    bool happens(unsigned in_a_thousand) { return in_a_thousand > 0 && random_.below(1'000) < in_a_thousand; }
    awaitable<void> travel() {
        const Duration time(1 + static_cast<Duration::rep>(random_.below(3)));
        co_await clock_.sleep(time);
    }
    awaitable<void> nobody_listens() { co_await clock_.sleep(std::chrono::hours(100)); }
    void land_late(net::HttpRequest request) {
        const Duration delay(
            static_cast<Duration::rep>(random_.below(static_cast<std::uint64_t>(world_.faults.landing_max.count()))));
        world_.land_later(clock_.now() + delay, [answer = answer_, request = std::move(request)](
                                                    typename World::Map& things) { (void)answer(things, request); });
    }
    static Error cut_off() {
        Error out{ErrorClass::transient, "the connection was closed before an answer came"};
        out.outcome_unknown = true;
        return out;
    }
    static net::HttpReply saying(unsigned status, std::string body) {
        net::HttpReply out;
        out.status = status;
        out.body = std::move(body);
        return out;
    }
    /// A reply that comes instead of the service's own; status 0: none does.
    awaitable<Result<net::HttpReply>> trouble() {
        const auto& faults = world_.faults;
        if (world_.hangs || happens(faults.stalls / 4)) co_await clock_.sleep(std::chrono::hours(1));
        if (world_.down || happens(faults.unreachable)) co_return Error{ErrorClass::unreachable, "connection refused"};
        if (world_.refuses_us || happens(faults.auth_refused)) co_return saying(401, R"({"error":"not_authorised"})");
        if (world_.garbage) co_return saying(200, "<html>It works!</html>");
        if (happens(faults.rate_limited)) {
            auto out = saying(429, "{}");
            out.headers["retry-after"] = "2";
            co_return out;
        }
        if (happens(faults.fails_before)) co_return saying(503, "{}");
        co_return net::HttpReply();
    }
    awaitable<Result<net::HttpReply>> write(net::HttpRequest request) {
        const auto& faults = world_.faults;
        if (happens(faults.late_landing)) {
            land_late(std::move(request));
            co_return cut_off();
        }
        auto reply = answer_(world_.things(clock_.now()), request);
        if (world_.dies && world_.dies()) co_await nobody_listens();
        if (happens(faults.stalls)) co_await clock_.sleep(std::chrono::hours(1));
        if (happens(faults.lost_reply)) co_return cut_off();
        co_await travel();
        co_return reply;
    }

    World& world_;
    Answer answer_;
    Clock& clock_;
    Random& random_;
};

}  // namespace ocim::test
