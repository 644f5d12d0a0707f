#include "base/async.hpp"
#include "base/suspend.hpp"

#include <pthread.h>
#include <boost/asio/this_coro.hpp>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <thread>
#include <vector>

namespace ocim {

namespace {
struct Call {
    std::function<void()> work;
    std::shared_ptr<Waiter> waiter;
    std::unique_ptr<OutsideWork> outside;
};
}  // namespace

struct BlockingPool::State {
    State(boost::asio::any_io_executor on, std::string named, std::size_t most)
        : loop(std::move(on)), name(std::move(named)), queue_max(most) {}

    const boost::asio::any_io_executor loop;
    const std::string name;
    const std::size_t queue_max;

    std::mutex mutex;  // guards what follows
    std::condition_variable changed;
    std::deque<Call> queue;
    std::size_t idle = 0;
    bool closing = false;

    std::vector<std::jthread> threads;

    void serve() {
        pthread_setname_np(pthread_self(), name.substr(0, 15).c_str());
        std::unique_lock lock(mutex);
        for (;;) {
            ++idle;
            changed.wait(lock, [this] { return closing || !queue.empty(); });
            --idle;
            if (closing) return;
            auto call = std::move(queue.front());
            queue.pop_front();
            lock.unlock();
            run(std::move(call));
            lock.lock();
        }
    }
    static void run(Call call) noexcept {
        call.work();
        call.work = nullptr;  // what it owned goes before the caller goes on
        call.waiter->finish(Wake::notified);
        call.outside.reset();
    }
};

BlockingPool::BlockingPool(boost::asio::any_io_executor loop, std::string name, std::size_t threads,
                           std::size_t queue_max)
    : state_(std::make_shared<State>(std::move(loop), std::move(name), queue_max)) {
    for (std::size_t i = 0; i < threads; ++i) state_->threads.emplace_back([state = state_.get()] { state->serve(); });
}

BlockingPool::~BlockingPool() {
    {
        const std::lock_guard lock(state_->mutex);
        state_->closing = true;
    }
    state_->changed.notify_all();
    state_->threads.clear();
    for (const auto& call : state_->queue) call.waiter->finish(Wake::cancelled);
}

awaitable<Result<void>> BlockingPool::run(std::function<void()> work) {
    const auto state = state_;
    bool full = false;
    auto park = [&state, &full, &work](std::shared_ptr<Waiter> waiter) {
        {
            const std::lock_guard lock(state->mutex);
            full = state->queue.size() >= state->queue_max + state->idle;
            if (!full)
                state->queue.push_back(
                    {std::move(work), std::move(waiter), std::make_unique<OutsideWork>(state->loop)});
        }
        if (full) return waiter->finish(Wake::notified);
        state->changed.notify_one();
    };
    const auto why = co_await suspend(Cancellable::no, park);
    if (full)
        co_return Error(Error{ErrorClass::rate_limited,
                              state->name + ": " + std::to_string(state->queue_max) + " calls are waiting already"});
    if (why == Wake::cancelled)
        co_return Error(Error{ErrorClass::transient, state->name + ": stopped before the call was made"});
    co_return Result<void>();
}

}  // namespace ocim
