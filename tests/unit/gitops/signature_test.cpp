#include "gitops/signature.hpp"

#include "runtime/base64.hpp"

#include <gtest/gtest.h>

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
