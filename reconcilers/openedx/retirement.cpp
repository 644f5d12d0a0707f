#include "openedx/retirement.hpp"

#include "crd/databasetenants.hpp"
#include "crd/dnsrecords.hpp"
#include "crd/loadbalancerfragments.hpp"
#include "crd/monitors.hpp"
#include "crd/rabbitmqvhosts.hpp"
#include "crd/storagecontainers.hpp"
#include "openedx/parts.hpp"
#include "openedx/site.hpp"

#include <algorithm>

namespace ocim::openedx {
namespace {

using api::Json;
using runtime::Verdict;

constexpr Duration settle_delay{1000};

bool is_kind(const Json& object, const api::Kind& kind) { return api::find_text(object, {"kind"}) == kind.name; }

bool leads_here(const Json& object) {
    return is_kind(object, crd::LoadBalancerFragment::kind) || is_kind(object, crd::DNSRecord::kind) ||
           is_kind(object, crd::Monitor::kind);
}

bool is_owned(const Json& object) {
    const auto* owners = api::find(object, {"metadata", "ownerReferences"});
    return owners && owners->is_array() && !owners->get_array().empty();
}

bool bears_data(const Json& object) {
    return is_kind(object, crd::StorageContainer::kind) || is_kind(object, crd::DatabaseTenant::kind) ||
           is_kind(object, crd::RabbitMQVhost::kind);
}

/// A child as it is, but kept or not as the Instance says now: the policy may have changed a moment before deletion.
/// Nothing when that is so already.
std::optional<runtime::Child> with_policy(const crd::Instance& instance, const runtime::Children& children,
                                          const Json& item) {
    const bool deletes = deletes_data(instance);
    if (bears_data(item)) {
        const auto* wanted = deletes ? "Delete" : "Retain";
        if (api::find_text(item, {"spec", "deletionPolicy"}) == wanted) return std::nullopt;
        auto out = standing(item);
        out.create_only = false;
        auto& spec = out.object.as_object()["spec"];
        spec = item.at("spec");
        spec.as_object()["deletionPolicy"] = wanted;
        if (is_kind(item, crd::StorageContainer::kind)) spec.as_object()["emptyOnDelete"] = deletes;
        return out;
    }
    const ObjectNames names(instance.metadata.name);
    const auto name = api::find_text(item, {"metadata", "name"});
    if (!is_kind(item, api::secret_kind) ||
        (name != names.secrets && name != names.mysql && name != names.mongodb && name != names.tutor))
        return std::nullopt;
    if (is_owned(item) == deletes || (deletes && is_of_former_life(instance, children, item))) return std::nullopt;
    auto out = standing(item);
    out.retain = !deletes;
    return out;
}

}  // namespace

bool is_of_former_life(const crd::Instance& instance, const runtime::Children& children, const Json& secret) {
    if (is_owned(secret)) return false;
    return std::ranges::none_of(children.items(), bears_data) &&
           api::find_text(secret, {"metadata", "creationTimestamp"}) < instance.metadata.creation_timestamp;
}

void leave_former_life(const crd::Instance& instance, const runtime::Children& children,
                       std::vector<runtime::Child>& wanted) {
    for (auto& child : wanted) {
        if (child.retain || !is_kind(child.object, api::secret_kind)) continue;
        const auto* secret =
            children.find(api::secret_kind, std::string(api::find_text(child.object, {"metadata", "name"})));
        child.retain = secret && is_of_former_life(instance, children, *secret);
    }
}

Remains remains_of(const runtime::Children& children, const runtime::Inputs& inputs) {
    Remains out;
    out.visited = std::ranges::any_of(children.items(), leads_here);
    for (const auto& item : children.items()) {
        if (!is_kind(item, crd::AppServer::kind)) continue;
        out.served = true;
        if (out.visited) out.standing.push_back(standing(item));
    }
    for (const auto& appserver : inputs.all<crd::AppServer>()) {
        if (!appserver.metadata.owner_references.empty()) continue;
        const auto* item = inputs.find(crd::AppServer::kind, appserver.metadata.namespace_, appserver.metadata.name);
        out.served = out.unsettled = true;
        out.standing.push_back(adopted(*item));
    }
    return out;
}

runtime::Composition<crd::Instance> compose_deletion(const crd::Instance& instance, const runtime::Children& children,
                                                     const runtime::Inputs& inputs) {
    runtime::Composition<crd::Instance> out;
    out.status = instance.status;
    auto remains = remains_of(children, inputs);
    out.children = std::move(remains.standing);
    for (const auto& item : children.items()) {
        if (leads_here(item) || is_kind(item, crd::AppServer::kind)) continue;
        if (auto changed = with_policy(instance, children, item)) {
            out.children.push_back(*std::move(changed));
            remains.unsettled = true;
        } else if (remains.visited || remains.served) {
            out.children.push_back(standing(item));
        }
    }
    if (remains.unsettled) out.look_again = settle_delay;
    out.verdict = {Verdict::State::progressing, "Deleting",
                   remains.visited  ? "waiting for names, load balancer and monitors to go"
                   : remains.served ? "waiting for AppServers to go"
                                    : "waiting for databases, broker and files"};
    return out;
}

}  // namespace ocim::openedx
