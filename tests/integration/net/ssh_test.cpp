#include "net/ssh.hpp"

#include "base/async.hpp"
#include "net/tls.hpp"
#include "support/raw_socket.hpp"
#include "support/sshd.hpp"
#include "support/test_loop.hpp"

#include <gtest/gtest.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <filesystem>

namespace {
std::atomic<int> closed_twice = 0;
}  // namespace

/// In place of the C library's, for us and for libssh: who closes a number twice closes what another thread may have
/// opened under it in between.
extern "C" int close(int fd) {
    const auto done = static_cast<int>(::syscall(SYS_close, fd));
    if (done != 0 && errno == EBADF && fd >= 0) ++closed_twice;
    return done;
}

namespace ocim::net {
namespace {

using namespace std::chrono_literals;
using test::read_file;

constexpr Duration patience{120'000};  // a busy machine is no failure

class Ssh : public ::testing::Test {
protected:
    void SetUp() override { loop_.set_limit(Duration(200'000)); }
    void TearDown() override { EXPECT_EQ(closed_twice.exchange(0), 0) << "what was closed before was closed again"; }
    SshSettings settings() {
        return {.host = "127.0.0.1",
                .port = sshd_.port(),
                .user = sshd_.user(),
                .private_key = Secret(sshd_.user_key()),
                .host_key = sshd_.host_key(),
                .connect_timeout = Duration(60'000)};
    }
    Result<CommandResult> run(SshHost& host, std::vector<std::string> command, std::string input = {},
                              Duration limit = patience) {
        return loop_.run(host.run(std::move(command), std::move(input), limit));
    }
    Error failure(SshSettings how, std::vector<std::string> command = {"true"}, Duration limit = patience) {
        const auto host = make_ssh_host(loop_.executor(), std::move(how));
        const auto result = run(*host, std::move(command), {}, limit);
        return result ? Error{ErrorClass::invalid, "it worked"} : result.error();
    }
    std::string place() const { return "127.0.0.1:" + std::to_string(sshd_.port()); }

    test::Sshd sshd_;
    test::TempDir directory_;
    test::RealLoop loop_;
};

/// Of this process.
std::ptrdiff_t open_files() {
    const std::filesystem::directory_iterator files("/proc/self/fd");
    return std::distance(begin(files), end(files));
}

std::string every_byte() {
    std::string out;
    for (int c = 1; c < 256; ++c) out += static_cast<char>(c);
    return out;
}

TEST_F(Ssh, RunsACommandAndTellsAllAboutIt) {
    const auto host = make_ssh_host(loop_.executor(), settings());
    const auto result = run(*host, {"sh", "-c", "cat; echo bad >&2; exit 7"}, "fed");
    ASSERT_TRUE(result) << result.error().message << sshd_.log();
    EXPECT_EQ(result->exit_code, 7);
    EXPECT_EQ(result->output, "fed");
    EXPECT_EQ(result->errors, "bad\n");
    EXPECT_EQ(host->host_key(), sshd_.host_key());
    const auto killed = run(*host, {"sh", "-c", "kill -TERM $$"});
    ASSERT_TRUE(killed) << killed.error().message;
    EXPECT_EQ(killed->exit_code, 128 + SIGTERM);
    EXPECT_EQ(sshd_.connections(), 1U) << "one connection for all";
}

TEST_F(Ssh, QuotesEveryByte) {
    const auto host = make_ssh_host(loop_.executor(), settings());
    const std::vector<std::string> hard{every_byte(), "",  "'", "a'b''c",  "$(touch /tmp/x) `id` \\ \" ; & | > <",
                                        "-n",         "*", "~", "ünïcödé", "\n\n",
                                        " "};
    for (const auto& word : hard) {
        const auto result = run(*host, {"printf", "%s", word});
        ASSERT_TRUE(result) << result.error().message;
        EXPECT_EQ(result->output, word);
    }
    std::vector<std::string> all{"printf", "%s|"};
    std::string wanted;
    for (const auto& word : hard) {
        all.push_back(word);
        wanted += word + "|";
    }
    EXPECT_EQ(run(*host, all)->output, wanted);
}

TEST_F(Ssh, RefusesANulAndAnEmptyCommand) {
    EXPECT_EQ(failure(settings(), {"echo", std::string("a\0b", 3)}),
              (Error{ErrorClass::invalid, place() + ": a NUL cannot be part of a command"}));
    EXPECT_EQ(failure(settings(), {}).error_class, ErrorClass::invalid);
    auto odd = settings();
    odd.user = "root@elsewhere";
    EXPECT_EQ(failure(odd).error_class, ErrorClass::invalid);
    EXPECT_EQ(sshd_.log().find("Accepted"), std::string::npos) << "nothing was sent";
}

TEST_F(Ssh, CarriesBinaryInputAndLargeOutput) {
    const auto host = make_ssh_host(loop_.executor(), settings());
    std::string data;
    for (int i = 0; i < 20'000; ++i) data += std::string("\0", 1) + every_byte();  // 5 MB
    const auto echoed = run(*host, {"cat"}, data);
    ASSERT_TRUE(echoed) << echoed.error().message;
    EXPECT_TRUE(echoed->output == data) << echoed->output.size() << " of " << data.size();
    const auto both = run(*host, {"sh", "-c", "cat >/dev/null; head -c 300000 /dev/zero >&2; echo end >&2"}, data);
    ASSERT_TRUE(both) << both.error().message;
    EXPECT_EQ(both->errors.size(), 64U * 1024);
    EXPECT_TRUE(both->errors.ends_with("end\n")) << "its end says why";
    const auto unread = run(*host, {"true"}, data);
    ASSERT_TRUE(unread) << "a command need not read its input: " << unread.error().message;
    EXPECT_EQ(unread->exit_code, 0);
}

TEST_F(Ssh, BoundsTheOutput) {
    const auto error = failure(settings(), {"cat", "/dev/zero"});
    EXPECT_EQ(error.error_class, ErrorClass::invalid);
    EXPECT_NE(error.message.find("more than 64 MiB"), std::string::npos) << error.message;
}

TEST_F(Ssh, TellsApartWhatIsWrong) {
    const test::TempDir empty;
    struct {
        const char* reason;
        std::function<void(SshSettings&)> change;
        ErrorClass error_class;
        const char* message;
    } const cases[] = {
        {"another host's key", [](SshSettings& s) { s.host_key = make_ssh_key()->public_key; }, ErrorClass::auth,
         "the host's key is not the one it is known by"},
        {"a key of a type that the host does not have",
         [](SshSettings& s) { s.host_key = "ecdsa-sha2-nistp256 AAAAE2VjZHNhLXNoYTItbmlzdHAyNTYAAAA="; },
         ErrorClass::auth, "the host does not show a key it is known by"},
        {"a stranger's key", [](SshSettings& s) { s.private_key = make_ssh_key()->private_key; }, ErrorClass::auth,
         "the key is refused for the user"},
        {"no key at all", [](SshSettings& s) { s.private_key = Secret("nonsense"); }, ErrorClass::auth,
         "the private key cannot be read"},
        {"another user", [](SshSettings& s) { s.user = "nobody-of-that-name"; }, ErrorClass::auth,
         "the key is refused for the user nobody-of-that-name"},
        {"nobody listens", [](SshSettings& s) { s.port = test::free_port(); }, ErrorClass::unreachable,
         "cannot connect: Connection refused"},
        {"no such name", [](SshSettings& s) { s.host = "host.invalid"; }, ErrorClass::unreachable,
         "its name is unknown"},
    };
    for (const auto& c : cases) {
        auto how = settings();
        c.change(how);
        const auto error = failure(how);
        EXPECT_EQ(error.error_class, c.error_class) << c.reason << ": " << error.message;
        EXPECT_NE(error.message.find(c.message), std::string::npos) << c.reason << ": " << error.message;
        EXPECT_FALSE(error.outcome_unknown) << c.reason;
    }
    auto any = settings();
    any.host_key.clear();
    EXPECT_EQ(failure(any).message, "it worked") << "no key given: any host is believed, and its key told";
    any.host_key = sshd_.host_key() + " somebody's comment";
    EXPECT_EQ(failure(any).message, "it worked");
}

TEST_F(Ssh, ASilentHostIsUnreachableInTime) {
    const test::RawListener deaf;
    auto how = settings();
    how.port = deaf.port();
    how.connect_timeout = Duration(300);
    const auto begin = loop_.clock().now();
    EXPECT_EQ(failure(how), (Error{ErrorClass::unreachable,
                                   "127.0.0.1:" + std::to_string(deaf.port()) + ": no SSH connection in time"}));
    EXPECT_LT(loop_.clock().now() - begin, 20s);
}

TEST_F(Ssh, NoConnectionIsLeftOpen) {
    const test::RawListener deaf;
    auto silent = settings(), stranger = settings();
    silent.port = deaf.port();
    silent.connect_timeout = Duration(100);
    stranger.user = "nobody-here";
    (void)failure(silent);  // whatever is opened once and for all
    const auto before = open_files();
    for (const auto& how : {silent, stranger, settings()}) (void)failure(how);
    EXPECT_EQ(open_files(), before);
}

TEST_F(Ssh, EndsACommandAtItsLimitHereAndThere) {
    const auto host = make_ssh_host(loop_.executor(), settings());
    const auto mark = directory_.file("pid");
    // The limit must come after the script has begun, however busy the machine is.
    for (int limit = 500; read_file(mark).empty() && limit < 60'000; limit *= 4) {
        const std::string script = "echo $$ >\"$0\"; trap '' TERM HUP PIPE; while :; do sleep 1; done";
        const auto result = run(*host, {"sh", "-c", script, mark}, {}, Duration(limit));
        ASSERT_FALSE(result);
        EXPECT_TRUE(result.error().outcome_unknown || read_file(mark).empty()) << result.error().message;
    }
    const auto pid = read_file(mark);
    ASSERT_FALSE(pid.empty());
    EXPECT_TRUE(test::wait_for([&] { return ::kill(std::stoi(pid), 0) != 0; }, 60s)) << "it ends there too";
    EXPECT_EQ(run(*host, {"echo", "next"})->output, "next\n");
}

TEST_F(Ssh, DoesNotWaitForWhatACommandLeftRunning) {
    const auto host = make_ssh_host(loop_.executor(), settings());
    const auto begin = loop_.clock().now();
    const auto result = run(*host, {"sh", "-c", "setsid sleep 60 & echo $!"});
    ASSERT_TRUE(result) << result.error().message;
    EXPECT_LT(loop_.clock().now() - begin, 19s);
    ::kill(std::stoi(result->output), SIGKILL);
}

TEST_F(Ssh, OpensALostConnectionAgain) {
    const auto host = make_ssh_host(loop_.executor(), settings());
    ASSERT_TRUE(run(*host, {"true"}));
    sshd_.drop_connections();
    const auto again = run(*host, {"echo", "again"});
    ASSERT_TRUE(again) << again.error().message;
    EXPECT_EQ(again->output, "again\n");
    sshd_.stop();
    EXPECT_EQ(run(*host, {"true"}).error().error_class, ErrorClass::unreachable);
    sshd_.start();
    EXPECT_TRUE(run(*host, {"true"}));
}

TEST_F(Ssh, SaysWhenTheOutcomeIsUnknown) {
    const auto host = make_ssh_host(loop_.executor(), settings());
    const auto mark = directory_.file("running");
    TaskGroup tasks(loop_.executor());
    std::optional<Result<CommandResult>> result;
    const auto work = [](SshHost& on, std::string file, std::optional<Result<CommandResult>>& out) -> awaitable<void> {
        std::vector<std::string> command{"sh", "-c", "touch \"$0\"; exec sleep 100", file};
        out = co_await on.run(std::move(command), std::string(), patience);
    };
    tasks.spawn("run", work(*host, mark, result));
    const auto drop = [](test::Sshd& sshd, Clock& clock, std::string file) -> awaitable<void> {
        while (!std::filesystem::exists(file)) co_await clock.sleep(Duration(5));
        sshd.drop_connections();
    };
    loop_.run(drop(sshd_, loop_.clock(), mark));
    loop_.run(tasks.join());
    ASSERT_TRUE(result);
    ASSERT_FALSE(*result);
    EXPECT_EQ(result->error().error_class, ErrorClass::transient);
    EXPECT_TRUE(result->error().outcome_unknown) << result->error().message;
}

TEST_F(Ssh, EndsAtOnceWhenCancelled) {
    const auto host = make_ssh_host(loop_.executor(), settings());
    ASSERT_TRUE(run(*host, {"true"}));
    TaskGroup tasks(loop_.executor());
    const auto work = [](SshHost& on) -> awaitable<void> {
        std::vector<std::string> command{"sleep", "100"};
        (void)co_await on.run(std::move(command), std::string(), patience);
    };
    tasks.spawn("run", work(*host));
    loop_.run(loop_.clock().sleep(Duration(200)));
    const auto begin = loop_.clock().now();
    loop_.run(tasks.stop());
    EXPECT_LT(loop_.clock().now() - begin, 20s);
    EXPECT_TRUE(run(*host, {"true"})) << "the host is of use afterwards";
}

TEST_F(Ssh, PutsAFileAsAWhole) {
    const auto host = make_ssh_host(loop_.executor(), settings());
    const auto path = directory_.file("it's a \"file\"\n$HOME");
    std::string content = every_byte() + std::string("\0end", 4);
    for (int i = 0; i < 13; ++i) content += content;  // 2 MB
    const auto put = loop_.run(host->put(path, content, 0640, patience));
    ASSERT_TRUE(put) << put.error().message;
    EXPECT_TRUE(read_file(path) == content);
    EXPECT_EQ(std::filesystem::status(path).permissions(), std::filesystem::perms(0640));
    ASSERT_TRUE(loop_.run(host->put(path, "short", 0600, patience)));
    EXPECT_EQ(read_file(path), "short");
    EXPECT_EQ(std::filesystem::status(path).permissions(), std::filesystem::perms(0600));
    ASSERT_TRUE(loop_.run(host->put(path, "", 0600, patience)));
    EXPECT_EQ(read_file(path), "");
    const auto count = std::distance(std::filesystem::directory_iterator(directory_.path()), {});
    EXPECT_EQ(count, 1) << "no temporary is left";
}

TEST_F(Ssh, SaysWhyAFileCannotBePut) {
    const auto host = make_ssh_host(loop_.executor(), settings());
    const auto into = loop_.run(host->put(directory_.path(), "x", 0600, patience));
    ASSERT_FALSE(into);
    EXPECT_NE(into.error().message.find("is a directory"), std::string::npos) << into.error().message;
    EXPECT_FALSE(loop_.run(host->put(directory_.file("no/such/folder"), "x", 0600, patience)));
    EXPECT_EQ(loop_.run(host->put("relative", "x", 0600, patience)).error().error_class, ErrorClass::invalid);
    EXPECT_TRUE(std::filesystem::is_empty(directory_.path()));
}

}  // namespace
}  // namespace ocim::net
