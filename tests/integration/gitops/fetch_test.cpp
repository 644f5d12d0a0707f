#include "gitops/fetch.hpp"

#include "gitops/limits.hpp"
#include "support/cut.hpp"
#include "support/git.hpp"
#include "support/sshd.hpp"
#include "support/test_loop.hpp"

#include <gtest/gtest.h>
#include <filesystem>

/// Repositories on OpenSSH's server and behind Git's own http-backend with TLS.
namespace ocim::gitops {
namespace {

using test::GitHttps;
using test::GitRepository;
using Texts = std::vector<std::string>;
using Fetch = Result<std::shared_ptr<const Checkout>, Problem>;

enum class Door { ssh, https };

class Fetching : public testing::TestWithParam<Door> {
protected:
    Fetching() {
        repository.write("production/demo.yaml", "kind: A\n");
        repository.write("elsewhere/other.yaml", "kind: B\n");
        first = repository.push();
    }
    RepositorySettings settings() {
        RepositorySettings out;
        out.wanted.branch = "main";
        out.path = "production";
        out.call_max = Duration(10'000);
        if (GetParam() == Door::ssh) {
            out.repository = "ssh://" + sshd.user() + "@127.0.0.1:" + std::to_string(sshd.port()) + repository.path();
            out.identity = Secret(sshd.user_key());
            out.host_key = sshd.host_key();
        } else {
            out.repository = https.url();
            out.username = "ada";
            out.password = Secret("hunter2");
            out.ca_certificate = https.certificate();
        }
        return out;
    }
    std::unique_ptr<Fetcher> open(RepositorySettings with) {
        auto made = make_fetcher(std::move(with), services);
        if (!made) throw std::runtime_error(made.error().message);
        return *std::move(made);
    }
    Fetch fetch(Fetcher& fetcher) { return loop.run(fetcher.fetch()); }
    Fetch fetch(RepositorySettings with) {
        const auto fetcher = open(std::move(with));
        return fetch(*fetcher);
    }
    /// The problem, with what it must not say.
    Problem problem(RepositorySettings with) {
        const auto got = fetch(std::move(with));
        if (got) return {"none", "it was fetched"};
        EXPECT_EQ(got.error().message.find("hunter2"), std::string::npos);
        return got.error();
    }
    static Texts files(const Fetch& got) {
        if (!got) return {got.error().reason + ": " + got.error().message};
        Texts out;
        for (const auto& file : (*got)->tree.files) out.push_back(file.path);
        return out;
    }
    bool nothing_left() const {
        const auto folder = data.path() + "/git";
        return !std::filesystem::exists(folder) || std::filesystem::is_empty(folder);
    }

    test::RealLoop loop;
    test::TempDir repositories, data;
    GitRepository repository{repositories.path()};
    test::Sshd sshd;
    GitHttps https{repositories.path(), "ada:hunter2"};
    std::unique_ptr<Random> random = make_system_random();
    Metrics metrics;
    BlockingPool blocking{loop.executor(), "blocking", 2, 16};
    runtime::Services services{loop.executor(), loop.clock(), *random, metrics, blocking, "lab", data.path(), nullptr};
    std::string first;
};

INSTANTIATE_TEST_SUITE_P(Git, Fetching, testing::Values(Door::ssh, Door::https),
                         [](const auto& door) { return std::string(door.param == Door::ssh ? "Ssh" : "Https"); });

TEST_P(Fetching, ReadsTheManifestsOfTheFolderAndNothingElse) {
    repository.write("production/deeper/b.yml", "kind: C\n");
    repository.write("production/c.json", "{}");
    repository.write("production/.hidden.yaml", "no");
    repository.write("production/.git-like/x.yaml", "no");
    repository.write("production/README.md", "no");
    const auto commit = repository.push();
    const auto got = fetch(settings());
    EXPECT_EQ(files(got), (Texts{"production/c.json", "production/deeper/b.yml", "production/demo.yaml"}));
    ASSERT_TRUE(got);
    EXPECT_EQ((*got)->commit, commit);
    EXPECT_EQ((*got)->words, "main at " + commit);
    EXPECT_EQ((*got)->tree.files[2].bytes, "kind: A\n");
    EXPECT_TRUE((*got)->tree.faults.empty());
    EXPECT_TRUE(nothing_left());
    auto whole = settings();
    whole.path = ".";
    EXPECT_EQ(files(fetch(whole)).size(), 4U);
}

TEST_P(Fetching, FollowsTheBranchAlsoWhenItsHistoryIsRewritten) {
    const auto fetcher = open(settings());
    const auto before = fetch(*fetcher);
    ASSERT_TRUE(before) << before.error().message;
    const auto same = fetch(*fetcher);
    EXPECT_EQ(*same, *before) << "nothing was transferred again";
    repository.write("production/new.yaml", "kind: N\n");
    repository.push();
    EXPECT_EQ(files(fetch(*fetcher)), (Texts{"production/demo.yaml", "production/new.yaml"}));
    repository.git({"checkout", "-q", "--orphan", "again"});
    repository.remove("production/demo.yaml");
    const auto rewritten = repository.push();
    const auto after = fetch(*fetcher);
    EXPECT_EQ(files(after), (Texts{"production/new.yaml"}));
    EXPECT_EQ((*after)->commit, rewritten);
}

TEST_P(Fetching, FindsTagsAndCommitsAndTheBranchThatHeadIs) {
    repository.git({"tag", "-a", "v1", "-m", "one", first});
    repository.git({"push", "-q", "origin", "v1"});
    repository.write("production/later.yaml", "kind: L\n");
    const auto newest = repository.push();
    auto by_tag = settings();
    by_tag.wanted = {.branch = {}, .tag = "v1", .commit = {}};
    const auto tagged = fetch(by_tag);
    EXPECT_EQ(files(tagged), Texts{"production/demo.yaml"});
    ASSERT_TRUE(tagged);
    EXPECT_EQ((*tagged)->words, "v1 at " + first);
    auto by_commit = settings();
    by_commit.wanted = {.branch = {}, .tag = {}, .commit = newest};
    EXPECT_EQ(files(fetch(by_commit)).size(), 2U);
    auto by_head = settings();
    by_head.wanted = {};
    const auto head = fetch(by_head);
    ASSERT_TRUE(head) << head.error().message;
    EXPECT_EQ((*head)->words, "main at " + newest);
}

TEST_P(Fetching, SaysWhatIsNotThere) {
    auto other = settings();
    other.wanted.branch = "gone";
    EXPECT_EQ(
        problem(other),
        (Problem{"NotFound", "the repository has no branch gone (there are main); push it, or mend spec.branch"}));
    auto folder = settings();
    folder.path = "staging";
    EXPECT_EQ(problem(folder).reason, "NotFound");
    EXPECT_NE(problem(folder).message.find("has no folder staging; push it, or mend spec.path"), std::string::npos);
    auto file = settings();
    file.path = "production/demo.yaml";
    EXPECT_EQ(problem(file).reason, "NotFound");
    auto none = settings();
    none.repository += "x";
    EXPECT_EQ(problem(none).reason, "NotFound") << problem(none).message;
    auto commit = settings();
    commit.wanted = {.branch = {}, .tag = {}, .commit = std::string(40, 'a')};
    const auto refused = problem(commit);
    EXPECT_NE(refused.reason, "none");
    EXPECT_NE(refused.message.find("not our ref"), std::string::npos) << refused.message;
    EXPECT_TRUE(nothing_left());
}

TEST_P(Fetching, ABranchThatVanishesIsToldAndComesBack) {
    const auto fetcher = open(settings());
    ASSERT_TRUE(fetch(*fetcher));
    repository.git({"push", "-q", "origin", "HEAD:refs/heads/side"});
    repository.git({"--git-dir", repository.path(), "update-ref", "-d", "refs/heads/main"});
    const auto gone = fetch(*fetcher);
    ASSERT_FALSE(gone);
    EXPECT_EQ(gone.error().reason, "NotFound");
    repository.push();
    EXPECT_TRUE(fetch(*fetcher));
}

TEST_P(Fetching, FollowsNoLinkAndTakesNoFileThatIsTooLarge) {
    std::filesystem::create_symlink("/etc/passwd", repository.work() + "/production/link.yaml");
    std::filesystem::create_directory_symlink("../elsewhere", repository.work() + "/production/folder");
    repository.write("production/large.yaml", std::string(limits::file_bytes_max + 1, '#'));
    repository.push();
    const auto got = fetch(settings());
    EXPECT_EQ(files(got), Texts{"production/demo.yaml"});
    ASSERT_TRUE(got);
    Texts faults;
    for (const auto& fault : (*got)->tree.faults) faults.push_back(fault.text());
    EXPECT_EQ(faults, (Texts{"production/large.yaml: has 3145729 bytes, and 3145728 are the most; split it",
                             "production/link.yaml: is a symbolic link, and none is followed; put the file there"}));
}

TEST_P(Fetching, FiltersAndHooksOfTheRepositoryAreNotRun) {
    repository.write("production/.gitattributes", "*.yaml filter=evil\n");
    repository.git(
        {"config", "--file", repository.path() + "/config", "filter.evil.smudge", "touch " + data.file("ran")});
    repository.write("production/demo.yaml", "kind: A\r\n");
    repository.push();
    const auto got = fetch(settings());
    ASSERT_TRUE(got) << got.error().message;
    EXPECT_EQ((*got)->tree.files[0].bytes, "kind: A\r\n");
    EXPECT_FALSE(std::filesystem::exists(data.file("ran")));
}

class FetchingBySsh : public Fetching {};
INSTANTIATE_TEST_SUITE_P(Git, FetchingBySsh, testing::Values(Door::ssh));

TEST_P(FetchingBySsh, TalksOnlyToTheHostWhoseKeyIsPinned) {
    auto other = settings();
    other.host_key = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOMqqnkVzrm0SdG6UOoqKLsabgH5C9okWi0dh2l9GKJl";
    const auto refused = problem(other);
    EXPECT_EQ(refused.reason, "AuthenticationFailed");
    EXPECT_NE(refused.message.find("key"), std::string::npos) << refused.message;
    auto none = settings();
    none.host_key = "";
    const auto unknown = make_fetcher(none, services);
    ASSERT_FALSE(unknown);
    EXPECT_NE(unknown.error().message.find("spec.hostKey"), std::string::npos);
}

TEST_P(FetchingBySsh, TakesTheKeysThatKnownHostsHasForThatHostAndPort) {
    const std::string other = "AAAAC3NzaC1lZDI1NTE5AAAAIOMqqnkVzrm0SdG6UOoqKLsabgH5C9okWi0dh2l9GKJl";
    const std::string here = "[127.0.0.1]:" + std::to_string(sshd.port());
    auto known = settings();
    known.host_key = "";
    // the server shows the second; it has none of that type of the third
    known.known_hosts =
        "github.com ssh-ed25519 " + other + "\n" + here + " ssh-ed25519 " + other + "\n" + here + " " +
        sshd.host_key() + "\n" + here +
        " ssh-rsa AAAAB3NzaC1yc2EAAAADAQABAAAAgQCiwqCyzYGqQn1h/JWa3rEJb82ARpqtNYwbq1BsATztJ0oQg2C8MKVqoN"
        "N/xgmF3q1a7t8kQruYpQo2madMNusDrJdapNR2c0LQeks/DAFQjdGbq7HGoYwKVpwwNR1iLXIcTCH5StJDlgps14caU0T8"
        "l5/z7dsgrYjOxcmvoE1QMQ==\n";
    const auto got = fetch(known);
    ASSERT_TRUE(got) << got.error().message;
    EXPECT_EQ((*got)->commit, first);
    known.known_hosts = here + " ssh-ed25519 " + other + "\n127.0.0.1 " + sshd.host_key() + "\n";
    EXPECT_EQ(problem(known).reason, "AuthenticationFailed") << "the key of another port of that host";
    known.known_hosts = "github.com " + sshd.host_key() + "\n";
    const auto none = make_fetcher(known, services);
    ASSERT_FALSE(none);
    EXPECT_EQ(none.error().reason, "InvalidRepository");
    EXPECT_NE(none.error().message.find("no key of " + here), std::string::npos) << none.error().message;
}

TEST_P(FetchingBySsh, AKeyThatIsNotAdmittedIsToldSo) {
    sshd.admit_nobody();
    EXPECT_EQ(problem(settings()).reason, "AuthenticationFailed");
    sshd.admit_user();
    EXPECT_TRUE(fetch(settings()));
}

TEST_P(FetchingBySsh, AServerThatIsDownIsTriedAgainSoon) {
    sshd.stop();
    const auto down = problem(settings());
    EXPECT_EQ(down.reason, "FetchFailed");
    EXPECT_TRUE(down.soon);
}

TEST_P(FetchingBySsh, AServerThatStallsIsGivenUpInTimeAndTriedAgain) {
    auto hasty = settings();
    hasty.call_max = Duration(1'000);
    const auto fetcher = open(hasty);
    ASSERT_TRUE(fetch(*fetcher));
    const auto next = repository.push();
    sshd.freeze();
    const auto began = loop.clock().now();
    const auto stalled = fetch(*fetcher);
    const auto took = loop.clock().now() - began;
    sshd.thaw();
    ASSERT_FALSE(stalled);
    EXPECT_EQ(stalled.error().reason, "FetchFailed");
    EXPECT_TRUE(stalled.error().soon);
    EXPECT_NE(stalled.error().message.find("127.0.0.1"), std::string::npos) << stalled.error().message;
    EXPECT_LT(took, std::chrono::seconds(8));
    const auto again = fetch(*fetcher);
    ASSERT_TRUE(again) << again.error().message;
    EXPECT_EQ((*again)->commit, next);
    EXPECT_NE(metrics.text().find("\nocim_git_fetch_seconds_count 3\n"), std::string::npos) << "also of those in vain";
    EXPECT_TRUE(nothing_left());
}

TEST_P(FetchingBySsh, AServerThatHangsUpAnywhereIsToldAndTriedAgain) {
    const auto port = ":" + std::to_string(sshd.port());
    int cuts = 0;
    for (int lost = 1;; lost += 2) {
        SCOPED_TRACE(lost);
        test::Cut cut(sshd.port(), lost);
        auto there = settings();
        there.repository.replace(there.repository.find(port), port.size(), ":" + std::to_string(cut.port()));
        const auto fetcher = open(there);
        const auto first_try = fetch(*fetcher);
        if (first_try) break;  // it takes fewer answers
        ++cuts;
        EXPECT_EQ(first_try.error().reason, "FetchFailed");
        EXPECT_TRUE(first_try.error().soon);
        EXPECT_NE(first_try.error().message.find("127.0.0.1"), std::string::npos) << first_try.error().message;
        const auto again = fetch(*fetcher);
        ASSERT_TRUE(again) << again.error().message;
        EXPECT_EQ((*again)->commit, first);
    }
    EXPECT_GE(cuts, 3) << "an answer may come in few pieces or in many";
    EXPECT_TRUE(nothing_left());
}

class FetchingByHttps : public Fetching {};
INSTANTIATE_TEST_SUITE_P(Git, FetchingByHttps, testing::Values(Door::https));

TEST_P(FetchingByHttps, AWrongTokenOrNoneIsToldSo) {
    auto wrong = settings();
    wrong.password = Secret("hunter2x");
    EXPECT_EQ(problem(wrong), (Problem{"AuthenticationFailed", "the server answers 401; look at the Secret"}));
    auto none = settings();
    none.password = {};
    EXPECT_EQ(problem(none), (Problem{"AuthenticationFailed", "the server answers 401; it wants spec.credentialsRef"}));
}

TEST_P(FetchingByHttps, AServerWithAnotherAuthorityIsNotTalkedTo) {
    auto system = settings();
    system.ca_certificate = "";
    EXPECT_EQ(problem(system).reason, "FetchFailed");
    EXPECT_EQ(https.log().find("GET"), std::string::npos);
}

TEST_P(FetchingByHttps, AServerThatStallsCutsOffOrIsNoneIsGivenUpInTime) {
    auto hasty = settings();
    hasty.call_max = Duration(1'000);
    for (const auto* trouble : {"stall", "cut"}) {
        https.trouble(trouble);
        const auto began = loop.clock().now();
        const auto told = problem(hasty);
        EXPECT_EQ(told.reason, "FetchFailed") << trouble << ": " << told.message;
        EXPECT_TRUE(told.soon) << trouble;
        EXPECT_LT(loop.clock().now() - began, std::chrono::seconds(8)) << trouble;
    }
    https.trouble("elsewhere");
    EXPECT_EQ(problem(hasty), (Problem{"InvalidRepository",
                                       "the server answers 301: it is elsewhere, at "
                                       "https://other.example.com/; mend spec.repository"}));
    https.trouble("dumb");
    EXPECT_EQ(problem(hasty).reason, "InvalidRepository");
    https.trouble("");
    EXPECT_TRUE(fetch(settings()));
    EXPECT_TRUE(nothing_left());
}

}  // namespace
}  // namespace ocim::gitops
