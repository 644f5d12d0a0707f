#pragma once

#include "runtime/board.hpp"
#include "runtime/controller.hpp"
#include "runtime/state_metrics.hpp"
#include "runtime/tally.hpp"

#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

namespace ocim::runtime {

/// Drives one composite kind: a visit composes, applies what is wanted, prunes what is not, and reports.
class CompositeController final : public Controller {
public:
    CompositeController(Engine& engine, BackendBoard& board, const CompositeAdapter& adapter);

private:
    struct ChildId {
        std::string kind;  // kind_id
        ObjectKey key;
        auto operator<=>(const ChildId&) const = default;
    };
    /// What we remember of one object between visits. All of it can be lost.
    struct Memory {
        std::map<ChildId, std::size_t> applied;  // what was applied last, as a hash
        std::vector<Note> notes;                 // said already
        std::vector<Reference> keeps;
        bool paused = false;
    };
    /// What came of applying the children.
    struct Applied {
        std::optional<Verdict> trouble;  // stands over the composition's own verdict
        std::optional<Error> error;      // try again
    };

    awaitable<Result<Visited>> visit(ObjectKey key) override;
    void own_changed(const ObjectKey& key, const ObjectPtr& object, const Result<ObjectFacts>* facts) override;
    void other_changed(const Change& change, Priority priority) override;

    /// What stands between the object and its composition: a verdict to report, if anything.
    std::optional<Lacking> before_compose(const Json& object, const ObjectFacts& facts, Inputs& inputs);
    awaitable<Result<bool>> report(ObjectPtr object, Standing standing);
    /// What it says for itself, told what the others say; from that moment on all others are told.
    Result<Composed> compose(const Json& object, const Children& children, Inputs& inputs);
    awaitable<Result<Visited>> composed(ObjectPtr object, Inputs inputs);
    awaitable<Result<Applied>> apply_all(ObjectPtr owner, std::vector<Child> children);
    /// Changes what is not ours; what is refused as invalid becomes the trouble.
    awaitable<void> edit_all(ObjectKey owner, std::vector<Edit> edits, Applied& applied);
    awaitable<Result<std::optional<Verdict>>> apply(ObjectPtr owner, Child child);
    awaitable<Result<std::optional<Verdict>>> apply_existing(ObjectPtr owner, Child child, ObjectPtr existing);
    awaitable<Result<void>> write_child(ObjectPtr owner, Child child);
    awaitable<Result<void>> fix_owner(ObjectPtr owner, Child child, ObjectPtr existing);
    awaitable<Result<void>> abandon_children(ObjectPtr owner);
    awaitable<Result<void>> release_child(ObjectPtr owner, ObjectPtr child);
    awaitable<Result<void>> abandon_child(api::Kind kind, ObjectPtr child);
    awaitable<Result<void>> prune(ObjectPtr owner, std::set<ChildId> wanted);
    awaitable<Result<Visited>> let_go(ObjectPtr object, bool abandoned);
    void tell(const Json& object, const std::vector<Note>& notes);
    void measure(const std::vector<Measure>& measures);
    void keep(const ObjectKey& key, const std::vector<Reference>& references);
    void note_pause(const Json& object, bool paused);

    Result<api::Kind> child_kind(const Json& child) const;
    Result<ChildId> child_id(const Json& owner, const Json& child) const;
    /// The child as it is to be stored: in its namespace, with its owner.
    Json prepared(const Json& owner, const Child& child, const ChildId& id) const;
    void draw(Child& child);
    std::vector<ObjectPtr> children_of(const Json& owner) const;
    /// The owners among our kind that an object names.
    std::set<ObjectKey> owners_of(const ChildId& id, const Json& object) const;
    std::string retained_by(const ObjectKey& owner) const;

    BackendBoard& board_;
    const CompositeAdapter& composite_;
    std::map<std::string, api::Kind> kinds_;
    std::map<ObjectKey, std::set<ChildId>> children_;  // by owner
    std::map<ObjectKey, Memory> memory_;
    prometheus::Counter& abandoned_;
    std::map<std::string, prometheus::Histogram*> histograms_;
    std::optional<StateMetrics> states_;
    const Tallied* tallied_;  // null: what our objects say is not counted
    Tally tally_;
};

}  // namespace ocim::runtime
