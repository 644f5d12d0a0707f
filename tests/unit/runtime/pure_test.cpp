#include "runtime/base64.hpp"
#include "runtime/batch.hpp"
#include "runtime/cache.hpp"
#include "runtime/conditions.hpp"
#include "runtime/content.hpp"
#include "runtime/index.hpp"
#include "runtime/mark.hpp"
#include "runtime/orphans.hpp"
#include "runtime/seen.hpp"

#include <gtest/gtest.h>

#include <algorithm>

namespace ocim::runtime {
namespace {

using namespace std::chrono_literals;

Json parsed(std::string_view text) {
    auto out = api::parse_json(text);
    EXPECT_TRUE(out) << text;
    return out->value;
}

// --- Mark

TEST(Mark, IsReadBackAsItWasWritten) {
    for (const bool retained : {false, true}) {
        const Mark mark{"prod-1", "default/demo.x", "4f1c-22", retained};
        EXPECT_EQ(Mark::parse(mark.text()), mark);
    }
}

TEST(Mark, IsNotSeenInOtherText) {
    for (const auto* text : {"", "i=a", "i=a o=b", "i=a o=b u=", "i= o=b u=c", "x i=a o=b u=c", "i=a o=b u=c ",
                             "i=a o=b u=c retainedx", "i=a o=b  u=c", "i=a o=\"b u=c", "i=a o=b u=c d"})
        EXPECT_EQ(Mark::parse(text), std::nullopt) << text;
}

TEST(Mark, SaysWhoseAThingIs) {
    const Mark self{"prod", "default/demo", "u1"};
    struct Row {
        std::optional<Mark> found;
        Ownership whose;
        const char* why;
    };
    const Row rows[] = {
        {std::nullopt, Ownership::foreign, "no mark"},
        {Mark{"prod", "default/demo", "u1"}, Ownership::ours, "our own"},
        {Mark{"prod", "default/demo", "u1", true}, Ownership::ours, "our own, retained by a delete that was undone"},
        {Mark{"prod", "default/demo", "u0"}, Ownership::foreign, "a former object's that was not retained"},
        {Mark{"prod", "default/demo", "u0", true}, Ownership::ours, "retained by a former object of our name"},
        {Mark{"prod", "default/other", "u0", true}, Ownership::foreign, "retained by another name"},
        {Mark{"test", "default/demo", "u1"}, Ownership::foreign, "another installation's"},
    };
    for (const auto& row : rows) EXPECT_EQ(ownership(row.found, self), row.whose) << row.why;
}

// --- base64

TEST(Base64, IsReadBackAndRefusesOtherText) {
    for (const std::string bytes : {"", "f", "fo", "foo", "foob", "\xff\x00\x10"})
        EXPECT_EQ(from_base64(base64(bytes)), bytes);
    EXPECT_EQ(base64("foob"), "Zm9vYg==");
    for (const auto* text : {"Zm9", "Zm9v=", "Zm 9", "====", "Zm9-"})
        EXPECT_EQ(from_base64(text), std::nullopt) << text;
}

// --- Seen

using Text = Seen<std::string, std::string>;
using Map = Text::Map;

TEST(Seen, AnObservationThatBeganBeforeAnActionEndedDoesNotReplaceItsKey) {
    Text seen;
    EXPECT_TRUE(seen.observed({{"a", "1"}, {"b", "1"}}, seen.tick()));
    const auto began = seen.tick();
    seen.fold("a", "2");
    seen.fold("b", std::nullopt);
    seen.fold("c", "new");
    EXPECT_FALSE(seen.observed({{"a", "1"}, {"b", "1"}}, began)) << "it looked before the effects";
    EXPECT_EQ(seen.things(), (Map{{"a", "2"}, {"c", "new"}}));
    EXPECT_TRUE(seen.observed({{"a", "3"}}, seen.tick())) << "this one began after them";
    EXPECT_EQ(seen.things(), (Map{{"a", "3"}}));
}

TEST(Seen, SaysWhetherAnObservationToldAnythingNew) {
    Text seen;
    EXPECT_FALSE(seen.known());
    EXPECT_TRUE(seen.observed({}, seen.tick())) << "the first always does";
    EXPECT_FALSE(seen.observed({}, seen.tick()));
    EXPECT_TRUE(seen.observed({{"a", "1"}}, seen.tick()));
    EXPECT_FALSE(seen.observed({{"a", "1"}}, seen.tick()));
}

TEST(Seen, TellsWhichKeysAnObservationHasShownToBeSomethingElse) {
    Text seen;
    using Keys = std::vector<std::string>;
    seen.observed({{"b", "1"}, {"d", "1"}, {"e", "1"}}, seen.tick());
    EXPECT_EQ(seen.news(), Keys{}) << "of the first look nobody can say what is new";
    seen.observed({{"a", "1"}, {"b", "2"}, {"e", "1"}, {"f", "1"}}, seen.tick());
    EXPECT_EQ(seen.news(), (Keys{"a", "b", "d", "f"}));
    seen.observed({{"a", "1"}, {"b", "2"}, {"e", "1"}, {"f", "1"}}, seen.tick());
    EXPECT_EQ(seen.news(), Keys{});
    seen.observed({}, seen.tick());
    EXPECT_EQ(seen.news(), (Keys{"a", "b", "e", "f"}));
    const auto began = seen.tick();
    seen.fold("a", "2");
    seen.observed({}, began);
    EXPECT_EQ(seen.news(), Keys{}) << "what an own action has done since the look began is no news";
}

TEST(Seen, AKeysMomentOfChangeMovesOnlyWithItsContent) {
    Text seen;
    seen.observed({{"a", "1"}, {"b", "1"}}, seen.tick());
    const auto a = seen.changed("a"), b = seen.changed("b");
    seen.observed({{"a", "1"}, {"b", "2"}}, seen.tick());
    EXPECT_EQ(seen.changed("a"), a);
    EXPECT_NE(seen.changed("b"), b);
    seen.fold("a", "1");
    EXPECT_EQ(seen.changed("a"), a) << "an action that changed nothing";
    seen.observed({{"b", "2"}}, seen.tick());
    EXPECT_NE(seen.changed("a"), a) << "gone";
}

TEST(Seen, AfterReopeningNothingIsKnownButOwnEffectsStillCount) {
    Text seen;
    seen.observed({{"a", "1"}}, seen.tick());
    seen.forget();
    EXPECT_FALSE(seen.known());
    EXPECT_TRUE(seen.observed({{"a", "1"}}, seen.tick()));
    EXPECT_TRUE(seen.known());
}

// --- Batch

std::vector<PlannedAction> actions(std::size_t count) { return std::vector<PlannedAction>(count); }

TEST(Batch, TheFirstWaitsForCompanyWhileMoreArrive) {
    Batch batch(50ms, 1s);
    const auto start = Instant(1h);
    EXPECT_EQ(batch.due(), std::nullopt);
    batch.add({"ns", "a"}, actions(1), start);
    EXPECT_EQ(batch.due(), start + 50ms);
    for (auto at = start; at < start + 990ms; at += 30ms) batch.add({"ns", "b"}, actions(1), at);
    EXPECT_EQ(batch.due(), start + 1s) << "but not for ever";
}

TEST(Batch, ObjectsStayWhole) {
    Batch batch(50ms, 1s);
    const auto now = Instant(1h);
    for (const auto* name : {"a", "b", "c"}) batch.add({"ns", name}, actions(4), now);
    EXPECT_EQ(batch.take(9).size(), 8U);
    EXPECT_EQ(batch.take(1).size(), 4U) << "one that is larger goes alone";
    EXPECT_TRUE(batch.empty());
}

// --- Orphans

TEST(Orphans, TwoObservationsInARowMakeOne) {
    Orphans orphans;
    const std::vector<MarkedThing> marked{{1, {"prod", "d/a", "u1"}},
                                          {2, {"prod", "d/b", "gone"}},
                                          {3, {"test", "d/c", "gone"}},
                                          {4, {"prod", "d/d", "gone", true}}};
    const std::set<std::string> live{"u1"};
    auto found = orphans.observed(marked, "prod", live, 100, Instant(1h), {});
    EXPECT_EQ(found.count, 0U) << "the first look may have been too early";
    found = orphans.observed(marked, "prod", live, 100, Instant(2h), {});
    EXPECT_EQ(found.count, 1U) << "not what lives, is another's, or is retained";
    ASSERT_EQ(found.fresh.size(), 1U);
    EXPECT_EQ(found.fresh[0].key, 2U);
    found = orphans.observed(marked, "prod", live, 100, Instant(3h), {});
    EXPECT_EQ(found.count, 1U);
    EXPECT_TRUE(found.fresh.empty()) << "told once";
    EXPECT_TRUE(found.sweep.empty());
}

TEST(Orphans, ALookWithoutItForgetsIt) {
    Orphans orphans;
    const std::vector<MarkedThing> marked{{2, {"prod", "d/b", "gone"}}};
    orphans.observed(marked, "prod", {}, 100, Instant(1h), {});
    orphans.observed({}, "prod", {}, 100, Instant(1h), {});
    EXPECT_EQ(orphans.observed(marked, "prod", {}, 100, Instant(1h), {}).count, 0U);
}

TEST(Orphans, AreSweptWhenOldEnoughAndFew) {
    const auto swept = [](std::size_t count, std::size_t things, bool sweepable, Duration age) {
        Orphans orphans;
        std::vector<MarkedThing> marked;
        for (std::size_t i = 0; i < count; ++i) marked.push_back({i, {"prod", "d/x", "gone"}, sweepable});
        const Orphans::Rules rules{true, 4h};
        orphans.observed(marked, "prod", {}, things, Instant(1h), rules);
        const auto found = orphans.observed(marked, "prod", {}, things, Instant(1h) + age, rules);
        EXPECT_EQ(found.count, count);
        return std::pair(found.sweep.size(), found.too_many);
    };
    EXPECT_EQ(swept(3, 3, true, 4h), std::pair(3UL, false));
    EXPECT_EQ(swept(3, 3, true, 3h), std::pair(0UL, false)) << "too young";
    EXPECT_EQ(swept(3, 3, false, 4h), std::pair(0UL, false)) << "bears data";
    EXPECT_EQ(swept(4, 39, true, 4h), std::pair(0UL, true)) << "more than max(3, 10 %): a person decides";
    EXPECT_EQ(swept(4, 40, true, 4h), std::pair(4UL, false));
}

// --- conditions

Json object(std::string_view status = "{}") {
    auto out = parsed(R"({"apiVersion":"v1","kind":"X","metadata":{"name":"a","generation":3}})");
    out.as_object()["status"] = parsed(status);
    return out;
}

Json type_to_status(const Json& status) {
    api::json::object out;
    for (const auto& item : status.at("conditions").as_array())
        out[std::string(api::find_text(item, {"type"}))] = std::string(api::find_text(item, {"status"}));
    return out;
}

TEST(Conditions, FollowKstatus) {
    const WallTime now{};
    Standing standing;
    standing.verdict = {Verdict::State::ready, "InSync", ""};
    EXPECT_EQ(type_to_status(whole_status(object(), standing, now)), parsed(R"({"Ready":"True"})"));
    standing.verdict.state = Verdict::State::progressing;
    EXPECT_EQ(type_to_status(whole_status(object(), standing, now)),
              parsed(R"({"Ready":"False","Reconciling":"True"})"));
    standing.verdict.state = Verdict::State::stalled;
    standing.findings = {{"DNSReady", "Unknown", "Waiting", ""}};
    const auto status = whole_status(object(), standing, now);
    EXPECT_EQ(type_to_status(status), parsed(R"({"Ready":"False","Stalled":"True","DNSReady":"Unknown"})"));
    EXPECT_EQ(status.at("observedGeneration"), Json(3));
}

TEST(Conditions, KeepTheirTimeUntilTheirStatusChanges) {
    Standing standing;
    standing.verdict = {Verdict::State::progressing, "Progressing", "first"};
    const WallTime first{std::chrono::seconds(100)}, second{std::chrono::seconds(200)};
    auto before = object();
    before.as_object()["status"] = whole_status(before, standing, first);
    standing.verdict.message = "second";
    auto after = whole_status(before, standing, second);
    EXPECT_EQ(after.at("conditions").at(0).at("lastTransitionTime"), Json(rfc3339(first)));
    EXPECT_EQ(after.at("conditions").at(0).at("message"), Json("second"));
    standing.verdict.state = Verdict::State::ready;
    after = whole_status(before, standing, second);
    EXPECT_EQ(after.at("conditions").at(0).at("lastTransitionTime"), Json(rfc3339(second)));
}

TEST(Conditions, WithoutANewOwnPartTheOldOneStays) {
    Standing standing;
    const auto status = whole_status(object(R"({"address":"192.0.2.1","conditions":[]})"), standing, {});
    EXPECT_EQ(status.at("address"), Json("192.0.2.1"));
}

TEST(Conditions, PauseLeavesReadyAsItWas) {
    Standing standing;
    standing.paused = true;
    const auto held = object(R"({"conditions":[{"type":"Ready","status":"True","reason":"InSync"},
                                               {"type":"Reconciling","status":"True"}]})");
    EXPECT_EQ(type_to_status(whole_status(held, standing, {})), parsed(R"({"Ready":"True","Paused":"True"})"));
}

TEST(Covers, LooksOnlyAtWhatIsWanted) {
    struct Row {
        const char *current, *desired;
        bool covered;
        const char* why;
    };
    const Row rows[] = {
        {R"({"a":1,"b":2})", R"({"a":1})", true, "more is there"},
        {R"({"a":1})", R"({"a":1,"b":2})", false, "something is missing"},
        {R"({"a":1})", R"({"a":1.0})", true, "numbers by value"},
        {R"({"l":[{"x":1,"d":"default"}]})", R"({"l":[{"x":1}]})", true, "defaults inside of items"},
        {R"({"l":[1,2]})", R"({"l":[2,1]})", false, "order counts"},
        {R"({"l":[1,2]})", R"({"l":[1]})", false, "an item too many"},
        {R"({"conditions":[{"type":"A"},{"type":"B"}]})", R"({"conditions":[{"type":"B"}]})", true,
         "others' conditions"},
        {R"({"a":{}})", R"({"a":{},"b":{}})", true, "an empty object says nothing"},
        {R"({"a":null})", R"({"a":"x"})", false, "null is no value"},
    };
    for (const auto& row : rows) EXPECT_EQ(covers(parsed(row.current), parsed(row.desired)), row.covered) << row.why;
}

// --- Cache

constexpr api::Kind book_kind{"test.example.com", "v1", "Book", "books"};

Json book(const std::string& name, int revision, const std::string& extra = "") {
    return parsed(R"({"apiVersion":"test.example.com/v1","kind":"Book","metadata":{"namespace":"ns","name":")" + name +
                  R"(","resourceVersion":")" + std::to_string(revision) + "\"" + extra + "}}");
}
client::Event event(client::Event::Type type, Json object) { return {type, std::move(object)}; }

class CacheTest : public testing::Test {
protected:
    CacheTest() {
        cache_.listen([this](const Change& change) {
            heard_.push_back(change.key.name + (change.after ? "@" + std::to_string(revision_of(*change.after)) : "-"));
        });
        client::List list;
        list.items = {book("a", 1)};
        list.resource_version = "5";
        cache_.replace(book_kind, std::move(list));
        heard_.clear();
    }
    std::uint64_t at(const std::string& name) const {
        const auto found = cache_.find(book_kind, {"ns", name});
        return found ? revision_of(*found) : 0;
    }
    Cache cache_;
    std::vector<std::string> heard_;
};

TEST_F(CacheTest, ShowsOurOwnWriteBeforeTheWatchTellsIt) {
    cache_.fold(book_kind, book("a", 8), this);
    EXPECT_EQ(at("a"), 8U);
    cache_.event(book_kind, event(client::Event::Type::modified, book("a", 7)));
    EXPECT_EQ(at("a"), 8U) << "an older event does not undo it";
    cache_.event(book_kind, event(client::Event::Type::modified, book("a", 8)));
    cache_.event(book_kind, event(client::Event::Type::modified, book("a", 9)));
    EXPECT_EQ(heard_, (std::vector<std::string>{"a@8", "a@9"})) << "each state is told once";
}

TEST_F(CacheTest, AnAnswerThatTheWatchHasOutrunIsIgnored) {
    cache_.event(book_kind, event(client::Event::Type::modified, book("a", 9)));
    const auto newest = cache_.fold(book_kind, book("a", 8), this);
    ASSERT_TRUE(newest);
    EXPECT_EQ(revision_of(*newest), 9U);
    cache_.event(book_kind, event(client::Event::Type::deleted, book("a", 10)));
    EXPECT_FALSE(cache_.fold(book_kind, book("a", 9), this)) << "it does not rise from the dead";
    EXPECT_EQ(at("a"), 0U);
}

TEST_F(CacheTest, TheLastFinalizersRemovalIsTheEnd) {
    cache_.fold(book_kind, book("a", 8, R"(,"deletionTimestamp":"2026-01-01T00:00:00Z")"), this);
    EXPECT_EQ(at("a"), 0U);
    cache_.event(book_kind, event(client::Event::Type::modified, book("a", 7)));
    EXPECT_EQ(at("a"), 0U) << "old news";
    cache_.event(book_kind, event(client::Event::Type::deleted, book("a", 8)));
    cache_.event(book_kind, event(client::Event::Type::added, book("a", 9)));
    EXPECT_EQ(at("a"), 9U) << "another of the same name";
}

TEST_F(CacheTest, ARelistRemovesWhatIsGoneAndKeepsWhatIsNewer) {
    cache_.event(book_kind, event(client::Event::Type::added, book("b", 6)));
    cache_.fold(book_kind, book("c", 20), this);
    client::List list;
    list.items = {book("a", 12)};
    list.resource_version = "15";
    cache_.replace(book_kind, std::move(list));
    EXPECT_EQ(at("a"), 12U);
    EXPECT_EQ(at("b"), 0U);
    EXPECT_EQ(at("c"), 20U) << "made by us after the list";
}

TEST_F(CacheTest, WhatIsAskedForByAFieldIsWhatHasTheValueNow) {
    const auto on = [](const std::string& name, const std::string& shelf, int version) {
        auto out = book(name, version);
        api::make_object(out, {"spec"})["shelf"] = shelf;
        return out;
    };
    const auto oak = [&] {
        std::string out;
        for (const auto& item : cache_.all({book_kind, "ns", "", true, "spec.shelf", "oak"}))
            out += api::find_text(*item, {"metadata", "name"});
        return out;
    };
    cache_.event(book_kind, event(client::Event::Type::added, on("a", "oak", 11)));
    EXPECT_EQ(oak(), "a") << "there before anybody asked";
    cache_.event(book_kind, event(client::Event::Type::added, on("b", "oak", 12)));
    cache_.event(book_kind, event(client::Event::Type::added, on("c", "elm", 13)));
    EXPECT_EQ(oak(), "ab");
    cache_.fold(book_kind, on("a", "elm", 14), this);
    EXPECT_EQ(oak(), "b");
    cache_.event(book_kind, event(client::Event::Type::modified, on("c", "oak", 15)));
    cache_.event(book_kind, event(client::Event::Type::deleted, on("b", "oak", 16)));
    EXPECT_EQ(oak(), "c");
    EXPECT_TRUE(cache_.all({book_kind, "other", "", true, "spec.shelf", "oak"}).empty());
    EXPECT_EQ(cache_.all({book_kind, "", "", true, "spec.shelf", "elm"}).size(), 1U) << "in any namespace";
}

// --- indexes

TEST(ReferenceIndex, FindsDependentsByNameByNamespaceAndOfAll) {
    ReferenceIndex index;
    index.set("ns/one", {{book_kind, "ns", "a"}});
    index.set("ns/many", {{book_kind, "ns", ""}});
    index.set("ns/all", {{book_kind, "", ""}});
    const auto of = [&](const std::string& namespace_, const std::string& name) {
        return index.dependents({kind_id(book_kind), {namespace_, name}, {}, {}});
    };
    EXPECT_EQ(of("ns", "a"), (std::set<std::string>{"ns/one", "ns/many", "ns/all"}));
    EXPECT_EQ(of("ns", "b"), (std::set<std::string>{"ns/many", "ns/all"}));
    EXPECT_EQ(of("other", "a"), (std::set<std::string>{"ns/all"}));
    index.set("ns/one", {});
    EXPECT_EQ(of("ns", "a"), (std::set<std::string>{"ns/many", "ns/all"}));
}

ObjectPtr shelved(const std::string& shelves) {
    return std::make_shared<const Json>(
        parsed(R"({"metadata":{"namespace":"ns","name":"a"},"spec":{"shelf":)" + shelves + "}}"));
}

TEST(ReferenceIndex, ByAFieldItFindsWhoAskedForWhatTheObjectWasOrIs) {
    ReferenceIndex index;
    index.set("ns/oak", {{book_kind, "ns", "", true, "spec.shelf", "oak"}});
    index.set("ns/elm", {{book_kind, "ns", "", true, "spec.shelf", "elm"}});
    index.set("all-oak", {{book_kind, "", "", true, "spec.shelf", "oak"}});
    index.set("elsewhere", {{book_kind, "other", "", true, "spec.shelf", "oak"}});
    const auto of = [&](ObjectPtr before, ObjectPtr after) {
        return index.dependents({kind_id(book_kind), {"ns", "a"}, std::move(before), std::move(after)});
    };
    EXPECT_EQ(of({}, shelved(R"("oak")")), (std::set<std::string>{"ns/oak", "all-oak"})) << "made";
    EXPECT_EQ(of(shelved(R"("elm")"), {}), (std::set<std::string>{"ns/elm"})) << "gone";
    EXPECT_EQ(of(shelved(R"("oak")"), shelved(R"("elm")")), (std::set<std::string>{"ns/oak", "all-oak", "ns/elm"}))
        << "moved from one to the other";
    EXPECT_EQ(of({}, shelved(R"(["ash","elm"])")), (std::set<std::string>{"ns/elm"})) << "any of a list";
    EXPECT_EQ(of({}, shelved(R"([{"name":"elm"}])")), std::set<std::string>()) << "that is spec.shelf.name";
    EXPECT_EQ(of({}, shelved("7")), std::set<std::string>());
    EXPECT_EQ(index.dependents(kind_id(book_kind)).size(), 4U) << "of any Book";
    index.set("ns/elm", {});
    EXPECT_EQ(of({}, shelved(R"("elm")")), std::set<std::string>());
}

ClaimIndex::Claimant claimant(const std::string& name, const std::string& created, bool begun = false) {
    return {"Book", kind_id(book_kind), {"ns", name}, created, begun, "uid-" + name};
}

TEST(News, IsWhatAnotherMayDecideBy) {
    const auto object = [](const std::string& status) {
        std::string text = R"({"spec":{"a":1},"status":)" + status + "}";
        std::ranges::replace(text, '\'', '"');
        return parsed(text);
    };
    const struct {
        const char *before, *after, *why;
        bool news;
    } cases[] = {
        {"{'phase':'New'}", "{'phase':'Running'}", "what is found", true},
        {"{'conditions':[{'type':'Ready','status':'True','message':'a'}]}",
         "{'conditions':[{'type':'Ready','status':'False','message':'a'}]}", "how it stands", true},
        {"{'conditions':[{'type':'Ready','status':'True','message':'a'}]}",
         "{'conditions':[{'type':'Ready','status':'True','message':'b'}]}", "a message alone", false},
        {"{'objects':1,'orphans':1,'lastObserved':'a'}", "{'objects':2,'orphans':0,'lastObserved':'b'}",
         "what a backend counts", false},
        {"{'traffic':{'requests':1}}", "{'traffic':{'requests':2}}", "what visitors do", false},
        {"{'serverStates':{'up':1}}", "{'serverStates':{'up':2}}", "how many servers are up", false},
        {"{'instances':1}", "{'instances':2}", "a class counts its Instances, and all of them refer to it", false},
        {"{'instances':[{'name':'a'}]}", "{'instances':[{'name':'b'}]}", "those of a Redeployment are no count", true},
    };
    for (const auto& item : cases)
        EXPECT_EQ(runtime::tells_news(object(item.before), object(item.after)), item.news) << item.why;
}

TEST(ClaimIndex, TheOldestHoldsAndTheNextOneFollows) {
    ClaimIndex index;
    const std::vector<Claim> claims{{"title", "spec.title"}};
    index.set(claimant("young", "2026-01-02"), claims);
    EXPECT_FALSE(index.lost(claimant("young", "2026-01-02"), claims));
    const auto woken = index.set(claimant("old", "2026-01-01"), claims);
    ASSERT_EQ(woken.size(), 1U) << "who has just lost it must hear of it";
    EXPECT_EQ(woken[0].key.name, "young");
    const auto lost = index.lost(claimant("young", "2026-01-02"), claims);
    ASSERT_TRUE(lost);
    EXPECT_EQ(lost->holder.key.name, "old");
    EXPECT_EQ(index.set(claimant("old", "2026-01-01"), {}).size(), 1U);
    EXPECT_FALSE(index.lost(claimant("young", "2026-01-02"), claims));
}

TEST(ClaimIndex, OfTheSameSecondTheOneThatHasBegunHolds) {
    ClaimIndex index;
    const std::vector<Claim> claims{{"title", "spec.title"}};
    index.set(claimant("a", "2026-01-01"), claims);
    index.set(claimant("b", "2026-01-01", true), claims);
    EXPECT_EQ(index.holder("title")->key.name, "b");
    index.set(claimant("a", "2026-01-01", true), claims);
    EXPECT_EQ(index.holder("title")->key.name, "a") << "then the uid decides, always the same way";
}

TEST(ClaimIndex, TellsNothingOfOtherTenants) {
    EXPECT_EQ(held_by(claimant("a", ""), "ns"), "Book \"a\"");
    EXPECT_EQ(held_by(claimant("a", ""), "else").find("a\""), std::string::npos);
}

}  // namespace
}  // namespace ocim::runtime
