#include "support/test_loop.hpp"

#include "base/async.hpp"

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <map>
#include <stdexcept>

namespace ocim::test {

namespace asio = boost::asio;
using namespace std::chrono_literals;

Loop::Loop(Duration limit) : context_(std::make_unique<asio::io_context>(1)), limit_(limit) {}
Loop::~Loop() = default;

asio::io_context& Loop::context() { return *context_; }
asio::any_io_executor Loop::executor() { return context_->get_executor(); }

void Loop::drive(awaitable<void> work) {
    struct Run {
        bool ended = false;
        std::exception_ptr error;
        asio::cancellation_signal cancel;
    };
    const auto run = std::make_shared<Run>();  // shared: work that was given up may still end
    auto on_end = [run](std::exception_ptr error) {
        run->ended = true;
        run->error = std::move(error);
    };
    asio::co_spawn(executor(), std::move(work), asio::bind_cancellation_slot(run->cancel.slot(), std::move(on_end)));
    const auto until = clock().now() + limit_;
    const char* given_up = nullptr;
    while (!run->ended && given_up == nullptr) {
        if (!step(until))
            given_up = "the coroutine waits for something that can never happen";
        else if (!run->ended && clock().now() >= until)
            given_up = "the coroutine took longer than the limit";
    }
    if (given_up == nullptr) {
        if (run->error) std::rethrow_exception(run->error);
        return;
    }
    run->cancel.emit(asio::cancellation_type::terminal);
    context_->restart();
    context_->poll();
    throw std::runtime_error(given_up);
}

// --- TestLoop

class TestLoop::VirtualClock final : public Clock {
public:
    VirtualClock(asio::io_context& loop, Start start) : loop_(loop), start_(start), now_(start.now) {}

    Instant now() const override { return now_; }
    WallTime wall() const override {
        return start_.wall + std::chrono::duration_cast<std::chrono::microseconds>(now_ - start_.now);
    }
    TimerId call_at(Instant when, std::function<void()> call) override {
        const auto id = ++last_;
        due_.emplace(std::pair(std::max(when, now_), id), std::move(call));
        when_.emplace(id, std::max(when, now_));
        return id;
    }
    void cancel(TimerId timer) override {
        const auto found = when_.find(timer);
        if (found == when_.end()) return;
        due_.erase(std::pair(found->second, timer));
        when_.erase(found);
    }

    std::optional<Instant> next() const {
        return due_.empty() ? std::nullopt : std::optional(due_.begin()->first.first);
    }
    void move_to(Instant when) { now_ = std::max(now_, when); }
    /// Moves to the next timer and calls it.
    void fire() {
        auto entry = due_.extract(due_.begin());
        move_to(entry.key().first);
        when_.erase(entry.key().second);
        asio::post(loop_, std::move(entry.mapped()));
        loop_.restart();
        loop_.poll_one();
    }

private:
    asio::io_context& loop_;
    const Start start_;
    Instant now_;
    TimerId last_ = 0;
    std::map<std::pair<Instant, TimerId>, std::function<void()>> due_;  // timers of one instant in order of asking
    std::map<TimerId, Instant> when_;
};

TestLoop::TestLoop(Start start) : Loop(24h), clock_(std::make_unique<VirtualClock>(*context_, start)) {}
TestLoop::~TestLoop() {
    context_->stop();
    clock_.reset();
}

Clock& TestLoop::clock() { return *clock_; }
std::optional<Instant> TestLoop::next_timer() const { return clock_->next(); }

bool TestLoop::step(Instant until) {
    // counted before looking: what ended before is in the loop's queue already
    const bool outside = OutsideWork::count(executor()) > 0;
    context_->restart();
    if (context_->poll_one() > 0) return true;
    if (outside) {
        context_->restart();
        // bounded, so that a call that never ends shows as a test that hangs at one place, not as a busy loop
        context_->run_one_for(100ms);
        return true;
    }
    const auto next = clock_->next();
    if (!next) return false;
    if (*next <= until)
        clock_->fire();
    else
        clock_->move_to(until);
    return true;
}

void TestLoop::settle() { advance(0ms); }

void TestLoop::advance(Duration time, const std::function<bool()>& enough) {
    const auto end = clock_->now() + time;
    for (;;) {
        if (enough && enough()) return;
        const auto next = clock_->next();
        const bool outside = OutsideWork::count(executor()) > 0;
        context_->restart();
        if (context_->poll_one() > 0) continue;
        if (!outside && (!next || *next > end)) break;
        step(end);
    }
    clock_->move_to(end);
}

// --- RealLoop

RealLoop::RealLoop() : Loop(60s), clock_(make_system_clock(*context_)) {}
RealLoop::~RealLoop() {
    context_->stop();
    clock_.reset();
}

Clock& RealLoop::clock() { return *clock_; }

bool RealLoop::step(Instant until) {
    context_->restart();
    context_->run_one_until(until);
    return true;
}

}  // namespace ocim::test
