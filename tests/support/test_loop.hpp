#pragma once

#include "base/clock.hpp"

#include <boost/asio/any_io_executor.hpp>
#include <functional>
#include <memory>
#include <optional>
#include <type_traits>
#include <utility>

namespace ocim::test {

/// Runs coroutines for a test. One loop thread: the caller's.
class Loop {
public:
    virtual ~Loop();
    Loop(const Loop&) = delete;
    Loop& operator=(const Loop&) = delete;

    boost::asio::io_context& context();
    boost::asio::any_io_executor executor();
    virtual Clock& clock() = 0;

    /// Runs the loop until `work` has ended and returns what it returned; what it threw is thrown.
    /// Throws std::runtime_error, after cancelling `work`, when it cannot end or takes longer than the limit.
    template <class T>
    T run(awaitable<T> work) {
        if constexpr (std::is_void_v<T>) {
            drive(std::move(work));
        } else {
            auto out = std::make_shared<std::optional<T>>();  // shared: work that was given up may still end
            drive(store(std::move(work), out));
            return *std::move(*out);
        }
    }
    /// How long one run() may take on clock().
    void set_limit(Duration limit) { limit_ = limit; }

protected:
    explicit Loop(Duration limit);
    /// Makes some progress by `until` at the latest. False when there is nothing that could ever happen.
    virtual bool step(Instant until) = 0;
    std::unique_ptr<boost::asio::io_context> context_;

private:
    template <class T>
    static awaitable<void> store(awaitable<T> work, std::shared_ptr<std::optional<T>> out) {
        out->emplace(co_await std::move(work));
    }
    void drive(awaitable<void> work);
    Duration limit_;
};

/// A loop whose clock moves only when nothing else can: to the next timer, at once. While an OutsideWork lives
/// (a call on a BlockingPool) the clock stands still and the loop waits for it in real time.
/// Sockets and child processes are not seen: use RealLoop for those.
class TestLoop final : public Loop {
public:
    /// A simulation that starts its program anew goes on where the last one was.
    struct Start {
        Instant now = Instant(std::chrono::hours(1));
        WallTime wall = WallTime(std::chrono::sys_days(std::chrono::year(2026) / 1 / 1));
    };
    TestLoop() : TestLoop(Start()) {}
    explicit TestLoop(Start start);
    ~TestLoop() override;

    Clock& clock() override;
    /// Runs all that is ready now. Time stands still.
    void settle();
    /// Runs all that happens within `time`, then stands at its end; or stops in the moment when it is `enough`.
    void advance(Duration time, const std::function<bool()>& enough = {});
    /// The next timer, if there is one.
    std::optional<Instant> next_timer() const;

private:
    class VirtualClock;
    bool step(Instant until) override;
    std::unique_ptr<VirtualClock> clock_;
};

/// A loop on the machine's own clock, for tests with real sockets and processes. The limit is 60 s.
class RealLoop final : public Loop {
public:
    RealLoop();
    ~RealLoop() override;
    Clock& clock() override;

private:
    bool step(Instant until) override;
    std::unique_ptr<Clock> clock_;
};

}  // namespace ocim::test
