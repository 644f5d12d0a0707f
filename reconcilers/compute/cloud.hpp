#pragma once

#include "compute/host_key.hpp"
#include "crd/clouds.hpp"
#include "crd/virtualmachines.hpp"
#include "runtime/kinds.hpp"

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

/// Machines in a cloud.
namespace ocim::compute {

/// A machine's name in its cloud: made from the object's uid, so the same object finds its machine again.
using Key = std::string;

/// What a cloud has to make machines of, and how much of it. Of a cloud that tells nothing of the kind: empty.
struct Offers {
    struct Flavor {
        std::string id, name;
        std::int64_t ram_mib = 0, disk_gib = 0, vcpus = 0;
        bool operator==(const Flavor&) const = default;
    };
    struct Image {
        std::string id, name;
        std::map<std::string, std::string> properties;
        std::int64_t ram_mib_min = 0, disk_gib_min = 0;
        bool operator==(const Image&) const = default;
    };
    struct Network {
        std::string id, name;
        bool external = false;
        bool operator==(const Network&) const = default;
    };
    struct Group {
        std::string id, name;
        bool operator==(const Group&) const = default;
    };
    /// What is left of the project's quota; told only after it was in our way.
    struct Quota {
        std::int64_t machines = 0, vcpus = 0, ram_mib = 0;  ///< negative: without limit
        bool operator==(const Quota&) const = default;
    };
    std::vector<Flavor> flavors;
    std::vector<Image> images;
    std::vector<Network> networks;
    std::vector<Group> groups;
    std::vector<std::string> key_pairs;
    std::optional<Quota> quota;
    bool operator==(const Offers&) const = default;
};

/// A machine as the cloud shows it.
struct Machine {
    enum class State {
        building,  ///< made, not yet running
        booting,   ///< runs, its SSH server does not answer yet
        running,
        stopped,
        failed,   ///< should run and does not; `fault` says why
        leaving,  ///< being deleted: it goes by itself
    };
    std::optional<runtime::Mark> mark;
    State state{};
    std::string id;
    std::vector<std::string> addresses;
    std::string key_name;
    std::string ssh_host_key;
    std::string given_host_key;  ///< the one that it was given with its birth, and is to show; empty: none
    std::string reboot_request;  ///< the last one carried out
    std::string fault;
    bool busy = false;       ///< the cloud is at something with it; nothing else is begun until that is over
    bool never_ran = false;  ///< it failed while it was made, so nothing is lost with it
    int attempt = 1;         ///< how many times it was tried to make it
    WallTime since{};        ///< when it became what it is
    WallTime born{};         ///< when it was made
    std::string flavor_id, image_id;
    /// Set when this is no machine but a public address that the cloud has given us for one.
    struct Floating {
        std::string address;
        std::string machine_id;  ///< which machine it leads to; empty: none
        bool operator==(const Floating&) const = default;
    };
    std::optional<Floating> floating;
    /// Set at `offers_key`, which is no machine either.
    std::optional<Offers> offers;
    bool operator==(const Machine&) const = default;
};

/// Where a snapshot has what the cloud offers.
inline constexpr const char* offers_key = "";
/// Null when the cloud tells nothing of the kind.
const Offers* offers_in(const std::map<Key, Machine>& seen);

using Snapshot = std::map<Key, Machine>;

/// What a new machine is made of.
struct MachinePlan {
    std::string key_name, public_key, ssh_user;
    std::int64_t ram_mib = 0;
    std::string reboot_request;
    bool stopped = false;
    struct Network {
        std::string id, fixed_ip;
        bool operator==(const Network&) const = default;
    };
    std::string flavor_id{}, image_id{}, user_data{};
    std::vector<Network> networks{};
    std::vector<std::string> group_ids{};
    int attempt = 1;
    std::optional<HostKey> host_key{};  ///< to be given to it with its user data
    bool operator==(const MachinePlan&) const = default;
};

struct Action {
    enum class Verb {
        create,
        start,
        stop,
        reboot,
        remove,
        mark,
        attach,   ///< gives the machine a public address
        release,  ///< gives a public address back
    };
    Verb verb{};
    Key key;
    runtime::Mark mark{};
    MachinePlan plan{};          ///< of a create
    std::string reboot_request;  ///< of a reboot
    std::string id{};            ///< the machine's, or of a release the address's
    std::string network_id{};    ///< of an attach: the network that the address is of
    bool operator==(const Action&) const = default;
};

using System = runtime::System<Key, Machine, Action>;

/// Machines on this host; docs/local-cloud.md. `name` is the Cloud object's.
/// Error: invalid when this host cannot run any, with the reason.
Result<std::unique_ptr<System>> open_local(const crd::Cloud& cloud, const runtime::Services& services);

/// Machines of a project in an OpenStack cloud; docs/openstack.md.
/// Errors: auth and invalid, when what the Cloud and its Secret say is not enough.
Result<std::unique_ptr<System>> open_openstack(const crd::Cloud& cloud, const runtime::Inputs& inputs,
                                               const runtime::Services& services);

}  // namespace ocim::compute
