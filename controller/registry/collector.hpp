#pragma once

#include "registry/ownership.hpp"
#include "registry/state.hpp"

#include <map>
#include <string>
#include <vector>

namespace ocim::registry {

/// What a kube-controller-manager does beside an API server: deletes what nobody owns any more, empties namespaces and
/// definitions that are being deleted, lets events expire and forgets old history.
///
/// It follows every change in the store and keeps a list of keys to look at; what it finds there is decided anew from
/// the current state, so looking twice or after a crash does no harm.
class Collector {
public:
    explicit Collector(Registry::State& state);
    /// Until cancelled.
    awaitable<void> run();

private:
    using Task = awaitable<Outcome<void>>;

    awaitable<void> survey();
    awaitable<void> follow();
    void note(const store::Change& change);
    void note_item(const std::string& key, const std::string& text);
    void look_at(const std::string& key, Duration in = Duration(0));
    void look_at_holder(const std::string& key);
    void look_at_owners(const std::vector<Owner>& owners, const std::string& dependent);
    void schedule_event(const std::string& key, Revision revision, std::int64_t written_ms);

    awaitable<void> work();
    Task look(std::string key);
    Task judge_owned(ServedPtr served, StoredObject object, std::string key);
    Task delete_dependents(ServedPtr served, StoredObject object);
    Task orphan_dependents(ServedPtr served, StoredObject object);
    Task empty_namespace(StoredObject object);
    Task empty_definition(StoredObject object);
    awaitable<void> expire_events();

    enum class Standing { absent, solid, waiting, unknown };
    Standing standing(const ServedPtr& dependent, const StoredObject& object, const Owner& owner) const;
    std::optional<std::string> key_of(const Owner& owner, const std::string& namespace_) const;

    Task drop_owners(ServedPtr served, StoredObject object, std::vector<std::string> uids);
    Task drop_finalizer(ServedPtr served, StoredObject object, std::string finalizer);
    Task remove(ServedPtr served, StoredObject object, std::optional<Propagation> propagation);
    Task merge(ServedPtr served, StoredObject object, api::Json patch, std::string subresource);

    Registry::State& state_;
    Ownership ownership_;
    std::map<std::string, Instant> due_;
    std::multimap<Instant, std::pair<std::string, Revision>> expiring_;
    std::unique_ptr<store::Store::Watcher> changes_;
    Instant compact_at_;
    prometheus::Counter& collected_;
    prometheus::Counter& expired_;
};

}  // namespace ocim::registry
