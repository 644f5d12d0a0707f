#include "messaging/accounts.hpp"
#include "unit/messaging/sample.hpp"

#include <gtest/gtest.h>
#include <algorithm>

/// Two users take turns, because the broker has one password a user.
namespace ocim::messaging {
namespace {

using Kind = Key::Kind;
using Object = crd::RabbitMQVhost;
using Texts = std::map<std::string, std::string>;

const char* const noon = "2026-07-01T12:00:00Z";

Object declared(const std::optional<std::string>& every = {}) {
    auto out = test::vhost();
    out.spec.users.resize(1);
    out.spec.users[0].name = "jobs";
    out.spec.users[0].password_ref = {"jobs", "password"};
    out.spec.users[0].rotation = DeclaredUser::Rotation{every, "2h"};
    return out;
}
runtime::Inputs inputs(const Texts& texts, const char* now = noon) {
    auto secret = test::secret("campus", "jobs", texts);
    api::make_object(secret, {"metadata"})["creationTimestamp"] = "2026-06-01T00:00:00Z";
    runtime::Inputs out;
    out.installation = "lab";
    out.now = *parse_rfc3339(now);
    out.add(std::move(secret));
    return out;
}
/// The broker as it is once what `texts` say is done.
Snapshot in_sync(const Object& object, const Texts& texts) {
    Snapshot out;
    for (const auto& action : Vhost::diff(object, inputs(texts), out)) {
        auto& thing = out[action.key] = action.thing;
        if (!action.password) continue;
        thing.algorithm = hash_algorithm;
        thing.hash = hash_of(*action.password, "salt");
    }
    return out;
}
std::vector<std::string> users(const Snapshot& seen) {
    std::vector<std::string> out;
    for (const auto& [key, thing] : seen)
        if (key.kind == Kind::user) out.push_back(key.name);
    return out;
}
/// "draw a;b to c;drop d;e=f;"
std::string words(const std::vector<runtime::SecretEdit>& edits) {
    std::string out;
    for (const auto& edit : edits) {
        for (const auto& [key, form] : edit.draw) out += "draw " + key + ";";
        for (const auto& [key, from] : edit.copy) out += from + " to " + key + ";";
        for (const auto& key : edit.drop) out += "drop " + key + ";";
        for (const auto& [key, text] : edit.text) out += key + "=" + text + ";";
    }
    return out;
}

TEST(RabbitMQRotation, StepTable) {
    const Texts first{{"password", "a"}, {"password.username", "jobs"}};
    auto drawn = first, turned = first;
    drawn["password.next"] = "b";
    turned = {
        {"password", "b"}, {"password.username", "jobs-2"}, {"password.previous", "a"}, {"password.rotated-at", noon}};
    auto over = turned;
    over.erase("password.previous");
    auto back = over;
    back["password.next"] = "c";
    using Names = std::vector<std::string>;
    const struct {
        const char* reason;
        std::optional<std::string> every;
        Texts texts;
        const char* now;
        Names users;
        std::string steps;
    } cases[] = {
        {"clients are told from the beginning whose password it is",
         {},
         {{"password", "a"}},
         noon,
         {"jobs"},
         "password.username=jobs;"},
        {"nobody asks", {}, first, noon, {"jobs"}, ""},
        {"too old", "1h", first, noon, {"jobs"}, "draw password.next;password.next-due=2026-06-01T01:00:00Z;"},
        {"the other one stands",
         "1h",
         drawn,
         noon,
         {"jobs", "jobs-2"},
         "password.next to password;password to password.previous;drop password.next;"
         "password.previous-until=2026-07-01T14:00:00Z;password.rotated-at=2026-07-01T12:00:00Z;"
         "password.username=jobs-2;"},
        {"the overlap lasts", "1h", turned, "2026-07-01T13:59:59Z", {"jobs", "jobs-2"}, ""},
        {"the overlap is over", "1h", turned, "2026-07-01T14:00:00Z", {"jobs", "jobs-2"}, "drop password.previous;"},
        {"one is left", "4h", over, "2026-07-01T14:00:00Z", {"jobs-2"}, ""},
        {"and back",
         "1h",
         back,
         "2026-07-02T12:00:00Z",
         {"jobs", "jobs-2"},
         "password.next to password;password to password.previous;drop password.next;"
         "password.previous-until=2026-07-02T14:00:00Z;password.rotated-at=2026-07-02T12:00:00Z;"
         "password.username=jobs;"},
    };
    for (const auto& c : cases) {
        const auto object = declared(c.every);
        const auto now = inputs(c.texts, c.now);
        const auto seen = in_sync(object, c.texts);
        EXPECT_TRUE(Vhost::diff(object, now, seen).empty()) << c.reason;
        EXPECT_EQ(users(seen), c.users) << c.reason;
        EXPECT_EQ(words(Vhost::renewals(object, now, seen)), c.steps) << c.reason;
        EXPECT_EQ(words(Vhost::renewals(object, now, {})), "") << "not before it stands: " << c.reason;
    }
}

TEST(RabbitMQRotation, TheFormerUserGoesWhenTheOverlapIsOver) {
    const Texts turned{{"password", "b"}, {"password.username", "jobs-2"}, {"password.previous", "a"}};
    auto over = turned;
    over.erase("password.previous");
    const auto object = declared();
    const auto actions = Vhost::diff(object, inputs(over), in_sync(object, turned));
    ASSERT_EQ(actions.size(), 1u);
    EXPECT_EQ(Vhost::describe(actions[0]), "delete user jobs");
    EXPECT_EQ(actions[0].gone_too.size(), 1u) << "with its permission";
}

TEST(RabbitMQRotation, NobodyGoesWhileTheSecretIsEmpty) {
    const Texts turned{{"password", "b"}, {"password.username", "jobs-2"}, {"password.previous", "a"}};
    const auto object = declared();
    EXPECT_TRUE(Vhost::diff(object, inputs({}), in_sync(object, turned)).empty()) << "which is in use is not known";
    EXPECT_EQ(Vhost::report(object, inputs({}), in_sync(object, turned)).verdict.reason, "PasswordMissing");
}

TEST(RabbitMQRotation, WhoIsInUseStaysWhenNobodyAsksForTurnsAnyMore) {
    using Names = std::vector<std::string>;
    const Texts in_use{{"password", "b"}, {"password.username", "jobs-2"}, {"password.rotated-at", noon}};
    auto overlap = in_use, overlap_back = in_use, begun = in_use, back = in_use;
    overlap["password.previous"] = overlap_back["password.previous"] = "a";
    overlap_back["password.username"] = back["password.username"] = "jobs";
    begun["password.next"] = "c";
    const struct {
        const char* reason;
        Texts texts;
        Names users;
        std::string steps;
    } cases[] = {
        {"the second is in use: both are let in", in_use, {"jobs", "jobs-2"}, ""},
        {"the first is let in by its former password", overlap, {"jobs", "jobs-2"}, ""},
        {"the second is let in by its former password", overlap_back, {"jobs", "jobs-2"}, ""},
        {"what was begun ends",
         begun,
         {"jobs", "jobs-2"},
         "password.next to password;password to password.previous;drop password.next;"
         "password.previous-until=2026-07-01T13:00:00Z;password.rotated-at=2026-07-01T12:00:00Z;"
         "password.username=jobs;"},
        {"the first is in use again", back, {"jobs"}, ""},
        {"turns were never taken", {{"password", "a"}, {"password.next", "b"}}, {"jobs"}, ""},
        {"another's keys", {{"password", "a"}, {"password.username", "web"}, {"password.next", "b"}}, {"jobs"}, ""},
    };
    for (const auto& c : cases) {
        auto object = declared("1h");
        auto seen = in_sync(object, c.texts);
        object.spec.users[0].rotation.reset();
        for (int visit = 0; visit < 2; ++visit)
            for (const auto& action : Vhost::diff(object, inputs(c.texts), seen)) {
                if (action.verb == Action::Verb::delete_) {
                    EXPECT_EQ(std::ranges::count(c.users, action.key.name), 0) << c.reason;
                    seen.erase(action.key);
                    for (const auto& key : action.gone_too) seen.erase(key);
                    continue;
                }
                auto& thing = seen[action.key] = action.thing;
                if (!action.password) continue;
                thing.algorithm = hash_algorithm;
                thing.hash = hash_of(*action.password, "salt");
            }
        EXPECT_TRUE(Vhost::diff(object, inputs(c.texts), seen).empty()) << c.reason;
        EXPECT_EQ(users(seen), c.users) << c.reason;
        for (const auto& name : c.users)
            if (name == "jobs" && c.texts == in_use)
                EXPECT_TRUE(fits(seen.at({Kind::user, "", name}), Secret("b"))) << "by the password that there is";
        EXPECT_EQ(words(Vhost::renewals(object, inputs(c.texts), seen)), c.steps) << c.reason;
    }
    auto object = declared();
    const auto seen = in_sync(object, overlap);
    object.spec.users[0].rotation.reset();
    EXPECT_TRUE(Vhost::diff(object, inputs({}), seen).empty()) << "an empty Secret says nothing of who is in use";
    object.spec.users.push_back(object.spec.users[0]);
    object.spec.users[1].name = "jobs-2";
    EXPECT_EQ(accounts_of(object, object.spec.users[0], inputs(in_use)).size(), 1u) << "declared by itself now";
}

TEST(RabbitMQRotation, WhatWasPromisedHoldsWhenNobodyAsksForTurnsAnyMore) {
    const struct {
        const char *reason, *in_use, *until, *now, *steps;
    } cases[] = {
        {"the second is in use", "jobs-2", "2026-07-02T12:00:00Z", "2026-07-01T14:00:00Z", ""},
        {"the first is in use", "jobs", "2026-07-02T12:00:00Z", "2026-07-02T11:59:59Z", ""},
        {"it ends", "jobs", "2026-07-02T12:00:00Z", "2026-07-02T12:00:00Z",
         "drop password.previous;drop password.previous-until;"},
        {"it cannot be read: nothing is dropped", "jobs-2", "in spring", "2027-07-02T12:00:00Z", ""},
        {"an earlier version did not say it: an hour", "jobs-2", "", "2026-07-01T13:00:00Z", "drop password.previous;"},
    };
    for (const auto& c : cases) {
        Texts texts{{"password", "b"},
                    {"password.username", c.in_use},
                    {"password.previous", "a"},
                    {"password.rotated-at", noon}};
        if (*c.until) texts["password.previous-until"] = c.until;
        auto object = declared();
        const auto seen = in_sync(object, texts);
        object.spec.users[0].rotation.reset();
        const auto now = inputs(texts, c.now);
        EXPECT_TRUE(Vhost::diff(object, now, seen).empty()) << c.reason;
        EXPECT_EQ(words(Vhost::renewals(object, now, seen)), c.steps) << c.reason;
    }
    const Texts texts{{"password", "b"},
                      {"password.username", "jobs-2"},
                      {"password.previous", "a"},
                      {"password.previous-until", "2026-07-02T12:00:00Z"},
                      {"password.rotated-at", noon}};
    const auto object = declared();
    EXPECT_EQ(words(Vhost::renewals(object, inputs(texts, "2026-07-01T14:00:00Z"), in_sync(object, texts))),
              "drop password.previous;drop password.previous-until;")
        << "who says another overlap may shorten it";
}

TEST(RabbitMQRotation, NothingBeginsWhereNothingIsDone) {
    const Texts texts{{"password", "a"}, {"password.username", "jobs"}};
    auto object = declared("1h");
    const auto seen = in_sync(object, texts);
    ASSERT_EQ(words(Vhost::renewals(object, inputs(texts), seen)),
              "draw password.next;password.next-due=2026-06-01T01:00:00Z;");
    auto anothers = seen;
    anothers[{Kind::policy, "/demo", "bounded"}];
    object.spec.policies = test::full(test::vhost()).spec.policies;
    EXPECT_EQ(words(Vhost::renewals(object, inputs(texts), anothers)), "") << "somebody else's policy";
    object = declared("1h");
    object.spec.users.push_back(object.spec.users[0]);
    object.spec.users[1].name = "others";
    auto both = seen;
    both[{Kind::user, "", "others"}] = both.at({Kind::user, "", "jobs"});
    EXPECT_EQ(words(Vhost::renewals(object, inputs(texts), both)), "") << "a spec that is wrong: one password of two";
}

TEST(RabbitMQRotation, ClaimsBothNames) {
    auto object = declared();
    ASSERT_EQ(Vhost::claims(object).size(), 3u);
    EXPECT_EQ(Vhost::claims(object)[2].key, "messaging/rabbit1/user/jobs-2");
    object.spec.users.push_back(object.spec.users[0]);
    object.spec.users[1].name = "jobs-2";
    object.spec.users[1].rotation.reset();
    EXPECT_EQ(Vhost::admit(object, nullptr, {}).size(), 2u) << "one name twice, and one password of two users";
    object.spec.users[1].name = "Other_one";
    object.spec.users[1].password_ref.reset();
    EXPECT_TRUE(Vhost::admit(object, nullptr, {}).empty());
    EXPECT_EQ(secret_ref(object, object.spec.users[1]), (api::SecretKeyRef{"demo.other-one", "password"}));
}

}  // namespace
}  // namespace ocim::messaging
