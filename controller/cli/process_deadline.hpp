#pragma once

#include "base/result.hpp"

#include <ctime>
#include <memory>

namespace ocim::cli {

/// Ends this process, with exit_failed, at an instant, whatever it is doing. The kernel keeps the time, and the thread
/// that made this runs no instruction of ours after it: neither in the middle of a long task, nor when the process
/// stood still meanwhile and is woken after it. What is in flight ends with the process.
class ProcessDeadline {
public:
    /// Error: transient, when the system has no timer left. One a process.
    static Result<std::unique_ptr<ProcessDeadline>> make();
    ~ProcessDeadline();
    ProcessDeadline(const ProcessDeadline&) = delete;
    ProcessDeadline& operator=(const ProcessDeadline&) = delete;

    /// On any thread. Instant::max(): never. One that has passed ends the process at once.
    void move_to(Instant when);

private:
    explicit ProcessDeadline(timer_t timer) : timer_(timer) {}
    timer_t timer_;
};

}  // namespace ocim::cli
