#include "openedx/placement.hpp"

#include "api/selector.hpp"
#include "crd/clouds.hpp"
#include "crd/databaseservers.hpp"
#include "crd/dnszones.hpp"
#include "crd/loadbalancers.hpp"
#include "crd/monitoringservices.hpp"
#include "crd/objectstores.hpp"
#include "crd/rabbitmqservers.hpp"
#include "runtime/tally.hpp"

#include <algorithm>
#include <chrono>
#include <tuple>
#include <utility>

namespace ocim::openedx {
namespace {

constexpr Duration look_for_room = std::chrono::seconds(30);
constexpr std::size_t named_max = 100;  // candidates in one message

/// What a site wants of a backend.
template <class Backend>
struct Wish {
    Result<api::LabelSelector> labels{api::LabelSelector{}};
    bool (*fits)(const Backend&) = [](const Backend&) { return true; };
    const char* unfit = "";  ///< said of one that does not fit
};

/// Error: invalid, saying what of it is no selector.
template <class Selector>
Result<api::LabelSelector> labels_of(const std::optional<Selector>& selector) {
    if (!selector) return api::LabelSelector{};
    return api::LabelSelector::from_json(api::encode(*selector));
}

template <class Selector>
Wish<crd::DatabaseServer> mysql(const std::optional<Selector>& selector) {
    return {labels_of(selector), [](const crd::DatabaseServer& server) { return server.spec.mysql.has_value(); },
            "is no MySQL or MariaDB, which Open edX needs"};
}
template <class Selector>
Wish<crd::DatabaseServer> mongodb(const std::optional<Selector>& selector) {
    return {labels_of(selector), [](const crd::DatabaseServer& server) { return server.spec.mongodb.has_value(); },
            "is no MongoDB, where Open edX keeps courses"};
}

std::string text_of(const api::LabelSelector& selector) { return selector.empty() ? "any labels" : selector.text(); }

template <class Backend>
const api::Condition* ready_of(const Backend& backend) {
    for (const auto& item : backend.status.conditions)
        if (item.type == "Ready") return &item;
    return nullptr;
}

std::string said_of(std::string_view kind, std::string_view name) {
    return std::string(kind) + "/" + std::string(name);
}
/// What lives there and is perhaps not yet among the objects that the backend counts.
std::string new_at(const std::string& place) { return place + " new"; }

template <class Backend>
std::string place_of(const Backend& backend) {
    return said_of(Backend::kind.name, backend.metadata.name);
}

/// How many Instances may live there, where that is limited.
template <class Backend>
std::optional<std::int64_t> room_of(const Backend& backend) {
    if constexpr (requires { backend.spec.max_instances; })
        if (backend.spec.max_instances) return *backend.spec.max_instances;
    return std::nullopt;
}

/// What keeps a site from being placed somewhere, the lasting things first.
struct Obstacle {
    /// hidden: it is for other namespaces, whose affairs are not told here.
    enum class Sort { none, hidden, lasting, full, not_ready };
    Sort sort = Sort::none;
    std::string words;
};

template <class Backend>
Obstacle obstacle(const Backend& backend, const std::string& namespace_, const Wish<Backend>& wish,
                  const runtime::Inputs& inputs) {
    using Sort = Obstacle::Sort;
    const auto& allowed = backend.spec.allowed_namespaces;
    if (!allowed.empty() && std::ranges::find(allowed, namespace_) == allowed.end()) return {Sort::hidden, ""};
    if (!wish.labels->matches(backend.metadata.labels))
        return {Sort::lasting, "has not the labels " + text_of(*wish.labels)};
    if (!wish.fits(backend)) return {Sort::lasting, wish.unfit};
    if (backend.metadata.deleting()) return {Sort::lasting, "is being deleted"};
    if (!backend.spec.accepts_new_tenants) return {Sort::lasting, "accepts no new tenants"};
    const auto room = room_of(backend);
    const auto held = runtime::tallied(inputs, place_of(backend));
    if (room && held >= *room)
        return {Sort::full, "is full, with " + std::to_string(held) + " of " + std::to_string(*room) + " Instances"};
    const auto* ready = ready_of(backend);
    if (!ready) return {Sort::not_ready, "has not reported yet"};
    if (ready->status != "True") return {Sort::not_ready, "is not Ready: " + ready->reason};
    return {};
}

/// The least loaded of those that nothing stands against, or each with what does.
template <class Backend>
Result<std::string> least_loaded(const std::vector<const Backend*>& candidates, const std::string& namespace_,
                                 const Wish<Backend>& wish, const std::string& way_out, const runtime::Inputs& inputs) {
    const Backend* best = nullptr;
    const auto load = [&](const Backend& backend) {
        const auto fresh = runtime::tallied(inputs, new_at(place_of(backend)));
        return std::tuple(std::int64_t{backend.status.objects.value_or(0)} + fresh, backend.metadata.name);
    };
    std::string why;
    bool full = false, waits = false;
    std::size_t named = 0;
    for (const auto* backend : candidates) {
        const auto against = obstacle(*backend, namespace_, wish, inputs);
        if (against.sort == Obstacle::Sort::none) {
            if (!best || load(*backend) < load(*best)) best = backend;
            continue;
        }
        if (against.sort == Obstacle::Sort::hidden) continue;
        full = full || against.sort == Obstacle::Sort::full;
        waits = waits || against.sort == Obstacle::Sort::not_ready;
        if (++named <= named_max) why += "; " + backend->metadata.name + " " + against.words;
    }
    if (best) return best->metadata.name;
    if (named > named_max) why += "; and " + std::to_string(named - named_max) + " more";
    if (why.empty()) why = "; there is none for namespace " + namespace_;
    const auto text = "no " + std::string(Backend::kind.name) + " can take this site: " + why.substr(2);
    if (waits) return Error{ErrorClass::unreachable, text + ". It waits for one that is Ready."};
    Error out{full ? ErrorClass::rate_limited : ErrorClass::invalid, text + ". " + way_out};
    if (full) out.retry_after = look_for_room;
    return out;
}

template <class Backend>
Result<std::string> choose(const std::string& namespace_, const Wish<Backend>& wish, const runtime::Inputs& inputs) {
    if (!wish.labels) return Error(wish.labels.error()).within("spec.placement of the InstanceClass");
    const auto all = inputs.all<Backend>();
    std::vector<const Backend*> candidates;
    for (const auto& backend : all) candidates.push_back(&backend);
    return least_loaded(candidates, namespace_, wish,
                        "Make another, or change these or spec.placement of the InstanceClass.", inputs);
}

/// The zone with the longest domain that `name` lies in; of several for one domain the least loaded. One that takes
/// nobody new leaves the name to the zone above it.
Result<std::string> choose_zone(const std::string& name, const std::string& namespace_, const runtime::Inputs& inputs) {
    const auto all = inputs.all<crd::DNSZone>();
    std::vector<const crd::DNSZone*> holding, candidates;
    for (const auto& zone : all) {
        const auto& domain = zone.spec.domain;
        if (name != domain && !name.ends_with("." + domain)) continue;
        holding.push_back(&zone);
        const auto against = obstacle(zone, namespace_, {}, inputs).sort;
        if (against == Obstacle::Sort::lasting || against == Obstacle::Sort::hidden) continue;
        if (!candidates.empty() && domain.size() < candidates.front()->spec.domain.size()) continue;
        if (!candidates.empty() && domain.size() > candidates.front()->spec.domain.size()) candidates.clear();
        candidates.push_back(&zone);
    }
    if (holding.empty())
        return Error{ErrorClass::invalid, "no DNSZone holds " + name + ". Make a DNSZone for a suffix of it."};
    return least_loaded(candidates.empty() ? holding : candidates, namespace_, {},
                        "Make a DNSZone for a suffix of " + name + ", or change these.", inputs);
}

template <class Backend>
void note_unmatched(const Wish<Backend>& wish, const char* field, const runtime::Inputs& inputs,
                    std::vector<std::string>& out) {
    const auto where = "spec.placement." + std::string(field) + ": ";
    if (!wish.labels) {
        out.push_back(where + wish.labels.error().message);
        return;
    }
    const auto all = inputs.all<Backend>();
    if (std::ranges::none_of(all, [&](const auto& backend) {
            return wish.fits(backend) && wish.labels->matches(backend.metadata.labels);
        }))
        out.push_back(where + "there is no " + std::string(Backend::kind.name) + " with " + text_of(*wish.labels));
}

}  // namespace

std::vector<runtime::Reference> placement_needs() {
    return {{crd::Cloud::kind, "", "", true},          {crd::LoadBalancer::kind, "", "", true},
            {crd::DatabaseServer::kind, "", "", true}, {crd::RabbitMQServer::kind, "", "", true},
            {crd::ObjectStore::kind, "", "", true},    {crd::MonitoringService::kind, "", "", true},
            {crd::DNSZone::kind, "", "", true}};
}

std::vector<runtime::Reference> placement_needs(const crd::Instance& instance) {
    const auto placed = instance.status.placement.value_or(Placement{});
    std::vector<runtime::Reference> out;
    const auto need = [&](const api::Kind& kind, const std::optional<std::string>& at) {
        out.push_back({kind, "", at.value_or(""), true});
    };
    need(crd::Cloud::kind, placed.cloud);
    need(crd::LoadBalancer::kind, placed.load_balancer);
    need(crd::DNSZone::kind, placed.dns_zone);
    need(crd::MonitoringService::kind, placed.monitoring);  // a class may want it later
    const bool settled = placed.cloud.has_value();          // then what it has no place at it will never have
    if (!settled || placed.mysql) need(crd::DatabaseServer::kind, placed.mysql);
    if (settled && placed.mongodb) need(crd::DatabaseServer::kind, placed.mongodb);
    if (!settled || placed.rabbitmq) need(crd::RabbitMQServer::kind, placed.rabbitmq);
    if (!settled || placed.storage) need(crd::ObjectStore::kind, placed.storage);
    // where all the others are must be known before anybody is placed: its own kind is read whole for it
    if (!settled) out.push_back({crd::Instance::kind, instance.metadata.namespace_, instance.metadata.name, true});
    return out;
}

std::set<std::string> placed_at(const api::Json& status) {
    static constexpr std::pair<const char*, const api::Kind*> places[] = {{"cloud", &crd::Cloud::kind},
                                                                          {"loadBalancer", &crd::LoadBalancer::kind},
                                                                          {"mysql", &crd::DatabaseServer::kind},
                                                                          {"mongodb", &crd::DatabaseServer::kind},
                                                                          {"rabbitmq", &crd::RabbitMQServer::kind},
                                                                          {"storage", &crd::ObjectStore::kind}};
    const auto* made = api::find(status, {"appServersMade"});
    const bool counted = made && made->is_int64() && made->get_int64() > 0;  // its objects stand by then
    std::set<std::string> out;
    for (const auto& [field, kind] : places) {
        const auto name = api::find_text(status, {"placement", field});
        if (name.empty()) continue;
        out.insert(said_of(kind->name, name));
        if (!counted) out.insert(new_at(said_of(kind->name, name)));
    }
    return out;
}

std::vector<std::string> unmatched(const crd::InstanceClass& of_class, const runtime::Inputs& inputs) {
    const auto& placement = of_class.spec.placement;
    std::vector<std::string> out;
    note_unmatched<crd::Cloud>({labels_of(placement.cloud)}, "cloud", inputs, out);
    note_unmatched<crd::LoadBalancer>({labels_of(placement.load_balancer)}, "loadBalancer", inputs, out);
    if (of_class.spec.databases.mode == crd::InstanceClass::Spec::Databases::Mode::persistent) {
        note_unmatched(mysql(placement.mysql), "mysql", inputs, out);
        if (of_class.spec.databases.mongodb == crd::InstanceClass::Spec::Databases::Mongodb::database_server)
            note_unmatched(mongodb(placement.mongodb), "mongodb", inputs, out);
        if (of_class.spec.broker.mode == crd::InstanceClass::Spec::Broker::Mode::rabbit_mq)
            note_unmatched<crd::RabbitMQServer>({labels_of(placement.rabbitmq)}, "rabbitmq", inputs, out);
        if (of_class.spec.storage.mode == crd::InstanceClass::Spec::Storage::Mode::object_store)
            note_unmatched<crd::ObjectStore>({labels_of(placement.storage)}, "storage", inputs, out);
    }
    if (of_class.spec.monitoring.enabled)
        note_unmatched<crd::MonitoringService>({labels_of(placement.monitoring)}, "monitoring", inputs, out);
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
    fill(out.cloud, [&] { return choose<crd::Cloud>(namespace_, {labels_of(selectors.cloud)}, inputs); });
    fill(out.load_balancer,
         [&] { return choose<crd::LoadBalancer>(namespace_, {labels_of(selectors.load_balancer)}, inputs); });
    fill(out.dns_zone, [&] { return choose_zone(lms_domain, namespace_, inputs); });
    if (data.databases) fill(out.mysql, [&] { return choose(namespace_, mysql(selectors.mysql), inputs); });
    if (data.mongodb) fill(out.mongodb, [&] { return choose(namespace_, mongodb(selectors.mongodb), inputs); });
    if (data.broker)
        fill(out.rabbitmq,
             [&] { return choose<crd::RabbitMQServer>(namespace_, {labels_of(selectors.rabbitmq)}, inputs); });
    if (data.storage)
        fill(out.storage, [&] { return choose<crd::ObjectStore>(namespace_, {labels_of(selectors.storage)}, inputs); });
    if (of_class.spec.monitoring.enabled)
        fill(out.monitoring,
             [&] { return choose<crd::MonitoringService>(namespace_, {labels_of(selectors.monitoring)}, inputs); });
    if (!refused) return std::move(refused).error();
    return out;
}

}  // namespace ocim::openedx
