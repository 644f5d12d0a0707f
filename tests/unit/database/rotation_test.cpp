#include "database/rotation.hpp"

#include "base/random.hpp"
#include "database/job.hpp"
#include "database/mysql_sql.hpp"
#include "runtime/base64.hpp"
#include "runtime/rotation.hpp"
#include "unit/database/sample.hpp"

#include <gtest/gtest.h>
#include <algorithm>

namespace ocim::database {
namespace {

using Object = crd::DatabaseTenant;
using Edits = std::vector<runtime::SecretEdit>;
using Texts = std::map<std::string, std::string>;

const Key account{Key::Kind::user, "wiki", "%", ""};

WallTime at(const char* time) { return *parse_rfc3339(time); }

Object object_with(const std::optional<std::string>& every, const std::string& rotate_at) {
    auto out = test::tenant();
    out.spec.users.resize(1);
    out.spec.users[0].rotation = Object::Spec::User::Rotation{every, "2h"};
    if (!rotate_at.empty()) out.metadata.annotations[std::string(runtime::rotate_at_annotation)] = rotate_at;
    return out;
}

runtime::Inputs inputs_with(const Texts& texts, const char* now) {
    auto secret = test::secret("tools", "wiki-db", texts);
    api::make_object(secret, {"metadata"})["creationTimestamp"] = "2026-06-01T00:00:00Z";
    runtime::Inputs out;
    out.installation = "lab";
    out.now = at(now);
    out.add(std::move(secret));
    return out;
}

Snapshot server_with(const std::string& first, const std::string& second, Engine engine = Engine::mysql) {
    Snapshot out;
    auto& thing = out[account];
    thing.mark = runtime::Mark{"lab", "tools/wiki", "uid-1", false};
    thing.hash = mysql::native_hash(Secret(first));
    if (!second.empty()) thing.second_hash = mysql::native_hash(Secret(second));
    if (engine == Engine::postgresql) {
        thing.login = Thing::Login::salted;
        thing.fingerprint = "";
        out[{Key::Kind::server, "", "", ""}].engine = engine;
    }
    return out;
}

std::string words(const Edits& edits) {
    std::string out;
    for (const auto& edit : edits) {
        for (const auto& [key, form] : edit.draw) out += "draw " + key + ";";
        for (const auto& [key, from] : edit.copy) out += from + " to " + key + ";";
        for (const auto& key : edit.drop) out += "drop " + key + ";";
        for (const auto& [key, text] : edit.text) out += key + "=" + text + ";";
    }
    return out;
}

TEST(PasswordRotation, TakesOneStepAtATime) {
    const char* const noon = "2026-07-01T12:00:00Z";
    const std::string promoted =
        "password.next to password;password to password.previous;drop password.next;"
        "password.previous-until=2026-07-01T14:00:00Z;password.rotated-at=2026-07-01T12:00:00Z;";
    const Texts overlapping{{"password", "b"}, {"password.previous", "a"}, {"password.rotated-at", noon}};
    const struct {
        const char* reason;
        std::optional<std::string> every;
        std::string rotate_at;
        Texts texts;
        const char* now;
        Snapshot seen;
        std::string steps;
    } cases[] = {
        {"nobody asks", {}, "", {{"password", "a"}}, noon, server_with("a", ""), ""},
        {"older than it may be",
         "732h",
         "",
         {{"password", "a"}},
         noon,
         server_with("a", ""),
         "draw password.next;password.next-due=2026-07-01T12:00:00Z;"},
        {"not yet so old", "733h", "", {{"password", "a"}}, noon, server_with("a", ""), ""},
        {"older than the time asked for",
         {},
         noon,
         {{"password", "a"}},
         noon,
         server_with("a", ""),
         "draw password.next;password.next-due=2026-07-01T12:00:00Z;"},
        {"a time to come", {}, "2026-07-01T12:00:01Z", {{"password", "a"}}, noon, server_with("a", ""), ""},
        {"no time", {}, "now", {{"password", "a"}}, noon, server_with("a", ""), ""},
        {"asked for, but replaced since",
         {},
         "2026-07-01T11:00:00Z",
         {{"password", "a"}, {"password.rotated-at", "2026-07-01T11:30:00Z"}},
         noon,
         server_with("a", ""),
         ""},
        {"the server lets in both",
         {},
         noon,
         {{"password", "a"}, {"password.next", "b"}},
         noon,
         server_with("a", "b"),
         promoted},
        {"the clock of who goes on is behind that of who drew it: no older than what was asked for",
         {},
         noon,
         {{"password", "a"}, {"password.next", "b"}, {"password.next-due", noon}},
         "2026-07-01T11:59:00Z",
         server_with("a", "b"),
         "password.next to password;password to password.previous;drop password.next;drop password.next-due;"
         "password.previous-until=2026-07-01T13:59:00Z;password.rotated-at=2026-07-01T12:00:00Z;"},
        {"a part of a second makes it no older",
         {},
         "2026-07-01T12:00:00.5Z",
         {{"password", "a"}, {"password.rotated-at", noon}},
         "2026-07-01T12:00:00.7Z",
         server_with("a", ""),
         ""},
        {"in another order",
         {},
         noon,
         {{"password", "a"}, {"password.next", "b"}},
         noon,
         server_with("b", "a"),
         promoted},
        {"the server does not know the new one",
         {},
         noon,
         {{"password", "a"}, {"password.next", "b"}},
         noon,
         server_with("a", ""),
         ""},
        {"the server knows the new one only",
         {},
         noon,
         {{"password", "a"}, {"password.next", "b"}},
         noon,
         server_with("b", ""),
         ""},
        {"the overlap lasts", {}, "", overlapping, "2026-07-01T13:59:59Z", server_with("b", "a"), ""},
        {"the overlap is over",
         {},
         "",
         overlapping,
         "2026-07-01T14:00:00Z",
         server_with("b", "a"),
         "drop password.previous;"},
        {"due again within the overlap", "1h", "", overlapping, "2026-07-01T13:30:00Z", server_with("b", "a"), ""},
        {"somebody else's overlap",
         {},
         "",
         {{"password", "b"}, {"password.previous", "a"}},
         "2027-01-01T00:00:00Z",
         server_with("b", "a"),
         ""},
        {"nobody knows since when the former one is let in",
         {},
         "",
         {{"password", "b"}, {"password.previous", "a"}, {"password.rotated-at", "in spring"}},
         "2027-01-01T00:00:00Z",
         server_with("b", "a"),
         ""},
        {"nobody knows how old it is",
         "1h",
         noon,
         {{"password", "a"}, {"password.rotated-at", "in spring"}},
         noon,
         server_with("a", ""),
         ""},
    };
    for (const auto& c : cases)
        EXPECT_EQ(words(Tenant::renewals(object_with(c.every, c.rotate_at), inputs_with(c.texts, c.now), c.seen)),
                  c.steps)
            << c.reason;
}

TEST(PasswordRotation, KeepsItsPromiseWhenNobodyAsksForItAnyMore) {
    const struct {
        const char *reason, *now, *steps;
    } cases[] = {
        {"an hour has passed", "2026-07-01T13:00:00Z", ""},
        {"the last second", "2026-07-02T11:59:59Z", ""},
        {"it is over", "2026-07-02T12:00:00Z", "drop password.previous;drop password.previous-until;"},
    };
    const Texts texts{{"password", "b"},
                      {"password.previous", "a"},
                      {"password.previous-until", "2026-07-02T12:00:00Z"},
                      {"password.rotated-at", "2026-07-01T12:00:00Z"}};
    auto object = object_with({}, "");
    object.spec.users[0].rotation.reset();
    for (const auto& c : cases)
        EXPECT_EQ(words(Tenant::renewals(object, inputs_with(texts, c.now), server_with("b", "a"))), c.steps)
            << c.reason;
    EXPECT_EQ(next_renewal(object, inputs_with(texts, "2026-07-02T11:00:00Z"), Engine::mysql), std::chrono::hours(1));
    object = object_with({}, "");
    EXPECT_NE(words(Tenant::renewals(object, inputs_with(texts, "2026-07-01T14:00:00Z"), server_with("b", "a"))), "")
        << "who says another overlap may shorten it";
}

TEST(PasswordRotation, WaitsUntilTheAccountIsOurs) {
    const auto object = object_with("1h", "");
    const auto inputs = inputs_with({{"password", "a"}}, "2026-07-01T12:00:00Z");
    auto seen = server_with("a", "");
    EXPECT_EQ(Tenant::renewals(object, inputs, {}), Edits{}) << "not there";
    seen.at(account).mark.reset();
    EXPECT_EQ(Tenant::renewals(object, inputs, seen), Edits{}) << "a stranger's";
    seen = server_with("a", "");
    ASSERT_NE(Tenant::renewals(object, inputs, seen), Edits{});
    seen[{Key::Kind::schema, object.spec.databases.at(0).name, "", ""}];
    EXPECT_EQ(Tenant::renewals(object, inputs, seen), Edits{})
        << "a stranger's database: nothing is done, so nothing begins";
    auto wrong = object;
    wrong.spec.users[0].grants[0].database = "finance";
    EXPECT_EQ(Tenant::renewals(wrong, inputs, server_with("a", "")), Edits{}) << "a right to what is not in the list";
}

TEST(PasswordRotation, WakesForWhatTimeAloneMakesDue) {
    const struct {
        const char* reason;
        const char* now;
        std::optional<Duration> in;
    } cases[] = {
        {"an hour before", "2026-06-02T00:00:00Z", Duration(3'600'000)},
        {"a step that is due and does not come waits for something else", "2026-06-02T02:00:00Z", std::nullopt},
    };
    for (const auto& c : cases)
        EXPECT_EQ(next_renewal(object_with("25h", ""), inputs_with({{"password", "a"}}, c.now), Engine::mysql), c.in)
            << c.reason;
}

TEST(PasswordRotation, ReplacesAtOnceWhereAnAccountHasOnePassword) {
    auto seen = server_with("", "", Engine::postgresql);
    seen.at(account).hash = "SCRAM";
    seen.at(account).fingerprint = fingerprint("SCRAM", Secret("a"));
    EXPECT_EQ(
        words(Tenant::renewals(object_with("1h", ""), inputs_with({{"password", "a"}}, "2026-07-01T12:00:00Z"), seen)),
        "draw password;password.rotated-at=2026-07-01T12:00:00Z;");
}

TEST(PasswordRotation, LetsInBothWhileItLasts) {
    const auto object = object_with({}, "");
    const struct {
        const char* reason;
        Texts texts;
        Snapshot seen;
        bool acts;
        const char* second;
    } cases[] = {
        {"a new one is coming", {{"password", "a"}, {"password.next", "b"}}, server_with("a", ""), true, "b"},
        {"it is let in", {{"password", "a"}, {"password.next", "b"}}, server_with("a", "b"), false, ""},
        {"it has come", {{"password", "b"}, {"password.previous", "a"}}, server_with("a", "b"), false, ""},
        {"the overlap is over", {{"password", "b"}}, server_with("a", "b"), true, ""},
        {"somebody added one", {{"password", "a"}}, server_with("a", "x"), true, ""},
        {"twice the same", {{"password", "a"}, {"password.next", "a"}}, server_with("a", ""), false, ""},
    };
    for (const auto& c : cases) {
        const auto actions = Tenant::diff(object, inputs_with(c.texts, "2026-07-01T12:00:00Z"), c.seen);
        const auto found = std::ranges::find(actions, Action::Verb::alter_user, &Action::verb);
        ASSERT_EQ(found != actions.end(), c.acts) << c.reason;
        if (!c.acts) continue;
        EXPECT_EQ(found->password.reveal(), c.texts.at("password")) << c.reason;
        EXPECT_EQ(found->second ? found->second->reveal() : "", c.second) << c.reason;
    }
}

TEST(PasswordRotation, WakesForWhatTimeAloneBringsAbout) {
    const auto* const noon = "2026-07-01T12:00:00Z";
    const Texts waits{{"password", "b"}, {"password.previous", "a"}, {"password.rotated-at", noon}};
    const struct {
        const char* reason;
        std::optional<std::string> every, overlap;
        Texts texts;
        const char* now;
        std::optional<Duration> wakes;
    } cases[] = {
        {"the end of the overlap", {}, "2h", waits, noon, std::chrono::hours(2)},
        {"it is over, and the step did not come: that waits for something else",
         {},
         "2h",
         waits,
         "2026-07-01T14:00:00Z",
         std::nullopt},
        {"an overlap that cannot be read has no end", {}, "a while", waits, noon, std::nullopt},
        {"too old for long, and the step did not come",
         "1h",
         {},
         {{"password", "a"}, {"password.rotated-at", "2026-06-01T12:00:00Z"}},
         noon,
         std::nullopt},
        {"old enough soon",
         "1h",
         {},
         {{"password", "a"}, {"password.rotated-at", "2026-07-01T11:30:00Z"}},
         noon,
         std::chrono::minutes(30)},
        {"not before a second has passed",
         "1h",
         {},
         {{"password", "a"}, {"password.rotated-at", "2026-07-01T11:00:00.001Z"}},
         noon,
         std::chrono::seconds(1)},
        {"an age that cannot be read", "1h", {}, {{"password", "a"}, {"password.rotated-at", "once"}}, noon, {}},
    };
    for (const auto& c : cases) {
        runtime::Rotation rotation{"tools", {"wiki-db", "password"}};
        rotation.every = c.every;
        rotation.overlap = c.overlap;
        EXPECT_EQ(runtime::next_step_in({rotation}, inputs_with(c.texts, c.now)), c.wakes) << c.reason;
    }
    runtime::Rotation unreadable{"tools", {"wiki-db", "password"}};
    unreadable.overlap = "a while";
    EXPECT_FALSE(runtime::next_step(unreadable, inputs_with(waits, "2027-01-01T00:00:00Z"))) << "nothing is dropped";
}

TEST(PasswordRotation, WritesWhatItSaysAndNothingElse) {
    auto random = make_seeded_random(1);
    auto secret = test::secret("tools", "wiki-db", {{"password", "a"}, {"password.next", "b"}, {"other", "c"}});
    api::make_object(secret, {"metadata"})["resourceVersion"] = "7";
    runtime::SecretEdit edit;
    edit.name = "wiki-db";
    edit.copy = {{"password", "password.next"}, {"password.previous", "password"}};
    edit.drop = {"password.next"};
    const auto patch = runtime::patch_of({edit}, secret, *random);
    ASSERT_TRUE(patch);
    EXPECT_EQ(api::find_text(*patch, {"metadata", "resourceVersion"}), "7");
    EXPECT_EQ(api::find_text(*patch, {"data", "password"}), runtime::base64("b"));
    EXPECT_EQ(api::find_text(*patch, {"data", "password.previous"}), runtime::base64("a"));
    EXPECT_TRUE(api::find(*patch, {"data", "password.next"})->is_null());
    EXPECT_EQ(api::find(*patch, {"data", "other"}), nullptr);
    edit.copy = {{"password", "gone"}};
    EXPECT_FALSE(runtime::patch_of({edit}, secret, *random));
}

TEST(PasswordRotation, WhoIsLetInWithTwoIsToldOnceThatIsSeen) {
    const struct {
        const char* reason;
        Texts texts;
        Snapshot seen;
        std::vector<std::string> told;
    } cases[] = {
        {"one", {{"password", "a"}}, server_with("a", ""), {}},
        {"not yet", {{"password", "a"}, {"password.next", "b"}}, server_with("a", ""), {}},
        {"not that one", {{"password", "a"}, {"password.next", "b"}}, server_with("a", "c"), {}},
        {"both", {{"password", "a"}, {"password.next", "b"}}, server_with("a", "b"), {"wiki@%: wiki-db/password.next"}},
        {"the former one",
         {{"password", "b"}, {"password.previous", "a"}},
         server_with("a", "b"),
         {"wiki@%: wiki-db/password.previous"}},
        {"still, and not wanted", {{"password", "b"}}, server_with("a", "b"), {}},
        {"an account has one there",
         {{"password", "a"}, {"password.next", "b"}},
         server_with("a", "", Engine::postgresql),
         {}},
        {"no account", {{"password", "a"}, {"password.next", "b"}}, {}, {}},
    };
    for (const auto& c : cases)
        EXPECT_EQ(Tenant::report(object_with({}, ""), inputs_with(c.texts, "2026-07-01T12:00:00Z"), c.seen)
                      .status.second_passwords,
                  c.told)
            << c.reason;
}

}  // namespace
}  // namespace ocim::database
