#include "openedx/lms_users.hpp"
#include "openedx/variable_tables.hpp"
#include "sample_site.hpp"

#include <gtest/gtest.h>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <set>
#include <sstream>

/// Every variable of every table, as a playbook gets it, in golden/; README.md there says how to change it.
namespace ocim::openedx {
namespace {

namespace fs = std::filesystem;

const fs::path folder = fs::path(OCIM_SOURCE_DIR) / "tests/unit/openedx/golden";

MasterKey key() { return test::sample_key(); }

/// With as little as a site can have: everything on its machine, and nothing set.
Site plain() {
    auto out = test::sample_site();
    out.email = "contact@example.com";
    out.release = out.platform_commit = "master";
    out.ephemeral_databases = true;
    return out;
}

/// With everything, and with texts that a careless writer of YAML, HTML or templates would spoil.
Site full() {
    auto out = plain();
    out.ephemeral_databases = false;
    out.display_name = "\xC3\x9Cniversity \"Smith & <Sons>\" {{ 7*7 }}";
    out.email = "courses@example.edu";
    out.release = "open-release/ginkgo.1";
    out.platform_commit = "customer/ginkgo";
    out.configuration_version = "open-release/ginkgo.1";
    out.external = {{Service::lms, "courses.example.edu"},
                    {Service::lms_preview, "preview.example.edu"},
                    {Service::studio, "studio.example.edu"},
                    {Service::discovery, "discovery.example.edu"},
                    {Service::ecommerce, "shop.example.edu"}};
    out.mysql = MySqlAccess{"mysql.example.com", 3307, "demo_example_com", "qwerty",
                            Secret("0123456789abcdefghijABCDEFGHIJ01")};
    out.mongodb = MongoAccess{{"mongo.example.com"}, 27017, "demo_example_com", "mongouser",
                              Secret("p&<>\"'w"),    "rs0", "demo_example_com", true};
    out.broker = BrokerAccess{"rabbitmq.example.com", 5671,           true, "/abcdefghijklmn", "provider", "consumer",
                              Secret("provider-pw"),  Secret("co&pw")};
    out.swift = SwiftAccess{.container = "demo_example_com",
                            .user = "swiftuser",
                            .tenant = "tenant",
                            .auth_url = "https://keystone.example.com/v2.0",
                            .region = "BHS1",
                            .password = Secret("{{ swift }}")};
    out.mail_relay = MailRelay{"smtp.example.com", 587, Secret("relay"), Secret("r&{{y}}"), "mail.example.com"};
    out.new_relic_key = Secret("0123456789abcdef");
    out.admins = {"octocat", "dana"};
    out.organization_members = {"kim", "OctoCat"};
    return out;
}

Site with_s3() {
    auto out = full();
    out.s3 = S3Access{"demo-bucket", Secret("AKIAEXAMPLE"), Secret("s3/sec+ret"), "", ""};
    return out;
}

Site with_other_s3() {
    auto out = with_s3();
    out.s3->region = "eu-west-1";
    out.s3->endpoint = "https://store.example.com:9000";
    return out;
}

std::string text_of(const VariableTable& table) {
    std::ostringstream out;
    std::set<std::string> seen;
    const struct {
        const char* name;
        Site site;
    } sites[] = {{"a plain site", plain()},
                 {"a full one", full()},
                 {"a full one with S3", with_s3()},
                 {"a full one with another S3 than Amazon's", with_other_s3()}};
    for (const auto& [name, site] : sites) {
        VariableSink sink;
        table.fill(sink, site, key());
        const auto document = std::move(sink).take().document();
        if (seen.insert(document).second) out << "--- # " << name << "\n" << (document.empty() ? "{}\n" : document);
    }
    return out.str();
}

/// Of the second playbook: no table, because the first one does not get them.
std::string text_of_users() {
    auto strict = plain(), lenient = full(), own = full();
    const auto hash = "pbkdf2_sha256$20000$levJ6jdVYCsu$gdBLGf2DNPqfaKdcETXtFocRU8Kk+sMsIvKkmw1dKbY=";
    strict.lms_users = {{"dana", "dana@example.edu", Secret(hash)}};
    lenient.lms_users = {{"dana", "dana@example.edu", Secret(hash)},
                         {"kim", "o'neil+{{ 7*7 }}@example.edu", Secret("argon2$argon2id$v=19$m=8,t=1"), true, false}};
    lenient.lms_users_must_succeed = false;
    own.lms_users = strict.lms_users;
    own.extra = {{{"EDXAPP_SETTINGS", "mine"}, {"OTHER", 1}}};
    std::ostringstream out;
    for (const auto& [name, site] : {std::pair{"a plain site", strict},
                                     {"a full one, which ran once", lenient},
                                     {"with settings of its own", own}})
        out << "--- # " << name << "\n" << lms_user_variables(site).document();
    return out.str();
}

std::string read(const fs::path& file) {
    std::ifstream in(file);
    return {std::istreambuf_iterator<char>(in), {}};
}

TEST(Golden, EveryTableIsAsItIsKept) {
    const bool update = std::getenv("OCIM_UPDATE_GOLDEN") != nullptr;
    std::set<std::string> files{"README.md"};
    for (const auto& table : variable_tables()) {
        const auto file = folder / (std::string(table.name) + ".yml");
        files.insert(file.filename());
        if (update) std::ofstream(file) << text_of(table);
        EXPECT_EQ(read(file), text_of(table)) << file << ": read the difference; README.md there says what to do then";
    }
    const auto users = folder / "lms-users.yml";
    files.insert(users.filename());
    if (update) std::ofstream(users) << text_of_users();
    EXPECT_EQ(read(users), text_of_users()) << users << ": read the difference";
    for (const auto& entry : fs::directory_iterator(folder))
        EXPECT_TRUE(files.contains(entry.path().filename())) << entry.path() << " belongs to no table";
}

TEST(Golden, NoTwoTablesSpeakOfOneVariable) {
    std::map<std::string, std::string> owner;
    for (const auto& table : variable_tables()) {
        VariableSink sink;
        table.fill(sink, with_s3(), key());
        for (const auto& [name, value] : std::move(sink).take().values) {
            const auto [found, fresh] = owner.emplace(name, table.name);
            if (name == "ECOMMERCE_CYBERSOURCE_SECRET_KEY") continue;  // a secret stands in for its placeholder
            EXPECT_TRUE(fresh) << name << " is in " << found->second << " and in " << table.name;
        }
    }
}

TEST(Golden, ASecretStandsInForThePlaceholder) {
    EXPECT_EQ(variables(full(), key()).values.at("ECOMMERCE_CYBERSOURCE_SECRET_KEY"),
              api::Json(key().derived("ECOMMERCE_CYBERSOURCE_SECRET_KEY")));
}

}  // namespace
}  // namespace ocim::openedx
