#pragma once

#include "base/metrics.hpp"
#include "base/random.hpp"
#include "base/result.hpp"

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

namespace ocim::runtime {

/// Which keys want a visit, and when. Pure: time comes in as an argument.
///
/// A key is in it once and is never handed out twice at a time; added while it is out, it comes once more
/// afterwards. What a person changed (high) goes before what a sweep wants (low), but a low key that has waited
/// `starvation_max` since it was due gets every second turn, oldest first: with n low keys before it, it is served
/// after at most starvation_max and 2n + 1 turns, whatever the load of high keys.
class WorkQueue {
public:
    enum class Priority { high, low };
    struct Settings {
        std::string name;  ///< the label of its metrics
        Duration retry_min{1'000}, retry_max{300'000};
        Duration starvation_max{10'000};
    };

    /// `random` and `metrics` must outlive it.
    WorkQueue(Settings settings, Random& random, Metrics& metrics);

    /// Wants a visit at `due`. The earliest wish and the highest priority win.
    void add(const std::string& key, Instant due, Priority priority);
    /// Wants another visit after a failure: later and later, with jitter, up to retry_max; at least `least` from
    /// now. Returns when.
    Instant retry(const std::string& key, Instant now, Duration least = Duration::zero());
    /// The next failure of `key` counts as its first.
    void forget(const std::string& key);
    unsigned failures(const std::string& key) const;

    /// The next key that is due, if any. Nobody else gets it before done().
    std::optional<std::string> take(Instant now);
    void done(const std::string& key, Instant now);

    /// When the next key will be due; may have passed already.
    std::optional<Instant> next_due() const;
    /// Keys that wait or are out.
    std::size_t size() const { return waiting_.size() + running_.size(); }

    /// Where a key stands, for people who ask.
    struct Place {
        std::optional<Instant> due;            ///< when it wants a visit, or another one
        std::optional<Instant> running_since;  ///< it is out
        Priority priority = Priority::low;
        unsigned failures = 0;
    };
    Place place(const std::string& key) const;
    struct Counts {
        std::size_t waiting = 0, due = 0, running = 0, failing = 0;
    };
    Counts counts(Instant now) const;
    using Times = std::vector<std::pair<std::string, Instant>>;
    /// At most `most` of those that wait, the earliest first.
    Times next(std::size_t most) const;
    std::size_t count_running() const { return running_.size(); }
    /// Those that are out, and since when.
    Times running() const { return {running_.begin(), running_.end()}; }

private:
    struct Wish {
        Instant due;
        Priority priority = Priority::low;
    };
    using Line = std::set<std::pair<Instant, std::string>>;
    struct Instruments {
        prometheus::Gauge &depth, &unfinished_seconds, &longest_seconds;
        prometheus::Counter &adds, &retries;
        prometheus::Histogram &queue_seconds, &work_seconds;
    };
    static Instruments instruments(const std::string& name, Metrics& metrics);

    Line& line(Priority priority) { return priority == Priority::high ? high_ : low_; }
    void enlist(const std::string& key, Wish wish);
    bool turn_of_low(Instant now);
    void measure(Instant now);

    Settings settings_;
    Random& random_;
    Instruments metrics_;
    std::map<std::string, Wish> waiting_;
    Line high_, low_;                         // the keys of waiting_, by when they are due
    std::map<std::string, Instant> running_;  // since when
    std::map<std::string, Wish> again_;       // wanted while out
    std::map<std::string, unsigned> failures_;
    bool low_had_last_turn_ = false;
};

/// Doubles from `least` to `most` with the number of failures so far, less up to a third by chance.
Duration back_off(unsigned failures, Duration least, Duration most, Random& random);

}  // namespace ocim::runtime
