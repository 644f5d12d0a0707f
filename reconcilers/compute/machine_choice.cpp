#include "compute/machine_choice.hpp"

#include <algorithm>

namespace ocim::compute {
namespace {

using runtime::Verdict;
using Choice = std::variant<MachinePlan, Verdict>;
using Spec = crd::VirtualMachine::Spec;

constexpr std::size_t listed_max = 20;  // candidates in a message

Verdict stalled(std::string reason, std::string message) {
    return {Verdict::State::stalled, std::move(reason), std::move(message)};
}

/// "a, b, c and 4 more"
template <class Range, class Show>
std::string listed(const Range& range, Show show) {
    std::vector<std::string> all;
    for (const auto& one : range) all.push_back(show(one));
    std::ranges::sort(all);
    std::string out;
    for (std::size_t i = 0; i < std::min(all.size(), listed_max); ++i) out += (i == 0 ? "" : ", ") + all[i];
    if (all.size() > listed_max) out += " and " + std::to_string(all.size() - listed_max) + " more";
    return out.empty() ? "none" : out;
}

std::string show(const Offers::Flavor& flavor) {
    return flavor.name + " (ram " + std::to_string(flavor.ram_mib) + ", disk " + std::to_string(flavor.disk_gib) +
           ", vcpus " + std::to_string(flavor.vcpus) + ", id " + flavor.id + ")";
}
template <class Item>
std::string show(const Item& item) {
    return item.name + " (id " + item.id + ")";
}

bool fits(const Spec::Flavor& wanted, const Offers::Flavor& flavor) {
    return (!wanted.id || *wanted.id == flavor.id) && (!wanted.name || *wanted.name == flavor.name) &&
           (!wanted.ram || *wanted.ram == flavor.ram_mib) && (!wanted.disk || *wanted.disk == flavor.disk_gib) &&
           (!wanted.vcpus || *wanted.vcpus == flavor.vcpus);
}

bool fits(const Spec::Image& wanted, const Offers::Image& image) {
    if ((wanted.id && *wanted.id != image.id) || (wanted.name && *wanted.name != image.name)) return false;
    return std::ranges::all_of(wanted.properties, [&](const auto& property) {
        const auto found = image.properties.find(property.first);
        return found != image.properties.end() && found->second == property.second;
    });
}

/// The one item that is wanted; else the reason goes to `why`.
template <class Wanted, class Item>
const Item* only(const Wanted& wanted, const std::vector<Item>& items, const std::string& what,
                 const std::string& field, std::optional<Verdict>& why) {
    std::vector<Item> found;
    const Item* last = nullptr;
    for (const auto& item : items)
        if (fits(wanted, item)) {
            found.push_back(item);
            last = &item;
        }
    if (found.size() == 1) return last;
    const auto name = [](const Item& item) { return show(item); };
    if (found.empty())
        why = stalled(what + "NotFound",
                      "spec." + field + ": nothing at the cloud is like that; it has: " + listed(items, name));
    else
        why = stalled(what + "Ambiguous",
                      "spec." + field + ": several are like that; say which by its id: " + listed(found, name));
    return nullptr;
}

/// By name or ID; of names that several bear none is meant.
template <class Item>
const Item* by_name(const std::string& name, const std::vector<Item>& items, const std::string& what,
                    const std::string& field, std::optional<Verdict>& why) {
    std::vector<Item> found;
    const Item* last = nullptr;
    for (const auto& item : items) {
        if (item.id == name) return &item;
        if (item.name != name) continue;
        found.push_back(item);
        last = &item;
    }
    if (found.size() == 1) return last;
    const auto text = [](const Item& item) { return show(item); };
    if (found.empty())
        why = stalled(what + "NotFound",
                      field + ": the cloud has none of the name \"" + name + "\"; it has: " + listed(items, text));
    else
        why = stalled(what + "Ambiguous",
                      field + ": several have the name \"" + name + "\"; say which by its id: " + listed(found, text));
    return nullptr;
}

std::optional<Verdict> choose_networks(const Spec& spec, const crd::Cloud& cloud, const Offers& offers,
                                       MachinePlan& plan) {
    std::optional<Verdict> why;
    std::vector<Offers::Network> inner;
    std::ranges::copy_if(offers.networks, std::back_inserter(inner), [](const auto& one) { return !one.external; });
    if (!spec.networks.empty()) {
        for (const auto& wanted : spec.networks) {
            const auto* found = by_name(wanted.name, offers.networks, "Network", "spec.networks", why);
            if (!found) return why;
            plan.networks.push_back({found->id, wanted.fixed_ip.value_or("")});
        }
        return {};
    }
    if (const auto& name = cloud.spec.openstack->network) {
        const auto* found = by_name(*name, offers.networks, "Network", "the Cloud's spec.openstack.network", why);
        if (!found) return why;
        plan.networks.push_back({found->id, ""});
        return {};
    }
    const auto text = [](const Offers::Network& one) { return show(one); };
    if (inner.size() != 1)
        return stalled(inner.empty() ? "NetworkNotFound" : "NetworkAmbiguous",
                       "spec.networks and the Cloud's spec.openstack.network are not set; the project has: " +
                           listed(inner, text));
    plan.networks.push_back({inner.front().id, ""});
    return {};
}

/// Every group that is not there is named at once.
std::optional<Verdict> choose_groups(const Spec& spec, const Offers& offers, const std::vector<Offers::Group>& made,
                                     MachinePlan& plan) {
    std::vector<std::string> lacking;
    std::optional<Verdict> why;
    for (const auto& name : spec.security_groups) {
        const auto ours = std::ranges::find(made, name, &Offers::Group::name);
        const auto* group =
            ours != made.end() ? &*ours : by_name(name, offers.groups, "SecurityGroup", "spec.securityGroups", why);
        if (group)
            plan.group_ids.push_back(group->id);
        else if (why->reason == "SecurityGroupNotFound")
            lacking.push_back("\"" + name + "\"");
        else
            return why;
    }
    if (lacking.empty()) return {};
    const auto text = [](const Offers::Group& one) { return show(one); };
    return stalled("SecurityGroupNotFound", "spec.securityGroups: the cloud has none of the name " +
                                                listed(lacking, [](const auto& name) { return name; }) +
                                                "; make it there; it has: " + listed(offers.groups, text));
}

std::optional<Verdict> wait_for_room(const Offers& offers, const Offers::Flavor& flavor) {
    if (!offers.quota) return {};
    const auto& left = *offers.quota;
    const auto full = [](std::int64_t room, std::int64_t needed) { return room >= 0 && room < needed; };
    std::string what;
    if (full(left.machines, 1)) what += "; machines: none left";
    if (full(left.vcpus, flavor.vcpus)) what += "; processors: " + std::to_string(left.vcpus) + " left";
    if (full(left.ram_mib, flavor.ram_mib)) what += "; memory: " + std::to_string(left.ram_mib) + " MiB left";
    if (what.empty()) return {};
    return Verdict{Verdict::State::progressing, "QuotaExceeded",
                   "the project's quota has no room for it" + what +
                       ". It is made as soon as there is: delete machines, or have the quota raised"};
}

Choice choose_openstack(const crd::VirtualMachine& object, const crd::Cloud& cloud, const Offers& offers, int attempt,
                        const std::vector<Offers::Group>& made) {
    const auto& spec = object.spec;
    MachinePlan plan;
    plan.key_name = spec.key_name;
    plan.ssh_user = spec.ssh_user;
    plan.reboot_request = spec.reboot_request.value_or("");
    plan.attempt = attempt;
    plan.user_data = spec.user_data.value_or("");
    if (!spec.flavor) return stalled("FlavorNotFound", "spec.flavor: the machines of an OpenStack cloud need one");
    if (!spec.image) return stalled("ImageNotFound", "spec.image: the machines of an OpenStack cloud need one");
    std::optional<Verdict> why;
    const auto* flavor = only(*spec.flavor, offers.flavors, "Flavor", "flavor", why);
    if (!flavor) return *why;
    const auto* image = only(*spec.image, offers.images, "Image", "image", why);
    if (!image) return *why;
    if (image->ram_mib_min > flavor->ram_mib || (flavor->disk_gib > 0 && image->disk_gib_min > flavor->disk_gib))
        return stalled("FlavorTooSmall",
                       "spec.flavor: the image " + show(*image) + " needs ram " + std::to_string(image->ram_mib_min) +
                           " and disk " + std::to_string(image->disk_gib_min) + ", and it has less: " + show(*flavor));
    plan.flavor_id = flavor->id;
    plan.image_id = image->id;
    plan.ram_mib = flavor->ram_mib;
    if (std::ranges::find(offers.key_pairs, spec.key_name) == offers.key_pairs.end())
        return stalled("KeyPairNotFound", "spec.keyName: the cloud has no key pair \"" + spec.key_name +
                                              "\" of our user; it has: " +
                                              listed(offers.key_pairs, [](const auto& name) { return name; }));
    if (auto wrong = choose_networks(spec, cloud, offers, plan)) return *std::move(wrong);
    if (auto lacking = choose_groups(spec, offers, made, plan)) return *std::move(lacking);
    if (auto full = wait_for_room(offers, *flavor)) return *std::move(full);
    return plan;
}

Choice choose_local(const crd::VirtualMachine& object, const crd::Cloud& cloud) {
    const auto& spec = object.spec;
    const auto& pairs = cloud.spec.local->key_pairs;
    const auto pair = std::ranges::find(pairs, spec.key_name, [](const auto& one) { return one.name; });
    if (pair == pairs.end())
        return stalled("KeyPairNotFound", "spec.keyName: cloud " + spec.cloud_ref.name + " has no key pair \"" +
                                              spec.key_name +
                                              "\"; it has: " + listed(pairs, [](const auto& one) { return one.name; }));
    const std::int64_t ram = spec.flavor ? spec.flavor->ram.value_or(0) : 0;
    return MachinePlan{spec.key_name,
                       pair->public_key,
                       spec.ssh_user,
                       ram,
                       spec.reboot_request.value_or(""),
                       spec.power_state == Spec::PowerState::stopped};
}

}  // namespace

const Offers* offers_in(const Snapshot& seen) {
    const auto found = seen.find(offers_key);
    return found == seen.end() || !found->second.offers ? nullptr : &*found->second.offers;
}

Choice choose(const crd::VirtualMachine& object, const crd::Cloud& cloud, const Snapshot& seen, int attempt,
              const std::vector<Offers::Group>& made) {
    if (cloud.spec.local) return choose_local(object, cloud);
    const auto* offers = offers_in(seen);
    if (cloud.spec.openstack && offers) return choose_openstack(object, cloud, *offers, attempt, made);
    return Verdict{Verdict::State::progressing, "Pending", "what the cloud offers is not known yet"};
}

const Offers::Network* floating_network(const crd::Cloud& cloud, const Snapshot& seen) {
    const auto* offers = offers_in(seen);
    if (!offers || !cloud.spec.openstack || !cloud.spec.openstack->floating_network) return nullptr;
    std::optional<Verdict> why;
    const auto& name = *cloud.spec.openstack->floating_network;
    return by_name(name, offers->networks, "Network", "the Cloud's spec.openstack.floatingNetwork", why);
}

}  // namespace ocim::compute
