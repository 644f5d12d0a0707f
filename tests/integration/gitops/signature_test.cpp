#include "gitops/fetch.hpp"
#include "support/git.hpp"
#include "support/test_loop.hpp"

#include <gtest/gtest.h>
#include <filesystem>

/// Commits and tags that Git itself signs, with keys of ssh-keygen and of gpg.
namespace ocim::gitops {
namespace {

using test::GitHttps;
using test::GitRepository;
using Texts = std::vector<std::string>;

/// People's keys, as they make them.
class Keys {
public:
    Keys() {
        std::filesystem::create_directory(gnupg());
        std::filesystem::permissions(gnupg(), std::filesystem::perms::owner_all);
    }
    /// A key of SSH; its public half is "ssh-ed25519 AAAA…".
    std::string ssh(const std::string& who) const {
        if (!std::filesystem::exists(ssh_file(who)))
            run({"/usr/bin/ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", who, "-f", ssh_file(who)});
        const auto text = test::read_file(ssh_file(who) + ".pub");
        return text.substr(0, text.find(' ', text.find(' ') + 1));
    }
    std::string ssh_file(const std::string& who) const { return directory_.file(who); }
    /// A key of OpenPGP, made and good from 2020 on, until `until`; armored.
    std::string gpg(const std::string& who, const std::string& until) const {
        gpg({"--faked-system-time", "20200101T000000", "--passphrase", "", "--quick-generate-key", address(who),
             "ed25519", "sign", until});
        return gpg({"--armor", "--export", address(who)});
    }
    /// It was lost.
    std::string revoked(const std::string& who) const {
        const auto listed = gpg({"--with-colons", "--list-keys", address(who)});
        const auto at = listed.find("fpr:::::::::") + 12;
        const auto file = gnupg() + "/openpgp-revocs.d/" + listed.substr(at, 40) + ".rev";
        auto words = test::read_file(file);
        words.erase(words.find(":-----"), 1);
        test::write_file(file, words);
        gpg({"--import", file});
        return gpg({"--armor", "--export", address(who)});
    }
    static std::string address(const std::string& who) { return who + " <" + who + "@example.com>"; }
    /// What Git signs with: gpg, as if it were another day.
    std::string gpg_program(const std::string& day = "") const {
        const auto path = directory_.file("gpg-as-of-" + day);
        test::write_file(path, "#!/bin/sh\nexec gpg --homedir " + gnupg() +
                                   (day.empty() ? "" : " --faked-system-time " + day + "T000000") + " \"$@\"\n");
        std::filesystem::permissions(path, std::filesystem::perms::owner_all);
        return path;
    }

private:
    std::string gnupg() const { return directory_.file("gnupg"); }
    std::string gpg(std::vector<std::string> words) const {
        words.insert(words.begin(), {"/usr/bin/gpg", "--homedir", gnupg(), "--batch", "--quiet"});
        return run(words);
    }
    static std::string run(const std::vector<std::string>& words) {
        auto ran = test::run_program(words);
        if (ran.exit_code != 0) throw std::runtime_error(words[0] + ": " + ran.output);
        return ran.output;
    }
    test::TempDir directory_;
};

class Signatures : public testing::Test {
protected:
    Signatures() { repository.write("demo.yaml", "kind: A\n"); }
    RepositorySettings settings() const {
        RepositorySettings out;
        out.repository = https.url();
        out.ca_certificate = https.certificate();
        out.wanted.branch = "main";
        out.verification = Verification{.of = Verification::Of::commit, .signers = signers};
        return out;
    }
    void sign_by_ssh(const std::string& who) {
        (void)keys.ssh(who);
        sign({{"gpg.format", "ssh"}, {"user.signingkey", keys.ssh_file(who) + ".pub"}});
    }
    void sign_by_gpg(const std::string& who, const std::string& day = "") {
        sign({{"gpg.format", "openpgp"},
              {"user.signingkey", Keys::address(who)},
              {"gpg.program", keys.gpg_program(day)}});
    }
    void sign(const std::vector<std::pair<std::string, std::string>>& settings) {
        repository.git({"config", "commit.gpgsign", "true"});
        for (const auto& [name, value] : settings) repository.git({"config", name, value});
    }
    std::unique_ptr<Fetcher> open(RepositorySettings with) {
        auto made = make_fetcher(std::move(with), services);
        if (!made) throw std::runtime_error(made.error().message);
        return *std::move(made);
    }
    /// Who signed it; or why it is refused.
    std::string said(Fetcher& fetcher) {
        const auto got = loop.run(fetcher.fetch());
        EXPECT_TRUE(std::filesystem::is_empty(data.path() + "/git")) << "nothing is left";
        return got ? "by " + (*got)->signer : got.error().reason + ": " + got.error().message;
    }
    std::string said() {
        const auto fetcher = open(settings());
        return said(*fetcher);
    }
    void expect_refused(const std::string& commit, const std::string& why) {
        const auto told = said();
        EXPECT_TRUE(told.starts_with("SignatureRefused: Nothing of main at " + commit + " is applied: it")) << told;
        EXPECT_NE(told.find(why), std::string::npos) << told;
        EXPECT_EQ(told.find(data.path()), std::string::npos) << told;
    }
    std::size_t packs_asked() const {
        std::size_t count = 0;
        const auto log = https.log();
        for (auto at = log.find("POST"); at != std::string::npos; at = log.find("POST", at + 1)) ++count;
        return count;
    }
    /// The newest commit with the signature of another text.
    std::string push_forged(const std::string& from, const std::string& to) {
        auto text = repository.git({"cat-file", "commit", "HEAD"});
        text.replace(text.find(from), from.size(), to);
        return push_bytes(text + "\n");
    }
    std::string push_bytes(const std::string& text) {
        test::write_file(repository.work() + "/.git/forged", text);
        auto forged = repository.git({"hash-object", "-t", "commit", "-w", "--literally", ".git/forged"});
        repository.git({"push", "-q", "-f", "origin", forged + ":refs/heads/main"});
        return forged;
    }

    test::RealLoop loop;
    test::TempDir repositories, data;
    Keys keys;
    GitRepository repository{repositories.path()};
    GitHttps https{repositories.path(), ""};
    std::unique_ptr<Random> random = make_system_random();
    Metrics metrics;
    BlockingPool blocking{loop.executor(), "blocking", 2, 16};
    runtime::Services services{loop.executor(), loop.clock(), *random, metrics, blocking, "lab", data.path(), nullptr};
    Signers signers{"", "", "campus/signers"};
};

TEST_F(Signatures, ByAnSshKeyThatIsAllowedCount) {
    signers.allowed_signers = "grace@example.com " + keys.ssh("grace") + "\nada@example.com " + keys.ssh("ada") + "\n";
    sign_by_ssh("ada");
    repository.push();
    EXPECT_EQ(said(), "by ada@example.com");
}

TEST_F(Signatures, OfACommitThatHasNoneAreMissed) {
    signers.allowed_signers = "ada@example.com " + keys.ssh("ada");
    const auto commit = repository.push();
    expect_refused(commit, "it has no signature, and spec.verify asks for one; sign it");
    auto nobody = settings();
    nobody.verification.reset();
    const auto fetcher = open(nobody);
    EXPECT_EQ(said(*fetcher), "by ");
}

TEST_F(Signatures, ByAnSshKeyThatIsNotAllowedDoNotCount) {
    sign_by_ssh("mallory");
    const auto commit = repository.push();
    const auto ada = keys.ssh("ada"), mallory = keys.ssh("mallory");
    for (const auto& [why, allowed, expected] : std::vector<std::array<std::string, 3>>{
             {"another key", "ada@example.com " + ada, "No principal matched"},
             {"it had its time", "mallory@example.com valid-before=\"20200101\" " + mallory,
              "allowed_signers:1: key has expired: verify time"},
             {"its time has not come", "mallory@example.com valid-after=\"20990101\" " + mallory, "not yet valid"},
             {"it is for other things", "mallory@example.com namespaces=\"file\" " + mallory, "not permitted"},
             {"no keys of SSH at all", "", "an SSH key, which allowed_signers of the Secret campus/signers does not"},
             {"no such file", "nonsense", "No principal matched"}}) {
        SCOPED_TRACE(why);
        signers.allowed_signers = allowed;
        signers.keyring = allowed.empty() ? "x" : "";
        expect_refused(commit, expected);
    }
}

TEST_F(Signatures, OfAnotherTextDoNotCount) {
    signers.allowed_signers = "ada@example.com " + keys.ssh("ada");
    sign_by_ssh("ada");
    repository.push();
    const auto forged = push_forged("next", "evil");
    expect_refused(forged, "its signature by ada@example.com is not of what it says: somebody changed it");
}

TEST_F(Signatures, InAMessageOrBeforeANulAreNone) {
    signers.allowed_signers = "ada@example.com " + keys.ssh("ada");
    sign_by_ssh("ada");
    repository.push();
    const auto text = repository.git({"cat-file", "commit", "HEAD"}) + "\n";
    const auto hidden = push_bytes(text + std::string("\0evil\n", 6));
    expect_refused(hidden, "it has no signature");
    const auto at = text.find("gpgsig "), end = text.find("\n\n");
    auto moved = text;
    moved.erase(at, end + 1 - at);
    expect_refused(push_bytes(moved + text.substr(at, end + 1 - at)), "it has no signature");
}

TEST_F(Signatures, ByAnOpenPgpKeyThatIsAllowedCount) {
    signers.keyring = keyring_of(keys.gpg("grace", "never") + keys.gpg("ada", "never")).value();
    sign_by_gpg("ada");
    repository.push();
    const auto told = said();
    EXPECT_TRUE(told.starts_with("by ada <ada@example.com>, OpenPGP key ")) << told;
    const auto forged = push_forged("next", "evil");
    expect_refused(forged, "its signature by ada <ada@example.com>, OpenPGP key");
}

TEST_F(Signatures, ByAnOpenPgpKeyThatIsNotAllowedDoNotCount) {
    const auto ada = keys.gpg("ada", "never"), old = keys.gpg("old", "2020-06-01");
    (void)keys.gpg("mallory", "never");
    signers.keyring = keyring_of(ada + old).value();
    sign_by_gpg("mallory");
    expect_refused(repository.push(), "which gpg.asc of the Secret campus/signers does not allow");
    sign_by_gpg("old", "20200201");
    expect_refused(repository.push(), "old <old@example.com>, OpenPGP key ");
    expect_refused(repository.git({"rev-parse", "HEAD"}), "has expired; prolong the key");
    sign_by_gpg("ada");
    const auto commit = repository.push();
    EXPECT_TRUE(said().starts_with("by ada"));
    signers.keyring = keyring_of(keys.revoked("ada")).value();
    expect_refused(commit, "which is revoked");
    signers.keyring = "nonsense";
    expect_refused(commit, "does not allow");
}

TEST_F(Signatures, OfATagAreOfThatNameAndCommit) {
    signers.allowed_signers = "ada@example.com " + keys.ssh("ada");
    sign_by_ssh("ada");
    repository.git({"config", "commit.gpgsign", "false"});
    const auto commit = repository.push();
    repository.git({"tag", "-s", "-m", "one", "v1"});
    repository.git({"tag", "-a", "-m", "two", "v2"});
    repository.git({"tag", "v3"});
    repository.git({"update-ref", "refs/tags/v4", repository.git({"rev-parse", "v1"})});
    repository.git({"tag", "-s", "-m", "five", "v5"});
    auto text = repository.git({"cat-file", "tag", "v5"}) + "\n";
    text.replace(text.find("five"), 4, "evil");
    test::write_file(repository.work() + "/.git/forged", text);
    repository.git({"update-ref", "refs/tags/v5", repository.git({"hash-object", "-t", "tag", "-w", ".git/forged"})});
    repository.git({"tag", "-s", "-m", "a tag of a tag", "v7", "v1"});
    sign_by_ssh("mallory");
    repository.git({"config", "commit.gpgsign", "false"});
    repository.git({"tag", "-s", "-m", "six", "v6"});
    repository.git({"push", "-q", "origin", "v1", "v2", "v3", "v4", "v5", "v6", "v7"});
    auto asked = settings();
    asked.verification->of = Verification::Of::tag;
    const struct {
        const char *tag, *why;
        std::string expected;
    } cases[] = {
        {"v1", "signed", "by ada@example.com"},
        {"v2", "annotated, and not signed", "is applied: it has no signature"},
        {"v3", "no object of its own", "it is not an annotated tag of that name and commit"},
        {"v4", "signed under another name", "it is not an annotated tag of that name and commit"},
        {"v5", "its text was changed", "its signature by ada@example.com is not of what it says"},
        {"v6", "signed by a stranger", "No principal matched"},
        {"v7", "a tag of a tag", "it is not an annotated tag of that name and commit"},
    };
    for (const auto& c : cases) {
        asked.wanted = {.branch = {}, .tag = c.tag, .commit = {}};
        const auto fetcher = open(asked);
        const auto told = said(*fetcher);
        EXPECT_NE(told.find(c.expected), std::string::npos) << c.why << ": " << told;
        if (told.starts_with("Sig"))
            EXPECT_NE(told.find(std::string(c.tag) + " at " + commit), std::string::npos) << told;
    }
}

TEST_F(Signatures, AreJudgedAnewWithoutTransferAndTheNextCommitIsTaken) {
    signers.allowed_signers = "ada@example.com " + keys.ssh("ada");
    sign_by_ssh("ada");
    repository.push();
    const auto fetcher = open(settings());
    EXPECT_EQ(said(*fetcher), "by ada@example.com");
    sign_by_ssh("mallory");
    repository.push();
    for (int i = 0; i < 3; ++i) EXPECT_TRUE(said(*fetcher).starts_with("SignatureRefused")) << i;
    EXPECT_EQ(packs_asked(), 2U);
    sign_by_ssh("ada");
    repository.push();
    EXPECT_EQ(said(*fetcher), "by ada@example.com");
}

}  // namespace
}  // namespace ocim::gitops
