#include "gitops/signature.hpp"

#include "runtime/base64.hpp"
#include "support/service.hpp"
#include "support/test_loop.hpp"

#include <gtest/gtest.h>
#include <filesystem>

/// Texts as gpgv 2.2 writes them; tests/integration/gitops has it judge real signatures.
namespace ocim::gitops {
namespace {

const Signers ours{"", "", "campus/signers"};

std::string status(const std::string& lines) { return "[GNUPG:] NEWSIG ada@example.com\n" + lines; }

TEST(Gpgv, CountsASignatureOnlyWhenEverythingIsGood) {
    const std::string good = "[GNUPG:] GOODSIG 30410E013EDF96A1 Ada <ada@example.com>\n";
    const std::string valid = "[GNUPG:] VALIDSIG 379B46C2B5465BA86008C2E730410E013EDF96A1 2026-11-23 1795465666 0 4\n";
    EXPECT_EQ(read_gpgv(status(good + valid), ours).signer, "Ada <ada@example.com>, OpenPGP key 30410E013EDF96A1");
    const struct {
        const char* why;
        std::string said, refusal;
    } cases[] = {
        {"nothing was said", "", "its signature is not of what it says"},
        {"good, and not valid", status(good), "is not of what it says"},
        {"valid, and not good", status(valid), "is not of what it says"},
        {"the key has expired, which gpgv ends well with",
         status("[GNUPG:] EXPKEYSIG 30410E013EDF96A1 Ada <ada@example.com>\n" + valid), "has expired; prolong the key"},
        {"the signature has expired", status("[GNUPG:] EXPSIG 30410E013EDF96A1 Ada <ada@example.com>\n" + valid),
         "has expired"},
        {"the key was revoked", status("[GNUPG:] REVKEYSIG 30410E013EDF96A1 Ada <ada@example.com>\n" + valid),
         "which is revoked"},
        {"the text was changed", status("[GNUPG:] BADSIG 30410E013EDF96A1 Ada <ada@example.com>\n"),
         "its signature by Ada <ada@example.com>, OpenPGP key 30410E013EDF96A1 is not of what it says"},
        {"a key that nobody gave us",
         status("[GNUPG:] ERRSIG 30410E013EDF96A1 22 8 00 1795465666 9\n[GNUPG:] NO_PUBKEY 30410E013EDF96A1\n"),
         "the OpenPGP key 30410E013EDF96A1, which gpg.asc of the Secret campus/signers does not allow"},
        {"a good one and another one", status(good + valid) + status(good + valid), "more than one signature"},
        {"a bad one before a good one",
         status("[GNUPG:] ERRSIG 30410E013EDF96A2 22 8 00 1795465666 9\n") + status(good + valid),
         "more than one signature"},
        {"what is not gpgv's own", good.substr(1) + valid.substr(1), "is not of what it says"},
    };
    for (const auto& c : cases) {
        const auto judged = read_gpgv(c.said, ours);
        EXPECT_EQ(judged.signer, "") << c.why;
        EXPECT_NE(judged.refusal.find(c.refusal), std::string::npos) << c.why << ": " << judged.refusal;
    }
}

std::string block(const std::string& bytes) {
    return "-----BEGIN PGP PUBLIC KEY BLOCK-----\r\nComment: of Ada\n\n" + runtime::base64(bytes) +
           "\n=njUN\n-----END PGP PUBLIC KEY BLOCK-----\n";
}

class Judged : public testing::Test {
protected:
    /// What comes of a signature when both programs are this one.
    Result<Judgement> by(const std::string& program, const std::string& armor) {
        const Signed what{"text",
                          "-----BEGIN " + armor + " SIGNATURE-----\nAAAA\n-----END " + armor + " SIGNATURE-----\n"};
        const Signers signers{"ada ssh-ed25519 AAAA", "keys", "campus/signers"};
        return loop.run(judge_signature(what, signers, pool, directory.path() + "/git", Judges{program, program}));
    }
    std::string script(const std::string& lines, std::filesystem::perms mode = std::filesystem::perms::owner_all) {
        const auto path = directory.path() + "/program-" + std::to_string(++count_);
        test::write_file(path, lines);
        std::filesystem::permissions(path, mode);
        return path;
    }

    test::RealLoop loop;
    test::TempDir directory;
    BlockingPool pool{loop.executor(), "blocking", 1, 16};

private:
    int count_ = 0;
};

TEST_F(Judged, BadlyIsNoSignatureByAProgramThatCannotRun) {
    const struct {
        const char* reason;
        std::string program;
    } cases[] = {
        {"there is none", directory.path() + "/none"},
        {"a library of it is missing, as the loader says",
         script("#!/bin/sh\necho 'no libcrypto.so.3' >&2\nexit 127\n")},
        {"it may not be run, as a shell says", script("#!/bin/sh\nexit 126\n")},
        {"its interpreter is missing", script("#!/no/such/shell\n")},
        {"it is another machine's", script("\x7f"
                                           "ELF nothing\n")},
        {"it died", script("#!/bin/sh\nkill -SEGV $$\n")},
    };
    for (const auto& c : cases)
        for (const auto* armor : {"SSH", "PGP"}) {
            const auto judged = by(c.program, armor);
            ASSERT_FALSE(judged) << c.reason << ": " << judged->refusal;
            EXPECT_EQ(judged.error().error_class, ErrorClass::transient) << c.reason << ": " << judged.error().message;
            EXPECT_NE(judged.error().message.find("where ocim runs"), std::string::npos)
                << c.reason << ": " << judged.error().message;
        }
}

TEST_F(Judged, NotAtAllIsWhatAProgramHasNothingToSayOf) {
    const auto gpgv = by(script("#!/bin/sh\nexit 2\n"), "PGP");
    ASSERT_FALSE(gpgv) << gpgv->refusal;
    EXPECT_EQ(gpgv.error().error_class, ErrorClass::transient);
}

TEST_F(Judged, AreSignaturesByWhoeverRunsAndRefuses) {
    const auto ssh = by(script("#!/bin/sh\necho 'no principal matched' >&2\nexit 255\n"), "SSH");
    ASSERT_TRUE(ssh) << ssh.error().message;
    EXPECT_NE(ssh->refusal.find("no principal matched"), std::string::npos) << ssh->refusal;
    const auto gpgv = by(script("#!/bin/sh\necho '[GNUPG:] NODATA 4'\nexit 2\n"), "PGP");
    ASSERT_TRUE(gpgv) << gpgv.error().message;
    EXPECT_NE(gpgv->refusal, "");
}

TEST(Keyring, IsEveryArmoredBlockInItsOrder) {
    EXPECT_EQ(keyring_of(block("one") + "\nand Grace's:\n" + block("two")), "onetwo");
    EXPECT_EQ(keyring_of("\x99\x01 not armored"), "\x99\x01 not armored");
    EXPECT_EQ(keyring_of(""), "");
    const auto whole = block("one");
    EXPECT_EQ(keyring_of(whole.substr(0, whole.find("-----END"))), std::nullopt) << "it has no end";
    EXPECT_EQ(keyring_of("-----BEGIN PGP PUBLIC KEY BLOCK-----\n\n****\n-----END PGP PUBLIC KEY BLOCK-----\n"),
              std::nullopt)
        << "it is not base64";
    EXPECT_EQ(keyring_of("-----BEGIN PGP PUBLIC KEY BLOCK-----\n" + whole), std::nullopt) << "one within another";
}

}  // namespace
}  // namespace ocim::gitops
