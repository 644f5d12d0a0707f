#include "openedx/placement.hpp"

#include "crd/clouds.hpp"
#include "crd/databaseservers.hpp"
#include "crd/dnszones.hpp"
#include "crd/loadbalancers.hpp"
#include "crd/monitoringservices.hpp"
#include "crd/objectstores.hpp"
#include "crd/rabbitmqservers.hpp"

#include <algorithm>
#include <tuple>

namespace ocim::openedx {
namespace {

using Labels = std::map<std::string, std::string>;

bool admits(const Labels& selector, const api::Metadata& metadata) {
    return std::ranges::all_of(selector, [&](const auto& wanted) {
        const auto found = metadata.labels.find(wanted.first);
        return found != metadata.labels.end() && found->second == wanted.second;
    });
}

/// Whether Open edX can live there.
template <class Backend>
bool fits(const Backend&) {
    return true;
}
bool fits(const crd::DatabaseServer& server) { return server.spec.mysql.has_value(); }

template <class Backend>
bool open_to(const Backend& backend, const std::string& namespace_) {
    if (!fits(backend)) return false;
    if (!backend.spec.accepts_new_tenants || backend.metadata.deleting()) return false;
    const auto& allowed = backend.spec.allowed_namespaces;
    return allowed.empty() || std::ranges::find(allowed, namespace_) != allowed.end();
}

template <class Selector>
Labels labels_of(const std::optional<Selector>& selector) {
    return selector ? selector->match_labels : Labels{};
}

std::string text_of(const Labels& selector) {
    std::string out;
    for (const auto& [key, value] : selector) out += (out.empty() ? "" : ",") + key + "=" + value;
    return out.empty() ? "any labels" : out;
}

template <class Backend>
const api::Condition* ready_of(const Backend& backend) {
    for (const auto& item : backend.status.conditions)
        if (item.type == "Ready") return &item;
    return nullptr;
}

/// Candidates that are not Ready, in words. Choosing one would be for good, and the site would never come up.
template <class Backend>
Error not_ready(const std::vector<const Backend*>& candidates) {
    std::string out = "waiting for a backend that is Ready to be placed on:";
    for (const auto* backend : candidates) {
        const auto* ready = ready_of(*backend);
        out += " " + std::string(Backend::kind.name) + " " + backend->metadata.name + ": " +
               (ready ? ready->reason + ", " + ready->message : "has not reported yet") + ";";
    }
    out.pop_back();
    return Error{ErrorClass::unreachable, std::move(out)};
}

/// The least loaded of those that are Ready, or why there is none.
template <class Backend>
Result<std::string> least_loaded(const std::vector<const Backend*>& candidates) {
    const Backend* best = nullptr;
    const auto load = [](const Backend& backend) {
        return std::tuple(std::int64_t{backend.status.objects.value_or(0)}, backend.metadata.name);
    };
    for (const auto* backend : candidates) {
        const auto* ready = ready_of(*backend);
        if (ready && ready->status == "True" && (!best || load(*backend) < load(*best))) best = backend;
    }
    if (best) return best->metadata.name;
    return not_ready(candidates);
}

template <class Backend>
Result<std::string> choose(const std::string& namespace_, const Labels& selector, const runtime::Inputs& inputs) {
    const auto all = inputs.all<Backend>();
    std::vector<const Backend*> candidates;
    for (const auto& backend : all)
        if (admits(selector, backend.metadata) && open_to(backend, namespace_)) candidates.push_back(&backend);
    if (!candidates.empty()) return least_loaded(candidates);
    return Error{ErrorClass::invalid, "no " + std::string(Backend::kind.name) + " with " + text_of(selector) +
                                          " accepts new tenants of namespace " + namespace_ + " (of " +
                                          std::to_string(all.size()) +
                                          " there are); make one, or change spec.placement "
                                          "of the InstanceClass"};
}

/// The zone with the longest domain that `name` lies in; of several for one domain the least loaded.
Result<std::string> choose_zone(const std::string& name, const std::string& namespace_, const runtime::Inputs& inputs) {
    const auto all = inputs.all<crd::DNSZone>();
    std::vector<const crd::DNSZone*> candidates;
    for (const auto& zone : all) {
        const auto& domain = zone.spec.domain;
        const bool inside = name == domain || name.ends_with("." + domain);
        if (!inside || !open_to(zone, namespace_)) continue;
        if (!candidates.empty() && domain.size() < candidates.front()->spec.domain.size()) continue;
        if (!candidates.empty() && domain.size() > candidates.front()->spec.domain.size()) candidates.clear();
        candidates.push_back(&zone);
    }
    if (!candidates.empty()) return least_loaded(candidates);
    return Error{ErrorClass::invalid, "no DNSZone that accepts new tenants of namespace " + namespace_ + " holds " +
                                          name + "; make a DNSZone for a suffix of it"};
}

template <class Backend, class Selector>
void note_unmatched(const std::optional<Selector>& selector, const char* field, const runtime::Inputs& inputs,
                    std::vector<std::string>& out) {
    const auto labels = labels_of(selector);
    const auto all = inputs.all<Backend>();
    if (std::ranges::any_of(all,
                            [&](const auto& backend) { return fits(backend) && admits(labels, backend.metadata); }))
        return;
    out.push_back("spec.placement." + std::string(field) + ": there is no " + std::string(Backend::kind.name) +
                  " with " + text_of(labels));
}

}  // namespace

std::vector<runtime::Reference> placement_needs() {
    return {{crd::Cloud::kind, "", "", true},          {crd::LoadBalancer::kind, "", "", true},
            {crd::DatabaseServer::kind, "", "", true}, {crd::RabbitMQServer::kind, "", "", true},
            {crd::ObjectStore::kind, "", "", true},    {crd::MonitoringService::kind, "", "", true},
            {crd::DNSZone::kind, "", "", true}};
}

std::vector<std::string> unmatched(const crd::InstanceClass& of_class, const runtime::Inputs& inputs) {
    const auto& placement = of_class.spec.placement;
    std::vector<std::string> out;
    note_unmatched<crd::Cloud>(placement.cloud, "cloud", inputs, out);
    note_unmatched<crd::LoadBalancer>(placement.load_balancer, "loadBalancer", inputs, out);
    if (of_class.spec.databases.mode == crd::InstanceClass::Spec::Databases::Mode::persistent) {
        note_unmatched<crd::DatabaseServer>(placement.mysql, "mysql", inputs, out);
        if (of_class.spec.broker.mode == crd::InstanceClass::Spec::Broker::Mode::rabbit_mq)
            note_unmatched<crd::RabbitMQServer>(placement.rabbitmq, "rabbitmq", inputs, out);
        if (of_class.spec.storage.mode == crd::InstanceClass::Spec::Storage::Mode::object_store)
            note_unmatched<crd::ObjectStore>(placement.storage, "storage", inputs, out);
    }
    if (of_class.spec.monitoring.enabled)
        note_unmatched<crd::MonitoringService>(placement.monitoring, "monitoring", inputs, out);
    return out;
}

Result<Placement> place(const crd::Instance& instance, const crd::InstanceClass& of_class, const Placement& placed,
                        const std::string& lms_domain, const DataPlaces& data, const runtime::Inputs& inputs) {
    auto out = placed;
    const auto& namespace_ = instance.metadata.namespace_;
    const auto& selectors = of_class.spec.placement;
    Result<void> refused;
    const auto fill = [&](std::optional<std::string>& place, auto&& choice) {
        if (place || !refused) return;
        auto chosen = choice();
        if (chosen)
            place = *std::move(chosen);
        else
            refused = std::move(chosen).error();
    };
    fill(out.cloud, [&] { return choose<crd::Cloud>(namespace_, labels_of(selectors.cloud), inputs); });
    fill(out.load_balancer,
         [&] { return choose<crd::LoadBalancer>(namespace_, labels_of(selectors.load_balancer), inputs); });
    fill(out.dns_zone, [&] { return choose_zone(lms_domain, namespace_, inputs); });
    if (data.databases)
        fill(out.mysql, [&] { return choose<crd::DatabaseServer>(namespace_, labels_of(selectors.mysql), inputs); });
    if (data.broker)
        fill(out.rabbitmq,
             [&] { return choose<crd::RabbitMQServer>(namespace_, labels_of(selectors.rabbitmq), inputs); });
    if (data.storage)
        fill(out.storage, [&] { return choose<crd::ObjectStore>(namespace_, labels_of(selectors.storage), inputs); });
    if (of_class.spec.monitoring.enabled)
        fill(out.monitoring,
             [&] { return choose<crd::MonitoringService>(namespace_, labels_of(selectors.monitoring), inputs); });
    if (!refused) return std::move(refused).error();
    return out;
}

}  // namespace ocim::openedx
