#pragma once

#include "database/tenant.hpp"
#include "runtime/base64.hpp"

#include <map>
#include <string>

/// A tenant to start from, and what it would find.
namespace ocim::database::test {

inline constexpr std::string_view installation = "lab";

inline crd::DatabaseTenant tenant() {
    using User = crd::DatabaseTenant::Spec::User;
    using Privilege = User::Grant::Privilege;
    crd::DatabaseTenant out;
    out.metadata.name = "wiki";
    out.metadata.namespace_ = "tools";
    out.metadata.uid = "uid-1";
    out.spec.server_ref.name = "mysql1";
    out.spec.databases = {{"wiki_main", "utf8mb4", std::nullopt}};
    out.spec.users = {
        {"wiki", "%", api::SecretKeyRef{"wiki-db", "password"}, {{"wiki_main", {Privilege::all}}}, std::nullopt},
        {"wiki_ro", "%", std::nullopt, {{"wiki_main", {Privilege::select}}}, std::nullopt}};
    out.spec.deletion_policy = crd::DatabaseTenant::Spec::DeletionPolicy::delete_;
    return out;
}

inline api::Json secret(const std::string& namespace_, const std::string& name,
                        const std::map<std::string, std::string>& text) {
    api::json::object data, metadata, out;
    for (const auto& [key, value] : text) data[key] = runtime::base64(value);
    metadata["namespace"] = namespace_;
    metadata["name"] = name;
    out["apiVersion"] = "v1";
    out["kind"] = "Secret";
    out["metadata"] = std::move(metadata);
    out["data"] = std::move(data);
    return out;
}

/// The passwords of tenant().
inline runtime::Inputs inputs() {
    runtime::Inputs out;
    out.installation = std::string(installation);
    out.add(secret("tools", "wiki-db", {{"password", "first"}}));
    out.add(secret("tools", "wiki.wiki-ro", {{"password", "second"}}));
    return out;
}

}  // namespace ocim::database::test
