#pragma once

#include "base/result.hpp"

#include <boost/asio/awaitable.hpp>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>

namespace boost::asio {
class io_context;
}

namespace ocim {

template <class T>
using awaitable = boost::asio::awaitable<T>;

/// A point in calendar time, UTC.
using WallTime = std::chrono::time_point<std::chrono::system_clock, std::chrono::microseconds>;

/// Where all time comes from. Nothing below main asks the system for it, so a simulation can turn the hands.
/// Lives on the loop thread.
class Clock {
public:
    virtual ~Clock() = default;
    virtual Instant now() const = 0;
    virtual WallTime wall() const = 0;

    using TimerId = std::uint64_t;
    /// Calls `call` once on the loop at `when` or as soon after as it can; never from within call_at itself.
    virtual TimerId call_at(Instant when, std::function<void()> call) = 0;
    /// After this returns the call will not come. An id whose call was made already is ignored.
    virtual void cancel(TimerId timer) = 0;

    /// Resumes at `when`. Cancelling the coroutine throws operation_aborted out of it.
    awaitable<void> sleep_until(Instant when);
    awaitable<void> sleep(Duration time);
};

/// The machine's own clocks, with timers on `loop`, which must outlive it.
std::unique_ptr<Clock> make_system_clock(boost::asio::io_context& loop);

/// "2026-11-22T10:00:00Z": metav1.Time, whole seconds.
std::string rfc3339(WallTime time);
/// "2026-11-22T10:00:00.000000Z": metav1.MicroTime.
std::string rfc3339_micro(WallTime time);
/// Reads either form, with any number of fractional digits and with an offset.
Result<WallTime> parse_rfc3339(std::string_view text);

}  // namespace ocim
