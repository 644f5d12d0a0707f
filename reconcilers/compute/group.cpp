#include "compute/group.hpp"

#include "compute/machine.hpp"
#include "compute/openstack.hpp"
#include "runtime/backend_spec.hpp"

#include <arpa/inet.h>
#include <algorithm>
#include <charconv>
#include <set>

namespace ocim::compute {
namespace {

using Verb = GroupAction::Verb;
using Spec = crd::SecurityGroup::Spec;
using runtime::Verdict;

constexpr std::int32_t port_lowest = 1, port_highest = 65535;

std::string protocol_name(const std::string& protocol) {
    static const std::map<std::string, std::string> names{
        {"1", "icmp"}, {"6", "tcp"}, {"17", "udp"}, {"icmpv6", "ipv6-icmp"}, {"132", "sctp"}, {"58", "ipv6-icmp"}};
    const auto found = names.find(protocol);
    return found == names.end() ? protocol : found->second;
}

/// "10.0.0.5/24" -> "10.0.0.0/24", "10.0.0.5" -> "10.0.0.5/32"; "" for everywhere.
Result<std::string> masked(const std::string& text) {
    const Error wrong{ErrorClass::invalid, "\"" + text + "\" is not a network like 192.0.2.0/24"};
    const auto slash = text.find('/');
    const auto address = text.substr(0, slash);
    unsigned char bytes[16]{};
    const bool is_v4 = inet_pton(AF_INET, address.c_str(), bytes) == 1;
    if (!is_v4 && inet_pton(AF_INET6, address.c_str(), bytes) != 1) return wrong;
    const unsigned all = is_v4 ? 32 : 128;
    unsigned bits = all;
    if (slash != std::string::npos) {
        const auto* end = text.data() + text.size();
        const auto read = std::from_chars(text.data() + slash + 1, end, bits);
        if (read.ec != std::errc() || read.ptr != end || bits > all) return wrong;
    }
    if (bits == 0) return std::string();
    for (unsigned bit = bits; bit < all; ++bit)
        bytes[bit / 8] = static_cast<unsigned char>(bytes[bit / 8] & ~(0x80U >> (bit % 8)));
    char out[INET6_ADDRSTRLEN];
    inet_ntop(is_v4 ? AF_INET : AF_INET6, bytes, out, sizeof out);
    return std::string(out) + "/" + std::to_string(bits);
}

runtime::Mark mark_of(const crd::SecurityGroup& object, const std::string& installation) {
    return {installation, object.metadata.key(), object.metadata.uid, false};
}

bool is_of(const Group& group, const runtime::Mark& mark) {
    return group.mark && group.mark->installation == mark.installation && group.mark->uid == mark.uid;
}

/// Where the object's group is: of those with its mark the one in status, else the first; else the one of its name.
GroupKey key_in(const crd::SecurityGroup& object, const runtime::Mark& mark, const GroupSnapshot& seen) {
    const GroupKey* ours = nullptr;
    for (const auto& [key, group] : seen) {
        if (!is_of(group, mark)) continue;
        if (group.id == object.status.id) return key;
        if (!ours) ours = &key;
    }
    return ours ? *ours : object.spec.name;
}

bool is_icmp(const std::string& protocol) { return protocol == "icmp" || protocol == "ipv6-icmp"; }

/// What a new group lets out: everything.
GroupRule everything_out(const char* ether_type) { return {"egress", ether_type, "", {}, {}, "", ""}; }

/// What the object wants, in normal form; else why that cannot be said.
std::variant<std::set<GroupRule>, Verdict> wanted(const crd::SecurityGroup& object, const runtime::Mark& mark,
                                                  const GroupSnapshot& seen) {
    std::set<GroupRule> out;
    const bool about_egress = std::ranges::any_of(
        object.spec.rules, [](const auto& rule) { return rule.direction == Spec::Rule::Direction::egress; });
    if (!about_egress) out = {everything_out("IPv4"), everything_out("IPv6")};
    for (std::size_t i = 0; i < object.spec.rules.size(); ++i) {
        const auto& rule = object.spec.rules[i];
        const auto field = "spec.rules[" + std::to_string(i) + "]";
        GroupRule one;
        one.direction = rule.direction == Spec::Rule::Direction::ingress ? "ingress" : "egress";
        one.ether_type = rule.ether_type == Spec::Rule::EtherType::ipv4 ? "IPv4" : "IPv6";
        one.protocol = rule.protocol.value_or("");
        one.port_min = rule.port_min;
        one.port_max = rule.port_max;
        if (!one.port_max && !is_icmp(protocol_name(one.protocol))) one.port_max = rule.port_min;
        one.remote_cidr = rule.remote_cidr.value_or("");
        const bool itself = rule.remote_group == object.spec.name && !seen.contains(key_in(object, mark, seen));
        if (rule.remote_group && !itself) {  // its own group is made first
            const auto group = std::ranges::find_if(seen, [&](const auto& item) {
                return item.second.id == *rule.remote_group || item.second.name == *rule.remote_group;
            });
            if (group == seen.end())
                return Verdict{Verdict::State::progressing, "RemoteGroupNotFound",
                               field + ".remoteGroup: the cloud has no group \"" + *rule.remote_group + "\" yet"};
            one.remote_group = group->second.id;
        }
        auto read = normal(std::move(one));
        if (!read) return Verdict{Verdict::State::stalled, "Invalid", field + ": " + read.error().message};
        out.insert(*std::move(read));
    }
    return out;
}

/// What makes the group's rules exactly those; nothing when they are.
std::optional<GroupAction> to_sync(const Group& group, const std::set<GroupRule>& rules) {
    GroupAction out;
    std::set<GroupRule> there;
    for (const auto& [id, rule] : group.rules) {
        if (!rules.contains(rule) || !there.insert(rule).second) out.drop.push_back(id);
    }
    std::ranges::set_difference(rules, there, std::back_inserter(out.add));
    if (out.add.empty() && out.drop.empty()) return {};
    out.verb = Verb::sync;
    out.id = group.id;
    return out;
}

/// A cloud without such things; report() says so to whoever wants one.
class NoGroups final : public GroupSystem {
public:
    awaitable<Result<GroupSnapshot>> observe() override { co_return GroupSnapshot(); }
    awaitable<void> act(std::vector<GroupAction>, runtime::Results<GroupKey, Group>&) override { co_return; }
    awaitable<Result<void>> probe() override { co_return Result<void>(); }
};

}  // namespace

Result<GroupRule> normal(GroupRule rule) {
    rule.protocol = protocol_name(rule.protocol);
    if (rule.ether_type == "IPv6" && rule.protocol == "icmp") rule.protocol = "ipv6-icmp";
    if (rule.port_min == port_lowest && rule.port_max == port_highest) {
        rule.port_min.reset();
        rule.port_max.reset();
    }
    if (rule.remote_cidr.empty()) return rule;
    auto cidr = masked(rule.remote_cidr);
    if (!cidr) return std::move(cidr).error();
    rule.remote_cidr = *std::move(cidr);
    return rule;
}

std::string Groups::backend_name(const Object& object) { return object.spec.cloud_ref.name; }

std::vector<runtime::Reference> Groups::needs(const Object& object) {
    return {{crd::Cloud::kind, "", object.spec.cloud_ref.name}};
}

std::vector<runtime::Claim> Groups::claims(const Object& object) {
    return {{"securitygroup/" + object.spec.cloud_ref.name + "/" + object.spec.name, "spec.name"}};
}

std::vector<GroupAction> Groups::diff(const Object& object, const runtime::Inputs& inputs, const GroupSnapshot& seen) {
    const auto cloud = inputs.get<crd::Cloud>("", object.spec.cloud_ref.name);
    const auto mark = mark_of(object, inputs.installation);
    const auto rules = wanted(object, mark, seen);
    if (!cloud || !cloud->spec.openstack || !std::holds_alternative<std::set<GroupRule>>(rules)) return {};
    const auto key = key_in(object, mark, seen);
    const auto found = seen.find(key);
    if (found == seen.end()) return {{Verb::create, key, mark, "", object.spec.name}};
    const bool adopt = object.spec.adoption_policy == Spec::AdoptionPolicy::adopt;
    const bool foreign = runtime::ownership(found->second.mark, mark) == runtime::Ownership::foreign;
    if (foreign && !runtime::takeable(found->second.mark, mark, adopt)) return {};
    std::vector<GroupAction> out;
    for (const auto& [other, group] : seen)  // made by a call whose answer was lost
        if (other != key && is_of(group, mark)) out.push_back({Verb::remove, other, mark, group.id});
    if (found->second.mark != mark) out.push_back({Verb::mark, key, mark, found->second.id, "", {}, {}, foreign});
    if (auto sync = to_sync(found->second, std::get<0>(rules))) {
        sync->key = key;
        sync->mark = mark;
        out.push_back(*std::move(sync));
    }
    return out;
}

std::vector<GroupAction> Groups::remove(const Object& object, const std::string& installation,
                                        const GroupSnapshot& seen) {
    const auto mark = mark_of(object, installation);
    auto retained = mark;
    retained.retained = true;
    std::vector<GroupAction> out;
    for (const auto& [key, group] : seen) {
        if (!is_of(group, mark)) continue;
        if (object.spec.deletion_policy == Spec::DeletionPolicy::delete_)
            out.push_back({Verb::remove, key, mark, group.id});
        else if (group.mark != retained)
            out.push_back({Verb::mark, key, retained, group.id});
    }
    return out;
}

runtime::Report<crd::SecurityGroup> Groups::report(const Object& object, const runtime::Inputs& inputs,
                                                   const GroupSnapshot& seen) {
    runtime::Report<Object> out;
    const auto mark = mark_of(object, inputs.installation);
    const auto found = seen.find(key_in(object, mark, seen));
    if (found != seen.end()) {
        out.status.id = found->second.id;
        out.status.rules = static_cast<std::int32_t>(found->second.rules.size());
    }
    const auto rules = wanted(object, mark, seen);
    const bool adopt = object.spec.adoption_policy == Spec::AdoptionPolicy::adopt;
    const auto cloud = inputs.get<crd::Cloud>("", object.spec.cloud_ref.name);
    if (cloud && !cloud->spec.openstack)
        out.verdict = {
            Verdict::State::stalled, "Unsupported",
            "Cloud " + object.spec.cloud_ref.name + " has no security groups; only one with spec.openstack has"};
    else if (const auto* why = std::get_if<Verdict>(&rules))
        out.verdict = *why;
    else if (found == seen.end())
        out.verdict = {Verdict::State::progressing, "Pending", "the group will be made"};
    else if (runtime::ownership(found->second.mark, mark) == runtime::Ownership::foreign &&
             !runtime::takeable(found->second.mark, mark, adopt))
        out.verdict = {Verdict::State::stalled, "NotOwned",
                       "the cloud has a security group " + found->second.name +
                           " that is not ours; remove it, or let adoptionPolicy: Adopt take it over"};
    else if (to_sync(found->second, std::get<0>(rules)))
        out.verdict = {Verdict::State::progressing, "Updating", "its rules will be made as declared"};
    else
        out.verdict = {Verdict::State::ready, "Synced", "it has exactly its rules"};
    return out;
}

std::vector<runtime::Marked<GroupKey>> Groups::marked(const GroupSnapshot& seen) {
    std::vector<runtime::Marked<GroupKey>> out;
    for (const auto& [key, group] : seen)
        if (group.mark) out.push_back({key, *group.mark, true});
    return out;
}

std::vector<GroupAction> Groups::sweep(const GroupKey& key, const GroupSnapshot& seen) {
    const auto found = seen.find(key);
    if (found == seen.end() || !found->second.mark) return {};
    return {{Verb::remove, key, *found->second.mark, found->second.id}};
}

GroupKey Groups::key(const GroupAction& action) { return action.key; }

std::string Groups::describe(const GroupAction& action) {
    switch (action.verb) {
        case Verb::create: return "create security group " + action.key;
        case Verb::sync:
            return "security group " + action.key + ": add " + std::to_string(action.add.size()) +
                   " rules, then remove " + std::to_string(action.drop.size());
        case Verb::mark:
            return (action.mark.retained ? "mark as retained: security group " : "take over security group ") +
                   action.key;
        case Verb::remove: return "delete security group " + action.key;
    }
    return action.key;
}

std::string_view Groups::verb(const GroupAction& action) {
    switch (action.verb) {
        case Verb::create: return "create";
        case Verb::remove: return "delete";
        case Verb::sync:
        case Verb::mark: return "update";
    }
    return "update";
}

runtime::BackendSettings Groups::settings(const Backend& backend) { return Machines::settings(backend); }

std::vector<runtime::Reference> Groups::backend_needs(const Backend& backend) {
    return Machines::backend_needs(backend);
}

Result<std::unique_ptr<GroupSystem>> Groups::open(const Backend& backend, const runtime::Inputs& inputs,
                                                  const runtime::Services& services) {
    if (!backend.spec.openstack) return std::unique_ptr<GroupSystem>(std::make_unique<NoGroups>());
    auto session = openstack::open_session(backend, inputs, services);
    if (!session) return std::move(session).error();
    return openstack::open_groups(*std::move(session));
}

}  // namespace ocim::compute
