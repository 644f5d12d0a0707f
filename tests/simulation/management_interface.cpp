#include "simulation/management_interface.hpp"

#include "api/json.hpp"
#include "messaging/text.hpp"

#include <map>
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

net::HttpReply not_there() { return reply(404, json::object{{"error", "Object Not Found"}, {"reason", "Not Found"}}); }

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
        case Kind::policy:
            fields["vhost"] = key.vhost;
            fields["name"] = key.name;
            break;
        case Kind::topic:
        case Kind::user_limit: break;  // shown otherwise
    }
    return out;
}

json::array topics_of(const Key& key, const Thing& thing) {
    json::array out;
    for (const auto& [exchange, permission] : thing.topics) {
        auto row = messaging::topic_body(exchange, permission);
        row.as_object()["vhost"] = key.vhost;
        row.as_object()["user"] = key.name;
        out.push_back(std::move(row));
    }
    return out;
}

/// A user with its limits.
Json shown_user(const Snapshot& things, const Key& key, const Thing& thing) {
    auto out = shown(key, thing);
    json::object limits;
    for (const auto& [other, limit] : things)
        if (other.kind == Kind::user_limit && other.name == key.name) limits[other.limit] = limit.limit;
    out.as_object()["limits"] = std::move(limits);
    return out;
}

net::HttpReply list(const Snapshot& things, Kind kind) {
    json::array out;
    for (const auto& [key, thing] : things) {
        if (key.kind != kind) continue;
        if (kind == Kind::topic)
            for (auto& row : topics_of(key, thing)) out.push_back(std::move(row));
        else
            out.push_back(kind == Kind::user ? shown_user(things, key, thing) : shown(key, thing));
    }
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
        case Kind::limit:
        case Kind::user_limit: out.limit = api::find(body, {"value"})->to_number<std::int64_t>(); break;
        case Kind::policy:
            out.policy = {text("pattern"), text("apply-to"), api::find(body, {"priority"})->to_number<std::int64_t>(),
                          *api::find(body, {"definition"})};
            break;
        case Kind::topic: break;  // one row of several
    }
    return out;
}

void forget(Snapshot& things, const Key& gone) {
    std::erase_if(things, [&](const auto& item) {
        const auto& key = item.first;
        const bool of_vhost = gone.kind == Kind::vhost && key.vhost == gone.vhost;
        const bool a_users = key.kind == Kind::permission || key.kind == Kind::topic || key.kind == Kind::user_limit;
        const bool of_user = gone.kind == Kind::user && a_users && key.name == gone.name;
        return key == gone || of_vhost || of_user;
    });
}

net::HttpReply put(Snapshot& things, const Key& key, const std::string& text) {
    const auto parsed = api::parse_json(text);
    if (!parsed) return refusal(400, "not_json");
    const bool of_vhost = key.kind != Kind::user && key.kind != Kind::user_limit;
    const bool of_user = key.kind == Kind::permission || key.kind == Kind::topic || key.kind == Kind::user_limit;
    if ((of_vhost && key.kind != Kind::vhost && !things.contains({Kind::vhost, key.vhost, ""})) ||
        (of_user && !things.contains({Kind::user, "", key.name})))
        return refusal(400, "vhost_or_user_not_found");
    if (key.kind == Kind::topic) {
        const auto field = [&](const char* name) { return std::string(api::find_text(parsed->value, {name})); };
        things[key].topics[field("exchange")] = {field("write"), field("read")};
        return reply(204, json::object());
    }
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
    const auto part = [&](std::size_t n) { return parts.size() > n ? parts[n] : std::string(); };
    static const std::map<std::string, Kind> kinds{{"permissions", Kind::permission},
                                                   {"vhost-limits", Kind::limit},
                                                   {"topic-permissions", Kind::topic},
                                                   {"policies", Kind::policy}};
    Key key;
    if (what == "vhosts")
        key = {Kind::vhost, part(2), ""};
    else if (what == "users")
        key = {Kind::user, "", part(2)};
    else if (what == "user-limits")
        key = {Kind::user_limit, "", part(2), part(3)};
    else
        key = {kinds.at(what), part(2), part(3)};
    if (parts.size() == 2) return list(things, key.kind);
    if (request.method == "PUT") return put(things, key, request.body);
    const auto found = things.find(key);
    if (found == things.end()) return not_there();
    if (request.method == "GET") return reply(200, shown(key, found->second));
    forget(things, key);
    return reply(204, json::object());
}

}  // namespace ocim::simulation
