#include "cli/leader.hpp"

#include "apiserver/exchange.hpp"
#include "cli/doorkeeper.hpp"
#include "net/http_client.hpp"
#include "net/https_client.hpp"
#include "runtime/lease.hpp"

#include <array>

namespace ocim::cli {

namespace {

using namespace std::chrono_literals;

constexpr auto known_max = 2s;     // strangers may send much; the leader changes seldom
constexpr auto answer_limit = 8s;  // until the answer begins: who sends webhooks waits for ten
/// On what is passed on, so that it goes one step only.
constexpr auto passed_header = "ocim-passed-on";
constexpr std::array passed_headers{"accept",         "content-type",        "user-agent",        "x-github-delivery",
                                    "x-github-event", "x-gitea-event",       "x-gitea-signature", "x-gitlab-event",
                                    "x-gitlab-token", "x-hub-signature-256", "impersonate-user"};

std::string named(const char* what) { return std::string(runtime::Lease::told_prefix) + what; }

net::ServerReply failure(const Error& error) {
    api::Status status;
    status.code = error.outcome_unknown ? 502 : 503;
    status.reason = error.outcome_unknown ? "" : "ServiceUnavailable";
    status.message = error.message;
    if (status.code == 503) status.retry_after_seconds = 2;
    return apiserver::refusal_reply(status);
}

net::HttpsRequest copy_of(net::ServerRequest request) {
    net::HttpsRequest out;
    out.method = request.method;
    out.target = request.query.empty() ? request.path : request.path + "?" + request.query;
    for (const auto* name : passed_headers)
        if (const auto value = request.header(name); !value.empty()) out.headers[name] = value;
    // what is there twice is passed on as it is refused: not at all
    for (const auto* name : passed_headers)
        if (request.headers.count(name) > 1) out.headers.erase(name);
    out.headers.erase("content-type");
    out.headers[passed_header] = "true";
    out.content_type = request.header("content-type");
    out.bearer_token = Secret(bearer_token(request));
    out.body = std::move(request.body);
    out.timeout = answer_limit;
    return out;
}

}  // namespace

std::map<std::string, std::string> Leader::annotations() const {
    if (door.empty()) return {};
    return {{named("door"), door}, {named("authority"), authority}};
}

Leader Leader::of(const api::Json& lease) {
    const auto told = [&](const char* what) {
        return std::string(api::find_text(lease, {"metadata", "annotations", named(what)}));
    };
    return {std::string(api::find_text(lease, {"spec", "holderIdentity"})), told("door"), told("authority")};
}

awaitable<Result<Leader>> Forwarder::leader() {
    if (clock_.now() < known_until_) co_return known_;
    const runtime::Lease::Settings where;
    CO_TRY(const auto lease, co_await client_.get(api::lease_kind, where.namespace_, where.name));
    known_ = Leader::of(lease);
    known_until_ = clock_.now() + known_max;
    co_return known_;
}

awaitable<void> Forwarder::pass_on(net::ServerRequest request, net::Responder& responder) {
    bool answered = false;
    const auto passed = co_await pass(std::move(request), responder, answered);
    if (passed || answered) co_return;  // a stream that broke off breaks off here too
    auto refusal = failure(passed.error());
    co_await responder.reply(std::move(refusal));
}

awaitable<Result<void>> Forwarder::pass(net::ServerRequest request, net::Responder& responder, bool& answered) {
    CO_TRY(const auto found, co_await leader());
    if (found.holder.empty()) co_return Error{ErrorClass::transient, "nobody leads now: come again"};
    if (found.holder == self_ || request.headers.contains(passed_header))
        co_return Error{ErrorClass::transient, "who leads is changing: come again"};
    const auto name = "the leader, " + found.holder;
    if (found.door.empty())
        co_return Error{ErrorClass::transient,
                        name + ", does not say where it is: start it with --listen and --advertise-address"};
    net::TlsIdentity trust;
    trust.ca_certificate = found.authority;
    auto server = net::make_https_client(loop_, clock_, metrics_, found.door, trust);
    if (!server) co_return std::move(server).error().within(name);
    auto sent = copy_of(std::move(request));
    auto opened = co_await (*server)->open(std::move(sent));
    if (!opened) co_return std::move(opened).error().within(name);
    auto& stream = **opened;
    std::multimap<std::string, std::string> headers;
    for (const auto* header : {"content-type", "retry-after"})
        if (const auto at = stream.headers().find(header); at != stream.headers().end()) headers.emplace(*at);
    answered = true;
    co_await responder.start_stream(stream.status(), std::move(headers));
    for (;;) {
        CO_TRY(auto part, co_await stream.next());
        if (part.empty()) break;
        const bool taken = co_await responder.write(std::move(part));
        if (!taken) co_return Result<void>{};
    }
    co_await responder.finish();
    co_return Result<void>{};
}

}  // namespace ocim::cli
