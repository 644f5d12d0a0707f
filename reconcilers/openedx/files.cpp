#include "openedx/files.hpp"

#include "crd/objectstores.hpp"
#include "crd/storagecontainers.hpp"
#include "openedx/run_on.hpp"
#include "openedx/site.hpp"
#include "runtime/base64.hpp"

#include <algorithm>

namespace ocim::openedx {
namespace {

using Store = crd::ObjectStore;

constexpr auto system_namespace = "ocim-system";
constexpr auto tutor_plugin_name = "s3";  // of tutor-contrib-s3

std::string without_slash(std::string url) {
    while (url.ends_with('/')) url.pop_back();
    return url;
}

/// The Secret that holds a site's keys.
struct Keys {
    std::string namespace_, secret;
    std::string place;  ///< the field that names it
};
Result<Keys> keys_of(const crd::Instance& instance, const Store& store) {
    if (const auto& own = instance.spec.storage; own && own->credentials_ref)
        return Keys{instance.metadata.namespace_, own->credentials_ref->name, "spec.storage.credentialsRef"};
    if (of_pull_request(instance))
        return Error{ErrorClass::invalid,
                     "Instance " + instance.metadata.name +
                         " is of a PullRequestWatch: with the keys that ObjectStore " + store.metadata.name +
                         " gives to all sites its code could read the files of them all; name a Secret with keys of "
                         "its own in spec.storage.credentialsRef, or leave its files OnMachine"};
    if (store.spec.tenant_credentials_ref)
        return Keys{system_namespace, store.spec.tenant_credentials_ref->name,
                    "ObjectStore " + store.metadata.name + ", spec.tenantCredentialsRef"};
    return Error{ErrorClass::not_found, "ObjectStore " + store.metadata.name +
                                            " gives sites no keys; name a Secret with them in spec.storage."
                                            "credentialsRef, or for all sites in its spec.tenantCredentialsRef"};
}

Result<Secret> key_in(const Keys& keys, const char* key, const runtime::Inputs& inputs) {
    auto found = inputs.secret(keys.namespace_, keys.secret, key);
    if (found && !found->empty()) return *std::move(found);
    return Error{ErrorClass::not_found, keys.place + ": Secret " + keys.namespace_ + "/" + keys.secret +
                                            " has no key \"" + key + "\"; add it"};
}

Result<SwiftAccess> swift_access(const std::string& container, const Store& store, const Keys& keys,
                                 const runtime::Inputs& inputs) {
    const auto& swift = *store.spec.swift;
    auto user = key_in(keys, "username", inputs);
    if (!user) return std::move(user).error();
    auto password = key_in(keys, "password", inputs);
    if (!password) return std::move(password).error();
    const bool keystone = swift.auth_version == Store::Spec::Swift::AuthVersion::v3;
    SwiftAccess out;
    out.container = container;
    out.user = user->reveal();
    out.password = *std::move(password);
    if (swift.project) out.tenant = swift.project->name.value_or("");
    out.auth_url = without_slash(swift.auth_url);
    if (keystone && !out.auth_url.ends_with("/v3")) out.auth_url += "/v3";
    out.auth_version = keystone ? "3" : "1";
    out.region = swift.region.value_or("");
    if (!swift.tenants) return out;
    using Version = Store::Spec::Swift::Tenants::AuthVersion;
    if (swift.tenants->auth_url) out.auth_url = *swift.tenants->auth_url;
    if (swift.tenants->region) out.region = *swift.tenants->region;
    if (const auto& version = swift.tenants->auth_version)
        out.auth_version = *version == Version::_1 ? "1" : *version == Version::_2 ? "2" : "3";
    return out;
}

Result<S3Access> s3_access(const std::string& container, const Store& store, const Keys& keys,
                           const runtime::Inputs& inputs) {
    auto access = key_in(keys, "accessKey", inputs);
    if (!access) return std::move(access).error();
    auto secret = key_in(keys, "secretKey", inputs);
    if (!secret) return std::move(secret).error();
    auto endpoint = without_slash(store.spec.s3->endpoint);
    if (endpoint.ends_with(".amazonaws.com")) endpoint.clear();  // the libraries know it
    return S3Access{container, *std::move(access), *std::move(secret), store.spec.s3->region, std::move(endpoint)};
}

std::optional<Store> store_of(const crd::Instance& instance, const runtime::Inputs& inputs) {
    const auto& placement = instance.status.placement;
    if (!placement || !placement->storage) return std::nullopt;
    return inputs.get<Store>("", *placement->storage);
}

/// Whom Tutor can be told to keep files with.
Result<void> check_tutor(const Store& store, const crd::Instance& instance, const crd::InstanceClass& of_class) {
    if (!of_class.spec.tutor) return {};
    if (!store.spec.s3)
        return Error{ErrorClass::invalid, "InstanceClass " + of_class.metadata.name +
                                              ", spec.storage: Tutor keeps no files in Swift, where ObjectStore " +
                                              store.metadata.name + " is"};
    const auto enabled = [](const std::vector<std::string>& plugins) {
        return std::ranges::find(plugins, tutor_plugin_name) != plugins.end();
    };
    if (enabled(of_class.spec.tutor->plugins) || (instance.spec.tutor && enabled(instance.spec.tutor->plugins)))
        return {};
    return Error{ErrorClass::invalid, "InstanceClass " + of_class.metadata.name +
                                          ", spec.tutor.plugins: without the plug-in \"s3\" (tutor-contrib-s3, in "
                                          "spec.tutor.requirements) Tutor keeps files on the machine; add it"};
}

/// Where a page of the site may come from.
std::vector<std::string> origins_of(const crd::Instance& instance) {
    std::vector<std::string> out;
    for (const auto& names : {external_domains(instance), internal_domains(instance)})
        for (const auto service : {Service::lms, Service::studio, Service::apps})
            if (const auto name = names.find(service); name != names.end() && !name->second.empty())
                if (const auto origin = "https://" + name->second; std::ranges::find(out, origin) == out.end())
                    out.push_back(origin);
    return out;
}

runtime::Child container_child(const InstanceView& view, bool s3) {
    using Spec = crd::StorageContainer::Spec;
    const auto& of_class = view.of_class.spec.storage;
    crd::StorageContainer out;
    out.metadata.name = ObjectNames(view.instance.metadata.name).storage;
    out.metadata.namespace_ = view.instance.metadata.namespace_;
    out.spec.store_ref.name = *view.instance.status.placement->storage;
    out.spec.container = view.instance.status.names->container.value_or("");
    using Public = crd::InstanceClass::Spec::Storage::PublicRead;
    const auto everybody = of_class.public_read.value_or(s3 ? Public::none : Public::objects);
    if (everybody == Public::objects) out.spec.public_read = Spec::PublicRead::objects;
    out.spec.versioning = of_class.versioning;
    if (const auto& own = view.instance.spec.storage; own && own->user) out.spec.writers = {*own->user};
    // browsers send files of assignments there; Swift has no room for many names
    if (s3) out.spec.cors.emplace().allowed_origins = origins_of(view.instance);
    const bool deletes = deletes_data(view.instance);
    out.spec.deletion_policy = deletes ? Spec::DeletionPolicy::delete_ : Spec::DeletionPolicy::retain;
    out.spec.empty_on_delete = deletes;
    if (adopts(view.instance, view.of_class)) out.spec.adoption_policy = Spec::AdoptionPolicy::adopt;
    return child(out);
}

runtime::Child access_child(const InstanceView& view, const Site& site) {
    api::json::object data;
    const auto put = [&data](const char* key, std::string_view value) {
        if (!value.empty()) data[key] = runtime::base64(value);
    };
    if (site.swift) {
        put("container", site.swift->container);
        put("username", site.swift->user);
        put("password", site.swift->password.reveal());
        put("authURL", site.swift->auth_url);
        put("authVersion", site.swift->auth_version);
        put("project", site.swift->tenant);
        put("region", site.swift->region);
    }
    if (site.s3) {
        put("container", site.s3->bucket);
        put("accessKey", site.s3->access_key.reveal());
        put("secretKey", site.s3->secret_key.reveal());
        put("endpoint", site.s3->endpoint);
        put("region", site.s3->region);
    }
    api::json::object object{{"apiVersion", "v1"},
                             {"kind", "Secret"},
                             {"metadata", api::json::object{{"name", ObjectNames(view.instance.metadata.name).storage},
                                                            {"namespace", view.instance.metadata.namespace_}}},
                             {"type", "Opaque"},
                             {"data", std::move(data)}};
    return runtime::Child{object, std::nullopt, false, {}, false};
}

}  // namespace

bool declared_stored(const crd::Instance& instance, const crd::InstanceClass& of_class) {
    using Own = crd::Instance::Spec::Storage::Mode;
    using Default = crd::InstanceClass::Spec::Storage::Mode;
    if (instance.spec.storage && instance.spec.storage->mode) return *instance.spec.storage->mode == Own::object_store;
    if (of_pull_request(instance) && !(instance.spec.storage && instance.spec.storage->credentials_ref)) return false;
    return of_class.spec.storage.mode == Default::object_store;
}

std::optional<api::Cause> storage_changed(const crd::Instance::Spec& spec, const crd::Instance::Status& settled) {
    const auto& own = spec.storage;
    const auto& placement = settled.placement;
    if (!own || !placement || !placement->cloud) return std::nullopt;  // not settled yet
    using Mode = crd::Instance::Spec::Storage::Mode;
    const bool stored = placement->storage.has_value();
    if (own->mode && (*own->mode == Mode::object_store) != stored)
        return api::Cause{"FieldValueInvalid",
                          std::string("Invalid value: \"") + (stored ? "OnMachine" : "ObjectStore") +
                              "\": cannot be changed: this site's files are " +
                              (stored             ? "at an ObjectStore"
                               : placement->mysql ? "on its machine"
                                                  : "on its machine, as its databases are") +
                              "; set it back, or make another Instance",
                          "spec.storage.mode"};
    const auto name = settled.names ? settled.names->container : std::nullopt;
    if (own->container && name && *own->container != *name)
        return api::Cause{"FieldValueInvalid",
                          "Invalid value: \"" + *own->container + "\": cannot be changed: this site's container is " +
                              *name + "; set it back, or make another Instance",
                          "spec.storage.container"};
    return std::nullopt;
}

std::vector<runtime::Reference> file_needs(const crd::Instance& instance) {
    if (!instance.spec.storage || !instance.spec.storage->credentials_ref) return {};
    return {{api::secret_kind, instance.metadata.namespace_, instance.spec.storage->credentials_ref->name, true}};
}

std::vector<runtime::Reference> further_file_needs(const crd::Instance& instance, const runtime::Inputs& inputs) {
    const auto store = store_of(instance, inputs);
    if (!store || !store->spec.tenant_credentials_ref) return {};
    return {{api::secret_kind, system_namespace, store->spec.tenant_credentials_ref->name, true}};
}

Result<void> add_files(Site& site, const crd::Instance& instance, const crd::InstanceClass& of_class,
                       const runtime::Inputs& inputs) {
    const auto& placement = instance.status.placement;
    if (!placement || !placement->storage || !instance.status.names) return {};
    const auto store = store_of(instance, inputs);
    if (!store || (!store->spec.swift && !store->spec.s3))
        return Error{ErrorClass::not_found,
                     "ObjectStore " + *placement->storage +
                         ", which holds the files, does not exist or cannot be read; put it back"};
    if (auto ok = check_tutor(*store, instance, of_class); !ok) return ok;
    const auto keys = keys_of(instance, *store);
    if (!keys) return keys.error();
    const auto container = instance.status.names->container.value_or("");
    if (store->spec.s3) {
        auto access = s3_access(container, *store, *keys, inputs);
        if (!access) return std::move(access).error();
        site.s3 = *std::move(access);
    } else {
        auto access = swift_access(container, *store, *keys, inputs);
        if (!access) return std::move(access).error();
        site.swift = *std::move(access);
    }
    return {};
}

std::vector<runtime::Child> file_children(const InstanceView& view) {
    Site site;
    if (!view.instance.status.placement->storage) return {};
    // nothing is composed of a site whose configuration fails, so this does not either
    if (!add_files(site, view.instance, view.of_class, view.inputs)) return {};
    return {container_child(view, site.s3.has_value()), access_child(view, site)};
}

}  // namespace ocim::openedx
