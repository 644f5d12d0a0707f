#include "openedx/variables.hpp"

#include "api/yaml.hpp"
#include "openedx/run.hpp"
#include "sample_site.hpp"

#include <gtest/gtest.h>
#include <algorithm>

namespace ocim::openedx {
namespace {

using api::Json;

MasterKey key() { return test::sample_key(); }
Site site() { return test::sample_site(); }

Json value(const Site& of, std::string_view name) {
    const auto made = variables(of, key());
    const auto* found = made.values.if_contains(name);
    return found ? *found : Json();
}

TEST(Variables, FollowTheTable) {
    auto external = site();
    external.external = {{Service::lms, "courses.example.edu"}, {Service::studio, "studio.example.edu"}};
    auto persistent = site();
    persistent.mysql = MySqlAccess{"db.example.com", 3307, "demo_x", "demo_x", Secret("key")};
    persistent.broker = BrokerAccess{"mq.example.com", 5671, true, "demo-x", "p", "c", Secret("pp"), Secret("cc")};
    auto ephemeral = site();
    ephemeral.ephemeral_databases = true;
    auto relayed = site();
    relayed.mail_relay = MailRelay{"smtp.example.com", 587, Secret("me"), Secret("pw"), "mail.example.com"};
    auto watched = site();
    watched.new_relic_key = Secret("licence");
    watched.admins = {"octocat", "dana"};
    const struct {
        const char* reason;
        Site of;
        const char* name;
        Json wanted;
    } cases[] = {
        {"nobody logs in by default", site(), "COMMON_USER_INFO", nullptr},
        {"admins are GitHub's users", watched, "COMMON_USER_INFO",
         api::json::array{api::json::object{{"name", "octocat"}, {"github", true}, {"type", "admin"}},
                          api::json::object{{"name", "dana"}, {"github", true}, {"type", "admin"}}}},
        {"New Relic is off without a key", site(), "COMMON_ENABLE_NEWRELIC", false},
        {"and on with one", watched, "COMMON_ENABLE_NEWRELIC_APP", true},
        {"which it gets", watched, "NEWRELIC_LICENSE_KEY", "licence"},
        {"the internal name without an external one", site(), "EDXAPP_LMS_BASE", "demo.example.com"},
        {"the external name goes first", external, "EDXAPP_LMS_BASE", "courses.example.edu"},
        {"deployment is the internal name always", external, "COMMON_DEPLOYMENT", "demo.example.com"},
        {"studio answers to both names", external, "CMS_HOSTNAME",
         R"(~^(studio\.example\.edu|studio\-demo\.example\.com)$)"},
        {"references are Ansible's, not ours", site(), "COMMON_JWT_SECRET_KEY", "{{ EDXAPP_JWT_SECRET_KEY }}"},
        {"a derived secret", site(), "EDXAPP_EDX_API_KEY",
         "607317d396bdfb5a66f295bf811ff753bf5f68ecb9baba3900a46f543052785e"},
        {"a copy of one", site(), "ECOMMERCE_EDX_API_KEY",
         "607317d396bdfb5a66f295bf811ff753bf5f68ecb9baba3900a46f543052785e"},
        {"no databases without a server", site(), "EDXAPP_MYSQL_HOST", nullptr},
        {"the database's port", persistent, "EDXAPP_MYSQL_PORT", 3307},
        {"csmh has the user of edxapp", persistent, "EDXAPP_MYSQL_CSMH_USER", "demo_x_edxapp"},
        {"notes' password", persistent, "EDX_NOTES_API_MYSQL_DB_PASS",
         Json(mysql_password(Secret("key"), "demo_x_notes"))},
        {"the broker's address in one", persistent, "EDXAPP_RABBIT_HOSTNAME", "mq.example.com:5671"},
        {"celery is the consumer", persistent, "EDXAPP_CELERY_USER", "c"},
        {"xqueue is the provider", persistent, "XQUEUE_RABBITMQ_PASS", "pp"},
        {"the work-around of ephemeral sites", ephemeral, "EDXAPP_IMPORT_EXPORT_BUCKET", ""},
        {"only of these", persistent, "EDXAPP_IMPORT_EXPORT_BUCKET", nullptr},
        {"no relay unless there is one", site(), "POSTFIX_QUEUE_EXTERNAL_SMTP_HOST", nullptr},
        {"the relay's port is text", relayed, "POSTFIX_QUEUE_EXTERNAL_SMTP_PORT", "587"},
        {"the relay's canonical map", relayed, "POSTFIX_QUEUE_SENDER_CANONICAL_MAPS",
         "@example.edu  demo.example.com@mail.example.com"},
    };
    for (const auto& c : cases) EXPECT_EQ(value(c.of, c.name), c.wanted) << c.reason;
}

TEST(Variables, ExtraOnesAreMergedLastAndDeeply) {
    auto of = site();
    of.extra = {
        {{"EDXAPP_FEATURES", {{"ENABLE_GRADE_DOWNLOADS", false}, {"MINE", 1}}}, {"EDXAPP_PLATFORM_NAME", "first"}},
        {{"EDXAPP_PLATFORM_NAME", "second"}, {"NEW", Json(api::json::array{1, 2})}}};
    const auto features = value(of, "EDXAPP_FEATURES");
    EXPECT_EQ(*api::find(features, {"ENABLE_GRADE_DOWNLOADS"}), Json(false));
    EXPECT_EQ(*api::find(features, {"MINE"}), Json(1));
    EXPECT_EQ(*api::find(features, {"CERTIFICATES_ENABLED"}), Json(true)) << "what is not named stays";
    EXPECT_EQ(value(of, "EDXAPP_PLATFORM_NAME"), Json("second"));
    EXPECT_EQ(value(of, "NEW"), Json(api::json::array{1, 2}));
}

TEST(Variables, TheDocumentReadsBackAsItWas) {
    auto of = site();
    of.extra = {{{"A", "true"},
                 {"B", "1e3"},
                 {"C", 1e21},
                 {"D", nullptr},
                 {"E", Json(api::json::array{"- x", "#y", ": z"})},
                 {"F", {{"a: b", "c\nd"}}}}};
    const auto made = variables(of, key());
    auto document = made.document();
    // the reader knows no tags of Ansible's
    for (auto at = document.find("!unsafe "); at != std::string::npos; at = document.find("!unsafe ", at))
        document.erase(at, 8);
    const auto read = api::parse_yaml(document);
    ASSERT_TRUE(read) << read.error().message;
    EXPECT_EQ(read->value, Json(made.values));
}

TEST(Variables, TextOfPeopleIsNeitherATemplateNorASyntax) {
    for (const std::string nasty :
         {"{{ lookup('pipe', 'id') }}", "a\": b", "it's \\ \"quoted\"", "line\nbreak", "tab\tbell\x07",
          "\xE2\x80\xA8 separator", "\xF0\x9F\x8E\x93 \xC3\xBC", "", "!unsafe x", "- # : ,"}) {
        auto of = site();
        of.display_name = nasty;
        const auto document = variables(of, key()).document();
        const auto begin = document.find("\"EDXAPP_PLATFORM_NAME\": ");
        ASSERT_NE(begin, std::string::npos);
        const auto line = document.substr(begin, document.find('\n', begin) - begin);
        constexpr std::string_view head = "\"EDXAPP_PLATFORM_NAME\": !unsafe ";
        ASSERT_TRUE(line.starts_with(head)) << line;
        EXPECT_TRUE(std::ranges::all_of(line, [](char c) { return c >= ' ' && c < 0x7f; })) << line;
        const auto read = api::parse_yaml("x: " + line.substr(head.size()));
        ASSERT_TRUE(read) << line;
        EXPECT_EQ(api::find_text(read->value, {"x"}), nasty);
    }
}

TEST(Variables, AnOperatorsTemplateStaysATemplate) {
    auto of = site();
    of.extra = {{{"EDXAPP_PLATFORM_NAME", "{{ COMMON_HOSTNAME }}"}}};
    EXPECT_NE(variables(of, key()).document().find("\"EDXAPP_PLATFORM_NAME\": \"{{ COMMON_HOSTNAME }}\""),
              std::string::npos);
}

TEST(Variables, SecretsAreMaskedInALog) {
    auto of = site();
    of.mysql = MySqlAccess{"db.example.com", 3306, "demo_x", "demo_x", Secret("key")};
    const auto password = mysql_password(Secret("key"), "demo_x_edxapp");
    const auto masked = mask("connecting with " + password + " and " + password + "\n", variables(of, key()).secrets());
    EXPECT_EQ(masked, "connecting with ******** and ********\n");
    of.extra = {{{"ADMIN_PASSWORD", "a\"b\\\xc3\xbc\xf0\x9f\x8e\x93"},
                 {"LONGER_PASSWORD", "a\"b\\\xc3\xbc\xf0\x9f\x8e\x93 and more"}}};
    EXPECT_EQ(
        mask(
            R"(as it is: a"b\ü🎓; in JSON: a\"b\\ü🎓; in ASCII: a\"b\\\u00fc\ud83c\udf93; one within: a"b\ü🎓 and more)",
            variables(of, key()).secrets()),
        "as it is: ********; in JSON: ********; in ASCII: ********; one within: ********");
}

}  // namespace
}  // namespace ocim::openedx
