#include "simulation/house_story.hpp"

#include "api/yaml.hpp"
#include "crd/appservers.hpp"
#include "crd/clouds.hpp"
#include "crd/databaseservers.hpp"
#include "crd/databasetenants.hpp"
#include "crd/dnsrecords.hpp"
#include "crd/dnszones.hpp"
#include "crd/instanceclasses.hpp"
#include "crd/instances.hpp"
#include "crd/loadbalancerfragments.hpp"
#include "crd/loadbalancers.hpp"
#include "crd/monitoringservices.hpp"
#include "crd/monitors.hpp"
#include "crd/objectstores.hpp"
#include "crd/provisioningruns.hpp"
#include "crd/rabbitmqservers.hpp"
#include "crd/rabbitmqvhosts.hpp"
#include "crd/securitygroups.hpp"
#include "crd/storagecontainers.hpp"
#include "crd/virtualmachines.hpp"
#include "support/memory_client.hpp"

#include <fstream>
#include <sstream>
#include <stdexcept>

namespace ocim::simulation {

using api::Json;
using test::json;

namespace {

constexpr auto space = "campus";

/// A file of the demonstration, its "${NAME}" filled in with something that nobody looks at here.
std::string sample(const std::string& file) {
    std::ifstream in(std::string(OCIM_SOURCE_DIR) + "/manifests/samples/demo/" + file);
    std::ostringstream text;
    text << in.rdbuf();
    auto out = text.str();
    if (out.empty()) throw std::runtime_error("no sample " + file);
    const std::map<std::string, std::string> values{{"DOMAIN", "demo.example.org"},
                                                    {"SUBNET", "10.20.0.0/24"},
                                                    {"SSH_PUBLIC_KEY", "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIE demo"},
                                                    {"REPOSITORY", "https://git.example.org/playbook.git"},
                                                    {"MYSQL_HOST", "10.20.0.1"},
                                                    {"AMQP_HOST", "10.20.0.1"},
                                                    {"HAPROXY_DIRECTORY", "/srv/haproxy/conf.d"},
                                                    {"HAPROXY_CONFIG", "/srv/haproxy/haproxy.cfg"},
                                                    {"HAPROXY_MASTER", "/srv/haproxy/master.sock"}};
    for (auto at = out.find("${"); at != std::string::npos; at = out.find("${")) {
        const auto end = out.find('}', at);
        const auto known = values.find(out.substr(at + 2, end - at - 2));
        out.replace(at, end - at + 1, known == values.end() ? "8080" : known->second);
    }
    return out;
}

std::vector<Json> documents(const std::string& file) {
    auto parsed = api::parse_yaml_stream(sample(file));
    if (!parsed) throw std::runtime_error(file + ": " + parsed.error().message);
    std::vector<Json> out;
    for (auto& one : *parsed) out.push_back(std::move(one.value));
    return out;
}

Json secret(const std::string& name) {
    return json("{'apiVersion':'v1','kind':'Secret','metadata':{'namespace':'ocim-system','name':'" + name +
                "'},'data':{'apiKey':'a2V5','username':'YWRtaW4=','password':'c2VzYW1l','ssh-privatekey':'a2V5',"
                "'privateKey':'a2V5'}}");
}

/// Orphans are swept soon, where that may be; what bears data never is, whatever the policy says.
void sweep_orphans(Json& backend) {
    backend.at("spec").as_object()["orphanPolicy"] = json("{'action':'Delete','minAge':'2m'}");
}

/// What was drawn once cannot be, nor what a server took as its snapshot.
bool can_be_made_again(const Json& secret) {
    const auto name = api::find_text(secret, {"metadata", "name"});
    return name.ends_with("-mysql") || name.ends_with("-basic-auth") || name.ends_with("-configuration");
}

}  // namespace

const std::vector<api::Kind>& HouseStory::kinds() {
    static const std::vector<api::Kind> all{crd::Cloud::kind,
                                            crd::DNSZone::kind,
                                            crd::LoadBalancer::kind,
                                            crd::DatabaseServer::kind,
                                            crd::RabbitMQServer::kind,
                                            crd::MonitoringService::kind,
                                            crd::InstanceClass::kind,
                                            crd::Instance::kind,
                                            crd::AppServer::kind,
                                            crd::VirtualMachine::kind,
                                            crd::SecurityGroup::kind,
                                            crd::ProvisioningRun::kind,
                                            crd::DNSRecord::kind,
                                            crd::LoadBalancerFragment::kind,
                                            crd::DatabaseTenant::kind,
                                            crd::RabbitMQVhost::kind,
                                            crd::Monitor::kind,
                                            crd::ObjectStore::kind,
                                            crd::StorageContainer::kind,
                                            api::secret_kind,
                                            api::namespace_kind};
    return all;
}

Json HouseStory::site(const std::string& name, const char* policy) {
    return json(
        "{'apiVersion':'ocim.opencraft.com/v1alpha1','kind':'Instance','metadata':{'namespace':'campus','name':'" +
        name + "'},'spec':{'className':'demo','displayName':'A site','subdomain':'" + name + "','deletionPolicy':'" +
        policy + "','databases':{'mode':'Persistent'}}}");
}

// --- people

void HouseStory::prepare(Program& program) {
    std::vector<Json> all;
    for (const auto* name : {"powerdns", "mysql-admin", "rabbitmq-admin", "demo-ssh"}) all.push_back(secret(name));
    for (auto& one : documents("backends/backends.yaml")) {
        if (universe_.sweeps_orphans()) sweep_orphans(one);
        if (api::find_text(one, {"kind"}) == crd::Cloud::kind.name)
            one.at("spec").as_object()["maxConcurrentRuns"] = runs_max;
        if (api::find_text(one, {"kind"}) == crd::DatabaseServer::kind.name)
            one.at("spec").as_object()["maxInstances"] = room();
        grounds_->suit(one);
        all.push_back(std::move(one));
    }
    for (auto& one : documents("10-class.yaml")) {
        grounds_->suit(one);
        all.push_back(std::move(one));
    }
    for (auto& one : grounds_->needs()) all.push_back(std::move(one));
    all.push_back(json("{'apiVersion':'v1','kind':'Namespace','metadata':{'name':'campus'}}"));
    for (auto& one : all) {
        const auto made = program.create(std::move(one));
        if (!made) throw std::runtime_error(made.error().message);
    }
}

// what is refused is refused: that is part of life

void HouseStory::somebody_acts(Program& program) {
    const auto name = "site" + universe_.number(2);
    const auto kind = crd::Instance::kind;
    const auto dice = universe_.chance->below(100);
    if (dice < 40)
        (void)program.create(site(name, universe_.happens(50) ? "Delete" : "Retain"));
    else if (dice < 52)
        (void)program.patch(kind, space, name, json("{'spec':{'displayName':'Site " + universe_.number(5) + "'}}"));
    else if (dice < 64)
        (void)program.patch(kind, space, name,
                            json(universe_.happens(50) ? "{'spec':{'archived':true}}" : "{'spec':{'archived':false}}"));
    else if (dice < 70)
        (void)program.patch(kind, space, name,
                            json("{'metadata':{'annotations':{'ocim.opencraft.com/rotate-at':'" +
                                 rfc3339(program.clock().wall()) + "'}}}"));
    else if (dice < 88)
        with_a_child(program);
    else
        (void)program.remove(kind, space, name);
}

/// People reach into what a site is made of; it is made again, or as it should be.
void HouseStory::with_a_child(Program& program) {
    static const std::vector<api::Kind> made{
        crd::DNSRecord::kind,      crd::Monitor::kind,        crd::AppServer::kind,     crd::LoadBalancerFragment::kind,
        crd::VirtualMachine::kind, crd::DatabaseTenant::kind, crd::RabbitMQVhost::kind, api::secret_kind};
    const auto& kind = made[universe_.chance->below(made.size())];
    auto all = program.list(kind);
    std::erase_if(all, [&](const Json& object) { return kind == api::secret_kind && !can_be_made_again(object); });
    if (all.empty()) return;
    const std::string name(api::find_text(all[universe_.chance->below(all.size())], {"metadata", "name"}));
    if (universe_.happens(50)) {
        (void)program.remove(kind, space, name);
        return;
    }
    (void)program.patch(crd::DNSRecord::kind, space, name, json("{'spec':{'values':['192.0.2.66']}}"));
    (void)program.patch(crd::Monitor::kind, space, name, json("{'spec':{'intervalSeconds':77}}"));
    (void)program.patch(crd::LoadBalancerFragment::kind, space, name, json("{'spec':{'servers':[]}}"));
    (void)program.patch(crd::RabbitMQVhost::kind, space, name, json("{'spec':{'users':[]}}"));
}

// --- strangers

void HouseStory::stranger_acts(const std::string& installation) {
    if (universe_.happens(75))
        meddles_with_ours(installation);
    else
        brings_his_own(installation);
}

void HouseStory::meddles_with_ours(const std::string& installation) {
    switch (universe_.chance->below(6)) {
        case 0:
            meddle(universe_, zone_, installation, [](dns::RecordSet& set) { set.values = {"203.0.113.66"}; });
            break;
        case 1:
            meddle(universe_, balancer_, installation,
                   [](loadbalancing::Thing& thing) { thing.text = Secret("scribbled"); });
            break;
        case 2: grounds_->meddle(installation); break;
        case 3:
            meddle(universe_, database_, installation, [](database::Thing& thing) {
                thing.hash = "*0123";
                thing.character_set = "latin1";
                thing.collation = "latin1_bin";
            });
            break;
        case 4:
            meddle(universe_, broker_, installation, [](messaging::Thing& thing) { thing.tags = {"administrator"}; });
            break;
        case 5:
            meddle(universe_, watch_, installation,
                   [](monitoring::Thing& thing) { thing.probe.interval = std::chrono::seconds(7); });
            break;
    }
}

/// Things without a mark, of another installation, and data of ours that has lost its object: nobody touches them.
void HouseStory::brings_his_own(const std::string& installation) {
    const runtime::Mark other{"another", "campus/site0", "0000"}, ghost{installation, "campus/ghost", "0001"};
    const auto now = universe_.now;
    const auto n = universe_.number(3);
    grounds_->plant("stranger-" + n, universe_.happens(50) ? std::optional(other) : std::nullopt);
    zone_.plant(now, {"stranger" + n + ".demo.example.org", "A"}, {{"203.0.113.1"}, 60, std::nullopt});
    zone_.plant(now, {"other" + n + ".demo.example.org", "A"}, {{"203.0.113.1"}, 60, other});
    loadbalancing::Thing fragment;
    fragment.text = Secret("backend stranger");
    fragment.live = true;
    balancer_.plant(now, loadbalancing::fragment_key("stranger" + n), fragment);
    database::Thing schema;
    schema.mark = universe_.happens(50) ? other : ghost;
    schema.character_set = "utf8mb4";
    database_.plant(now, {database::Key::Kind::schema, "old_" + n, "", ""}, schema);
    messaging::Thing vhost;
    vhost.mark = universe_.happens(50) ? other : ghost;
    broker_.plant(now, {messaging::Key::Kind::vhost, "old-" + n, ""}, vhost);
}

// --- one site, from birth to death

void HouseStory::declare_one(Program& program) { (void)program.create(site("site0", "Delete")); }

bool HouseStory::one_is_ready(Program& program) {
    for (const auto& object : program.list(crd::Instance::kind))
        if (!runtime::is_ready(object)) return false;
    return !program.list(crd::Instance::kind).empty();
}

void HouseStory::delete_one(Program& program) { (void)program.remove(crd::Instance::kind, space, "site0"); }

std::vector<std::string> HouseStory::remains_of_one(Program& program) {
    std::vector<std::string> out;
    for (const auto& kind : kinds())
        if (kind.namespaced)
            for (const auto& object : program.list(kind))
                if (api::find_text(object, {"metadata", "namespace"}) == space) out.push_back(called(object));
    const auto now = program.clock().now();
    const auto look = [&](const char* where, std::size_t count) {
        if (count > 0) out.push_back(std::to_string(count) + " things of the " + where);
    };
    for (auto& one : grounds_->remains()) out.push_back(std::move(one));
    look("zone", zone_.things(now).size());
    look("database server", database_.things(now).size());
    look("broker", broker_.things(now).size());
    look("load balancer", balancer_.things(now).size());
    look("monitoring", watch_.things(now).size());
    return out;
}

// --- what happens to the backends

void HouseStory::set_faults(test::Faults faults) {
    grounds_->faults() = zone_.faults = database_.faults = broker_.faults = balancer_.faults = watch_.faults = faults;
    for (auto& [machine, runs] : runs_) runs.faults = faults;
}

void HouseStory::set_down(bool down) {
    // not all at once: each may go by itself
    const auto some = [&] {
        Trouble out;
        out.down = down && universe_.happens(30);
        out.refuses_us = down && universe_.happens(10);
        out.hangs = down && universe_.happens(10);
        out.garbage = down && universe_.happens(10);
        return out;
    };
    const auto each = [&](auto& world) { some().show(world); };
    grounds_->set_trouble(some());
    each(zone_);
    each(database_);
    each(broker_);
    each(balancer_);
    each(watch_);
    for (auto& [machine, runs] : runs_) each(runs);
}

int HouseStory::actions() {
    int out = grounds_->actions() + zone_.calls["action"] + database_.calls["action"] + broker_.calls["action"] +
              balancer_.calls["action"] + watch_.calls["action"];
    for (auto& [machine, runs] : runs_) out += runs.calls["action"];
    return out;
}

}  // namespace ocim::simulation
