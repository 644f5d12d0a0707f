#include "cli/standing.hpp"

#include "cli/difference.hpp"

#include <gtest/gtest.h>

#include <algorithm>

using namespace ocim;
using namespace ocim::cli;
using namespace std::chrono_literals;

namespace {

api::Json json(std::string text) {
    std::ranges::replace(text, '\'', '"');
    auto parsed = api::parse_json(text);
    EXPECT_TRUE(parsed) << text;
    return parsed ? std::move(parsed->value) : api::Json();
}

api::Json record(const std::string& conditions) {
    return json(
        "{'apiVersion':'ocim.opencraft.com/v1alpha1','kind':'DNSRecord','metadata':{'name':'www'},'status':"
        "{'conditions':[" +
        conditions + "]}}");
}

Standing with(std::string reason, bool stalled = false, bool paused = false) {
    Standing out;
    out.reason = std::move(reason);
    out.stalled = stalled;
    out.paused = paused;
    return out;
}

Standing since(Standing standing, WallTime at) {
    standing.since = at;
    return standing;
}

const WallTime noon = *parse_rfc3339("2026-11-23T12:00:00Z");

TEST(Standing, OfConditions) {
    const auto ready = standing_of(record("{'type':'Ready','status':'True','reason':'Served'}"));
    EXPECT_TRUE(ready.ready);
    const auto stalled =
        standing_of(record("{'type':'Ready','status':'False','reason':'NotOwned','message':'no',"
                           "'lastTransitionTime':'2026-11-23T11:00:00Z'},"
                           "{'type':'Stalled','status':'True'}"));
    EXPECT_FALSE(stalled.ready);
    EXPECT_TRUE(stalled.stalled);
    EXPECT_EQ(stalled.reason + ": " + stalled.message, "NotOwned: no");
    EXPECT_EQ(stalled.since, noon - 1h);
    EXPECT_EQ(standing_of(json("{'apiVersion':'ocim.opencraft.com/v1alpha1','kind':'Cloud'}")).reason,
              "NotLookedAtYet");
    EXPECT_TRUE(standing_of(json("{'apiVersion':'v1','kind':'Secret'}")).ready) << "it is enough that it is there";
}

TEST(Standing, TheLastCallIsTheNewestThatWasOne) {
    const auto events = json(
        "{'items':["
        "{'reason':'Created','message':'make','eventTime':'2026-11-23T11:50:00.000000Z','involvedObject':{'uid':'u'}},"
        "{'reason':'ActionFailed','message':'make: "
        "quota','eventTime':'2026-11-23T11:40:00Z','involvedObject':{'uid':'u'},"
        "'series':{'count':4,'lastObservedTime':'2026-11-23T11:59:50.000000Z'}},"
        "{'reason':'Paused','message':'p','eventTime':'2026-11-23T11:59:59Z','involvedObject':{'uid':'u'}},"
        "{'reason':'Created','message':'of "
        "another','eventTime':'2026-11-23T11:59:59Z','involvedObject':{'uid':'v'}}]}");
    const auto last = last_call(events, "u");
    ASSERT_TRUE(last);
    EXPECT_EQ(last->what, "make: quota");
    EXPECT_TRUE(last->failed);
    EXPECT_EQ(last->times, 4);
    EXPECT_EQ(last->at, noon - 10s);
    EXPECT_FALSE(last_call(events, "w"));
}

TEST(Standing, NextTryAndWhoMustAct) {
    const LastCall failed{noon - 10s, true, "make: quota", 4};
    const struct {
        const char* reason;
        Standing standing;
        std::optional<LastCall> last;
        bool waits;
        const char *next, *who;
    } cases[] = {
        {"paused goes before all", with("", true, true), failed, true, "none while it is paused",
         "whoever paused it: ocim resume dns/www"},
        {"only its author can help", with("Refused", true), failed, false,
         "none until its spec, what it refers to, or what is there changes",
         "whoever declared this: the backend refuses it as it is; correct its spec"},
        {"the backend's", with("BackendAuthFailed"), std::nullopt, true,
         "as soon as the backend answers: it is asked every few seconds", "whoever runs DNSZone z"},
        {"after four failures in 16 s at most", with("ProgressingWithRetry"), failed, false, "within 6s, by itself",
         "nobody: it goes on by itself"},
        {"long ago", with("ProgressingWithRetry"), LastCall{noon - 1h, true, "x", 1}, false, "at any moment",
         "nobody: it goes on by itself"},
        {"credentials do not mend themselves", with("AuthenticationFailed"), std::nullopt, false,
         "by itself, as it goes on",
         "whoever declared this: the repository refuses us; correct the Secret of credentialsRef"},
        {"for too long", since(with("Progressing"), noon - 11min), std::nullopt, false, "by itself, as it goes on",
         "a person, as it takes too long: see what it says above, and its last call"},
        {"not yet too long", since(with("Progressing"), noon - 10min), std::nullopt, false, "by itself, as it goes on",
         "nobody: it goes on by itself"},
        {"others first", with("Waiting"), std::nullopt, true, "as soon as what it waits on changes",
         "nobody here: see what it waits on"},
    };
    for (const auto& c : cases) {
        EXPECT_EQ(next_try(c.standing, c.last, c.waits, noon), c.next) << c.reason;
        EXPECT_EQ(who_must_act(c.standing, c.waits, "DNSZone z", "dns/www", noon), c.who) << c.reason;
    }
}

TEST(Standing, WhatIsNotReadyForTenMinutesIsOverdue) {
    const auto long_ago = noon - 10min - 1s;
    auto ready = since(with("Served"), long_ago);
    ready.ready = true;
    EXPECT_TRUE(is_overdue(since(with("Progressing"), long_ago), noon));
    EXPECT_FALSE(is_overdue(since(with("Progressing"), noon - 10min), noon));
    EXPECT_FALSE(is_overdue(since(with("", false, true), long_ago), noon)) << "somebody paused it";
    EXPECT_FALSE(is_overdue(with("Progressing"), noon)) << "nobody knows since when";
    EXPECT_FALSE(is_overdue(ready, noon));
}

TEST(Difference, NamesFieldsAndHidesWhatASecretHolds) {
    const auto before = json(
        "{'kind':'DNSRecord','metadata':{'name':'a','resourceVersion':'1','labels':{'x':'1'}},"
        "'spec':{'values':['1'],'ttl':5},'status':{'served':1}}");
    const auto after = json(
        "{'kind':'DNSRecord','metadata':{'name':'a','resourceVersion':'2','generation':3},"
        "'spec':{'values':['2'],'ttl':5,'extra':{'deep':true}},'status':{'served':2}}");
    const std::vector<FieldChange> expected{
        {"metadata.labels.x", "\"1\"", ""}, {"spec.values", "[\"1\"]", "[\"2\"]"}, {"spec.extra.deep", "", "true"}};
    EXPECT_EQ(differences(before, after), expected);
    const auto secret = differences(json("{'kind':'Secret','metadata':{'name':'a'},'data':{'a':'b25l','b':'b25l'}}"),
                                    json("{'kind':'Secret','metadata':{'name':'a'},'data':{'a':'dHdv','c':'dHdv'}}"));
    const std::vector<FieldChange> hidden{
        {"data.a", "(hidden)", "(hidden)"}, {"data.b", "(hidden)", ""}, {"data.c", "", "(hidden)"}};
    EXPECT_EQ(secret, hidden);
    EXPECT_TRUE(differences(before, before).empty());
}

}  // namespace
