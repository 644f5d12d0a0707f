#include "openedx/run.hpp"

#include "crd/clouds.hpp"
#include "runtime/base64.hpp"

#include <gtest/gtest.h>

namespace ocim::openedx {
namespace {

using Object = crd::ProvisioningRun;
using Phase = Object::Status::Phase;
using State = Run::State;
using Verb = RunAction::Verb;
using runtime::Verdict;

constexpr auto uid = "uid-1";
const runtime::Mark ours{"prod", "campus/demo-1-1", uid, false};

Object run_object() {
    Object out;
    out.metadata.namespace_ = "campus";
    out.metadata.name = "demo-1-1";
    out.metadata.uid = uid;
    out.spec.machine_ref.name = "demo-1";
    out.spec.ansible = {"git://example.com/c", "main", "site.yml", std::nullopt, std::nullopt};
    out.spec.variables_ref = {"demo-1-config", "variables.yml"};
    out.spec.check.emplace();
    out.spec.check->path = "/heartbeat";
    out.spec.check->timeout_seconds = 60;
    return out;
}

Object succeeded() {
    auto out = run_object();
    out.status.phase = Phase::succeeded;
    out.status.exit_code = 0;
    out.status.commit = "c0ffee";
    out.status.started_at = "2026-11-22T12:00:00Z";
    out.status.finished_at = "2026-11-22T12:05:00Z";
    return out;
}

Run finished(int code) {
    Run out;
    out.mark = ours;
    out.state = State::finished;
    out.exit_code = code;
    out.commit = "c0ffee";
    out.started_at = "2026-11-22T12:00:00Z";
    out.finished_at = "2026-11-22T12:05:00Z";
    return out;
}

runtime::Inputs inputs(const std::string& secret_variables = "[\"DSN\"]") {
    runtime::Inputs out;
    out.installation = "prod";
    const std::string document =
        "A: 1\nDB_PASSWORD: hidden-word\nUSERS: [{name: ada, Pwd: in-a-list}]\nDSN: {hosts: "
        "[\"mysql://root:word@db\"]}\n";
    api::json::object data{{"variables.yml", runtime::base64(document)},
                           {"secret-variables.json", runtime::base64(secret_variables)}};
    api::json::object metadata{{"name", "demo-1-config"}, {"namespace", "campus"}};
    out.add(api::json::object{
        {"apiVersion", "v1"}, {"kind", "Secret"}, {"metadata", std::move(metadata)}, {"data", std::move(data)}});
    return out;
}

RunSnapshot with(const Run& run) { return {{uid, run}}; }

std::string verbs(const Object& object, const RunSnapshot& seen) {
    std::string out;
    for (const auto& action : Runs::diff(object, inputs(), seen))
        out += action.verb == Verb::start       ? "start"
               : action.verb == Verb::fetch_log ? (action.to_the_end ? "fetch to the end" : "fetch")
               : action.verb == Verb::restore   ? "restore"
                                                : "remove";
    return out;
}

TEST(ProvisioningRun, DiffTable) {
    auto running = finished(0);
    running.state = State::running;
    running.exit_code.reset();
    running.log_bytes = running.line_bytes = 10;
    auto half = running;
    half.fetched_bytes = half.line_bytes = 4;
    auto endless = half;
    endless.log_bytes = half.fetched_bytes + openedx::fetch_bytes_max;
    auto unfetched = finished(0);
    unfetched.log_bytes = 10;
    unfetched.fetched_bytes = 4;
    openedx::Run begun;
    begun.state = State::prepared;
    auto marked = begun;
    marked.mark = ours;
    auto another = finished(0);
    another.mark = runtime::Mark{"other", "campus/demo-1-1", uid, false};
    auto unmarked = finished(0);
    unmarked.mark.reset();
    auto changed = finished(1);
    const struct {
        const char* reason;
        Object object;
        RunSnapshot seen;
        const char* expected;
    } cases[] = {
        {"not there yet", run_object(), {}, "start"},
        {"a crash left an empty folder", run_object(), with(begun), "start"},
        {"a crash left it prepared", run_object(), with(marked), "start"},
        {"it runs, and has said something", run_object(), with(running), "fetch"},
        {"it runs, and a line is half written", run_object(), with(half), ""},
        {"one line fills a whole piece", run_object(), with(endless), "fetch"},
        {"it has ended: also a last line without an end", run_object(), with(unfetched), "fetch to the end"},
        {"it has ended, nothing is left to do", succeeded(), with(finished(0)), ""},
        {"its record is gone: a playbook is never run again for that", succeeded(), {}, "restore"},
        {"its record is emptied", succeeded(), with(marked), "restore"},
        {"its record was changed", succeeded(), with(changed), "restore"},
        {"somebody else's folder", run_object(), with(another), ""},
        {"nobody's folder, with a run in it", succeeded(), with(unmarked), ""},
    };
    for (const auto& c : cases) EXPECT_EQ(verbs(c.object, c.seen), c.expected) << c.reason;
}

/// Credentials for the check, those keys that are given.
runtime::Inputs inputs_with(const std::vector<std::pair<std::string, std::string>>& keys) {
    auto out = inputs();
    api::json::object data, metadata{{"name", "demo-basic-auth"}, {"namespace", "campus"}};
    for (const auto& [key, value] : keys) data[key] = runtime::base64(value);
    out.add(api::json::object{
        {"apiVersion", "v1"}, {"kind", "Secret"}, {"metadata", std::move(metadata)}, {"data", std::move(data)}});
    return out;
}

TEST(ProvisioningRun, WaitsForTheCredentialsThatItsCheckAsksWith) {
    auto object = run_object();
    object.spec.check->basic_auth_secret_ref = api::LocalRef{"demo-basic-auth"};
    const std::string lacks = "spec.check.basicAuthSecretRef: Secret demo-basic-auth has no key ";
    const struct {
        const char* reason;
        std::vector<std::pair<std::string, std::string>> keys;
        std::string expected;
    } cases[] = {
        {"nothing in it", {}, lacks + "\"username\"; add it"},
        {"no password", {{"username", "ada"}}, lacks + "\"password\"; add it"},
        {"no user", {{"password", "sesame"}}, lacks + "\"username\"; add it"},
    };
    for (const auto& c : cases) {
        EXPECT_TRUE(Runs::diff(object, inputs_with(c.keys), {}).empty()) << c.reason << ": nothing is started";
        const auto report = Runs::report(object, inputs_with(c.keys), {});
        EXPECT_EQ(report.verdict, (Verdict{Verdict::State::stalled, "SecretIncomplete", c.expected})) << c.reason;
        EXPECT_EQ(report.status.phase, Phase::pending) << c.reason << ": no attempt is used up";
    }
    EXPECT_TRUE(Runs::diff(object, inputs(), {}).empty()) << "the Secret is not there at all";

    const auto complete = inputs_with({{"username", "ada"}, {"password", "sesame"}});
    const auto actions = Runs::diff(object, complete, {});
    ASSERT_EQ(actions.size(), 1U) << "it begins once the key is there";
    EXPECT_EQ(actions[0].check->authorization.reveal(), "ada:sesame");
    EXPECT_EQ(Runs::report(object, complete, {}).verdict.reason, "Pending");
    EXPECT_EQ(Runs::report(object, inputs_with({}), with(finished(2))).verdict.reason, "ConfigurationFailed")
        << "what has begun took them along";
}

TEST(ProvisioningRun, WhatIsPutBackSaysHowItEnded) {
    auto object = succeeded();
    object.status.verified_at = "2026-11-22T12:06:00Z";
    const auto actions = Runs::diff(object, inputs(), {});
    ASSERT_EQ(actions.size(), 1U);
    EXPECT_EQ(actions[0].files, (std::map<std::string, std::string>{{"commit", "c0ffee"},
                                                                    {"exit", "0"},
                                                                    {"finished", "2026-11-22T12:05:00Z"},
                                                                    {"started", "2026-11-22T12:00:00Z"},
                                                                    {"verified", "2026-11-22T12:06:00Z"}}));
}

TEST(ProvisioningRun, ASiteThatHasNotAnsweredIsAskedForOnTheNextMachineToo) {
    auto object = succeeded();
    const auto asked = Runs::diff(object, inputs(), {});
    ASSERT_EQ(asked.size(), 1U);
    ASSERT_TRUE(asked[0].check) << "else nothing would ever answer";
    EXPECT_EQ(asked[0].check->path, "/heartbeat");
    object.status.verified_at = "2026-11-22T12:06:00Z";
    EXPECT_FALSE(Runs::diff(object, inputs(), {}).at(0).check) << "it has answered";
    auto failed = succeeded();
    failed.spec.check = object.spec.check;
    failed.status.phase = Phase::failed;
    failed.status.exit_code = 2;
    EXPECT_FALSE(Runs::diff(failed, inputs(), {}).at(0).check) << "there is nothing to ask for";
}

TEST(ProvisioningRun, RemovesOnlyItsOwn) {
    auto another = finished(0);
    another.mark = runtime::Mark{"other", "campus/demo-1-1", uid, false};
    EXPECT_TRUE(Runs::remove(run_object(), "prod", {}).empty());
    EXPECT_TRUE(Runs::remove(run_object(), "prod", with(another)).empty());
    EXPECT_EQ(Runs::remove(run_object(), "prod", with(finished(0))).size(), 1U);
}

TEST(ProvisioningRun, ReportTable) {
    auto waiting = finished(0);
    waiting.unanswered.emplace();
    waiting.waited_seconds = 59;
    waiting.answer = "status 502";
    auto late = waiting;
    late.waited_seconds = 61;
    auto verified = finished(0);
    verified.verified_at = "2026-11-22T12:06:00Z";
    auto given_up = succeeded();
    given_up.status.phase = Phase::failed;
    auto unchecked = run_object();
    unchecked.spec.check.reset();
    auto lost = finished(0);
    lost.state = State::lost;
    lost.exit_code.reset();
    auto another = finished(0);
    another.mark.reset();
    const struct {
        const char* reason;
        Object object;
        RunSnapshot seen;
        Phase phase;
        Verdict::State state;
        const char* expected;
    } cases[] = {
        {"nothing is asked for", unchecked, with(finished(0)), Phase::succeeded, Verdict::State::ready, "Succeeded"},
        {"not rebooted yet", run_object(), with(finished(0)), Phase::succeeded, Verdict::State::progressing,
         "Verifying"},
        {"no good answer yet", succeeded(), with(waiting), Phase::succeeded, Verdict::State::progressing, "Verifying"},
        {"it answers", succeeded(), with(verified), Phase::succeeded, Verdict::State::ready, "Succeeded"},
        {"it takes too long", succeeded(), with(late), Phase::failed, Verdict::State::stalled, "HealthCheckFailed"},
        {"what was given up stays so", given_up, with(waiting), Phase::failed, Verdict::State::stalled,
         "HealthCheckFailed"},
        {"the playbook failed", run_object(), with(finished(2)), Phase::failed, Verdict::State::stalled,
         "ConfigurationFailed"},
        {"the machine was stopped under it", run_object(), with(lost), Phase::failed, Verdict::State::stalled,
         "ConfigurationFailed"},
        {"its record is gone", succeeded(), {}, Phase::succeeded, Verdict::State::progressing, "Restoring"},
        {"a look-alike", succeeded(), with(another), Phase::succeeded, Verdict::State::stalled, "NotOwned"},
    };
    for (const auto& c : cases) {
        const auto report = Runs::report(c.object, inputs(), c.seen);
        EXPECT_EQ(report.status.phase, c.phase) << c.reason;
        EXPECT_EQ(report.verdict.state, c.state) << c.reason;
        EXPECT_EQ(report.verdict.reason, c.expected) << c.reason;
    }
    EXPECT_NE(Runs::report(succeeded(), inputs(), with(late)).verdict.message.find("status 502"), std::string::npos);
}

TEST(ProvisioningRun, SaysWhyItFailed) {
    const struct {
        const char* reason;
        int code;
        const char *step, *gave_up, *task;
        const char* expected;
    } cases[] = {
        {"a task", 2, "playbook", "", "migrate", "task \"migrate\" failed (exit code 2)"},
        {"no task was reached", 4, "playbook", "", "", "the playbook failed (exit code 4): no hosts matched"},
        {"git", 1, "fetch", "", "", "the repository could not be fetched (exit code 1): no hosts matched"},
        {"pip, without an answer", 1, "download", "", "",
         "what pip.txt of the repository requires could not be downloaded (exit code 1): no hosts matched"},
        {"pip, with one", 1, "requirements", "", "",
         "what pip.txt of the repository requires cannot be installed (exit code 1): no hosts matched; correct that "
         "file"},
        {"a time-out of ours", 124, "playbook", "nothing was printed for 1500 seconds", "migrate",
         "the run was killed: nothing was printed for 1500 seconds"},
        {"its record was put back", 124, "", "", "", "the run was killed: it took longer than its time-outs allow"},
        {"memory", 137, "playbook", "", "migrate",
         "the run was killed from outside (exit code 137): the machine ran out of memory, or somebody ended it"},
    };
    for (const auto& c : cases) {
        auto run = finished(c.code);
        run.step = c.step;
        run.gave_up = c.gave_up;
        run.failed_task = c.task;
        run.tail = "cloning\nno hosts matched\n";
        auto object = run_object();
        object.spec.ansible->requirements = "pip.txt";
        const auto report = Runs::report(object, inputs(), with(run));
        EXPECT_EQ(report.verdict.message, c.expected) << c.reason;
        object.status = report.status;
        const auto restored = Runs::diff(object, inputs(), {});
        ASSERT_EQ(restored.size(), 1U) << c.reason;
        const auto step = restored[0].files.find("step");
        EXPECT_EQ(step == restored[0].files.end() ? "" : step->second, c.step) << c.reason << ": it is remembered";
    }
    auto ignored = finished(0);
    ignored.failed_task = "optional";
    EXPECT_FALSE(Runs::report(run_object(), inputs(), with(ignored)).status.failed_task) << "it ended well";
}

TEST(ProvisioningRun, NoSecretInTaskNamesAndUrls) {
    auto failed = finished(2);
    failed.step = "playbook";
    failed.failed_task = "make account with hidden-word";
    failed.current_task = "add in-a-list to mysql://root:word@db";
    const auto report = Runs::report(run_object(), inputs(), with(failed));
    EXPECT_EQ(report.verdict.message, "task \"make account with ********\" failed (exit code 2)");
    EXPECT_EQ(report.status.failed_task, "make account with ********");
    EXPECT_EQ(report.status.current_task, "add ******** to ********") << "what a Secret gave has no telling name";

    for (const auto* damaged : {"[\"DSN", "{}", "[1]", ""})
        EXPECT_EQ(Runs::report(run_object(), inputs(damaged), with(failed)).status.current_task,
                  "add ******** to ********")
            << damaged << ": which are secret is not known, so all are";

    auto object = run_object();
    object.spec.ansible->repository = "https://user:to%40ken@git.example.com/a.git";
    EXPECT_EQ(Runs::describe(Runs::diff(object, inputs(), {}).at(0)).find("to%40ken"), std::string::npos);
    failed.failed_task.clear();
    failed.tail = "fatal: unable to access 'https://user:to%40ken@git.example.com/a.git/'\n";
    EXPECT_EQ(Runs::report(object, inputs(), with(failed)).status.last_lines.at(0),
              "fatal: unable to access 'https://user:********@git.example.com/a.git/'");
    EXPECT_EQ(openedx::without_user("https://a@b/c@d"), "https://b/c@d");
    EXPECT_EQ(openedx::without_user("git@example.com:a.git"), "git@example.com:a.git");
    EXPECT_EQ(openedx::without_user("/srv/a@b"), "/srv/a@b");
}

TEST(ProvisioningRun, ShowsNoPartOfALine) {
    auto run = finished(1);
    run.tail = "cret-word\nlast line\n";
    run.log_bytes = run.fetched_bytes = 9'000;
    EXPECT_EQ(Runs::report(run_object(), inputs(), with(run)).status.last_lines, std::vector<std::string>{"last line"})
        << "a part of a secret would not be masked";
    run.log_bytes = run.fetched_bytes = 20;
    EXPECT_EQ(Runs::report(run_object(), inputs(), with(run)).status.last_lines.size(), 2U) << "all there is";
}

TEST(ProvisioningRun, RunsAtATimeAreCountedByCloud) {
    auto given = inputs();
    crd::VirtualMachine machine;
    machine.metadata.namespace_ = "campus";
    machine.metadata.name = "demo-1";
    machine.spec.cloud_ref.name = "lab";
    given.add(api::encode_object(machine));
    EXPECT_EQ(Runs::turn(run_object(), given, {})->limit, 4u) << "the default";
    crd::Cloud cloud;
    cloud.metadata.name = "lab";
    cloud.spec.max_concurrent_runs = 2;
    given.add(api::encode_object(cloud));
    const runtime::Turn waits{"Cloud lab", 2, "spec.maxConcurrentRuns of Cloud lab", false};
    auto runs = waits;
    runs.under_way = true;
    auto running = finished(0);
    running.state = State::running;
    running.exit_code.reset();
    auto another = running;
    another.mark = runtime::Mark{"other", "campus/demo-1-1", uid, false};
    auto lost = running;
    lost.state = State::lost;
    openedx::Run prepared;
    prepared.state = State::prepared;
    const struct {
        const char* reason;
        Object object;
        RunSnapshot seen;
        std::optional<runtime::Turn> turn;
    } cases[] = {
        {"not there yet", run_object(), {}, waits},
        {"a crash left it prepared", run_object(), with(prepared), waits},
        {"it runs", run_object(), with(running), runs},
        {"somebody else's folder", run_object(), with(another), waits},
        {"it has ended: its place is free before anybody says so", run_object(), with(finished(0)), std::nullopt},
        {"it was killed", run_object(), with(lost), std::nullopt},
        {"its record is gone", succeeded(), {}, std::nullopt},
    };
    for (const auto& c : cases) EXPECT_EQ(Runs::turn(c.object, given, c.seen), c.turn) << c.reason;
    EXPECT_EQ(Runs::turn(run_object(), inputs(), {}), std::nullopt) << "without a machine nothing runs";
}

TEST(StatusMatches, Table) {
    const struct {
        const char* expected;
        unsigned status;
        bool matches;
    } cases[] = {{"200-399", 200, true}, {"200-399", 399, true}, {"200-399", 400, false},    {"200", 200, true},
                 {"200", 201, false},    {"200,404", 404, true}, {"200-204,401", 401, true}, {"", 200, false}};
    for (const auto& c : cases) EXPECT_EQ(status_matches(c.expected, c.status), c.matches) << c.expected << c.status;
}

}  // namespace
}  // namespace ocim::openedx
