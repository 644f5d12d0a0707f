#include "cli/github_hooks.hpp"

#include "api/json.hpp"
#include "apiserver/exchange.hpp"
#include "crd/pullrequestfeeds.hpp"

namespace ocim::cli {
namespace {

net::ServerReply answer(unsigned status) {
    net::ServerReply out;
    out.status = status;
    return out;
}

/// Order and number of deliveries are not to be relied on, and one may come twice: each only makes a feed look.
awaitable<net::ServerReply> receive(const github::Hooks& hooks, client::Client& client, Clock& clock,
                                    net::ServerRequest delivery) {
    if (delivery.header("x-github-event") == "ping") co_return answer(204);
    const auto body = api::parse_json(delivery.body);
    if (!body)
        co_return apiserver::wire_refusal(400, "the delivery is not JSON; choose the content type application/json");
    const std::string repository(api::find_text(body->value, {"repository", "full_name"}));
    const std::string signature(delivery.header("x-hub-signature-256"));
    bool failed = false;
    for (const auto& listener : hooks.listeners()) {
        if (!github::concerns(listener, repository)) continue;
        if (!apiserver::is_signed(signature, delivery.body, listener.secrets)) continue;
        api::json::object annotations{{"ocim.opencraft.com/reconcile-at", rfc3339_micro(clock.wall())}};
        api::Json patch(api::json::object{{"metadata", api::json::object{{"annotations", std::move(annotations)}}}});
        const auto woken = co_await client.merge_patch(crd::PullRequestFeed::kind, listener.namespace_, listener.name,
                                                       std::move(patch), "");
        failed = failed || (!woken && woken.error().error_class != ErrorClass::not_found);
    }
    if (failed) co_return apiserver::wire_refusal(503, "the delivery could not be taken; it is found out by polling");
    co_return answer(204);
}

}  // namespace

apiserver::Webhooks::Route github_route(const github::Hooks& hooks, client::Client& client, Clock& clock) {
    return {[&hooks] { return hooks.secrets(); },
            [&hooks, &client, &clock](net::ServerRequest delivery) {
                return receive(hooks, client, clock, std::move(delivery));
            }};
}

}  // namespace ocim::cli
