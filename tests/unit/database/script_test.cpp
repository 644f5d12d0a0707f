#include "database/script.hpp"

#include "database/mysql_script.hpp"
#include "unit/database/sample.hpp"

#include <gtest/gtest.h>

namespace ocim::database {
namespace {

using Phase = crd::DatabaseScript::Status::Phase;
using State = ScriptRun::State;
using Verdict = runtime::Verdict::State;

crd::DatabaseScript object(std::optional<Phase> phase = std::nullopt, std::int32_t status_round = 1,
                           std::int32_t round = 1) {
    crd::DatabaseScript out;
    out.metadata.name = "up-demo";
    out.metadata.namespace_ = "tools";
    out.metadata.uid = "uid-1";
    out.spec.server_ref.name = "mysql1";
    out.spec.database = "wiki_main";
    out.spec.username = "wiki";
    out.spec.password_ref = {"wiki-db", "password"};
    out.spec.script_id = "up.demo";
    out.spec.statements = {"SELECT 1", "SELECT 2"};
    out.spec.round = round;
    out.status.phase = phase;
    if (phase) out.status.round = status_round;
    return out;
}

TEST(DatabaseScript, RunsTillItIsOverAndNotAgain) {
    const struct {
        const char* reason;
        crd::DatabaseScript object;
        ScriptRuns seen;
        bool runs;
        Verdict verdict;
        std::string said;
    } cases[] = {
        {"nothing is known: the database is asked", object(), {}, true, Verdict::progressing, "Running"},
        {"it runs",
         object(Phase::running),
         {{"uid-1", {State::running, 1, 1, ""}}},
         false,
         Verdict::progressing,
         "Running"},
        {"the connection was lost",
         object(Phase::running),
         {{"uid-1", {State::interrupted, 1, 1, "gone"}}},
         true,
         Verdict::progressing,
         "Running"},
        {"after a restart", object(Phase::running), {}, true, Verdict::progressing, "Running"},
        {"done", object(Phase::running), {{"uid-1", {State::succeeded, 1, 2, ""}}}, false, Verdict::ready, "Succeeded"},
        {"done long ago", object(Phase::succeeded), {}, false, Verdict::ready, "Succeeded"},
        {"failed",
         object(Phase::running),
         {{"uid-1", {State::failed, 1, 1, "no"}}},
         false,
         Verdict::stalled,
         "StatementFailed"},
        {"failed long ago", object(Phase::failed), {}, false, Verdict::stalled, "StatementFailed"},
        {"asked again",
         object(Phase::failed, 1, 2),
         {{"uid-1", {State::failed, 1, 1, "no"}}},
         true,
         Verdict::progressing,
         "Running"},
        {"asked again, after a restart", object(Phase::failed, 1, 2), {}, true, Verdict::progressing, "Running"},
    };
    for (const auto& c : cases) {
        const auto inputs = test::inputs();
        EXPECT_EQ(Scripts::diff(c.object, inputs, c.seen).size(), c.runs ? 1U : 0U) << c.reason;
        const auto report = Scripts::report(c.object, inputs, c.seen);
        EXPECT_EQ(report.verdict.state, c.verdict) << c.reason;
        EXPECT_EQ(report.verdict.reason, c.said) << c.reason;
        EXPECT_EQ(report.look_again.has_value(), c.verdict == Verdict::progressing) << c.reason;
    }
}

TEST(DatabaseScript, WaitsForItsPassword) {
    const runtime::Inputs none;
    EXPECT_TRUE(Scripts::diff(object(), none, {}).empty());
    EXPECT_EQ(Scripts::report(object(), none, {}).verdict.reason, "PasswordMissing");
}

TEST(DatabaseScript, IsForgottenWithItsObject) {
    EXPECT_TRUE(Scripts::remove(object(), "lab", {}).empty());
    const auto actions = Scripts::remove(object(), "lab", {{"uid-1", {State::running, 1, 1, ""}}});
    ASSERT_EQ(actions.size(), 1U);
    EXPECT_EQ(actions[0].verb, ScriptAction::Verb::forget);
}

TEST(DatabaseScript, KnowsWhatGoesWithItsNote) {
    const struct {
        const char* statement;
        bool whole;
    } cases[] = {
        {"INSERT INTO t VALUES (1)", true},
        {"  update t set i=1", true},
        {"(SELECT 1)", true},
        {"ALTER TABLE t ADD x INT", false},
        {"CALL something()", false},
        {"/*! ALTER TABLE t */", false},
        {"COMMIT", false},
        {"TRUNCATE t", false},
        {"", false},
        {"insertion", false},
        {"SET autocommit=0", false},
    };
    for (const auto& c : cases) EXPECT_EQ(mysql::goes_with_its_note(c.statement), c.whole) << c.statement;
}

}  // namespace
}  // namespace ocim::database
