#include "base/log.hpp"
#include "registry/definition.hpp"
#include "registry/follower.hpp"
#include "registry/state.hpp"
#include "schema/builtin.hpp"

/// What is served, and how it follows the definitions that are stored.
namespace ocim::registry {

using api::Json;

namespace {

// one slice of warming up, some 2 ms
constexpr std::size_t warm_looked_max = 5'000;
constexpr std::size_t warm_refreshed_max = 50;

}  // namespace

Registry::State::State(store::Store& store_, Clock& clock_, Random& random_, Metrics& metrics_, Settings settings_)
    : store(store_),
      clock(clock_),
      random(random_),
      metrics(metrics_),
      settings(settings_),
      quota_news(make_follower(store, {{"", "resourcequotas"}})) {}

std::string Registry::State::now() const { return rfc3339(clock.wall()); }

ServedPtr Registry::State::served(std::string_view group, std::string_view version, std::string_view plural) const {
    const auto found = catalog.find(Name(group, plural, version));
    return found == catalog.end() ? nullptr : found->second;
}

ServedPtr Registry::State::served(const Resource& resource) const {
    return served(resource.group, resource.version, resource.plural);
}

ServedPtr Registry::State::served_of_key(std::string_view key) const {
    const auto group_end = key.find('/');
    const auto plural_end = key.find('/', group_end + 1);
    if (plural_end == std::string_view::npos) return nullptr;
    auto group = key.substr(0, group_end);
    if (group == "core") group = "";
    const auto plural = key.substr(group_end + 1, plural_end - group_end - 1);
    const auto first = catalog.lower_bound(Name(group, plural, ""));
    if (first == catalog.end() || std::get<0>(first->first) != group || std::get<1>(first->first) != plural)
        return nullptr;
    return first->second;
}

ServedPtr Registry::State::served_of_kind(std::string_view group, std::string_view version,
                                          std::string_view kind) const {
    for (auto at = catalog.lower_bound(Name(group, "", "")); at != catalog.end() && std::get<0>(at->first) == group;
         ++at)
        if (at->second->resource.version == version && at->second->resource.kind == kind) return at->second;
    return nullptr;
}

Result<void> Registry::State::serve_built_in() {
    for (const auto text : schema::builtin_schemas()) {
        auto parsed = api::parse_json(text);
        if (!parsed) return std::move(parsed).error().within("a built-in schema");
        auto definition = std::move(parsed->value);
        prepare_definition(definition, nullptr);
        auto compiled = compile_definition(definition, true);
        if (!compiled) return std::move(compiled).error().within(api::find_text(definition, {"metadata", "name"}));
        for (auto& served : *compiled) {
            const auto& resource = served->resource;
            catalog[Name(resource.group, resource.plural, resource.version)] = served;
        }
    }
    ++discovery;
    return {};
}

Result<void> Registry::State::serve_definition(const Json& definition, Revision revision) {
    const std::string name(api::find_text(definition, {"metadata", "name"}));
    auto compiled = compile_definition(definition, false);
    if (!compiled) return std::move(compiled).error();
    std::vector<Name> names;
    for (auto& served : *compiled) {
        const auto& resource = served->resource;
        names.emplace_back(resource.group, resource.plural, resource.version);
        served->schema_since = revision;
        const auto before = catalog.find(names.back());
        if (before == catalog.end()) continue;
        served->retired = before->second->retired;
        // only a changed schema makes older objects look different
        if (before->second->stored_version == served->stored_version &&
            before->second->resource.schema.open_api() == resource.schema.open_api()) {
            served->schema_since = before->second->schema_since;
            served->refreshed = before->second->refreshed;
        }
    }
    for (const auto& served : *compiled) warming.push_back({served, ""});
    auto& mine = of_definition[name];
    for (const auto& old : mine)
        if (std::ranges::find(names, old) == names.end()) {
            *catalog.at(old)->retired = true;
            catalog.erase(old);
        }
    for (std::size_t i = 0; i < names.size(); ++i) catalog[names[i]] = (*compiled)[i];
    mine = std::move(names);
    ++discovery;
    return {};
}

bool Registry::State::warm_up() {
    while (!warming.empty()) {
        auto& [served, from] = warming.front();
        std::size_t looked = 0, refreshed = 0;
        bool more = false;
        (void)store.scan(served->prefix, from, 0, [&](const std::string& key, const store::Item& item) {
            more = ++looked > warm_looked_max || refreshed >= warm_refreshed_max;
            if (more) {
                from = key;
                return false;
            }
            if (item.revision >= served->schema_since) return true;
            (void)served->show(key, item);
            ++refreshed;
            return true;
        });
        if (more) return true;
        warming.pop_front();
    }
    return false;
}

void Registry::State::retire_definition(const std::string& name) {
    const auto found = of_definition.find(name);
    if (found == of_definition.end()) return;
    for (const auto& one : found->second) {
        *catalog.at(one)->retired = true;
        catalog.erase(one);
    }
    of_definition.erase(found);
    ++discovery;
}

void Registry::State::refresh_definition(const std::string& name) {
    const auto item = store.get(key_prefix("apiextensions.k8s.io", "customresourcedefinitions") + name);
    if (!item) return retire_definition(name);
    auto parsed = api::parse_json(*item->value);
    assert(parsed);  // our own text
    if (!is_established(parsed->value)) return retire_definition(name);
    if (auto served = serve_definition(parsed->value, item->revision); !served)
        log::error("a CustomResourceDefinition cannot be served", {{"name", name}, {"error", served.error().message}});
}

std::vector<Json> Registry::State::definitions() const {
    std::vector<Json> out;
    // accepted ones count: names are given out once
    const auto prefix = key_prefix("apiextensions.k8s.io", "customresourcedefinitions");
    (void)store.scan(prefix, "", 0, [&](const std::string& key, const store::Item&) {
        const auto latest = store.latest(key);
        if (!latest) return true;
        auto parsed = api::parse_json(*latest->value);
        if (parsed) out.push_back(std::move(parsed->value));
        return true;
    });
    return out;
}

awaitable<Outcome<void>> Registry::State::settle_names() {
    const auto served_definitions = served("apiextensions.k8s.io", "v1", "customresourcedefinitions");
    for (const auto& definition : definitions()) {
        auto settled = definition;
        establish(settled, definitions(), now());
        if (settled == definition) continue;
        Request request;
        request.served = served_definitions;
        request.name = std::string(api::find_text(definition, {"metadata", "name"}));
        request.options.subresource = "status";
        request.options.field_manager = "ocim";
        request.options.field_validation = FieldValidation::ignore;
        api::Parsed body;
        body.value = std::move(settled);
        auto stored = co_await update(std::move(request), std::move(body));
        if (!stored && stored.error().reason != "Conflict" && stored.error().reason != "NotFound")
            co_return std::move(stored).error();
    }
    co_return Outcome<void>();
}

}  // namespace ocim::registry
