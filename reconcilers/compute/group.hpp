#pragma once

#include "crd/clouds.hpp"
#include "crd/securitygroups.hpp"
#include "runtime/kinds.hpp"

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

/// Security groups of a cloud.
namespace ocim::compute {

/// One rule in the one form that two equal rules share: see normal().
struct GroupRule {
    std::string direction, ether_type, protocol;  ///< "ingress"; "IPv4"; "" is every protocol
    std::optional<std::int32_t> port_min, port_max;
    std::string remote_cidr, remote_group;  ///< "" is everywhere; the group's ID
    auto operator<=>(const GroupRule&) const = default;
};
/// Protocols by name where they have one, the full range of ports as none, networks with their host bits cleared, and
/// "everywhere" as nothing. Error: invalid when a network cannot be read.
Result<GroupRule> normal(GroupRule rule);

/// A group as the cloud shows it. Each rule's ID is what takes it away.
struct Group {
    std::optional<runtime::Mark> mark;
    std::string id, name;
    std::map<std::string, GroupRule> rules;  ///< by ID
    bool operator==(const Group&) const = default;
};

using GroupKey = std::string;  ///< its name; "name/id" for a further one of that name
using GroupSnapshot = std::map<GroupKey, Group>;

struct GroupAction {
    enum class Verb { create, sync, mark, remove };
    Verb verb{};
    GroupKey key;
    runtime::Mark mark{};
    std::string id{};
    std::string name{};               ///< of a create
    std::vector<GroupRule> add{};     ///< of a sync: first these,
    std::vector<std::string> drop{};  ///< then, by ID, these away: nothing that stays let through is cut in between
    bool adopt = false;
    bool operator==(const GroupAction&) const = default;
};

using GroupSystem = runtime::System<GroupKey, Group, GroupAction>;

/// SecurityGroup, decided. Pure: no I/O, no clock, no throw.
struct Groups {
    using Backend = crd::Cloud;
    using Object = crd::SecurityGroup;
    using Key = GroupKey;
    using Thing = Group;
    using Action = GroupAction;
    static constexpr std::string_view name = "securitygroup";

    static std::string backend_name(const Object& object);
    static std::vector<runtime::Reference> needs(const Object& object);
    static std::vector<runtime::Claim> claims(const Object& object);
    static std::vector<Action> diff(const Object& object, const runtime::Inputs& inputs, const GroupSnapshot& seen);
    static std::vector<Action> remove(const Object& object, const std::string& installation, const GroupSnapshot& seen);
    static runtime::Report<Object> report(const Object& object, const runtime::Inputs& inputs,
                                          const GroupSnapshot& seen);
    static std::vector<runtime::Marked<Key>> marked(const GroupSnapshot& seen);
    static std::vector<Action> sweep(const Key& key, const GroupSnapshot& seen);
    static Key key(const Action& action);
    static std::string describe(const Action& action);
    static std::string_view verb(const Action& action);
    static runtime::BackendSettings settings(const Backend& backend);
    static std::vector<runtime::Reference> backend_needs(const Backend& backend);
    static Result<std::unique_ptr<GroupSystem>> open(const Backend& backend, const runtime::Inputs& inputs,
                                                     const runtime::Services& services);
};

}  // namespace ocim::compute
