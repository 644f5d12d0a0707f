#include "openedx/keepsakes.hpp"

#include "api/yaml.hpp"
#include "runtime/base64.hpp"
#include "support/memory_client.hpp"
#include "support/test_loop.hpp"

#include <gtest/gtest.h>
#include <unistd.h>
#include <filesystem>

namespace ocim::openedx {
namespace {

namespace fs = std::filesystem;
using api::Json;

Json parsed(std::string_view text) { return api::parse_json(text)->value; }

TEST(Keepsakes, WhatIsKeptOnceNeverChanges) {
    EXPECT_EQ(with_added(parsed(R"({"A":1})").as_object(), parsed(R"({"A":2,"B":3})").as_object()),
              parsed(R"({"A":1,"B":3})").as_object());
}

class KeepsakesFolder : public testing::Test {
protected:
    ~KeepsakesFolder() override { fs::remove_all(folder); }
    const fs::path folder = fs::path(testing::TempDir()) / ("ocim-keepsakes-" + std::to_string(::getpid()));
    const fs::path path = folder / "keepsakes" / "uid-1.json";
    const Keepsake keepsake{"campus", "demo-tutor", "config.yml", {{"A", 1}, {"B", 2}}};
};

TEST_F(KeepsakesFolder, AreReadableByNobodyElseAndStayInTheirFolder) {
    ASSERT_TRUE(write_keepsake(folder, "uid-1", keepsake));
    EXPECT_EQ(fs::status(path).permissions(), fs::perms::owner_read | fs::perms::owner_write);
    EXPECT_FALSE(write_keepsake(folder, "../uid-1", keepsake));
}

TEST_F(KeepsakesFolder, AreNeverWrittenOverWhatCannotBeRead) {
    const struct {
        const char* reason;
        Json before;       ///< the Secret's data; null: there is no Secret
        const char* kept;  ///< JSON of the mapping; null: as it was before
        bool waits;        ///< the keepsake does
    } cases[] = {
        {"nothing is kept yet", parsed("{}"), R"({"A":1,"B":2})", false},
        {"an empty one", Json{{"config.yml", ""}}, R"({"A":1,"B":2})", false},
        {"more was drawn", Json{{"config.yml", runtime::base64("A: 7\n")}}, R"({"A":7,"B":2})", false},
        {"all of it is there", Json{{"config.yml", runtime::base64("A: 7\nB: 8\n")}}, nullptr, false},
        {"it is no base64", Json{{"config.yml", "A: 7"}}, nullptr, true},
        {"it is no mapping", Json{{"config.yml", runtime::base64("- A\n")}}, nullptr, true},
        {"it is no YAML", Json{{"config.yml", runtime::base64("A: [\n")}}, nullptr, true},
        {"there is no such Secret any more", nullptr, nullptr, false},
    };
    for (const auto& c : cases) {
        ocim::test::TestLoop loop;
        ocim::test::MemoryServer server(loop.clock());
        auto client = server.client();
        BlockingPool blocking(loop.executor(), "test", 1, 8);
        if (!c.before.is_null())
            server.put(api::json::object{{"apiVersion", "v1"},
                                         {"kind", "Secret"},
                                         {"metadata", {{"namespace", "campus"}, {"name", "demo-tutor"}}},
                                         {"data", c.before}});
        ASSERT_TRUE(write_keepsake(folder, "uid-1", keepsake));
        Keepsakes keepsakes(*client, loop.clock(), blocking, folder);
        loop.run(keepsakes.keep_once());
        EXPECT_EQ(fs::exists(path), c.waits) << c.reason;
        const auto* secret = server.get("Secret", "campus", "demo-tutor");
        ASSERT_EQ(secret != nullptr, !c.before.is_null()) << c.reason;
        if (!secret) continue;
        if (!c.kept) {
            EXPECT_EQ(secret->at("data"), c.before) << c.reason;
            continue;
        }
        const auto text = runtime::from_base64(api::find_text(*secret, {"data", "config.yml"}));
        EXPECT_EQ(api::parse_yaml(text.value_or(""))->value, parsed(c.kept)) << c.reason;
    }
}

}  // namespace
}  // namespace ocim::openedx
