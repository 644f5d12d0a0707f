#include "runtime/generate.hpp"

#include "runtime/base64.hpp"

#include <map>
#include <span>

namespace ocim::runtime {

namespace {

std::string text_at(const Json& object, std::initializer_list<std::string_view> path) {
    return std::string(api::find_text(object, path));
}

/// A reference that lets the garbage collector take the Secret with its owner; it does not say who controls it.
Json reference_to(const api::Kind& kind, const Json& owner) {
    api::json::object out;
    out["apiVersion"] = kind.api_version();
    out["kind"] = kind.name;
    out["name"] = text_at(owner, {"metadata", "name"});
    out["uid"] = text_at(owner, {"metadata", "uid"});
    return out;
}

Json fresh_secret(const api::Kind& kind, const Json& owner, const std::string& name, bool retain,
                  api::json::object data) {
    api::json::object metadata;
    metadata["name"] = name;
    metadata["namespace"] = text_at(owner, {"metadata", "namespace"});
    if (!retain) {
        api::json::array owners;
        owners.push_back(reference_to(kind, owner));
        metadata["ownerReferences"] = std::move(owners);
    }
    api::json::object out;
    out["apiVersion"] = "v1";
    out["kind"] = "Secret";
    out["type"] = "Opaque";
    out["metadata"] = std::move(metadata);
    out["data"] = std::move(data);
    return out;
}

awaitable<Result<Json>> write_secret(Engine& engine, api::Kind owner_kind, ObjectPtr owner, std::string name,
                                     bool retain, api::json::object data) {
    const ObjectKey key{text_at(*owner, {"metadata", "namespace"}), name};
    const auto held = engine.cache.find(api::secret_kind, key);
    if (!held) {
        auto secret = fresh_secret(owner_kind, *owner, name, retain, std::move(data));
        co_return co_await engine.client.create(api::secret_kind, std::move(secret));
    }
    api::json::object metadata;
    metadata["resourceVersion"] = text_at(*held, {"metadata", "resourceVersion"});
    api::json::object patch;
    patch["metadata"] = std::move(metadata);
    patch["data"] = std::move(data);
    co_return co_await engine.client.merge_patch(api::secret_kind, key.namespace_, key.name, std::move(patch), "");
}

}  // namespace

Secret drawn(const Generate& form, Random& random) {
    switch (form.form) {
        case Generate::Form::alphanumeric: return Secret(random.text(form.length, alphanumerics));
        case Generate::Form::lower_letters: return Secret(random.text(form.length, lower_letters));
        case Generate::Form::base64: break;
    }
    std::string bytes(form.length, '\0');
    random.fill(std::as_writable_bytes(std::span(bytes)));
    return Secret(base64(bytes));
}

std::vector<GeneratedSecret> not_there(Engine& engine, const std::string& namespace_,
                                       const std::vector<GeneratedSecret>& wanted) {
    std::vector<GeneratedSecret> out;
    for (const auto& one : wanted) {
        const ObjectKey key{namespace_, one.name};
        if (!engine.informers.look(api::secret_kind, key)) continue;
        const auto held = engine.cache.find(api::secret_kind, key);
        if (!held || !api::find(*held, {"data", one.key})) out.push_back(one);
    }
    return out;
}

awaitable<Result<void>> make_secrets(Engine& engine, api::Kind owner_kind, ObjectPtr owner,
                                     std::vector<GeneratedSecret> missing, const void* writer) {
    std::map<std::string, api::json::object> data;
    std::map<std::string, bool> retained;
    for (const auto& one : missing) {
        data[one.name][one.key] = base64(drawn(one.form, engine.random).reveal());
        retained[one.name] = retained[one.name] || one.retain;
    }
    for (auto& [name, values] : data) {
        auto answer = co_await write_secret(engine, owner_kind, owner, name, retained[name], std::move(values));
        if (!answer) co_return std::move(answer).error().within("Secret " + name);
        engine.cache.fold(api::secret_kind, *std::move(answer), writer);
    }
    co_return Result<void>();
}

}  // namespace ocim::runtime
