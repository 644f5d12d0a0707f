#include "net/process.hpp"

#include "support/service.hpp"
#include "support/test_loop.hpp"

#include <gtest/gtest.h>

namespace ocim::net {
namespace {

using namespace std::chrono_literals;
using test::read_file;

class Process : public ::testing::Test {
protected:
    void SetUp() override { loop_.set_limit(Duration(200'000)); }
    Result<CommandResult> run(ProcessSettings settings) { return loop_.run(run_process(pool_, std::move(settings))); }
    Error failure(ProcessSettings settings) {
        const auto result = run(std::move(settings));
        return result ? Error{ErrorClass::invalid, "it worked"} : result.error();
    }

    test::TempDir directory_;
    test::RealLoop loop_;
    BlockingPool pool_{loop_.executor(), "processes", 2, 8};
};

TEST_F(Process, TellsHowItEndedAndWhatItSaid) {
    const auto result = run({.command = {"sh", "-c", "cat; echo bad >&2; exit 3"}, .input = "fed"});
    ASSERT_TRUE(result) << result.error().message;
    EXPECT_EQ(result->exit_code, 3);
    EXPECT_EQ(result->output, "fed");
    EXPECT_EQ(result->errors, "bad\n");
    EXPECT_EQ(run({.command = {"sh", "-c", "kill -KILL $$"}})->exit_code, 128 + SIGKILL);
}

TEST_F(Process, NoShellSeesTheWords) {
    const std::string word = "a b'c\"$(id)`id`;&|\n\\";
    EXPECT_EQ(run({.command = {"printf", "%s", word}})->output, word);
}

TEST_F(Process, HasItsOwnEnvironmentOnly) {
    ::setenv("OCIM_TEST_SECRET", "leaked", 1);
    EXPECT_EQ(run({.command = {"env"}})->output, "PATH=/usr/sbin:/usr/bin:/sbin:/bin\nLC_ALL=C.UTF-8\n");
    EXPECT_EQ(run({.command = {"/usr/bin/env"}, .environment = {"A=b"}})->output, "A=b\n");
    ::unsetenv("OCIM_TEST_SECRET");
}

TEST_F(Process, InheritsNoDescriptorAndNoSignal) {
    const int kept = ::open("/dev/null", O_RDONLY);  // without O_CLOEXEC, as a careless library opens it
    const auto listed = run({.command = {"ls", "/proc/self/fd"}});
    ::close(kept);
    EXPECT_EQ(listed->output, "0\n1\n2\n3\n") << "3 is ls's own";
    ::signal(SIGPIPE, SIG_IGN);
    const auto ended = run({.command = {"sh", "-c", "yes | true; grep SigIgn /proc/self/status"}});
    ::signal(SIGPIPE, SIG_DFL);
    const auto ignored = std::stoull(ended->output.substr(ended->output.find_last_of('\t') + 1), nullptr, 16);
    EXPECT_EQ(ignored >> (SIGPIPE - 1U) & 1U, 0U) << ended->output;
}

TEST_F(Process, RefusesWhatCannotBeStarted) {
    test::write_file(directory_.file("plain"), "text");
    test::write_file(directory_.file("odd"), "#!/no/such/interpreter\n");
    std::filesystem::permissions(directory_.file("odd"), std::filesystem::perms(0700));
    struct {
        const char* reason;
        ProcessSettings settings;
        ErrorClass error_class;
    } const cases[] = {
        {"not on the path", {.command = {"no-such-program"}}, ErrorClass::not_found},
        {"no such file", {.command = {"/no/such/program"}}, ErrorClass::not_found},
        {"not on the child's path", {.command = {"env"}, .environment = {"PATH=/nowhere"}}, ErrorClass::not_found},
        {"an interpreter that is not there", {.command = {directory_.file("odd")}}, ErrorClass::not_found},
        {"not executable", {.command = {directory_.file("plain")}}, ErrorClass::invalid},
        {"no words", {.command = {}}, ErrorClass::invalid},
        {"a NUL", {.command = {"echo", std::string("a\0b", 3)}}, ErrorClass::invalid},
        {"too long", {.command = {"echo", std::string(4 * 1024 * 1024, 'a')}}, ErrorClass::invalid},
    };
    for (const auto& c : cases) {
        const auto error = failure(c.settings);
        EXPECT_EQ(error.error_class, c.error_class) << c.reason << ": " << error.message;
        EXPECT_FALSE(error.outcome_unknown) << c.reason;
    }
}

TEST_F(Process, KillsTheWholeGroupAtTheLimit) {
    const auto mark = directory_.file("pids");
    // The limit must come after the script has begun, however busy the machine is.
    for (int limit = 300; read_file(mark).empty() && limit < 30'000; limit *= 4) {
        const std::string script = "trap '' TERM; sleep 60 & echo $$ $! >\"$0\"; wait";
        const auto error = failure({.command = {"sh", "-c", script, mark}, .limit = Duration(limit)});
        EXPECT_EQ(error.error_class, ErrorClass::transient);
        EXPECT_TRUE(error.outcome_unknown);
        EXPECT_EQ(error.message, "sh: took longer than " + std::to_string(limit) + " ms");
    }
    std::istringstream pids(read_file(mark));
    int one = 0, two = 0;
    pids >> one >> two;
    ASSERT_GT(two, 0);
    const auto gone = [](int pid) {
        const auto stat = read_file("/proc/" + std::to_string(pid) + "/stat");
        return stat.empty() || stat.find(") Z ") != std::string::npos;
    };
    EXPECT_TRUE(test::wait_for([&] { return gone(one) && gone(two); }));
}

TEST_F(Process, EndsWithTheChildEvenIfItsOutputIsHeldOpen) {
    const auto begin = loop_.clock().now();
    const auto result = run({.command = {"sh", "-c", "sleep 60 & echo started"}, .limit = Duration(20'000)});
    ASSERT_TRUE(result) << result.error().message;
    EXPECT_EQ(result->output, "started\n");
    EXPECT_LT(loop_.clock().now() - begin, 19s);
}

TEST_F(Process, CarriesAndBoundsWhatPasses) {
    std::string data(5 * 1024 * 1024, 'x');
    data[1000] = '\0';
    EXPECT_TRUE(run({.command = {"cat"}, .input = data})->output == data);
    EXPECT_EQ(run({.command = {"true"}, .input = data})->exit_code, 0) << "it need not read";
    const auto loud = run({.command = {"sh", "-c", "head -c 300000 /dev/zero >&2; echo end >&2"}});
    EXPECT_EQ(loud->errors.size(), 64U * 1024);
    EXPECT_TRUE(loud->errors.ends_with("end\n"));
    const auto error = failure({.command = {"cat", "/dev/zero"}, .limit = Duration(300'000)});
    EXPECT_EQ(error.error_class, ErrorClass::invalid) << error.message;
}

TEST_F(Process, IsKilledWhenItsCallerIsCancelled) {
    TaskGroup tasks(loop_.executor());
    const auto mark = directory_.file("pid");
    const auto work = [](BlockingPool& pool, std::string file) -> awaitable<void> {
        ProcessSettings settings{.command = {"sh", "-c", "echo $$ >\"$0\"; exec sleep 60", file}};
        (void)co_await run_process(pool, std::move(settings));
    };
    tasks.spawn("run", work(pool_, mark));
    const auto started = [](Clock& clock, std::string file) -> awaitable<void> {
        while (read_file(file).empty()) co_await clock.sleep(Duration(5));
    };
    loop_.run(started(loop_.clock(), mark));
    const auto begin = loop_.clock().now();
    loop_.run(tasks.stop());
    EXPECT_LT(loop_.clock().now() - begin, 20s);
    EXPECT_NE(::kill(std::stoi(read_file(mark)), 0), 0);
}

TEST_F(Process, LeavesNoDescriptorBehind) {
    const auto open_now = [] { return std::distance(std::filesystem::directory_iterator("/proc/self/fd"), {}); };
    (void)run({.command = {"true"}});
    const auto before = open_now();
    for (int i = 0; i < 20; ++i) {
        (void)run({.command = {"true"}, .input = "x"});
        (void)run({.command = {"no-such-program"}});
    }
    EXPECT_EQ(open_now(), before);
}

}  // namespace
}  // namespace ocim::net
