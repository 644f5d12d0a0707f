#include "runtime/cache.hpp"

#include <charconv>
#include <set>

namespace ocim::runtime {

namespace {

std::uint64_t number(std::string_view text) {
    std::uint64_t out = 0;
    std::from_chars(text.data(), text.data() + text.size(), out);
    return out;
}

/// The last finalizer went while deletion was asked for: the answer is the object's last state.
bool removed_for_good(const Json& object) {
    if (api::find_text(object, {"metadata", "deletionTimestamp"}).empty()) return false;
    const auto* finalizers = api::find(object, {"metadata", "finalizers"});
    return !finalizers || !finalizers->is_array() || finalizers->get_array().empty();
}

}  // namespace

std::vector<Cache::Kept> Cache::kept() const {
    std::vector<Kept> out;
    for (const auto& [kind, store] : stores_)
        out.push_back({kind, store.objects.size(), store.asked.size(), store.told, store.synced, store.part});
    return out;
}

ObjectKey ObjectKey::parse(std::string_view text) {
    const auto slash = text.find('/');
    if (slash == std::string_view::npos) return {"", std::string(text)};
    return {std::string(text.substr(0, slash)), std::string(text.substr(slash + 1))};
}

ObjectKey ObjectKey::of(const Json& object) {
    return {std::string(api::find_text(object, {"metadata", "namespace"})),
            std::string(api::find_text(object, {"metadata", "name"}))};
}

std::string kind_id(const api::Kind& kind) { return std::string(kind.group) + "/" + std::string(kind.name); }

std::uint64_t revision_of(const Json& object) {
    return number(api::find_text(object, {"metadata", "resourceVersion"}));
}

const Cache::Store* Cache::store(const api::Kind& kind) const {
    const auto found = stores_.find(kind_id(kind));
    return found == stores_.end() ? nullptr : &found->second;
}

bool Cache::synced(const api::Kind& kind) const {
    const auto* held = store(kind);
    return held && held->synced;
}

bool Cache::ours(const Json& object) const {
    constexpr std::string_view mark = "ocim.opencraft.com/";
    if (const auto* finalizers = api::find(object, {"metadata", "finalizers"}); finalizers && finalizers->is_array())
        for (const auto& item : finalizers->get_array())
            if (item.is_string() && std::string_view(item.get_string()).starts_with(mark)) return true;
    if (const auto* notes = api::find(object, {"metadata", "annotations"}); notes && notes->is_object())
        for (const auto& [name, value] : notes->get_object())
            if (std::string_view(name).starts_with(mark)) return true;
    if (const auto* owners = api::find(object, {"metadata", "ownerReferences"}); owners && owners->is_array())
        for (const auto& owner : owners->get_array()) {
            const auto version = api::find_text(owner, {"apiVersion"});
            const auto slash = version.find('/');
            const auto group = version.substr(0, slash == std::string_view::npos ? 0 : slash);
            const auto held = stores_.find(std::string(group) + "/" + std::string(api::find_text(owner, {"kind"})));
            if (held != stores_.end() && !held->second.part) return true;
        }
    return false;
}

bool Cache::keeps(const api::Kind& kind, const Json& object) const {
    const auto* held = store(kind);
    if (!held || !held->part) return true;
    const auto key = ObjectKey::of(object);
    return held->asked.contains(key) || held->objects.contains(key) || ours(object);
}

bool Cache::known(const api::Kind& kind, const ObjectKey& key) const {
    const auto* held = store(kind);
    if (!held || !held->synced) return false;
    if (!held->part) return true;
    const auto asked = held->asked.find(key);
    return asked != held->asked.end() && (asked->second == Asked::known || held->objects.contains(key));
}

bool Cache::ask_for(const api::Kind& kind, const ObjectKey& key) {
    auto& held = stores_[kind_id(kind)];
    // of one that is kept already, list and watch tell
    const auto state = held.objects.contains(key) ? Asked::known : Asked::reading;
    const bool first = held.asked.try_emplace(key, state).second;
    if (first && state == Asked::reading) held.fresh.insert(key);
    return first && state == Asked::reading;
}

bool Cache::read(const api::Kind& kind, const ObjectKey& key, std::optional<Json> object) {
    const auto id = kind_id(kind);
    auto& held = stores_[id];
    auto& asked = held.asked[key];
    if (asked == Asked::overtaken) {
        asked = Asked::reading;
        return false;
    }
    asked = Asked::known;
    const auto kept = held.objects.find(key);
    if (kept != held.objects.end() && (!object || revision_of(*kept->second) >= revision_of(*object))) return true;
    if (object) {
        put(id, held, key, std::make_shared<const Json>(*std::move(object)), nullptr);
    } else if (listener_) {
        listener_({id, key, nullptr, nullptr, nullptr});
    }
    return true;
}

ObjectPtr Cache::find(const api::Kind& kind, const ObjectKey& key) const {
    const auto* held = store(kind);
    if (!held) return nullptr;
    const auto found = held->objects.find(key);
    return found == held->objects.end() ? nullptr : found->second;
}

std::vector<ObjectPtr> Cache::all(const api::Kind& kind, const std::string& namespace_) const {
    std::vector<ObjectPtr> out;
    const auto* held = store(kind);
    if (!held) return out;
    auto it = namespace_.empty() ? held->objects.begin() : held->objects.lower_bound({namespace_, ""});
    for (; it != held->objects.end(); ++it) {
        if (!namespace_.empty() && it->first.namespace_ != namespace_) break;
        out.push_back(it->second);
    }
    return out;
}

std::vector<ObjectPtr> Cache::all(const Reference& reference) {
    if (reference.field.empty()) return all(reference.kind, reference.namespace_);
    auto& held = stores_[kind_id(reference.kind)];
    if (const auto [known, fresh] = held.by_field.try_emplace(reference.field); fresh)
        for (const auto& [key, object] : held.objects)
            for (const auto& value : texts_at(*object, reference.field)) known->second[value].insert(key);
    std::vector<ObjectPtr> out;
    const auto& by_value = held.by_field.at(reference.field);
    const auto found = by_value.find(reference.value);
    if (found == by_value.end()) return out;
    for (const auto& key : found->second)
        if (reference.namespace_.empty() || key.namespace_ == reference.namespace_) out.push_back(held.objects.at(key));
    return out;
}

/// Keeps by_field true while an object becomes another.
void Cache::file(Store& store, const ObjectKey& key, const Json* before, const Json* after) {
    for (auto& [field, by_value] : store.by_field) {
        const auto had = before ? texts_at(*before, field) : std::set<std::string>();
        const auto has = after ? texts_at(*after, field) : std::set<std::string>();
        for (const auto& value : had) {
            if (has.contains(value)) continue;
            const auto keys = by_value.find(value);
            keys->second.erase(key);
            if (keys->second.empty()) by_value.erase(keys);
        }
        for (const auto& value : has) by_value[value].insert(key);
    }
}

std::vector<ObjectKey> Cache::replace(const api::Kind& kind, client::List list) {
    const auto id = kind_id(kind);
    auto& held = stores_[id];
    const auto at = number(list.resource_version);
    std::set<ObjectKey> listed;
    for (auto& item : list.items) {
        if (!keeps(kind, item)) continue;
        const auto key = ObjectKey::of(item);
        listed.insert(key);
        if (const auto gone = held.gone.find(key); gone != held.gone.end() && revision_of(item) <= gone->second)
            continue;
        const auto known = held.objects.find(key);
        if (known != held.objects.end() && revision_of(*known->second) >= revision_of(item)) continue;
        put(id, held, key, std::make_shared<const Json>(std::move(item)), nullptr);
    }
    std::vector<ObjectKey> vanished;
    for (const auto& [key, object] : held.objects)
        if (!listed.contains(key) && revision_of(*object) <= at && !held.fresh.contains(key)) vanished.push_back(key);
    for (const auto& key : vanished) drop(id, held, key, nullptr);
    std::erase_if(held.gone, [at](const auto& item) { return item.second <= at; });
    for (auto& [key, asked] : held.asked)
        if (asked == Asked::reading) asked = Asked::overtaken;
    std::vector<ObjectKey> again;
    for (const auto& key : held.fresh) {
        auto& asked = held.asked.at(key);
        if (asked != Asked::known) continue;
        asked = Asked::reading;
        again.push_back(key);
    }
    held.told = std::max(held.told, at);
    held.synced = true;
    return again;
}

void Cache::event(const api::Kind& kind, const client::Event& event) {
    const auto id = kind_id(kind);
    auto& held = stores_[id];
    const auto at = revision_of(event.object);
    held.told = std::max(held.told, at);
    if (event.type == client::Event::Type::bookmark) {
        std::erase_if(held.gone, [at](const auto& item) { return item.second <= at; });
        return;
    }
    if (!keeps(kind, event.object)) return;
    const auto key = ObjectKey::of(event.object);
    if (const auto asked = held.asked.find(key); asked != held.asked.end() && asked->second == Asked::reading)
        asked->second = Asked::overtaken;
    if (const auto gone = held.gone.find(key); gone != held.gone.end()) {
        const bool old = at <= gone->second;
        if (at >= gone->second) held.gone.erase(gone);
        if (old) return;
    }
    const auto known = held.objects.find(key);
    const bool older = known != held.objects.end() && at < revision_of(*known->second);
    if (event.type == client::Event::Type::deleted) {
        if (!older) drop(id, held, key, nullptr);
        return;
    }
    if (older || (known != held.objects.end() && at == revision_of(*known->second))) return;
    put(id, held, key, std::make_shared<const Json>(event.object), nullptr);
}

ObjectPtr Cache::fold(const api::Kind& kind, Json answer, const void* writer) {
    const auto id = kind_id(kind);
    auto& held = stores_[id];
    const auto key = ObjectKey::of(answer);
    const auto at = revision_of(answer);
    const auto known = held.objects.find(key);
    // what list and watch have told is as new as this, and may be newer
    const bool outrun = at <= held.told || (known != held.objects.end() && revision_of(*known->second) >= at);
    if (outrun) return known == held.objects.end() ? nullptr : known->second;
    if (removed_for_good(answer)) {
        held.gone[key] = at;
        drop(id, held, key, writer);
        return nullptr;
    }
    auto object = std::make_shared<const Json>(std::move(answer));
    put(id, held, key, object, writer);
    return object;
}

void Cache::fold_gone(const api::Kind& kind, const ObjectKey& key, const void* writer) {
    const auto id = kind_id(kind);
    auto& held = stores_[id];
    const auto known = held.objects.find(key);
    if (known == held.objects.end()) return;
    held.gone[key] = revision_of(*known->second);
    drop(id, held, key, writer);
}

void Cache::put(const std::string& kind, Store& store, const ObjectKey& key, ObjectPtr object, const void* writer) {
    auto& place = store.objects[key];
    const Change change{kind, key, place, object, writer};
    file(store, key, place.get(), object.get());
    place = std::move(object);
    if (listener_) listener_(change);
}

void Cache::drop(const std::string& kind, Store& store, const ObjectKey& key, const void* writer) {
    const auto found = store.objects.find(key);
    if (found == store.objects.end()) return;
    const Change change{kind, key, found->second, nullptr, writer};
    file(store, key, found->second.get(), nullptr);
    store.objects.erase(found);
    if (listener_) listener_(change);
}

}  // namespace ocim::runtime
