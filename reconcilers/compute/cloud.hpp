#pragma once

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

/// A machine as the cloud shows it.
struct Machine {
    enum class State {
        building,  ///< made, not yet running
        booting,   ///< runs, its SSH server does not answer yet
        running,
        stopped,
        failed,  ///< should run and does not; `fault` says why
    };
    std::optional<runtime::Mark> mark;
    State state{};
    std::string id;
    std::vector<std::string> addresses;
    std::string key_name;
    std::string ssh_host_key;
    std::string reboot_request;  ///< the last one carried out
    std::string fault;
    bool operator==(const Machine&) const = default;
};

using Snapshot = std::map<Key, Machine>;

/// What a new machine is made of.
struct MachinePlan {
    std::string key_name, public_key, ssh_user;
    std::int64_t ram_mib = 0;
    std::string reboot_request;
    bool stopped = false;
    bool operator==(const MachinePlan&) const = default;
};

struct Action {
    enum class Verb { create, start, stop, reboot, remove, mark };
    Verb verb{};
    Key key;
    runtime::Mark mark{};
    MachinePlan plan{};          ///< of a create
    std::string reboot_request;  ///< of a reboot
    bool operator==(const Action&) const = default;
};

using System = runtime::System<Key, Machine, Action>;

/// Machines on this host; docs/local-cloud.md. `name` is the Cloud object's.
/// Error: invalid when this host cannot run any, with the reason.
Result<std::unique_ptr<System>> open_local(const crd::Cloud& cloud, const runtime::Services& services);

}  // namespace ocim::compute
