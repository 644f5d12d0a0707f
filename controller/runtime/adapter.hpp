#pragma once

#include "runtime/cache.hpp"
#include "runtime/edit.hpp"
#include "runtime/kinds.hpp"
#include "runtime/renewal.hpp"
#include "runtime/turns.hpp"

#include <cstdint>
#include <memory>
#include <set>
#include <string>
#include <vector>

/// A kind as the drivers see it: its types erased, objects as JSON. The templates in external.hpp and
/// composite.hpp make these from what kinds.hpp asks of a kind.
namespace ocim::runtime {

/// What an object says about itself that the runtime keeps an index of.
struct ObjectFacts {
    std::string backend_name;  ///< empty for composite kinds
    std::vector<Reference> needs;
    std::vector<Claim> claims;
};

class KindAdapter {
public:
    virtual ~KindAdapter() = default;
    virtual std::string name() const = 0;
    virtual api::Kind kind() const = 0;
    /// Error invalid: the object does not decode.
    virtual Result<ObjectFacts> facts(const Json& object) const = 0;
    virtual std::vector<Reference> further_needs(const Json& object, const Inputs& inputs) const = 0;
    virtual std::vector<api::Cause> admit(const Json& object, const Json* old, const Inputs& inputs) const = 0;
    /// Another reconciler answers for the object; see CompositeKind.
    virtual bool attends() const { return false; }
};

/// What an object needs, its backend first.
std::vector<Reference> references_of(const KindAdapter& adapter, const ObjectKey& key, const ObjectFacts& facts);

/// A key of a world, by number: the same key has the same number as long as the world lives.
using KeyId = std::size_t;

struct PlannedAction {
    KeyId key = 0;
    std::string verb, description;
    std::shared_ptr<const void> action;  // the kind's own type, known to its world only; shared by batch and report
    std::string reconcile_id{};          // of the visit that wanted it
};

struct Reported {
    Json status;
    Verdict verdict;
    std::vector<Finding> findings;
    std::optional<Duration> look_again;
    std::vector<Note> notes;
};

struct MarkedThing {
    KeyId key = 0;
    Mark mark;
    bool sweepable = true;
};

/// For whom a look has shown something new.
struct News {
    bool everybody = false;
    std::set<ObjectKey> only{};  ///< else for these alone
};

/// Takes the result of each action, once each.
class ActionResults {
public:
    virtual ~ActionResults() = default;
    virtual void set(std::size_t action, Result<void> result) = 0;
};

/// One backend, opened, with what was seen there (see Seen). The loop's.
class World {
public:
    virtual ~World() = default;

    /// Opens it, or opens it anew with other credentials; no call may be in flight. What was seen is forgotten.
    virtual Result<void> open(const Json& backend, const Inputs& inputs, const Services& services) = 0;
    virtual void close() = 0;
    virtual bool is_open() const = 0;

    /// One bulk read, folded in, and whom what it changed concerns.
    virtual awaitable<Result<News>> observe() = 0;
    /// Every result is folded in before it is handed on.
    virtual awaitable<Result<void>> act(std::vector<PlannedAction> actions, ActionResults& results) = 0;
    virtual awaitable<Result<void>> probe() = 0;

    virtual bool known() const = 0;
    virtual std::uint64_t tick() = 0;
    virtual std::uint64_t observation_began() const = 0;
    virtual std::uint64_t changed(KeyId key) const = 0;
    virtual std::size_t things() const = 0;
    /// What they take of memory, without what their own strings and lists hold elsewhere.
    virtual std::size_t bytes_min() const = 0;
    /// How often results of actions have made what we know something else.
    virtual std::uint64_t folded() const = 0;

    virtual Result<std::vector<PlannedAction>> diff(const Json& object, const Inputs& inputs) = 0;
    virtual Result<std::vector<PlannedAction>> remove(const Json& object, const std::string& installation) = 0;
    /// The next steps in replacing what its Secrets hold.
    virtual std::vector<SecretEdit> renewals(const Json& object, const Inputs& inputs) = 0;
    /// Something of an object that is being deleted goes by itself: when to look again.
    virtual std::optional<Duration> going(const Json& object, const std::string& installation) = 0;
    /// What is seen shows that nothing which an earlier run of this program asked for is still to come.
    virtual bool settled(const Json& object, const std::string& installation) = 0;
    virtual Result<Reported> report(const Json& object, const Inputs& inputs) = 0;
    /// Of whose places it needs one; nothing when it needs none, or no more.
    virtual std::optional<Turn> turn(const Json& object, const Inputs& inputs) = 0;
    virtual std::vector<MarkedThing> marked() = 0;
    /// What the backend's own status says of what was seen.
    virtual api::json::object backend_report(const std::string& installation) = 0;
    virtual std::vector<PlannedAction> sweep(KeyId key) = 0;
    /// What was retained for a time that is over.
    virtual std::vector<Lapsed<PlannedAction>> lapsed(const std::string& installation, WallTime now) = 0;
};

class ExternalAdapter : public KindAdapter {
public:
    virtual std::vector<GeneratedSecret> generates(const Json& object) const = 0;
    /// Whether objects of this kind take turns, and what one says of it before its backend is seen.
    virtual bool takes_turns() const = 0;
    virtual std::optional<Turn> turn(const Json& object, const Inputs& inputs) const = 0;
    virtual api::Kind backend_kind() const = 0;
    virtual bool backend_is_ours() const = 0;
    virtual bool backend_status_matters() const = 0;
    /// Error invalid: the backend does not decode.
    virtual Result<BackendSettings> settings(const Json& backend) const = 0;
    virtual Result<std::vector<Reference>> backend_needs(const Json& backend) const = 0;
    virtual std::unique_ptr<World> make_world() const = 0;
};

/// Composition without its object's type.
struct Composed {
    std::vector<Child> children;
    Json status;
    Verdict verdict;
    std::vector<Finding> findings;
    std::vector<Note> notes;
    std::vector<Measure> measures;
    std::vector<Reference> keeps;
    std::optional<Duration> look_again;
    bool complete = true;
};

class CompositeAdapter : public KindAdapter {
public:
    virtual std::vector<api::Kind> child_kinds() const = 0;
    virtual std::vector<HistogramKind> histograms() const = 0;
    virtual bool has_phase() const = 0;  ///< in its status
    /// What is to be changed beside the composition; asked right after compose(), with the same arguments.
    virtual std::vector<Edit> edits(const Json& object, const Children& children, const Inputs& inputs) const = 0;
    virtual Result<Composed> compose(const Json& object, const Children& children, const Inputs& inputs) const = 0;
};

}  // namespace ocim::runtime
