#pragma once

#include "runtime/breaker.hpp"
#include "runtime/engine.hpp"

#include <map>
#include <set>
#include <string>

namespace ocim::runtime {

/// What one kind knows of one backend.
struct BackendFacts {
    std::optional<Trouble> trouble;
    bool stalled = false;  ///< the trouble ends only when a person changes something
    bool known = false;    ///< it was observed since it was opened
    std::size_t objects = 0, orphans = 0;
    std::optional<WallTime> last_observed;
    api::json::object more;  ///< fields of the status that only the kind knows
};

/// Writes what several kinds know of a backend into the backend's own status, and keeps the in-use finalizer on
/// backends and their credentials while any object refers to them.
class BackendBoard {
public:
    explicit BackendBoard(Engine& engine);

    /// `user` is the kind that knows.
    void set(const api::Kind& kind, const ObjectKey& backend, const std::string& user, BackendFacts facts);
    void forget(const api::Kind& kind, const ObjectKey& backend, const std::string& user);
    /// `user` (a kind and a backend) needs exactly these things to stay.
    void use(const std::string& user, std::vector<std::pair<api::Kind, ObjectKey>> things);
    /// Whether everything that `user` needs carries the finalizer, or cannot any more.
    bool held(const std::string& user) const;

    /// Looks at an object that may carry the finalizer from an earlier run.
    void check(const api::Kind& kind, const ObjectKey& key);

    /// An object of any kind changed.
    void changed(const Change& change);
    /// Writes until it is cancelled.
    awaitable<void> run();
    /// Notified when a finalizer was put.
    void listen(std::function<void()> listener) { listener_ = std::move(listener); }

private:
    struct Target {
        api::Kind kind;
        ObjectKey key;
        std::set<std::string> users;
        bool dirty = true;
    };
    struct Board {
        api::Kind kind;
        ObjectKey key;
        std::map<std::string, BackendFacts> facts;  // by kind that knows
        WallTime observed_written{};
        bool dirty = true;
    };
    static std::string id(const api::Kind& kind, const ObjectKey& key) { return kind_id(kind) + "\n" + key.text(); }

    Standing standing(Board& board, const api::Json& object);
    StatusWriter& writer(const api::Kind& kind);
    awaitable<bool> write_boards();
    awaitable<bool> write_finalizers();
    void tell_who_waits(const Target& target);
    awaitable<Result<void>> write_finalizer(api::Kind kind, ObjectKey key, bool wanted);

    Engine& engine_;
    std::map<std::string, Target> targets_;
    std::map<std::string, std::set<std::string>> uses_;  // ids of targets, by user
    std::map<std::string, Board> boards_;
    std::map<std::string, StatusWriter> writers_;
    std::function<void()> listener_;
    Signal wake_;
};

}  // namespace ocim::runtime
