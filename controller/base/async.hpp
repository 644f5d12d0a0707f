#pragma once

#include "base/clock.hpp"

#include <atomic>
#include <boost/asio/any_io_executor.hpp>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace ocim {

/// Wakes coroutines that wait for a condition. One loop thread; no memory of a notify that nobody awaited,
/// so the waiter checks its condition, waits, and checks again.
class Signal {
public:
    Signal();
    /// Whoever still waits is cancelled.
    ~Signal();
    Signal(const Signal&) = delete;
    Signal& operator=(const Signal&) = delete;

    /// Wakes everyone who waits now.
    void notify();
    /// True when notified, false when `deadline` came first.
    awaitable<bool> wait_until(Clock& clock, Instant deadline);
    awaitable<void> wait();

private:
    struct Waiters;
    std::shared_ptr<Waiters> waiters_;  // shared: a waiter that is cancelled looks whether the signal still lives
};

/// Owns coroutines: whoever must outlive the work holds a group. Nothing runs outside of one.
/// Lives on the loop thread.
class TaskGroup {
public:
    explicit TaskGroup(boost::asio::any_io_executor loop);
    /// All tasks must have ended: stop() was awaited, or the loop has stopped for good.
    ~TaskGroup();
    TaskGroup(const TaskGroup&) = delete;
    TaskGroup& operator=(const TaskGroup&) = delete;

    /// Starts `task`. An exception other than cancellation that leaves it is a bug of ours: it is logged
    /// with `name` and ends that task alone.
    void spawn(std::string name, awaitable<void> task);
    /// Cancels every task and waits until all have ended, even when the caller is cancelled meanwhile. Tasks
    /// spawned meanwhile are cancelled too. A caller that was cancelled before cannot await anything, this
    /// neither, until it has said co_await boost::asio::this_coro::throw_if_cancelled(false).
    awaitable<void> stop();
    /// Waits until all have ended by themselves.
    awaitable<void> join();
    std::size_t running() const;

private:
    struct State;
    std::shared_ptr<State> state_;  // shared: a task that ends looks whether its group still lives
};

/// Something outside the loop that is certain to post to it: a virtual clock stands still while one lives.
/// Made and destroyed on any thread; destroy it after the post.
class OutsideWork {
public:
    explicit OutsideWork(const boost::asio::any_io_executor& loop);
    ~OutsideWork();
    OutsideWork(const OutsideWork&) = delete;
    OutsideWork& operator=(const OutsideWork&) = delete;
    /// How many live now for that loop.
    static std::size_t count(const boost::asio::any_io_executor& loop);

private:
    std::shared_ptr<std::atomic<std::size_t>> count_;  // shared with the loop, which may end first
};

namespace detail {
/// Runs `work`, cancelling it at `deadline`; waits for it to unwind. False when it was cut short.
awaitable<bool> run_until(Clock& clock, Instant deadline, awaitable<void> work);

template <class T>
awaitable<void> store_into(awaitable<Result<T>> work, std::optional<Result<T>>& out) {
    out.emplace(co_await std::move(work));
}
}  // namespace detail

/// `work`, or a transient error of unknown outcome when it takes longer than `limit`. `what` names the call.
template <class T>
awaitable<Result<T>> with_deadline(Clock& clock, Duration limit, std::string what, awaitable<Result<T>> work) {
    std::optional<Result<T>> out;
    auto task = detail::store_into(std::move(work), out);
    const auto deadline = clock.now() + limit;
    const bool in_time = co_await detail::run_until(clock, deadline, std::move(task));
    if (out) co_return *std::move(out);
    (void)in_time;
    Error error{ErrorClass::unreachable, what + " took longer than " + std::to_string(limit.count()) + " ms"};
    error.outcome_unknown = true;
    co_return error;
}

/// Threads for blocking calls. Work is taken in order; at most `queue_max` calls wait.
class BlockingPool {
public:
    BlockingPool(boost::asio::any_io_executor loop, std::string name, std::size_t threads, std::size_t queue_max);
    /// Waits for the calls in flight.
    ~BlockingPool();
    BlockingPool(const BlockingPool&) = delete;
    BlockingPool& operator=(const BlockingPool&) = delete;

    /// Runs `work` on a thread of the pool and resumes on the loop. `work` must not throw, must bound its own
    /// time, and must own what it uses. A cancelled caller still waits for it.
    /// Error: rate_limited when the queue is full.
    awaitable<Result<void>> run(std::function<void()> work);

    /// The same for a function with a Result.
    template <class F>
    auto call(F work) -> awaitable<decltype(work())> {
        using R = decltype(work());
        auto out = std::make_shared<std::optional<R>>();  // shared: the thread may outlive a cancelled caller
        std::function<void()> task = [out, work = std::move(work)]() mutable { out->emplace(work()); };
        auto ran = co_await run(std::move(task));
        if (!ran) co_return std::move(ran).error();
        co_return std::move(**out);
    }

private:
    struct State;
    std::shared_ptr<State> state_;
};

}  // namespace ocim
