#include "runtime/renewal.hpp"

#include "runtime/base64.hpp"
#include "runtime/engine.hpp"
#include "runtime/generate.hpp"

#include <utility>

namespace ocim::runtime {

Result<Json> patch_of(const SecretEdit& edit, const Json& secret, Random& random) {
    api::json::object data;
    for (const auto& [key, form] : edit.draw) data[key] = base64(drawn(form, random).reveal());
    for (const auto& [key, value] : edit.text) data[key] = base64(value);
    for (const auto& key : edit.drop) data[key] = nullptr;
    for (const auto& [key, from] : edit.copy) {
        const auto* value = api::find(secret, {"data", from});
        if (!value) return Error{ErrorClass::conflict, "Secret " + edit.name + " has no key \"" + from + "\" any more"};
        data[key] = *value;
    }
    api::json::object metadata, out;
    metadata["resourceVersion"] = std::string(api::find_text(secret, {"metadata", "resourceVersion"}));
    out["metadata"] = std::move(metadata);
    out["data"] = std::move(data);
    return Json(std::move(out));
}

awaitable<Result<void>> edit_secret(Engine& engine, ObjectPtr secret, SecretEdit edit, const void* writer) {
    if (!secret) co_return Error{ErrorClass::conflict, "Secret " + edit.name + " is not there any more"};
    CO_TRY(auto patch, patch_of(edit, *secret, engine.random));
    const auto key = ObjectKey::of(*secret);
    auto answer = co_await engine.client.merge_patch(api::secret_kind, key.namespace_, key.name, std::move(patch), "");
    if (!answer) co_return std::move(answer).error().within("Secret " + edit.name);
    engine.cache.fold(api::secret_kind, *std::move(answer), writer);
    co_return Result<void>();
}

}  // namespace ocim::runtime
