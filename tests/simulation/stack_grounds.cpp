#include "compute/machine.hpp"
#include "compute/openstack.hpp"
#include "compute/openstack_read.hpp"
#include "crd/securitygroups.hpp"
#include "crd/virtualmachines.hpp"
#include "runtime/backend_spec.hpp"
#include "runtime/external.hpp"
#include "simulation/grounds.hpp"
#include "simulation/stack_project.hpp"
#include "support/memory_client.hpp"
#include "support/sim_http.hpp"

#include <algorithm>

namespace ocim::simulation {
namespace {

using api::Json;
using test::json;
namespace stack = compute::openstack;

std::string text(const Json& value, std::initializer_list<std::string_view> path) {
    return std::string(api::find_text(value, path));
}

/// What a judge looks at: things as a System would show them.
template <class Snapshot>
struct View {
    using Map = Snapshot;
    Snapshot all, own_by_strangers;
    std::vector<std::string> spoilt;
    const Snapshot& things(Instant) const { return all; }
    const Snapshot& planted() const { return own_by_strangers; }
    const std::vector<std::string>& touched(Instant) const { return spoilt; }
};

class StackGrounds final : public Grounds {
public:
    explicit StackGrounds(Universe& universe)
        : universe_(universe), project_(world_, [this] { return world_.faults.stalls > 0 && universe_.happens(10); }) {
        auto& things = world_.things(universe_.now);
        things["keys/demo"] = json("{'keypair':{'name':'demo'}}");
        things["groups/default"] =
            json("{'id':'default','name':'default','description':'Default security group','security_group_rules':[]}");
        before_ = things;
    }

    void register_kinds(runtime::Manager& manager) override {
        runtime::add_external<compute::Machines>(
            manager,
            [this](const crd::Cloud& cloud, const runtime::Inputs&,
                   const runtime::Services& services) -> Result<std::unique_ptr<compute::System>> {
                const auto limits = runtime::settings_of(cloud.spec);
                return stack::open_project(session(services), services,
                                           {limits.drift_interval, true, false, limits.in_flight});
            });
        runtime::add_external<compute::Groups>(
            manager,
            [this](const crd::Cloud&, const runtime::Inputs&, const runtime::Services& services)
                -> Result<std::unique_ptr<compute::GroupSystem>> { return stack::open_groups(session(services)); });
    }
    void suit(Json& object) override {
        auto& spec = object.at("spec").as_object();
        if (text(object, {"kind"}) == crd::Cloud::kind.name) {
            spec.erase("local");
            spec["openstack"] = json(
                "{'authURL':'http://stack/identity','credentialsRef':{'name':'stack-login'},'network':'inner',"
                "'floatingNetwork':'outer','waitForSSH':false}");
        } else if (spec.contains("compute")) {
            spec["compute"].as_object()["image"] = json("{'name':'debian'}");
        }
    }
    std::vector<Json> needs() override {
        return {
            json("{'apiVersion':'v1','kind':'Secret','metadata':{'namespace':'ocim-system','name':'stack-login'},"
                 "'data':{'OS_USERNAME':'b2NpbQ==','OS_PASSWORD':'c2VzYW1l','OS_PROJECT_NAME':'aG9zdGluZw=='}}")};
    }

    compute::Snapshot machines() override {
        const auto& things = world_.things(universe_.now);
        auto out = as_seen(things);
        for (auto& [key, machine] : out)
            for (const auto& address : StackProject::all(things, "addresses"))
                if (text(StackProject::shown_address(things, address), {"port_details", "device_id"}) == machine.id)
                    machine.addresses.insert(machine.addresses.begin(), text(address, {"floating_ip_address"}));
        return out;
    }
    const std::map<std::string, int>& made() override { return project_.made(); }
    std::vector<std::string> remains() override {
        std::vector<std::string> out;
        for (const auto& [key, thing] : world_.things(universe_.now))
            if (!before_.contains(key) && !key.starts_with("gone/") && text(thing, {"name"}) != "ocim-demo")
                out.push_back(key);
        return out;
    }

    void meddle(const std::string& installation) override {
        auto& things = world_.things(universe_.now);
        std::vector<std::string> ours;
        for (const auto& [key, thing] : things)
            if (is_ours(thing, installation) && !world_.planted().contains(key) && !key.starts_with("gone/"))
                ours.push_back(key);
        if (ours.empty()) return;
        const auto key = ours[universe_.chance->below(ours.size())];
        universe_.trace.add("meddled with " + key);
        auto& thing = things.at(key).as_object();
        if (key.starts_with("addresses/")) {
            things.erase(key);
        } else if (key.starts_with("groups/")) {
            thing["security_group_rules"].as_array().push_back(
                json("{'id':'scribbled','direction':'ingress','ethertype':'IPv4'}"));
        } else if (universe_.happens(40)) {
            StackProject::take_away(things, text(thing, {"id"}), project_.wall());
        } else if (thing["status"] == "ACTIVE" && thing["OS-EXT-STS:task_state"].is_null()) {
            thing["status"] = "SHUTOFF";
            thing["updated"] = project_.wall();
        }
    }
    void plant(const std::string& name, std::optional<runtime::Mark> mark) override {
        auto server = json(
            "{'status':'ACTIVE','OS-EXT-STS:task_state':null,'metadata':{},'addresses':{},'groups':[],'key_name':'x',"
            "'created':'2026-01-01T00:00:00Z','updated':'2026-01-01T00:00:00Z'}");
        server.as_object()["id"] = server.as_object()["name"] = name;
        if (mark) server.as_object()["metadata"] = stack::metadata_of(*mark);
        world_.plant(universe_.now, "servers/" + name, server);
        const runtime::Mark other{"another", "campus/" + name, "0000"};
        world_.plant(universe_.now, "addresses/" + name,
                     json("{'id':'" + name + "','description':'" + stack::description_of(other) +
                          "','floating_network_id':'net-outer','floating_ip_address':'198.51.100." +
                          std::to_string(name.size() + static_cast<unsigned char>(name.back())) + "','port_id':null}"));
    }

    test::Faults& faults() override { return world_.faults; }
    void set_trouble(const Trouble& trouble) override { trouble.show(world_); }
    int actions() override { return world_.calls["action"]; }
    void judge(Judge& judge, Program& program, const std::vector<Json>& others) override;

private:
    std::unique_ptr<stack::Session> session(const runtime::Services& services) {
        world_.dies = [this] { return universe_.boundary(); };
        const auto connect = [this, &clock = services.clock, &random = services.random](
                                 const std::string& url) -> Result<std::unique_ptr<net::HttpClient>> {
            const auto path = url.substr(std::string(StackProject::url).size() + 1);
            const auto root = path.substr(0, path.find('/'));
            // no clock in here: a request may land after its program is gone
            const auto answer = [this, root](StackProject::Map& things, const net::HttpRequest& request) {
                auto reply = project_.answer(root, things, request);
                if (request.method != "GET")
                    universe_.trace.add(request.method + " " + root + request.target + " " +
                                        std::to_string(reply.status) + ", boundary " +
                                        std::to_string(universe_.boundaries));
                return reply;
            };
            std::unique_ptr<net::HttpClient> wire =
                std::make_unique<test::SimHttp<StackProject::World>>(world_, answer, clock, random);
            return wire;
        };
        stack::Credentials who;
        who.auth_url = std::string(StackProject::url) + "/identity";
        who.user.name = "ocim";
        who.password = Secret("sesame");
        who.project.name = "hosting";
        return std::make_unique<stack::Session>(std::move(who), services.clock, connect);
    }
    static bool is_ours(const Json& thing, const std::string& installation) {
        if (text(thing, {"metadata", "ocim-installation"}) == installation) return true;
        const auto mark = runtime::Mark::parse(text(thing, {"description"}));
        return mark && mark->installation == installation;
    }
    static compute::Snapshot as_seen(const StackProject::Map& things) {
        std::vector<stack::Server> servers;
        for (const auto& one : StackProject::all(things, "servers")) {
            auto server = **stack::read_server(one);
            auto& machine = server.machine;
            if (machine.mark && machine.state == compute::Machine::State::booting && !machine.busy)
                machine.state = compute::Machine::State::running;
            servers.push_back(std::move(server));
        }
        return stack::by_key(servers);
    }

    void judge_machines(Judge& judge, Program& program, const std::vector<Json>& others);
    void judge_groups(Judge& judge, Program& program);
    void judge_what_hangs_on_them(Judge& judge);

    Universe& universe_;
    StackProject::World world_;
    StackProject project_;
    StackProject::Map before_;
};

void StackGrounds::judge(Judge& judge, Program& program, const std::vector<Json>& others) {
    judge_machines(judge, program, others);
    judge_groups(judge, program);
    judge_what_hangs_on_them(judge);
    judge.expect(StackProject::all(world_.things(universe_.now), "keys").size() == 1, "key pairs came or went");
}

void StackGrounds::judge_machines(Judge& judge, Program& program, const std::vector<Json>& others) {
    const auto& things = world_.things(universe_.now);
    View<compute::Snapshot> view;
    view.all = as_seen(things);
    for (const auto& address : StackProject::all(things, "addresses"))
        view.all.insert(stack::read_floating(StackProject::shown_address(things, address)));
    compute::Offers offers;
    offers.networks = {{StackProject::inner_network, "inner", false}, {StackProject::outer_network, "outer", true}};
    view.all[compute::offers_key].offers = offers;
    for (const auto& [key, machine] : view.all)
        if (world_.planted().contains("servers/" + key)) view.own_by_strangers.emplace(key, machine);
    view.spoilt = world_.touched(universe_.now);
    judge.objects<compute::Machines>(program.list(crd::VirtualMachine::kind), others, view);
}

/// Of each machine there is one, with one port and one public address; and none of these without a machine.
void StackGrounds::judge_what_hangs_on_them(Judge& judge) {
    const auto& things = world_.things(universe_.now);
    std::map<std::string, int> machines, addresses;  // by whose they are
    std::map<std::string, int> ports;                // by server
    for (const auto& port : StackProject::all(things, "ports")) {
        const auto device = text(port, {"device_id"});
        ++ports[device];
        judge.expect(things.contains("servers/" + device), "leaked: a port of " + device + ", which is gone");
    }
    for (const auto& address : StackProject::all(things, "addresses"))
        if (const auto mark = runtime::Mark::parse(text(address, {"description"}));
            is_ours(address, judge.installation()))
            ++addresses[mark->uid];
    for (const auto& server : StackProject::all(things, "servers")) {
        if (!is_ours(server, judge.installation())) continue;
        const auto uid = text(server, {"metadata", "ocim-uid"}), name = text(server, {"name"});
        judge.expect(++machines[uid] == 1, "doubled: " + name);
        judge.expect(text(server, {"status"}) != "ERROR", "left in ERROR: " + name);
        judge.expect(ports[text(server, {"id"})] == 1, name + " has another number of ports than one");
        judge.expect(addresses[uid] == 1, name + " has another number of public addresses than one");
    }
    for (const auto& name : project_.doubled()) judge.expect(false, "was doubled: " + name);
    for (const auto& [uid, count] : addresses) judge.expect(machines.contains(uid), "leaked: a public address");
}

/// Each group has exactly its rules, and there are no others than are declared.
void StackGrounds::judge_groups(Judge& judge, Program& program) {
    const auto rule_of = [](const Json& rule) {
        const auto port = [&](const char* field) -> std::optional<std::int32_t> {
            const auto* found = api::find(rule, {field});
            return found && found->is_number() ? std::optional(found->to_number<std::int32_t>()) : std::nullopt;
        };
        return *compute::normal({text(rule, {"direction"}), text(rule, {"ethertype"}), text(rule, {"protocol"}),
                                 port("port_range_min"), port("port_range_max"), text(rule, {"remote_ip_prefix"}),
                                 text(rule, {"remote_group_id"})});
    };
    auto groups = StackProject::all(world_.things(universe_.now), "groups");
    std::erase_if(groups, [](const Json& group) { return text(group, {"name"}) == "default"; });
    for (const auto& object : program.list(crd::SecurityGroup::kind)) {
        judge.firm(object);
        const auto name = text(object, {"spec", "name"});
        const auto same = [&](const Json& group) { return text(group, {"name"}) == name; };
        judge.expect(std::ranges::count_if(groups, same) == 1, "there is not one group " + name);
        const auto found = std::ranges::find_if(groups, same);
        if (found == groups.end()) continue;
        std::set<compute::GroupRule> rules;
        for (const auto& rule : found->at("security_group_rules").as_array()) rules.insert(rule_of(rule));
        std::set<compute::GroupRule> wanted;
        for (const auto& rule : object.at("spec").at("rules").as_array()) {
            auto spoken = rule.as_object();
            spoken["direction"] = text(rule, {"direction"}) == "Egress" ? "egress" : "ingress";
            spoken["ethertype"] = text(rule, {"etherType"});
            if (const auto* port = spoken.if_contains("portMin")) {
                spoken["port_range_max"] = spoken.contains("portMax") ? spoken["portMax"] : *port;
                spoken["port_range_min"] = *spoken.if_contains("portMin");
            }
            wanted.insert(rule_of(spoken));
        }
        for (const auto* type : {"IPv4", "IPv6"}) wanted.insert({"egress", type, "", {}, {}, "", ""});
        judge.expect(rules == wanted && rules.size() == found->at("security_group_rules").as_array().size(),
                     "the group " + name + " has other rules");
        groups.erase(found);
    }
    for (const auto& group : groups) judge.broken("leaked: the group " + text(group, {"name"}));
}

}  // namespace

std::unique_ptr<Grounds> stack_grounds(Universe& universe) { return std::make_unique<StackGrounds>(universe); }

}  // namespace ocim::simulation
