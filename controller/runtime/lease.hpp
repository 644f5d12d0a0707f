#pragma once

#include "base/clock.hpp"
#include "client/client.hpp"

#include <atomic>
#include <functional>
#include <map>
#include <optional>
#include <string>

namespace ocim::runtime {

/// Who of several processes leads: the holder of a Lease object of Kubernetes. The times are client-go's.
///
/// It runs on a loop of its own, with a client of its own, so that no work delays it. Whoever leads asks may_act()
/// before each write; it says no once the last renewal that is known to have arrived is renew_deadline old, which is
/// before anybody else may take the lease.
class Lease {
public:
    struct Settings {
        std::string namespace_ = "ocim-system", name = "ocim-controller";
        std::string identity;       ///< of this process: no other has it
        Duration duration{15'000};  ///< others may take it when nobody renewed it for so long
        Duration renew_deadline{10'000};
        Duration retry{2'000};
        /// Told each time that the end of our right to act moves, on the lease's loop: Instant::max() once it was given
        /// up and nothing is to end any more.
        std::function<void(Instant end)> held{};
        /// What the others should know of us while we hold it: annotations whose names begin with told_prefix. Asked at
        /// each write, on the lease's loop.
        std::function<std::map<std::string, std::string>()> tells{};
    };
    static constexpr std::string_view told_prefix = "ocim.opencraft.com/leader-";
    /// All must outlive it. `client` and `clock` are those of the lease's own loop; the clock's now() is asked on any
    /// thread.
    Lease(client::Client& client, Clock& clock, Settings settings)
        : client_(client), clock_(clock), settings_(std::move(settings)) {}

    /// Returns once we hold it. `told`: called with each new holder's name, which may be ours.
    awaitable<void> acquire(std::function<void(const std::string& holder)> told);
    /// Renews it, and returns why when it is lost: taken by another, or not renewed in time.
    awaitable<std::string> keep();
    /// Gives it up, so that another need not wait for its end. Best effort: what fails ends by itself.
    awaitable<void> release();
    /// On any thread.
    bool may_act() const;

private:
    /// One look and, if we may, one write. True: we hold it from now on.
    awaitable<Result<bool>> try_once();
    awaitable<Result<bool>> make_home();
    Instant deadline() const;
    void tell(api::json::object& metadata) const;
    api::Json record(const api::Json* found) const;
    bool free_to_take(const api::Json& found);

    client::Client& client_;
    Clock& clock_;
    Settings settings_;
    std::string seen_version_, holder_;
    Instant seen_since_{};                  ///< when we first saw that version: the holder's clock is not asked
    std::atomic<Instant::rep> renewed_{0};  ///< when the last renewal that arrived was begun; 0: we do not hold it
};

}  // namespace ocim::runtime
