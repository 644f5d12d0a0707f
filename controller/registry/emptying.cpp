#include "registry/collector.hpp"
#include "registry/definition.hpp"
#include "registry/metadata.hpp"
#include "registry/text.hpp"

#include <algorithm>

/// What namespaces and definitions wait for before they go: everything in them.
namespace ocim::registry {

using api::Json;
namespace json = boost::json;

namespace {

/// What is left below one prefix.
struct Rest {
    std::vector<StoredObject> objects;
    std::size_t count = 0;
};

constexpr std::size_t slice_max = 500;

Rest rest_of(const Registry::State& state, const Served& served, const std::string& prefix) {
    Rest out;
    (void)state.store.scan(prefix, "", 0, [&](const std::string& key, const store::Item& item) {
        ++out.count;
        if (out.objects.size() < slice_max) out.objects.push_back(served.named(key, item));
        return true;
    });
    return out;
}

void count_finalizers(const StoredObject& object, std::map<std::string, std::size_t>& finalizers) {
    for (const auto& name : finalizers_of(object.parsed())) ++finalizers[name];
}

void tell_what_remains(Json& namespace_, const std::map<std::string, std::size_t>& kinds,
                       const std::map<std::string, std::size_t>& finalizers, const std::string& now) {
    std::string content = "Some resources are remaining: ",
                held = "Some content in the namespace has finalizers remaining: ";
    for (const auto& [kind, count] : kinds)
        content +=
            (kind == kinds.begin()->first ? "" : ", ") + kind + " has " + std::to_string(count) + " resource instances";
    for (const auto& [name, count] : finalizers)
        held += (name == finalizers.begin()->first ? "" : ", ") + name + " in " + std::to_string(count) +
                " resource instances";
    const bool some = !kinds.empty(), some_held = !finalizers.empty();
    // these three cannot go wrong where kinds and objects stand in one store
    set_condition(namespace_, "NamespaceDeletionDiscoveryFailure", false, "ResourcesDiscovered",
                  "All resources successfully discovered", now);
    set_condition(namespace_, "NamespaceDeletionGroupVersionParsingFailure", false, "ParsedGroupVersions",
                  "All legacy kube types successfully parsed", now);
    set_condition(namespace_, "NamespaceDeletionContentFailure", false, "ContentDeleted",
                  "All content successfully deleted, may be waiting on finalization", now);
    set_condition(namespace_, "NamespaceContentRemaining", some, some ? "SomeResourcesRemain" : "ContentRemoved",
                  some ? content : "All content successfully removed", now);
    set_condition(namespace_, "NamespaceFinalizersRemaining", some_held,
                  some_held ? "SomeFinalizersRemain" : "ContentHasNoFinalizers",
                  some_held ? held : "All content-preserving finalizers finished", now);
}

}  // namespace

Collector::Task Collector::empty_namespace(StoredObject object) {
    const auto namespaces = state_.served("", "v1", "namespaces");
    std::map<std::string, ServedPtr> kinds;  // one version each
    for (const auto& [name, served] : state_.catalog)
        if (served->resource.namespaced) kinds.emplace(served->prefix, served);
    std::map<std::string, std::size_t> remaining, finalizers;
    for (const auto& [prefix, served] : kinds) {
        const auto below = prefix + object.name + "/";
        auto rest = rest_of(state_, *served, below);
        for (const auto& one : rest.objects)
            if (!raw_at(*one.bytes, {"metadata", "deletionTimestamp"})) {
                CO_CHECK(co_await remove(served, one, Propagation::background));
            }
        rest = rest_of(state_, *served, below);
        if (rest.count == 0) continue;
        const auto& group = served->resource.group;
        remaining[served->resource.plural + "." + group] = rest.count;
        for (const auto& one : rest.objects) count_finalizers(one, finalizers);
        if (rest.objects.size() == slice_max) look_at(namespaces->key("", object.name));
    }
    if (!remaining.empty()) {
        auto told = object.parsed();
        tell_what_remains(told, remaining, finalizers, state_.now());
        Json patch = json::object();
        patch.as_object()["status"] = *api::find(told, {"status"});
        auto stored = co_await merge(namespaces, object, std::move(patch), "status");
        // somebody else's write has us look again
        if (!stored && stored.error().code != 409) co_return std::move(stored).error();
        co_return Outcome<void>();
    }
    json::array left;
    const auto value = object.parsed();
    if (const auto* held = api::find(value, {"spec", "finalizers"}); held && held->is_array())
        for (const auto& name : held->get_array())
            if (name != "kubernetes") left.push_back(name);
    Json patch = json::object();
    api::make_object(patch, {"spec"})["finalizers"] = left.empty() ? Json() : Json(std::move(left));
    co_return co_await merge(namespaces, object, std::move(patch), "finalize");
}

Collector::Task Collector::empty_definition(StoredObject object) {
    const auto definitions = state_.served("apiextensions.k8s.io", "v1", "customresourcedefinitions");
    const auto plural = text_at(*object.bytes, {"spec", "names", "plural"});
    const auto group = text_at(*object.bytes, {"spec", "group"});
    const auto prefix = key_prefix(group, plural);
    const auto served = state_.served_of_key(prefix);
    if (served) {
        auto rest = rest_of(state_, *served, prefix);
        for (const auto& one : rest.objects)
            if (!raw_at(*one.bytes, {"metadata", "deletionTimestamp"})) {
                CO_CHECK(co_await remove(served, one, Propagation::background));
            }
        rest = rest_of(state_, *served, prefix);
        if (rest.objects.size() == slice_max) look_at(definitions->key("", object.name));
        if (rest.count != 0) co_return Outcome<void>();
    }
    CO_CHECK(co_await drop_finalizer(definitions, object, definition_finalizer));
    co_return co_await state_.settle_names();
}

}  // namespace ocim::registry
