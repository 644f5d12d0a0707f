#pragma once

#include "base/async.hpp"
#include "base/metrics.hpp"
#include "base/random.hpp"
#include "client/client.hpp"

#include <deque>
#include <map>
#include <string>

namespace ocim::runtime {

/// Writes Kubernetes Events. Never waits in record(): a full queue drops the event and counts it, as events are
/// best effort and hold no state.
///
/// The same event of the same object again within 6 minutes becomes a series; while it goes on it is written every
/// 30 minutes. For one reason an object has 25 events at once, then one every 5 minutes.
class EventRecorder {
public:
    struct What {
        bool warning = false;
        std::string reason;  ///< CamelCase
        std::string action;  ///< CamelCase: what we did or tried
        std::string note;    ///< a sentence; never a secret
    };

    EventRecorder(client::Client& client, Clock& clock, Random& random, Metrics& metrics);

    /// `controller` is the kind's lower-case name.
    void record(const client::Json& regarding, const std::string& controller, What what);
    /// Writes what was recorded until it is cancelled.
    awaitable<void> run();
    /// Writes what is left, at shutdown.
    awaitable<void> flush();

private:
    struct Series {
        std::string namespace_, name;
        unsigned count = 1;
        WallTime last{}, written{};
    };
    struct Budget {
        double tokens = 25;
        WallTime refilled{};
    };
    struct Write {
        bool create = true;
        std::string series;  // key in series_
        client::Json body;   // the event, or the merge patch
    };

    bool affordable(const std::string& topic, WallTime now);
    void extend(const std::string& key, Series& series, WallTime now);
    void queue(Write write);
    void forget_old(WallTime now);
    awaitable<void> write_next();

    client::Client& client_;
    Clock& clock_;
    Random& random_;
    prometheus::Counter& dropped_;
    Signal wake_;
    std::deque<Write> writes_;
    std::map<std::string, Series> series_;
    std::map<std::string, Budget> budgets_;
};

}  // namespace ocim::runtime
