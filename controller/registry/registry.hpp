#pragma once

#include "api/apply.hpp"
#include "api/json.hpp"
#include "api/selector.hpp"
#include "api/status.hpp"
#include "base/async.hpp"
#include "base/clock.hpp"
#include "base/metrics.hpp"
#include "base/random.hpp"
#include "schema/column.hpp"
#include "schema/schema.hpp"

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace ocim::store {
class Store;
}

/// The verbs on objects: the one path of every write, whether it comes over the network or from our own runtime.
/// Everything here lives on the loop thread.
namespace ocim::registry {

template <class T>
using Outcome = Result<T, api::Status>;

using Revision = std::uint64_t;

/// One served version of one kind.
struct Resource {
    std::string group, version, kind, list_kind, plural, singular;
    std::vector<std::string> short_names, categories;
    bool namespaced = true;
    bool status_subresource = false;
    /// Where the sub-resource scale finds its numbers, as names of fields.
    struct Scale {
        std::vector<std::string> spec_replicas, status_replicas, label_selector;
    };
    std::optional<Scale> scale;
    bool built_in = false;  ///< not from a CRD: accepts protobuf and strategic merge patches
    std::vector<std::string> verbs;
    std::vector<std::string> selectable_fields;
    schema::Schema schema;
    std::string deprecation;              ///< the warning that comes with every answer in a deprecated version; else ""
    std::vector<schema::Column> columns;  ///< without NAME; Age when the CRD has none

    std::string api_version() const { return group.empty() ? version : group + "/" + version; }
};

/// An object as it is stored and sent: JSON bytes with resourceVersion inside, made once.
struct StoredObject {
    std::string namespace_, name;
    Revision revision = 0;
    std::shared_ptr<const std::string> bytes;  // shared by the store, every list and every watcher: immutable

    api::Json parsed() const;
};

/// Who asks.
struct Caller {
    std::string user = "system:anonymous";
    std::string uid{};
    std::vector<std::string> groups{};
    std::map<std::string, std::vector<std::string>> extra{};
    std::string user_agent{};
};

enum class FieldValidation { strict, warn, ignore };

struct WriteOptions {
    Caller caller;
    std::string field_manager;  ///< empty: made from the user agent
    std::string subresource;    ///< "", "status", "scale" (with a Scale for an object), or of a namespace "finalize"
    bool dry_run = false;
    FieldValidation field_validation = FieldValidation::warn;
};

struct Written {
    StoredObject object;
    bool created = false;
    /// The delete or the update removed it for good; `object` is its last state.
    bool deleted = false;
    std::vector<std::string> warnings;
};

enum class PatchType { json, merge, strategic };
enum class Propagation { background, foreground, orphan };

struct DeleteOptions {
    WriteOptions write;
    std::optional<std::string> uid, resource_version;  ///< preconditions
    /// Nothing: what its finalizers say already, else in the background.
    std::optional<Propagation> propagation;
};

struct ListOptions {
    std::string namespace_;  ///< empty: all
    api::LabelSelector labels;
    api::FieldSelector fields;
    std::size_t limit = 0;
    std::string continue_token;
    std::string resource_version, resource_version_match;
};

struct ListPage {
    std::vector<StoredObject> items;
    Revision revision = 0;
    std::string continue_token;
    std::optional<std::size_t> remaining;
};

struct Event {
    enum class Type { added, modified, deleted, bookmark };
    Type type{};
    StoredObject object;       ///< of a bookmark: revision only
    bool initial_end = false;  ///< the bookmark that ends sendInitialEvents
};

struct WatchOptions {
    std::string namespace_;
    api::LabelSelector labels;
    api::FieldSelector fields;
    std::string resource_version;      ///< "" and "0": everything as added, then live
    bool send_initial_events = false;  ///< with a bookmark after them
    bool only_changes = false;         ///< without a resource_version, nothing of what is there already
    bool bookmarks = false;
};

/// One reader of changes: ordered, without gaps. It must be read; when too far behind it is cut off.
class Watch {
public:
    virtual ~Watch() = default;
    /// The events there are now, at least one unless `deadline` came first (then empty).
    /// Error 410 Expired: the reader must list again.
    virtual awaitable<Outcome<std::vector<Event>>> next(Instant deadline) = 0;
    /// Everything up to this revision was returned: what a bookmark may say. 0: the initial objects are not out yet.
    virtual Revision seen() const = 0;
};

/// What a kind of ours refuses at write time beyond its schema (claims, cross-object rules).
/// `old` is null at creation. Pure but for the registry it looks into.
using Admission = std::function<std::vector<api::Cause>(const api::Json& object, const api::Json* old)>;

/// One write about to be stored, for whoever may refuse it for another reason than its form.
struct Intent {
    const Resource& resource;
    const Caller& caller;
    const std::string& subresource;
    const std::string& namespace_;
    const api::Json& object;
    const api::Json* old;  ///< null at creation
    bool applied = false;  ///< a creation by apply, which was asked for as a patch
};
/// Nothing, or the refusal.
using Guard = std::function<std::optional<api::Status>(const Intent&)>;

/// Follows what is stored of some kinds without waiting: whoever wants to know asks. No longer than its registry.
class Follower {
public:
    struct Item {
        std::string group, plural, namespace_, name;
        std::shared_ptr<const std::string> bytes;  ///< shared with the store; null: it is gone
    };
    struct News {
        bool from_scratch = false;  ///< these are all there are: whatever else was known is gone
        std::vector<Item> items;
    };
    virtual ~Follower() = default;
    /// What has become durable since the last call; at the first call, and after falling far behind, everything.
    virtual News take() = 0;
};

class Registry {
public:
    struct Settings {
        std::chrono::seconds event_ttl{3600};
    };
    /// All arguments must outlive it. The store must be loaded.
    Registry(store::Store& store, Clock& clock, Random& random, Metrics& metrics, Settings settings);
    ~Registry();
    Registry(const Registry&) = delete;
    Registry& operator=(const Registry&) = delete;

    /// Serves what the store holds: compiles its CRDs, makes the namespaces default, kube-system and ocim-system.
    awaitable<Result<void>> start();
    /// Garbage collection, namespace emptying, expiry of events. Runs until cancelled.
    awaitable<void> run_collectors();
    /// The ServiceAccount of each namespace, aggregated ClusterRoles, status of ResourceQuotas. Runs until cancelled.
    awaitable<void> run_upkeep();

    /// Applies a CRD (JSON) as the program itself, at start; a newer one replaces an older one.
    awaitable<Outcome<void>> install(const api::Json& crd);
    void set_admission(std::string_view group, std::string_view plural, Admission admission);
    /// Asked before every create and update of a client, by sub-resources too.
    void set_guard(Guard guard);
    /// `kinds`: groups and plurals, of kinds that are built in.
    std::unique_ptr<Follower> follow(std::vector<std::pair<std::string, std::string>> kinds) const;

    /// Null when not served. Pointers hold until the next change of discovery(), so not across a co_await.
    const Resource* resource(std::string_view group, std::string_view version, std::string_view plural) const;
    const Resource* resource_of_kind(std::string_view group, std::string_view version, std::string_view kind) const;
    std::vector<const Resource*> resources() const;
    /// Grows with every change of what is served.
    std::uint64_t discovery() const;
    Revision revision() const;
    /// Whether other processes write to the same store. What they write is served here too.
    bool shared() const;
    /// Returns when all that anybody had written before the call is served here: what follows is then answered from the
    /// current state. Nothing to wait for unless shared(). Error: unreachable, when nobody can tell.
    awaitable<Result<void>> catch_up() const;

    Outcome<StoredObject> get(const Resource& resource, const std::string& namespace_, const std::string& name) const;
    Outcome<ListPage> list(const Resource& resource, const ListOptions& options) const;
    Outcome<std::unique_ptr<Watch>> watch(const Resource& resource, const WatchOptions& options);

    /// The verbs that write; when they return, the write is durable. `namespace_` and `name` are those of the URL
    /// (name may be empty in create). They copy what they need of `resource` before they wait.
    awaitable<Outcome<Written>> create(const Resource& resource, std::string namespace_, std::string name,
                                       api::Parsed object, WriteOptions options);
    awaitable<Outcome<Written>> update(const Resource& resource, std::string namespace_, std::string name,
                                       api::Parsed object, WriteOptions options);
    awaitable<Outcome<Written>> patch(const Resource& resource, std::string namespace_, std::string name,
                                      PatchType type, api::Parsed patch, WriteOptions options);
    awaitable<Outcome<Written>> apply(const Resource& resource, std::string namespace_, std::string name,
                                      api::Parsed object, bool force, WriteOptions options);
    awaitable<Outcome<Written>> remove(const Resource& resource, std::string namespace_, std::string name,
                                       DeleteOptions options);
    awaitable<Outcome<std::vector<StoredObject>>> remove_collection(const Resource& resource, ListOptions which,
                                                                    DeleteOptions options);

    struct State;  ///< registry/state.hpp

private:
    std::unique_ptr<State> state_;
};

}  // namespace ocim::registry
