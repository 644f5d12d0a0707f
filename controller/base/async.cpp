#include "base/async.hpp"

#include "base/log.hpp"
#include "base/suspend.hpp"

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/error.hpp>
#include <boost/asio/execution/context.hpp>
#include <boost/asio/execution_context.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/system/system_error.hpp>
#include <map>
#include <vector>

namespace ocim {

namespace asio = boost::asio;
using boost::system::system_error;

// --- Signal

struct Signal::Waiters {
    std::map<std::uint64_t, std::shared_ptr<Waiter>> waiting;  // by arrival
    std::uint64_t last = 0;

    struct Deadline {
        Clock* clock;
        Instant when;
    };

    static awaitable<Wake> wait(std::weak_ptr<Waiters> self, std::optional<Deadline> deadline,
                                Cancellable cancellable) {
        std::uint64_t id = 0;
        Clock::TimerId timer = 0;
        auto park = [&self, &id, &timer, deadline](std::shared_ptr<Waiter> waiter) {
            const auto waiters = self.lock();
            if (!waiters) return waiter->finish(Wake::cancelled);
            id = ++waiters->last;
            waiters->waiting.emplace(id, waiter);
            if (!deadline) return;
            timer = deadline->clock->call_at(deadline->when, [weak = std::weak_ptr<Waiter>(waiter)] {
                if (const auto found = weak.lock()) found->finish(Wake::timed_out);
            });
        };
        const auto why = co_await suspend(cancellable, park);
        if (deadline) deadline->clock->cancel(timer);
        if (const auto waiters = self.lock()) waiters->waiting.erase(id);
        co_return why;
    }
};

namespace {
void throw_if(bool cancelled) {
    if (cancelled) throw system_error(asio::error::operation_aborted);
}
bool is_cancellation(const std::exception_ptr& error) {
    try {
        std::rethrow_exception(error);
    } catch (const system_error& e) { return e.code() == asio::error::operation_aborted; } catch (...) {
        return false;
    }
}
std::string text_of(const std::exception_ptr& error) {
    try {
        std::rethrow_exception(error);
    } catch (const std::exception& e) { return e.what(); } catch (...) {
        return "not a std::exception";
    }
}
}  // namespace

Signal::Signal() : waiters_(std::make_shared<Waiters>()) {}

Signal::~Signal() {
    const auto waiting = std::exchange(waiters_->waiting, {});
    for (const auto& [id, waiter] : waiting) waiter->finish(Wake::cancelled);
}

void Signal::notify() {
    const auto waiting = std::exchange(waiters_->waiting, {});
    for (const auto& [id, waiter] : waiting) waiter->finish(Wake::notified);
}

awaitable<bool> Signal::wait_until(Clock& clock, Instant deadline) {
    const std::optional<Waiters::Deadline> limit(Waiters::Deadline{&clock, deadline});
    const auto why = co_await Waiters::wait(waiters_, limit, Cancellable::yes);
    throw_if(why == Wake::cancelled);
    co_return why == Wake::notified;
}

awaitable<void> Signal::wait() {
    const auto why = co_await Waiters::wait(waiters_, std::nullopt, Cancellable::yes);
    throw_if(why == Wake::cancelled);
}

// --- TaskGroup

struct TaskGroup::State {
    explicit State(asio::any_io_executor on) : loop(std::move(on)) {}

    using Cancel = asio::cancellation_signal;
    asio::any_io_executor loop;
    std::map<std::uint64_t, std::shared_ptr<Cancel>> tasks;  // shared: a task may end while it is being cancelled
    std::uint64_t last = 0;
    bool stopping = false;
    std::vector<std::shared_ptr<Waiter>> idle;

    void ended(std::uint64_t id) {
        tasks.erase(id);
        if (!tasks.empty()) return;
        for (const auto& waiter : std::exchange(idle, {})) waiter->finish(Wake::notified);
    }

    awaitable<Wake> wait_idle(Cancellable cancellable) {
        auto park = [this](std::shared_ptr<Waiter> waiter) { idle.push_back(std::move(waiter)); };
        const auto why = co_await suspend(cancellable, park);
        co_return why;
    }
};

TaskGroup::TaskGroup(asio::any_io_executor loop) : state_(std::make_shared<State>(std::move(loop))) {}

TaskGroup::~TaskGroup() {
    auto& context = static_cast<asio::io_context&>(asio::query(state_->loop, asio::execution::context));
    assert((state_->tasks.empty() || context.stopped()) && "a task group was not stopped");
}

void TaskGroup::spawn(std::string name, awaitable<void> task) {
    const auto id = ++state_->last;
    const auto cancel = std::make_shared<State::Cancel>();
    state_->tasks.emplace(id, cancel);
    auto on_end = [weak = std::weak_ptr<State>(state_), id, name = std::move(name)](const std::exception_ptr& error) {
        if (error && !is_cancellation(error))
            log::error("a task ended by an exception", {{"task", name}, {"error", text_of(error)}});
        if (const auto state = weak.lock()) state->ended(id);
    };
    asio::co_spawn(state_->loop, std::move(task), asio::bind_cancellation_slot(cancel->slot(), std::move(on_end)));
    if (state_->stopping) cancel->emit(asio::cancellation_type::terminal);
}

// No coroutine below holds state_: the state owns its waiter, and each would keep the other alive.

awaitable<void> TaskGroup::stop() {
    state_->stopping = true;
    const auto tasks = state_->tasks;
    for (const auto& [id, cancel] : tasks) cancel->emit(asio::cancellation_type::terminal);
    const bool throws = co_await asio::this_coro::throw_if_cancelled();
    co_await asio::this_coro::throw_if_cancelled(false);
    while (!state_->tasks.empty()) { co_await state_->wait_idle(Cancellable::no); }
    state_->stopping = false;
    co_await asio::this_coro::throw_if_cancelled(throws);
}

awaitable<void> TaskGroup::join() {
    while (!state_->tasks.empty()) {
        const auto why = co_await state_->wait_idle(Cancellable::yes);
        throw_if(why == Wake::cancelled);
    }
}

std::size_t TaskGroup::running() const { return state_->tasks.size(); }

// --- OutsideWork

namespace {
/// Lives in the loop itself, so that whoever has an executor finds it.
class OutsideCounter : public asio::execution_context::service {
public:
    using key_type = OutsideCounter;
    static inline asio::execution_context::id id;
    explicit OutsideCounter(asio::execution_context& context) : service(context) {}
    std::shared_ptr<std::atomic<std::size_t>> count = std::make_shared<std::atomic<std::size_t>>(0);

private:
    void shutdown() override {}
};

std::shared_ptr<std::atomic<std::size_t>> counter_of(const asio::any_io_executor& loop) {
    return asio::use_service<OutsideCounter>(asio::query(loop, asio::execution::context)).count;
}
}  // namespace

OutsideWork::OutsideWork(const asio::any_io_executor& loop) : count_(counter_of(loop)) { ++*count_; }
OutsideWork::~OutsideWork() { --*count_; }
std::size_t OutsideWork::count(const asio::any_io_executor& loop) { return *counter_of(loop); }

// --- deadlines

namespace detail {

namespace {

/// Work under way and the coroutine that waits for its end. The work's completion handler owns the waiter, the
/// waiting coroutine only looks at it: else the two would keep each other alive when the loop ends early.
struct Cut {
    asio::cancellation_signal cancel;
    bool ended = false;
    std::exception_ptr error;
};
struct CutWaiter {
    std::shared_ptr<Waiter> waiter;
    void finish(Wake why) const {
        if (waiter) waiter->finish(why);
    }
};

awaitable<Wake> wait_end(std::weak_ptr<CutWaiter> end, Cancellable cancellable) {
    auto park = [&end](std::shared_ptr<Waiter> waiter) {
        if (const auto owner = end.lock()) owner->waiter = std::move(waiter);
    };
    const auto why = co_await suspend(cancellable, park);
    co_return why;
}

/// Cancels the work and waits for it to unwind, whatever happens to the caller meanwhile.
awaitable<void> cut_short(std::shared_ptr<Cut> run, std::weak_ptr<CutWaiter> end) {
    run->cancel.emit(asio::cancellation_type::terminal);
    while (!run->ended) { co_await wait_end(end, Cancellable::no); }
}

}  // namespace

awaitable<bool> run_until(Clock& clock, Instant deadline, awaitable<void> work) {
    const auto run = std::make_shared<Cut>();  // shared with the completion handler
    std::weak_ptr<CutWaiter> end;
    {
        auto waiter = std::make_shared<CutWaiter>();
        end = waiter;
        auto on_end = [run, waiter = std::move(waiter)](std::exception_ptr error) {
            run->ended = true;
            run->error = std::move(error);
            waiter->finish(Wake::notified);
        };
        auto executor = co_await asio::this_coro::executor;
        asio::co_spawn(executor, std::move(work), asio::bind_cancellation_slot(run->cancel.slot(), std::move(on_end)));
    }
    auto why = Wake::notified;
    if (!run->ended) {
        const auto timer = clock.call_at(deadline, [end] {
            if (const auto late = end.lock()) late->finish(Wake::timed_out);
        });
        why = co_await wait_end(end, Cancellable::yes);
        clock.cancel(timer);
    }
    const bool cut = !run->ended;
    if (cut) {
        const bool throws = co_await asio::this_coro::throw_if_cancelled();
        co_await asio::this_coro::throw_if_cancelled(false);
        co_await cut_short(run, end);
        co_await asio::this_coro::throw_if_cancelled(throws);
    }
    throw_if(why == Wake::cancelled);
    if (run->error && !(cut && is_cancellation(run->error))) std::rethrow_exception(run->error);
    co_return !run->error;
}

}  // namespace detail

}  // namespace ocim
