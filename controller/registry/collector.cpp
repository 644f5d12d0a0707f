#include "registry/collector.hpp"

#include "base/log.hpp"
#include "registry/definition.hpp"
#include "registry/metadata.hpp"
#include "registry/text.hpp"

#include <algorithm>

namespace ocim::registry {

using api::Json;
namespace json = boost::json;

namespace {

constexpr std::size_t slice_max = 500;  // changes or objects looked at before others may run
constexpr Duration retry_delay{1000};
constexpr Duration unknown_owner_delay{60'000};  // a kind that is not served may be so later
constexpr auto compact_interval = std::chrono::minutes(1);

const std::string& namespaces_prefix() {
    static const std::string prefix = key_prefix("", "namespaces");
    return prefix;
}
const std::string& definitions_prefix() {
    static const std::string prefix = key_prefix("apiextensions.k8s.io", "customresourcedefinitions");
    return prefix;
}
const std::string& events_prefix() {
    static const std::string prefix = key_prefix("", "events");
    return prefix;
}

bool is_deleting(std::string_view text) { return raw_at(text, {"metadata", "deletionTimestamp"}).has_value(); }

bool has_finalizer(const std::string& text, std::string_view name) {
    const auto list = raw_at(text, {"metadata", "finalizers"});
    return list && list->find("\"" + std::string(name) + "\"") != std::string_view::npos;
}

}  // namespace

Collector::Collector(Registry::State& state)
    : state_(state),
      compact_at_(state.clock.now() + compact_interval),
      collected_(state.metrics.counter("ocim_garbage_collected_total", "Objects deleted because nothing owns them",
                                       {{"reason", "owner"}})),
      expired_(state.metrics.counter("ocim_garbage_collected_total", "Objects deleted because nothing owns them",
                                     {{"reason", "expired"}})) {}

awaitable<void> Collector::run() {
    for (;;) {
        co_await survey();
        co_await follow();
        log::warning("the collectors start over: they were behind the history");
    }
}

/// Everything that is stored, once.
awaitable<void> Collector::survey() {
    ownership_ = Ownership();
    due_.clear();
    expiring_.clear();
    auto changes = state_.store.watch("", state_.store.revision());
    assert(changes);  // the present is never compacted
    changes_ = *std::move(changes);
    std::string from;
    for (bool more = true; more;) {
        std::size_t looked = 0;
        more = false;
        (void)state_.store.scan("", from, 0, [&](const std::string& key, const store::Item& item) {
            if (looked++ == slice_max) {
                from = key;
                more = true;
                return false;
            }
            note_item(key, *item.value);
            if (key.starts_with(events_prefix())) schedule_event(key, item.revision, item.time_ms);
            return true;
        });
        co_await state_.clock.sleep(Duration(0));
    }
}

/// Until the history is forgotten before we read it.
awaitable<void> Collector::follow() {
    for (;;) {
        auto changes = changes_->take(slice_max);
        if (!changes) co_return;
        for (const auto& change : *changes) note(*change);
        co_await work();
        co_await expire_events();
        if (state_.clock.now() >= compact_at_) {
            compact_at_ = state_.clock.now() + compact_interval;
            auto compacted = co_await state_.store.compact();
            if (!compacted) log::warning("history was not compacted", {{"error", compacted.error().message}});
        }
        if (state_.warm_up()) {
            co_await state_.clock.sleep(Duration(0));
            continue;
        }
        if (!changes->empty()) continue;
        auto wake = compact_at_;
        for (const auto& [key, when] : due_) wake = std::min(wake, when);
        if (!expiring_.empty()) wake = std::min(wake, expiring_.begin()->first);
        co_await changes_->wait(wake);
    }
}

void Collector::look_at(const std::string& key, Duration in) {
    const auto when = state_.clock.now() + in;
    const auto [known, added] = due_.try_emplace(key, when);
    if (!added) known->second = std::min(known->second, when);
}

void Collector::note(const store::Change& change) {
    if (!change.deleted) {
        note_item(change.key, *change.value);
        if (change.key.starts_with(events_prefix())) schedule_event(change.key, change.revision, change.time_ms);
        return;
    }
    const auto owners = ownership_.owners(change.key);
    ownership_.erase(change.key);
    look_at_owners(owners, change.key);
    for (const auto& dependent : ownership_.dependents(text_at(*change.value, {"metadata", "uid"}))) look_at(dependent);
    look_at_holder(change.key);
}

void Collector::note_item(const std::string& key, const std::string& text) {
    const auto before = ownership_.owners(key);
    if (ownership_.put(key, text)) {
        look_at(key);
        look_at_owners(before, key);
    }
    if (!is_deleting(text)) return;
    const bool holds = key.starts_with(namespaces_prefix()) || key.starts_with(definitions_prefix());
    if (holds || has_finalizer(text, "foregroundDeletion") || has_finalizer(text, "orphan")) look_at(key);
}

/// The namespace and the definition of what has gone may have waited for it.
void Collector::look_at_holder(const std::string& key) {
    const auto served = state_.served_of_key(key);
    if (!served) return;
    const auto check = [&](const std::string& holder) {
        const auto item = state_.store.get(holder);
        if (item && is_deleting(*item->value)) look_at(holder);
    };
    const auto named = served->named(key, store::Item());
    if (served->resource.namespaced) check(namespaces_prefix() + named.namespace_);
    if (!served->resource.built_in)
        check(definitions_prefix() + served->resource.plural + "." + served->resource.group);
}

/// An owner that waits for its dependents may now be free.
void Collector::look_at_owners(const std::vector<Owner>& owners, const std::string& dependent) {
    const auto served = state_.served_of_key(dependent);
    if (!served) return;
    const auto namespace_ = served->named(dependent, store::Item()).namespace_;
    for (const auto& owner : owners) {
        const auto key = key_of(owner, namespace_);
        const auto item = key ? state_.store.get(*key) : std::nullopt;
        if (item && is_deleting(*item->value)) look_at(*key);
    }
}

void Collector::schedule_event(const std::string& key, Revision revision, std::int64_t written_ms) {
    const auto now = std::chrono::duration_cast<Duration>(state_.clock.wall().time_since_epoch());
    const auto age = now - Duration(written_ms);
    const auto left = std::max(Duration(0), Duration(state_.settings.event_ttl) - age);
    expiring_.emplace(state_.clock.now() + left, std::pair(key, revision));
}

/// Every key that is due now, once.
awaitable<void> Collector::work() {
    std::vector<std::string> now;
    for (const auto& [key, when] : due_)
        if (when <= state_.clock.now()) now.push_back(key);
    for (const auto& key : now) {
        due_.erase(key);
        auto looked = co_await look(key);
        if (!looked) look_at(key, retry_delay);
    }
}

Collector::Task Collector::look(std::string key) {
    const auto served = state_.served_of_key(key);
    const auto item = state_.store.get(key);
    if (!served || !item) co_return Outcome<void>();
    // in the version that is served, with the text as stored: we only read metadata
    const auto object = served->named(key, *item);
    if (is_deleting(*object.bytes)) {
        if (has_finalizer(*object.bytes, "orphan")) co_return co_await orphan_dependents(served, object);
        // what is empty already may still wait for what it owns
        const bool full = raw_at(*object.bytes, {"spec", "finalizers"}).has_value();
        if (served->special == Special::namespace_ && full) co_return co_await empty_namespace(object);
        if (served->special == Special::definition && has_finalizer(*object.bytes, definition_finalizer))
            co_return co_await empty_definition(object);
        if (has_finalizer(*object.bytes, "foregroundDeletion")) co_return co_await delete_dependents(served, object);
        co_return Outcome<void>();
    }
    if (ownership_.owners(key).empty()) co_return Outcome<void>();
    co_return co_await judge_owned(served, object, key);
}

awaitable<void> Collector::expire_events() {
    while (!expiring_.empty() && expiring_.begin()->first <= state_.clock.now()) {
        const auto [key, revision] = expiring_.begin()->second;
        expiring_.erase(expiring_.begin());
        const auto served = state_.served_of_key(key);
        const auto item = state_.store.get(key);
        if (!served || !item || item->revision != revision) continue;  // a later write has its own entry
        const auto object = served->named(key, *item);
        auto removed = co_await remove(served, object, std::nullopt);
        if (removed)
            expired_.Increment();
        else
            expiring_.emplace(state_.clock.now() + retry_delay, std::pair(key, revision));
    }
}

std::optional<std::string> Collector::key_of(const Owner& owner, const std::string& namespace_) const {
    const auto slash = owner.api_version.find('/');
    const auto group = slash == std::string::npos ? std::string() : owner.api_version.substr(0, slash);
    const auto version = owner.api_version.substr(slash == std::string::npos ? 0 : slash + 1);
    const auto served = state_.served_of_kind(group, version, owner.kind);
    if (!served) return std::nullopt;
    return served->key(namespace_, owner.name);
}

Collector::Standing Collector::standing(const ServedPtr& dependent, const StoredObject& object,
                                        const Owner& owner) const {
    const auto key = key_of(owner, object.namespace_);
    if (!key) return Standing::unknown;
    const auto served = state_.served_of_key(*key);
    // a cluster-scoped object cannot be owned from within a namespace: which one would it be?
    if (!dependent->resource.namespaced && served->resource.namespaced) return Standing::solid;
    const auto item = state_.store.latest(*key);
    if (!item || text_at(*item->value, {"metadata", "uid"}) != owner.uid) {
        const auto durable = state_.store.get(*key);
        const bool still = durable && text_at(*durable->value, {"metadata", "uid"}) == owner.uid;
        return still ? Standing::solid : Standing::absent;
    }
    const bool waits = is_deleting(*item->value) && has_finalizer(*item->value, "foregroundDeletion");
    return waits ? Standing::waiting : Standing::solid;
}

Collector::Task Collector::judge_owned(ServedPtr served, StoredObject object, std::string key) {
    std::vector<std::string> absent, waiting;
    bool solid = false;
    for (const auto& owner : ownership_.owners(key)) switch (standing(served, object, owner)) {
            case Standing::solid: solid = true; break;
            case Standing::absent: absent.push_back(owner.uid); break;
            case Standing::waiting: waiting.push_back(owner.uid); break;
            case Standing::unknown:
                // unknown is not absent: keep it and ask again
                look_at(key, unknown_owner_delay);
                co_return Outcome<void>();
        }
    if (solid && absent.empty() && waiting.empty()) co_return Outcome<void>();
    if (solid) {
        absent.insert(absent.end(), waiting.begin(), waiting.end());
        co_return co_await drop_owners(served, object, absent);
    }
    const auto uid = text_at(*object.bytes, {"metadata", "uid"});
    std::optional<Propagation> propagation;
    if (!waiting.empty() && !ownership_.dependents(uid).empty()) propagation = Propagation::foreground;
    collected_.Increment();
    co_return co_await remove(served, object, propagation);
}

Collector::Task Collector::delete_dependents(ServedPtr served, StoredObject object) {
    const auto uid = text_at(*object.bytes, {"metadata", "uid"});
    bool blocked = false;
    for (const auto& dependent : ownership_.dependents(uid)) {
        look_at(dependent);
        for (const auto& owner : ownership_.owners(dependent)) blocked |= owner.uid == uid && owner.blocks;
    }
    if (blocked) co_return Outcome<void>();
    co_return co_await drop_finalizer(served, object, "foregroundDeletion");
}

Collector::Task Collector::orphan_dependents(ServedPtr served, StoredObject object) {
    const std::vector<std::string> uids(1, text_at(*object.bytes, {"metadata", "uid"}));
    const auto dependents = ownership_.dependents(uids.front());
    for (const auto& key : dependents) {
        const auto dependent = state_.served_of_key(key);
        const auto item = state_.store.get(key);
        if (!dependent || !item) continue;
        const auto shown = dependent->named(key, *item);
        CO_CHECK(co_await drop_owners(dependent, shown, uids));
    }
    co_return co_await drop_finalizer(served, object, "orphan");
}

Collector::Task Collector::drop_owners(ServedPtr served, StoredObject object, std::vector<std::string> uids) {
    const auto value = object.parsed();
    json::array kept;
    if (const auto* owners = api::find(value, {"metadata", "ownerReferences"}); owners && owners->is_array())
        for (const auto& owner : owners->get_array())
            if (std::ranges::find(uids, api::find_text(owner, {"uid"})) == uids.end()) kept.push_back(owner);
    Json patch = json::object();
    api::make_object(patch, {"metadata"})["ownerReferences"] = kept.empty() ? Json() : Json(std::move(kept));
    co_return co_await merge(served, object, std::move(patch), "");
}

Collector::Task Collector::drop_finalizer(ServedPtr served, StoredObject object, std::string finalizer) {
    auto finalizers = finalizers_of(object.parsed());
    std::erase(finalizers, finalizer);
    Json patch = json::object();
    auto& metadata = api::make_object(patch, {"metadata"});
    metadata["finalizers"] = finalizers.empty() ? Json() : Json(json::array(finalizers.begin(), finalizers.end()));
    co_return co_await merge(served, object, std::move(patch), "");
}

/// Only if the object is still as we judged it; otherwise its change has us look again.
Collector::Task Collector::merge(ServedPtr served, StoredObject object, Json patch, std::string subresource) {
    api::make_object(patch, {"metadata"})["resourceVersion"] = std::to_string(object.revision);
    Request request{served, object.namespace_, object.name, WriteOptions()};
    request.options.subresource = std::move(subresource);
    request.options.field_manager = "ocim-collector";
    request.options.field_validation = FieldValidation::ignore;
    api::Parsed body;
    body.value = std::move(patch);
    auto stored = co_await state_.patch(std::move(request), PatchType::merge, std::move(body));
    if (!stored && stored.error().code != 404) co_return std::move(stored).error();
    co_return Outcome<void>();
}

Collector::Task Collector::remove(ServedPtr served, StoredObject object, std::optional<Propagation> propagation) {
    Request request{served, object.namespace_, object.name, WriteOptions()};
    DeleteOptions options;
    options.uid = text_at(*object.bytes, {"metadata", "uid"});
    options.propagation = propagation;
    auto removed = co_await state_.remove(std::move(request), options);
    if (!removed && removed.error().code != 404 && removed.error().code != 409) co_return std::move(removed).error();
    co_return Outcome<void>();
}

}  // namespace ocim::registry
