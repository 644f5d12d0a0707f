#include "database/tenant.hpp"
#include "loadbalancing/fragment.hpp"
#include "messaging/vhost.hpp"
#include "monitoring/monitor.hpp"
#include "openedx/appserver.hpp"
#include "openedx/instance.hpp"
#include "openedx/mysql_layout.hpp"
#include "simulation/house_story.hpp"

#include <algorithm>

/// What must hold of sites once everything has calmed down.
namespace ocim::simulation {

using api::Json;

namespace {

bool is_archived(const Json& site) {
    const auto* archived = api::find(site, {"spec", "archived"});
    return archived && archived->is_bool() && archived->get_bool();
}

bool marked(const std::optional<runtime::Mark>& mark, const std::string& whose) {
    return mark && !mark->retained && mark->namespace_name == "campus/" + whose;
}

/// The former passwords are let in too.
bool overlaps(Program& program, const std::string& site) {
    for (const auto& object : program.list(api::secret_kind))
        if (api::find_text(object, {"metadata", "name"}) == site + "-secrets")
            return api::find(object, {"data", "mysqlKey.previous"}) != nullptr;
    return false;
}

}  // namespace

std::vector<std::string> HouseStory::broken_laws(Program& program) {
    Judge judge(program);
    judge_external(judge, program);
    judge_sites(judge, program);
    return judge.take();
}

void HouseStory::judge_external(Judge& judge, Program& program) {
    std::vector<Json> others;
    for (const auto& kind : {api::secret_kind, crd::Cloud::kind, crd::DNSZone::kind, crd::LoadBalancer::kind,
                             crd::DatabaseServer::kind, crd::RabbitMQServer::kind, crd::MonitoringService::kind})
        for (auto& object : program.list(kind)) {
            if (!(kind == api::secret_kind)) judge.firm(object);
            others.push_back(std::move(object));
        }
    grounds_->judge(judge, program, others);
    judge.objects<dns::Record>(program.list(crd::DNSRecord::kind), others, zone_);
    judge.objects<database::Tenant>(program.list(crd::DatabaseTenant::kind), others, database_);
    judge.objects<messaging::Vhost>(program.list(crd::RabbitMQVhost::kind), others, broker_);
    judge.objects<loadbalancing::Fragment>(program.list(crd::LoadBalancerFragment::kind), others, balancer_);
    judge.objects<monitoring::Monitor>(program.list(crd::Monitor::kind), others, watch_);
    for (const auto& run : program.list(crd::ProvisioningRun::kind)) judge.firm(run);
    for (const auto& one : too_many_) judge.broken(one);
}

void HouseStory::judge_sites(Judge& judge, Program& program) {
    std::map<std::string, bool> failed;
    for (const auto& object : program.list(crd::AppServer::kind)) {
        const auto decoded = *api::decode_object<crd::AppServer>(object);
        if (runtime::condition(object, "Stalled")) failed[decoded.spec.instance_name] = true;
        judge.firm(object);
    }
    const auto sites = program.list(crd::Instance::kind);
    const auto placed = static_cast<std::size_t>(std::ranges::count_if(
        sites, [](const Json& site) { return api::find(site, {"status", "placement", "mysql"}) != nullptr; }));
    judge.expect(placed <= room(), std::to_string(placed) + " sites are where there is room for fewer");
    for (const auto& object : sites) {
        // who waits has no place, and nobody waits where one is free
        if (placed == room() && !api::find(object, {"status", "placement", "mysql"})) {
            judge.expect(reason(object, "Ready").starts_with("BackendsFull"),
                         called(object) + " does not say that there is no room: " + reason(object, "Ready"));
            continue;
        }
        judge.firm(object);
        // a site whose every attempt at provisioning failed says so; any other one is ready
        const std::string name(api::find_text(object, {"metadata", "name"}));
        if (!failed[name] && !runtime::is_ready(object))
            judge.broken(called(object) + " is not ready: " + reason(object, "Ready"));
        if (runtime::is_ready(object)) judge_site(judge, program, object);
    }
    judge_logins(judge);
}

/// What visitors, and not our own reconcilers, would find.
void HouseStory::judge_site(Judge& judge, Program& program, const Json& site) {
    const std::string name(api::find_text(site, {"metadata", "name"}));
    judge_data(judge, program, name);
    if (!is_archived(site)) {
        judge_serving(judge, site);
        return;
    }
    for (const auto& [key, set] : zone_.things(universe_.now))
        judge.expect(!key.name.ends_with(name + ".demo.example.org"),
                     name + " is archived and " + key.name + " is there");
    for (const auto& [key, machine] : grounds_->machines())
        judge.expect(!machine.mark || !machine.mark->namespace_name.starts_with("campus/" + name + "-"),
                     name + " is archived and has a machine");
}

void HouseStory::judge_serving(Judge& judge, const Json& site) {
    const std::string name(api::find_text(site, {"metadata", "name"}));
    const auto lms = name + ".demo.example.org";
    const auto* active = api::find(site, {"status", "activeAppServers"});
    const auto servers = active && active->is_array() ? active->get_array().size() : 0;
    judge.expect(servers == 1, name + " has " + std::to_string(servers) + " active servers");
    if (servers == 0) return;
    const auto address = address_of(std::string(active->get_array().front().as_string()));
    judge.expect(!address.empty(), name + " is served by no machine that runs");

    const auto& zone = zone_.things(universe_.now);
    const auto& balancer = balancer_.things(universe_.now);
    for (const auto* prefix : {"", "preview-", "studio-", "discovery-", "ecommerce-"}) {
        const auto domain = prefix + lms;
        const auto record = zone.find({domain, "CNAME"});
        judge.expect(record != zone.end() && record->second.values == std::vector<std::string>{"lb.demo.example.org"},
                     domain + " does not lead to the load balancer");
        const auto leads = balancer.find(loadbalancing::domain_key(domain));
        const auto fragment = leads == balancer.end()
                                  ? balancer.end()
                                  : balancer.find(loadbalancing::fragment_key(leads->second.backend));
        judge.expect(
            fragment != balancer.end() && fragment->second.text.reveal().find(address + ":80") != std::string::npos,
            domain + " does not lead to the machine");
    }
    const auto machine = zone.find({"vm1." + lms, "A"});
    judge.expect(machine != zone.end() && machine->second.values == std::vector{address},
                 "vm1 of " + name + " is wrong");
    judge.expect(!zone.contains({"vm2." + lms, "A"}), name + " has a second machine record");
    const auto& watch = watch_.things(universe_.now);
    const auto probes = std::ranges::count_if(watch, [&](const auto& item) {
        return item.first.monitor.starts_with("campus/" + name + "-") && item.second.probe.enabled;
    });
    judge.expect(probes == 3, name + " has " + std::to_string(probes) + " probes");
}

std::string HouseStory::address_of(const std::string& appserver) {
    for (const auto& [key, machine] : grounds_->machines())
        if (marked(machine.mark, appserver) && machine.state == compute::Machine::State::running)
            return machine.addresses.front();
    return "";
}

void HouseStory::judge_data(Judge& judge, Program& program, const std::string& name) {
    using DatabaseKind = database::Key::Kind;
    using BrokerKind = messaging::Key::Kind;
    std::map<DatabaseKind, std::size_t> in_database;
    for (const auto& [key, thing] : database_.things(universe_.now))
        if (marked(thing.mark, name + "-mysql") && thing.exists) ++in_database[key.kind];
    judge.expect(in_database[DatabaseKind::schema] == openedx::site_databases.size(), name + " has other databases");
    judge.expect(in_database[DatabaseKind::user] == openedx::site_users().size(), name + " has other accounts");
    std::map<BrokerKind, std::size_t> in_broker;
    for (const auto& [key, thing] : broker_.things(universe_.now)) {
        auto mark = thing.mark;
        if (mark) mark->retained = false;  // says beforehand what becomes of it
        if (marked(mark, name + "-rabbitmq")) ++in_broker[key.kind];
    }
    judge.expect(in_broker[BrokerKind::vhost] == 1, name + " has other vhosts");
    judge.expect(in_broker[BrokerKind::user] == (overlaps(program, name) ? 4U : 2U),
                 name + " has other users of its vhost");
}

}  // namespace ocim::simulation
