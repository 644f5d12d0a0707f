#include "simulation/stack_project.hpp"

/// Neutron.
namespace ocim::simulation {

using api::Json;
namespace json = api::json;

namespace {

std::string text(const Json& value, std::initializer_list<std::string_view> path) {
    return std::string(api::find_text(value, path));
}

json::array as_array(const std::vector<Json>& items) { return json::array(items.begin(), items.end()); }

}  // namespace

Json StackProject::shown_address(const Map& things, const Json& address) {
    auto out = address;
    const auto port = things.find("ports/" + text(address, {"port_id"}));
    if (port != things.end())
        out.as_object()["port_details"] = json::object{{"device_id", text(port->second, {"device_id"})}};
    return out;
}

net::HttpReply StackProject::neutron(Map& things, const Asked& asked) {
    if (asked.path.empty()) return stack_refusal(404, "there is nothing of the kind");
    const auto& what = asked.path[0];
    if (what == "networks") {
        const json::object inner{{"id", inner_network}, {"name", "inner"}, {"router:external", false}},
            outer{{"id", outer_network}, {"name", "outer"}, {"router:external", true}};
        return stack_reply(200, json::object{{"networks", json::array{inner, outer}}});
    }
    if (what == "ports") {
        auto ports = all(things, "ports");
        if (const auto device = asked.query.find("device_id"); device != asked.query.end())
            std::erase_if(ports, [&](const Json& port) { return text(port, {"device_id"}) != device->second; });
        return stack_reply(200, json::object{{"ports", as_array(ports)}});
    }
    if (what == "floatingips") return addresses(things, asked);
    if (what == "security-groups") return groups(things, asked);
    if (asked.method == "POST") return make_rules(things, asked.body.at("security_group_rules"));
    return drop_rule(things, asked.path[1]);
}

net::HttpReply StackProject::addresses(Map& things, const Asked& asked) {
    if (asked.method == "GET") {
        json::array out;
        const auto wanted = asked.query.find("description");
        for (const auto& one : all(things, "addresses"))
            if (wanted == asked.query.end() || text(one, {"description"}) == wanted->second)
                out.push_back(shown_address(things, one));
        return stack_reply(200, json::object{{"floatingips", std::move(out)}});
    }
    const auto found = things.find("addresses/" + (asked.path.size() > 1 ? asked.path[1] : ""));
    if (asked.method != "POST" && found == things.end()) return stack_refusal(404, "Floating IP could not be found");
    if (asked.method == "DELETE") {
        things.erase(found);
        return stack_reply(204, Json());
    }
    const auto& wanted = asked.body.at("floatingip");
    const auto port = text(wanted, {"port_id"});
    if (!things.contains("ports/" + port)) return stack_refusal(404, "Port could not be found");
    for (const auto& one : all(things, "addresses"))
        if (text(one, {"port_id"}) == port) return stack_refusal(409, "The port already has a floating IP");
    if (asked.method == "PUT") {
        found->second.as_object()["port_id"] = port;
        return stack_reply(200, json::object{{"floatingip", shown_address(things, found->second)}});
    }
    const auto id = next_id("address");
    const json::object made{{"id", id},
                            {"description", text(wanted, {"description"})},
                            {"floating_network_id", text(wanted, {"floating_network_id"})},
                            {"floating_ip_address", "203.0.113." + std::to_string(last_id_)},
                            {"port_id", port}};
    things["addresses/" + id] = made;
    return stack_reply(201, json::object{{"floatingip", shown_address(things, made)}});
}

net::HttpReply StackProject::groups(Map& things, const Asked& asked) {
    if (asked.path.size() == 1 && asked.method == "GET")
        return stack_reply(200, json::object{{"security_groups", as_array(all(things, "groups"))}});
    if (asked.path.size() == 1) {
        const auto& wanted = asked.body.at("security_group");
        const auto id = next_id("group");
        json::array rules;  // Neutron lets everything out
        for (const auto* type : {"IPv4", "IPv6"})
            rules.push_back(json::object{{"id", next_id("rule")}, {"direction", "egress"}, {"ethertype", type}});
        const json::object made{{"id", id},
                                {"name", text(wanted, {"name"})},
                                {"description", text(wanted, {"description"})},
                                {"security_group_rules", std::move(rules)}};
        things["groups/" + id] = made;
        return stack_reply(201, json::object{{"security_group", made}});
    }
    const auto found = things.find("groups/" + asked.path[1]);
    if (found == things.end()) return stack_refusal(404, "Security group could not be found");
    if (asked.method == "PUT")
        found->second.as_object()["description"] = text(asked.body, {"security_group", "description"});
    if (asked.method == "DELETE") {
        for (const auto& server : all(things, "servers"))
            for (const auto& group : server.at("groups").as_array())
                if (group == Json(asked.path[1])) return stack_refusal(409, "Security Group is in use.");
        things.erase(found);
        return stack_reply(204, Json());
    }
    return stack_reply(200, json::object{{"security_group", found->second}});
}

/// All of them, or none.
net::HttpReply StackProject::make_rules(Map& things, const Json& wanted) {
    std::vector<std::pair<std::string, json::object>> made;
    for (const auto& rule : wanted.as_array()) {
        const auto group = "groups/" + text(rule, {"security_group_id"});
        if (!things.contains(group)) return stack_refusal(404, "Security group could not be found");
        auto same = rule.as_object();
        for (const auto& known : things.at(group).at("security_group_rules").as_array()) {
            auto other = known.as_object();
            other.erase("id");
            if (other == same) return stack_refusal(409, "Security group rule already exists");
        }
        same["id"] = next_id("rule");
        made.emplace_back(group, std::move(same));
    }
    for (auto& [group, rule] : made)
        things.at(group).as_object()["security_group_rules"].as_array().push_back(std::move(rule));
    return stack_reply(201, json::object{{"security_group_rules", json::array()}});
}

net::HttpReply StackProject::drop_rule(Map& things, const std::string& id) {
    for (const auto& group : all(things, "groups")) {
        auto& rules = things.at("groups/" + text(group, {"id"})).as_object()["security_group_rules"].as_array();
        for (auto it = rules.begin(); it != rules.end(); ++it)
            if (text(*it, {"id"}) == id) {
                rules.erase(it);
                return stack_reply(204, Json());
            }
    }
    return stack_refusal(404, "Security group rule could not be found");
}

}  // namespace ocim::simulation
