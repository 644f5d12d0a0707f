#pragma once

#include "runtime/kinds.hpp"
#include "support/test_loop.hpp"

#include <gtest/gtest.h>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

/// What every external kind must keep to against its real server: one suite for all.
namespace ocim::test {

/// One kind and one backend of it, driven by hand: the runtime's visit without the runtime.
template <runtime::ExternalKind A>
class Visitor {
public:
    using Object = typename A::Object;
    using Key = typename A::Key;
    using Thing = typename A::Thing;
    using Action = typename A::Action;
    using System = runtime::System<Key, Thing, Action>;
    using Snapshot = std::map<Key, Thing>;
    using Answers = std::vector<std::optional<Result<runtime::Done<Key, Thing>>>>;

    Visitor(Loop& loop, System& system, runtime::Inputs inputs)
        : loop_(loop), system_(system), inputs_(std::move(inputs)) {}

    Result<Snapshot> look() { return loop_.run(system_.observe()); }
    /// A look that must succeed.
    Snapshot see() {
        auto seen = look();
        EXPECT_TRUE(seen) << (seen ? "" : seen.error().message);
        return seen ? *std::move(seen) : Snapshot{};
    }
    std::vector<Action> wanted(const Object& object, bool deleting = false) {
        const auto seen = see();
        return deleting ? A::remove(object, inputs_.installation, seen) : A::diff(object, inputs_, seen);
    }
    std::vector<Action> wanted(const std::vector<Object>& objects, bool deleting = false) {
        const auto seen = see();
        std::vector<Action> out;
        for (const auto& object : objects)
            for (auto& action :
                 deleting ? A::remove(object, inputs_.installation, seen) : A::diff(object, inputs_, seen))
                out.push_back(std::move(action));
        return out;
    }
    Answers act(const std::vector<Action>& actions) {
        Collected collected(actions.size());
        loop_.run(system_.act(actions, collected));
        return std::move(collected.answers);
    }
    runtime::Report<Object> report(const Object& object) { return A::report(object, inputs_, see()); }
    bool ready(const Object& object) { return report(object).verdict.state == runtime::Verdict::State::ready; }
    const runtime::Inputs& inputs() const { return inputs_; }

    /// Acts and expects every action to succeed.
    void succeed(const std::vector<Action>& actions) {
        const auto answers = act(actions);
        for (std::size_t i = 0; i < answers.size(); ++i) {
            ASSERT_TRUE(answers[i]) << A::describe(actions[i]) << ": no answer";
            EXPECT_TRUE(*answers[i]) << A::describe(actions[i]) << ": "
                                     << (*answers[i] ? "" : answers[i]->error().message);
        }
    }
    /// Acts and expects every action to succeed and to tell the truth about what is there now.
    void must(const std::vector<Action>& actions) {
        const auto answers = act(actions);
        const auto seen = see();
        std::map<Key, std::size_t> last;  // of two actions on one thing the later one says how it is now
        for (std::size_t i = 0; i < answers.size(); ++i)
            if (answers[i] && *answers[i])
                for (const auto& [key, thing] : (*answers[i])->now) last[key] = i;
        for (std::size_t i = 0; i < answers.size(); ++i) {
            ASSERT_TRUE(answers[i]) << A::describe(actions[i]) << ": no answer";
            ASSERT_TRUE(*answers[i]) << A::describe(actions[i]) << ": " << answers[i]->error().message;
            for (const auto& [key, thing] : (*answers[i])->now) {
                if (last.at(key) != i) continue;
                const auto found = seen.find(key);
                EXPECT_EQ(found != seen.end(), thing.has_value())
                    << A::describe(actions[i]) << ": what it says is there";
                if (found != seen.end() && thing)
                    EXPECT_TRUE(found->second == *thing) << A::describe(actions[i]) << ": what it says is there now";
            }
        }
    }

private:
    struct Collected final : runtime::Results<Key, Thing> {
        explicit Collected(std::size_t count) : answers(count) {}
        void set(std::size_t action, Result<runtime::Done<Key, Thing>> result) override {
            EXPECT_LT(action, answers.size());
            EXPECT_FALSE(answers.at(action)) << "action " << action << " was answered twice";
            answers.at(action).emplace(std::move(result));
        }
        Answers answers;
    };
    Loop& loop_;
    System& system_;
    runtime::Inputs inputs_;
};

template <runtime::ExternalKind A>
struct ContractCase {
    /// The n-th of many objects that can all be there together.
    std::function<typename A::Object(int n)> object;
    /// The same object wanting something else.
    std::function<typename A::Object(typename A::Object)> changed;
    /// Makes by other means than ours what looks as if object(n) had made it, without a mark of ours.
    std::function<void(int n)> stranger;
    /// The same object with adoptionPolicy Adopt. Empty function: the kind takes nothing over.
    std::function<typename A::Object(typename A::Object)> adopting;
    /// An action that the system refuses as invalid. Empty function: there is none.
    std::function<typename A::Action()> refused;
    /// Waits until what was begun is over, for what goes on by itself or takes several rounds. Empty: when an action
    /// has ended everything is as it shall be.
    std::function<void()> settle;
};

/// Runs the whole suite; the backend must be empty of what the objects want, and is so again afterwards.
template <runtime::ExternalKind A>
void run_contract(Visitor<A>& visitor, const ContractCase<A>& given) {
    using Verdict = runtime::Verdict;
    using Actions = std::vector<typename A::Action>;
    const auto settle = [&] {
        if (given.settle) given.settle();
    };
    const auto must = [&](const Actions& actions) { given.settle ? visitor.succeed(actions) : visitor.must(actions); };
    /// The first actions, and with kinds that take several rounds all that follow from them.
    const auto reach = [&](const std::vector<typename A::Object>& objects, bool deleting = false) {
        const auto first = visitor.wanted(objects, deleting);
        must(first);
        settle();
        for (int round = 0; given.settle && round < 10; ++round) {
            const auto more = visitor.wanted(objects, deleting);
            if (more.empty()) break;
            must(more);
            settle();
        }
        return first;
    };
    {
        SCOPED_TRACE("observe after act shows it, and acting twice is acting once");
        const auto object = given.object(1);
        const auto actions = reach({object});
        ASSERT_FALSE(actions.empty());
        const auto once = visitor.see();
        EXPECT_TRUE(visitor.wanted(object).empty());
        EXPECT_TRUE(visitor.ready(object)) << visitor.report(object).verdict.message;
        must(actions);
        EXPECT_TRUE(visitor.see() == once) << "the second time changed something";

        const auto other = given.changed(object);
        const auto changes = reach({other});
        ASSERT_FALSE(changes.empty());
        must(changes);
        EXPECT_TRUE(visitor.wanted(other).empty());
        EXPECT_TRUE(visitor.ready(other));
        EXPECT_FALSE(A::marked(visitor.see()).empty());

        const auto removal = reach({other}, true);
        ASSERT_FALSE(removal.empty());
        must(removal);
        EXPECT_TRUE(visitor.wanted(other, true).empty());
        EXPECT_TRUE(A::marked(visitor.see()).empty());
    }
    {
        SCOPED_TRACE("a stranger's thing is untouched");
        given.stranger(2);
        settle();
        const auto before = visitor.see();
        const auto object = given.object(2);
        EXPECT_TRUE(visitor.wanted(object).empty());
        const auto verdict = visitor.report(object).verdict;
        EXPECT_EQ(verdict.state, Verdict::State::stalled);
        EXPECT_EQ(verdict.reason, "NotOwned") << verdict.message;
        EXPECT_TRUE(visitor.wanted(object, true).empty());
        reach({given.object(3), object});
        for (const auto& [key, thing] : before) {
            const auto after = visitor.see();
            EXPECT_TRUE(after.contains(key) && after.at(key) == thing) << "something of before has changed";
        }
        reach({given.object(3), object}, true);
        EXPECT_TRUE(visitor.see() == before);
    }
    {
        SCOPED_TRACE("it came to be a stranger's after we had looked");
        const auto actions = visitor.wanted(given.object(4));
        given.stranger(4);
        settle();
        const auto before = visitor.see();
        const auto answers = visitor.act(actions);
        for (const auto& answer : answers) EXPECT_TRUE(answer && !*answer) << "it was overwritten";
        EXPECT_TRUE(visitor.see() == before);
    }
    if (given.adopting) {
        SCOPED_TRACE("adoptionPolicy Adopt takes a stranger's thing, which is ours from then on");
        given.stranger(5);
        settle();
        ASSERT_TRUE(visitor.wanted(given.object(5)).empty());
        const auto object = given.adopting(given.object(5));
        const auto actions = reach({object});
        ASSERT_FALSE(actions.empty()) << visitor.report(object).verdict.message;
        must(actions);
        EXPECT_TRUE(visitor.wanted(object).empty());
        EXPECT_TRUE(visitor.ready(object)) << visitor.report(object).verdict.message;
        EXPECT_TRUE(visitor.wanted(given.object(5)).empty()) << "it is ours, whatever the policy is now";
        EXPECT_TRUE(visitor.ready(given.object(5)));
        reach({object}, true);
        EXPECT_TRUE(visitor.wanted(object, true).empty());
        EXPECT_TRUE(A::marked(visitor.see()).empty());
    }
    if (given.refused) {
        SCOPED_TRACE("one bad action does not stop its neighbours");
        std::vector<typename A::Object> objects;
        for (int n = 10; n < 17; ++n) objects.push_back(given.object(n));
        auto actions = visitor.wanted(objects);
        const auto bad = actions.size() / 2;
        actions.insert(actions.begin() + static_cast<std::ptrdiff_t>(bad), given.refused());
        const auto answers = visitor.act(actions);
        for (std::size_t i = 0; i < answers.size(); ++i) {
            ASSERT_TRUE(answers[i]) << i;
            if (i == bad) {
                ASSERT_FALSE(*answers[i]) << "the bad one was taken";
                EXPECT_EQ(answers[i]->error().error_class, ErrorClass::invalid) << answers[i]->error().message;
            } else {
                EXPECT_TRUE(*answers[i]) << (*answers[i] ? "" : answers[i]->error().message);
            }
        }
        settle();
        if (given.settle) reach(objects);
        for (const auto& object : objects) EXPECT_TRUE(visitor.ready(object));
        reach(objects, true);
        EXPECT_TRUE(A::marked(visitor.see()).empty());
    }
}

}  // namespace ocim::test
