#include "gitops/source.hpp"

#include "gitops/plan.hpp"

#include <gtest/gtest.h>

namespace ocim::gitops {
namespace {

using runtime::Verdict;
using Texts = std::vector<std::string>;

constexpr auto api_version = "ocim.opencraft.com/v1alpha1";

/// A GitSource, and what was seen of its repository and of the API.
class Deciding : public testing::Test {
protected:
    Deciding() {
        source.metadata.name = "fleet";
        source.metadata.namespace_ = "campus";
        source.spec.repository = "ssh://git@git.example.com/fleet.git";
        source.status.commit = "c1";
        fetched({"c1", "main at c1", "", ""});
    }
    static ObjectId id(const std::string& name, const std::string& kind = "Instance") {
        return {"ocim.opencraft.com", kind, "campus", name};
    }
    void fetched(Fetched what) { seen[ObjectId{}].fetched = std::move(what); }
    /// The commit has it, and it is not there yet.
    Thing& wanted(const std::string& name, const std::string& kind = "Instance") {
        auto& thing = seen[id(name, kind)];
        thing.api_version = api_version;
        thing.wanted = Manifest{api_version, id(name, kind), {}, name + ".yaml", 1};
        thing.differs = true;
        return thing;
    }
    /// It is in the API, as we applied it, and healthy.
    Thing& there(const std::string& name, const std::string& kind = "Instance") {
        auto& thing = seen[id(name, kind)];
        thing.api_version = api_version;
        thing.exists = thing.ours = true;
        thing.differs = false;
        thing.uid = "uid-" + name;
        return thing;
    }
    /// The commit is not empty.
    void something_stays() {
        noted({"stays"});
        wanted("stays");
        there("stays");
    }
    void gone(const std::string& name) { seen[id(name)] = Thing{.api_version = api_version}; }
    void noted(const Texts& names, const std::string& kind = "Instance") {
        for (const auto& name : names) source.status.inventory.push_back({api_version, kind, "campus", name});
    }
    Texts actions() const {
        Texts out;
        for (const auto& action : Sources::diff(source, inputs, seen)) out.push_back(Sources::describe(action));
        return out;
    }
    runtime::Report<crd::GitSource> report() const { return Sources::report(source, inputs, seen); }
    Texts inventory() const {
        Texts out;
        for (const auto& entry : report().status.inventory) out.push_back(entry.name);
        return out;
    }
    void confirm(const std::string& word) { source.metadata.annotations[std::string(confirm_annotation)] = word; }
    std::string word() const { return plan_of(source, seen).confirmation; }
    std::string reason() const { return report().verdict.reason; }

    crd::GitSource source;
    runtime::Inputs inputs;
    Snapshot seen;
};

TEST_F(Deciding, NothingIsAppliedBeforeItIsInTheStoredInventory) {
    wanted("a");
    EXPECT_EQ(actions(), Texts{});
    const auto said = report();
    EXPECT_EQ(inventory(), Texts{"a"});
    EXPECT_TRUE(said.look_again);
    source.status = said.status;
    EXPECT_EQ(actions(), Texts{"apply Instance campus/a of a.yaml"});
    EXPECT_FALSE(report().status.applied_commit) << "it is not applied yet";
}

TEST_F(Deciding, ANewCommitIsNotedBeforeAnythingOfItIsDone) {
    noted({"a", "old"});
    wanted("a");
    there("old");
    fetched({"c2", "main at c2", "", ""});
    EXPECT_EQ(actions(), Texts{});
    EXPECT_EQ(report().status.commit, "c2");
    EXPECT_EQ(report().verdict.state, Verdict::State::progressing) << "what it changes is no drift";
    EXPECT_TRUE(report().look_again);
    source.status.commit = "c2";
    EXPECT_EQ(actions(), Texts{"apply Instance campus/a of a.yaml"});
}

TEST_F(Deciding, WhatIsAppliedGoesInOrderAndDeletionsComeLast) {
    noted({"a", "old"});
    noted({"cloud"}, "Cloud");
    wanted("a");
    wanted("cloud", "Cloud");
    there("old");
    EXPECT_EQ(actions(), (Texts{"apply Cloud campus/cloud of cloud.yaml", "apply Instance campus/a of a.yaml"}));
    there("a");
    there("cloud", "Cloud");
    EXPECT_EQ(actions(), Texts{"delete Instance campus/old"});
    EXPECT_EQ(inventory(), (Texts{"cloud", "a", "old"})) << "it is forgotten when it is seen to be gone";
    gone("old");
    EXPECT_EQ(actions(), Texts{});
    EXPECT_EQ(inventory(), (Texts{"cloud", "a"}));
    EXPECT_EQ(report().status.applied_commit, "c1");
    EXPECT_EQ(reason(), "Applied");
    EXPECT_EQ(report().verdict.state, Verdict::State::ready);
}

TEST_F(Deciding, ARenamedFileDeletesNothing) {
    noted({"a"});
    wanted("a").wanted->file = "moved/elsewhere.yaml";
    there("a");
    EXPECT_EQ(actions(), Texts{});
    EXPECT_EQ(inventory(), Texts{"a"});
}

TEST_F(Deciding, OneFaultAndNothingOfTheCommitIsAppliedOrPruned) {
    noted({"a", "old"});
    wanted("a");
    there("old");
    fetched({"c1",
             "main at c1",
             "",
             "",
             false,
             {{"b.yaml", 2, "Instance campus/b", "spec.foo", "unknown field; take it out"}}});
    EXPECT_EQ(actions(), Texts{});
    EXPECT_EQ(inventory(), (Texts{"a", "old"}));
    const auto said = report();
    EXPECT_EQ(said.verdict.state, Verdict::State::stalled);
    EXPECT_EQ(said.verdict.reason, "ManifestsRefused");
    EXPECT_EQ(said.verdict.message,
              "Nothing of main at c1 is applied: b.yaml, document 2, Instance campus/b, spec.foo: unknown "
              "field; take it out");
    ASSERT_EQ(said.status.faults.size(), 1U);
    EXPECT_EQ(said.status.faults[0].document, 2);
    EXPECT_FALSE(said.status.applied_commit);
}

TEST_F(Deciding, ARepositoryThatWasNotFetchedSaysNothingAboutWhatIsThere) {
    noted({"a"});
    there("a");
    struct {
        const char* why;
        Fetched fetched;
    } const cases[] = {{"never", {"", "", "", ""}},
                       {"it cannot be reached", {"", "", "FetchFailed", "nobody answers", true}},
                       {"the branch is not there", {"", "", "BranchNotFound", "no branch main"}}};
    for (const auto& c : cases) {
        fetched(c.fetched);
        EXPECT_EQ(actions(), Texts{}) << c.why;
        EXPECT_EQ(inventory(), Texts{"a"}) << c.why;
        EXPECT_EQ(report().verdict.state, Verdict::State::progressing) << c.why;
        EXPECT_EQ(report().look_again.has_value(), c.fetched.soon) << c.why;
    }
    seen.clear();
    EXPECT_EQ(actions(), Texts{});
    EXPECT_EQ(inventory(), Texts{"a"}) << "what was not looked at may be there";
}

TEST_F(Deciding, TheLastCommitIsKeptUpWhileTheRepositoryCannotBeReached) {
    noted({"a"});
    wanted("a");
    fetched({"c1", "main at c1", "FetchFailed", "nobody answers", true});
    EXPECT_EQ(actions(), Texts{"apply Instance campus/a of a.yaml"});
    there("a");
    EXPECT_EQ(reason(), "FetchFailed");
}

TEST_F(Deciding, MoreDeletionsThanAllowedWaitForAConfirmation) {
    something_stays();
    noted({"a", "b", "c"});
    for (const auto* name : {"a", "b", "c"}) there(name);
    source.spec.max_deletions_per_commit = 2;
    EXPECT_EQ(actions(), Texts{});
    const auto said = report();
    EXPECT_EQ(said.verdict.state, Verdict::State::stalled);
    EXPECT_EQ(said.verdict.reason, "DeletionsNeedConfirmation");
    EXPECT_NE(said.verdict.message.find(
                  "kubectl -n campus annotate gitsource fleet --overwrite ocim.opencraft.com/confirm-deletions=c1/"),
              std::string::npos)
        << said.verdict.message;
    EXPECT_EQ(said.status.pending_deletions.size(), 3U);
    for (const auto* wrong : {"c1", "c0/", "c1/", "c1/0000000000000000"}) {
        confirm(wrong);
        EXPECT_EQ(actions(), Texts{}) << wrong;
        EXPECT_EQ(reason(), "DeletionsNeedConfirmation") << wrong;
    }
    confirm(word());
    EXPECT_EQ(actions(), Texts{}) << "it is stored first";
    source.status = report().status;
    EXPECT_EQ(actions().size(), 3U);
    source.metadata.annotations.clear();
    source.spec.max_deletions_per_commit = 3;
    EXPECT_EQ(actions().size(), 3U);
}

TEST_F(Deciding, AConfirmationHoldsForWhatWasConfirmedUntilAllOfItIsGone) {
    noted({"a", "b", "c", "d", "stays"});
    wanted("stays");
    for (const auto* name : {"a", "b", "c", "d", "stays"}) there(name);
    source.spec.max_deletions_per_commit = 1;
    confirm(word());
    source.status = report().status;
    EXPECT_EQ(actions().size(), 4U);
    gone("a");
    EXPECT_EQ(actions().size(), 3U) << "a program that ended midway goes on";
    seen[id("stays")].wanted.reset();
    EXPECT_EQ(actions(), Texts{}) << "another folder of the same commit has less";
    EXPECT_EQ(reason(), "DeletionsNeedConfirmation");
    source.status = report().status;
    wanted("stays");
    there("stays");
    EXPECT_EQ(actions(), Texts{}) << "it was withdrawn";
}

TEST_F(Deciding, SomeDeletionsAreAlwaysAskedAbout) {
    const auto add = [&](const char* group, const char* kind) {
        const ObjectId it{group, kind, "", "x"};
        const std::string version = *group ? std::string(group) + "/v1" : "v1";
        source.status.inventory.push_back({version, kind, {}, "x"});
        auto& thing = seen[it];
        thing.exists = thing.ours = true;
    };
    noted({"a", "stays"});
    wanted("stays");
    there("stays");
    there("a");
    EXPECT_EQ(actions().size(), 1U);
    seen.erase(id("stays"));
    source.status.inventory.pop_back();
    EXPECT_EQ(reason(), "DeletionsNeedConfirmation") << "the commit has no manifest";
    wanted("stays");
    there("stays");
    noted({"stays"});
    EXPECT_EQ(actions().size(), 1U);
    const auto before = source.status.inventory;
    add("", "Namespace");
    EXPECT_EQ(actions(), Texts{}) << "all that is in the namespace goes with it";
    source.status.inventory = before;
    EXPECT_EQ(actions().size(), 1U);
    add("apiextensions.k8s.io", "CustomResourceDefinition");
    EXPECT_EQ(actions(), Texts{}) << "all objects of the kind go with it";
}

TEST_F(Deciding, WhatCannotBeLookedAtCountsAsADeletion) {
    noted({"a", "b", "stays"});
    wanted("stays");
    there("stays");
    there("a");
    there("b");
    source.spec.max_deletions_per_commit = 1;
    EXPECT_EQ(actions(), Texts{});
    const auto asked = word();
    seen[id("b")] = Thing{.api_version = api_version, .unknown = "forbidden"};
    EXPECT_EQ(actions(), Texts{});
    EXPECT_EQ(word(), asked);
    EXPECT_EQ(report().status.pending_deletions.size(), 2U);
}

TEST_F(Deciding, TheSameObjectUnderAnotherGroupIsNotDeleted) {
    noted({"a"});
    source.status.inventory.push_back({"old.example.com/v1", "Instance", "campus", "a"});
    wanted("a");
    there("a");
    auto& other = seen[ObjectId{"old.example.com", "Instance", "campus", "a"}];
    other.exists = other.ours = true;
    other.uid = "uid-a";
    EXPECT_EQ(actions(), Texts{});
    EXPECT_EQ(inventory(), Texts{"a"});
    EXPECT_EQ(reason(), "Applied");
    other.uid = "uid-b";
    EXPECT_EQ(actions(), Texts{"delete Instance campus/a"});
}

TEST_F(Deciding, WhatNeedsSomebodyIsStalled) {
    for (const auto* why :
         {"AuthenticationFailed", "NotFound", "InvalidRepository", "SecretNotFound", "SignatureRefused"}) {
        fetched({"", "", why, "mend it"});
        EXPECT_EQ(report().verdict.state, Verdict::State::stalled) << why;
        EXPECT_EQ(reason(), why);
        fetched({"c1", "main at c1", why, "mend it"});
        EXPECT_EQ(report().verdict.state, Verdict::State::stalled) << why << ", with a commit of before";
    }
    for (const auto* why : {"FetchFailed", "RateLimited"}) {
        fetched({"", "", why, "wait", true});
        EXPECT_EQ(report().verdict.state, Verdict::State::progressing) << why;
    }
}

TEST_F(Deciding, OfANewCommitNothingIsAppliedBeforeAllOfItCouldBeTried) {
    something_stays();
    noted({"a", "b", "old"});
    wanted("a");
    auto& unseen = wanted("b");
    unseen.differs = false;
    unseen.untried = unseen.unknown = "no answer";
    there("old");
    EXPECT_EQ(actions(), Texts{});
    EXPECT_EQ(reason(), "CannotLook");
    EXPECT_EQ(report().verdict.state, Verdict::State::progressing);
    EXPECT_EQ(
        report().verdict.message,
        "Nothing of main at c1 is applied before all of it could be tried: Instance campus/b: no answer. They are "
        "looked at again.");
    EXPECT_TRUE(report().look_again);
    EXPECT_FALSE(report().status.applied_commit);

    source.status.applied_commit = "c1";
    EXPECT_EQ(actions(), Texts{"apply Instance campus/a of a.yaml"}) << "what was changed by hand is put right";
    there("a");
    EXPECT_EQ(actions(), Texts{}) << "nothing is pruned meanwhile";
    EXPECT_EQ(reason(), "CannotLook");
    EXPECT_NE(report().verdict.message.find("how these stand: Instance campus/b: no answer"), std::string::npos);
    unseen.untried = unseen.unknown = "";
    there("b");
    EXPECT_EQ(actions(), Texts{"delete Instance campus/old"});
}

TEST_F(Deciding, SaysWhoSignedWhatItFetched) {
    fetched({"c1", "main at c1", "", "", false, {}, "ada@example.com"});
    source.status = report().status;
    EXPECT_EQ(source.status.signed_by, "ada@example.com");
    fetched({"", "", "FetchFailed", "nobody answers", true});
    EXPECT_EQ(report().status.signed_by, "ada@example.com") << "the commit is the same";
    fetched({"c1", "main at c1", "", ""});
    EXPECT_EQ(report().status.signed_by, std::nullopt) << "nobody asks any more";
}

TEST_F(Deciding, DeletionsThatAreHeldUpDoNotHoldUpTheRest) {
    noted({"a", "b", "new"});
    there("a");
    there("b");
    wanted("new");
    source.spec.max_deletions_per_commit = 0;
    EXPECT_EQ(actions(), Texts{"apply Instance campus/new of new.yaml"});
}

TEST_F(Deciding, WhatIsNotToBePrunedStays) {
    something_stays();
    noted({"a"});
    auto& thing = there("a");
    struct {
        const char* why;
        std::function<void()> set, back;
        bool stays_noted;
    } const cases[] = {
        {"it says so", [&] { thing.kept = true; }, [&] { thing.kept = false; }, true},
        {"the source says so", [&] { source.spec.prune = false; }, [&] { source.spec.prune = true; }, true},
        {"somebody else took it over", [&] { thing.ours = false; }, [&] { thing.ours = true; }, false},
        {"it could not be looked at", [&] { thing.unknown = "forbidden"; }, [&] { thing.unknown = ""; }, true},
        {"nothing is done", [&] { source.spec.suspend = true; }, [&] { source.spec.suspend = false; }, true},
        {"it is going already", [&] { thing.health.state = Health::State::terminating; },
         [&] { thing.health.state = Health::State::current; }, true},
    };
    for (const auto& c : cases) {
        EXPECT_EQ(actions().size(), 1U) << "before: " << c.why;
        c.set();
        EXPECT_EQ(actions(), Texts{}) << c.why;
        EXPECT_EQ(inventory().size(), c.stays_noted ? 2U : 1U) << c.why;
        c.back();
    }
}

TEST_F(Deciding, WhatNobodyLookedAtInThisRunIsLookedAtByWhoeverDeletesIt) {
    something_stays();
    noted({"a"});
    ASSERT_EQ(Sources::diff(source, inputs, seen).size(), 1U);
    EXPECT_EQ(Sources::diff(source, inputs, seen)[0].uid, "");
    EXPECT_EQ(inventory(), (Texts{"a", "stays"}));
}

TEST_F(Deciding, WhatNeedsAnotherOfTheSameCommitWaitsAndNothingIsPrunedMeanwhile) {
    noted({"crd", "w", "old"});
    wanted("crd", "Cloud");
    noted({"crd"}, "Cloud");
    auto& widget = wanted("w");
    widget.deferred = true;
    there("old");
    EXPECT_EQ(actions(), Texts{"apply Cloud campus/crd of crd.yaml"});
    there("crd", "Cloud");
    EXPECT_EQ(actions(), Texts{});
    EXPECT_EQ(reason(), "WaitingForKinds");
    EXPECT_FALSE(report().status.applied_commit);
}

TEST_F(Deciding, IsReadyWhenWhatItAppliedIs) {
    noted({"a", "fleet"});
    wanted("a");
    there("a").health = {Health::State::in_progress, "Progressing: booting"};
    EXPECT_EQ(reason(), "HealthCheckPending");
    EXPECT_EQ(report().status.unhealthy, Texts{"Instance campus/a: Progressing: booting"});
    EXPECT_TRUE(report().look_again);
    EXPECT_EQ(report().status.applied_commit, "c1");
    there("a").health.state = Health::State::failed;
    EXPECT_EQ(reason(), "HealthCheckFailed");
    there("a").health = {};
    wanted("fleet", "GitSource");
    there("fleet", "GitSource").health.state = Health::State::in_progress;
    noted({"fleet"}, "GitSource");
    EXPECT_EQ(reason(), "Applied") << "it does not wait for itself";
}

TEST_F(Deciding, DeletionTakesEverythingInReverseOrderOrNothing) {
    noted({"a"});
    noted({"cloud"}, "Cloud");
    wanted("a");
    there("a");
    there("cloud", "Cloud");
    source.spec.max_deletions_per_commit = 0;
    Texts removed;
    for (const auto& action : Sources::remove(source, "", seen)) removed.push_back(Sources::describe(action));
    EXPECT_EQ(removed, (Texts{"delete Instance campus/a", "delete Cloud campus/cloud"}));
    there("a").health.state = Health::State::terminating;
    EXPECT_EQ(Sources::remove(source, "", seen).size(), 1U);
    EXPECT_TRUE(Sources::going(source, "", seen));
    source.spec.prune = false;
    EXPECT_TRUE(Sources::remove(source, "", seen).empty());
    EXPECT_FALSE(Sources::going(source, "", seen));
    source.spec.prune = source.spec.suspend = true;
    EXPECT_TRUE(Sources::remove(source, "", seen).empty()) << "suspended: nothing is pruned";
    EXPECT_FALSE(Sources::going(source, "", seen));
}

TEST_F(Deciding, DeletionDoesNotEndBeforeWhatCannotBeLookedAt) {
    noted({"a", "b"});
    wanted("b");
    there("b").unknown = "forbidden";
    seen[id("a")] = Thing{.api_version = api_version, .unknown = "forbidden"};
    const auto tried = Sources::remove(source, "", seen);
    ASSERT_EQ(tried.size(), 2U) << "which looks again, and says why not";
    EXPECT_TRUE(tried[0].last && tried[0].uid.empty());
    EXPECT_TRUE(Sources::going(source, "", seen));
}

}  // namespace
}  // namespace ocim::gitops
