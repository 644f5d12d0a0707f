#include "api/patch.hpp"
#include "registry/body.hpp"
#include "registry/metadata.hpp"
#include "registry/scale.hpp"
#include "registry/special.hpp"
#include "registry/state.hpp"
#include "registry/text.hpp"
#include "registry/times.hpp"

#include <array>
#include <boost/json/monotonic_resource.hpp>

/// create, update, patch and apply, and how each carries out what it decided.
namespace ocim::registry {

using api::Json;
using api::Status;
namespace json = boost::json;

namespace {

constexpr int attempts_max = 100;       // each further one needs a failed or a competing write in between
constexpr int generated_names_max = 8;  // as Kubernetes: with 27^5 endings a collision is already rare
constexpr std::size_t manager_bytes_max = 128;

Status absent(const Request& request) {
    return api::not_found(request.served->resource.plural, request.served->resource.group, request.name);
}

Status modified(const Request& request, const std::string& name) {
    return api::conflict(request.served->resource.plural, request.served->resource.group, name,
                         "the object has been modified; please apply your changes to the latest version and try again");
}

/// The options that only a client can get wrong.
std::optional<Status> check_manager(const Request& request, std::string_view options, bool required) {
    const auto& manager = request.options.field_manager;
    const auto wrong = [&](api::Cause cause) { return api::invalid(options, "meta.k8s.io", "", {std::move(cause)}); };
    if (required && manager.empty())
        return wrong({"FieldValueRequired", "Required value: is required for apply patch", "fieldManager"});
    if (manager.size() > manager_bytes_max)
        return wrong({"FieldValueTooLong", "Too long: may not be more than 128 bytes", "fieldManager"});
    for (const char c : manager)
        if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f)
            return wrong(
                {"FieldValueInvalid",
                 "Invalid value: " + api::to_text(Json(manager)) + ": should only contain printable characters",
                 "fieldManager"});
    return std::nullopt;
}

/// uid and resourceVersion in a body are preconditions.
std::optional<Status> check_preconditions(const Request& request, const Json& body, const Json& old) {
    const auto uid = api::find_text(body, {"metadata", "uid"});
    const auto stored = api::find_text(old, {"metadata", "uid"});
    const auto& resource = request.served->resource;
    if (!uid.empty() && uid != stored)
        return api::conflict(resource.plural, resource.group, request.name,
                             "Precondition failed: UID in precondition: " + std::string(uid) +
                                 ", UID in object meta: " + std::string(stored));
    const auto revision = api::find_text(body, {"metadata", "resourceVersion"});
    if (!revision.empty() && revision != api::find_text(old, {"metadata", "resourceVersion"}))
        return modified(request, request.name);
    return std::nullopt;
}

/// The kinds that an update makes when they are not there.
bool creates_by_update(const Request& request) {
    const auto& resource = request.served->resource;
    if (!resource.built_in || !request.options.subresource.empty()) return false;
    return resource.plural == "leases" || resource.plural == "events" || resource.group == "rbac.authorization.k8s.io";
}

/// A version that is not there any more stands in nobody's way.
Json without_version(Json body) {
    api::make_object(body, {"metadata"}).erase("resourceVersion");
    return body;
}

/// As kube-apiserver answers it.
Status too_large() {
    Status status;
    status.code = 500;
    status.message = "etcdserver: request is too large";
    return status;
}

std::optional<Status> check_subresource(const Request& request) {
    const auto& sub = request.options.subresource;
    const auto& served = *request.served;
    if (sub.empty() || (sub == "status" && served.resource.status_subresource)) return std::nullopt;
    if (sub == "scale" && served.resource.scale) return std::nullopt;
    if (sub == "finalize" && served.special == Special::namespace_) return std::nullopt;
    Status status = absent(request);
    status.message = "the server could not find the requested resource";
    return status;
}

/// Counts an object that is not durable yet, for quotas.
class BeingCreated {
public:
    BeingCreated(Registry::State& state, const std::string& key, bool counts) : state_(state) {
        if (counts) at_ = state_.being_created.insert(key).first;
    }
    ~BeingCreated() {
        if (at_) state_.being_created.erase(*at_);
    }
    BeingCreated(const BeingCreated&) = delete;
    BeingCreated& operator=(const BeingCreated&) = delete;

private:
    Registry::State& state_;
    std::optional<std::set<std::string>::iterator> at_;
};

}  // namespace

Status to_status(const Error& error) {
    // whoever hears that it was refused would do it once more
    if (error.outcome_unknown)
        return api::internal_error("whether the write was stored is not known: " + error.message);
    switch (error.error_class) {
        case ErrorClass::rate_limited: {
            Status status;
            status.code = 429;
            status.reason = "TooManyRequests";
            status.message = error.message;
            status.retry_after_seconds = 1;
            return status;
        }
        case ErrorClass::unreachable: {
            Status status;
            status.code = 503;
            status.reason = "ServiceUnavailable";
            status.message = error.message;
            status.retry_after_seconds = 1;
            return status;
        }
        case ErrorClass::transient:
        case ErrorClass::conflict:
        case ErrorClass::not_found:
        case ErrorClass::auth:
        case ErrorClass::invalid: break;
    }
    return api::internal_error("the write was not stored: " + error.message);
}

namespace {

/// What was decided about one state of an object, as text.
struct Decision {
    Plan::Action action = Plan::Action::nothing;
    std::string text;  ///< of the object; empty when nothing is to be stored or shown
    std::vector<std::string> warnings;
};

/// The objects that a decision is made of live in one piece of memory, which goes at once with them.
Outcome<Decision> decide_on(const Request& request, const std::string& key, const std::optional<store::Item>& current,
                            const Registry::State::Decide& decide) {
    constexpr std::size_t most_need = 24 * 1024;
    std::array<unsigned char, most_need> room;
    json::monotonic_resource arena(room.data(), room.size());
    // what is large is changed piece by piece, and the arena takes nothing back
    const bool small = !current || current->value->size() < most_need / 2;
    const auto space = small ? json::storage_ptr(&arena) : json::storage_ptr();
    const auto& served = *request.served;
    std::optional<Json> object;
    if (current) object = served.show_json(key, *current, space);
    auto plan = decide(object ? &*object : nullptr, space);
    if (!plan) return std::move(plan).error();
    Decision out;
    out.action = plan->action;
    out.warnings = std::move(plan->warnings);
    const bool writes = plan->action != Plan::Action::nothing && !request.options.dry_run;
    if (!writes && !request.options.dry_run) return out;
    // printed once, and the revision put in when it is known
    if (writes) plan->object.at("metadata").as_object()["resourceVersion"] = "0";
    put_in_order(plan->object);
    if (writes && served.converts()) served.to_stored(plan->object);
    out.text = api::to_text(plan->object);
    return out;
}

}  // namespace

awaitable<Outcome<Written>> Registry::State::carry_out(Request request, std::string name, Decide decide) {
    const auto& served = *request.served;
    const auto key = served.key(request.namespace_, name);
    for (int attempt = 0; attempt < attempts_max; ++attempt) {
        const auto current = store.latest(key);
        auto plan = decide_on(request, key, current, decide);
        Written written;
        if (plan) written.warnings = std::move(plan->warnings);
        const bool writes = plan && plan->action != Plan::Action::nothing && !request.options.dry_run;
        if (!writes && store.pending(key)) {
            // an answer may rest only on what is durable
            auto settled = co_await store.settled(key);
            if (!settled) continue;
        }
        if (!plan) co_return std::move(plan).error();
        written.created = !current && plan->action == Plan::Action::put;
        written.deleted = plan->action == Plan::Action::erase;
        if (!writes && !request.options.dry_run) {
            written.object = served.show(key, *current);
            co_return written;
        }
        auto& text = plan->text;
        if (!written.deleted && text.size() > limits::object_bytes_max) co_return too_large();
        if (!writes) {
            store::Item shown;
            shown.revision = current ? current->revision : 0;
            shown.value = std::make_shared<const std::string>(std::move(text));
            written.object = served.named(key, shown);
            co_return written;
        }

        store::Bytes made;
        store::Write write;
        write.key = key;
        write.expected = current ? current->revision : 0;
        write.erase = written.deleted;
        write.make = [&](Revision revision) {
            made = std::make_shared<const std::string>(with_revision(text, revision));
            return made;
        };
        const BeingCreated counted(*this, key, written.created && has_quota(request.namespace_));
        auto stored = co_await store.write(std::move(write));
        if (stored) {
            if (served.special == Special::definition) refresh_definition(name);
            written.object = served.show(key, store::Item{*stored, made, 0});
            co_return written;
        }
        if (stored.error().error_class != ErrorClass::conflict) co_return to_status(stored.error());
    }
    co_return modified(request, name);
}

awaitable<Outcome<Written>> Registry::State::create(Request request, api::Parsed body) {
    if (auto wrong = check_manager(request, "CreateOptions", false)) co_return *std::move(wrong);
    auto warnings = accept_body(request, body, Origin::body);
    if (!warnings) co_return std::move(warnings).error();
    const auto& resource = request.served->resource;
    if (request.served->terminating) {
        Status status;
        status.code = 405;
        status.reason = "MethodNotAllowed";
        status.message = "create not allowed while custom resource definition is terminating";
        co_return status;
    }
    std::string name(api::find_text(body.value, {"metadata", "name"}));
    const auto prefix = std::string(api::find_text(body.value, {"metadata", "generateName"}));
    const bool generated = name.empty() && !prefix.empty();
    for (int attempt = 0;; ++attempt) {
        if (generated) {
            name = prefix.substr(0, generated_prefix_max) + random.text(5, generated_characters);
            api::make_object(body.value, {"metadata"})["name"] = name;
        }
        Decide decide = [&](const Json* current, json::storage_ptr space) -> Outcome<Plan> {
            auto draft = draft_create(request, Json(body.value, std::move(space)), *warnings, Creation::asked);
            if (!current) return draft;
            // the errors of the draft come first
            if (!draft) return std::move(draft).error();
            return api::already_exists(resource.plural, resource.group, name);
        };
        auto written = co_await carry_out(request, name, decide);
        const bool again = generated && !written && written.error().reason == "AlreadyExists";
        if (!again || attempt + 1 >= generated_names_max) co_return written;
    }
}

awaitable<Outcome<Written>> Registry::State::update(Request request, api::Parsed body) {
    if (auto wrong = check_manager(request, "UpdateOptions", false)) co_return *std::move(wrong);
    if (auto wrong = check_subresource(request)) co_return *std::move(wrong);
    if (request.options.subresource == "scale") {
        const Rescale put = [&](const Json&) -> Outcome<Json> { return body.value; };
        co_return co_await rescale(std::move(request), put);
    }
    auto warnings = accept_body(request, body, Origin::body);
    if (!warnings) co_return std::move(warnings).error();
    Decide decide = [&](const Json* current, json::storage_ptr space) -> Outcome<Plan> {
        if (!current && creates_by_update(request)) {
            auto fresh = without_version(Json(body.value, std::move(space)));
            if (auto refused = check_preconditions(request, fresh, json::object())) return *std::move(refused);
            return draft_create(request, std::move(fresh), *warnings, Creation::put);
        }
        if (!current) return absent(request);
        if (auto refused = check_preconditions(request, body.value, *current)) return *std::move(refused);
        const bool blind = api::find_text(body.value, {"metadata", "resourceVersion"}).empty();
        if (blind && !request.served->unconditional)
            return request.invalid(request.name,
                                   {{"FieldValueInvalid", "Invalid value: 0: must be specified for an update",
                                     "metadata.resourceVersion"}});
        return draft_update(request, Json(body.value, std::move(space)), *current, *warnings, false);
    };
    co_return co_await carry_out(request, request.name, decide);
}

namespace {

Outcome<Json> patched_with(PatchType type, const Json& patch, Json object) {
    Result<void, Status> patched;
    switch (type) {
        case PatchType::merge:
            if (!patch.is_object()) return api::bad_request("a merge patch must be a JSON object");
            api::merge_patch(object, patch);
            break;
        case PatchType::json: patched = api::json_patch(object, patch); break;
        case PatchType::strategic: patched = api::strategic_merge_patch(object, patch); break;
    }
    if (!patched) return std::move(patched).error();
    return object;
}

}  // namespace

awaitable<Outcome<Written>> Registry::State::rescale(Request request, Rescale change) {
    const auto& resource = request.served->resource;
    Decide decide = [&](const Json* current, const json::storage_ptr&) -> Outcome<Plan> {
        if (!current) return absent(request);
        auto before = scale_of(resource, *current);
        if (!before) return std::move(before).error();
        auto wanted = change(*before);
        if (!wanted) return std::move(wanted).error();
        auto object = scaled(resource, *current, *wanted);
        if (!object) return std::move(object).error();
        return draft_update(request, *std::move(object), *current, {}, false);
    };
    co_return co_await carry_out(request, request.name, decide);
}

awaitable<Outcome<Written>> Registry::State::patch(Request request, PatchType type, api::Parsed patch) {
    if (auto wrong = check_manager(request, "PatchOptions", false)) co_return *std::move(wrong);
    if (auto wrong = check_subresource(request)) co_return *std::move(wrong);
    if (request.options.subresource == "scale") {
        const Rescale patched = [&](const Json& scale) -> Outcome<Json> {
            return patched_with(type, patch.value, scale);
        };
        co_return co_await rescale(std::move(request), patched);
    }
    Decide decide = [&](const Json* current, const json::storage_ptr&) -> Outcome<Plan> {
        if (!current) return absent(request);
        auto patched = patched_with(type, patch.value, *current);
        if (!patched) return std::move(patched).error();
        api::Parsed body{*std::move(patched), patch.duplicates};
        auto warnings = accept_body(request, body, Origin::patch);
        if (!warnings) return std::move(warnings).error();
        if (auto refused = check_preconditions(request, body.value, *current)) return *std::move(refused);
        return draft_update(request, std::move(body.value), *current, *std::move(warnings), false);
    };
    co_return co_await carry_out(request, request.name, decide);
}

namespace {

std::optional<Status> check_typed(const Json& applied) {
    if (!applied.is_object()) return api::bad_request("an apply patch must be an object");
    for (const char* field : {"apiVersion", "kind"})
        if (api::find_text(applied, {field}).empty())
            return api::bad_request(std::string("Object '") + (std::string_view(field) == "kind" ? "Kind" : field) +
                                    "' is missing in '" + api::to_text(applied) + "'");
    return std::nullopt;
}

/// Refuses what an apply may not carry, and drops what the other half of the object would be.
std::optional<Status> accept_applied(const Request& request, Json& applied) {
    if (auto wrong = check_type(request, applied)) return wrong;
    const auto* managed = api::find(applied, {"metadata", "managedFields"});
    if (managed && !managed->is_null()) return api::bad_request("metadata.managedFields must be nil");
    std::vector<std::string> unknown;
    if (auto tidied = tidy_metadata(applied, unknown); !tidied) return api::bad_request(tidied.error().message);
    if (request.served->special == Special::secret) fold_string_data(applied);
    const auto& resource = request.served->resource;
    if (resource.built_in) put_times_in_form(applied, resource.schema);
    auto& fields = applied.get_object();
    if (request.options.subresource.empty()) {
        if (request.served->resource.status_subresource) fields.erase("status");
        return std::nullopt;
    }
    const auto keep = request.options.subresource == "status" ? std::string_view("status") : std::string_view("spec");
    std::vector<std::string> drop;
    for (const auto& [key, value] : fields)
        if (key != "apiVersion" && key != "kind" && key != "metadata" && key != keep) drop.emplace_back(key);
    for (const auto& key : drop) fields.erase(key);
    auto& metadata = api::make_object(applied, {"metadata"});
    for (const char* field : {"labels", "annotations", "finalizers", "ownerReferences"}) metadata.erase(field);
    return std::nullopt;
}

}  // namespace

awaitable<Outcome<Written>> Registry::State::apply(Request request, api::Parsed body, bool force) {
    if (auto wrong = check_manager(request, "PatchOptions", true)) co_return *std::move(wrong);
    if (auto wrong = check_subresource(request)) co_return *std::move(wrong);
    if (auto wrong = check_typed(body.value)) co_return *std::move(wrong);
    if (request.options.subresource == "scale") {
        auto applied = applied_scale(request.served->resource, request.name, body.value);
        if (!applied) co_return std::move(applied).error();
        body.value = *std::move(applied);
    }
    if (auto wrong = accept_applied(request, body.value)) co_return *std::move(wrong);
    const bool named = !api::find_text(body.value, {"metadata", "name"}).empty();
    if (auto wrong = check_place(request, body.value)) co_return *std::move(wrong);
    std::vector<std::string> warnings;
    for (const auto& path : body.duplicates) warnings.push_back("duplicate field \"" + path + "\"");
    const auto& resource = request.served->resource;
    if (!warnings.empty() && request.options.field_validation == FieldValidation::strict)
        co_return api::bad_request("error decoding YAML: strict decoding error: " + warnings.front());
    if (request.options.field_validation == FieldValidation::ignore) warnings.clear();

    Decide decide = [&](const Json* current, const json::storage_ptr&) -> Outcome<Plan> {
        api::Manager manager;
        manager.name = request.manager();
        manager.apply = true;
        manager.api_version = resource.api_version();
        manager.subresource = request.options.subresource;
        manager.has_status_subresource = resource.status_subresource;
        manager.time = now();
        if (!current) {
            if (!request.options.subresource.empty()) return absent(request);
            if (!named) return api::bad_request("name must be provided");
            if (const auto uid = api::find_text(body.value, {"metadata", "uid"}); !uid.empty())
                return api::conflict(resource.plural, resource.group, request.name,
                                     "uid mismatch: the provided object specified uid " + std::string(uid) +
                                         ", and no existing object was found");
            if (!api::find_text(body.value, {"metadata", "resourceVersion"}).empty()) return absent(request);
            auto merged = api::apply(Json(), body.value, resource.schema.type(), manager, force);
            if (!merged) return std::move(merged).error();
            return draft_create(request, *std::move(merged), warnings, Creation::applied);
        }
        if (auto refused = check_preconditions(request, body.value, *current)) return *std::move(refused);
        auto merged = api::apply(*current, body.value, resource.schema.type(), manager, force);
        if (!merged) return std::move(merged).error();
        return draft_update(request, *std::move(merged), *current, warnings, true);
    };
    co_return co_await carry_out(request, request.name, decide);
}

}  // namespace ocim::registry
