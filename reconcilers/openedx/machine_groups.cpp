#include "openedx/machine_groups.hpp"

#include "openedx/parts.hpp"
#include "openedx/secrets.hpp"

#include <algorithm>
#include <set>

namespace ocim::openedx {
namespace {

constexpr auto system_namespace = "ocim-system";

using Rule = crd::SecurityGroup::Spec::Rule;

Rule ingress(Rule::EtherType type, const char* protocol, std::optional<std::int32_t> port = {}) {
    Rule out;
    out.direction = Rule::Direction::ingress;
    out.ether_type = type;
    out.protocol = protocol;
    out.port_min = port;
    return out;
}

/// What a site needs: SSH for us, the site itself, and ping.
std::vector<Rule> usual_rules() {
    using Type = Rule::EtherType;
    return {ingress(Type::ipv4, "tcp", 22), ingress(Type::ipv4, "tcp", 80), ingress(Type::ipv4, "tcp", 443),
            ingress(Type::ipv4, "icmp"), ingress(Type::ipv6, "ipv6-icmp")};
}

runtime::Child group_child(const crd::InstanceClass& of_class, const std::string& cloud) {
    crd::SecurityGroup out;
    out.metadata.name = group_object_name(of_class.metadata.name, cloud);
    out.metadata.namespace_ = system_namespace;
    out.spec.cloud_ref.name = cloud;
    out.spec.name = group_name(of_class);
    out.spec.rules = usual_rules();
    auto made = child(out);
    auto& spec = made.object.at("spec").as_object();
    if (const auto& declared = of_class.spec.security_group; !declared.rules.empty())
        spec["rules"] = api::encode(declared.rules);
    spec["adoptionPolicy"] = api::encode(of_class.spec.security_group.adoption_policy);
    return made;
}

const api::Condition* ready_of(const crd::SecurityGroup& group) {
    for (const auto& item : group.status.conditions)
        if (item.type == "Ready") return &item;
    return nullptr;
}

bool matches(const crd::InstanceClass& of_class, const crd::Cloud& cloud) {
    const auto& selector = of_class.spec.placement.cloud;
    return !selector || std::ranges::all_of(selector->match_labels, [&](const auto& label) {
        const auto found = cloud.metadata.labels.find(label.first);
        return found != cloud.metadata.labels.end() && found->second == label.second;
    });
}

}  // namespace

std::string group_name(const crd::InstanceClass& of_class) {
    return of_class.spec.security_group.name.value_or("ocim-" + of_class.metadata.name).substr(0, 255);
}

std::string group_object_name(const std::string& class_name, const std::string& cloud) {
    // readable, and no two pairs alike
    return class_name.substr(0, 100) + "-" + cloud.substr(0, 100) + "-" +
           sha256_hex(class_name + "/" + cloud).substr(0, 8);
}

std::vector<runtime::Child> group_children(const crd::InstanceClass& of_class, const runtime::Children& children,
                                           const runtime::Inputs& inputs) {
    std::set<std::string> placed;
    for (const auto* instance : inputs.all(crd::Instance::kind))
        if (api::find(*instance, {"status", "placement"}))
            placed.emplace(api::find_text(*instance, {"status", "placement", "cloud"}));
    std::vector<runtime::Child> out;
    std::set<std::string> known;
    for (const auto& cloud : inputs.all<crd::Cloud>()) {
        const auto& name = cloud.metadata.name;
        known.insert(name);
        const bool chosen = matches(of_class, cloud) && !cloud.metadata.deleting();
        if (cloud.spec.openstack && (chosen || placed.contains(name))) out.push_back(group_child(of_class, name));
    }
    for (const auto& item : children.items()) {
        const auto cloud = std::string(api::find_text(item, {"spec", "cloudRef", "name"}));
        if (placed.contains(cloud) && !known.contains(cloud)) out.push_back(standing(item));
    }
    return out;
}

void add_groups(const crd::Instance& instance, const crd::InstanceClass& of_class, const std::string& cloud,
                const runtime::Inputs& inputs, api::json::object& settings) {
    const auto placed = inputs.get<crd::Cloud>("", cloud);
    if (!placed || !placed->spec.openstack) return;
    std::vector<std::string> names{group_name(of_class)};
    const auto add = [&](const std::vector<std::string>& more) {
        for (const auto& name : more)
            if (std::ranges::find(names, name) == names.end()) names.push_back(name);
    };
    add(of_class.spec.compute.additional_security_groups);
    if (instance.spec.compute) add(instance.spec.compute->additional_security_groups);
    settings["securityGroups"] = api::json::array(names.begin(), names.end());
    settings["securityGroupObject"] = group_object_name(of_class.metadata.name, cloud);
}

std::optional<GroupStanding> group_of(const api::Json& settings, const runtime::Inputs& inputs) {
    const auto name = std::string(api::find_text(settings, {"securityGroupObject"}));
    if (name.empty()) return {};
    GroupStanding out{"SecurityGroup " + std::string(system_namespace) + "/" + name, {}};
    const auto found = inputs.get<crd::SecurityGroup>(system_namespace, name);
    const auto* ready = found ? ready_of(*found) : nullptr;
    if (!ready || ready->status != "True") out.lacking = ready ? ready->message : "is not made yet";
    return out;
}

}  // namespace ocim::openedx
