#include "cli/process_deadline.hpp"

#include <gtest/gtest.h>

#include <sys/wait.h>
#include <unistd.h>
#include <csignal>
#include <functional>
#include <thread>

namespace ocim::cli {
namespace {

using namespace std::chrono_literals;

constexpr int done = 7;  ///< how a child ends that nothing ended

/// Another process, with a deadline that it may move.
class Child {
public:
    explicit Child(const std::function<void(ProcessDeadline&, int pipe)>& work) {
        if (::pipe(pipe_) != 0) throw std::runtime_error("no pipe");
        id_ = ::fork();
        if (id_ != 0) {
            ::close(pipe_[1]);
            return;
        }
        auto deadline = ProcessDeadline::make();
        if (deadline) work(**deadline, pipe_[1]);
        ::_exit(deadline ? done : 3);
    }
    ~Child() {
        ::kill(id_, SIGKILL);
        ::waitpid(id_, nullptr, 0);
        ::close(pipe_[0]);
    }
    void wait_until_stopped() const {
        int status = 0;
        ASSERT_EQ(::waitpid(id_, &status, WUNTRACED), id_);
        ASSERT_TRUE(WIFSTOPPED(status));
    }
    void go_on() const { ::kill(id_, SIGCONT); }
    int exit_code() const {
        int status = 0;
        if (::waitpid(id_, &status, 0) != id_ || !WIFEXITED(status)) return -1;
        return WEXITSTATUS(status);
    }
    /// How much it wrote, once it has ended.
    ssize_t written() const {
        char buffer[16];
        return ::read(pipe_[0], buffer, sizeof buffer);
    }

private:
    int pipe_[2] = {-1, -1};
    pid_t id_ = 0;
};

Instant now() { return std::chrono::steady_clock::now(); }

TEST(ProcessDeadline, EndsAThreadInTheMiddleOfItsWork) {
    const Child child([](ProcessDeadline& deadline, int) {
        deadline.move_to(now() + 50ms);
        for (volatile unsigned turns = 0;; turns = turns + 1) {}
    });
    EXPECT_EQ(child.exit_code(), 1);
}

TEST(ProcessDeadline, OneThatStoodStillPastItDoesNothingMore) {
    const Child child([](ProcessDeadline& deadline, int pipe) {
        deadline.move_to(now() + 50ms);
        ::raise(SIGSTOP);
        [[maybe_unused]] const auto wrote = ::write(pipe, "a call", 6);
    });
    child.wait_until_stopped();
    std::this_thread::sleep_until(now() + 100ms);  // the deadline is an instant: nothing tells that it has passed
    child.go_on();
    EXPECT_EQ(child.exit_code(), 1);
    EXPECT_EQ(child.written(), 0);
}

TEST(ProcessDeadline, OneThatHasPassedEndsAtOnce) {
    const Child child([](ProcessDeadline& deadline, int) {
        deadline.move_to(now() - 1s);
        for (volatile unsigned turns = 0;; turns = turns + 1) {}
    });
    EXPECT_EQ(child.exit_code(), 1);
}

TEST(ProcessDeadline, MovedOnOrTakenAwayItEndsNothing) {
    const Child child([](ProcessDeadline& deadline, int) {
        deadline.move_to(now() + 20ms);
        deadline.move_to(now() + 1h);
        std::this_thread::sleep_until(now() + 60ms);
        deadline.move_to(now() + 20ms);
        deadline.move_to(Instant::max());
        std::this_thread::sleep_until(now() + 60ms);
    });
    EXPECT_EQ(child.exit_code(), done);
}

}  // namespace
}  // namespace ocim::cli
