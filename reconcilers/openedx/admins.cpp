#include "openedx/admins.hpp"

#include "crd/githuborganizations.hpp"

#include <algorithm>

namespace ocim::openedx {
namespace {

template <class Admins>
std::vector<runtime::Reference> needs_of(const std::optional<Admins>& admins) {
    std::vector<runtime::Reference> out;
    if (!admins) return out;
    for (const auto& name : admins->github_organizations)
        out.push_back({crd::GitHubOrganization::kind, "", name, true});
    return out;
}

void add_each(std::vector<std::string>& to, const std::vector<std::string>& names) {
    for (const auto& name : names)
        if (std::ranges::find(to, name) == to.end()) to.push_back(name);
}

Result<std::vector<std::string>> members_of(const std::string& name, const runtime::Inputs& inputs) {
    const auto place = "spec.admins.githubOrganizations: GitHubOrganization " + name;
    const auto found = inputs.get<crd::GitHubOrganization>("", name);
    if (!found) return Error{ErrorClass::not_found, place + " does not exist or cannot be read; make it"};
    const auto wanted = found->spec.organization.value_or(name) + "/" + found->spec.team.value_or("");
    // of what it said before it was changed its members are others
    if (found->status.looked_up == wanted) return found->status.members;
    std::string why;
    for (const auto& condition : found->status.conditions)
        if (condition.type == "Ready") why = ": " + condition.message;
    return Error{ErrorClass::not_found, place + " was never looked up, so its members are not known" + why};
}

}  // namespace

std::vector<runtime::Reference> admin_needs(const crd::Instance& instance) { return needs_of(instance.spec.admins); }
std::vector<runtime::Reference> admin_needs(const crd::InstanceClass& of_class) {
    return needs_of(of_class.spec.admins);
}

Result<void> add_admins(Site& site, const crd::Instance& instance, const crd::InstanceClass& of_class,
                        const runtime::Inputs& inputs) {
    const auto add = [&](const auto& group) {
        if (!group) return;
        add_each(site.admins, group->github_users);
        add_each(site.admin_organizations, group->github_organizations);
    };
    add(of_class.spec.admins);
    add(instance.spec.admins);
    for (const auto& name : site.admin_organizations) {
        auto members = members_of(name, inputs);
        if (!members) return std::move(members).error();
        add_each(site.organization_members, *members);
    }
    return {};
}

}  // namespace ocim::openedx
