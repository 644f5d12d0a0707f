#include "runtime/renewal.hpp"

#include "runtime/base64.hpp"
#include "runtime/engine.hpp"
#include "runtime/generate.hpp"

#include <algorithm>
#include <utility>

namespace ocim::runtime {

namespace {

std::set<std::string> keys_of(const SecretEdit& edit) {
    auto out = edit.drop;
    for (const auto& [key, form] : edit.draw) out.insert(key);
    for (const auto& [key, from] : edit.copy) out.insert(key);
    for (const auto& [key, text] : edit.text) out.insert(key);
    return out;
}

/// Error conflict: a key to be copied is not there.
Result<void> add_edit(const SecretEdit& edit, const Json& secret, Random& random, api::json::object& data) {
    for (const auto& [key, form] : edit.draw) data[key] = base64(drawn(form, random).reveal());
    for (const auto& [key, value] : edit.text) data[key] = base64(value);
    for (const auto& key : edit.drop) data[key] = nullptr;
    for (const auto& [key, from] : edit.copy) {
        const auto* value = api::find(secret, {"data", from});
        if (!value) return Error{ErrorClass::conflict, "Secret " + edit.name + " has no key \"" + from + "\" any more"};
        data[key] = *value;
    }
    return {};
}

}  // namespace

std::vector<std::vector<SecretEdit>> by_secret(std::vector<SecretEdit> edits) {
    std::map<std::string, std::vector<SecretEdit>> of;
    std::set<std::pair<std::string, std::string>> taken;
    for (auto& edit : edits) {
        const auto keys = keys_of(edit);
        if (std::ranges::any_of(keys, [&](const auto& key) { return taken.contains({edit.name, key}); })) continue;
        for (const auto& key : keys) taken.emplace(edit.name, key);
        of[edit.name].push_back(std::move(edit));
    }
    std::vector<std::vector<SecretEdit>> out;
    for (auto& [name, some] : of) out.push_back(std::move(some));
    return out;
}

Result<Json> patch_of(const std::vector<SecretEdit>& edits, const Json& secret, Random& random) {
    api::json::object data;
    for (const auto& edit : edits)
        if (auto added = add_edit(edit, secret, random, data); !added) return std::move(added).error();
    api::json::object metadata, out;
    metadata["resourceVersion"] = std::string(api::find_text(secret, {"metadata", "resourceVersion"}));
    out["metadata"] = std::move(metadata);
    out["data"] = std::move(data);
    return Json(std::move(out));
}

awaitable<Result<void>> edit_secret(Engine& engine, ObjectPtr secret, std::vector<SecretEdit> edits,
                                    const void* writer) {
    const auto name = edits.front().name;
    if (!secret) co_return Error{ErrorClass::conflict, "Secret " + name + " is not there any more"};
    CO_TRY(auto patch, patch_of(edits, *secret, engine.random));
    const auto key = ObjectKey::of(*secret);
    auto answer = co_await engine.client.merge_patch(api::secret_kind, key.namespace_, key.name, std::move(patch), "");
    if (!answer) co_return std::move(answer).error().within("Secret " + name);
    engine.cache.fold(api::secret_kind, *std::move(answer), writer);
    co_return Result<void>();
}

}  // namespace ocim::runtime
