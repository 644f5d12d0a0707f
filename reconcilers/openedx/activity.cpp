#include "openedx/activity.hpp"

#include "openedx/activity_program.hpp"

#include <algorithm>
#include <charconv>
#include <chrono>
#include <map>
#include <tuple>

namespace ocim::openedx {
namespace {

using api::Json;
using Key = std::pair<std::string, std::string>;  // namespace, name

std::string text_at(const Json& object, std::initializer_list<std::string_view> path) {
    return std::string(api::find_text(object, path));
}

std::map<Key, const Json*> by_name(const Json& list) {
    std::map<Key, const Json*> out;
    if (const auto* items = api::find(list, {"items"}); items && items->is_array())
        for (const auto& item : items->get_array())
            out[{text_at(item, {"metadata", "namespace"}), text_at(item, {"metadata", "name"})}] = &item;
    return out;
}

const Json* named(const std::map<Key, const Json*>& objects, const Key& key) {
    const auto found = objects.find(key);
    return found == objects.end() ? nullptr : found->second;
}

std::string first_address(const Json& object) {
    const auto* addresses = api::find(object, {"status", "addresses"});
    if (!addresses || !addresses->is_array() || addresses->get_array().empty()) return "";
    const auto& first = addresses->get_array().front();
    return first.is_string() ? std::string(first.get_string()) : "";
}

bool wants_visitors(const Json& appserver) {
    const auto* active = api::find(appserver, {"spec", "active"});
    return active && active->is_bool() && active->get_bool();
}

std::string either(std::string first, std::string second) {
    return first.empty() ? std::move(second) : std::move(first);
}

std::string quoted(const std::string& text) {
    std::string out = "\"";
    for (const char c : text) {
        if (c == '"') out += '"';
        out += c;
    }
    return out + "\"";
}

std::string number(const std::optional<std::int64_t>& value) { return value ? std::to_string(*value) : quoted("N/A"); }

std::optional<std::int64_t> value_after(std::string_view line, std::string_view word) {
    if (!line.starts_with(word)) return std::nullopt;
    line.remove_prefix(word.size());
    std::int64_t out = 0;
    const auto [end, error] = std::from_chars(line.data(), line.data() + line.size(), out);
    if (error != std::errc() || end != line.data() + line.size() || out < 0) return std::nullopt;
    return out;
}

}  // namespace

std::vector<ActiveServer> active_servers(const ListedObjects& listed, WallTime now) {
    const auto instances = by_name(listed.instances), classes = by_name(listed.classes),
               machines = by_name(listed.machines);
    std::vector<std::pair<std::tuple<std::string, Key, Key>, ActiveServer>> found;
    for (const auto& [key, appserver] : by_name(listed.appservers)) {
        const Key owner{key.first, text_at(*appserver, {"spec", "instanceName"})};
        const auto* instance = named(instances, owner);
        ActiveServer out;
        out.address = first_address(*appserver);
        if (!instance || out.address.empty() || !wants_visitors(*appserver)) continue;
        out.appserver = key.first + "/" + key.second;
        out.domain = text_at(*instance, {"status", "domains", "lms"});
        out.name = either(text_at(*instance, {"spec", "displayName"}), owner.second);
        out.email = text_at(*instance, {"spec", "email"});
        const auto* of_class = named(classes, {"", text_at(*instance, {"spec", "className"})});
        if (of_class && out.email.empty()) out.email = text_at(*of_class, {"spec", "email"});
        const auto made = text_at(*instance, {"metadata", "creationTimestamp"});
        if (const auto since = parse_rfc3339(made); since && *since <= now)
            out.age_days = std::chrono::floor<std::chrono::days>(now - *since).count();
        if (const auto* machine = named(machines, key)) {
            out.ssh_user = text_at(*machine, {"spec", "sshUser"});
            out.ssh_key_secret = text_at(*machine, {"spec", "sshKeyRef", "name"});
            out.host_key = text_at(*machine, {"status", "sshHostKey"});
        }
        found.emplace_back(std::tuple(made, owner, key), std::move(out));
    }
    std::ranges::sort(found, {}, [](const auto& item) { return item.first; });
    std::vector<ActiveServer> out;
    for (auto& [order, server] : found) out.push_back(std::move(server));
    return out;
}

Activity read_activity(const std::string& output) {
    Activity out;
    for (std::size_t at = 0; at < output.size();) {
        const auto end = std::min(output.find('\n', at), output.size());
        const auto line = std::string_view(output).substr(at, end - at);
        at = end + 1;
        if (const auto value = value_after(line, "hits ")) out.hits = value;
        if (const auto value = value_after(line, "users ")) out.users = value;
        if (const auto value = value_after(line, "courses ")) out.courses = value;
    }
    return out;
}

std::vector<std::string> activity_command(const std::string& ssh_user, const std::string& root) {
    std::vector<std::string> out;
    if (ssh_user != "root") out = {"sudo", "-n"};
    for (const auto* word : {"sh", "-c", activity_program, "ocim"}) out.emplace_back(word);
    out.push_back(root);
    return out;
}

std::string activity_csv(const std::vector<ActiveServer>& servers, const std::vector<Activity>& activities) {
    std::string out =
        "\"Appserver IP\",\"Internal LMS Domain\",\"Name\",\"Contact Email\",\"Unique Hits\",\"Total Users\","
        "\"Total Courses\",\"Age (Days)\"\r\n";
    for (std::size_t n = 0; n < servers.size(); ++n) {
        const auto& server = servers[n];
        const auto activity = n < activities.size() ? activities[n] : Activity();
        for (const auto* text : {&server.address, &server.domain, &server.name, &server.email})
            out += quoted(text->empty() ? "N/A" : *text) + ",";
        out += number(activity.hits) + "," + number(activity.users) + "," + number(activity.courses) + "," +
               number(server.age_days) + "\r\n";
    }
    return out;
}

}  // namespace ocim::openedx
