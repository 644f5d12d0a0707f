#pragma once

#include "crd/githuborganizations.hpp"
#include "github/client.hpp"
#include "runtime/kinds.hpp"

#include <map>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace ocim::github {

/// The kind GitHubOrganization, decided: who belongs to an organization or a team of it. It is its own backend, and is
/// only looked at.
struct Organizations {
    using Object = crd::GitHubOrganization;
    using Backend = crd::GitHubOrganization;
    using Key = std::string;              ///< "organization/team"; "organization/" is all of it
    using Thing = std::set<std::string>;  ///< logins
    struct Action {                       ///< there is nothing to do
        Key key;
    };
    using People = runtime::System<Key, Thing, Action>;
    static constexpr std::string_view name = "githuborganization";
    static constexpr bool backend_is_ours = false;
    static constexpr bool backend_status_matters = false;

    static std::string backend_name(const Object& object) { return object.metadata.name; }
    static std::vector<runtime::Reference> needs(const Object&) { return {}; }
    static std::vector<runtime::Claim> claims(const Object&) { return {}; }
    static std::vector<Action> diff(const Object&, const runtime::Inputs&, const std::map<Key, Thing>&) { return {}; }
    static std::vector<Action> remove(const Object&, const std::string&, const std::map<Key, Thing>&) { return {}; }
    static runtime::Report<Object> report(const Object& object, const runtime::Inputs& inputs,
                                          const std::map<Key, Thing>& seen);
    static std::vector<runtime::Marked<Key>> marked(const std::map<Key, Thing>&) { return {}; }
    static std::vector<Action> sweep(const Key&, const std::map<Key, Thing>&) { return {}; }
    static Key key(const Action& action) { return action.key; }
    static std::string describe(const Action&) { return ""; }
    static std::string_view verb(const Action&) { return "update"; }

    static runtime::BackendSettings settings(const Backend& backend);
    static std::vector<runtime::Reference> backend_needs(const Backend& backend);
    static Result<std::unique_ptr<People>> open(const Backend& backend, const runtime::Inputs& inputs,
                                                const runtime::Services& services);
};

}  // namespace ocim::github
