#include "base/clock.hpp"

#include "base/suspend.hpp"

#include <boost/asio/error.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/system/system_error.hpp>
#include <charconv>
#include <cstdio>
#include <map>
#include <optional>
#include <unordered_map>
#include <vector>

namespace ocim {

namespace asio = boost::asio;

awaitable<void> Clock::sleep_until(Instant when) {
    TimerId timer{};
    auto park = [this, when, &timer](std::shared_ptr<Waiter> waiter) {
        timer = call_at(when, [waiter = std::move(waiter)] { waiter->finish(Wake::timed_out); });
    };
    const auto why = co_await suspend(Cancellable::yes, park);
    if (why != Wake::cancelled) co_return;
    cancel(timer);
    throw boost::system::system_error(asio::error::operation_aborted);
}

awaitable<void> Clock::sleep(Duration time) {
    const auto when = now() + time;
    co_await sleep_until(when);
}

namespace {

/// One timer of the loop for all: most of what is waited for never comes, and an entry that is taken back costs less
/// than a timer of Asio's.
class SystemClock final : public Clock {
public:
    explicit SystemClock(asio::io_context& loop) : timers_(std::make_shared<Timers>(loop)) {}

    Instant now() const override { return std::chrono::steady_clock::now(); }
    WallTime wall() const override {
        return std::chrono::time_point_cast<std::chrono::microseconds>(std::chrono::system_clock::now());
    }

    TimerId call_at(Instant when, std::function<void()> call) override {
        const auto id = ++last_;
        timers_->when.emplace(id, when);
        timers_->due.emplace(std::pair(when, id), std::move(call));
        arm(timers_);
        return id;
    }
    void cancel(TimerId timer) override {
        const auto found = timers_->when.find(timer);
        if (found == timers_->when.end()) return;
        timers_->due.erase(std::pair(found->second, timer));
        timers_->when.erase(found);
        if (!timers_->due.empty()) return;  // else too early is no harm
        timers_->armed.reset();
        timers_->timer.cancel();  // the loop may end when nothing is left to wait for
    }

private:
    struct Timers {
        explicit Timers(asio::io_context& loop) : timer(loop) {}
        asio::steady_timer timer;
        std::optional<Instant> armed;  ///< when the timer goes off
        std::map<std::pair<Instant, TimerId>, std::function<void()>> due;
        std::unordered_map<TimerId, Instant> when;
    };

    /// Sees to it that the timer goes off no later than the first call is due.
    static void arm(const std::shared_ptr<Timers>& timers) {
        if (timers->due.empty()) return;
        const auto first = timers->due.begin()->first.first;
        if (timers->armed && *timers->armed <= first) return;
        timers->armed = first;
        timers->timer.expires_at(first);
        // weak: what is queued already may come after the clock is gone
        timers->timer.async_wait([weak = std::weak_ptr<Timers>(timers), first](const boost::system::error_code& error) {
            const auto found = weak.lock();
            if (error || !found || found->armed != first) return;
            found->armed.reset();
            call_due(found);
        });
    }

    static void call_due(const std::shared_ptr<Timers>& timers) {
        const auto now = std::chrono::steady_clock::now();
        std::vector<TimerId> ids;
        for (const auto& [key, call] : timers->due) {
            if (key.first > now) break;
            ids.push_back(key.second);
        }
        struct ArmAgain {
            const std::shared_ptr<Timers>& timers;
            ~ArmAgain() { arm(timers); }
        };
        const ArmAgain at_end{timers};
        for (const auto id : ids) {
            const auto found = timers->when.find(id);
            if (found == timers->when.end()) continue;  // cancelled by one of those before it
            const auto entry = timers->due.extract(std::pair(found->second, id));
            timers->when.erase(found);
            entry.mapped()();
        }
    }

    std::shared_ptr<Timers> timers_;  // shared with calls that are queued
    TimerId last_ = 0;
};

/// Calendar fields of a time, UTC.
struct Fields {
    int year;
    unsigned month, day;
    std::chrono::hh_mm_ss<std::chrono::microseconds> clock;
};

Fields fields_of(WallTime time) {
    const auto day = std::chrono::floor<std::chrono::days>(time);
    const std::chrono::year_month_day date(day);
    return {static_cast<int>(date.year()), static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()),
            std::chrono::hh_mm_ss<std::chrono::microseconds>(time - day)};
}

std::string seconds_text(const Fields& f) {
    char text[64];
    std::snprintf(text, sizeof text, "%04d-%02u-%02uT%02d:%02d:%02d", f.year, f.month, f.day,
                  static_cast<int>(f.clock.hours().count()), static_cast<int>(f.clock.minutes().count()),
                  static_cast<int>(f.clock.seconds().count()));
    return text;
}

/// Takes exactly `digits` digits and then `after` (0: nothing) off the front. -1 when they are not there.
int take(std::string_view& text, std::size_t digits, char after) {
    const auto length = digits + (after != 0 ? 1 : 0);
    if (text.size() < length || (after != 0 && text[digits] != after)) return -1;
    int value = 0;
    for (const char c : text.substr(0, digits)) {
        if (c < '0' || c > '9') return -1;
        value = value * 10 + (c - '0');
    }
    text.remove_prefix(length);
    return value;
}

/// Takes ".digits" off the front, if it is there; more digits than microseconds have are cut.
std::optional<std::chrono::microseconds> take_fraction(std::string_view& text) {
    if (text.empty() || text[0] != '.') return std::chrono::microseconds(0);
    text.remove_prefix(1);
    std::int64_t micros = 0;
    std::size_t digits = 0;
    for (; !text.empty() && text[0] >= '0' && text[0] <= '9'; text.remove_prefix(1))
        if (++digits <= 6) micros = micros * 10 + (text[0] - '0');
    if (digits == 0) return std::nullopt;
    for (; digits < 6; ++digits) micros *= 10;
    return std::chrono::microseconds(micros);
}

/// Reads the whole of `text`: "Z" or "+hh:mm".
std::optional<std::chrono::minutes> offset_of(std::string_view text) {
    if (text == "Z") return std::chrono::minutes(0);
    if (text.size() != 6 || (text[0] != '+' && text[0] != '-')) return std::nullopt;
    const int sign = text[0] == '-' ? -1 : 1;
    text.remove_prefix(1);
    const int hours = take(text, 2, ':');
    const int minutes = take(text, 2, 0);
    if (hours < 0 || hours > 23 || minutes < 0 || minutes > 59) return std::nullopt;
    return std::chrono::minutes(sign * (hours * 60 + minutes));
}

}  // namespace

std::unique_ptr<Clock> make_system_clock(asio::io_context& loop) { return std::make_unique<SystemClock>(loop); }

std::string rfc3339(WallTime time) { return seconds_text(fields_of(time)) + "Z"; }

std::string rfc3339_micro(WallTime time) {
    const auto fields = fields_of(time);
    char fraction[16];
    std::snprintf(fraction, sizeof fraction, ".%06dZ", static_cast<int>(fields.clock.subseconds().count()));
    return seconds_text(fields) + fraction;
}

Result<WallTime> parse_rfc3339(std::string_view text) {
    const Error refused{ErrorClass::invalid,
                        "\"" + std::string(text) + "\" is not a time like 2026-11-22T10:00:00Z (RFC 3339)"};
    const int year = take(text, 4, '-');
    const int month = take(text, 2, '-');
    const int day = take(text, 2, 'T');
    const int hour = take(text, 2, ':');
    const int minute = take(text, 2, ':');
    const int second = take(text, 2, 0);
    if (year < 0 || month < 1 || day < 1 || hour < 0 || hour > 23 || minute < 0 || minute > 59 || second < 0 ||
        second > 59)
        return refused;
    const auto fraction = take_fraction(text);
    const auto offset = offset_of(text);
    const std::chrono::year_month_day date{std::chrono::year(year), std::chrono::month(static_cast<unsigned>(month)),
                                           std::chrono::day(static_cast<unsigned>(day))};
    if (!fraction || !offset || !date.ok()) return refused;
    return WallTime(std::chrono::sys_days(date)) + std::chrono::hours(hour) + std::chrono::minutes(minute) +
           std::chrono::seconds(second) + *fraction - *offset;
}

}  // namespace ocim
