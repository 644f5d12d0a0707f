#include "messaging/text.hpp"

#include "net/http_client.hpp"
#include "runtime/base64.hpp"

#include <openssl/evp.h>
#include <algorithm>

namespace ocim::messaging {

namespace {

using api::Json;
namespace json = api::json;
using Kind = Key::Kind;

constexpr std::size_t salt_bytes = 4;
constexpr std::string_view installation_word = "i=", uid_word = "u=", namespace_word = "s=", name_word = "n=",
                           retained_word = "retained";

Error unreadable(std::string_view what) {
    return {ErrorClass::unreachable, "what answers is not RabbitMQ's management interface: " + std::string(what)};
}

std::string sha256(std::string_view text) {
    std::string out(32, '\0');
    unsigned size = 0;
    EVP_Digest(text.data(), text.size(), reinterpret_cast<unsigned char*>(out.data()), &size, EVP_sha256(), nullptr);
    return out;
}

/// Tags come as an array; before 3.8 as one text with commas.
std::set<std::string> read_tags(const Json& item) {
    std::set<std::string> out;
    const auto* tags = api::find(item, {"tags"});
    if (tags && tags->is_array())
        for (const auto& tag : tags->get_array())
            if (tag.is_string()) out.emplace(tag.get_string());
    std::string_view text = api::find_text(item, {"tags"});
    while (!text.empty()) {
        const auto end = std::min(text.find(','), text.size());
        if (end > 0) out.emplace(text.substr(0, end));
        text.remove_prefix(std::min(end + 1, text.size()));
    }
    return out;
}

Result<std::pair<Key, Thing>> read_vhost(const Json& item) {
    const std::string name(api::find_text(item, {"name"}));
    if (name.empty()) return unreadable("a vhost without a name");
    Thing thing;
    thing.mark = runtime::Mark::parse(api::find_text(item, {"description"}));
    thing.reserved = name == "/";
    for (const auto& tag : read_tags(item))
        if (tag.starts_with(policy_word)) thing.policies.insert(tag.substr(policy_word.size()));
    if (const auto* nodes = api::find(item, {"cluster_state"}); nodes && nodes->is_object())
        thing.running = std::ranges::all_of(nodes->get_object(), [](const auto& node) {
            return node.value().is_string() && node.value() == "running";
        });
    return std::pair(Key{Kind::vhost, name, ""}, std::move(thing));
}

Result<std::pair<Key, Thing>> read_user(const Json& item, const std::string& own_user) {
    const std::string name(api::find_text(item, {"name"}));
    if (name.empty()) return unreadable("a user without a name");
    Thing thing;
    thing.hash = api::find_text(item, {"password_hash"});
    thing.algorithm = api::find_text(item, {"hashing_algorithm"});
    thing.tags = read_tags(item);
    thing.mark = take_mark(thing.tags);
    thing.reserved = name == own_user || name == "guest";
    return std::pair(Key{Kind::user, "", name}, std::move(thing));
}

/// The limits in a user's own entry. Older brokers, and those that have not switched them on, have none there.
Result<void> read_user_limits(const Json& item, Snapshot& out) {
    const auto* limits = api::find(item, {"limits"});
    if (!limits || (limits->is_array() && limits->get_array().empty())) return {};
    if (!limits->is_object()) return unreadable("limits that are none");
    for (const auto& [limit, value] : limits->get_object()) {
        if (!value.is_int64() || value.get_int64() < 0) continue;  // -1 means none
        const Key key{Kind::user_limit, "", std::string(api::find_text(item, {"name"})), std::string(limit)};
        out[key].limit = value.get_int64();
    }
    return {};
}

Result<std::pair<Key, Thing>> read_permission(const Json& item) {
    const std::string vhost(api::find_text(item, {"vhost"})), user(api::find_text(item, {"user"}));
    if (vhost.empty() || user.empty()) return unreadable("a permission of nobody");
    Thing thing;
    thing.permission = {std::string(api::find_text(item, {"configure"})), std::string(api::find_text(item, {"write"})),
                        std::string(api::find_text(item, {"read"}))};
    return std::pair(Key{Kind::permission, vhost, user}, std::move(thing));
}

Result<void> read_topic(const Json& item, Snapshot& out) {
    const std::string vhost(api::find_text(item, {"vhost"})), user(api::find_text(item, {"user"}));
    const auto* exchange = api::find(item, {"exchange"});
    if (vhost.empty() || user.empty() || !exchange || !exchange->is_string())
        return unreadable("a topic permission of nobody");
    out[{Kind::topic, vhost, user}].topics[std::string(exchange->get_string())] = {
        std::string(api::find_text(item, {"write"})), std::string(api::find_text(item, {"read"}))};
    return {};
}

Result<void> read_policy(const Json& item, Snapshot& out) {
    const std::string vhost(api::find_text(item, {"vhost"})), name(api::find_text(item, {"name"}));
    const auto* definition = api::find(item, {"definition"});
    if (vhost.empty() || name.empty() || !definition) return unreadable("a policy of nothing");
    auto& policy = out[{Kind::policy, vhost, name}].policy;
    policy.pattern = api::find_text(item, {"pattern"});
    policy.apply_to = api::find_text(item, {"apply-to"});
    const auto* priority = api::find(item, {"priority"});
    policy.priority = priority && priority->is_int64() ? priority->get_int64() : 0;
    policy.definition = *definition;
    return {};
}

Result<void> read_limits(const Json& item, Snapshot& out) {
    const std::string vhost(api::find_text(item, {"vhost"}));
    const auto* values = api::find(item, {"value"});
    if (!vhost.empty() && values && values->is_array() && values->get_array().empty()) return {};  // none are left
    if (vhost.empty() || !values || !values->is_object()) return unreadable("limits of nothing");
    for (const auto& [name, value] : values->get_object()) {
        if (!value.is_int64() || value.get_int64() < 0) continue;  // -1 means none
        out[{Kind::limit, vhost, std::string(name)}].limit = value.get_int64();
    }
    return {};
}

/// For people who look, and for what has no place for a mark of its own.
std::string vhost_tags(const Thing& thing) {
    if (!thing.mark) return "";
    std::string out(mark_tag);
    for (const auto& name : thing.policies) out += "," + std::string(policy_word) + name;
    return out;
}

}  // namespace

Result<void> check_whoami(const std::string& body, const std::string& own_user) {
    const auto parsed = api::parse_json(body);
    if (!parsed || api::find_text(parsed->value, {"name"}) != own_user) return unreadable("it does not say who we are");
    if (!read_tags(parsed->value).contains("administrator"))
        return Error{ErrorClass::auth, "the user " + own_user + " lacks the tag administrator"};
    return {};
}

std::string path_of(const Key& key) {
    const auto vhost = net::percent_encode(key.vhost), name = net::percent_encode(key.name);
    switch (key.kind) {
        case Kind::vhost: return "/api/vhosts/" + vhost;
        case Kind::user: return "/api/users/" + name;
        case Kind::permission: return "/api/permissions/" + vhost + "/" + name;
        case Kind::limit: return "/api/vhost-limits/" + vhost + "/" + name;
        case Kind::topic: return "/api/topic-permissions/" + vhost + "/" + name;
        case Kind::user_limit: return "/api/user-limits/" + name + "/" + net::percent_encode(key.limit);
        case Kind::policy: break;
    }
    return "/api/policies/" + vhost + "/" + name;
}

Json body_of(const Key& key, const Thing& thing) {
    json::object out;
    switch (key.kind) {
        case Kind::vhost:  // without a body the description and the tags would be wiped
            out["description"] = thing.mark ? thing.mark->text() : "";
            out["tags"] = vhost_tags(thing);
            break;
        case Kind::user: {  // without a credential the password would be removed
            auto tags = thing.tags;
            if (thing.mark) tags.merge(tags_of(*thing.mark));
            std::string text;
            for (const auto& tag : tags) text += (text.empty() ? "" : ",") + tag;
            out["tags"] = text;
            out["password_hash"] = thing.hash;
            out["hashing_algorithm"] = thing.algorithm;
            break;
        }
        case Kind::permission:
            out["configure"] = thing.permission.configure;
            out["write"] = thing.permission.write;
            out["read"] = thing.permission.read;
            break;
        case Kind::limit:
        case Kind::user_limit: out["value"] = thing.limit; break;
        case Kind::policy:
            out["pattern"] = thing.policy.pattern;
            out["apply-to"] = thing.policy.apply_to;
            out["priority"] = thing.policy.priority;
            out["definition"] = thing.policy.definition;
            break;
        case Kind::topic: break;
    }
    return out;
}

Json topic_body(const std::string& exchange, const TopicPermission& permission) {
    return json::object{{"exchange", exchange}, {"write", permission.write}, {"read", permission.read}};
}

std::set<std::string> tags_of(const runtime::Mark& mark) {
    const auto slash = mark.namespace_name.find('/');
    const auto namespace_ = slash == std::string::npos ? "" : mark.namespace_name.substr(0, slash);
    const auto name = mark.namespace_name.substr(slash == std::string::npos ? 0 : slash + 1);
    std::set<std::string> out{std::string(mark_tag), std::string(installation_word) + mark.installation,
                              std::string(uid_word) + mark.uid, std::string(namespace_word) + namespace_,
                              std::string(name_word) + name};
    if (mark.retained) out.emplace(retained_word);
    return out;
}

std::optional<runtime::Mark> take_mark(std::set<std::string>& tags) {
    runtime::Mark mark;
    std::string namespace_, name;
    std::set<std::string> rest;
    bool ours = false;
    for (const auto& tag : tags) {
        const std::string_view text(tag);
        if (text == mark_tag)
            ours = true;
        else if (text.starts_with(installation_word))
            mark.installation = text.substr(2);
        else if (text.starts_with(uid_word))
            mark.uid = text.substr(2);
        else if (text.starts_with(namespace_word))
            namespace_ = text.substr(2);
        else if (text.starts_with(name_word))
            name = text.substr(2);
        else if (text == retained_word)
            mark.retained = true;
        else
            rest.insert(tag);
    }
    if (!ours || mark.installation.empty() || mark.uid.empty() || name.empty()) return std::nullopt;
    mark.namespace_name = namespace_.empty() ? name : namespace_ + "/" + name;
    tags = std::move(rest);
    return mark;
}

std::string hash_of(const Secret& password, std::string_view salt) {
    const std::string start(salt.substr(0, salt_bytes));
    return runtime::base64(start + sha256(start + password.reveal()));
}

bool fits(const Thing& user, const Secret& password) {
    if (user.algorithm != hash_algorithm) return false;
    const auto bytes = runtime::from_base64(user.hash);
    return bytes && bytes->size() > salt_bytes && hash_of(password, *bytes) == user.hash;
}

std::optional<PasswordHash> read_hash(const Secret& text) {
    std::string trimmed = text.reveal();
    std::erase_if(trimmed, [](char c) { return c == '\n' || c == '\r' || c == ' '; });
    const auto bytes = runtime::from_base64(trimmed);
    if (!bytes) return std::nullopt;
    constexpr std::size_t sha256_bytes = 32, sha512_bytes = 64;
    if (bytes->size() == salt_bytes + sha256_bytes) return PasswordHash{trimmed, std::string(hash_algorithm)};
    if (bytes->size() == salt_bytes + sha512_bytes) return PasswordHash{trimmed, "rabbit_password_hashing_sha512"};
    return std::nullopt;
}

Result<void> read_list(List list, const std::string& body, const std::string& own_user, Snapshot& out) {
    const auto parsed = api::parse_json(body);
    if (!parsed) return unreadable(parsed.error().message);
    if (!parsed->value.is_array()) return unreadable("a list that is none");
    const auto add = [&out](Result<std::pair<Key, Thing>> read) -> Result<void> {
        if (!read) return std::move(read).error();
        out.insert(*std::move(read));
        return {};
    };
    for (const auto& item : parsed->value.get_array()) {
        Result<void> done;
        switch (list) {
            case List::vhosts: done = add(read_vhost(item)); break;
            case List::users:
                done = add(read_user(item, own_user));
                if (done) done = read_user_limits(item, out);
                break;
            case List::permissions: done = add(read_permission(item)); break;
            case List::limits: done = read_limits(item, out); break;
            case List::topics: done = read_topic(item, out); break;
            case List::policies: done = read_policy(item, out); break;
        }
        if (!done) return done;
    }
    return {};
}

Result<Thing> read_one(const Key& key, const std::string& body, const std::string& own_user) {
    const auto parsed = api::parse_json(body);
    if (!parsed) return unreadable(parsed.error().message);
    if (key.kind == Kind::policy) {
        Snapshot seen;
        if (auto read = read_policy(parsed->value, seen); !read) return std::move(read).error();
        if (!seen.contains(key)) return unreadable("it answers for another name");
        return std::move(seen.at(key));
    }
    auto read = key.kind == Kind::vhost ? read_vhost(parsed->value) : read_user(parsed->value, own_user);
    if (!read) return std::move(read).error();
    if (read->first != key) return unreadable("it answers for another name");
    return std::move(read->second);
}

bool says_not_there(const std::string& body) {
    const auto parsed = api::parse_json(body);
    const auto word = parsed ? api::find_text(parsed->value, {"error"}) : std::string_view();
    return word == "Object Not Found" || word == "not_found";
}

std::string reason_of(const std::string& body) {
    const auto parsed = api::parse_json(body);
    if (!parsed) return "without a reason";
    const auto* reason = api::find(parsed->value, {"reason"});
    if (!reason) return "without a reason";
    std::string out;
    if (reason->is_string()) out = reason->get_string();
    if (reason->is_array() && !reason->get_array().empty() && reason->get_array()[0].is_string())
        out = reason->get_array()[0].get_string();
    if (out == "invalid_regexp") return "a permission is not a regular expression";
    std::string line;
    for (const char c : out) {
        if (c > ' ' && c <= '~') line += c;
        const bool gap = c == ' ' || c == '\n';
        if (gap && !line.empty() && line.back() != ' ') line += c == '\n' ? "; " : " ";
    }
    while (line.ends_with("; ") || line.ends_with(' ')) line.pop_back();
    if (line.ends_with(';')) line.pop_back();
    return line.empty() ? "without a reason" : line.substr(0, 300);
}

}  // namespace ocim::messaging
