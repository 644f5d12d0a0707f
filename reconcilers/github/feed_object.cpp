#include "github/feed.hpp"
#include "net/http_client.hpp"
#include "runtime/backend_spec.hpp"

namespace ocim::github {

namespace {

constexpr Duration call_timeout{20'000};
constexpr Duration landing_max{30'000};  // GitHub ends a call itself after ten seconds

Duration duration_of(const std::string& text, Duration otherwise) {
    const auto parsed = runtime::parse_duration(text);
    return parsed && parsed->count() > 0 ? *parsed : otherwise;
}

std::unique_ptr<webhooks::Hooks::Hearing> hearing_of(webhooks::Hooks* hooks, const crd::PullRequestWatch& watch,
                                                     const runtime::Inputs& inputs) {
    if (!hooks || !watch.spec.webhook_secret_ref) return nullptr;
    const auto& home = watch.metadata.namespace_;
    webhooks::Hooks::Listener out{crd::PullRequestFeed::kind, home, watch.metadata.name, watch.spec.forks,
                                  webhooks::secrets_of(inputs, home, watch.spec.webhook_secret_ref->name)};
    return std::make_unique<webhooks::Hooks::Hearing>(*hooks, std::move(out));
}

}  // namespace

runtime::BackendSettings Feeds::settings(const Backend& watch) {
    runtime::BackendSettings out;
    out.drift_interval = duration_of(watch.spec.interval, Duration(60'000));
    out.landing_max = landing_max;
    out.creates_twice = true;  // comments
    out.in_flight = 1;         // GitHub asks for one call at a time
    return out;
}

std::vector<runtime::Reference> Feeds::backend_needs(const Backend& watch) {
    std::vector<runtime::Reference> out{{api::secret_kind, watch.metadata.namespace_, watch.spec.credentials_ref.name}};
    // without it GitHub is polled all the same
    if (const auto& hook = watch.spec.webhook_secret_ref)
        out.push_back({api::secret_kind, watch.metadata.namespace_, hook->name, true});
    return out;
}

Result<std::unique_ptr<Feed>> Feeds::open_with(webhooks::Hooks* hooks, const Backend& watch,
                                               const runtime::Inputs& inputs, const runtime::Services& services) {
    auto http = net::make_http_client(services.loop, services.clock, services.metrics,
                                      {.base_url = watch.spec.api_url, .ca_certificate = {}, .timeout = call_timeout});
    if (!http) return std::move(http).error().within("spec.apiURL");
    return open_over(*std::move(http), hooks, watch, inputs, services);
}

Result<std::unique_ptr<Feed>> Feeds::open_over(std::unique_ptr<net::HttpClient> http, webhooks::Hooks* hooks,
                                               const Backend& watch, const runtime::Inputs& inputs,
                                               const runtime::Services& services) {
    const auto& spec = watch.spec;
    auto token = inputs.secret(watch.metadata.namespace_, spec.credentials_ref.name, "token");
    if (!token || token->empty())
        return Error{ErrorClass::auth, "the Secret " + spec.credentials_ref.name + " has no key \"token\""};
    auto client = std::make_unique<Client>(std::move(http), services.clock, services.metrics, services.blocking,
                                           ClientSettings{spec.api_url, *std::move(token)});
    FeedSettings settings{comment_mark(services.installation, watch.metadata.key()),
                          "ocim/" + watch.metadata.name,
                          spec.organization,
                          spec.team.value_or(""),
                          spec.forks,
                          {},
                          duration_of(spec.retain_after_close, Duration(0))};
    for (const auto& known : watch.status.pull_requests)
        if (known.state != "Retired") settings.followed.push_back({known.repository, known.number});
    return open_feed(std::move(client), services, std::move(settings), hearing_of(hooks, watch, inputs));
}

}  // namespace ocim::github
