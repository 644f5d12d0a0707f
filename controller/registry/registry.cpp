#include "registry/registry.hpp"

#include "base/log.hpp"
#include "registry/collector.hpp"
#include "registry/definition.hpp"
#include "registry/follower.hpp"
#include "registry/metadata.hpp"
#include "registry/state.hpp"
#include "registry/upkeep.hpp"

namespace ocim::registry {

using api::Json;
using api::Status;

namespace {

Status gone(const Resource& resource) {
    Status status;
    status.code = 404;
    status.reason = "NotFound";
    status.message = "the server could not find the requested resource";
    status.group = resource.group;
    status.kind = resource.plural;
    return status;
}

awaitable<Outcome<Written>> refused(Status status) { co_return status; }

}  // namespace

Registry::Registry(store::Store& store, Clock& clock, Random& random, Metrics& metrics, Settings settings)
    : state_(std::make_unique<State>(store, clock, random, metrics, settings)) {
    store.set_listener(
        [this, crds = key_prefix("apiextensions.k8s.io", "customresourcedefinitions")](const std::string& key) {
            if (key.starts_with(crds)) state_->refresh_definition(key.substr(crds.size()));
        });
}
Registry::~Registry() { state_->store.set_listener(nullptr); }

awaitable<Result<void>> Registry::start() {
    CO_CHECK(state_->serve_built_in());
    for (const auto& definition : state_->definitions())
        state_->refresh_definition(std::string(api::find_text(definition, {"metadata", "name"})));
    const auto namespaces = state_->served("", "v1", "namespaces");
    assert(namespaces);
    for (const char* name : {"default", "kube-system", "ocim-system"}) {
        if (state_->store.get(namespaces->key("", name))) continue;
        api::Parsed body;
        api::make_object(body.value, {"metadata"})["name"] = name;
        Request request;
        request.served = namespaces;
        request.options.field_manager = "ocim";
        auto created = co_await state_->create(std::move(request), std::move(body));
        const bool there = created || created.error().reason == "AlreadyExists";  // another replica starts too
        if (!there) co_return api::to_error(created.error()).within("namespace " + std::string(name));
    }
    co_return Result<void>();
}

awaitable<void> Registry::run_collectors() {
    Collector collector(*state_);
    co_await collector.run();
}

awaitable<void> Registry::run_upkeep() {
    Upkeep upkeep(*state_);
    co_await upkeep.run();
}

awaitable<Outcome<void>> Registry::install(const Json& crd) {
    const auto definitions = state_->served("apiextensions.k8s.io", "v1", "customresourcedefinitions");
    assert(definitions);
    Request request;
    request.served = definitions;
    request.options.field_manager = "ocim";
    request.options.field_validation = FieldValidation::strict;
    const std::string name(api::find_text(crd, {"metadata", "name"}));
    const auto current = state_->store.latest(definitions->key("", name));
    api::Parsed body;
    body.value = crd;
    Outcome<Written> stored;
    if (!current) {
        stored = co_await state_->create(request, std::move(body));
    } else {
        // what a person added to its metadata stays
        body.value = definitions->show_json(definitions->key("", name), *current);
        if (const auto* spec = api::find(crd, {"spec"})) body.value.as_object()["spec"] = *spec;
        for (const char* field : {"labels", "annotations"})
            if (const auto* wanted = api::find(crd, {"metadata", field}); wanted && wanted->is_object())
                for (const auto& [key, value] : wanted->get_object())
                    api::make_object(body.value, {"metadata", field})[key] = value;
        request.name = name;
        stored = co_await state_->update(request, std::move(body));
    }
    if (!stored) co_return std::move(stored).error();
    co_return Outcome<void>();
}

void Registry::set_admission(std::string_view group, std::string_view plural, Admission admission) {
    state_->admissions[std::pair(std::string(group), std::string(plural))] = std::move(admission);
}

void Registry::set_guard(Guard guard) { state_->guard = std::move(guard); }

std::unique_ptr<Follower> Registry::follow(std::vector<std::pair<std::string, std::string>> kinds) const {
    return make_follower(state_->store, std::move(kinds));
}

const Resource* Registry::resource(std::string_view group, std::string_view version, std::string_view plural) const {
    const auto found = state_->served(group, version, plural);
    return found ? &found->resource : nullptr;
}

const Resource* Registry::resource_of_kind(std::string_view group, std::string_view version,
                                           std::string_view kind) const {
    const auto found = state_->served_of_kind(group, version, kind);
    return found ? &found->resource : nullptr;
}

std::vector<const Resource*> Registry::resources() const {
    std::vector<const Resource*> out;
    for (const auto& [name, served] : state_->catalog) out.push_back(&served->resource);
    return out;
}

std::uint64_t Registry::discovery() const { return state_->discovery; }
Revision Registry::revision() const { return state_->store.revision(); }
bool Registry::shared() const { return state_->store.shared(); }
awaitable<Result<void>> Registry::catch_up() const { return state_->store.catch_up(); }

Outcome<StoredObject> Registry::get(const Resource& resource, const std::string& namespace_,
                                    const std::string& name) const {
    const auto served = state_->served(resource);
    if (!served) return gone(resource);
    const auto key = served->key(namespace_, name);
    const auto item = state_->store.get(key);
    if (!item) return api::not_found(resource.plural, resource.group, name);
    return served->show(key, *item);
}

Outcome<ListPage> Registry::list(const Resource& resource, const ListOptions& options) const {
    const auto served = state_->served(resource);
    if (!served) return gone(resource);
    return state_->list(served, options);
}

awaitable<Outcome<Written>> Registry::create(const Resource& resource, std::string namespace_, std::string name,
                                             api::Parsed object, WriteOptions options) {
    Request request{state_->served(resource), std::move(namespace_), std::move(name), std::move(options)};
    if (!request.served) return refused(gone(resource));
    return state_->create(std::move(request), std::move(object));
}

awaitable<Outcome<Written>> Registry::update(const Resource& resource, std::string namespace_, std::string name,
                                             api::Parsed object, WriteOptions options) {
    Request request{state_->served(resource), std::move(namespace_), std::move(name), std::move(options)};
    if (!request.served) return refused(gone(resource));
    return state_->update(std::move(request), std::move(object));
}

awaitable<Outcome<Written>> Registry::patch(const Resource& resource, std::string namespace_, std::string name,
                                            PatchType type, api::Parsed patch, WriteOptions options) {
    Request request{state_->served(resource), std::move(namespace_), std::move(name), std::move(options)};
    if (!request.served) return refused(gone(resource));
    return state_->patch(std::move(request), type, std::move(patch));
}

awaitable<Outcome<Written>> Registry::apply(const Resource& resource, std::string namespace_, std::string name,
                                            api::Parsed object, bool force, WriteOptions options) {
    Request request{state_->served(resource), std::move(namespace_), std::move(name), std::move(options)};
    if (!request.served) return refused(gone(resource));
    return state_->apply(std::move(request), std::move(object), force);
}

awaitable<Outcome<Written>> Registry::remove(const Resource& resource, std::string namespace_, std::string name,
                                             DeleteOptions options) {
    Request request{state_->served(resource), std::move(namespace_), std::move(name), options.write};
    if (!request.served) return refused(gone(resource));
    return state_->remove(std::move(request), std::move(options));
}

awaitable<Outcome<std::vector<StoredObject>>> Registry::remove_collection(const Resource& resource, ListOptions which,
                                                                          DeleteOptions options) {
    const auto served = state_->served(resource);
    if (!served) co_return gone(resource);
    CO_TRY(const auto page, state_->list(served, which));
    std::vector<StoredObject> out;
    for (const auto& item : page.items) {
        Request request{served, item.namespace_, item.name, options.write};
        auto removed = co_await state_->remove(std::move(request), options);
        if (!removed && removed.error().code == 404) continue;  // somebody else was quicker
        if (!removed) co_return std::move(removed).error();
        out.push_back(std::move(removed->object));
    }
    co_return out;
}

}  // namespace ocim::registry
