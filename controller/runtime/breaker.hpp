#pragma once

#include "base/random.hpp"
#include "base/result.hpp"

#include <optional>
#include <string>

namespace ocim::runtime {

/// Why nothing of a backend can be worked on, in the words of a condition.
struct Trouble {
    std::string reason;  ///< BackendUnreachable, BackendAuthFailed, …
    std::string message;
    bool operator==(const Trouble&) const = default;
};

/// Whether a backend may be called. Pure: time comes in as an argument.
///
///     closed --auth, unreachable, or failing again and again--> open --probe ok--> trial --look ok--> closed
///                                                                ^------------- any failure ------------'
///
/// Open: only probes. Trial: one bulk read, no action.
class Breaker {
public:
    enum class Call { probe, observe, act };
    struct Settings {
        Duration probe_busy{3'000}, probe_idle{30'000};
        /// So many failures of one call in a row, of a class that does not say "all is lost", open it too.
        unsigned failures_max = 3;
    };
    Breaker(Settings settings, Random& random);

    /// Opened anew: closed, and the first look counts as a probe.
    void reset(Instant now);
    void succeeded(Call call, Instant now);
    void failed(Call call, const Error& error, Instant now);

    bool may_observe() const { return state_ != State::open; }
    bool may_act() const { return state_ == State::closed; }
    /// Nothing while it is closed.
    const std::optional<Trouble>& trouble() const { return trouble_; }

    /// When to probe next. `busy`: work is waiting. A call that went well counts as a probe.
    Instant next_probe(bool busy) const;

    enum class State { closed, open, trial };
    State state() const { return state_; }
    unsigned probe_failures() const { return probe_failures_; }
    unsigned observe_failures() const { return observe_failures_; }

private:
    void set_last(Instant now);

    Settings settings_;
    Random& random_;
    State state_ = State::closed;
    std::optional<Trouble> trouble_;
    unsigned probe_failures_ = 0, observe_failures_ = 0;
    Instant last_{};     // of the last probe, or of the last call that went well
    double jitter_ = 1;  // drawn anew each time
};

/// How fast a backend may be called. Pure. It slows down when the backend says so and recovers by itself.
class Pace {
public:
    explicit Pace(double calls_per_second);
    void set_limit(double calls_per_second);

    /// Takes one call, or says when to ask again.
    std::optional<Instant> take(Instant now);
    /// The backend asked for patience: nothing before `now` + `wait`, then half as fast.
    void slow_down(Instant now, Duration wait);
    /// A call went well: a tenth of the limit faster, up to the limit.
    void speed_up();
    Instant not_before() const { return not_before_; }
    double limit() const { return limit_; }
    /// What it has come down to.
    double rate() const { return rate_; }

private:
    double limit_, rate_, tokens_;
    Instant refilled_{}, not_before_{};
};

}  // namespace ocim::runtime
