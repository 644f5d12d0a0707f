#include "driver_test.hpp"

namespace ocim::test {
namespace {

class ExternalTest : public DriverTest {};

TEST_F(ExternalTest, MakesWhatIsDeclaredAndThenNothingMoves) {
    shelf();
    book("dune");
    start();
    wait(5s);
    EXPECT_EQ(stands("dune"), "True Shelved");
    EXPECT_EQ(text("dune"), "once");
    EXPECT_EQ(shelf_stands(), "True Reachable");
    EXPECT_EQ(events("Created"), 1);
    const auto writes = server_.writes();
    const int acts = oak().calls["act"];
    wait(200s);
    EXPECT_EQ(server_.writes(), writes) << "no write without a change";
    EXPECT_EQ(oak().calls["act"], acts);
    EXPECT_GE(oak().calls["observe"], 3) << "but it is looked after";
}

TEST_F(ExternalTest, WhatNeverFailedIsCountedFromTheStart) {
    start();
    for (const auto* call : {"probe", "observe", "act"})
        for (const auto* result : {"success", "auth", "unreachable"})
            EXPECT_EQ(metric("ocim_backend_calls_total",
                             std::string("call=\"") + call + R"(",kind="Shelf",result=")" + result + "\""),
                      0)
                << call << ": the first " << result << " is to be an increase";
}

TEST_F(ExternalTest, AChangeOfTheSpecIsCarriedOutAtOnce) {
    shelf();
    book("dune");
    start();
    wait(5s);
    patch("dune", "{'spec':{'text':'twice'}}");
    wait(500ms);
    EXPECT_EQ(text("dune"), "twice");
    EXPECT_EQ(stands("dune"), "True Shelved");
    EXPECT_EQ(api::find_text(*found("dune"), {"status", "shelved"}), "twice");
}

TEST_F(ExternalTest, TheFinalizerIsThereBeforeTheFirstEffectAndGoesAfterTheLast) {
    shelf();
    start();
    book("dune");
    for (int i = 0; i < 500; ++i) {
        wait(1ms);
        if (volumes().contains("dune")) {
            ASSERT_FALSE(api::find(*found("dune"), {"metadata", "finalizers"}) == nullptr);
        }
    }
    ASSERT_TRUE(volumes().contains("dune"));
    server_.remove("Book", "ns", "dune");
    for (int i = 0; i < 15'000 && found("dune"); ++i) {
        wait(1ms);
        if (!found("dune")) { EXPECT_FALSE(volumes().contains("dune")); }
    }
    EXPECT_EQ(stands("dune"), "gone");
}

TEST_F(ExternalTest, RetainKeepsTheThingAndANewObjectOfTheNameAdoptsIt) {
    shelf();
    start();
    book("dune", "'deletionPolicy':'Retain'");
    wait(5s);
    server_.remove("Book", "ns", "dune");
    wait(5s);
    EXPECT_EQ(stands("dune"), "gone");
    ASSERT_TRUE(volumes().contains("dune"));
    EXPECT_TRUE(volumes()["dune"].mark->retained);
    wait(300s);
    EXPECT_EQ(metric("ocim_orphans", R"(backend="oak",kind="Shelf",user="book")"), 0) << "never an orphan";
    book("dune");
    wait(5s);
    EXPECT_EQ(stands("dune"), "True Shelved");
    EXPECT_FALSE(volumes()["dune"].mark->retained);
}

TEST_F(ExternalTest, AStrangersThingIsLeftAloneAndReported) {
    volumes()["dune"] = {"foreign", std::nullopt};
    shelf();
    book("dune");
    start();
    wait(5s);
    EXPECT_EQ(stands("dune"), "False Stalled NotOwned");
    EXPECT_EQ(metric("ocim_stalled_objects", R"(kind="book")"), 1);
    server_.remove("Book", "ns", "dune");
    wait(15s);
    EXPECT_EQ(stands("dune"), "gone");
    EXPECT_EQ(metric("ocim_stalled_objects", R"(kind="book")"), 0);
    EXPECT_EQ(text("dune"), "foreign");
}

TEST_F(ExternalTest, DriftIsFoundToldCountedAndRepaired) {
    shelf();
    book("dune");
    book("emma");
    start();
    wait(5s);
    volumes()["dune"].text = "scribbled";
    volumes().erase("emma");
    wait(61s);
    EXPECT_EQ(text("dune"), "once");
    EXPECT_EQ(text("emma"), "once");
    EXPECT_EQ(events("DriftDetected"), 2);
    EXPECT_EQ(metric("ocim_drift_total", R"(kind="book")"), 2);
    EXPECT_EQ(stands("dune"), "True Shelved");
}

TEST_F(ExternalTest, DriftIsOnlyReportedWhereThePolicySaysSo) {
    shelf("{'driftPolicy':'Report'}");
    book("dune");
    start();
    wait(5s);
    ASSERT_EQ(stands("dune"), "True Shelved");
    volumes()["dune"].text = "scribbled";
    wait(130s);
    EXPECT_EQ(text("dune"), "scribbled");
    EXPECT_EQ(stands("dune"), "False Stalled Drifted");
    EXPECT_EQ(metric("ocim_drift_total", R"(kind="book")"), 1) << "counted once, not at every look";
    patch("dune", "{'spec':{'text':'new'}}");
    wait(2s);
    EXPECT_EQ(text("dune"), "new") << "what a person declares is carried out";
}

TEST_F(ExternalTest, DriftWhileWeWereDownIsDriftToo) {
    shelf();
    book("dune");
    start();
    wait(5s);
    stop();
    volumes()["dune"].text = "scribbled";
    start();
    wait(5s);
    EXPECT_EQ(text("dune"), "once");
    EXPECT_EQ(metric("ocim_drift_total", R"(kind="book")"), 1);
}

TEST_F(ExternalTest, WhatIsNeededAndNotThereIsACondition) {
    shelf();
    book("dune", "'needs':'preface'");
    start();
    wait(5s);
    EXPECT_EQ(stands("dune"), "False Reconciling DependencyNotReady");
    EXPECT_FALSE(volumes().contains("dune")) << "nobody decided";
    server_.put(
        json("{'apiVersion':'v1','kind':'ConfigMap','metadata':{'namespace':'ns','name':'preface'},"
             "'data':{'text':'!'}}"));
    wait(2s);
    EXPECT_EQ(text("dune"), "once!");
    server_.merge("ConfigMap", "ns", "preface", "{'data':{'text':'?'}}");
    wait(2s);
    EXPECT_EQ(text("dune"), "once?") << "a change of it is a visit";
}

TEST_F(ExternalTest, ASecretThatItGeneratesIsDrawnOnce) {
    shelf();
    server_.put(
        json("{'apiVersion':'v1','kind':'Secret','metadata':{'namespace':'ns','name':'shared'},"
             "'data':{'other':'eA=='}}"));
    book("dune", "'keySecret':'dune-key'");
    book("emma", "'keySecret':'shared'");
    book("kept", "'keySecret':'kept-key','deletionPolicy':'Retain'");
    start();
    wait(5s);
    EXPECT_EQ(stands("dune"), "True Shelved");
    EXPECT_EQ(text("dune").size(), std::string("once").size() + 12);
    EXPECT_EQ(text("emma").size(), std::string("once").size() + 12);
    const auto* shared = server_.get("Secret", "ns", "shared");
    EXPECT_EQ(api::find_text(*shared, {"data", "other"}), "eA==") << "what is there is not changed";
    EXPECT_TRUE(api::find(*server_.get("Secret", "ns", "dune-key"), {"metadata", "ownerReferences"}));
    EXPECT_FALSE(api::find(*server_.get("Secret", "ns", "kept-key"), {"metadata", "ownerReferences"}));
    const auto before = text("dune");
    stop();
    start();
    wait(120s);
    EXPECT_EQ(text("dune"), before);
}

TEST_F(ExternalTest, WhatAnotherObjectMadeGetsItsSecretsFromThere) {
    shelf();
    book("dune", "'keySecret':'dune-key'");
    patch("dune",
          "{'metadata':{'ownerReferences':[{'apiVersion':'test.opencraft.com/v1','kind':'Library','name':'one',"
          "'uid':'1','controller':true}]}}");
    start();
    wait(5s);
    EXPECT_EQ(stands("dune"), "False Reconciling DependencyNotReady");
    EXPECT_FALSE(server_.get("Secret", "ns", "dune-key"));
    server_.put(
        json("{'apiVersion':'v1','kind':'Secret','metadata':{'namespace':'ns','name':'dune-key'},"
             "'data':{'key':'IQ=='}}"));
    wait(2s);
    EXPECT_EQ(text("dune"), "once!");
}

TEST_F(ExternalTest, TheOldestHoldsANameAndTheNextOneFollows) {
    shelf();
    start();
    book("first", "'title':'dune'");
    wait(2s);
    book("second", "'title':'dune'");
    wait(2s);
    EXPECT_EQ(stands("first"), "True Shelved");
    EXPECT_EQ(stands("second"), "False Stalled Claimed");
    EXPECT_EQ(metric("ocim_stalled_objects", R"(kind="book")"), 1);
    EXPECT_EQ(metric("ocim_stalled_objects", R"(kind="library")"), 0) << "from the start";
    EXPECT_NE(
        std::string(api::find_text(*runtime::condition(*found("second"), "Ready"), {"message"})).find("Book \"first\""),
        std::string::npos);
    const auto causes = manager_->admit(Book::kind,
                                        json("{'metadata':{'namespace':'ns','name':'third'},"
                                             "'spec':{'shelf':'oak','title':'dune'}}"),
                                        nullptr);
    ASSERT_EQ(causes.size(), 1U);
    EXPECT_EQ(causes[0].field, "spec.title");
    EXPECT_EQ(causes[0].message,
              R"(Duplicate value: "dune": already held by Book "first"; choose another, or delete that one)");
    EXPECT_TRUE(manager_->admit(Book::kind, *found("second"), found("second")).empty())
        << "what is Stalled already can still be written";
    server_.remove("Book", "ns", "first");
    wait(5s);
    EXPECT_EQ(stands("second"), "True Shelved");
    EXPECT_EQ(metric("ocim_stalled_objects", R"(kind="book")"), 0);
}

/// Refuses what was fine when it was written.
struct StrictKind : BookKind {
    static std::vector<api::Cause> admit(const Book& book, const Book*, const runtime::Inputs&) {
        if (book.spec.text != "banned") return {};
        return {{"FieldValueInvalid", "nobody may read that any more", "spec.text"}};
    }
};

TEST_F(ExternalTest, WhoLeavesTheSpecAsItIsIsNotRefused) {
    start_as<StrictKind>();
    const auto old = json("{'metadata':{'namespace':'ns','name':'dune'},'spec':{'shelf':'oak','text':'banned'}}");
    auto now = old;
    now.as_object()["metadata"].as_object()["finalizers"] = api::json::array{"ocim.opencraft.com/book"};
    EXPECT_TRUE(manager_->admit(Book::kind, now, &old).empty()) << "a finalizer can be set";
    EXPECT_EQ(manager_->admit(Book::kind, now, nullptr).size(), 1U);
    now.as_object()["spec"].as_object()["title"] = "dune";
    EXPECT_EQ(manager_->admit(Book::kind, now, &old).size(), 1U) << "the spec is another one";
}

TEST_F(ExternalTest, WithoutItsBackendItWaitsAndThenGoesOn) {
    book("dune");
    start();
    wait(5s);
    EXPECT_EQ(stands("dune"), "False Reconciling BackendNotFound");
    shelf();
    wait(5s);
    EXPECT_EQ(stands("dune"), "True Shelved");
}

TEST_F(ExternalTest, ANamespaceThatIsNotAllowedIsRefused) {
    shelf("{'allowedNamespaces':['other']}");
    book("dune");
    book("emma", "", "other");
    start();
    wait(5s);
    EXPECT_EQ(stands("dune"), "False Stalled NamespaceNotAllowed");
    EXPECT_EQ(stands(server_.get("Book", "other", "emma")), "True Shelved");
    server_.merge("Shelf", "", "oak", "{'spec':{'allowedNamespaces':null}}");
    wait(5s);
    EXPECT_EQ(stands("dune"), "True Shelved");
}

TEST_F(ExternalTest, ABackendDownIsSaidWithin10SecondsAndComesBackByItself) {
    struct Row {
        const char* reason;
        void (*breaks)(SimWorld<std::string, Volume>&, bool);
    };
    const Row rows[] = {
        {"BackendUnreachable", [](auto& world, bool on) { world.down = on; }},
        {"BackendAuthFailed", [](auto& world, bool on) { world.refuses_us = on; }},
        {"BackendUnreachable", [](auto& world, bool on) { world.hangs = on; }},
        {"BackendFailing", [](auto& world, bool on) { world.garbage = on; }},
    };
    shelf();
    shelf("{}", "elm");
    runtime::Manager::Settings settings;
    settings.act_limit = 30s;  // as a system's own limit of one call
    start(settings);
    int number = 0;
    for (const auto& row : rows) {
        const auto name = "book" + std::to_string(++number);
        row.breaks(oak(), true);
        book(name);
        book(name + "-elm", "'shelf':'elm'");
        const int calls = oak().calls["act"] + oak().calls["observe"] + oak().calls["probe"];
        wait(10s);
        EXPECT_EQ(stands(name), std::string("False Reconciling ") + row.reason) << number;
        EXPECT_EQ(shelf_stands(), std::string("False Reconciling ") + row.reason) << number;
        EXPECT_EQ(stands(name + "-elm"), "True Shelved") << "others go on";
        EXPECT_EQ(metric("ocim_backend_up", R"(backend="oak",kind="Shelf",user="book")"), 0);
        wait(120s);
        const int after = oak().calls["act"] + oak().calls["observe"] + oak().calls["probe"];
        EXPECT_LE(after - calls, 110) << "bounded while it is down " << number;
        row.breaks(oak(), false);
        wait(16s);
        EXPECT_EQ(stands(name), "True Shelved") << "by itself " << number;
        EXPECT_EQ(shelf_stands(), "True Reachable") << number;
    }
}

TEST_F(ExternalTest, ItsOwnRefusalStallsOnlyTheCulpritUntilSomethingChanges) {
    shelf();
    book("taboo");
    book("dune");
    start();
    wait(5s);
    EXPECT_EQ(stands("taboo"), "False Stalled Refused");
    EXPECT_EQ(stands("dune"), "True Shelved");
    const int actions = oak().calls["action"];
    wait(600s);
    EXPECT_EQ(oak().calls["action"], actions) << "not tried again by itself";
    patch("taboo", "{'metadata':{'annotations':{'ocim.opencraft.com/reconcile-at':'now'}}}");
    wait(5s);
    EXPECT_EQ(oak().calls["action"], actions + 1) << "a person asked";
    patch("taboo", "{'spec':{'title':'fine'}}");
    wait(5s);
    EXPECT_EQ(stands("taboo"), "True Shelved");
}

TEST_F(ExternalTest, AFailureIsTriedLaterAndLater) {
    shelf();
    start();
    wait(5s);
    oak().faults.fails_before = 1'000;
    book("dune");
    wait(300s);
    EXPECT_EQ(stands("dune").substr(0, 5), "False");
    EXPECT_LE(oak().calls["action"], 12);
    oak().faults = {};
    wait(310s);
    EXPECT_EQ(stands("dune"), "True Shelved");
}

TEST_F(ExternalTest, PausedItIsObservedButNotTouched) {
    shelf();
    book("dune");
    start();
    wait(5s);
    patch("dune", "{'metadata':{'annotations':{'ocim.opencraft.com/paused':'true'}},'spec':{'text':'twice'}}");
    wait(100s);
    EXPECT_EQ(text("dune"), "once");
    EXPECT_EQ(stands("dune"), "True Paused Shelved");
    EXPECT_EQ(events("Paused"), 1);
    patch("dune", "{'metadata':{'annotations':{'ocim.opencraft.com/paused':null}}}");
    wait(2s);
    EXPECT_EQ(text("dune"), "twice");
    EXPECT_EQ(stands("dune"), "True Shelved");
}

TEST_F(ExternalTest, OnlyObservedItReportsAndNeverActs) {
    volumes()["dune"] = {"theirs", std::nullopt};
    shelf();
    book("dune", "'managementPolicy':'Observe'");
    book("emma", "'managementPolicy':'Observe'");
    start();
    wait(5s);
    EXPECT_EQ(stands("emma"), "False Stalled Differs");
    EXPECT_EQ(oak().calls["act"], 0);
    EXPECT_EQ(api::find(*found("emma"), {"metadata", "finalizers"}), nullptr);
    server_.remove("Book", "ns", "emma");
    EXPECT_EQ(stands("emma"), "gone");
}

TEST_F(ExternalTest, AbandonLetsGoWhenTheBackendIsGone) {
    shelf();
    book("dune");
    start();
    wait(5s);
    oak().down = true;
    server_.remove("Book", "ns", "dune");
    wait(60s);
    EXPECT_EQ(stands("dune"), "False Reconciling BackendUnreachable") << "it stays and names the blocker";
    patch("dune", "{'metadata':{'annotations':{'ocim.opencraft.com/abandon':'true'}}}");
    wait(1s);
    EXPECT_EQ(stands("dune"), "gone");
    EXPECT_EQ(events("Abandoned"), 1);
    EXPECT_EQ(metric("ocim_abandoned_total", R"(kind="book")"), 1);
}

TEST_F(ExternalTest, WhatStaysAndSaysSoGoesWithoutItsBackend) {
    shelf();
    book("dune", "'deletionPolicy':'Retain'");
    book("emma", "'deletionPolicy':'Retain'");
    book("solaris");
    start();
    wait(5s);
    oak().down = true;
    for (const auto* name : {"dune", "solaris"})
        server_.merge("Book", "ns", name, R"({"status":{"retained":true}})", true);
    for (const auto* name : {"dune", "emma", "solaris"}) server_.remove("Book", "ns", name);
    wait(60s);
    EXPECT_EQ(stands("dune"), "gone");
    EXPECT_EQ(stands("emma"), "False Reconciling BackendUnreachable") << "its mark is to be written first";
    EXPECT_EQ(stands("solaris"), "False Reconciling BackendUnreachable") << "it is to be removed";
    EXPECT_EQ(events("Retained"), 1);
    EXPECT_EQ(events("Abandoned"), 0);
}

TEST_F(ExternalTest, WhatWasNeverReachedHoldsNothing) {
    shelf();
    oak().down = true;
    book("dune");
    start();
    wait(30s);
    EXPECT_EQ(stands("dune"), "False Reconciling BackendUnreachable");
    server_.remove("Book", "ns", "dune");
    EXPECT_EQ(stands("dune"), "gone") << "nothing can have been made";
}

TEST_F(ExternalTest, ALostAnswerOfACreateIsNotRepeatedBlindly) {
    shelf();
    start();
    wait(5s);
    oak().faults.late_landing = 1'000;
    book("dune");
    wait(1s);
    oak().faults = {};
    EXPECT_EQ(oak().calls["action"], 1);
    wait(8s);
    EXPECT_EQ(oak().calls["action"], 1) << "it may still land";
    wait(5s);
    EXPECT_EQ(stands("dune"), "True Shelved");
    EXPECT_EQ(oak().calls["action"], 1) << "the fresh look has found it";
}

TEST_F(ExternalTest, WhereAskingTwiceMakesTwoWhatAnEarlierRunAskedForIsWaitedFor) {
    shelf();
    server_.merge("Shelf", "", "oak", "{'metadata':{'labels':{'creates-twice':'yes'}}}");
    start();
    wait(5s);
    oak().faults.late_landing = 1'000;
    book("dune");
    wait(1s);
    ASSERT_EQ(oak().landing(), 1U);
    stop();
    oak().faults = {};
    oak().calls.clear();
    start();
    wait(2s);
    EXPECT_EQ(stands("dune"), "False Reconciling EarlierCallsMayLand");
    wait(30s);
    EXPECT_EQ(stands("dune"), "True Shelved");
    EXPECT_EQ(oak().calls["action"], 0) << "it came without being asked for again";
    book("emma");
    wait(1s);
    EXPECT_EQ(stands("emma"), "True Shelved") << "of what is new no earlier run can have asked";
}

TEST_F(ExternalTest, WhereAskingTwiceMakesTwoAReopenCountsLikeAStart) {
    shelf();
    server_.merge("Shelf", "", "oak", "{'metadata':{'labels':{'creates-twice':'yes'}}}");
    start();
    wait(60s);
    book("dune");
    book("emma");
    wait(1s);
    ASSERT_EQ(stands("dune"), "True Shelved");
    ASSERT_EQ(stands("emma"), "True Shelved");
    const auto made = volumes();
    volumes().clear();  // not in its lists yet
    oak().calls.clear();
    server_.merge("Shelf", "", "oak", "{'metadata':{'labels':{'opened':'anew'}}}");
    wait(1s);
    ASSERT_GE(oak().calls["observe"], 1);
    EXPECT_EQ(stands("dune"), "False Reconciling EarlierCallsMayLand");
    server_.remove("Book", "ns", "emma");
    book("new");
    wait(3s);
    EXPECT_EQ(stands("new"), "True Shelved") << "of what is new nothing can be late";
    EXPECT_NE(stands("emma"), "gone") << "what is not listed yet may be there";
    EXPECT_EQ(oak().calls["action"], 1);
    volumes().insert(made.begin(), made.end());
    wait(30s);
    EXPECT_EQ(stands("dune"), "True Shelved");
    EXPECT_EQ(stands("emma"), "gone");
    EXPECT_FALSE(volumes().contains("emma")) << "nothing leaks";
    EXPECT_EQ(oak().calls["action"], 2) << "one is made and one removed";
    volumes().erase("dune");
    server_.merge("Shelf", "", "oak", "{'metadata':{'labels':{'opened':'again'}}}");
    wait(2s);
    EXPECT_EQ(stands("dune"), "True Shelved") << "long after it was made it is missed at once";
}

TEST_F(ExternalTest, DeletionWaitsForACreateThatMayStillLand) {
    shelf();
    start();
    wait(5s);
    oak().faults.late_landing = 1'000;
    book("dune");
    wait(1s);
    oak().faults = {};
    server_.remove("Book", "ns", "dune");
    wait(30s);
    EXPECT_EQ(stands("dune"), "gone");
    wait(60s);
    EXPECT_FALSE(volumes().contains("dune")) << "nothing leaks";
}

TEST_F(ExternalTest, DeletionWaitsForAnUpdateThatMayStillLand) {
    shelf();
    book("dune");
    start();
    wait(5s);
    oak().faults.late_landing = 1'000;
    patch("dune", "{'spec':{'text':'twice'}}");
    wait(100ms);
    ASSERT_EQ(oak().landing(), 1U);
    oak().faults = {};
    server_.remove("Book", "ns", "dune");
    wait(60s);
    EXPECT_EQ(stands("dune"), "gone");
    EXPECT_FALSE(volumes().contains("dune")) << "the update has written over what was not there any more";
}

TEST_F(ExternalTest, DeletionTrustsNoLookFromBeforeTheLastCallMayLand) {
    shelf();
    book("bystander");
    start();
    for (int i = 0; i < 20; ++i) {  // some of these calls land before the look below, some after
        const auto name = "book" + std::to_string(i);
        book(name);
        wait(5s);
        oak().faults.late_landing = 1'000;
        patch(name, "{'spec':{'text':'twice'}}");
        wait(100ms);
        ASSERT_EQ(oak().landing(), 1U);
        oak().faults = {};
        server_.remove("Book", "ns", name);
        wait(4s);
        patch("bystander", "{'metadata':{'annotations':{'ocim.opencraft.com/reconcile-at':'" + name + "'}}}");
        wait(60s);
        EXPECT_EQ(stands(name), "gone");
    }
    EXPECT_EQ(volumes().size(), 1U) << "an update has made anew what was removed, after the last look";
}

TEST_F(ExternalTest, WhoTakesFewActionsAtATimeIsGivenTheRestLater) {
    shelf();
    server_.merge("Shelf", "", "oak", "{'metadata':{'labels':{'few-at-a-time':'yes'}}}");
    for (int i = 0; i < 120; ++i) book("book" + std::to_string(i));
    start();
    wait(20s);
    EXPECT_EQ(volumes().size(), 120U);
    EXPECT_GE(oak().calls["act"], 3) << "50 of each call";
    EXPECT_EQ(oak().calls["action"], 120);
    EXPECT_EQ(events("ActionFailed"), 0);
}

TEST_F(ExternalTest, AThousandObjectsTakeFewCalls) {
    shelf();
    for (int i = 0; i < 1'000; ++i) book("book" + std::to_string(i));
    start();
    wait(20s);
    EXPECT_EQ(volumes().size(), 1'000U);
    EXPECT_EQ(stands("book999"), "True Shelved");
    EXPECT_LE(oak().calls["act"] + oak().calls["observe"] + oak().calls["probe"], 20);
    const auto before = oak().calls;
    wait(66s);
    EXPECT_LE(oak().calls["observe"] - before.at("observe"), 2) << "a sweep is one call";
    EXPECT_EQ(oak().calls["act"], before.at("act"));
}

TEST_F(ExternalTest, ABackendsStatusSaysWhatItsKindKnowsOfIt) {
    shelf("{'driftIntervalSeconds':60}");
    book("dune", "'text':'counted'");
    start();
    wait(70s);
    const auto counted = [&] {
        const auto* count = api::find(*server_.get("Shelf", "", "oak"), {"status", "traffic", "counted"});
        return count ? count->to_number<std::int64_t>() : 0;
    };
    EXPECT_EQ(counted(), 1);
    EXPECT_EQ(*api::find(*server_.get("Shelf", "", "oak"), {"status", "objects"}), api::Json(1))
        << "beside what we say";
    const auto opened = oak().calls["open"];
    patch("dune", R"({"spec":{"text":"else"}})");
    wait(70s);
    EXPECT_EQ(counted(), 0) << "what is not so any more is not said";
    EXPECT_EQ(oak().calls["open"], opened) << "its own report opens no backend anew";
}

TEST_F(ExternalTest, OrphansAreToldAndSweptByTheRules) {
    shelf("{'deleteOrphans':true,'orphanMinAgeSeconds':300,'driftIntervalSeconds':60}");
    book("dune");
    start();
    wait(5s);
    const auto installation = volumes()["dune"].mark->installation;
    volumes()["ghost"] = {"old", Mark{installation, "ns/ghost", "uid-long-gone"}};
    volumes()["kept"] = {"old", Mark{installation, "ns/kept", "uid-long-gone", true}};
    volumes()["other"] = {"old", Mark{"another", "ns/ghost", "uid-long-gone"}};
    wait(61s);
    EXPECT_EQ(metric("ocim_orphans", R"(backend="oak",kind="Shelf",user="book")"), 0) << "one look is not enough";
    wait(61s);
    EXPECT_EQ(metric("ocim_orphans", R"(backend="oak",kind="Shelf",user="book")"), 1);
    EXPECT_EQ(events("OrphanFound"), 1);
    EXPECT_TRUE(volumes().contains("ghost")) << "too young";
    wait(400s);
    EXPECT_FALSE(volumes().contains("ghost"));
    EXPECT_TRUE(volumes().contains("kept"));
    EXPECT_TRUE(volumes().contains("other"));
    EXPECT_EQ(text("dune"), "once");
    EXPECT_EQ(events("OrphanRemoved"), 1);
}

TEST_F(ExternalTest, TooManyOrphansAreLeftToAPerson) {
    shelf("{'deleteOrphans':true,'orphanMinAgeSeconds':1}");
    book("dune");
    start();
    wait(5s);
    const auto installation = volumes()["dune"].mark->installation;
    for (int i = 0; i < 4; ++i)
        volumes()["ghost" + std::to_string(i)] = {"old", Mark{installation, "ns/ghost", "uid-long-gone"}};
    wait(600s);
    EXPECT_EQ(volumes().size(), 5U);
    EXPECT_EQ(events("OrphanSweepStopped"), 1);
}

TEST_F(ExternalTest, BackendsAndCredentialsInUseCannotGo) {
    server_.put(
        json("{'apiVersion':'v1','kind':'Secret','metadata':{'namespace':'ocim-system','name':'key'},"
             "'data':{'password':'c2VzYW1l'}}"));
    oak().password = "sesame";
    shelf("{'secretName':'key'}");
    book("dune");
    start();
    wait(5s);
    ASSERT_EQ(stands("dune"), "True Shelved");
    server_.remove("Shelf", "", "oak");
    server_.remove("Secret", "ocim-system", "key");
    wait(5s);
    ASSERT_TRUE(server_.get("Shelf", "", "oak"));
    ASSERT_TRUE(server_.get("Secret", "ocim-system", "key"));
    EXPECT_EQ(shelf_stands(), "False Reconciling InUse");
    EXPECT_EQ(events("InUse"), 2) << "of the Shelf, and of the Secret, which has no status";
    server_.remove("Book", "ns", "dune");
    wait(15s);
    EXPECT_EQ(stands("dune"), "gone") << "it can still be cleaned up";
    EXPECT_FALSE(server_.get("Shelf", "", "oak"));
    EXPECT_FALSE(server_.get("Secret", "ocim-system", "key"));
}

TEST_F(ExternalTest, NewCredentialsAreTakenUpByThemselves) {
    server_.put(
        json("{'apiVersion':'v1','kind':'Secret','metadata':{'namespace':'ocim-system','name':'key'},"
             "'data':{'password':'c2VzYW1l'}}"));
    oak().password = "other";
    shelf("{'secretName':'key'}");
    book("dune");
    start();
    wait(5s);
    EXPECT_EQ(stands("dune"), "False Reconciling BackendAuthFailed");
    server_.merge("Secret", "ocim-system", "key", "{'data':{'password':'b3RoZXI='}}");
    wait(2s);
    EXPECT_EQ(stands("dune"), "True Shelved") << "no probe has to come first";
}

TEST_F(ExternalTest, MissingCredentialsAreNamed) {
    shelf("{'secretName':'key'}");
    book("dune");
    start();
    wait(5s);
    EXPECT_EQ(stands("dune"), "False Reconciling BackendNotReady");
    EXPECT_EQ(shelf_stands(), "False Reconciling BackendNotReady");
    server_.put(json("{'apiVersion':'v1','kind':'Secret','metadata':{'namespace':'ocim-system','name':'key'}}"));
    wait(5s);
    EXPECT_EQ(stands("dune"), "True Shelved");
}

TEST_F(ExternalTest, ABackendThatOnlyItsAuthorCanMendIsStalled) {
    shelf("{'broken':'no such provider'}");
    book("dune");
    start();
    wait(60s);
    EXPECT_EQ(shelf_stands(), "False Stalled BackendInvalid");
    EXPECT_EQ(stands("dune"), "False Reconciling BackendInvalid");
    server_.merge("Shelf", "", "oak", "{'spec':{'broken':null}}");
    wait(5s);
    EXPECT_EQ(shelf_stands(), "True Reachable");
    EXPECT_EQ(stands("dune"), "True Shelved");
}

TEST_F(ExternalTest, ALookOfItsOwnAccordComesBeforeTheSweep) {
    shelf("{'driftIntervalSeconds':3600}");
    book("dune", "'lookAgainSeconds':3");
    start();
    wait(5s);
    volumes()["dune"].text = "scribbled";
    wait(4s);
    EXPECT_EQ(text("dune"), "once");
}

TEST_F(ExternalTest, WhoWaitsForWhatIsThereIsWokenByTheActionsOfOthers) {
    shelf("{'driftIntervalSeconds':3600}");
    book("dune");
    start();
    wait(5s);
    book("emma", "'avoids':'dune'");
    wait(5s);
    ASSERT_EQ(stands("emma"), "False Stalled Crowded");
    server_.remove("Book", "ns", "dune");
    wait(1s);
    EXPECT_EQ(stands("emma"), "True Shelved");
}

TEST_F(ExternalTest, ManyWhoWaitCostLittleWhileOthersAct) {
    shelf("{'driftIntervalSeconds':3600}");
    book("dune");
    for (int i = 0; i < 200; ++i) book("waits" + std::to_string(i), "'avoids':'dune'");
    start();
    wait(5s);
    ASSERT_EQ(stands("waits199"), "False Stalled Crowded");
    const auto visits = [this] {
        return metric("controller_runtime_reconcile_total", R"(controller="book",result="success")");
    };
    const auto before = visits();
    for (int i = 0; i < 200; ++i) {
        book("acts" + std::to_string(i));
        wait(100ms);
    }
    wait(5s);
    EXPECT_EQ(stands("acts199"), "True Shelved");
    EXPECT_LT(visits() - before, 200 * 60) << "not each of them at each action";
    server_.remove("Book", "ns", "dune");
    wait(2s);
    EXPECT_EQ(stands("waits0"), "True Shelved");
    EXPECT_EQ(stands("waits199"), "True Shelved");
}

TEST_F(ExternalTest, AChangeAmongMoreThanAreVisitedAtATimeIsSeen) {
    shelf("{'driftIntervalSeconds':60}");
    for (int i = 0; i < 200; ++i) book("book" + std::to_string(1000 + i));
    start();
    wait(5s);
    volumes()["book1199"].text = "scribbled";
    wait(70s);
    EXPECT_EQ(text("book1199"), "once") << "the visits before its own had nothing to do and ended at once";
    EXPECT_EQ(events("DriftDetected"), 1);
}

TEST_F(ExternalTest, AfterARestartEverythingIsFoundAgain) {
    shelf();
    for (int i = 0; i < 20; ++i) book("book" + std::to_string(i));
    start();
    wait(5s);
    stop();
    const auto writes = server_.writes();
    const int actions = oak().calls["action"];
    start();
    wait(60s);
    EXPECT_EQ(oak().calls["action"], actions);
    EXPECT_EQ(server_.writes(), writes);
}

// --- things of which only so many may be under way

TEST_F(ExternalTest, WhatFindsNoPlaceSaysSoAndGoesOnWhenOneIsFree) {
    shelf();
    start();
    for (const auto* name : {"first", "second", "third", "fourth"}) {
        book(name, "'turns':2");
        wait(2s);
    }
    EXPECT_EQ(stands("second"), "True Shelved");
    EXPECT_EQ(stands("third"), "False Reconciling WaitingForTurn");
    EXPECT_EQ(api::find_text(*runtime::condition(*found("third"), "Ready"), {"message"}),
              "Waits for its turn, the oldest first: 2 are under way, and the hall allows 2 at a time.");
    wait(5min);
    EXPECT_EQ(volumes().size(), 2U);
    server_.remove("Book", "ns", "first");
    wait(2s);
    EXPECT_EQ(stands("third"), "True Shelved") << "at once";
    EXPECT_EQ(stands("fourth"), "False Reconciling WaitingForTurn");
    patch("fourth", "{'spec':{'turns':3}}");
    wait(2s);
    EXPECT_EQ(stands("fourth"), "True Shelved") << "there are more places now";
}

TEST_F(ExternalTest, TurnsAreKeptOverARestart) {
    shelf();
    start();
    for (const auto* name : {"first", "second", "third"}) {
        book(name, "'turns':1");
        wait(2s);
    }
    stop();
    start();
    wait(5min);
    EXPECT_EQ(volumes().size(), 1U);
    EXPECT_EQ(stands("first"), "True Shelved");
    server_.remove("Book", "ns", "first");
    wait(2s);
    EXPECT_EQ(stands("second"), "True Shelved") << "the oldest";
    EXPECT_EQ(stands("third"), "False Reconciling WaitingForTurn");
    EXPECT_EQ(volumes().size(), 1U);
}

TEST_F(ExternalTest, AfterARestartWhatIsNotSeenYetMayBeUnderWay) {
    shelf();
    shelf("{}", "ash");
    start();
    book("first", "'turns':1,'shelf':'ash'");
    wait(2s);
    book("second", "'turns':1");
    wait(2s);
    ASSERT_EQ(stands("first"), "True Shelved");
    stop();
    shelves_["ash"].down = true;
    start();
    wait(5min);
    EXPECT_EQ(stands("second"), "False Reconciling WaitingForTurn") << "the first may stand on the shelf we cannot see";
    EXPECT_TRUE(volumes().empty());
    server_.remove("Book", "ns", "first");
    shelves_["ash"].down = false;
    wait(5min);
    EXPECT_EQ(stands("second"), "True Shelved");
}

TEST_F(ExternalTest, WhatCannotBeginKeepsNoPlace) {
    shelf();
    shelf("{'broken':'no wood'}", "ash");
    start();
    book("first", "'turns':1,'shelf':'ash'");
    wait(2s);
    book("taboo", "'turns':1");
    wait(20s);
    book("paused", "'turns':1");
    patch("paused", "{'metadata':{'annotations':{'ocim.opencraft.com/paused':'true'}}}");
    book("last", "'turns':1");
    wait(10s);
    EXPECT_EQ(stands("taboo"), "False Stalled Refused");
    EXPECT_EQ(stands("last"), "True Shelved");
}

TEST_F(ExternalTest, ManyAtOnceInTheWorldAreTheOnesThatFit) {
    shelf();
    start();
    wait(5s);
    oak().faults.rate_limited = 500;
    for (int i = 0; i < 50; ++i) book("book" + std::to_string(i));
    wait(200s);
    oak().faults = {};
    wait(60s);
    EXPECT_EQ(volumes().size(), 50U);
    EXPECT_EQ(stands("book49"), "True Shelved");
}

}  // namespace
}  // namespace ocim::test
