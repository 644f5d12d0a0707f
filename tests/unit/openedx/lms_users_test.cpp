#include "openedx/lms_users.hpp"

#include "campus.hpp"
#include "openedx/provisioner.hpp"
#include "runtime/base64.hpp"

#include <gtest/gtest.h>
#include <functional>

namespace ocim::openedx::test {
namespace {

constexpr auto hash = "pbkdf2_sha256$20000$levJ6jdVYCsu$gdBLGf2DNPqfaKdcETXtFocRU8Kk+sMsIvKkmw1dKbY=";

void add_user(Campus& campus, const std::string& name) {
    if (!campus.instance.spec.admins) campus.instance.spec.admins.emplace();
    auto& user = campus.instance.spec.admins->lms_users.emplace_back();
    user.username = name;
    user.email = name + "@example.edu";
    user.password_hash_ref = {"people", name};
}

Campus with_user() {
    Campus out;
    add_user(out, "dana");
    out.others.push_back(secret("campus", "people", {{"dana", std::string(hash) + "\n"}, {"kim", hash}}));
    return out;
}

std::string kept(Campus& campus, const char* key) {
    const auto* found = campus.child("Secret", "demo-configuration");
    return found ? runtime::from_base64(api::find_text(*found, {"data", key})).value_or("") : "";
}

TEST(LmsUsers, StrictnessFollowsTheTable) {
    const struct {
        const char* reason;
        bool provisioned, ephemeral, must_succeed;
    } cases[] = {{"the first server: nobody else could log in", false, false, true},
                 {"the same, on the machine", false, true, true},
                 {"it ran once, and its users are in databases that stay", true, false, false},
                 {"it ran once, but each machine begins with no users", true, true, true}};
    for (const auto& c : cases) EXPECT_EQ(users_must_succeed(c.provisioned, c.ephemeral), c.must_succeed) << c.reason;
}

TEST(LmsUsers, AreInTheConfigurationAndNowhereElse) {
    auto campus = with_user();
    const auto last = campus.settle();
    EXPECT_NE(kept(campus, "users").find(std::string("!unsafe \"") + hash + "\""), std::string::npos);
    EXPECT_EQ(kept(campus, "variables.yml").find("dana"), std::string::npos)
        << "the first playbook has no use for them";
    EXPECT_EQ(kept(campus, "settings.json").find(hash), std::string::npos);
    EXPECT_NE(kept(campus, "settings.json").find("playbooks/manage_edxapp_users_and_groups.yml"), std::string::npos);
    EXPECT_EQ(api::to_text(api::encode_object(campus.instance)).find(hash), std::string::npos);
    Campus without;
    without.settle();
    EXPECT_EQ(kept(without, "users"), "");
    EXPECT_EQ(kept(without, "settings.json").find("usersPlaybook"), std::string::npos);
}

TEST(LmsUsers, MakeANewServerByWhatTheyAreNotByTheirPasswords) {
    const struct {
        const char* reason;
        std::function<void(Campus&)> change;
        bool other;
    } cases[] = {
        {"nothing", [](Campus&) {}, false},
        {"another hash counts for who does not exist yet",
         [](Campus& c) { *c.other("Secret", "people") = secret("campus", "people", {{"dana", "md5$a$b"}}); }, false},
        {"that a server ran", [](Campus& c) { c.instance.status.successfully_provisioned = true; }, false},
        {"another user", [](Campus& c) { add_user(c, "kim"); }, true},
        {"another address", [](Campus& c) { c.instance.spec.admins->lms_users[0].email = "d@example.edu"; }, true},
        {"fewer rights", [](Campus& c) { c.instance.spec.admins->lms_users[0].superuser = false; }, true},
        {"nobody any more", [](Campus& c) { c.instance.spec.admins->lms_users.clear(); }, true},
    };
    for (const auto& c : cases) {
        auto campus = with_user();
        campus.settle();
        const auto before = kept(campus, "hash");
        c.change(campus);
        campus.settle();
        EXPECT_EQ(kept(campus, "hash") != before, c.other) << c.reason;
    }
}

TEST(LmsUsers, MayFailOnceAServerHasRun) {
    auto campus = with_user();
    campus.settle();
    EXPECT_NE(kept(campus, "users").find(R"("ignore_user_creation_errors": "False")"), std::string::npos);
    campus.appserver("demo-1", "Running");
    campus.child("AppServer", "demo-1")->at("status").as_object()["provisionedAt"] = "2026-11-22T12:00:00Z";
    campus.settle();
    EXPECT_EQ(campus.instance.status.successfully_provisioned, true);
    EXPECT_NE(kept(campus, "users").find(R"("ignore_user_creation_errors": "True")"), std::string::npos);
    std::erase_if(campus.children, [](const Json& item) {
        return api::find_text(item, {"kind"}) == api::Kind(crd::AppServer::kind).name;
    });
    campus.settle();
    EXPECT_EQ(campus.instance.status.successfully_provisioned, true) << "it stays true when its servers are gone";
}

TEST(LmsUsers, WhatIsLackingIsSaidAndNeverQuoted) {
    const struct {
        const char* reason;
        std::map<std::string, std::string> held;
        const char *state, *said;
    } cases[] = {
        {"no such key", {{"kim", hash}}, "DependencyNotReady", "has no key \"dana\""},
        {"a password in the clear", {{"dana", "correct-horse"}}, "ConfigurationInvalid", "no hash of a password"},
        {"more lines than one", {{"dana", std::string(hash) + "\ncorrect-horse"}}, "ConfigurationInvalid", "no hash"},
        {"nothing but the algorithm", {{"dana", "md5$"}}, "ConfigurationInvalid", "no hash"},
        {"longer than Django keeps", {{"dana", "md5$" + std::string(130, 'x')}}, "ConfigurationInvalid", "no hash"},
        {"nothing", {{"dana", "\n"}}, "ConfigurationInvalid", "no hash"},
    };
    for (const auto& c : cases) {
        auto campus = with_user();
        *campus.other("Secret", "people") = secret("campus", "people", c.held);
        const auto last = campus.settle();
        EXPECT_EQ(last.verdict.reason, c.state) << c.reason;
        EXPECT_NE(last.verdict.message.find(c.said), std::string::npos) << c.reason << ": " << last.verdict.message;
        EXPECT_EQ(last.verdict.message.find("correct-horse"), std::string::npos) << c.reason;
        EXPECT_TRUE(campus.names("AppServer").empty()) << c.reason;
    }
}

TEST(LmsUsers, ARunHasThemInAFileAndMasksThem) {
    auto campus = with_user();
    campus.settle();
    const auto document = kept(campus, "users");
    auto with_tutor = with_user();
    with_tutor.of_class.spec.tutor.emplace();
    with_tutor.settle();
    const auto list = kept(with_tutor, "users");
    ASSERT_TRUE(api::parse_json(list)) << list;
    runtime::Inputs inputs;
    inputs.add(secret("campus", "config", {{"variables.yml", "A: 1"}, {"users", document}, {"list", list}}));
    crd::ProvisioningRun run;
    run.metadata.namespace_ = "campus";
    run.spec.variables_ref = {"config", "variables.yml"};
    auto tutor = run;
    run.spec.ansible.emplace().users.emplace();
    run.spec.ansible->users->playbook = "users.yml";
    run.spec.ansible->users->variables_ref = {"config", "users"};
    tutor.spec.tutor.emplace().users_ref.emplace();
    tutor.spec.tutor->users_ref->name = "config";
    tutor.spec.tutor->users_ref->key = "list";
    for (const auto& [object, file] : {std::pair{run, "users.yml"}, {tutor, "users.json"}}) {
        const auto& provisioner = provisioner_of(object);
        const auto prepared = provisioner.prepare(object, inputs);
        ASSERT_TRUE(prepared) << prepared.error().message;
        EXPECT_NE(prepared->files.at(file).reveal().find(hash), std::string::npos) << file;
        for (const auto& word : prepared->arguments) EXPECT_EQ(word.find(hash), std::string::npos) << file;
        EXPECT_EQ(mask(std::string("cmd: --initial-password-hash '") + hash + "'", provisioner.secrets(object, inputs)),
                  "cmd: --initial-password-hash '********'")
            << file;
    }
    run.spec.ansible->users->variables_ref.key = "gone";
    EXPECT_FALSE(provisioner_of(run).prepare(run, inputs)) << "it does not begin without them";
}

}  // namespace
}  // namespace ocim::openedx::test
