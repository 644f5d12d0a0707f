#include "cli/hook_routes.hpp"

#include "api/json.hpp"
#include "apiserver/exchange.hpp"

#include <algorithm>

namespace ocim::cli {
namespace {

using Proofs = std::vector<apiserver::Proof>;

net::ServerReply answer(unsigned status) {
    net::ServerReply out;
    out.status = status;
    return out;
}

/// As GitHub and Gitea call it, or GitLab; "" when it is about none.
std::string repository_of(const api::Json& delivery) {
    std::string out(api::find_text(delivery, {"repository", "full_name"}));
    return out.empty() ? std::string(api::find_text(delivery, {"project", "path_with_namespace"})) : out;
}

/// What is not JSON is about none, and who has signed it is told so.
std::string repository_in(const net::ServerRequest& delivery) {
    const auto body = api::parse_json(delivery.body);
    return body ? repository_of(body->value) : "";
}

bool is_one_of(const std::vector<Secret>& secrets, const std::vector<Secret>& shown) {
    return std::ranges::any_of(secrets,
                               [&](const Secret& one) { return std::ranges::find(shown, one) != shown.end(); });
}

/// Order and number of deliveries are not to be relied on, and one may come twice: each only makes somebody look.
awaitable<net::ServerReply> receive(const webhooks::Hooks& hooks, client::Client& client, Clock& clock,
                                    net::ServerRequest delivery, std::vector<Secret> shown) {
    if (delivery.header("x-github-event") == "ping") co_return answer(204);
    const auto body = api::parse_json(delivery.body);
    if (!body)
        co_return apiserver::wire_refusal(400, "the delivery is not JSON; choose the content type application/json");
    const auto repository = repository_of(body->value);
    bool failed = false;
    for (const auto& listener : hooks.listeners()) {
        if (!webhooks::concerns(listener, repository)) continue;
        if (!is_one_of(listener.secrets, shown)) continue;
        api::json::object annotations{{"ocim.opencraft.com/reconcile-at", rfc3339_micro(clock.wall())}};
        api::Json patch(api::json::object{{"metadata", api::json::object{{"annotations", std::move(annotations)}}}});
        const auto woken =
            co_await client.merge_patch(listener.kind, listener.namespace_, listener.name, std::move(patch), "");
        failed = failed || (!woken && woken.error().error_class != ErrorClass::not_found);
    }
    if (failed) co_return apiserver::wire_refusal(503, "the delivery could not be taken; it is found out by polling");
    co_return answer(204);
}

}  // namespace

apiserver::Webhooks::Route hook_route(const webhooks::Hooks& hooks, client::Client& client, Clock& clock,
                                      Proofs proofs) {
    return {[&hooks](const net::ServerRequest& delivery) -> apiserver::Webhooks::Candidates {
                const auto repository = repository_in(delivery);
                return {hooks.secrets(repository), hooks.other_secrets(repository)};
            },
            [&hooks, &client, &clock](net::ServerRequest delivery, std::vector<Secret> shown) {
                return receive(hooks, client, clock, std::move(delivery), std::move(shown));
            },
            std::move(proofs)};
}

}  // namespace ocim::cli
