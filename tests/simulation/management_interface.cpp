#include "simulation/management_interface.hpp"

#include "api/json.hpp"
#include "messaging/text.hpp"

#include <sstream>
#include <vector>

namespace ocim::simulation {

using api::Json;
using messaging::Key;
using messaging::Snapshot;
using messaging::Thing;
using Kind = Key::Kind;
namespace json = api::json;

namespace {

net::HttpReply reply(unsigned status, const Json& body) {
    net::HttpReply out;
    out.status = status;
    out.body = api::to_text(body);
    return out;
}

net::HttpReply refusal(unsigned status, const char* reason) {
    return reply(status, json::object{{"error", "refused"}, {"reason", reason}});
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

/// "/api/permissions/a%2Fb/c" -> "api", "permissions", "a/b", "c".
std::vector<std::string> parts_of(const std::string& target) {
    std::vector<std::string> out;
    std::istringstream path(target.substr(1, target.find('?') - 1));
    for (std::string part; std::getline(path, part, '/');) out.push_back(decoded(part));
    return out;
}

Json shown(const Key& key, const Thing& thing) {
    auto out = messaging::body_of(key, thing);
    auto& fields = out.as_object();
    switch (key.kind) {
        case Kind::vhost:
            fields["name"] = key.vhost;
            fields["cluster_state"] = json::object{{"rabbit@one", thing.running ? "running" : "stopped"}};
            break;
        case Kind::user: {
            json::array tags;
            std::istringstream text{std::string(fields["tags"].as_string())};
            for (std::string tag; std::getline(text, tag, ',');) tags.emplace_back(tag);
            fields["name"] = key.name;
            fields["tags"] = std::move(tags);
            break;
        }
        case Kind::permission:
            fields["vhost"] = key.vhost;
            fields["user"] = key.name;
            break;
        case Kind::limit:
            fields["vhost"] = key.vhost;
            fields["value"] = json::object{{key.name, thing.limit}};
            break;
    }
    return out;
}

net::HttpReply list(const Snapshot& things, Kind kind) {
    json::array out;
    for (const auto& [key, thing] : things)
        if (key.kind == kind) out.push_back(shown(key, thing));
    return reply(200, out);
}

Thing read(Kind kind, const Json& body) {
    Thing out;
    const auto text = [&](const char* field) { return std::string(api::find_text(body, {field})); };
    switch (kind) {
        case Kind::vhost: out.mark = runtime::Mark::parse(text("description")); break;
        case Kind::user: {
            std::istringstream tags(text("tags"));
            for (std::string tag; std::getline(tags, tag, ',');) out.tags.insert(tag);
            out.mark = messaging::take_mark(out.tags);
            out.hash = text("password_hash");
            out.algorithm = text("hashing_algorithm");
            break;
        }
        case Kind::permission: out.permission = {text("configure"), text("write"), text("read")}; break;
        case Kind::limit: out.limit = api::find(body, {"value"})->to_number<std::int64_t>(); break;
    }
    return out;
}

void forget(Snapshot& things, const Key& gone) {
    std::erase_if(things, [&](const auto& item) {
        const auto& key = item.first;
        const bool of_vhost = gone.kind == Kind::vhost && key.kind != Kind::user && key.vhost == gone.vhost;
        const bool of_user = gone.kind == Kind::user && key.kind == Kind::permission && key.name == gone.name;
        return key == gone || of_vhost || of_user;
    });
}

net::HttpReply put(Snapshot& things, const Key& key, const std::string& text) {
    const auto parsed = api::parse_json(text);
    if (!parsed) return refusal(400, "not_json");
    const bool grounded = key.kind == Kind::vhost || key.kind == Kind::user ||
                          (things.contains({Kind::vhost, key.vhost, ""}) &&
                           (key.kind == Kind::limit || things.contains({Kind::user, "", key.name})));
    if (!grounded) return refusal(400, "vhost_or_user_not_found");
    auto thing = read(key.kind, parsed->value);
    if (const auto found = things.find(key); found != things.end()) thing.running = found->second.running;
    const bool fresh = things.insert_or_assign(key, std::move(thing)).second;
    return reply(fresh ? 201 : 204, json::object());
}

}  // namespace

net::HttpReply answer_as_rabbitmq(Snapshot& things, const net::HttpRequest& request) {
    const auto parts = parts_of(request.target);
    if (parts.size() < 2) return refusal(404, "Not Found");
    const auto& what = parts[1];
    if (what == "whoami") return reply(200, json::object{{"name", "admin"}, {"tags", json::array{"administrator"}}});
    Key key;
    if (what == "vhosts")
        key = {Kind::vhost, parts.size() > 2 ? parts[2] : "", ""};
    else if (what == "users")
        key = {Kind::user, "", parts.size() > 2 ? parts[2] : ""};
    else
        key = {what == "permissions" ? Kind::permission : Kind::limit, parts.size() > 2 ? parts[2] : "",
               parts.size() > 3 ? parts[3] : ""};
    if (parts.size() == 2) return list(things, key.kind);
    if (request.method == "PUT") return put(things, key, request.body);
    const auto found = things.find(key);
    if (found == things.end()) return refusal(404, "Not Found");
    if (request.method == "GET") return reply(200, shown(key, found->second));
    forget(things, key);
    return reply(204, json::object());
}

}  // namespace ocim::simulation
