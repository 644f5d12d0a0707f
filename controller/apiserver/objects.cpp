#include "apiserver/objects.hpp"

#include "apiserver/body.hpp"
#include "apiserver/options.hpp"
#include "apiserver/parts.hpp"
#include "base/limits.hpp"
#include "registry/revision.hpp"
#include "registry/scale.hpp"

#include <algorithm>

namespace ocim::apiserver {

namespace {

namespace json = api::json;

api::Status method_not_allowed() {
    api::Status status;
    status.code = 405;
    status.reason = "MethodNotAllowed";
    status.message = "the server does not allow this method on the requested resource";
    return status;
}

/// The kind went away while the request waited.
api::Status gone(const Route& route) { return api::not_found(route.plural, route.group, route.name); }

json::object list_metadata(const registry::ListPage& page) {
    json::object out;
    out["resourceVersion"] = std::to_string(page.revision);
    if (!page.continue_token.empty()) out["continue"] = page.continue_token;
    if (page.remaining) out["remainingItemCount"] = *page.remaining;
    return out;
}

/// What a delete that left nothing behind answers.
std::string deleted_status(const std::string& group, const std::string& plural, const registry::StoredObject& object) {
    json::object details;
    details["name"] = object.name;
    if (!group.empty()) details["group"] = group;
    details["kind"] = plural;
    details["uid"] = api::find_text(object.parsed(), {"metadata", "uid"});
    json::object out;
    out["kind"] = "Status";
    out["apiVersion"] = "v1";
    out["metadata"] = json::object();
    out["status"] = "Success";
    out["details"] = std::move(details);
    return api::to_text(out) + "\n";
}

constexpr std::chrono::seconds version_wait_max{3};  // as Kubernetes
constexpr std::chrono::milliseconds version_look{50};

Result<net::ServerReply, api::Status> scale_reply(const registry::Resource& resource,
                                                  const registry::StoredObject& object) {
    auto scale = registry::scale_of(resource, object.parsed());
    if (!scale) return std::move(scale).error();
    return json_reply(200, api::to_text(*scale) + "\n");
}

BodyRules rules_at(const Route& route, const registry::Resource& resource) {
    return route.subresource == "scale" ? BodyRules{"Scale", "autoscaling/v1", false} : rules_of(resource);
}

const char* patch_types(const registry::Resource& resource) {
    return resource.built_in
               ? "application/json-patch+json, application/merge-patch+json, "
                 "application/strategic-merge-patch+json, application/apply-patch+yaml"
               : "application/json-patch+json, application/merge-patch+json, application/apply-patch+yaml";
}

}  // namespace

const registry::Resource* Objects::resource(const Route& route) const {
    const auto* found = registry_.resource(route.group, route.version, route.plural);
    if (!found) return nullptr;
    if (!route.subresource.empty()) {
        const auto parts = parts_of(*found);
        if (std::ranges::find(parts, route.subresource, &Part::name) == parts.end()) return nullptr;
    }
    if (!found->namespaced && !route.namespace_.empty()) return nullptr;
    if (found->namespaced && route.namespace_.empty() && !route.name.empty()) return nullptr;
    return found;
}

bool Objects::allowed(const registry::Resource& resource, const Route& route) const {
    if (route.subresource.empty()) return std::ranges::find(resource.verbs, route.verb) != resource.verbs.end();
    for (const auto& part : parts_of(resource))
        if (part.name == route.subresource) return std::ranges::find(part.verbs, route.verb) != part.verbs.end();
    return false;
}

awaitable<net::ServerReply> Objects::answer(Exchange& exchange) {
    auto result = co_await answer_verb(exchange);
    if (!result) co_return refusal_reply(result.error());
    co_return *std::move(result);
}

awaitable<Objects::Answer> Objects::answer_verb(Exchange& exchange) {
    const auto& route = exchange.route;
    const auto* found = resource(route);
    if (!found) co_return page_not_found();
    // of all namespaces at once one can only list
    const bool everywhere = found->namespaced && route.namespace_.empty() && route.verb != "list";
    const auto& verb = route.verb;
    if (route.name.empty() && (verb == "update" || verb == "patch"))
        co_return api::bad_request("name must be provided");
    if (everywhere || !allowed(*found, route)) co_return method_not_allowed();

    if (verb == "get") co_return co_await get(exchange);
    if (verb == "list") co_return co_await list(exchange);
    if (verb == "create") co_return co_await create(exchange);
    if (verb == "update") co_return co_await update(exchange);
    if (verb == "patch") co_return co_await patch(exchange);
    if (verb == "delete") co_return co_await remove(exchange);
    if (verb == "deletecollection") co_return co_await remove_collection(exchange);
    co_return method_not_allowed();
}

Result<Printer, api::Status> Objects::printer(const Exchange& exchange) const {
    auto format = negotiate(exchange.request.header("accept"));
    if (!format) return std::move(format).error();
    auto include = parse_include(exchange.query.get("includeObject"));
    if (!include) return std::move(include).error();
    return Printer(*resource(exchange.route), *format, *include);
}

awaitable<Result<void, api::Status>> Objects::reach_version(const Exchange& exchange) {
    const std::string text(exchange.query.get("resourceVersion"));
    if (text.empty() || !exchange.query.get("continue").empty()) co_return Result<void, api::Status>();
    const auto wanted = registry::parse_revision(text);
    if (!wanted) co_return wanted.error();
    const auto end = clock_.now() + version_wait_max;
    while (registry_.revision() < *wanted) {
        const auto now = clock_.now();
        if (now >= end) co_return registry::too_large_revision(*wanted, registry_.revision());
        const auto next = std::min<Instant>(end, now + version_look);
        co_await clock_.sleep_until(next);
    }
    co_return Result<void, api::Status>();
}

awaitable<Objects::Answer> Objects::get(const Exchange& exchange) {
    const auto& route = exchange.route;
    auto print = printer(exchange);
    if (!print) co_return std::move(print).error();
    if (exchange.query.has("resourceVersion")) {
        auto reached = co_await reach_version(exchange);
        if (!reached) co_return std::move(reached).error();
    }
    const auto* found = resource(route);
    if (!found) co_return gone(route);
    auto object = registry_.get(*found, route.namespace_, route.name);
    if (!object) co_return std::move(object).error();
    if (route.subresource == "scale") co_return scale_reply(*found, *object);
    co_return json_reply(200, print->single(*object, clock_.wall()));
}

awaitable<Objects::Answer> Objects::list(const Exchange& exchange) {
    auto print = printer(exchange);
    if (!print) co_return std::move(print).error();
    auto options = list_options(exchange);
    if (!options) co_return std::move(options).error();
    if (!options->resource_version.empty()) {
        auto reached = co_await reach_version(exchange);
        if (!reached) co_return std::move(reached).error();
    }
    const auto* found = resource(exchange.route);
    if (!found) co_return gone(exchange.route);
    auto page = registry_.list(*found, *options);
    if (!page) co_return std::move(page).error();
    auto metadata = list_metadata(*page);
    co_return co_await listed(*print, std::move(page->items), std::move(metadata));
}

awaitable<net::ServerReply> Objects::listed(const Printer& printer, std::vector<registry::StoredObject> items,
                                            json::object metadata) {
    const auto slice = printer.verbatim() ? limits::list_slice_verbatim : limits::list_slice_printed;
    std::string out = printer.list_head(metadata);
    std::size_t bytes = out.size();
    for (const auto& item : items) bytes += item.bytes->size() + 1;
    if (printer.verbatim()) out.reserve(bytes + 8);
    const auto now = clock_.wall();
    for (std::size_t i = 0; i < items.size(); ++i) {
        if (i > 0) out += ',';
        if (printer.verbatim())
            out += *items[i].bytes;
        else
            out += printer.item(items[i], now);
        if (i % slice == slice - 1) {
            const auto at_once = clock_.now();
            co_await clock_.sleep_until(at_once);  // lets the loop do something else
        }
    }
    out += printer.list_tail();
    co_return json_reply(200, std::move(out));
}

Objects::Answer Objects::written(Exchange& exchange, const Printer& printer, const registry::Written& result) {
    exchange.object_name = result.object.name;
    auto reply = json_reply(result.created ? 201 : 200, printer.single(result.object, clock_.wall()));
    if (exchange.route.subresource == "scale") {
        const auto* found = resource(exchange.route);
        if (!found) return gone(exchange.route);
        auto scale = scale_reply(*found, result.object);
        if (!scale) return scale;
        reply = *std::move(scale);
    }
    for (const auto& warning : result.warnings) reply.headers.emplace("Warning", warning_header(warning));
    return reply;
}

awaitable<Objects::Answer> Objects::create(Exchange& exchange) {
    const auto& route = exchange.route;
    auto print = printer(exchange);
    if (!print) co_return std::move(print).error();
    auto options = write_options(exchange, "CreateOptions");
    if (!options) co_return std::move(options).error();
    const std::string type(exchange.request.header("content-type"));
    auto rules = rules_of(*resource(route));
    auto object = co_await read_object(pool_, type, exchange.request.body, std::move(rules));
    if (!object) co_return std::move(object).error();
    const auto* found = resource(route);
    if (!found) co_return gone(route);
    auto made = co_await registry_.create(*found, route.namespace_, route.name, *std::move(object), *options);
    if (!made) co_return std::move(made).error();
    co_return written(exchange, *print, *made);
}

awaitable<Objects::Answer> Objects::update(Exchange& exchange) {
    const auto& route = exchange.route;
    auto print = printer(exchange);
    if (!print) co_return std::move(print).error();
    auto options = write_options(exchange, "UpdateOptions");
    if (!options) co_return std::move(options).error();
    const std::string type(exchange.request.header("content-type"));
    auto rules = rules_at(route, *resource(route));
    auto object = co_await read_object(pool_, type, exchange.request.body, std::move(rules));
    if (!object) co_return std::move(object).error();
    const auto* found = resource(route);
    if (!found) co_return gone(route);
    auto put = co_await registry_.update(*found, route.namespace_, route.name, *std::move(object), *options);
    if (!put) co_return std::move(put).error();
    co_return written(exchange, *print, *put);
}

awaitable<Objects::Answer> Objects::patch(Exchange& exchange) {
    const auto& route = exchange.route;
    const auto* kind = resource(route);
    const auto type = body_type(exchange.request.header("content-type"));
    const bool known = type == BodyType::json_patch || type == BodyType::merge_patch || type == BodyType::apply_patch ||
                       (type == BodyType::strategic_patch && kind->built_in);
    if (!known) co_return unsupported_media_type(patch_types(*kind));
    auto print = printer(exchange);
    if (!print) co_return std::move(print).error();
    auto options = write_options(exchange, "PatchOptions");
    if (!options) co_return std::move(options).error();
    auto rules = rules_at(route, *kind);
    auto patch = co_await read_patch(pool_, type, exchange.request.body, std::move(rules));
    if (!patch) co_return std::move(patch).error();
    const auto* found = resource(route);
    if (!found) co_return gone(route);

    registry::Outcome<registry::Written> result;
    if (type == BodyType::apply_patch) {
        const auto force = apply_force(exchange);
        if (!force) co_return force.error();
        result = co_await registry_.apply(*found, route.namespace_, route.name, *std::move(patch), *force, *options);
    } else {
        if (auto plain = check_no_force(exchange); !plain) co_return std::move(plain).error();
        const auto how = type == BodyType::json_patch    ? registry::PatchType::json
                         : type == BodyType::merge_patch ? registry::PatchType::merge
                                                         : registry::PatchType::strategic;
        result = co_await registry_.patch(*found, route.namespace_, route.name, how, *std::move(patch), *options);
    }
    if (!result) co_return std::move(result).error();
    co_return written(exchange, *print, *result);
}

namespace {

/// DeleteOptions from the body, overlaid by those of the query.
Result<registry::DeleteOptions, api::Status> delete_options(const Exchange& exchange) {
    auto out = read_delete_options(std::string(exchange.request.header("content-type")), exchange.request.body);
    if (!out) return out;
    if (auto grace = check_grace_period(exchange); !grace) return std::move(grace).error();
    auto query = write_options(exchange, "DeleteOptions");
    if (!query) return std::move(query).error();
    query->dry_run = query->dry_run || out->write.dry_run;
    out->write = *std::move(query);
    auto policy = read_propagation(exchange.query.get("propagationPolicy"));
    if (!policy) return std::move(policy).error();
    if (*policy) out->propagation = *policy;
    if (exchange.query.flag("orphanDependents")) out->propagation = registry::Propagation::orphan;
    return out;
}

}  // namespace

awaitable<Objects::Answer> Objects::remove(Exchange& exchange) {
    const auto& route = exchange.route;
    auto print = printer(exchange);
    if (!print) co_return std::move(print).error();
    auto options = delete_options(exchange);
    if (!options) co_return std::move(options).error();
    auto removed = co_await registry_.remove(*resource(route), route.namespace_, route.name, *options);
    if (!removed) co_return std::move(removed).error();
    if (removed->deleted) co_return json_reply(200, deleted_status(route.group, route.plural, removed->object));
    co_return written(exchange, *print, *removed);
}

awaitable<Objects::Answer> Objects::remove_collection(Exchange& exchange) {
    auto print = printer(exchange);
    if (!print) co_return std::move(print).error();
    auto which = list_options(exchange);
    if (!which) co_return std::move(which).error();
    auto options = delete_options(exchange);
    if (!options) co_return std::move(options).error();
    auto removed = co_await registry_.remove_collection(*resource(exchange.route), *which, *options);
    if (!removed) co_return std::move(removed).error();
    json::object metadata;
    metadata["resourceVersion"] = std::to_string(registry_.revision());
    co_return co_await listed(*print, *std::move(removed), std::move(metadata));
}

Result<Objects::Watching, api::Status> Objects::watch(const Exchange& exchange) {
    const auto* found = resource(exchange.route);
    if (std::ranges::find(found->verbs, "watch") == found->verbs.end()) return method_not_allowed();
    auto print = printer(exchange);
    if (!print) return std::move(print).error();
    auto options = watch_options(exchange);
    if (!options) return std::move(options).error();
    Watching out;
    out.printer = std::make_unique<Printer>(*std::move(print));
    out.bookmarks = options->bookmarks;
    auto opened = registry_.watch(*found, *options);
    if (opened)
        out.watch = *std::move(opened);
    else if (opened.error().code == 410)
        out.expired = std::move(opened).error();
    else
        return std::move(opened).error();
    return out;
}

}  // namespace ocim::apiserver
