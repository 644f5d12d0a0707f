#include "cli/process_deadline.hpp"

#include "cli/cli.hpp"

#include <csignal>
#include <cstring>
#include <string_view>

#include <unistd.h>

namespace ocim::cli {

namespace {

int signal_number() { return SIGRTMIN; }

/// Only what may be called in a signal handler.
void end_now(int) {
    constexpr std::string_view why = "ocim: the right to act has run out: this process ends\n";
    [[maybe_unused]] const auto written = ::write(STDERR_FILENO, why.data(), why.size());
    ::_exit(exit_failed);
}

timespec at(Instant when) {
    using namespace std::chrono;
    const auto since = duration_cast<nanoseconds>(when.time_since_epoch());
    const auto whole = duration_cast<seconds>(since);
    timespec out{};
    out.tv_sec = whole.count();
    out.tv_nsec = (since - whole).count();
    return out;
}

}  // namespace

Result<std::unique_ptr<ProcessDeadline>> ProcessDeadline::make() {
    struct sigaction action{};
    action.sa_handler = end_now;
    sigfillset(&action.sa_mask);
    ::sigaction(signal_number(), &action, nullptr);
    sigevent event{};
    event.sigev_notify = SIGEV_THREAD_ID;  // this thread, before it goes on: any other could come too late
    event.sigev_signo = signal_number();
    event._sigev_un._tid = ::gettid();  // glibc 2.36 has no name for it
    timer_t timer{};
    // the clock of Instant
    if (::timer_create(CLOCK_MONOTONIC, &event, &timer) != 0)
        return Error{ErrorClass::transient, std::string("no timer: ") + std::strerror(errno)};
    return std::unique_ptr<ProcessDeadline>(new ProcessDeadline(timer));
}

ProcessDeadline::~ProcessDeadline() { ::timer_delete(timer_); }

void ProcessDeadline::move_to(Instant when) {
    itimerspec wanted{};
    if (when != Instant::max()) {
        wanted.it_value = at(when);
        if (wanted.it_value.tv_sec <= 0 && wanted.it_value.tv_nsec <= 0) wanted.it_value.tv_nsec = 1;  // 0 is "never"
    }
    ::timer_settime(timer_, TIMER_ABSTIME, &wanted, nullptr);
}

}  // namespace ocim::cli
