#include "runtime/installation.hpp"

#include "base/random.hpp"
#include "support/memory_client.hpp"
#include "support/test_loop.hpp"

#include <gtest/gtest.h>

namespace ocim::runtime {
namespace {

class InstallationTest : public testing::Test {
protected:
    std::string learnt(const std::string& wanted) {
        const auto found = loop_.run(learn_installation(*client_, *random_, wanted));
        return found ? *found : found.error().message;
    }

    test::TestLoop loop_;
    test::MemoryServer server_{loop_.clock()};
    std::unique_ptr<client::Client> client_ = server_.client();
    std::unique_ptr<Random> random_ = make_seeded_random(7);
};

TEST_F(InstallationTest, HasTheIdThatItIsGivenFromTheFirstStartOn) {
    EXPECT_EQ(learnt("prod"), "prod");
    EXPECT_EQ(learnt(""), "prod") << "it stays";
    EXPECT_EQ(learnt("prod"), "prod");
    EXPECT_EQ(learnt("other"),
              "this installation is \"prod\" and cannot become \"other\": what it has made carries that id. Leave the "
              "id out or give \"prod\"; for another installation take another data directory");
    EXPECT_EQ(learnt(""), "prod");
}

TEST_F(InstallationTest, ElseItDrawsOneAndKeepsIt) {
    const auto drawn = learnt("");
    EXPECT_TRUE(check_installation_id(drawn)) << drawn;
    EXPECT_EQ(learnt(""), drawn);
    EXPECT_NE(learnt("prod"), "prod") << "a drawn one does not change either";
}

TEST(InstallationId, Table) {
    for (const auto* good : {"a", "prod", "prod-2", "0", "abcdefghijklmnopqrstuvwxyz012345"})
        EXPECT_TRUE(check_installation_id(good)) << good;
    for (const auto* bad : {"", "-", "-a", "a-", "Prod", "a b", "a\n", "a'", "\xc3\xbc", "a/b", "a=b",
                            "abcdefghijklmnopqrstuvwxyz0123456"})
        EXPECT_FALSE(check_installation_id(bad)) << bad;
}

}  // namespace
}  // namespace ocim::runtime
