#include "compute/host_key.hpp"
#include "runtime/base64.hpp"

#include <gtest/gtest.h>

namespace ocim::compute {
namespace {

/// The first key of RFC 8032, section 7.1.
const Secret seed("nWGxne/9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A=");

constexpr auto public_key = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAINdamAGCsQq31Uv+08lkBzoO4XLz2qYjJa8CGmj3B1Ea";
/// ssh-keygen -y makes the above of it.
constexpr auto private_key = R"(-----BEGIN OPENSSH PRIVATE KEY-----
b3BlbnNzaC1rZXktdjEAAAAABG5vbmUAAAAEbm9uZQAAAAAAAAABAAAAMwAAAAtzc2gtZW
QyNTUxOQAAACDXWpgBgrEKt9VL/tPJZAc6DuFy89qmIyWvAhpo9wdRGgAAAIjXWpgB11qY
AQAAAAtzc2gtZWQyNTUxOQAAACDXWpgBgrEKt9VL/tPJZAc6DuFy89qmIyWvAhpo9wdRGg
AAAECdYbGd7/1aYLqESvSS7CzEREnFaXsyaRlwO6wDHK5/YNdamAGCsQq31Uv+08lkBzoO
4XLz2qYjJa8CGmj3B1EaAAAAAAECAwQF
-----END OPENSSH PRIVATE KEY-----
)";

/// The part that is ours, as it stands alone.
std::string ours() {
    std::string key = private_key;
    for (auto at = key.find('\n'); at != std::string::npos; at = key.find('\n', at)) key.replace(at, 1, "\\n");
    return "#cloud-config\n{\"ssh_deletekeys\":true,\"ssh_keys\":{\"ed25519_private\":\"" + key +
           "\",\"ed25519_public\":\"" + public_key + "\\n\"}}\n";
}

TEST(HostKey, IsComputedFromItsSeed) {
    const auto key = host_key_of(seed);
    ASSERT_TRUE(key);
    EXPECT_EQ(key->public_key, public_key);
    EXPECT_EQ(key->private_key.reveal(), private_key);
    for (const auto* wrong : {"", "no base64", "c2hvcnQ="}) {
        const auto refused = host_key_of(Secret(wrong));
        ASSERT_FALSE(refused) << wrong;
        EXPECT_EQ(refused.error().message, "the key ed25519-seed is not base64 of 32 bytes");
    }
}

TEST(HostKey, ComesLastInTheUserDataWhateverElseIsThere) {
    const std::string mime =
        "MIME-Version: 1.0\nContent-Type: multipart/mixed; boundary=\"b\"\n\n--b\nContent-Type: text/x-shellscript\n\n"
        "#!/bin/sh\n--b--\n";
    const auto archive = [](const std::string& boundary, const std::string& first) {
        return "Content-Type: multipart/mixed; boundary=\"" + boundary + "\"\nMIME-Version: 1.0\n\n--" + boundary +
               "\n" + first + "\n--" + boundary + "\nContent-Type: text/cloud-config\n\n" + ours() + "--" + boundary +
               "--\n";
    };
    const std::string plain = "Content-Type: text/plain\n\n", usual = "=== part ===";
    const struct {
        const char* reason;
        std::string own, whole;
    } cases[] = {
        {"nothing else: no archive is needed", "", ours()},
        {"cloud-init knows it by its first line", "#cloud-config\npackages: [git]\n",
         archive(usual, plain + "#cloud-config\npackages: [git]\n")},
        {"a script", "#!/bin/sh\necho", archive(usual, plain + "#!/bin/sh\necho")},
        {"an archive is nested", mime, archive(usual, mime)},
        {"a boundary is nowhere else",
         "#!/bin/sh\n# === part ===", archive(usual + "=", plain + "#!/bin/sh\n# === part ===")},
        {"other letters do not get lost", "#!/bin/sh\n# \xc3\xa9",
         archive(usual, "Content-Type: text/plain; charset=\"utf-8\"\nContent-Transfer-Encoding: base64\n\n" +
                            runtime::base64("#!/bin/sh\n# \xc3\xa9") + "\n")},
    };
    for (const auto& one : cases)
        EXPECT_EQ(user_data_with(*host_key_of(seed), one.own).reveal(), one.whole) << one.reason;
}

}  // namespace
}  // namespace ocim::compute
