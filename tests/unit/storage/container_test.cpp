#include "storage/container.hpp"
#include "storage/rounds.hpp"
#include "unit/storage/sample.hpp"

#include <gtest/gtest.h>

namespace ocim::storage {
namespace {

using Spec = crd::StorageContainer::Spec;

runtime::Inputs inputs() {
    runtime::Inputs out;
    out.installation = "lab";
    return out;
}

Thing ours(const crd::StorageContainer& object) { return Container::diff(object, inputs(), {}).at(0).thing; }

TEST(Container, IsMadeChangedAndLeftAlone) {
    const auto object = test::container();
    const Key key{object.spec.container};
    auto good = ours(object);
    struct {
        const char* reason;
        std::optional<Thing> there;
        bool acts;
        const char* says;
    } cases[] = {
        {"nothing there", std::nullopt, true, "OutOfSync"},
        {"as declared", good, false, "InSync"},
        {"access changed", good, true, "OutOfSync"},
        {"something strange", good, true, "OutOfSync"},
        {"no mark", Thing(), false, "NotOwned"},
        {"another installation's", good, false, "NotOwned"},
        {"another object's", good, false, "NotOwned"},
        {"retained by its forerunner", good, true, "OutOfSync"},
        {"locked", Thing(), false, "NotOwned"},
    };
    cases[2].there->access.everybody = Access::Everybody::objects;
    cases[3].there->strange = true;
    cases[5].there->mark->installation = "else";
    cases[6].there->mark = test::mark(2);
    cases[7].there->mark->uid = "older";
    cases[7].there->mark->retained = true;
    cases[8].there->locked = true;
    for (const auto& c : cases) {
        SCOPED_TRACE(c.reason);
        Snapshot seen;
        if (c.there) seen[key] = *c.there;
        EXPECT_EQ(!Container::diff(object, inputs(), seen).empty(), c.acts);
        EXPECT_EQ(Container::report(object, inputs(), seen).verdict.reason, c.says);
    }
    auto adopting = object;
    adopting.spec.adoption_policy = Spec::AdoptionPolicy::adopt;
    EXPECT_EQ(Container::diff(adopting, inputs(), {{key, Thing()}}).size(), 1U);
    EXPECT_TRUE(Container::diff(adopting, inputs(), {{key, *cases[8].there}}).empty()) << "what is locked stays so";
    EXPECT_TRUE(Container::diff(adopting, inputs(), {{key, *cases[5].there}}).empty()) << "somebody holds it";
}

TEST(Container, GoesOrIsRetained) {
    auto object = test::container();
    const Key key{object.spec.container};
    Snapshot seen{{key, ours(object)}, {Key{"theirs"}, Thing()}};
    auto actions = Container::remove(object, "lab", seen);
    ASSERT_EQ(actions.size(), 1U);
    EXPECT_EQ(actions[0].verb, Action::Verb::delete_);
    EXPECT_FALSE(actions[0].empty) << "what is in it goes on request only";
    object.spec.empty_on_delete = true;
    EXPECT_TRUE(Container::remove(object, "lab", seen).at(0).empty);
    EXPECT_EQ(Container::describe(Container::remove(object, "lab", seen).at(0)),
              "delete container campus-site1 with all that is in it");
    object.spec.deletion_policy = Spec::DeletionPolicy::retain;
    actions = Container::remove(object, "lab", seen);
    ASSERT_EQ(actions.size(), 1U);
    EXPECT_EQ(actions[0].verb, Action::Verb::put);
    EXPECT_TRUE(actions[0].thing.mark->retained);
    seen[key] = actions[0].thing;
    EXPECT_TRUE(Container::remove(object, "lab", seen).empty());
    EXPECT_EQ(Container::admit(object, nullptr, inputs()).size(), 1U) << "emptied and retained at once";
    EXPECT_EQ(crd::StorageContainer().spec.deletion_policy, Spec::DeletionPolicy::retain) << "the default";
}

TEST(Container, WhatCannotBeLookedAtIsNeitherMadeNorLetGo) {
    const auto object = test::container();
    const Key key{object.spec.container};
    auto known = ours(object);
    known.unseen = "status 500";
    Thing never;
    never.unseen = "status 500";
    for (const auto& thing : {known, never}) {
        const Snapshot seen{{key, thing}, {Key{"theirs"}, never}};
        EXPECT_TRUE(Container::diff(object, inputs(), seen).empty());
        const auto verdict = Container::report(object, inputs(), seen).verdict;
        EXPECT_EQ(verdict.state, runtime::Verdict::State::progressing);
        EXPECT_NE(verdict.message.find("status 500"), std::string::npos);
        const auto actions = Container::remove(object, "lab", seen);
        ASSERT_EQ(actions.size(), 1U) << "nothing to do would let the object go";
        EXPECT_EQ(actions[0].verb, Action::Verb::look);
    }
    EXPECT_EQ(Container::marked({{key, known}}).size(), 1U) << "it is not lost meanwhile";
}

TEST(StillWanted, IsTheLastLookBeforeAWrite) {
    const auto object = test::container();
    auto action = Container::diff(object, inputs(), {}).at(0);
    const auto good = action.thing;
    auto stranger = good;
    stranger.mark.reset();
    auto changed = good;
    changed.versioning = true;
    EXPECT_TRUE(*still_wanted(action, nullptr));
    EXPECT_FALSE(*still_wanted(action, &good)) << "it is done";
    EXPECT_TRUE(*still_wanted(action, &changed));
    EXPECT_FALSE(still_wanted(action, &stranger)) << "made by somebody meanwhile";
    action.adopt = true;
    EXPECT_TRUE(still_wanted(action, &stranger));
    action.fresh = false;
    EXPECT_FALSE(still_wanted(action, nullptr)) << "gone meanwhile";
    action.verb = Action::Verb::delete_;
    EXPECT_FALSE(*still_wanted(action, nullptr));
    EXPECT_FALSE(still_wanted(action, &stranger)) << "adopting is not deleting";
}

using Names = std::vector<std::string>;

TEST(Rounds, AskForWhatIsNewAndGoTheRoundsAmongTheRest) {
    Rounds rounds(1);
    std::map<std::string, std::string> listed{{"a", "1"}, {"b", "1"}, {"c", "1"}};
    EXPECT_EQ(rounds.due(listed), (Names{"a", "b", "c"})) << "all are new";
    for (const auto* name : {"a", "b", "c"}) rounds.looked(name, Thing(), rounds.now());
    EXPECT_EQ(rounds.due(listed), Names{"a"}) << "its turn was longest ago";
    rounds.looked("a", Thing(), rounds.now());
    EXPECT_EQ(rounds.due(listed), Names{"b"});
    listed["c"] = "2";
    EXPECT_EQ(rounds.due(listed), (Names{"c", "b"})) << "somebody made it anew";
    rounds.looked("c", Thing(), rounds.now());
    listed.erase("a");
    EXPECT_EQ(rounds.due(listed), (Names{"a", "b"})) << "a listing may lag";
    rounds.looked("a", std::nullopt, rounds.now());
    EXPECT_EQ(rounds.due(listed), Names{"b"}) << "it is gone";
    EXPECT_EQ(rounds.all().size(), 2U);
}

TEST(Rounds, WhatCouldNotBeLookedAtIsAskedForAgain) {
    Rounds rounds(0);
    const std::map<std::string, std::string> listed{{"a", "1"}, {"b", "1"}};
    (void)rounds.due(listed);
    Thing known;
    known.mark = test::mark();
    rounds.looked("a", known, rounds.now());
    rounds.looked("b", Thing(), rounds.now());
    rounds.unseen("a", "status 500", rounds.now());
    EXPECT_EQ(rounds.all().at(Key{"a"}).unseen, "status 500");
    EXPECT_EQ(rounds.all().at(Key{"a"}).mark, known.mark);
    EXPECT_EQ(rounds.due(listed), Names{"a"});
    rounds.looked("a", known, rounds.now());
    EXPECT_EQ(rounds.all().at(Key{"a"}), known);
}

TEST(Rounds, WhatIsLockedIsAnothersOnlyWhereOurListingHasItNot) {
    Rounds rounds(0);
    const std::map<std::string, std::string> listed{{"ours", "1"}, {"never-seen", "1"}};
    (void)rounds.due(listed);
    Thing known, locked;
    known.mark = test::mark();
    locked.locked = true;
    rounds.looked("ours", known, rounds.now());
    for (const auto* name : {"ours", "never-seen", "theirs"}) rounds.looked(name, locked, rounds.now());
    const auto seen = rounds.all();
    EXPECT_FALSE(seen.at(Key{"ours"}).unseen.empty());
    EXPECT_EQ(seen.at(Key{"ours"}).mark, known.mark) << "what is known of it stays";
    EXPECT_FALSE(seen.at(Key{"never-seen"}).unseen.empty());
    EXPECT_EQ(seen.at(Key{"theirs"}), locked);
    EXPECT_EQ(rounds.due(listed), (Names{"ours", "theirs"})) << "ours is asked for until it shows";
    rounds.looked("ours", known, rounds.now());
    EXPECT_EQ(rounds.all().at(Key{"ours"}), known);
}

TEST(Rounds, WhatWeDidIsNotUndoneByAnOlderLook) {
    Rounds rounds(0);
    const std::map<std::string, std::string> listed{{"a", "1"}};
    EXPECT_EQ(rounds.due(listed), Names{"a"});
    const auto began = rounds.now();
    Thing wanted;
    wanted.versioning = true;
    rounds.touch("a");
    rounds.made("a", wanted);
    rounds.looked("a", Thing(), began);
    EXPECT_EQ(rounds.all().at(Key{"a"}), wanted);
    EXPECT_TRUE(rounds.due(listed).empty()) << "its stamp is learned";
    rounds.touch("a");
    EXPECT_EQ(rounds.due(listed), Names{"a"}) << "nobody knows what came of it";
    rounds.made("a", std::nullopt);
    EXPECT_EQ(rounds.due(listed), Names{"a"}) << "it is listed and should not be there";
    EXPECT_TRUE(rounds.all().empty());
}

}  // namespace
}  // namespace ocim::storage
