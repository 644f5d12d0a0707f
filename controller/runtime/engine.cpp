#include "runtime/engine.hpp"

#include <algorithm>

namespace ocim::runtime {

namespace {

std::string text_at(const Json& object, std::initializer_list<std::string_view> path) {
    return std::string(api::find_text(object, path));
}

std::string name_for_people(const Reference& reference) {
    return std::string(reference.kind.name) + " \"" + reference.name + "\"";
}

Lacking lacks(bool unread, std::string message) {
    return {unread, false, {Verdict::State::progressing, "DependencyNotReady", std::move(message)}};
}

Json finalizers_patch(const Json& object, api::json::array finalizers) {
    api::json::object metadata;
    metadata["resourceVersion"] = text_at(object, {"metadata", "resourceVersion"});
    metadata["uid"] = text_at(object, {"metadata", "uid"});
    metadata["finalizers"] = std::move(finalizers);
    api::json::object patch;
    patch["metadata"] = std::move(metadata);
    return patch;
}

api::json::array finalizers_of(const Json& object) {
    const auto* held = api::find(object, {"metadata", "finalizers"});
    return held && held->is_array() ? held->get_array() : api::json::array();
}

awaitable<Result<ObjectPtr>> write_finalizers(Engine& engine, api::Kind kind, ObjectPtr object,
                                              api::json::array finalizers, const void* writer) {
    const auto key = ObjectKey::of(*object);
    auto patch = finalizers_patch(*object, std::move(finalizers));
    auto answer = co_await engine.client.merge_patch(kind, key.namespace_, key.name, std::move(patch), "");
    if (answer) co_return engine.cache.fold(kind, *std::move(answer), writer);
    if (answer.error().error_class != ErrorClass::not_found) co_return std::move(answer).error();
    engine.cache.fold_gone(kind, key, writer);
    co_return ObjectPtr();
}

}  // namespace

std::optional<Lacking> resolve(Engine& engine, const std::vector<Reference>& references, Inputs& inputs) {
    inputs.installation = engine.installation;
    inputs.now = engine.clock.wall();
    std::optional<Lacking> lacking;
    for (const auto& reference : references) {
        engine.informers.follow(reference.kind);
        if (!engine.cache.synced(reference.kind)) {
            if (!lacking || !lacking->unread)
                lacking = lacks(true, "Reading every " + std::string(reference.kind.name) + " first.");
            continue;
        }
        if (reference.name.empty() && reference.kind.group.empty()) {
            // of Secrets and ConfigMaps not all are kept: it is a name that was left empty
            if (!reference.optional && !lacking)
                lacking = lacks(false, "No " + std::string(reference.kind.name) + " is named: mend the reference.");
            continue;
        }
        if (reference.name.empty()) {
            for (auto& object : engine.cache.all(reference)) inputs.add(std::move(object));
            continue;
        }
        const ObjectKey key{reference.namespace_, reference.name};
        if (!engine.informers.look(reference.kind, key)) {
            if (!lacking || !lacking->unread) {
                lacking = lacks(true, "Reading " + name_for_people(reference) + " first.");
                lacking->soon = true;
            }
            continue;
        }
        auto object = engine.cache.find(reference.kind, key);
        if (object)
            inputs.add(std::move(object));
        else if (!reference.optional && !lacking)
            lacking = lacks(false, name_for_people(reference) + " does not exist" +
                                       (reference.namespace_.empty() ? "" : " in namespace " + reference.namespace_) +
                                       ": create it, or mend the reference.");
    }
    return lacking;
}

bool has_finalizer(const Json& object, std::string_view finalizer) {
    const auto held = finalizers_of(object);
    return std::ranges::any_of(
        held, [&](const Json& item) { return item.is_string() && std::string_view(item.get_string()) == finalizer; });
}

bool is_deleting(const Json& object) { return !api::find_text(object, {"metadata", "deletionTimestamp"}).empty(); }

const Json* controller_reference(const Json& object) {
    const auto* references = api::find(object, {"metadata", "ownerReferences"});
    if (!references || !references->is_array()) return nullptr;
    for (const auto& item : references->get_array()) {
        const auto* controller = api::find(item, {"controller"});
        if (controller && controller->is_bool() && controller->get_bool()) return &item;
    }
    return nullptr;
}

std::string_view annotation(const Json& object, std::string_view name) {
    return api::find_text(object, {"metadata", "annotations", name});
}

awaitable<Result<ObjectPtr>> add_finalizer(Engine& engine, api::Kind kind, ObjectPtr object, std::string finalizer,
                                           const void* writer) {
    if (has_finalizer(*object, finalizer)) co_return object;
    auto finalizers = finalizers_of(*object);
    finalizers.emplace_back(finalizer);
    co_return co_await write_finalizers(engine, kind, std::move(object), std::move(finalizers), writer);
}

awaitable<Result<ObjectPtr>> remove_finalizer(Engine& engine, api::Kind kind, ObjectPtr object, std::string finalizer,
                                              const void* writer) {
    if (!has_finalizer(*object, finalizer)) co_return object;
    api::json::array left;
    for (auto& item : finalizers_of(*object))
        if (!item.is_string() || std::string_view(item.get_string()) != finalizer) left.push_back(std::move(item));
    co_return co_await write_finalizers(engine, kind, std::move(object), std::move(left), writer);
}

awaitable<Result<bool>> StatusWriter::write(ObjectPtr object, Standing standing) {
    const auto key = ObjectKey::of(*object);
    auto status = whole_status(*object, standing, engine_.clock.wall());
    const auto* current = api::find(*object, {"status"});
    const auto known = last_.find(key);
    const bool said = known != last_.end() ? known->second == status : current && *current == status;
    if (said && current && covers(*current, status)) co_return false;

    api::json::object metadata;
    metadata["name"] = key.name;
    if (!key.namespace_.empty()) metadata["namespace"] = key.namespace_;
    metadata["uid"] = text_at(*object, {"metadata", "uid"});
    api::json::object body;
    body["apiVersion"] = kind_.api_version();
    body["kind"] = kind_.name;
    body["metadata"] = std::move(metadata);
    body["status"] = status;
    auto answer = co_await engine_.client.apply(kind_, std::move(body), field_manager_, "status");
    if (!answer && answer.error().error_class == ErrorClass::not_found) co_return false;
    if (!answer) co_return std::move(answer).error();
    engine_.cache.fold(kind_, *std::move(answer), writer_);
    last_.insert_or_assign(key, std::move(status));
    co_return true;
}

}  // namespace ocim::runtime
