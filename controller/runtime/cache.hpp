#pragma once

#include "client/client.hpp"
#include "runtime/kinds.hpp"

#include <compare>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

namespace ocim::runtime {

/// Where an object is, within its kind.
struct ObjectKey {
    std::string namespace_, name;
    auto operator<=>(const ObjectKey&) const = default;

    /// "namespace/name", or "name" in cluster scope.
    std::string text() const { return namespace_.empty() ? name : namespace_ + "/" + name; }
    static ObjectKey parse(std::string_view text);
    static ObjectKey of(const Json& object);
};

/// "group/Kind": what a kind is called in an index. The version does not matter there.
std::string kind_id(const api::Kind& kind);
/// metadata.resourceVersion as a number: within one kind they can be compared (as in Kubernetes from 1.35 on, and
/// in every server before it).
std::uint64_t revision_of(const Json& object);

struct Change {
    std::string kind;  ///< kind_id
    ObjectKey key;
    ObjectPtr before, after;       ///< null: absent
    const void* writer = nullptr;  ///< who of us wrote it; null: somebody else, or a list or watch told
};

/// Every object of the kinds that somebody asked for, as the newest list, watch event or answer to a write of ours
/// says: a visit sees one consistent view that contains our own writes.
///
/// What an answer told is not undone by an older event that comes later.
class Cache {
public:
    using Listener = std::function<void(const Change&)>;
    /// Called for each change, after it is in; must not write here.
    void listen(Listener listener) { listener_ = std::move(listener); }

    void track(const api::Kind& kind) { stores_[kind_id(kind)]; }
    /// Keeps of that kind only what bears a mark of ours, has an owner of a kind that is kept whole, or was asked for:
    /// what else there is of it is none of our business, and may be very much.
    void track_part(const api::Kind& kind) { stores_[kind_id(kind)].part = true; }
    bool keeps(const api::Kind& kind, const Json& object) const;
    /// Whether find() tells if it exists: of a kind that is kept in part it does so once it was read().
    bool known(const api::Kind& kind, const ObjectKey& key) const;
    /// It is kept from now on. True: it must be read, and nobody is at it.
    bool ask_for(const api::Kind& kind, const ObjectKey& key);
    /// What reading it told; null: it is not there. False: something else was told meanwhile, so it must be read again.
    bool read(const api::Kind& kind, const ObjectKey& key, std::optional<Json> object);
    bool tracked(const api::Kind& kind) const { return stores_.contains(kind_id(kind)); }
    /// A list of that kind came in completely.
    bool synced(const api::Kind& kind) const;

    ObjectPtr find(const api::Kind& kind, const ObjectKey& key) const;
    /// Of one namespace, or of all for "".
    std::vector<ObjectPtr> all(const api::Kind& kind, const std::string& namespace_ = "") const;
    /// What a reference without a name means. By a field they are found, not searched for.
    std::vector<ObjectPtr> all(const Reference& reference);

    /// A list is asked for.
    void begin_list(const api::Kind& kind) { stores_[kind_id(kind)].fresh.clear(); }
    /// Its answer. What comes back was asked for while it was on its way, so that it may not be in it: to be read
    /// again.
    std::vector<ObjectKey> replace(const api::Kind& kind, client::List list);
    void event(const api::Kind& kind, const client::Event& event);
    /// The answer to a write of ours. The newest state of the object is returned; null when it is gone.
    ObjectPtr fold(const api::Kind& kind, Json answer, const void* writer);
    /// A delete of ours removed it, or it was found to be gone.
    void fold_gone(const api::Kind& kind, const ObjectKey& key, const void* writer);

    /// What is kept of one kind, for people who ask.
    struct Kept {
        std::string kind;  ///< kind_id
        std::size_t objects = 0, asked = 0;
        std::uint64_t revision = 0;  ///< how far list and watch have come
        bool synced = false, part = false;
    };
    std::vector<Kept> kept() const;

private:
    enum class Asked { reading, overtaken, known };
    struct Store {
        std::map<ObjectKey, ObjectPtr> objects;
        /// Objects that a write of ours removed, at what revision, until the watch has passed there.
        std::map<ObjectKey, std::uint64_t> gone;
        /// By a field that somebody narrowed by, and what is there.
        std::map<std::string, std::map<std::string, std::set<ObjectKey>>> by_field;
        std::uint64_t told = 0;  // how far list and watch have come
        bool synced = false;
        bool part = false;
        std::map<ObjectKey, Asked> asked;  // of a kind that is kept in part
        std::set<ObjectKey> fresh;         // those that were asked for since the last list was
    };
    const Store* store(const api::Kind& kind) const;
    bool ours(const Json& object) const;
    static void file(Store& store, const ObjectKey& key, const Json* before, const Json* after);
    void put(const std::string& kind, Store& store, const ObjectKey& key, ObjectPtr object, const void* writer);
    void drop(const std::string& kind, Store& store, const ObjectKey& key, const void* writer);

    std::map<std::string, Store> stores_;
    Listener listener_;
};

}  // namespace ocim::runtime
