#include "github/organization.hpp"

#include "github/people.hpp"
#include "net/http_client.hpp"
#include "runtime/backend_spec.hpp"

#include <algorithm>

namespace ocim::github {
namespace {

using runtime::Verdict;
using Object = crd::GitHubOrganization;
using Thing = Organizations::Thing;

constexpr auto system_namespace = "ocim-system";
constexpr Duration call_timeout{20'000};
constexpr Duration interval_default{300'000};
constexpr std::size_t members_max = 500;  // each is an account on every machine

std::string key_of(const Object& object) {
    return object.spec.organization.value_or(object.metadata.name) + "/" + object.spec.team.value_or("");
}

/// A login that can be an account of a machine; those of bots have brackets.
bool is_person(const std::string& login) {
    return !login.empty() && login.size() <= 39 && std::ranges::all_of(login, [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_';
    });
}

class Look final : public Organizations::People {
public:
    Look(std::unique_ptr<Client> client, std::string organization, std::string team)
        : client_(std::move(client)), organization_(std::move(organization)), team_(std::move(team)) {}

    awaitable<Result<std::map<std::string, Thing>>> observe() override {
        client_->begin_sweep();
        CO_TRY(const auto people, co_await people_of(*client_, organization_, team_));
        Thing found;
        for (const auto& person : people)
            if (is_person(person.login)) found.insert(person.login);
        std::map<std::string, Thing> out;
        out.emplace(organization_ + "/" + team_, std::move(found));
        co_return std::move(out);
    }
    awaitable<void> act(std::vector<Organizations::Action>, runtime::Results<std::string, Thing>&) override {
        co_return;
    }
    awaitable<Result<void>> probe() override { co_return co_await client_->probe(); }

private:
    std::unique_ptr<Client> client_;
    std::string organization_, team_;
};

}  // namespace

runtime::Report<Object> Organizations::report(const Object& object, const runtime::Inputs&,
                                              const std::map<Key, Thing>& seen) {
    runtime::Report<Object> out;
    const auto found = seen.find(key_of(object));
    if (found == seen.end()) {
        out.status = object.status;
        out.verdict = {Verdict::State::progressing, "Starting", "GitHub is being asked"};
        return out;
    }
    if (found->second.size() > members_max) {
        out.status = object.status;
        out.verdict = {Verdict::State::stalled, "TooManyMembers",
                       found->first + " has " + std::to_string(found->second.size()) + " members, and " +
                           std::to_string(members_max) + " are the most; name a team in spec.team"};
        return out;
    }
    out.status.looked_up = found->first;
    out.status.members.assign(found->second.begin(), found->second.end());
    out.verdict = {Verdict::State::ready, "LookedUp", std::to_string(found->second.size()) + " members"};
    return out;
}

runtime::BackendSettings Organizations::settings(const Backend& backend) {
    runtime::BackendSettings out;
    const auto interval = runtime::parse_duration(backend.spec.interval);
    out.drift_interval = interval && interval->count() > 0 ? *interval : interval_default;
    out.in_flight = 1;  // GitHub asks for one call at a time
    return out;
}

std::vector<runtime::Reference> Organizations::backend_needs(const Backend& backend) {
    return {{api::secret_kind, system_namespace, backend.spec.credentials_ref.name}};
}

Result<std::unique_ptr<Organizations::People>> Organizations::open(const Backend& backend,
                                                                   const runtime::Inputs& inputs,
                                                                   const runtime::Services& services) {
    const auto& spec = backend.spec;
    auto token = inputs.secret(system_namespace, spec.credentials_ref.name, "token");
    if (!token || token->empty())
        return Error{ErrorClass::auth, std::string("the Secret ") + system_namespace + "/" + spec.credentials_ref.name +
                                           " has no key \"token\"; add it"};
    auto http = net::make_http_client(services.loop, services.clock, services.metrics,
                                      {.base_url = spec.api_url, .ca_certificate = {}, .timeout = call_timeout});
    if (!http) return std::move(http).error().within("spec.apiURL");
    auto client = std::make_unique<Client>(*std::move(http), services.clock, services.metrics, services.blocking,
                                           ClientSettings{spec.api_url, *std::move(token)});
    return std::unique_ptr<People>(std::make_unique<Look>(
        std::move(client), spec.organization.value_or(backend.metadata.name), spec.team.value_or("")));
}

}  // namespace ocim::github
