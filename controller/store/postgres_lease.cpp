#include "store/postgres_lease.hpp"

#include "store/postgres_words.hpp"

#include <poll.h>
#include <algorithm>
#include <utility>

namespace ocim::store {

namespace {

constexpr auto call_limit = std::chrono::milliseconds(1'000);
constexpr auto unseen_max = 2 * call_limit;  // or the lease's duration, whichever is longer
/// The last column is the same in two sessions only if it is the very same version of the row: of a table that nobody
/// made anew, in a server that was not started since, so in a database that has not gone back in time.
constexpr const char* look =
    "SELECT holder, term::text, renewals::text, concat_ws(' ', extract(epoch FROM pg_postmaster_start_time()), "
    "(SELECT oid FROM pg_database WHERE datname = current_database()), tableoid, xmin) FROM ocim_lease "
    "WHERE name = $1::text";
constexpr auto retry_interval = std::chrono::milliseconds(100);  // after a renewal that failed

prometheus::Counter& renewals(Metrics& metrics, const char* result) {
    return metrics.counter("ocim_store_lease_calls_total", "Calls to the database that take or renew the lease",
                           {{"result", result}});
}

}  // namespace

PostgresLease::PostgresLease(Metrics& metrics, Settings settings, Listeners listeners)
    : settings_(std::move(settings)),
      listeners_(std::move(listeners)),
      renewed_ok_(renewals(metrics, "ok")),
      renewed_badly_(renewals(metrics, "error")),
      thread_([this] { live(); }) {}

PostgresLease::~PostgresLease() { release(); }

bool PostgresLease::may_act() const { return renewed_.load() != 0 && Steady::now() < end(); }

PostgresConnection::Deadline PostgresLease::end() const {
    return Steady::time_point(Steady::duration(renewed_.load())) + settings_.renew_deadline;
}

void PostgresLease::hold_from(Steady::time_point begun) {
    renewed_ = begun.time_since_epoch().count();
    if (listeners_.held) listeners_.held(end());
}

void PostgresLease::release() {
    if (!thread_.joinable()) return;
    stop_.raise();
    thread_.join();
    if (renewed_.exchange(0) == 0) return;
    if (listeners_.held) listeners_.held(Steady::time_point::max());
    (void)ask({"UPDATE ocim_lease SET holder = '' WHERE name = $1::text AND term = $2::bigint AND holder = $3::text",
               {{settings_.name, false}, {term_, false}, {settings_.holder, false}},
               false},
              call_limit);
}

void PostgresLease::live() {
    if (!acquire()) return;
    listeners_.leads();
    const auto why = keep();
    if (!why.empty()) listeners_.lost(why);
}

bool PostgresLease::acquire() {
    while (!stop_.raised()) {
        const auto begun = Steady::now();
        const auto taken = try_to_take();
        if (taken && *taken) {
            hold_from(begun);
            return true;
        }
        pause(settings_.look_interval);
    }
    return false;
}

Result<bool> PostgresLease::try_to_take() {
    auto rows = ask({look, {{settings_.name, false}}, false}, call_limit);
    if (!rows) return std::move(rows).error();
    Row row;
    if (!rows->empty()) {
        auto& cells = rows->front();
        row = {std::move(cells[0]), std::move(cells[1]), std::move(cells[2]), std::move(cells[3])};
    }
    if (!row.holder.empty() && std::exchange(told_, row.holder) != row.holder) listeners_.told(row.holder);
    if (!is_to_be_had(row)) return false;
    return take(row);
}

bool PostgresLease::is_to_be_had(const Row& row) {
    const auto now = Steady::now();
    // who did not look for so long may have missed more than a renewal
    if (now - looked_at_ > std::max<Steady::duration>(settings_.duration, unseen_max)) seen_.reset();
    looked_at_ = now;
    const bool known_here = std::exchange(on_this_session_, true);
    if (seen_ == row) return now - seen_since_ >= settings_.duration;
    const bool given_up =
        seen_ && known_here && row.holder.empty() && !seen_->holder.empty() && seen_->term == row.term;
    seen_ = row;
    seen_since_ = now;
    return given_up || (settings_.of_new_store && row.term.empty());
}

/// Nobody else did, and whoever has it has not renewed it since. `row`: as it was seen.
Result<bool> PostgresLease::take(const Row& row) {
    // the term says whose turn it is even if one name comes back
    auto taken = row.term.empty()
                     ? ask({"INSERT INTO ocim_lease (name, holder, term, renewals) VALUES ($1::text, $2::text, 1, 0) "
                            "ON CONFLICT DO NOTHING RETURNING term::text",
                            {{settings_.name, false}, {settings_.holder, false}},
                            false},
                           call_limit)
                     : ask({"UPDATE ocim_lease SET holder = $2::text, term = term + 1, renewals = 0 WHERE name = "
                            "$1::text AND holder = $3::text AND term = $4::bigint AND renewals = $5::bigint "
                            "RETURNING term::text",
                            {{settings_.name, false},
                             {settings_.holder, false},
                             {row.holder, false},
                             {row.term, false},
                             {row.renewals, false}},
                            false},
                           call_limit);
    if (!taken) return std::move(taken).error();
    if (taken->empty()) return false;
    term_ = taken->front().front();
    return true;
}

/// Why it is lost; "" when it is to end.
std::string PostgresLease::keep() {
    for (std::string trouble;;) {
        pause(trouble.empty() ? settings_.renew_interval : retry_interval);
        if (stop_.raised()) return "";
        const auto begun = Steady::now();
        const auto renewed = renew();
        if (renewed && !*renewed) {
            renewed_ = 0;
            return "another process leads";
        }
        if (renewed) {
            hold_from(begun);
            trouble.clear();
            continue;
        }
        trouble = renewed.error().message;
        if (may_act()) continue;
        renewed_ = 0;
        return "it could not be renewed in time: " + trouble;
    }
}

Result<bool> PostgresLease::renew() {
    const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(end() - Steady::now());
    // the holder too: in a database that went back in time the same term may come again
    auto rows = ask({"UPDATE ocim_lease SET renewals = renewals + 1 WHERE name = $1::text AND term = $2::bigint AND "
                     "holder = $3::text RETURNING term::text",
                     {{settings_.name, false}, {term_, false}, {settings_.holder, false}},
                     false},
                    std::clamp(left, std::chrono::milliseconds(1), call_limit));
    if (!rows) return std::move(rows).error();
    return !rows->empty();
}

Result<void> PostgresLease::connect(PostgresConnection::Deadline deadline) {
    if (seen_ && seen_->version.empty()) seen_.reset();  // that there is none may be another database's word
    on_this_session_ = false;
    auto opened = PostgresConnection::open(settings_.database, never_, deadline);
    if (!opened) return std::move(opened).error();
    if (auto shown = show_presence(**opened, deadline); !shown) return shown;
    session_ = *std::move(opened);
    return {};
}

Result<Rows> PostgresLease::ask(Statement statement, std::chrono::milliseconds limit) {
    const auto deadline = Steady::now() + limit;
    if (!session_) {
        if (auto connected = connect(deadline); !connected) {
            renewed_badly_.Increment();
            return std::move(connected).error();
        }
    }
    auto rows = session_->ask(std::move(statement), deadline);
    (rows ? renewed_ok_ : renewed_badly_).Increment();
    if (!rows) session_.reset();
    return rows;
}

void PostgresLease::pause(std::chrono::milliseconds time) const {
    pollfd waiting{stop_.descriptor(), POLLIN, 0};
    (void)::poll(&waiting, 1, static_cast<int>(time.count()));
}

}  // namespace ocim::store
