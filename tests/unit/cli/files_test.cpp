#include "cli/files.hpp"

#include "cli/access.hpp"
#include "cli/address.hpp"

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

using namespace ocim;
using namespace ocim::cli;

namespace {

namespace fs = std::filesystem;

struct Files : testing::Test {
    Files() {
        std::string name = fs::temp_directory_path() / "ocim-cli-XXXXXX";
        root = ::mkdtemp(name.data());
    }
    ~Files() override { fs::remove_all(root); }
    static fs::perms mode(const fs::path& path) { return fs::status(path).permissions(); }

    fs::path root;
};

TEST_F(Files, ADirectoryIsMadePrivate) {
    const auto path = root / "a" / "b";
    ASSERT_TRUE(open_data_directory(path, "ours"));
    EXPECT_EQ(mode(path), fs::perms::owner_all);
    ASSERT_TRUE(open_data_directory(path, "ours")) << "again";
}

TEST_F(Files, ADirectoryThatOthersReadIsTakenOnlyWhenEmptyOrOurs) {
    const auto path = root / "open";
    fs::create_directory(path);
    fs::permissions(path, fs::perms::owner_all | fs::perms::group_read | fs::perms::others_read);
    std::ofstream(path / "theirs") << "x";
    const auto refused = open_data_directory(path, "ours");
    ASSERT_FALSE(refused);
    EXPECT_NE(refused.error().message.find("chmod 700"), std::string::npos) << refused.error().message;
    EXPECT_NE(mode(path), fs::perms::owner_all) << "it is left as it was";
    std::ofstream(path / "ours") << "x";
    ASSERT_TRUE(open_data_directory(path, "ours"));
    EXPECT_EQ(mode(path), fs::perms::owner_all);
}

TEST_F(Files, AFileIsNoDirectory) {
    const auto path = root / "file";
    std::ofstream(path) << "x";
    EXPECT_FALSE(open_data_directory(path, "ours"));
}

TEST_F(Files, AreReplacedAsAWholeAndPrivate) {
    const auto path = root / "secret";
    std::ofstream(path) << "old, and longer than the new one";
    ASSERT_TRUE(write_file(path, "new"));
    EXPECT_EQ(*read_file(path), "new");
    EXPECT_EQ(mode(path), fs::perms::owner_read | fs::perms::owner_write);
    EXPECT_FALSE(fs::exists(path.string() + ".new"));
    EXPECT_EQ(*read_file(root / "absent"), "");
    EXPECT_FALSE(write_file(root / "absent" / "x", "y"));
}

TEST_F(Files, TheAuthorityIsMadeOnceAndKept) {
    const WallTime now = std::chrono::sys_days(std::chrono::year(2026) / 1 / 1);
    const auto first = open_access(root, {"127.0.0.1", {}}, now);
    ASSERT_TRUE(first) << first.error().message;
    const auto second = open_access(root, {"127.0.0.1", {}}, now);
    ASSERT_TRUE(second);
    EXPECT_EQ(first->ca.certificate, second->ca.certificate);
    EXPECT_NE(first->admin.certificate, second->admin.certificate) << "certificates are renewed";
    for (const auto* name : {"ca.key", "ca.crt", "server.key", "admin.key"})
        EXPECT_EQ(mode(root / "pki" / name), fs::perms::owner_read | fs::perms::owner_write) << name;
    fs::remove(root / "pki" / "ca.key");
    const auto broken = open_access(root, {"127.0.0.1", {}}, now);
    ASSERT_FALSE(broken) << "a new authority would lock everybody out";
    EXPECT_NE(broken.error().message.find("ca.key is missing"), std::string::npos);
}

TEST(Address, Table) {
    const struct {
        const char *reason, *text, *expected;
    } cases[] = {
        {"usual", "127.0.0.1:7443", "127.0.0.1 7443"},
        {"any port", "127.0.0.1:0", "127.0.0.1 0"},
        {"version 6", "[::1]:7443", "::1 7443"},
        {"a name", "localhost:7443", "refused"},
        {"no port", "127.0.0.1", "refused"},
        {"empty port", "127.0.0.1:", "refused"},
        {"port too large", "127.0.0.1:65536", "refused"},
        {"negative port", "127.0.0.1:-1", "refused"},
    };
    for (const auto& c : cases) {
        const auto read = parse_address("listen", c.text);
        EXPECT_EQ(read ? read->host + " " + std::to_string(read->port) : "refused", c.expected) << c.reason;
    }
    EXPECT_EQ(url("https", reachable_host("::"), 1), "https://[::1]:1");
    EXPECT_EQ(url("https", reachable_host("0.0.0.0"), 1), "https://127.0.0.1:1");
}

}  // namespace
