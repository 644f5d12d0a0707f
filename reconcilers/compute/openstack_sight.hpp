#pragma once

#include "compute/openstack.hpp"
#include "compute/openstack_read.hpp"
#include "compute/openstack_session.hpp"

#include <map>
#include <optional>
#include <string>
#include <vector>

namespace ocim::compute::openstack {

/// Nova's path of a server.
std::string server_path(const std::string& id);

/// How a lookup of one thing ended: an error that is not "it is gone" stays an error.
Result<std::optional<api::Json>> or_absent(Result<Reply> reply);

/// What is known of a project's machines: the whole of it once every drift interval, in between what has changed since.
/// Lives on the loop thread.
class Sight {
public:
    /// All must outlive it.
    Sight(Session& session, const runtime::Services& services, const ProjectSettings& settings)
        : session_(session), clock_(services.clock), blocking_(services.blocking), settings_(settings) {}

    /// Errors: those of the session; transient, when Nova does not know all of its servers.
    awaitable<Result<Snapshot>> look();

    /// A server with what its SSH server answered.
    Machine seen_as(const Server& server) const;

    // --- what whoever acts knows before a look tells

    /// It was just made: Nova's lists of what has changed do not tell of it before a host has it.
    void remember(Server server);
    /// It is gone: one that no host ever had is in no list of changes.
    void forget(const std::string& id);
    /// What its SSH server answered counts no more.
    void restarts(const std::string& id);
    /// The next look is at everything: of something nobody knows what came of it.
    void sweep_next() { sweep_at_.reset(); }
    /// From now on looks tell what is left of the quota.
    void quota_is_in_the_way() { quota_in_the_way_ = true; }

private:
    awaitable<Result<void>> look_at_servers();
    awaitable<Result<bool>> is_gone(std::string id);
    awaitable<Result<void>> look_at_addresses();
    awaitable<Result<void>> look_at_offers();
    awaitable<Result<Offers>> read_offers();
    awaitable<Result<std::vector<Offers::Group>>> read_groups();
    awaitable<Result<void>> greet();
    std::string address_of(const Server& server) const;
    Snapshot snapshot() const;

    Session& session_;
    Clock& clock_;
    BlockingPool& blocking_;
    const ProjectSettings settings_;

    std::map<std::string, Server> servers_;                   // by ID, as of the last look
    std::map<std::string, std::optional<Server>> meanwhile_;  // remembered and forgotten since a look began
    std::map<Key, Machine> addresses_;
    std::optional<Offers> offers_;
    std::map<std::string, std::string> answers_;  // server -> the key its SSH server showed
    std::optional<Instant> sweep_at_;             // when the whole project is read anew; nothing: now
    std::optional<WallTime> changes_from_;        // by Nova's clock
    int sweeps_ = 0, offers_from_ = 0, groups_from_ = 0;
    bool quota_in_the_way_ = false;
};

}  // namespace ocim::compute::openstack
