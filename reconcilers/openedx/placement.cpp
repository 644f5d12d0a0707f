#include "openedx/placement.hpp"

#include "crd/clouds.hpp"
#include "crd/databaseservers.hpp"
#include "crd/dnszones.hpp"
#include "crd/loadbalancers.hpp"
#include "crd/monitoringservices.hpp"
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

template <class Backend>
bool open_to(const Backend& backend, const std::string& namespace_) {
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

/// The least loaded backend of its kind, or why there is none.
template <class Backend>
Result<std::string> choose(const std::string& namespace_, const Labels& selector, const runtime::Inputs& inputs) {
    const auto all = inputs.all<Backend>();
    const Backend* best = nullptr;
    const auto load = [](const Backend& backend) {
        return std::tuple(std::int64_t{backend.status.objects.value_or(0)}, backend.metadata.name);
    };
    for (const auto& backend : all)
        if (admits(selector, backend.metadata) && open_to(backend, namespace_) &&
            (!best || load(backend) < load(*best)))
            best = &backend;
    if (best) return best->metadata.name;
    return Error{ErrorClass::invalid, "no " + std::string(Backend::kind.name) + " with " + text_of(selector) +
                                          " accepts new tenants of namespace " + namespace_ + " (of " +
                                          std::to_string(all.size()) +
                                          " there are); make one, or change spec.placement "
                                          "of the InstanceClass"};
}

/// The zone with the longest domain that `name` lies in.
Result<std::string> choose_zone(const std::string& name, const std::string& namespace_, const runtime::Inputs& inputs) {
    std::string best, best_domain;
    for (const auto& zone : inputs.all<crd::DNSZone>()) {
        const auto& domain = zone.spec.domain;
        const bool inside = name == domain || name.ends_with("." + domain);
        if (inside && open_to(zone, namespace_) && domain.size() > best_domain.size()) {
            best = zone.metadata.name;
            best_domain = domain;
        }
    }
    if (!best.empty()) return best;
    return Error{ErrorClass::invalid, "no DNSZone that accepts new tenants of namespace " + namespace_ + " holds " +
                                          name + "; make a DNSZone for a suffix of it"};
}

}  // namespace

std::vector<runtime::Reference> placement_needs() {
    return {{crd::Cloud::kind, "", "", true},
            {crd::LoadBalancer::kind, "", "", true},
            {crd::DatabaseServer::kind, "", "", true},
            {crd::RabbitMQServer::kind, "", "", true},
            {crd::MonitoringService::kind, "", "", true},
            {crd::DNSZone::kind, "", "", true}};
}

Result<Placement> place(const crd::Instance& instance, const crd::InstanceClass& of_class, const Placement& placed,
                        const std::string& lms_domain, bool persistent, const runtime::Inputs& inputs) {
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
    if (persistent) {
        fill(out.mysql, [&] { return choose<crd::DatabaseServer>(namespace_, labels_of(selectors.mysql), inputs); });
        fill(out.rabbitmq,
             [&] { return choose<crd::RabbitMQServer>(namespace_, labels_of(selectors.rabbitmq), inputs); });
    }
    if (of_class.spec.monitoring.enabled)
        fill(out.monitoring,
             [&] { return choose<crd::MonitoringService>(namespace_, labels_of(selectors.monitoring), inputs); });
    if (!refused) return std::move(refused).error();
    return out;
}

}  // namespace ocim::openedx
