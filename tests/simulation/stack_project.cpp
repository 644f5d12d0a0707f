#include "simulation/stack_project.hpp"

#include "base/clock.hpp"

#include <ctime>
#include <sstream>

/// Keystone, Glance and Nova.
namespace ocim::simulation {

using namespace std::chrono_literals;
using api::Json;
namespace json = api::json;

namespace {

constexpr auto host = "http://stack";

WallTime wall_at(Instant now) {
    // time and the wall's time begin together, see Universe
    return WallTime(std::chrono::sys_days(std::chrono::year(2026) / 1 / 1)) +
           std::chrono::duration_cast<WallTime::duration>(now - Instant(1h));
}

std::string date_of(WallTime time) {
    const auto seconds = std::chrono::system_clock::to_time_t(std::chrono::time_point_cast<std::chrono::seconds>(time));
    std::tm parts{};
    ::gmtime_r(&seconds, &parts);
    char text[64];
    std::strftime(text, sizeof text, "%a, %d %b %Y %H:%M:%S GMT", &parts);
    return text;
}

std::string decoded(const std::string& text) {
    std::string out;
    for (std::size_t i = 0; i < text.size(); ++i)
        if (text[i] == '%' && i + 2 < text.size()) {
            out += static_cast<char>(std::stoi(text.substr(i + 1, 2), nullptr, 16));
            i += 2;
        } else {
            out += text[i];
        }
    return out;
}

json::array as_array(std::vector<Json> items) { return json::array(items.begin(), items.end()); }

std::string text(const Json& value, std::initializer_list<std::string_view> path) {
    return std::string(api::find_text(value, path));
}

}  // namespace

net::HttpReply stack_reply(unsigned status, const Json& body) {
    net::HttpReply out;
    out.status = status;
    if (!body.is_null()) out.body = api::to_text(body);
    return out;
}

net::HttpReply stack_refusal(unsigned status, const std::string& reason) {
    return stack_reply(status, json::object{{"refused", json::object{{"code", status}, {"message", reason}}}});
}

std::string StackProject::wall() const { return rfc3339(wall_at(world_.now())); }

std::vector<Json> StackProject::all(const Map& things, const std::string& sort) {
    std::vector<Json> out;
    for (auto it = things.lower_bound(sort + "/"); it != things.end() && it->first.starts_with(sort + "/"); ++it)
        out.push_back(it->second);
    return out;
}

net::HttpReply StackProject::answer(const std::string& root, Map& things, const net::HttpRequest& request) {
    Asked asked;
    asked.method = request.method;
    const auto question = request.target.find('?');
    std::istringstream path(request.target.substr(1, question - 1));
    for (std::string part; std::getline(path, part, '/');) asked.path.push_back(decoded(part));
    if (question != std::string::npos) {
        std::istringstream query(request.target.substr(question + 1));
        for (std::string pair; std::getline(query, pair, '&');) {
            const auto equals = pair.find('=');
            asked.query[pair.substr(0, equals)] = decoded(pair.substr(equals + 1));
        }
    }
    if (!request.body.empty()) asked.body = api::parse_json(request.body)->value;
    auto out = root == "identity"  ? keystone(asked)
               : root == "image"   ? glance(asked)
               : root == "compute" ? nova(things, asked)
                                   : neutron(things, asked);
    out.headers["date"] = date_of(wall_at(world_.now()));
    return out;
}

net::HttpReply StackProject::keystone(const Asked&) {
    json::array catalog;
    for (const auto& [type, root] :
         std::map<std::string, std::string>{{"compute", "compute"}, {"image", "image"}, {"network", "network"}}) {
        const json::object endpoint{
            {"interface", "public"}, {"region_id", "one"}, {"url", std::string(host) + "/" + root}};
        catalog.push_back(json::object{{"type", type}, {"endpoints", json::array{endpoint}}});
    }
    const auto now = wall_at(world_.now());
    auto out = stack_reply(201, json::object{{"token", json::object{{"issued_at", rfc3339(now)},
                                                                    {"expires_at", rfc3339(now + 1h)},
                                                                    {"project", json::object{{"id", "hosting"}}},
                                                                    {"catalog", std::move(catalog)}}}});
    out.headers["x-subject-token"] = "token";
    return out;
}

net::HttpReply StackProject::glance(const Asked&) {
    const json::object only{{"id", image}, {"name", image}, {"status", "active"}, {"min_ram", 0}, {"min_disk", 0}};
    return stack_reply(200, json::object{{"images", json::array{only}}});
}

// --- Nova

net::HttpReply StackProject::nova(Map& things, const Asked& asked) {
    const auto& path = asked.path;
    if (path.empty()) return stack_reply(200, json::object{{"version", json::object{{"version", "2.90"}}}});
    if (path[0] == "flavors") {
        const json::object only{{"id", flavor}, {"name", flavor}, {"ram", 512}, {"disk", 10}, {"vcpus", 1}};
        return stack_reply(200, json::object{{"flavors", json::array{only}}});
    }
    if (path[0] == "os-keypairs") return stack_reply(200, json::object{{"keypairs", as_array(all(things, "keys"))}});
    if (path[0] != "servers") return stack_refusal(404, "there is nothing of the kind");
    if (path.size() == 1 && asked.method == "POST") return make_server(things, asked.body.at("server"));
    if (path.size() == 1 || path[1] == "detail") {
        auto servers = all(things, "servers");
        if (const auto since = asked.query.find("changes-since"); since != asked.query.end()) {
            for (auto& gone : all(things, "gone")) servers.push_back(std::move(gone));
            const auto first = rfc3339(*parse_rfc3339(since->second));
            std::erase_if(servers, [&](const Json& server) { return text(server, {"updated"}) < first; });
        }
        return stack_reply(200, json::object{{"servers", as_array(std::move(servers))}});
    }
    const auto found = things.find("servers/" + path[1]);
    if (found == things.end()) return stack_refusal(404, "Instance " + path[1] + " could not be found.");
    if (asked.method == "GET") return stack_reply(200, json::object{{"server", found->second}});
    return act_on_server(things, path[1], asked);
}

net::HttpReply StackProject::make_server(Map& things, const Json& wanted) {
    if (text(wanted, {"flavorRef"}) != flavor || text(wanted, {"imageRef"}) != image ||
        !things.contains("keys/" + text(wanted, {"key_name"})))
        return stack_refusal(400, "a flavor, an image or a key that is not here");
    json::array groups;
    if (const auto* names = api::find(wanted, {"security_groups"}))
        for (const auto& name : names->as_array()) {
            if (!things.contains("groups/" + text(name, {"name"}))) return stack_refusal(400, "no such group");
            groups.push_back(Json(text(name, {"name"})));
        }
    const auto uid = text(wanted, {"metadata", "ocim-uid"});
    for (const auto& other : all(things, "servers"))
        if (text(other, {"metadata", "ocim-uid"}) == uid && text(other, {"OS-EXT-STS:task_state"}) != "deleting")
            doubled_.push_back(text(wanted, {"name"}));
    const auto id = next_id("server");
    ++made_[text(wanted, {"metadata", "ocim-namespace"}) + "/" + text(wanted, {"metadata", "ocim-name"})];
    json::object server{{"id", id},
                        {"name", text(wanted, {"name"})},
                        {"status", "BUILD"},
                        {"OS-EXT-STS:task_state", "spawning"},
                        {"metadata", wanted.at("metadata")},
                        {"key_name", text(wanted, {"key_name"})},
                        {"created", wall()},
                        {"updated", wall()},
                        {"image", json::object{{"id", image}}},
                        {"addresses", json::object()},
                        {"groups", groups}};
    things["servers/" + id] = std::move(server);
    if (fails_()) {
        becomes(2s, id, "BUILD", "ERROR");
        return stack_reply(202, json::object{{"server", json::object{{"id", id}}}});
    }
    const auto number = std::to_string(last_id_);
    world_.later(2s, [id, number](Map& now) {
        const auto found = now.find("servers/" + id);
        if (found == now.end() || text(found->second, {"status"}) != "BUILD") return;
        const json::object address{{"addr", "10.20.0." + number}, {"version", 4}, {"OS-EXT-IPS:type", "fixed"}};
        found->second.as_object()["addresses"] = json::object{{"inner", json::array{address}}};
        now["ports/port-" + number] = json::object{{"id", "port-" + number}, {"device_id", id}};
    });
    becomes(4s, id, "BUILD", "ACTIVE");
    return stack_reply(202, json::object{{"server", json::object{{"id", id}}}});
}

/// What Nova is at with a server comes to its end.
void StackProject::becomes(Duration after, const std::string& id, std::string from, std::string to) {
    world_.later(after, [this, id, from = std::move(from), to = std::move(to)](Map& now) {
        const auto found = now.find("servers/" + id);
        if (found == now.end() || text(found->second, {"status"}) != from) return;
        auto& server = found->second.as_object();
        if (text(found->second, {"OS-EXT-STS:task_state"}) == "deleting") return;
        server["status"] = to;
        server["OS-EXT-STS:task_state"] = nullptr;
        server["updated"] = wall();
        if (to == "ACTIVE") server["OS-SRV-USG:launched_at"] = wall();
        if (to == "ERROR") server["fault"] = json::object{{"message", "No valid host was found."}};
    });
}

void StackProject::take_away(Map& things, const std::string& id, const std::string& now) {
    const auto found = things.find("servers/" + id);
    if (found == things.end()) return;
    auto gone = found->second;
    gone.as_object()["status"] = "DELETED";
    gone.as_object()["OS-EXT-STS:task_state"] = nullptr;
    gone.as_object()["updated"] = now;
    things["gone/" + id] = std::move(gone);
    things.erase(found);
    for (const auto& port : all(things, "ports")) {
        if (text(port, {"device_id"}) != id) continue;
        for (const auto& address : all(things, "addresses"))
            if (text(address, {"port_id"}) == text(port, {"id"}))
                things["addresses/" + text(address, {"id"})].as_object()["port_id"] = nullptr;
        things.erase("ports/" + text(port, {"id"}));
    }
}

net::HttpReply StackProject::act_on_server(Map& things, const std::string& id, const Asked& asked) {
    auto& server = things.at("servers/" + id).as_object();
    const auto task = [&](const char* name) {
        server["OS-EXT-STS:task_state"] = name;
        server["updated"] = wall();
    };
    if (asked.method == "DELETE") {
        task("deleting");
        world_.later(2s, [this, id](Map& now) { take_away(now, id, wall()); });
        return stack_reply(204, Json());
    }
    if (asked.path.size() < 3) return stack_refusal(404, "there is nothing of the kind");
    if (asked.path[2] == "metadata") {
        for (const auto& item : asked.body.at("metadata").as_object())
            server["metadata"].as_object()[item.key()] = item.value();
        server["updated"] = wall();
        return stack_reply(200, asked.body);
    }
    const std::string status(server["status"].as_string());
    if (!server["OS-EXT-STS:task_state"].is_null())
        return stack_refusal(409, "Cannot do that while it is in task_state " +
                                      std::string(server["OS-EXT-STS:task_state"].as_string()));
    const auto& what = asked.body.as_object();
    if (what.contains("os-stop") && status == "ACTIVE") {
        task("powering-off");
        becomes(1s, id, "ACTIVE", "SHUTOFF");
    } else if (what.contains("os-start") && status == "SHUTOFF") {
        task("powering-on");
        becomes(1s, id, "SHUTOFF", "ACTIVE");
    } else if (what.contains("reboot") && status == "ACTIVE") {
        server["status"] = "REBOOT";
        task("rebooting");
        becomes(3s, id, "REBOOT", "ACTIVE");
    } else {
        return stack_refusal(409, "Cannot do that while it is in vm_state " + status);
    }
    return stack_reply(202, Json());
}

}  // namespace ocim::simulation
