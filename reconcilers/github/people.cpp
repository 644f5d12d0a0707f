#include "github/people.hpp"

namespace ocim::github {
namespace {

awaitable<Result<std::string>> slug_of(Client& client, std::string organization, std::string wanted) {
    const auto teams = co_await client.teams(organization);
    if (!teams) co_return Error(teams.error()).within("teams of the organization " + organization);
    for (const auto& team : *teams)
        if (team.name == wanted || team.slug == wanted) co_return team.slug;
    co_return Error{ErrorClass::transient, "the organization " + organization + " has no team \"" + wanted +
                                               "\" that the token may see; correct spec.team, or give the token the "
                                               "permission to read members"};
}

}  // namespace

awaitable<Result<std::vector<Person>>> people_of(Client& client, std::string organization, std::string team) {
    if (team.empty()) co_return co_await client.organization_members(std::move(organization));
    CO_TRY(const auto slug, co_await slug_of(client, organization, team));
    co_return co_await client.team_members(std::move(organization), slug);
}

}  // namespace ocim::github
