#include "cli/access.hpp"
#include "cli/revoked.hpp"
#include "cli/token_keys.hpp"
#include "support/test_loop.hpp"

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <optional>

using namespace ocim;
using namespace ocim::cli;
using namespace std::chrono_literals;
using apiserver::TokenKeys;

namespace {

namespace fs = std::filesystem;

const WallTime now = std::chrono::sys_days(std::chrono::year(2026) / 1 / 1);

struct Doors : testing::Test {
    Doors() {
        std::string name = (fs::temp_directory_path() / "ocim-doors-XXXXXX").string();
        root = ::mkdtemp(name.data());
        fs::create_directory(root + "/pki");
    }
    ~Doors() override { fs::remove_all(root); }

    std::string claims() { return R"({"sub":"x"})"; }
    std::string token_of(const TokenKeys& keys) { return *keys.first().sign(api::parse_json(claims())->value); }

    std::string root;
};

TEST_F(Doors, AKeyIsMadeOnceAndPrivate) {
    const auto made = open_token_keys(root);
    ASSERT_TRUE(made) << made.error().message;
    EXPECT_TRUE(open_token_keys(root)->same_as(*made));
    EXPECT_EQ(fs::status(root + "/pki/service-account.key").permissions(),
              fs::perms::owner_read | fs::perms::owner_write);
}

TEST_F(Doors, ARotationKeepsTheOldKeyAsLongAsItsTokensLast) {
    const auto old = *open_token_keys(root);
    const auto token = token_of(old);
    ASSERT_TRUE(keep_token_key(root, old.first().id(), now + 48h));
    const auto name = rotate_token_key(root, OldTokens::last, now);
    ASSERT_TRUE(name) << name.error().message;
    const auto both = *open_token_keys(root);
    EXPECT_EQ(both.first().id(), *name);
    EXPECT_EQ(both.size(), 2U);
    EXPECT_TRUE(both.verify(token));
    // one that signed nothing is not kept
    ASSERT_TRUE(rotate_token_key(root, OldTokens::last, now));
    EXPECT_EQ(open_token_keys(root)->size(), 2U);
    ASSERT_TRUE(rotate_token_key(root, OldTokens::last, now + 48h));
    EXPECT_EQ(open_token_keys(root)->size(), 1U);
    EXPECT_FALSE(open_token_keys(root)->verify(token));
}

TEST_F(Doors, OldTokensCanBeEndedAtOnce) {
    const auto old = *open_token_keys(root);
    ASSERT_TRUE(keep_token_key(root, old.first().id(), now + 48h));
    ASSERT_TRUE(rotate_token_key(root, OldTokens::end, now));
    const auto left = *open_token_keys(root);
    EXPECT_EQ(left.size(), 1U);
    EXPECT_FALSE(left.verify(token_of(old)));
    const auto late = keep_token_key(root, old.first().id(), now + 96h);
    ASSERT_FALSE(late) << "who still signs with it must not give that token away";
    EXPECT_EQ(late.error().error_class, ErrorClass::conflict);
}

TEST_F(Doors, WithoutAKeyThereIsNothingToRotate) {
    EXPECT_FALSE(rotate_token_key(root, OldTokens::last, now));
    EXPECT_FALSE(fs::exists(root + "/pki/service-account.key"));
    std::ofstream(root + "/pki/service-account.key") << "nonsense";
    EXPECT_FALSE(open_token_keys(root));
    EXPECT_FALSE(rotate_token_key(root, OldTokens::end, now));
}

TEST_F(Doors, CertificatesThatAreMadeLaterAreGood) {
    EXPECT_FALSE(read_revoked(root)->of("ann"));
    ASSERT_TRUE(revoke(root, "ann", now));
    ASSERT_TRUE(revoke(root, "bob", now + 1h));
    const auto read = read_revoked(root);
    ASSERT_TRUE(read) << read.error().message;
    EXPECT_EQ(read->of("ann"), now);
    EXPECT_EQ(read->of("bob"), now + 1h);
    EXPECT_EQ(fs::status(root + "/pki/revoked").permissions(), fs::perms::owner_read | fs::perms::owner_write);

    const auto renewed = net::PeerCertificate{"ann", {}, WallTime::max(), issue_from(*read, "ann")};
    EXPECT_FALSE(read->covers(renewed));
    EXPECT_EQ(issue_from(*read, "carl"), WallTime::min());
    std::ofstream(root + "/pki/revoked") << "ann";
    EXPECT_FALSE(read_revoked(root)) << "what cannot be read lets nobody in by mistake";
    EXPECT_FALSE(revoke(root, "ann", now));
}

TEST_F(Doors, TheAdministratorsNextCertificateIsGoodToo) {
    fs::remove(root + "/pki");
    const ServerNames names{"127.0.0.1", {}};
    ASSERT_TRUE(open_access(root, names, now));
    ASSERT_TRUE(revoke(root, admin_name, now));
    EXPECT_TRUE(open_access(root, names, now));
    std::ofstream(root + "/pki/revoked") << "{";
    EXPECT_FALSE(open_access(root, names, now)) << "the server does not start before somebody has looked";
}

TEST_F(Doors, AListIsFollowed) {
    test::TestLoop loop;
    TaskGroup tasks(loop.executor());
    std::optional<apiserver::Revoked> seen;
    ASSERT_TRUE(revoke(root, "ann", now));
    tasks.spawn("follow", follow_revoked(loop.clock(), root, [&](apiserver::Revoked list) { seen = std::move(list); }));
    loop.advance(2s);
    ASSERT_TRUE(seen) << "what came while the server started";
    EXPECT_TRUE(seen->of("ann"));
    ASSERT_TRUE(revoke(root, "bob", now));
    loop.advance(2s);
    EXPECT_TRUE(seen->of("bob"));
    std::ofstream(root + "/pki/revoked") << "{";
    loop.advance(2s);
    EXPECT_TRUE(seen->of("bob")) << "a broken list changes nothing";
    fs::remove(root + "/pki/revoked");
    loop.advance(2s);
    EXPECT_FALSE(seen->of("bob"));
    loop.run(tasks.stop());
}

}  // namespace
