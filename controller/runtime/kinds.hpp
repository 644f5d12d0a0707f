#pragma once

#include "api/json.hpp"
#include "api/kind.hpp"
#include "api/object.hpp"
#include "api/status.hpp"
#include "base/async.hpp"
#include "base/clock.hpp"
#include "base/metrics.hpp"
#include "base/random.hpp"
#include "base/secret.hpp"
#include "runtime/mark.hpp"

#include <concepts>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

/// What a kind gives the runtime: pure decisions, and for external kinds a System that touches the world.
namespace ocim::runtime {

using api::Json;
using ObjectPtr = std::shared_ptr<const Json>;  // shared by the cache and whoever looks: immutable

// --- what a decision is given

/// Another object that a decision needs. Watched: a change of it is a visit for whoever needs it.
struct Reference {
    api::Kind kind;
    std::string namespace_;  ///< "" for cluster scope
    std::string name;        ///< "" means every object of that kind (in that namespace)
    bool optional = false;   ///< absent is an answer; otherwise absence is a condition and nobody decides
    /// Without a name: only those that have `value` at the path `field` ("spec.instanceName"); of a list on the way
    /// every element counts. Nobody else's changes are a visit. "" means any.
    std::string field{}, value{};
    bool operator==(const Reference&) const = default;
};
/// Every text at such a path.
std::set<std::string> texts_at(const Json& object, std::string_view field);

/// What was referred to, at one moment.
class Inputs {
public:
    std::string installation;  ///< our installation id
    WallTime now{};

    /// Null when it does not exist (only possible for optional references).
    const Json* find(const api::Kind& kind, const std::string& namespace_, const std::string& name) const;
    std::vector<const Json*> all(const api::Kind& kind) const;

    /// Typed; null also when it does not decode.
    template <api::Object T>
    std::optional<T> get(const std::string& namespace_, const std::string& name) const {
        const auto* found = find(T::kind, namespace_, name);
        if (!found) return std::nullopt;
        auto object = api::decode_object<T>(*found);
        if (!object) return std::nullopt;
        return *std::move(object);
    }
    template <api::Object T>
    std::vector<T> all() const {
        std::vector<T> out;
        for (const auto* item : all(T::kind))
            if (auto object = api::decode_object<T>(*item)) out.push_back(*std::move(object));
        return out;
    }
    /// The decoded value of one key of a Secret; nothing when the Secret or the key is not there.
    std::optional<Secret> secret(const std::string& namespace_, const std::string& name, const std::string& key) const;

    /// At admission: who else holds a claim, in words for a person; nothing when nobody does.
    std::optional<std::string> holder(const std::string& claim) const {
        return holders_ ? holders_(claim) : std::nullopt;
    }
    using Holders = std::function<std::optional<std::string>(const std::string& claim)>;
    void set_holders(Holders holders) { holders_ = std::move(holders); }

    void add(Json object);
    void add(ObjectPtr object);
    /// The same as long as the content of every input is (see content.hpp): its mere version does not matter.
    std::size_t fingerprint() const;

private:
    std::vector<ObjectPtr> items_;
    Holders holders_;
};

/// A name that only one object may hold: the oldest does, later ones are Stalled, Claimed.
struct Claim {
    std::string key;      ///< "dns/example-com/www.example.com/A"
    std::string field;    ///< what to point at: "spec.name"
    std::string value{};  ///< what is claimed, for people; empty: what the field holds
    bool operator==(const Claim&) const = default;
};

// --- what a decision says

/// How an object stands, in the words of its conditions Ready, Reconciling and Stalled.
struct Verdict {
    enum class State {
        ready,        ///< as declared
        progressing,  ///< not yet, and it will be tried or looked at again
        stalled,      ///< not until the spec, a reference, a person or what a snapshot shows changes
    };
    State state = State::progressing;
    std::string reason = "Progressing";  ///< CamelCase, part of the API
    std::string message;                 ///< names the next step
    bool operator==(const Verdict&) const = default;
};

/// A condition beyond Ready, Reconciling and Stalled.
struct Finding {
    std::string type;    ///< "DNSReady"
    std::string status;  ///< "True", "False", "Unknown"
    std::string reason, message;
    bool operator==(const Finding&) const = default;
};

/// Something a person would want to know, once.
struct Note {
    bool warning = false;
    std::string reason, message;
    bool operator==(const Note&) const = default;
};

// --- composite kinds: want other objects

struct Generate {
    enum class Form { alphanumeric, lower_letters, base64 };
    Form form = Form::alphanumeric;
    std::size_t length = 32;  ///< characters; of base64 the random bytes before encoding
    bool operator==(const Generate&) const = default;
};

/// One key of a Secret in the object's namespace that the runtime draws when it is not there.
struct GeneratedSecret {
    std::string name, key;
    Generate form;
    /// Stays when the object is deleted, because what it opens stays; else the Secret goes with the object if it was
    /// made for it.
    bool retain = false;
    bool operator==(const GeneratedSecret&) const = default;
};

/// An object that should exist.
struct Child {
    Json object;  ///< apiVersion, kind, metadata.name (and namespace), spec or data; never read back from the server
    /// Not yet to be created, and for what it waits; one that exists stays and is kept as declared.
    std::optional<std::string> waiting_for;
    /// Created when absent, never changed afterwards; of a Secret the runtime draws `generated` at that moment.
    bool create_only = false;
    std::map<std::string, Generate> generated;
    /// Outlives its owner: carries no ownerReference and is never pruned.
    bool retain = false;
    /// One that exists and that nobody owns becomes ours: for what people make and a composite answers for.
    bool adopt = false;
};

/// The objects that the runtime made for one composite, as they are now.
class Children {
public:
    const Json* find(const api::Kind& kind, const std::string& name) const;
    template <api::Object T>
    std::optional<T> get(const std::string& name) const {
        const auto* found = find(T::kind, name);
        if (!found) return std::nullopt;
        auto object = api::decode_object<T>(*found);
        if (!object) return std::nullopt;
        return *std::move(object);
    }
    template <api::Object T>
    std::vector<T> all() const {
        std::vector<T> out;
        for (const auto& item : items_)
            if (std::string_view(api::find_text(item, {"kind"})) == T::kind.name)
                if (auto object = api::decode_object<T>(item)) out.push_back(*std::move(object));
        return out;
    }
    const std::vector<Json>& items() const { return items_; }
    void add(Json object) { items_.push_back(std::move(object)); }

private:
    std::vector<Json> items_;
};

/// How long something took, once it is over: a point of a histogram.
struct Measure {
    std::string name;  ///< one of the kind's `histograms`
    double seconds = 0;
    bool operator==(const Measure&) const = default;
};
struct HistogramKind {
    std::string name, help;
    std::vector<double> buckets;
};

template <class Object>
struct Composition {
    std::vector<Child> children;
    /// Without conditions and observedGeneration: the runtime writes these.
    decltype(Object::status) status;
    Verdict verdict;
    std::vector<Finding> findings;
    std::vector<Note> notes;
    std::vector<Measure> measures;
    /// What must not go as long as this object is there: it carries the in-use finalizer.
    std::vector<Reference> keeps;
    /// A visit of its own accord, for what no watch tells.
    std::optional<Duration> look_again;
    /// False: this is not all that should exist (an input cannot be read, a placement was just chosen and must be
    /// stored first): nothing is pruned, and what is named is applied after the status is stored.
    bool complete = true;
};

/// A kind that wants other objects.
///
/// `compose` is asked again and again, also while the object is being deleted: then it names what must still
/// stand, so that children go in stages (nothing is created then, and an input that is gone is simply not there).
/// When nothing of ours is left the finalizer goes.
template <class K>
concept CompositeKind = api::Object<typename K::Object> && requires(const typename K::Object& object,
                                                                    const Children& children, const Inputs& inputs) {
    { K::name } -> std::convertible_to<std::string_view>;  // lower-case kind: finalizer, field manager, label
    { K::child_kinds() } -> std::same_as<std::vector<api::Kind>>;
    { K::needs(object) } -> std::same_as<std::vector<Reference>>;
    { K::claims(object) } -> std::same_as<std::vector<Claim>>;
    { K::compose(object, children, inputs) } -> std::same_as<Composition<typename K::Object>>;
};
// Optional: static std::vector<api::Cause> admit(const Object& object, const Object* old, const Inputs& inputs):
// refuses at write time what needs() shows to be wrong. Pure. `old` is null at creation.
// Optional: static std::vector<Reference> further_needs(const Object& object, const Inputs& inputs): what only the
// inputs name (the Secret of a class). What is there of it is in the inputs of compose(); of what is not there
// Reference::optional says what that means, as of needs(). Optional: static std::vector<HistogramKind> histograms():
// what it measures. Optional: static constexpr bool attends = true: another reconciler answers for the object, and this
// one only wants children of its own beside it, of kinds that the other does not want. It writes no status and holds no
// deletion up, so its claims, findings and verdict are nobody's.

// --- external kinds: mirror things in a backend

/// What one action changed: the keys it touched, and what is there now (nothing: it is gone).
template <class Key, class Thing>
struct Done {
    std::vector<std::pair<Key, std::optional<Thing>>> now;
};

/// Takes the result of each action as it comes. An action without a result at the end of act() counts as of
/// unknown outcome.
template <class Key, class Thing>
class Results {
public:
    virtual ~Results() = default;
    virtual void set(std::size_t action, Result<Done<Key, Thing>> result) = 0;
};

/// One backend, opened. Not thread-safe: the loop's. It neither retries, sleeps nor caches: the runtime owns time.
template <class Key, class Thing, class Action>
class System {
public:
    virtual ~System() = default;
    /// ONE bulk read of all that may concern us there. An error means "we do not know", never "there is nothing";
    /// a partial read is an error.
    virtual awaitable<Result<std::map<Key, Thing>>> observe() = 0;
    /// Does each action, in order within a key, in as few calls as the system allows. Each may be repeated after a
    /// crash at any instant. Nothing that can fail comes after a create in the same action.
    virtual awaitable<void> act(std::vector<Action> actions, Results<Key, Thing>& results) = 0;
    /// The cheapest authenticated call.
    virtual awaitable<Result<void>> probe() = 0;
    /// The backend object is being deleted and nothing refers to it any more: gives back what was made for the backend
    /// as a whole. May be repeated. The object goes when it succeeds.
    virtual awaitable<Result<void>> retire() { co_return Result<void>{}; }
};

/// What a System may use; all of it outlives it.
struct Services {
    boost::asio::any_io_executor loop;
    Clock& clock;
    Random& random;
    Metrics& metrics;
    BlockingPool& blocking;
    std::string installation;
    std::string data_directory;  ///< ours alone, mode 0700
    /// For what a system does between calls (a prober's probes); stopped by whoever made it, after the systems are
    /// gone. A task that is spawned here owns what it uses. Null only in tests of systems that need none.
    TaskGroup* tasks = nullptr;
};

/// How a backend wants to be treated: what every backend's spec says in the same words.
struct BackendSettings {
    Duration drift_interval{60'000};
    /// How long after its reply was lost a call can still take effect there, or be missing from a look.
    Duration landing_max{10'000};
    /// Whoever asks it twice to create a thing gets two. Then nothing is created while a call of an earlier run of this
    /// program may still land; nor, when the backend is opened anew, for an object that was acted on shortly before.
    bool creates_twice = false;
    bool repair = true;  ///< driftPolicy: Repair, else Report
    double requests_per_second = 20;
    std::size_t in_flight = 4;
    std::size_t actions_max = 1'000;  ///< of one call; keeps a refusal's bisection short
    bool delete_orphans = false;
    Duration orphan_min_age{4 * 3600 * 1000};
    std::vector<std::string> allowed_namespaces;  ///< empty: all
};

/// A thing that carries a mark.
template <class Key>
struct Marked {
    Key key;
    Mark mark;
    bool sweepable = true;  ///< false for what bears data: reported, never swept
};

template <class Object>
struct Report {
    /// Without conditions and observedGeneration.
    decltype(Object::status) status;
    /// Asked when the diff is empty or the object cannot be acted on. State ready means: the world is as declared.
    /// NotOwned is stalled here, and diff() must then want nothing.
    Verdict verdict;
    std::vector<Finding> findings;
    /// What changed since `object.status` was written: with the status that says so, each becomes one Event.
    std::vector<Note> notes;
    /// A look of its own accord before the drift interval (a VM that is booting, a run in progress).
    std::optional<Duration> look_again;
};

/// A kind that mirrors things in a backend; all functions are pure.
template <class A>
concept ExternalKind =
    api::Object<typename A::Object> && api::Object<typename A::Backend> &&
    std::equality_comparable<typename A::Thing> &&
    requires(const typename A::Object& object, const typename A::Backend& backend, const Inputs& inputs,
             const std::map<typename A::Key, typename A::Thing>& seen, const typename A::Action& action,
             const Services& services) {
        { A::name } -> std::convertible_to<std::string_view>;  // lower-case kind: finalizer, field manager, label
        /// Name of the backend object; of a namespaced backend it is in the object's namespace.
        { A::backend_name(object) } -> std::same_as<std::string>;
        { A::needs(object) } -> std::same_as<std::vector<Reference>>;  // besides the backend
        { A::claims(object) } -> std::same_as<std::vector<Claim>>;
        /// Empty: in sync, or nothing may be done (report() then says why).
        { A::diff(object, inputs, seen) } -> std::same_as<std::vector<typename A::Action>>;
        /// What must happen so that nothing of `object` is left, or, by its deletionPolicy, so that what is left is
        /// marked retained. Empty: done.
        { A::remove(object, inputs.installation, seen) } -> std::same_as<std::vector<typename A::Action>>;
        { A::report(object, inputs, seen) } -> std::same_as<Report<typename A::Object>>;
        /// All that carries a mark of any installation.
        { A::marked(seen) } -> std::same_as<std::vector<Marked<typename A::Key>>>;
        /// What removes one orphan.
        { A::sweep(seen.begin()->first, seen) } -> std::same_as<std::vector<typename A::Action>>;
        { A::key(action) } -> std::same_as<typename A::Key>;
        /// "create A www.example.org -> 192.0.2.1": for events, logs and plans; never a secret.
        { A::describe(action) } -> std::same_as<std::string>;
        { A::verb(action) } -> std::same_as<std::string_view>;  // create, update, delete: a metric label
        { A::settings(backend) } -> std::same_as<BackendSettings>;
        /// What open() reads: the credential Secrets. The runtime opens anew when one of them changes.
        { A::backend_needs(backend) } -> std::same_as<std::vector<Reference>>;
        {
            A::open(backend, inputs, services)
        } -> std::same_as<Result<std::unique_ptr<System<typename A::Key, typename A::Thing, typename A::Action>>>>;
    };
// Optional: admit() and further_needs(), as above.
// Optional: static std::vector<GeneratedSecret> generates(const Object&): Secrets, or keys of them, that the runtime
// makes before needs() is resolved, where they are not there; what is there is never changed. Not asked while deleting,
// nor for what a composite made: it makes these Secrets too.
// Optional: static std::optional<Duration> going(const Object&, const std::string& installation, seen): asked when
// remove() wants nothing: something of the object is being deleted there and goes by itself; when to look again.
// Optional: static constexpr bool backend_is_ours = false: the backend is a kind that somebody else reports on (a
// VirtualMachine that runs are on): the runtime writes no status, finalizer or orphan count there.
//
// By name, where the spec has them, the runtime itself obeys spec.managementPolicy (Manage|Observe).

}  // namespace ocim::runtime
