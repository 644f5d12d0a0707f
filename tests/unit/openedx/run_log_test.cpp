#include "openedx/run_log.hpp"

#include "openedx/run_logs.hpp"
#include "support/memory_client.hpp"
#include "support/test_loop.hpp"

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

namespace ocim::openedx {
namespace {

namespace fs = std::filesystem;
using namespace std::chrono_literals;

class PrivateFolder {
public:
    PrivateFolder() {
        std::string name = (fs::temp_directory_path() / "ocim-run-log-XXXXXX").string();
        path = ::mkdtemp(name.data());
    }
    ~PrivateFolder() { fs::remove_all(path); }
    std::string path;
};

class RunLogTest : public testing::Test {
protected:
    std::string whole(std::int64_t from = 0, std::size_t step = 5) const {
        std::string out;
        for (auto piece = log.read(from, step); !piece.text.empty(); piece = log.read(piece.next, step))
            out += piece.text;
        return out;
    }
    /// As it comes from the machine, with nothing masked.
    void add(const std::string& text) {
        const auto at = log.position().fetched;
        ASSERT_TRUE(log.append(at, static_cast<std::int64_t>(text.size()), text, now));
    }

    WallTime now = *parse_rfc3339("2026-11-23T12:00:00Z");
    PrivateFolder home;
    std::string folder = log_folder(home.path, "campus/demo-1-1", "uid-1");
    RunLog log{folder};
};

TEST_F(RunLogTest, IsReadAsItWasWritten) {
    EXPECT_EQ(whole(), "");
    add("one\ntwo\n");
    add("three\n");
    EXPECT_EQ(whole(), "one\ntwo\nthree\n");
    EXPECT_EQ(whole(4), "two\nthree\n");
    EXPECT_EQ(log.read(99, 5).text, "");
}

TEST_F(RunLogTest, CountsTheMachinesBytesAndItsOwn) {
    ASSERT_TRUE(log.append(0, 100, "masked\n", now));
    EXPECT_EQ(log.position().fetched, 100);
    EXPECT_EQ(log.position().end, 7);
    ASSERT_TRUE(log.append(0, 100, "again\n", now)) << "another look was quicker: nothing happens";
    EXPECT_EQ(whole(), "masked\n");
    ASSERT_TRUE(log.append(100, 5, "more\n", now));
    EXPECT_EQ(whole(), "masked\nmore\n");
}

TEST_F(RunLogTest, CutsOffWhatACrashLeft) {
    add("noted\n");
    std::ofstream(folder + "/0000000000000000.log", std::ios::app) << "written, but not noted";
    std::ofstream(folder + "/0000000000000006.log") << "a piece that was begun";
    EXPECT_EQ(whole(), "noted\n") << "nothing beyond the note is shown";
    add("next\n");
    EXPECT_EQ(whole(), "noted\nnext\n");
}

TEST_F(RunLogTest, KeepsItsEndWhenItGrowsTooLong) {
    const std::string megabyte = std::string(1024 * 1024 - 1, 'x') + "\n";
    for (int i = 0; i < 40; ++i) add(megabyte);
    std::uintmax_t held = 0;
    for (const auto& entry : fs::directory_iterator(folder)) held += entry.file_size();
    EXPECT_LE(held, 17U * 1024 * 1024);
    EXPECT_GE(held, 12U * 1024 * 1024);
    EXPECT_EQ(log.position().end, 40 * 1024 * 1024) << "those that went count";
    const auto oldest = log.read(0, 10);
    EXPECT_EQ(oldest.text, "xxxxxxxxxx");
    EXPECT_GT(oldest.next, 20 * 1024 * 1024) << "it goes on where there is something";
}

TEST_F(RunLogTest, FindsItsLastLines) {
    add("one\ntwo\n");
    add("three\n\nfive");
    const struct {
        const char* reason;
        std::int64_t count;
        std::string expected;
    } cases[] = {{"none", 0, ""},
                 {"a last line without an end counts", 1, "five"},
                 {"an empty line counts", 2, "\nfive"},
                 {"across pieces", 4, "two\nthree\n\nfive"},
                 {"all", 5, "one\ntwo\nthree\n\nfive"},
                 {"more than there are", 50, "one\ntwo\nthree\n\nfive"}};
    for (const auto& c : cases) EXPECT_EQ(whole(log.begin_of_last_lines(c.count)), c.expected) << c.reason;
}

TEST_F(RunLogTest, FindsWhatCameSince) {
    EXPECT_EQ(log.begin_since(now), 0) << "nothing has come";
    const auto began = now;
    add("one\n");
    now += 300ms;
    add("two\n");
    now = began + 10s;
    add("three\n");
    now = began + 60s;
    add("four\n");
    const struct {
        const char* reason;
        Duration since_begin;
        std::string expected;
    } cases[] = {{"before all", -5s, "one\ntwo\nthree\nfour\n"},
                 {"the first", 0s, "one\ntwo\nthree\nfour\n"},
                 {"between", 5s, "three\nfour\n"},
                 {"to the second", 10s, "three\nfour\n"},
                 {"the last", 11s, "four\n"},
                 {"after all", 61s, ""}};
    for (const auto& c : cases) EXPECT_EQ(whole(log.begin_since(began + c.since_begin)), c.expected) << c.reason;
    fs::remove(folder + "/times");
    EXPECT_EQ(log.begin_since(began + 61s), 0) << "nobody noted it: all of it";
}

TEST_F(RunLogTest, WhatCameWhenIsNotNotedForEver) {
    add("first\n");
    {
        std::ofstream times(folder + "/times", std::ios::app);
        for (int i = 0; i < 50'000; ++i) times << "0 " << 1'700'000'000 + i << "\n";
    }
    now += 10s;
    add("last\n");
    EXPECT_LT(fs::file_size(folder + "/times"), 512U * 1024);
    EXPECT_EQ(whole(log.begin_since(now)), "last\n");
}

TEST(LogFolder, LeadsNowhereElse) {
    EXPECT_EQ(log_folder("/d", "campus/demo-1-1", "4f1c"), "/d/logs/campus/demo-1-1/4f1c");
    for (const auto* name : {"", "campus", "../../etc/x", "campus/..", "campus/a/b", "/x"})
        EXPECT_EQ(log_folder("/d", name, "4f1c"), "") << name << ": a machine may say anything";
    EXPECT_EQ(log_folder("/d", "campus/demo", "../x"), "");
}

TEST(EndOfLog, IsWholeLinesAndText) {
    EXPECT_EQ(end_of_log("one\ntwo\n", 100), "one\ntwo\n");
    EXPECT_EQ(end_of_log("one\ntwo\n", 6), "two\n") << "no half of a line";
    EXPECT_EQ(end_of_log("\xff\xc3\xbc\n", 100), "\xef\xbf\xbd\xc3\xbc\n");
}

// --- as people read it

struct FakeResponder : net::Responder {
    awaitable<void> reply(net::ServerReply) override { co_return; }
    awaitable<void> start_stream(unsigned, std::multimap<std::string, std::string>) override { co_return; }
    awaitable<bool> write(std::string chunk) override {
        said += chunk;
        co_return true;
    }
    awaitable<void> finish() override {
        finished = true;
        co_return;
    }
    std::string said;
    bool finished = false;
};

class RunLogsTest : public testing::Test {
protected:
    ~RunLogsTest() override { loop.run(tasks.stop()); }

    api::Json object(const std::string& kind, const std::string& name, const std::string& more) {
        auto parsed = api::parse_json(R"({"apiVersion":"ocim.opencraft.com/v1alpha1","kind":")" + kind +
                                      R"(","metadata":{"namespace":"campus","name":")" + name + "\"" + more);
        EXPECT_TRUE(parsed);
        return server.put(parsed->value);
    }
    void appserver(const std::string& phase, const std::string& run) {
        if (!server.get("AppServer", "campus", "demo-1")) object("AppServer", "demo-1", "}}");
        server.merge("AppServer", "campus", "demo-1",
                     R"({"status":{"phase":")" + phase + R"(","provision":{"run":)" + run + "}}}", true);
    }
    std::string uid(const std::string& kind, const std::string& name) {
        return std::string(api::find_text(*server.get(kind, "campus", name), {"metadata", "uid"}));
    }
    void run(const std::string& phase, int bytes) {
        if (!server.get("ProvisioningRun", "campus", "demo-1-1"))
            object("ProvisioningRun", "demo-1-1",
                   R"(,"ownerReferences":[{"apiVersion":"ocim.opencraft.com/v1alpha1","kind":"AppServer",)"
                   R"("name":"demo-1","uid":"u","controller":true}]},"spec":{}})");
        server.merge("ProvisioningRun", "campus", "demo-1-1",
                     R"({"status":{"phase":")" + phase + R"(","logBytes":)" + std::to_string(bytes) + "}}", true);
    }
    RunLog log() { return RunLog(log_folder(home.path, "campus/demo-1-1", uid("ProvisioningRun", "demo-1-1"))); }
    void add(const std::string& text) {
        const auto at = log().position().fetched;
        ASSERT_TRUE(log().append(at, static_cast<std::int64_t>(text.size()), text, loop.clock().wall()));
    }
    std::string published() {
        const auto* found = server.get("ConfigMap", "campus", "demo-1-log");
        return found ? std::string(api::find_text(*found, {"data", "log"})) : "none";
    }
    awaitable<void> ask(RunLogs::Wanted wanted) {
        auto now = *server.get("AppServer", "campus", "demo-1");
        std::function<bool()> ending = [this] { return draining; };
        const auto refused = co_await logs.send(std::move(now), wanted, std::move(ending), responder);
        if (refused) responder.said = std::to_string(refused->status) + " " + refused->body;
    }
    std::string answer(RunLogs::Wanted wanted) {
        responder = {};
        loop.run(ask(wanted));
        return responder.said;
    }

    PrivateFolder home;
    test::TestLoop loop;
    test::MemoryServer server{loop.clock()};
    std::unique_ptr<client::Client> client = server.client();
    BlockingPool pool{loop.executor(), "test", 1, 8};
    RunLogs logs{*client, loop.clock(), pool, home.path};
    TaskGroup tasks{loop.executor()};
    FakeResponder responder;
    bool draining = false;
};

TEST_F(RunLogsTest, AnswersAllOfItOrAPart) {
    appserver("WaitingForMachine", "null");
    EXPECT_TRUE(answer({}).starts_with("400 ")) << responder.said;
    EXPECT_NE(responder.said.find("has no log yet: its playbook has not started"), std::string::npos);
    appserver("Running", "\"demo-1-1\"");
    run("Succeeded", 14);
    add("one\ntwo\nthree\n");
    EXPECT_EQ(answer({}), "one\ntwo\nthree\n");
    EXPECT_TRUE(responder.finished);
    EXPECT_EQ(answer({false, 2, std::nullopt}), "two\nthree\n");
    EXPECT_EQ(answer({false, std::nullopt, 5}), "one\nt");
    EXPECT_EQ(answer({true, 1, std::nullopt}), "three\n") << "a run that has ended is not waited for";
    loop.advance(100s);
    add("four\nfive\n");
    EXPECT_EQ(answer({.since_seconds = 50}), "four\nfive\n");
    EXPECT_EQ(answer({.tail_lines = 1, .since_seconds = 50}), "five\n");
    EXPECT_EQ(answer({.tail_lines = 3, .since_seconds = 50}), "four\nfive\n") << "both hold";
    EXPECT_EQ(answer({.since_seconds = 1'000}), "one\ntwo\nthree\nfour\nfive\n");
}

TEST_F(RunLogsTest, FollowsARunFromBeforeItBeginsUntilItEnds) {
    appserver("WaitingForMachine", "null");
    tasks.spawn("follow", ask({true, std::nullopt, std::nullopt}));
    loop.advance(2s);
    EXPECT_EQ(responder.said, "");
    run("Running", 0);
    appserver("Configuring", "\"demo-1-1\"");
    add("one\n");
    loop.advance(2s);
    EXPECT_EQ(responder.said, "one\n");
    add("two\n");
    loop.advance(2s);
    EXPECT_EQ(responder.said, "one\ntwo\n");
    EXPECT_FALSE(responder.finished);
    add("three\n");
    run("Failed", 14);
    loop.advance(2s);
    EXPECT_EQ(responder.said, "one\ntwo\nthree\n");
    EXPECT_TRUE(responder.finished);
}

TEST_F(RunLogsTest, AFollowerIsLetGoWhenTheServerEndsOrTheAppServerIsGone) {
    appserver("Configuring", "\"demo-1-1\"");
    run("Running", 0);
    tasks.spawn("follow", ask({true, std::nullopt, std::nullopt}));
    loop.advance(1s);
    EXPECT_FALSE(responder.finished);
    draining = true;
    loop.advance(1s);
    EXPECT_TRUE(responder.finished);
    draining = false;
    responder = {};
    tasks.spawn("follow", ask({true, std::nullopt, std::nullopt}));
    loop.advance(1s);
    server.remove("AppServer", "campus", "demo-1");
    loop.advance(1s);
    EXPECT_TRUE(responder.finished);
}

TEST_F(RunLogsTest, KeepsTheEndInAConfigMapOfTheAppServer) {
    appserver("Configuring", "\"demo-1-1\"");
    run("Running", 4);
    add("one\n");
    tasks.spawn("keep", logs.keep());
    loop.advance(1s);
    EXPECT_EQ(published(), "one\n") << "the first of it at once";
    add("two\n");
    run("Running", 8);
    loop.advance(1s);
    EXPECT_EQ(published(), "one\n") << "not with each line";
    add(std::string(70'000, 'x') + "\nlast\n");
    run("Succeeded", 70'014);
    loop.advance(1s);
    EXPECT_EQ(published(), "last\n") << "whole lines of the last 64 KiB";
    const auto* map = server.get("ConfigMap", "campus", "demo-1-log");
    EXPECT_EQ(api::find_text(api::find(*map, {"metadata", "ownerReferences"})->get_array()[0], {"kind"}), "AppServer");
}

TEST_F(RunLogsTest, TriesAgainWhatWasNotStored) {
    server.refuse = [](const std::string&, const api::Json&) { return Error{ErrorClass::transient, "not now"}; };
    appserver("Running", "\"demo-1-1\"");
    run("Succeeded", 4);
    add("one\n");
    tasks.spawn("keep", logs.keep());
    loop.advance(1s);
    EXPECT_EQ(published(), "none");
    server.refuse = nullptr;
    loop.advance(60s);
    EXPECT_EQ(published(), "one\n");
}

TEST_F(RunLogsTest, LogsGoWithTheirRun) {
    appserver("Running", "\"demo-1-1\"");
    run("Succeeded", 4);
    add("one\n");
    const RunLog left(log_folder(home.path, "campus/other", "gone-while-nobody-looked"));
    ASSERT_TRUE(left.append(0, 4, "old\n", loop.clock().wall()));
    const auto folder = log_folder(home.path, "campus/demo-1-1", uid("ProvisioningRun", "demo-1-1"));
    tasks.spawn("keep", logs.keep());
    loop.advance(1s);
    EXPECT_EQ(left.position().end, 0) << "its run is not there";
    EXPECT_TRUE(fs::exists(folder));
    server.remove("ProvisioningRun", "campus", "demo-1-1");
    loop.advance(1s);
    EXPECT_FALSE(fs::exists(folder));
    EXPECT_FALSE(fs::exists(home.path + "/logs/campus")) << "nothing empty stays";
}

}  // namespace
}  // namespace ocim::openedx
