#include "openedx/appserver_end.hpp"

#include "crd/dnsrecords.hpp"
#include "crd/instances.hpp"
#include "crd/loadbalancerfragments.hpp"
#include "openedx/parts.hpp"
#include "openedx/rollout.hpp"
#include "openedx/site.hpp"

#include <algorithm>

namespace ocim::openedx {
namespace {

using runtime::Children;
using runtime::Composition;
using runtime::Inputs;
using runtime::Verdict;
using Object = crd::AppServer;
using Phase = Object::Status::Phase;

/// A record that leads, or was seen to lead, to an address of the machine. The next machine may get that address.
std::optional<std::string> leading_record(const Object& object, const Inputs& inputs) {
    const auto ours = [&](const std::string& address) {
        return std::ranges::find(object.status.addresses, address) != object.status.addresses.end();
    };
    for (const auto& record : inputs.all<crd::DNSRecord>())
        if (record.metadata.name.starts_with(object.spec.instance_name + "-vm"))
            if (std::ranges::any_of(record.spec.values, ours) || std::ranges::any_of(record.status.served, ours))
                return record.metadata.name;
    return std::nullopt;
}

/// Until when those who were connected to it are given, where the site goes on without it.
std::optional<WallTime> drained_at(const Object& object, const Object::Status& status, const Inputs& inputs) {
    const auto instance = inputs.get<crd::Instance>(object.metadata.namespace_, object.spec.instance_name);
    if (!instance || instance->metadata.deleting() || instance->spec.archived) return std::nullopt;
    auto now_left = object;
    now_left.status = status;
    const auto until = drains_until(now_left, drain_time(*instance), inputs.now);
    return until && inputs.now < *until ? until : std::nullopt;
}

}  // namespace

void note_left(Object::Status& status, WallTime now) {
    if (!status.activated_at) return;
    status.deactivated_at = rfc3339(now);
    status.activated_at.reset();
}

Composition<Object> compose_end(const Object& object, const Children& children, const Inputs& inputs) {
    Composition<Object> out;
    out.status = object.status;
    out.status.phase = Phase::terminating;
    const auto fragment = inputs.get<crd::LoadBalancerFragment>(object.metadata.namespace_,
                                                                ObjectNames(object.spec.instance_name).fragment);
    const auto& name = object.metadata.name;
    const bool visited =
        fragment &&
        (std::ranges::find(fragment->status.active_servers, name) != fragment->status.active_servers.end() ||
         std::ranges::any_of(fragment->status.servers, [&](const auto& item) { return item.name == name; }));
    const auto record = leading_record(object, inputs);
    if (!visited) note_left(out.status, inputs.now);
    const auto drained = drained_at(object, out.status, inputs);
    if (visited || record || drained)
        for (const auto& item : children.items()) out.children.push_back(standing(item));
    if (drained) out.look_again = std::chrono::duration_cast<Duration>(*drained - inputs.now);
    out.verdict = {Verdict::State::progressing, "Terminating",
                   visited   ? "waiting for LoadBalancerFragment " + fragment->metadata.name + " to send nobody here"
                   : record  ? "waiting for DNSRecord " + *record + " to lead elsewhere"
                   : drained ? "those who are connected have until " + rfc3339(*drained)
                             : "the machine is being deleted"};
    return out;
}

}  // namespace ocim::openedx
