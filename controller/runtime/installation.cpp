#include "runtime/installation.hpp"

#include "base/random.hpp"

#include <algorithm>

namespace ocim::runtime {

namespace {

using api::Json;

constexpr std::string_view our_namespace = "ocim-system";
constexpr std::string_view installation_name = "ocim-installation";

Json installation_object(const std::string& id) {
    api::json::object metadata;
    metadata["name"] = installation_name;
    metadata["namespace"] = our_namespace;
    api::json::object data;
    data["id"] = id;
    api::json::object out;
    out["apiVersion"] = "v1";
    out["kind"] = "ConfigMap";
    out["metadata"] = std::move(metadata);
    out["data"] = std::move(data);
    return out;
}

Json namespace_object() {
    api::json::object metadata;
    metadata["name"] = our_namespace;
    api::json::object out;
    out["apiVersion"] = "v1";
    out["kind"] = "Namespace";
    out["metadata"] = std::move(metadata);
    return out;
}

bool made_or_there(const Result<Json>& result) { return result || result.error().error_class == ErrorClass::conflict; }

bool plain(char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'); }

}  // namespace

Result<void> check_installation_id(const std::string& id) {
    constexpr std::size_t length_max = 32;
    const bool good = !id.empty() && id.size() <= length_max && plain(id.front()) && plain(id.back()) &&
                      std::ranges::all_of(id, [](char c) { return plain(c) || c == '-'; });
    if (good) return {};
    return Error{ErrorClass::invalid,
                 "\"" + id +
                     "\" is no id of an installation: give 1 to 32 of a-z, 0-9 and \"-\", the first "
                     "and the last no \"-\""};
}

awaitable<Result<std::string>> learn_installation(client::Client& client, Random& random, std::string wanted) {
    const std::string in(our_namespace), name(installation_name);
    auto found = co_await client.get(api::config_map_kind, in, name);
    if (!found) {
        if (found.error().error_class != ErrorClass::not_found) co_return std::move(found).error();
        const auto id = wanted.empty() ? random.text(10, "abcdefghijklmnopqrstuvwxyz0123456789") : wanted;
        auto fresh = installation_object(id);
        auto made = co_await client.create(api::config_map_kind, std::move(fresh));
        if (!made && made.error().error_class == ErrorClass::not_found) {  // its namespace is not there
            auto home = namespace_object();
            const auto made_home = co_await client.create(api::namespace_kind, std::move(home));
            if (!made_or_there(made_home)) co_return Error(made_home.error()).within("namespace ocim-system");
            fresh = installation_object(id);
            made = co_await client.create(api::config_map_kind, std::move(fresh));
        }
        if (!made_or_there(made)) co_return Error(made.error()).within("ConfigMap ocim-installation");
        found = co_await client.get(api::config_map_kind, in, name);  // another replica may have been first
        if (!found) co_return std::move(found).error();
    }
    std::string id(api::find_text(*found, {"data", "id"}));
    if (id.empty())
        co_return Error{ErrorClass::invalid,
                        "ConfigMap ocim-system/ocim-installation has no data.id: put back the installation's id, or "
                        "delete it when this installation owns nothing yet"};
    if (!wanted.empty() && id != wanted)
        co_return Error{ErrorClass::invalid, "this installation is \"" + id + "\" and cannot become \"" + wanted +
                                                 "\": what it has made carries that id. Leave the id out or give \"" +
                                                 id + "\"; for another installation take another data directory"};
    co_return id;
}

}  // namespace ocim::runtime
