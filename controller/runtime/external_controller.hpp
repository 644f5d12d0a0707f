#pragma once

#include "runtime/backend.hpp"
#include "runtime/controller.hpp"

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace ocim::runtime {

/// Drives one external kind. A visit looks at what is known, decides, reports, and hands actions to the Backend; it
/// never waits for the outside world.
class ExternalController final : public Controller, private BackendUser {
public:
    ExternalController(Engine& engine, BackendBoard& board, const ExternalAdapter& adapter);
    ~ExternalController() override;

    void drain_backends();
    /// Waits for calls in flight until `deadline`.
    awaitable<void> stop_backends(Instant deadline);
    awaitable<void> stop() override;
    /// See Backend.
    bool backends_settled() const;
    /// A finalizer was put on some backend: actions may have waited for it.
    void poke_backends();
    /// Every object of a kind is known now.
    void refresh_backends(const api::Kind& kind);

    /// For people who ask; ordered by their keys.
    const std::map<ObjectKey, std::shared_ptr<Backend>>& backends() const { return backends_; }
    api::Kind backend_kind() const { return external_.backend_kind(); }

private:
    /// What we remember of one object between visits. All of it can be lost.
    struct Tracked {
        std::string uid;
        std::optional<ObjectKey> backend;
        bool acting = false;
        Instant acting_since{};
        std::string doing;
        std::uint64_t effect = 0;            ///< when the last own action ended, or its deletion was first seen
        std::optional<std::uint64_t> looks;  ///< nothing is decided before an observation that began after this
        std::optional<Instant> looks_from;   ///< and not before this
        std::optional<Instant> look_at;      ///< its report asked for a look of its own accord
        Instant lands_until{};               ///< a call without an answer may have its effect until then
        bool may_land = false;               ///< no look that began since then was waited for
        std::optional<Instant> acted_at;     ///< when an action of its own last had an effect, or may have had one
        Instant not_before{};                ///< back-off
        unsigned failures = 0;
        std::optional<Verdict> failure;      ///< what the last actions came to, when not to success
        std::size_t tried_with = 0;          ///< what was declared then: something else is tried at once
        std::size_t tried = 0;               ///< the plan that was carried out last
        std::optional<std::size_t> refused;  ///< the plan that is not tried again
        std::optional<std::size_t> in_sync;  ///< what was declared when the world was last as declared
        std::vector<Note> told;              ///< what its last report said: said once
        bool judged = false, drifted = false, deletion_seen = false, paused = false;
        bool from_before = false;                ///< an earlier run of this program may have calls under way for it
        std::optional<std::uint64_t> turn_look;  ///< a look that began after this shows whether it is under way
        bool turn_known = false;  ///< whether it is under way is seen, and no call of an earlier run can change it
        std::string reconcile_at;
        std::optional<Outcome> last_call;  ///< what its last action came to, for people
    };
    struct Decision {
        enum class What { nothing, report, generate, add_finalizer, renew, release, act };
        What what = What::nothing;
        Standing standing;
        std::vector<PlannedAction> actions;
        std::vector<GeneratedSecret> secrets;
        std::vector<SecretEdit> edits;
        std::optional<Instant> again;
        bool settled = false;    ///< nothing is waiting for the backend
        bool hopeful = false;    ///< what others do in the backend may change it
        bool abandoned = false;  ///< release although the world was not cleaned
    };
    /// What a decision is made from.
    struct Case {
        const ObjectKey& key;
        const Json& object;
        const ObjectFacts& facts;
        Tracked& tracked;
        Backend& backend;
        bool deleting, paused, observe_only;
        std::optional<Turn> turn{};
        bool waits_for_turn = false;
    };

    awaitable<Result<Visited>> visit(ObjectKey key) override;
    void own_changed(const ObjectKey& key, const ObjectPtr& object, const Result<ObjectFacts>* facts) override;
    void other_changed(const Change& change, Priority priority) override;
    void describe_more(const ObjectKey& key, const DebugTimes& times, api::json::object& out) const override;

    void wake(const ObjectKey& object, Priority priority) override { add(object, priority); }
    void landed(const ObjectKey& object, std::vector<Landed> actions) override;
    void withdrawn(const ObjectKey& object) override;
    void reopened(const ObjectKey& object) override;
    std::set<std::string> live_uids() const override;
    bool has_object(const std::string& namespace_name) const override;

    Decision judge(const ObjectKey& key, const Json& object);
    std::string blocked_by(const Case& at, const Trouble& trouble) const;
    std::optional<Decision> judge_standing(Case& at, Inputs& inputs);
    std::optional<Decision> judge_waiting(Case& at);
    Decision waits_for_look(Case& at, std::optional<Instant> again);
    Decision judge_deletion(Case& at);
    Decision judge_world(Case& at, const Inputs& inputs);
    Decision in_sync(Case& at, const Inputs& inputs, std::size_t declared);
    Decision differs(Case& at, std::vector<PlannedAction> plan, const Inputs& inputs, std::size_t declared);
    std::optional<Decision> held_back(Case& at, const std::vector<PlannedAction>& plan, std::size_t declared);
    void note_turn(Case& at, const Inputs& inputs);
    std::optional<Decision> wait_for_turn(Case& at, const std::vector<PlannedAction>& plan);
    Instant lands_by(const Case& at) const;
    std::optional<Decision> wait_for_late_calls(Case& at);
    static bool begins_something(const std::vector<PlannedAction>& plan);
    std::size_t turns_unknown(const ObjectKey& asking, const std::string& of) const;
    void wake_next_turns();
    std::optional<Decision> refused_before(Case& at, std::size_t print);
    void note_pause(Case& at);
    void note_drift(Case& at, const std::vector<PlannedAction>& plan);
    /// `created`: of a create among them nobody knows what came of it.
    void failed(Tracked& tracked, const Landed& worst, bool created);
    void note_landed(const ObjectKey& key, const Landed& one);

    ObjectKey backend_key(const ObjectKey& object, const std::string& name) const;
    Backend& backend_at(const ObjectKey& key);
    void let_go(const ObjectKey& key, Tracked& tracked);
    void retire_if_idle(const ObjectKey& key);
    awaitable<void> retire(std::shared_ptr<Backend> backend);
    awaitable<Result<void>> release(ObjectPtr object, bool abandoned);
    void act(const ObjectKey& key, std::vector<PlannedAction> actions);
    /// In place of it, with Settings::planning.
    awaitable<Result<void>> plan(ObjectPtr object, std::vector<PlannedAction> actions);
    awaitable<Result<void>> renew(ObjectPtr object, std::vector<SecretEdit> edits);
    std::size_t plan_fingerprint(Case& at, const std::vector<PlannedAction>& plan, std::size_t declared) const;

    const ExternalAdapter& external_;
    BackendBoard& board_;
    std::map<ObjectKey, Tracked> tracked_;
    Turns turns_;
    std::map<ObjectKey, std::shared_ptr<Backend>> backends_;  // shared with the task that retires one
    TaskGroup retiring_;
    prometheus::Counter &drift_, &abandoned_;
};

}  // namespace ocim::runtime
