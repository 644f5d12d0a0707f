#include "github/body.hpp"

#include <gtest/gtest.h>

namespace ocim::github {
namespace {

TEST(Body, SettingsTable) {
    const struct {
        const char *reason, *text, *settings;
    } cases[] = {
        {"nothing", "", ""},
        {"the usual form", "Hello\n\n**Settings**\n```yaml\nA: 1\nB: 2\n```\nmore", "A: 1\nB: 2\n"},
        {"as GitHub's editor sends it", "**Settings**\r\n```yaml\r\nA: 1\r\n```\r\n", "A: 1\n"},
        {"line ends of old", "**Settings**\r```\rA: 1\r```", "A: 1\n"},
        {"empty lines between, either line end", "**Settings**\r\n\r\n\n```\nA: 1\n```", "A: 1\n"},
        {"empty lines inside", "**Settings**\n```\nA: 1\n\nB: 2\n```", "A: 1\n\nB: 2\n"},
        {"any two characters around", "__Settings__\n```\nA: 1\n```", "A: 1\n"},
        {"text before it in the line", "and now **Settings**\n```\nA: 1\n```", "A: 1\n"},
        {"blanks at the end of the line", "**Settings**  \n``` \nA: 1\n```", "A: 1\n"},
        {"the first closing fence ends it", "**Settings**\r\n```\r\nA: 1\r\n```\r\nprose\r\n```\r\ncode\r\n```\r\n",
         "A: 1\n"},
        {"the first block counts", "**Settings**\n```\nA: 1\n```\n**Settings**\n```\nB: 2\n```", "A: 1\n"},
        {"a heading without a block is none", "**Settings**\nsee below\n**Settings**\n```\nB: 2\n```", "B: 2\n"},
        {"an empty block", "**Settings**\n```\n```", ""},
        {"a Markdown heading is none", "### Settings\n```\nA: 1\n```", ""},
        {"one character is too few", "*Settings*\n```\nA: 1\n```", ""},
        {"not at the end of the line", "**Settings** and more\n```\nA: 1\n```", ""},
        {"an upper-case language is none", "**Settings**\n```YAML\nA: 1\n```", ""},
        {"text beside the fence", "**Settings**\n```yaml x\nA: 1\n```", ""},
        {"never closed", "**Settings**\n```\nA: 1\n", ""},
    };
    for (const auto& c : cases) {
        const auto body = read_body(c.text);
        EXPECT_EQ(body.settings, c.settings) << c.reason;
        EXPECT_EQ(body.error, "") << c.reason;
    }
}

TEST(Body, HostileTextIsRefusedInWords) {
    EXPECT_EQ(read_body(std::string(300 * 1024, 'x')).error, "its text is too long");
    EXPECT_EQ(read_body("\xff\xfe").error, "its text is no text");
    EXPECT_EQ(read_body(std::string("a\0b", 3)).error, "its text is no text");
    const auto large = read_body("**Settings**\n```\n" + std::string(17 * 1024, 'x') + "\n```");
    EXPECT_EQ(large.settings, "");
    EXPECT_NE(large.error, "");
    std::string many;
    for (int n = 0; n < 1000; ++n) many += "pr1.example.com ephemeral database\n";
    EXPECT_LE(read_body(many).database_lines.size(), 8U);
    EXPECT_TRUE(read_body("ephemeral database" + std::string(1000, 'x')).database_lines.empty());
}

TEST(Body, DatabaseMarkerTable) {
    const auto ephemeral = DatabaseMode::ephemeral, persistent = DatabaseMode::persistent;
    const struct {
        const char *reason, *text;
        std::optional<DatabaseMode> mode;
    } cases[] = {
        {"nothing said", "**Sandbox**: pr1.example.com", std::nullopt},
        {"ephemeral", "https://pr1.example.com/ (ephemeral database)", ephemeral},
        {"several databases", "pr1.example.com has ephemeral databases", ephemeral},
        {"persistent", "pr1.example.com: persistent database", persistent},
        {"with Windows' line ends", "x\r\npr1.example.com: persistent database\r\ny", persistent},
        {"ephemeral goes first", "pr1.example.com persistent database\npr1.example.com ephemeral database", ephemeral},
        {"another domain's", "pr2.example.com ephemeral database", std::nullopt},
        {"on another line", "pr1.example.com\nephemeral database", std::nullopt},
        {"before the domain", "ephemeral database at pr1.example.com", std::nullopt},
    };
    for (const auto& c : cases)
        EXPECT_EQ(database_mode(read_body(c.text).database_lines, "pr1.example.com"), c.mode) << c.reason;
    EXPECT_EQ(database_mode({"ephemeral database"}, ""), std::nullopt) << "no domain, no marker";
}

const Allowed allowed{{"A", "B"}, {"https://github.com/acme/configuration.git"}};

TEST(Settings, OnlyWhatIsListedIsSet) {
    const auto got = read_settings(
        "A: {x: [1, two]}\nROOT_PASSWORD: x\nB: yes\nansible_host: evil\nedx_ansible_source_repo: "
        "https://evil.example.com/x.git\nconfiguration_version: \"open-release/quince.1\"\n",
        allowed);
    ASSERT_TRUE(got) << got.error().message;
    EXPECT_EQ(api::to_text(got->variables), R"({"A":{"x":[1,"two"]},"B":true})");
    EXPECT_EQ(got->configuration_repository, std::nullopt);
    EXPECT_EQ(got->configuration_version, "open-release/quince.1");
    EXPECT_EQ(got->left_out, (std::vector<std::string>{"ROOT_PASSWORD", "ansible_host", "edx_ansible_source_repo"}));
    const auto listed = read_settings("edx_ansible_source_repo: https://github.com/acme/configuration.git\n", allowed);
    ASSERT_TRUE(listed);
    EXPECT_EQ(listed->configuration_repository, "https://github.com/acme/configuration.git");
    EXPECT_TRUE(listed->left_out.empty());
    const auto none = read_settings("A: 1\n", Allowed());
    ASSERT_TRUE(none);
    EXPECT_TRUE(none->variables.empty()) << "an empty list is nothing";
}

TEST(Settings, BadBlocksAreRefused) {
    std::string laughs = "a: &a [x,x,x,x,x,x,x,x,x]\n";
    for (char c = 'b'; c < 'j'; ++c) {
        const std::string one(1, c), last(1, static_cast<char>(c - 1));
        laughs += one + ": &" + one + " [*" + last;
        for (int n = 0; n < 8; ++n) laughs += ",*" + last;
        laughs += "]\n";
    }
    const struct {
        const char* reason;
        std::string text;
    } cases[] = {
        {"no YAML", "A: [1"},
        {"a list", "- A"},
        {"a word", "A"},
        {"twice the same", "A: 1\nA: 2\n"},
        {"a cycle", "A: &a [*a]\n"},
        {"a billion laughs", laughs},
        {"too deep", std::string(5000, '[')},
        {"a version that is an option", "configuration_version: \"--upload-pack=x\"\n"},
        {"a version that is a number", "configuration_version: 1.10\n"},
        {"a version with a command", "configuration_version: \"a;reboot\"\n"},
    };
    for (const auto& c : cases) {
        const auto got = read_settings(c.text, allowed);
        ASSERT_FALSE(got) << c.reason;
        EXPECT_EQ(got.error().error_class, ErrorClass::invalid) << c.reason;
        EXPECT_LT(got.error().message.size(), 500U) << c.reason;
        EXPECT_EQ(got.error().message.find('\n'), std::string::npos) << c.reason;
    }
    EXPECT_TRUE(read_settings("", allowed)) << "nothing is nothing";
    EXPECT_TRUE(read_settings("# only a remark\n", allowed));
}

}  // namespace
}  // namespace ocim::github
