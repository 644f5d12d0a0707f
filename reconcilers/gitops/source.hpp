#pragma once

#include "client/client.hpp"
#include "client/delegate.hpp"
#include "crd/gitsources.hpp"
#include "gitops/health.hpp"
#include "gitops/manifest.hpp"
#include "gitops/workshop.hpp"
#include "runtime/kinds.hpp"
#include "webhooks/hooks.hpp"

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace ocim::gitops {

/// How the repository stands.
struct Fetched {
    std::string commit;     ///< the newest that was fetched; "" when none was
    std::string revision;   ///< in words: "main at 4f2a…"
    std::string reason;     ///< CamelCase: why the last fetch failed; "" when it did not
    std::string message{};  ///< the same for people
    bool soon = false;      ///< whether it is worth trying before the interval is over
    /// What is wrong with the commit, of all its manifests; as long as there is anything, nothing of it is applied.
    std::vector<Fault> faults{};
    std::string signer{};  ///< who signed it, where that is asked for
    bool operator==(const Fetched&) const = default;
};

/// What is known of one object; with the empty ObjectId of the repository itself.
struct Thing {
    std::optional<Fetched> fetched{};   ///< of the repository itself only
    std::string api_version{};          ///< the one that it was looked at in
    std::optional<Manifest> wanted{};   ///< what the commit says of it
    bool differs = false;               ///< applying would change it, or it is not there
    bool deferred = false;              ///< what it needs (its kind, its namespace) is in the commit and not there yet
    bool exists = false, ours = false;  ///< it is there; it carries our mark
    bool kept = false;                  ///< it says that it is not to be pruned
    std::string unknown{};              ///< why it could not be looked at; then nothing is known of it
    std::string untried{};              ///< it is wanted, and why it is not known whether it may be and differs
    std::string uid{};
    Health health{};
    bool operator==(const Thing&) const = default;
};

using Snapshot = std::map<ObjectId, Thing>;

struct Action {
    enum class Verb { create, update, delete_ };
    Verb verb{};
    ObjectId id;
    std::string api_version;
    Manifest manifest{};  ///< of create and update
    std::string uid{};    ///< of delete_, when it is known
    bool last = false;    ///< of delete_: the GitSource itself is going
    bool operator==(const Action&) const = default;
};

using Repository = runtime::System<ObjectId, Thing, Action>;
using Results = runtime::Results<ObjectId, Thing>;
using Done = runtime::Done<ObjectId, Thing>;

/// On what we applied: the namespace and name of its GitSource.
inline constexpr std::string_view mark_annotation = "ocim.opencraft.com/git-source";
/// On what is never to be pruned, with the value "disabled".
inline constexpr std::string_view prune_annotation = "ocim.opencraft.com/prune";
/// On a GitSource: the deletions that somebody has confirmed, as its status calls them.
inline constexpr std::string_view confirm_annotation = "ocim.opencraft.com/confirm-deletions";

/// How the API is reached: as ourselves, and as others. What is pointed at outlives whoever has it.
struct Doors {
    client::Client* self = nullptr;
    client::Delegates delegates{};
    webhooks::Hooks* hooks = nullptr;  ///< who hears of pushes; without it nobody does
    Workshop* workshop = nullptr;      ///< where it is fetched; see make_fetcher()
};

/// The kind GitSource, decided: what of a commit is applied and pruned, and when nothing is. It is its own backend:
/// what it has made is in the API, seen and written with the rights of its ServiceAccount.
struct Sources {
    using Object = crd::GitSource;
    using Backend = crd::GitSource;
    using Key = ObjectId;
    using Thing = gitops::Thing;
    using Action = gitops::Action;
    static constexpr std::string_view name = "gitsource";
    static constexpr bool backend_is_ours = false;
    static constexpr bool backend_status_matters = false;

    static std::string backend_name(const Object& object) { return object.metadata.name; }
    static std::vector<runtime::Reference> needs(const Object&) { return {}; }
    static std::vector<runtime::Claim> claims(const Object&) { return {}; }

    static std::vector<Action> diff(const Object& object, const runtime::Inputs& inputs, const Snapshot& seen);
    /// With spec.prune everything that it applied, and what could not be looked at is looked at again; else, and while
    /// it is suspended, nothing.
    static std::vector<Action> remove(const Object& object, const std::string& installation, const Snapshot& seen);
    static std::optional<Duration> going(const Object& object, const std::string& installation, const Snapshot& seen);
    static runtime::Report<Object> report(const Object& object, const runtime::Inputs& inputs, const Snapshot& seen);
    /// What has no GitSource any more was let go on purpose.
    static std::vector<runtime::Marked<Key>> marked(const Snapshot&) { return {}; }
    static std::vector<Action> sweep(const Key&, const Snapshot&) { return {}; }

    static Key key(const Action& action) { return action.id; }
    static std::string describe(const Action& action);
    static std::string_view verb(const Action& action);

    // source_object.cpp
    static runtime::BackendSettings settings(const Backend& source);
    static std::vector<runtime::Reference> backend_needs(const Backend& source);
    static Result<std::unique_ptr<Repository>> open(const Backend& source, const runtime::Inputs& inputs,
                                                    const runtime::Services& services) {
        return open_with({}, source, inputs, services);
    }
    /// Error invalid: without doors nobody can be acted for.
    static Result<std::unique_ptr<Repository>> open_with(const Doors& doors, const Backend& source,
                                                         const runtime::Inputs& inputs,
                                                         const runtime::Services& services);
};

}  // namespace ocim::gitops
