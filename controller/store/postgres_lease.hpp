#pragma once

#include "base/metrics.hpp"
#include "store/postgres_connection.hpp"

#include <atomic>
#include <chrono>
#include <functional>
#include <optional>
#include <string>
#include <thread>

namespace ocim::store {

/// Which of the processes that share a database leads: the holder of one row, which counts its renewals. No clock is
/// compared with another's: it may be taken over by who has seen the row unchanged for `duration` by a clock of his own
/// that only goes forward. That it is free does not count: a database that went back in time may have been put before
/// those who lead, and they need so long to see it. Only who saw it held and then given up, on one session, which does
/// not outlive its database, takes it at once; and who has made the store. A session that breaks delays nobody: the
/// next one goes on counting if it finds the very same version of the row in a server that was not started since. It
/// lives on a thread and a session of its own, so that nothing delays a renewal. Whoever leads asks may_act() before
/// each effect; it says no once the last renewal that is known to have arrived is `renew_deadline` old, which is before
/// anybody else may take over.
class PostgresLease {
public:
    struct Settings {
        PostgresSettings database;
        std::string holder;  ///< this process: no other has that name
        std::string name = "controllers";
        bool of_new_store = false;  ///< this process has made the store: before it nobody led
        std::chrono::milliseconds duration{3'600};
        std::chrono::milliseconds renew_deadline{3'000};
        std::chrono::milliseconds renew_interval{500};
        std::chrono::milliseconds look_interval{250};  ///< of one who waits
    };
    /// All are called on the lease's thread, unless they say otherwise.
    struct Listeners {
        std::function<void(const std::string& holder)> told;  ///< whenever another one holds it
        std::function<void()> leads;
        std::function<void(const std::string& why)> lost;  ///< once, and the last of all
        /// may_act() says no from `end` on: before `leads`, and again with each renewal. The maximum, where release()
        /// is called, once it is not held any more. May be none.
        std::function<void(PostgresConnection::Deadline end)> held{};
    };
    /// The tables are there: the journal was loaded. `metrics` must outlive it.
    PostgresLease(Metrics& metrics, Settings settings, Listeners listeners);
    /// Gives it up, which takes two seconds at most.
    ~PostgresLease();
    PostgresLease(const PostgresLease&) = delete;
    PostgresLease& operator=(const PostgresLease&) = delete;

    /// On any thread.
    bool may_act() const;
    /// So that another need not wait for its end. Blocks for two seconds at most.
    void release();

private:
    using Steady = std::chrono::steady_clock;
    void live();
    /// False when it is to end before it leads.
    bool acquire();
    std::string keep();
    void hold_from(Steady::time_point begun);
    PostgresConnection::Deadline end() const;
    Result<bool> try_to_take();
    struct Row {
        std::string holder, term, renewals;  ///< no holder when it is free, no term when there is none
        std::string version;                 ///< of the row, and of which server and table
        bool operator==(const Row&) const = default;
    };
    bool is_to_be_had(const Row& row);
    Result<bool> take(const Row& row);
    Result<void> connect(PostgresConnection::Deadline deadline);
    Result<bool> renew();
    void pause(std::chrono::milliseconds time) const;
    Result<Rows> ask(Statement statement, std::chrono::milliseconds limit);

    const Settings settings_;
    const Listeners listeners_;
    prometheus::Counter& renewed_ok_;
    prometheus::Counter& renewed_badly_;
    Interrupt stop_;   // of our own pauses
    Interrupt never_;  // a renewal is not broken off: it is short
    std::unique_ptr<PostgresConnection> session_;
    std::string term_;
    std::optional<Row> seen_;
    bool on_this_session_ = false;   // it was seen on the one that we have now
    Steady::time_point seen_since_;  // when it was first seen so: it had been made so before
    Steady::time_point looked_at_;
    std::string told_;                     // who holds it
    std::atomic<Steady::rep> renewed_{0};  // when the last renewal that arrived was begun; 0: we do not hold it
    std::thread thread_;                   // last: it uses all of the above
};

}  // namespace ocim::store
