#include "driver_test.hpp"

#include <set>

namespace ocim::test {
namespace {

class CompositeTest : public DriverTest {
protected:
    void library(const std::string& spec) {
        server_.put(
            json("{'apiVersion':'test.opencraft.com/v1','kind':'Library','metadata':{'namespace':'ns',"
                 "'name':'town'},'spec':" +
                 spec + "}"));
    }
    void change(const std::string& patch) { server_.merge("Library", "ns", "town", patch); }
    const api::Json* town() const { return server_.get("Library", "ns", "town"); }
    std::string key() const {
        const auto* secret = server_.get("Secret", "ns", "town-key");
        return secret ? std::string(api::find_text(*secret, {"data", "key"})) : "none";
    }
};

TEST_F(CompositeTest, MakesItsChildrenAndThenNothingMoves) {
    shelf();
    library("{'shelf':'oak','titles':['dune','emma']}");
    start();
    wait(5s);
    EXPECT_EQ(stands(town()), "True Complete");
    EXPECT_EQ(stands("town-dune"), "True Shelved");
    EXPECT_EQ(stands("town-emma"), "True Shelved");
    EXPECT_EQ(key().size(), 28U) << "20 characters in base64";
    EXPECT_EQ(events("Composed"), 1);
    const auto* owner = api::find(*found("town-dune"), {"metadata", "ownerReferences"});
    ASSERT_TRUE(owner);
    EXPECT_EQ(api::find_text(owner->at(0), {"uid"}), api::find_text(*town(), {"metadata", "uid"}));
    EXPECT_EQ(metric("ocim_library_ready", R"(name="town",namespace="ns")"), 1);
    const auto writes = server_.writes();
    wait(300s);
    EXPECT_EQ(server_.writes(), writes);
}

TEST_F(CompositeTest, WhatNobodyRefusedWhenItWasWrittenIsNotTakenOn) {
    shelf();
    library("{'shelf':'oak','titles':['banned']}");
    start();
    wait(5s);
    EXPECT_EQ(stands(town()), "False Stalled InvalidSpec");
    EXPECT_EQ(api::find_text(*runtime::condition(*town(), "Ready"), {"message"}),
              "spec.titles[0]: nobody may read that");
    EXPECT_FALSE(api::find(*town(), {"metadata", "finalizers"}));
    EXPECT_EQ(key(), "none");
    change("{'spec':{'titles':['dune']}}");
    wait(5s);
    EXPECT_EQ(stands(town()), "True Complete");
    change("{'spec':{'titles':['banned']}}");
    wait(5s);
    EXPECT_EQ(stands("town-banned"), "True Shelved") << "what was taken on is its own composition's business";
}

TEST_F(CompositeTest, ItsMetricsAreThereBeforeTheFirstObject) {
    start();
    EXPECT_NE(metrics_->text().find("# TYPE ocim_library_ready gauge\n"), std::string::npos);
    EXPECT_EQ(metrics_->text().find("ocim_library_ready{"), std::string::npos) << "of nobody";
    EXPECT_EQ(metrics_->text().find("ocim_library_phase"), std::string::npos) << "a library has no phase";
}

TEST_F(CompositeTest, PrunesWhatItNoLongerNamesAndNothingElse) {
    shelf();
    library("{'shelf':'oak','titles':['dune','emma']}");
    book("mine");
    start();
    wait(5s);
    change("{'spec':{'titles':['emma']}}");
    wait(15s);
    EXPECT_EQ(stands("town-dune"), "gone");
    EXPECT_EQ(stands("town-emma"), "True Shelved");
    EXPECT_EQ(stands("mine"), "True Shelved");
    EXPECT_EQ(volumes().size(), 2U);
}

TEST_F(CompositeTest, AChildThatWasChangedIsPutRight) {
    shelf();
    library("{'shelf':'oak','titles':['dune']}");
    start();
    wait(5s);
    patch("town-dune", "{'spec':{'title':'changed'}}");
    wait(5s);
    EXPECT_EQ(api::find_text(*found("town-dune"), {"spec", "title"}), "dune");
    server_.remove("Book", "ns", "town-dune");
    wait(15s);
    EXPECT_EQ(stands("town-dune"), "True Shelved");
}

TEST_F(CompositeTest, GeneratedValuesAreDrawnOnceAndNeverAppliedAgain) {
    shelf();
    library("{'shelf':'oak'}");
    start();
    wait(5s);
    const auto drawn = key();
    stop();
    start();
    wait(5s);
    EXPECT_EQ(key(), drawn);
    server_.merge("Secret", "ns", "town-key", "{'data':{'key':'bWluZQ=='}}");
    change("{'spec':{'titles':['dune']}}");
    wait(5s);
    EXPECT_EQ(key(), "bWluZQ==") << "a person may change it";
}

TEST_F(CompositeTest, WaitingDelaysACreationOnly) {
    shelf();
    library("{'shelf':'oak','titles':['dune','emma'],'waitsFor':'dune'}");
    start();
    wait(5s);
    EXPECT_EQ(stands("town-dune"), "gone");
    EXPECT_EQ(stands("town-emma"), "True Shelved");
    change("{'spec':{'waitsFor':'none'}}");
    wait(5s);
    EXPECT_EQ(stands("town-dune"), "True Shelved");
    change("{'spec':{'waitsFor':'dune'}}");
    wait(15s);
    EXPECT_EQ(stands("town-dune"), "True Shelved") << "one that exists stays";
}

TEST_F(CompositeTest, AChoiceIsStoredBeforeTheFirstChild) {
    shelf();
    server_.refuse = [this](const std::string& verb, const api::Json& body) -> std::optional<Error> {
        const bool child = verb == "apply" && api::find_text(body, {"kind"}) == "Book" && !api::find(body, {"status"});
        if (child) { EXPECT_EQ(api::find_text(*town(), {"status", "chosen"}), "oak"); }
        return std::nullopt;
    };
    library("{'shelf':'oak','titles':['dune'],'choose':true}");
    start();
    wait(5s);
    EXPECT_EQ(text("dune"), "oak");
    EXPECT_EQ(stands(town()), "True Complete");
}

TEST_F(CompositeTest, DeletesInStagesAndGoesLast) {
    shelf();
    library("{'shelf':'oak','titles':['dune','emma']}");
    start();
    wait(5s);
    server_.remove("Library", "ns", "town");
    for (int i = 0; i < 30'000 && town(); ++i) {
        wait(1ms);
        if (found("town-dune") || found("town-emma")) {
            ASSERT_NE(key(), "none") << "the key stands as long as a book does";
        }
    }
    EXPECT_FALSE(town());
    EXPECT_EQ(key(), "none");
    EXPECT_TRUE(volumes().empty());
    EXPECT_EQ(metric("ocim_library_ready", R"(name="town",namespace="ns")"), -1) << "the series went with it";
}

TEST_F(CompositeTest, WhatIsRetainedOutlivesItAndIsAdoptedAgain) {
    shelf();
    library("{'shelf':'oak','titles':['dune'],'retainKey':true}");
    start();
    wait(5s);
    const auto drawn = key();
    EXPECT_FALSE(api::find(*server_.get("Secret", "ns", "town-key"), {"metadata", "ownerReferences"}));
    server_.remove("Library", "ns", "town");
    wait(15s);
    EXPECT_FALSE(town());
    EXPECT_EQ(key(), drawn);
    library("{'shelf':'oak','titles':['dune'],'retainKey':true}");
    wait(5s);
    EXPECT_EQ(stands(town()), "True Complete");
    EXPECT_EQ(key(), drawn) << "adopted, not drawn anew";
    change("{'spec':{'retainKey':false}}");
    wait(5s);
    server_.remove("Library", "ns", "town");
    wait(15s);
    EXPECT_FALSE(town());
    EXPECT_EQ(key(), "none") << "no longer to be retained";
}

TEST_F(CompositeTest, AbandonedItLetsGoWithAllThatItMade) {
    shelf();
    library("{'shelf':'oak','titles':['dune','emma']}");
    start();
    wait(5s);
    const auto drawn = key();
    ASSERT_EQ(volumes().size(), 2U);
    oak().down = true;
    change("{'metadata':{'annotations':{'ocim.opencraft.com/abandon':'true'}}}");
    wait(5s);
    EXPECT_TRUE(town() && found("town-dune")) << "without being deleted it means nothing";
    server_.remove("Library", "ns", "town");
    wait(5s);
    EXPECT_FALSE(town());
    EXPECT_FALSE(found("town-dune") || found("town-emma")) << "with their owner, and the shelf is not asked";
    EXPECT_EQ(events("Abandoned"), 3);
    EXPECT_EQ(metric("ocim_abandoned_total", R"(kind="book")"), 2);
    oak().down = false;
    wait(60s);
    EXPECT_EQ(volumes().size(), 2U) << "what is there stays there";
    EXPECT_EQ(key(), drawn) << "and what is needed to use it";
    EXPECT_EQ(api::find_text(*server_.get("Secret", "ns", "town-key"), {"metadata", "ownerReferences"}), "");
    library("{'shelf':'oak','titles':[]}");
    wait(5s);
    EXPECT_EQ(stands(town()), "True Complete") << "it is taken over by the next of that name";
    EXPECT_EQ(key(), drawn);
}

TEST_F(CompositeTest, WhoeverCannotLetGoOfAllDoesNotGo) {
    shelf();
    library("{'shelf':'oak','titles':['dune','emma']}");
    start();
    wait(5s);
    bool refused = true;
    server_.refuse = [&](const std::string& verb, const api::Json& object) -> std::optional<Error> {
        const bool hit = refused && verb == "delete" && object == "town-emma";
        if (hit) return Error{ErrorClass::transient, "not now"};
        return std::nullopt;
    };
    change("{'metadata':{'annotations':{'ocim.opencraft.com/abandon':'true'}}}");
    server_.remove("Library", "ns", "town");
    wait(30s);
    EXPECT_TRUE(town()) << "alone, that one would be collected, and would clean up";
    refused = false;
    wait(5min);
    EXPECT_FALSE(town() || found("town-emma"));
    EXPECT_EQ(volumes().size(), 2U);
    EXPECT_EQ(metric("ocim_abandoned_total", R"(kind="library")"), 1) << "it is counted once";
}

TEST_F(CompositeTest, ASecretThatAPersonBroughtIsTakenOverAsItIs) {
    for (const bool retained : {false, true}) {
        SCOPED_TRACE(retained);
        shelf();
        server_.put(
            json("{'apiVersion':'v1','kind':'Secret','metadata':{'namespace':'ns','name':'town-key'},"
                 "'data':{'key':'bWluZQ=='}}"));
        library(std::string("{'shelf':'oak','titles':['dune'],'adoptKey':true,'retainKey':") +
                (retained ? "true}" : "false}"));
        start();
        wait(5s);
        EXPECT_EQ(stands(town()), "True Complete");
        EXPECT_EQ(key(), "bWluZQ==");
        server_.remove("Library", "ns", "town");
        wait(15s);
        EXPECT_EQ(key(), retained ? "bWluZQ==" : "none") << "it is its own now";
        const auto* secret = server_.get("Secret", "ns", "town-key");
        EXPECT_EQ(secret && api::find(*secret, {"metadata", "annotations", "ocim.opencraft.com/retained-by"}),
                  retained);
        stop();
        if (retained) server_.remove("Secret", "ns", "town-key");
    }
}

TEST_F(CompositeTest, WhatIsInAnotherNamespaceIsNeverItsChild) {
    server_.put(json(
        "{'apiVersion':'test.opencraft.com/v1','kind':'Book','metadata':{'namespace':'an-other','name':'town-dune',"
        "'annotations':{'ocim.opencraft.com/retained-by':'library/ns/town'}},"
        "'spec':{'shelf':'oak','title':'theirs'}}"));
    shelf();
    library("{'shelf':'oak','titles':['dune']}");
    start();
    wait(5s);
    server_.remove("Library", "ns", "town");
    wait(15s);
    EXPECT_FALSE(town()) << "or it would wait for a book that only claims to be its own";
    EXPECT_TRUE(server_.get("Book", "an-other", "town-dune"));
}

TEST_F(CompositeTest, WhatItMakesForItselfIsWorthAnotherVisit) {
    shelf();
    // as a crash left it: what was chosen is stored, what follows from it is not
    server_.put(
        json("{'apiVersion':'test.opencraft.com/v1','kind':'Library','metadata':{'namespace':'ns','name':'town'},"
             "'spec':{'shelf':'oak','titles':['dune'],'readKey':true},'status':{'chosen':''}}"));
    start();
    wait(5s);
    EXPECT_EQ(stands(town()), "True Complete");
    EXPECT_EQ(stands("town-dune"), "True Shelved");
}

TEST_F(CompositeTest, APersonsObjectOfTheSameNameIsLeftAlone) {
    shelf();
    book("town-dune", "'title':'theirs'");
    library("{'shelf':'oak','titles':['dune','emma']}");
    start();
    wait(5s);
    EXPECT_EQ(stands(town()), "False Stalled NotOwned");
    EXPECT_EQ(api::find_text(*found("town-dune"), {"spec", "title"}), "theirs");
    EXPECT_EQ(stands("town-emma"), "True Shelved") << "its neighbours are made";
    server_.remove("Library", "ns", "town");
    wait(15s);
    EXPECT_EQ(stands("town-dune"), "True Shelved");
    EXPECT_FALSE(town());
}

TEST_F(CompositeTest, WithoutWhatItNeedsNothingIsComposedOrPruned) {
    server_.put(json("{'apiVersion':'v1','kind':'ConfigMap','metadata':{'namespace':'ns','name':'plan'}}"));
    shelf();
    library("{'shelf':'oak','titles':['dune'],'needs':'plan'}");
    start();
    wait(5s);
    ASSERT_EQ(stands(town()), "True Complete");
    server_.remove("ConfigMap", "ns", "plan");
    change("{'spec':{'titles':[]}}");
    wait(15s);
    EXPECT_EQ(stands(town()), "False Reconciling DependencyNotReady");
    EXPECT_EQ(stands("town-dune"), "True Shelved");
    server_.remove("Library", "ns", "town");
    wait(15s);
    EXPECT_FALSE(town()) << "but it can be deleted";
}

TEST_F(CompositeTest, ARefusedChildIsNamedAndItsNeighboursAreMade) {
    server_.refuse = [](const std::string& verb, const api::Json& body) -> std::optional<Error> {
        if (verb == "apply" && api::find_text(body, {"metadata", "name"}) == "town-dune")
            return Error{ErrorClass::invalid, "spec.title: Invalid value"};
        return std::nullopt;
    };
    shelf();
    library("{'shelf':'oak','titles':['dune','emma']}");
    start();
    wait(5s);
    EXPECT_EQ(stands(town()), "False Stalled ChildRefused");
    EXPECT_NE(
        std::string(api::find_text(*runtime::condition(*town(), "Ready"), {"message"})).find("Book \"town-dune\""),
        std::string::npos);
    EXPECT_EQ(stands("town-emma"), "True Shelved");
}

/// Every step of a whole life fails once, then in the next run the step after it.
TEST_F(CompositeTest, EveryWriteMayFailOnce) {
    shelf();
    start();
    int step = 0, left = 0;
    bool met = true;
    server_.refuse = [&](const std::string& verb, const api::Json&) -> std::optional<Error> {
        if (verb == "create" || left-- != 0) return std::nullopt;  // events are best effort
        met = true;
        return Error{ErrorClass::transient, "the store has failed"};
    };
    for (; met; ++step) {
        met = false;
        left = step;
        library("{'shelf':'oak','titles':['dune','emma'],'choose':true}");
        wait(20s);
        ASSERT_EQ(stands(town()), "True Complete") << "step " << step;
        ASSERT_EQ(text("dune"), "oak") << "step " << step;
        server_.remove("Library", "ns", "town");
        wait(40s);
        ASSERT_FALSE(town()) << "step " << step;
        ASSERT_EQ(key(), "none") << "step " << step;
        ASSERT_TRUE(volumes().empty()) << "step " << step;
    }
    EXPECT_GT(step, 12) << "the sweep has met every write";
}

TEST_F(CompositeTest, PausedNothingOfItIsChanged) {
    shelf();
    library("{'shelf':'oak','titles':['dune']}");
    start();
    wait(5s);
    change("{'metadata':{'annotations':{'ocim.opencraft.com/paused':'true'}},'spec':{'titles':['emma']}}");
    wait(15s);
    EXPECT_EQ(stands("town-dune"), "True Shelved");
    EXPECT_EQ(stands("town-emma"), "gone");
    EXPECT_EQ(stands(town()), "True Paused Complete");
    change("{'metadata':{'annotations':{'ocim.opencraft.com/paused':null}}}");
    wait(15s);
    EXPECT_EQ(stands("town-dune"), "gone");
    EXPECT_EQ(stands("town-emma"), "True Shelved");
}

TEST_F(CompositeTest, AfterARestartNothingMoves) {
    shelf();
    library("{'shelf':'oak','titles':['dune','emma']}");
    start();
    wait(5s);
    stop();
    const auto writes = server_.writes();
    start();
    wait(60s);
    EXPECT_EQ(server_.writes(), writes);
    EXPECT_EQ(stands(town()), "True Complete");
}

}  // namespace
}  // namespace ocim::test
