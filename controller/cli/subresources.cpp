#include "cli/subresources.hpp"

#include "api/status.hpp"
#include "crd/appservers.hpp"

#include <algorithm>
#include <charconv>
#include <limits>

namespace ocim::cli {

namespace {

constexpr std::int64_t since_seconds_max = 100LL * 365 * 24 * 3600;  // whoever asks for more wants all of it

/// Nothing when it is not given; a refusal in Kubernetes' words when it is no number from 0 on.
Result<std::optional<std::int64_t>, api::Status> number(const apiserver::Query& query, const std::string& name,
                                                        std::int64_t most = std::numeric_limits<std::int64_t>::max()) {
    if (!query.has(name)) return std::optional<std::int64_t>();
    const auto text = query.get(name);
    std::int64_t value = 0;
    const auto [end, error] = std::from_chars(text.begin(), text.end(), value);
    if (error == std::errc() && end == text.end() && value >= 0) return std::optional(std::min(value, most));
    return api::bad_request(name + ": Invalid value: \"" + std::string(text) + "\": must be a number, 0 or greater");
}

net::ServerReply refusal(const api::Status& status) {
    return {static_cast<unsigned>(status.code),
            {{"Content-Type", "application/json"}},
            api::to_text(status.to_json()) + "\n"};
}

awaitable<std::optional<net::ServerReply>> send(openedx::RunLogs& logs, apiserver::SubresourceRequest request,
                                                net::Responder& responder) {
    openedx::RunLogs::Wanted wanted;
    wanted.follow = request.query.flag("follow");
    const auto tail = number(request.query, "tailLines"), limit = number(request.query, "limitBytes");
    const auto since = number(request.query, "sinceSeconds", since_seconds_max);
    if (!since) co_return refusal(since.error());
    if (!tail) co_return refusal(tail.error());
    if (!limit) co_return refusal(limit.error());
    wanted.tail_lines = *tail;
    wanted.limit_bytes = *limit;
    wanted.since_seconds = *since;
    co_return co_await logs.send(std::move(request.object), wanted, std::move(request.draining), responder);
}

}  // namespace

apiserver::Subresource appserver_log(openedx::RunLogs& logs) {
    constexpr auto kind = crd::AppServer::kind;
    return {std::string(kind.group), std::string(kind.version), std::string(kind.plural), "log",
            [&logs](apiserver::SubresourceRequest request, net::Responder& responder) {
                return send(logs, std::move(request), responder);
            }};
}

}  // namespace ocim::cli
