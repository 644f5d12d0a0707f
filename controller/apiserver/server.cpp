#include "apiserver/server.hpp"

#include "apiserver/access_limits.hpp"
#include "apiserver/body.hpp"
#include "apiserver/gzip.hpp"
#include "apiserver/reviews.hpp"
#include "base/limits.hpp"
#include "base/utf8.hpp"

#include <algorithm>

namespace ocim::apiserver {

namespace {

namespace json = api::json;

/// Passes on what a handler says, and remembers its code.
class RecordingResponder : public net::Responder {
public:
    explicit RecordingResponder(net::Responder& next) : next_(next) {}
    awaitable<void> reply(net::ServerReply reply) override {
        code = reply.status;
        return next_.reply(std::move(reply));
    }
    awaitable<void> start_stream(unsigned status, std::multimap<std::string, std::string> headers) override {
        code = status;
        streamed = true;
        return next_.start_stream(status, std::move(headers));
    }
    awaitable<bool> write(std::string chunk) override { return next_.write(std::move(chunk)); }
    awaitable<void> finish() override { return next_.finish(); }
    bool write_now(std::string_view chunk) override { return next_.write_now(chunk); }

    /// 499: the client went before anything was answered.
    unsigned code = 499;
    bool streamed = false;

private:
    net::Responder& next_;
};

/// Calls at the end of the scope, however it is left.
template <class F>
struct AtEnd {
    F call;
    ~AtEnd() { call(); }
};
template <class F>
AtEnd(F) -> AtEnd<F>;

api::Status method_not_allowed() {
    api::Status status;
    status.code = 405;
    status.reason = "MethodNotAllowed";
    status.message = "the server does not allow this method on the requested resource";
    return status;
}

api::Status unauthorized() {
    api::Status status;
    status.code = 401;
    status.reason = "Unauthorized";
    status.message = "Unauthorized";
    return status;
}

const VirtualResource* virtual_resource(const Route& route) {
    const auto& all = virtual_resources();
    const auto found = std::ranges::find_if(all, [&](const VirtualResource& v) {
        return v.group == route.group && v.version == route.version && v.plural == route.plural;
    });
    return found == all.end() ? nullptr : &*found;
}

net::ServerReply version_reply(const std::string& version) {
    json::object out;
    out["major"] = "1";
    out["minor"] = "35";
    out["gitVersion"] = "v1.35.0+ocim." + version;
    out["gitCommit"] = "";
    out["gitTreeState"] = "";
    out["buildDate"] = "";
    out["goVersion"] = "";
    out["compiler"] = "clang";
    out["platform"] = "linux/amd64";
    return json_reply(200, api::to_text(out) + "\n");
}

/// As kube-apiserver says it.
net::ServerReply too_many_requests() {
    net::ServerReply reply;
    reply.status = 429;
    reply.headers.emplace("Content-Type", "text/plain; charset=utf-8");
    reply.headers.emplace("Retry-After", "1");
    reply.body = "Too many requests, please try again later.\n";
    return reply;
}

bool is_token_request(const Route& route) {
    return route.group.empty() && route.version == "v1" && route.plural == "serviceaccounts" &&
           route.subresource == "token" && !route.namespace_.empty();
}

/// The one object that a list or a watch can show: rules that name objects apply to those too.
std::string name_selected(const Exchange& exchange) {
    if (exchange.route.verb != "list" && exchange.route.verb != "watch") return "";
    const auto selector = api::FieldSelector::parse(exchange.query.get("fieldSelector"));
    if (!selector) return "";
    for (const auto& requirement : selector->requirements())
        if (requirement.path == "metadata.name" && requirement.equal) return requirement.value;
    return "";
}

/// How Kubernetes' metrics call a verb.
std::string metric_verb(const Exchange& exchange) {
    const auto& verb = exchange.route.verb;
    if (verb == "create") return "POST";
    if (verb == "update") return "PUT";
    if (verb == "patch")
        return body_type(exchange.request.header("content-type")) == BodyType::apply_patch ? "APPLY" : "PATCH";
    for (const auto* known : {"get", "list", "watch", "delete", "deletecollection"})
        if (verb == known) {
            auto out = verb;
            std::ranges::transform(out, out.begin(), [](char c) { return char(c - 'a' + 'A'); });
            return out;
        }
    return "OTHER";
}

constexpr auto unknown_counter = "ocim_audit_unauthenticated_left_out_total";
constexpr auto unknown_help =
    "Requests without good credentials that the audit log does not show, for there were too many.";

bool writes(const std::string& verb) {
    return verb == "create" || verb == "update" || verb == "patch" || verb == "delete" || verb == "deletecollection";
}

}  // namespace

Server::Server(const Parts& parts)
    : parts_(parts),
      certificates_only_(parts.clock, nullptr, StaticTokens()),
      gate_(parts.clock, parts.metrics, parts.fairness),
      objects_(parts.registry, parts.clock, parts.pool),
      discovery_(parts.registry, parts_.subresources),
      open_api_(parts.registry, parts.pool),
      unknown_(limits::audit_unknown_per_minute) {
    if (!parts_.authenticator) parts_.authenticator = &certificates_only_;
    parts_.metrics.counter(unknown_counter, unknown_help);
    for (const auto* verb : {"GET", "LIST", "WATCH", "POST", "PUT", "PATCH", "APPLY", "DELETE", "DELETECOLLECTION"})
        parts_.metrics.counter("apiserver_request_total", "Requests to the API, by their answer.",
                               {{"verb", verb}, {"resource", ""}, {"code", "200"}});
}

net::Handler Server::handler() {
    return
        [this](net::ServerRequest request, net::Responder& responder) { return handle(std::move(request), responder); };
}

awaitable<void> Server::handle(net::ServerRequest request, net::Responder& responder) {
    const auto begin = parts_.clock.now();
    RecordingResponder recorder(responder);
    Exchange exchange;
    exchange.request = std::move(request);
    exchange.audit_id = parts_.random.uuid();
    exchange.query = Query::parse(exchange.request.query);
    const AtEnd at_end{[&] { record(exchange, begin, recorder.code, recorder.streamed); }};

    auto reply = co_await answer(exchange, recorder);
    if (!reply) co_return;  // it was a stream
    co_await compress(exchange, *reply);
    warn_of_deprecation(exchange.route, reply->headers);
    reply->headers.emplace("Audit-Id", exchange.audit_id);
    if (!reply->headers.contains("Cache-Control")) reply->headers.emplace("Cache-Control", "no-cache, private");
    if (exchange.request.method == "HEAD") reply->body.clear();
    co_await recorder.reply(*std::move(reply));
}

awaitable<std::optional<net::ServerReply>> Server::answer(Exchange& exchange, net::Responder& responder) {
    auto route = parse_route(exchange.request.method, exchange.request.path, exchange.query);
    if (!route) co_return refusal_reply(route.error());
    exchange.route = *std::move(route);
    if (auto health = parts_.health.answer(exchange.route, exchange.query)) co_return health;
    if (parts_.registry.shared()) {
        auto late = co_await catch_up(exchange);
        if (late) co_return late;
    }
    if (auto refused = admit(exchange)) co_return refused;

    if (streams(exchange.route)) co_return co_await answer_stream(exchange, responder);
    co_return co_await answer_in_turn(exchange);
}

awaitable<std::optional<net::ServerReply>> Server::catch_up(const Exchange& exchange) const {
    // as in Kubernetes: whoever asks for revision 0 takes what is at hand
    const bool any = exchange.query.get("resourceVersion") == "0" && !writes(exchange.route.verb);
    const auto path = exchange.route.path();
    if (any || !(path.starts_with("/api") || path.starts_with("/openapi"))) co_return std::nullopt;
    const auto caught = co_await parts_.registry.catch_up();
    if (caught) co_return std::nullopt;
    api::Status status;
    status.code = 503;
    status.reason = "ServiceUnavailable";
    status.message = "the database of the store does not answer: " + caught.error().message;
    status.retry_after_seconds = 1;
    co_return refusal_reply(status);
}

bool Server::streams(const Route& route) const {
    return subresource(route) || (route.verb == "watch" && objects_.resource(route) != nullptr);
}

awaitable<std::optional<net::ServerReply>> Server::answer_stream(Exchange& exchange, net::Responder& responder) {
    auto& open = streams_[exchange.caller.user];
    if (!is_master(exchange.caller) && open >= limits::streams_of_user_max) co_return too_many_requests();
    ++open;
    const AtEnd at_end{[this, user = exchange.caller.user] {
        if (--streams_[user] == 0) streams_.erase(user);
    }};
    if (const auto* asked = subresource(exchange.route))
        co_return co_await answer_subresource(*asked, exchange, responder);
    co_return co_await stream(exchange, responder);
}

awaitable<net::ServerReply> Server::answer_in_turn(Exchange& exchange) {
    // administrators and health are not kept waiting by others, nor by themselves
    std::optional<FairGate::Seat> seat;
    if (!is_master(exchange.caller)) {
        auto entered = co_await gate_.enter(exchange.caller.user);
        if (!entered) co_return too_many_requests();
        seat.emplace(*std::move(entered));
    }
    auto work = answer_plain(exchange);
    // one object is there at once: no need for a timer
    if (exchange.route.verb == "get") {
        auto answered = co_await std::move(work);
        co_return *std::move(answered);
    }
    auto answered = co_await with_deadline(parts_.clock, limits::request_max, "the request", std::move(work));
    if (answered) co_return *std::move(answered);
    api::Status status;
    status.code = 504;
    status.reason = "Timeout";
    status.message = "Timeout: request did not complete within the allotted timeout";
    co_return refusal_reply(status);
}

awaitable<Result<net::ServerReply>> Server::answer_plain(Exchange& exchange) {
    if (exchange.route.is_resource()) {
        if (virtual_resource(exchange.route)) co_return co_await answer_review(exchange);
        if (is_token_request(exchange.route)) co_return co_await answer_token_request(exchange);
        co_return co_await objects_.answer(exchange);
    }
    if (exchange.request.method != "GET" && exchange.request.method != "HEAD") co_return page_not_found();
    if (auto document = discovery_.answer(exchange)) co_return *std::move(document);
    auto open_api = co_await open_api_.answer(exchange);
    if (open_api) co_return *std::move(open_api);
    const auto path = exchange.route.path();
    if (path == "/version") co_return version_reply(parts_.version);
    if (path == "/metrics") co_return metrics_reply(parts_.metrics);
    if (parts_.debug && is_debug_path(path)) co_return parts_.debug(path, exchange.query);
    if (auto document = issuer_document(path)) co_return *std::move(document);
    co_return page_not_found();
}

void Server::warn_of_deprecation(const Route& route, std::multimap<std::string, std::string>& headers) const {
    if (!route.is_resource()) return;
    const auto* resource = parts_.registry.resource(route.group, route.version, route.plural);
    if (resource && !resource->deprecation.empty()) headers.emplace("Warning", warning_header(resource->deprecation));
}

std::optional<net::ServerReply> Server::admit(Exchange& exchange) {
    const auto path = exchange.route.path();
    auto caller = parts_.authenticator->authenticate(exchange.request, path);
    if (!caller) return refusal_reply(unauthorized());
    exchange.caller = *std::move(caller);
    const auto own_name = exchange.caller.user;
    const auto placed = impersonate(exchange.request, parts_.authorizer, exchange.caller);
    if (!placed) return refusal_reply(placed.error());
    if (*placed) exchange.impersonator = own_name;
    exchange.caller.user_agent = std::string(exchange.request.header("user-agent"));

    const auto& route = exchange.route;
    Attributes asked;
    asked.caller = exchange.caller;
    asked.verb = route.verb;
    asked.group = route.group;
    asked.version = route.version;
    asked.plural = route.plural;
    asked.subresource = route.subresource;
    asked.namespace_ = route.namespace_;
    asked.name = route.name.empty() ? name_selected(exchange) : route.name;
    // as Kubernetes: who has rights in a namespace can have them on the namespace too
    if (route.group.empty() && route.plural == "namespaces") asked.namespace_ = route.name;
    asked.path = path;
    if (parts_.authorizer.allows(asked)) return std::nullopt;
    return refusal_reply(refusal(asked));
}

awaitable<Result<api::Json, api::Status>> Server::read_body(const Exchange& exchange, std::string kind,
                                                            std::string group) {
    BodyRules rules{std::move(kind), group + "/v1", true};
    const std::string type(exchange.request.header("content-type"));
    auto read = co_await read_object(parts_.pool, type, exchange.request.body, std::move(rules));
    if (!read) co_return std::move(read).error();
    co_return std::move(read->value);
}

awaitable<net::ServerReply> Server::answer_review(Exchange& exchange) {
    if (exchange.route.verb != "create" || !exchange.route.name.empty()) co_return refusal_reply(method_not_allowed());
    const auto& what = *virtual_resource(exchange.route);
    // a review of a namespace is asked for in it
    if (what.namespaced == exchange.route.namespace_.empty()) co_return page_not_found();
    auto body = co_await read_body(exchange, std::string(what.kind), std::string(what.group));
    if (!body) co_return refusal_reply(body.error());
    co_return review(exchange, parts_.authorizer, *parts_.authenticator, *std::move(body), parts_.clock.wall());
}

awaitable<net::ServerReply> Server::answer_token_request(Exchange& exchange) {
    if (exchange.route.verb != "create") co_return refusal_reply(method_not_allowed());
    auto* tokens = parts_.authenticator->tokens();
    if (!tokens) co_return page_not_found();
    auto body = co_await read_body(exchange, "TokenRequest", "authentication.k8s.io");
    if (!body) co_return refusal_reply(body.error());
    const auto issued = tokens->issue(exchange.route.namespace_, exchange.route.name, *std::move(body));
    if (!issued) co_return refusal_reply(issued.error());
    co_return json_reply(201, api::to_text(*issued) + "\n");
}

std::optional<net::ServerReply> Server::issuer_document(const std::string& path) const {
    const auto* tokens = parts_.authenticator->tokens();
    if (!tokens) return std::nullopt;
    if (path == "/.well-known/openid-configuration") return json_reply(200, tokens->discovery_document());
    if (path != "/openid/v1/jwks") return std::nullopt;
    auto reply = json_reply(200, tokens->key_document());
    reply.headers.find("Content-Type")->second = "application/jwk-set+json";
    return reply;
}

const Subresource* Server::subresource(const Route& route) const {
    if (route.subresource.empty() || route.name.empty()) return nullptr;
    const auto found = std::ranges::find_if(parts_.subresources, [&](const Subresource& s) {
        return s.group == route.group && s.version == route.version && s.plural == route.plural &&
               s.name == route.subresource;
    });
    return found == parts_.subresources.end() ? nullptr : &*found;
}

awaitable<std::optional<net::ServerReply>> Server::answer_subresource(const Subresource& asked, Exchange& exchange,
                                                                      net::Responder& responder) {
    const auto& route = exchange.route;
    const auto* resource = parts_.registry.resource(route.group, route.version, route.plural);
    if (!resource || resource->namespaced != !route.namespace_.empty()) co_return page_not_found();
    if (route.verb != "get") co_return refusal_reply(method_not_allowed());
    const auto object = parts_.registry.get(*resource, route.namespace_, route.name);
    if (!object) co_return refusal_reply(object.error());
    const auto known = still_known(exchange);
    SubresourceRequest request{object->parsed(), exchange.query, [this, known] { return draining_ || !known(); }};
    co_return co_await asked.answer(std::move(request), responder);
}

awaitable<void> Server::compress(const Exchange& exchange, net::ServerReply& reply) {
    if (reply.body.size() < limits::gzip_bytes_min) co_return;
    reply.headers.emplace("Vary", "Accept-Encoding");
    if (!accepts_gzip(exchange.request.header("accept-encoding"))) co_return;
    auto shared = std::make_shared<std::string>(std::move(reply.body));  // shared with the thread that reads it
    auto work = [shared]() -> Result<std::string> { return gzip(*shared); };
    auto small = co_await parts_.pool.call(std::move(work));
    // too busy to compress is no reason not to answer
    if (!small) {
        reply.body = std::move(*shared);
        co_return;
    }
    reply.body = *std::move(small);
    reply.headers.emplace("Content-Encoding", "gzip");
}

Server::Counted& Server::counted_of(const std::string& verb, const std::string& resource, unsigned code) {
    auto key = verb + "/" + resource + "/" + std::to_string(code);
    const auto found = counted_.find(key);
    if (found != counted_.end()) return found->second;
    const Metrics::Labels what{{"verb", verb}, {"resource", resource}};
    auto labels = what;
    labels["code"] = std::to_string(code);
    auto& metrics = parts_.metrics;
    Counted made{metrics.counter("apiserver_request_total", "Requests to the API, by their answer.", labels),
                 metrics.histogram("apiserver_request_duration_seconds",
                                   "Time from a request to its answer, streams apart.", what)};
    return counted_.emplace(std::move(key), made).first->second;
}

void Server::record(const Exchange& exchange, Instant begin, unsigned code, bool streamed) {
    const auto& route = exchange.route;
    const auto took = parts_.clock.now() - begin;
    const bool known = parts_.registry.resource(route.group, route.version, route.plural) || virtual_resource(route);
    auto& counted = counted_of(metric_verb(exchange), known ? route.plural : "", code);
    counted.total.Increment();
    if (!streamed) counted.seconds.Observe(std::chrono::duration<double>(took).count());
    audit(exchange, code, took);
}

std::function<bool()> Server::still_known(const Exchange& exchange) {
    return [this, &exchange, next = parts_.clock.now() + limits::watch_slice, known = true]() mutable {
        if (parts_.clock.now() < next) return known;
        next = parts_.clock.now() + limits::watch_slice;
        known = parts_.authenticator->authenticate(exchange.request, exchange.route.path()).has_value();
        return known;
    };
}

/// Anybody can send such requests, and say what he likes: few are written down, and shortly.
void Server::audit_unknown(const Exchange& exchange, std::chrono::nanoseconds took) {
    const auto left_out = unknown_.take(parts_.clock.now());
    if (!left_out) {
        parts_.metrics.counter(unknown_counter, unknown_help).Increment();
        return;
    }
    const auto shortened = [](std::string_view text) { return one_line(text, limits::audit_unknown_text_max); };
    AuditRecord record;
    record.time = rfc3339_micro(parts_.clock.wall());
    record.audit_id = exchange.audit_id;
    record.path = shortened(exchange.route.path());
    record.verb = exchange.route.verb;
    record.attempted = attempted(exchange.request);
    record.left_out = *left_out;
    record.remote_address = exchange.request.remote_address;
    record.user_agent = shortened(exchange.request.header("user-agent"));
    record.code = 401;
    record.latency_ms = std::chrono::duration_cast<std::chrono::milliseconds>(took).count();
    parts_.audit.write(record);
}

/// Writes, looks at Secrets, what a known user was refused, and who is not known.
void Server::audit(const Exchange& exchange, unsigned code, std::chrono::nanoseconds took) {
    const auto& route = exchange.route;
    if (code == 401) {
        audit_unknown(exchange, took);
        return;
    }
    if (exchange.caller.user == anonymous_user) return;
    const bool write = route.is_resource() && writes(route.verb) && !virtual_resource(route);
    const bool secrets = route.group.empty() && route.plural == "secrets";
    if (!write && !secrets && code != 403 && exchange.impersonator.empty()) return;
    AuditRecord record;
    record.time = rfc3339_micro(parts_.clock.wall());
    record.audit_id = exchange.audit_id;
    record.user = exchange.caller.user;
    record.groups = exchange.caller.groups;
    record.impersonator = exchange.impersonator;
    if (!route.is_resource()) record.path = route.path();
    record.verb = route.verb;
    record.group = route.group;
    record.plural = route.plural;
    record.subresource = route.subresource;
    record.namespace_ = route.namespace_;
    record.name = route.name.empty() ? exchange.object_name : route.name;
    record.remote_address = exchange.request.remote_address;
    record.user_agent = one_line(exchange.caller.user_agent, limits::audit_user_agent_max);
    record.dry_run = exchange.query.get("dryRun") == "All";
    record.code = code;
    record.latency_ms = std::chrono::duration_cast<std::chrono::milliseconds>(took).count();
    parts_.audit.write(record);
}

}  // namespace ocim::apiserver
