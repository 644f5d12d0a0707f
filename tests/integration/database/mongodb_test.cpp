#include "integration/database/mongodb.hpp"

#include <algorithm>
#include <functional>

namespace ocim::database {
namespace {

using ocim::test::Visitor;
using test::mongodb_tenant;
using test::Object;
using test::Privilege;

class MongoDB : public test::WithMongoDB {
protected:
    void stranger(int n) {
        const auto name = "sb_" + std::to_string(n);
        server.run("admin", "{'createUser':'" + name + "','pwd':'theirs','roles':[{'role':'readWrite','db':'" + name +
                                "'}],'customData':{'team':'x'}}");
        server.run(name, "{'insert':'t','documents':[{'_id':'theirs'}]}");
    }
};

TEST_F(MongoDB, KeepsTheContract) {
    auto system = open();
    auto visit = visitor(*system);
    ocim::test::ContractCase<Tenant> given;
    given.object = mongodb_tenant;
    given.changed = [](Object object) {
        object.spec.users[1].grants[0].privileges = {Privilege::read_write, Privilege::db_admin};
        object.spec.users[0].grants.push_back({"*", {Privilege::cluster_monitor}});
        object.spec.databases.push_back({"sb_extra", "utf8mb4", std::nullopt});
        return object;
    };
    given.adopting = [](Object object) {
        object.spec.adoption_policy = Object::Spec::AdoptionPolicy::adopt;
        return object;
    };
    given.stranger = [this](int n) { stranger(n); };
    given.refused = [] {
        Action action;
        action.verb = Action::Verb::create_user;
        action.key = {Key::Kind::user, "sb_bad", "%", ""};
        action.mark = {"lab", "tools/bad", "uid-bad", false};
        action.password = Secret("not UTF-8: \xff");
        return action;
    };
    ocim::test::run_contract(visit, given);
}

TEST_F(MongoDB, GivesTenantsWhatWasDeclaredAndNoMore) {
    auto system = open();
    auto visit = visitor(*system);
    auto one = mongodb_tenant(1);
    one.spec.users.push_back(one.spec.users[1]);
    one.spec.users[2].name = "sb_1_rw";
    one.spec.users[2].grants[0].privileges = {Privilege::read_write};
    visit.must(visit.wanted({one, mongodb_tenant(2)}));
    EXPECT_EQ(owner_says(insert()), "");
    EXPECT_EQ(reader_says(find()), "");
    const auto writer = client("sb_1_rw", "sb_1", "second");
    EXPECT_EQ(says(writer, "sb_1", insert("y")), "");
    const std::string write = ",'maxTimeMS':9000,'writeConcern':{'w':'majority'}}";
    for (const auto& command :
         {insert("z"), "{'update':'t','updates':[{'q':{'_id':'x'},'u':{'$set':{'a':1}}}]" + write,
          "{'delete':'t','deletes':[{'q':{'_id':'x'},'limit':1}]" + write, "{'dropDatabase':1" + write,
          "{'createUser':'mine','pwd':'p','roles':[]" + write, "{'dropUser':'sb_1_ro'" + write,
          "{'grantRolesToUser':'sb_1_ro','roles':[{'role':'readWrite','db':'sb_1'}]" + write,
          "{'updateUser':'sb_1_ro','pwd':'p'" + write})
        EXPECT_NE(reader_says(command).find("error 13"), std::string::npos) << "a reader can: " << command;
    EXPECT_NE(says(writer, "sb_1", "{'dropDatabase':1" + write), "");
    EXPECT_NE(owner_says(find(), "sb_2"), "") << "another tenant's database";
    EXPECT_NE(owner_says(find(), "ocim_meta"), "") << "our notes";
    EXPECT_NE(says(client("sb_1", "admin", "wrong"), "sb_1", find()), "");
    EXPECT_NE(says(client("sb_1_ro", "admin", "second"), "sb_1", find()), "") << "it belongs to its database";
}

TEST_F(MongoDB, PutsDriftRight) {
    auto system = open();
    auto visit = visitor(*system);
    const auto object = mongodb_tenant(1);
    visit.must(visit.wanted(object));
    const struct {
        const char* reason;
        const char* database;
        const char* harm;
    } cases[] = {
        {"password", "admin", "{'updateUser':'sb_1','pwd':'other'}"},
        {"the same password, salted anew", "sb_1", "{'updateUser':'sb_1_ro','pwd':'second'}"},
        {"another mechanism", "sb_1", "{'updateUser':'sb_1_ro','pwd':'second','mechanisms':['SCRAM-SHA-1']}"},
        {"lost rights", "admin", "{'revokeRolesFromUser':'sb_1','roles':[{'role':'dbOwner','db':'sb_1'}]}"},
        {"more rights", "sb_1", "{'grantRolesToUser':'sb_1_ro','roles':[{'role':'readWrite','db':'sb_1'}]}"},
        {"rights elsewhere", "admin", "{'grantRolesToUser':'sb_1','roles':[{'role':'read','db':'other'}]}"},
        {"rights to all", "sb_1", "{'grantRolesToUser':'sb_1_ro','roles':[{'role':'root','db':'admin'}]}"},
        {"all of it", "admin", "{'updateUser':'sb_1','pwd':'x','roles':[{'role':'readAnyDatabase','db':'admin'}]}"},
        {"no account", "sb_1", "{'dropUser':'sb_1_ro'}"},
        {"no note", "ocim_meta", ""},
        {"no database", "sb_1", "{'dropDatabase':1}"},
    };
    for (const auto& c : cases) {
        SCOPED_TRACE(c.reason);
        if (*c.harm != '\0') server.run(c.database, c.harm);
        const auto actions = visit.wanted(object);
        const bool is_drift = *c.harm != '\0' && std::string_view(c.reason) != "no database";
        EXPECT_EQ(!actions.empty(), is_drift) << "an empty database and none are the same here";
        visit.must(actions);
        EXPECT_TRUE(visit.ready(object)) << visit.report(object).verdict.message;
        EXPECT_EQ(owner_says(insert(c.reason)), "");
        EXPECT_EQ(reader_says(find()), "");
        EXPECT_NE(reader_says(insert("r")), "");
        EXPECT_NE(owner_says(find(), "other"), "");
    }
}

TEST_F(MongoDB, SaysWhatItCannotGive) {
    auto system = open();
    auto visit = visitor(*system);
    const struct {
        const char* reason;
        std::function<void(Object&)> change;
    } cases[] = {
        {"where a user comes from", [](Object& o) { o.spec.users[0].host = "10.0.%"; }},
        {"a database that is not the tenant's", [](Object& o) { o.spec.users[0].host = "sb_2"; }},
        {"a right of MySQL's", [](Object& o) { o.spec.users[0].grants[0].privileges = {Privilege::all}; }},
        {"a role of the server's in a database",
         [](Object& o) { o.spec.users[0].grants[0].privileges = {Privilege::cluster_monitor}; }},
        {"a role of a database for the server", [](Object& o) { o.spec.users[0].grants = {{"*", {Privilege::read}}}; }},
        {"a character set", [](Object& o) { o.spec.databases[0].character_set = "latin1"; }},
        {"a collation", [](Object& o) { o.spec.databases[0].collation = "C"; }},
        {"a name that is too long", [](Object& o) { o.spec.databases[0].name = std::string(64, 'a'); }},
        {"a reserved name", [](Object& o) { o.spec.databases[0].name = "admin"; }},
        {"another reserved name", [](Object& o) { o.spec.databases[0].name = "local"; }}};
    for (const auto& c : cases) {
        auto wrong = mongodb_tenant(9);
        const auto before = wrong.spec.databases[0].name;
        c.change(wrong);
        for (auto& user : wrong.spec.users) {
            if (user.host == before) user.host = wrong.spec.databases[0].name;
            for (auto& grant : user.grants)
                if (grant.database == before) grant.database = wrong.spec.databases[0].name;
        }
        EXPECT_TRUE(visit.wanted(wrong).empty()) << c.reason;
        const auto verdict = visit.report(wrong).verdict;
        EXPECT_EQ(verdict.reason, "InvalidSpec") << c.reason;
        EXPECT_EQ(verdict.state, runtime::Verdict::State::stalled) << c.reason;
    }
    auto notes = mongodb_tenant(9);
    notes.spec.databases[0].name = "ocim_meta";
    notes.spec.users.clear();
    EXPECT_TRUE(visit.wanted(notes).empty());
    server.run("ocim_meta", "{'insert':'owned','documents':[]}");
    visit.must(visit.wanted(mongodb_tenant(1)));
    EXPECT_EQ(visit.report(notes).verdict.reason, "NotOwned") << "our own notes are nobody's";
}

TEST_F(MongoDB, KeepsWhatIsDeletedForAWindow) {
    auto system = open();
    auto visit = visitor(*system);
    auto object = mongodb_tenant(1);
    object.spec.undelete_window = "1h";
    visit.must(visit.wanted(object));
    ASSERT_EQ(owner_says(insert()), "");
    server.run("admin", "{'createUser':'auditor','pwd':'a','roles':[{'role':'read','db':'sb_1'}]}");
    const auto audited = [&] { return api::to_text(server.order("{}").at("users").at("auditor@admin").at("roles")); };
    const auto rights = audited();
    auto leaving = object;
    leaving.metadata.deletion_timestamp = "2026-07-01T00:00:00Z";
    visit.must(visit.wanted(leaving, true));
    EXPECT_TRUE(visit.wanted(leaving, true).empty());
    EXPECT_NE(owner_says(find()), "") << "nobody works with what is deleted";
    EXPECT_NE(reader_says(find()), "");
    EXPECT_EQ(server.order("{}").at("data").at("sb_1").at("t").get_array().size(), 1u) << "the data stays";
    server.run("admin", "{'grantRolesToUser':'sb_1','roles':[{'role':'read','db':'sb_1'}]}");
    auto closed_again = object;  // another of the tenant's things is still declared: what was opened is closed
    closed_again.spec.users.clear();
    closed_again.spec.databases = {{"sb_other", "utf8mb4", std::nullopt}};
    runtime::Inputs early = inputs;
    early.now = *parse_rfc3339("2026-07-01T00:30:00Z");
    const auto again_closed = Tenant::diff(closed_again, early, visit.see());
    EXPECT_TRUE(std::ranges::any_of(again_closed, [](const Action& action) {
        return action.verb == Action::Verb::close_user && action.key.name == "sb_1";
    }));

    const auto over = *parse_rfc3339("2026-07-01T01:00:00Z");
    const auto due = Tenant::lapsed("lab", over, visit.see());
    ASSERT_EQ(due.size(), 1u);
    auto again = object;
    again.metadata.uid = "uid-again";
    visit.must(visit.wanted(again));
    EXPECT_TRUE(visit.wanted(again).empty());
    EXPECT_EQ(reader_says(find()), "") << "it is back with all that is in it";
    EXPECT_EQ(owner_says(insert("y")), "");
    for (const auto& answer : visit.act(due[0].actions))
        EXPECT_TRUE(answer && !*answer && answer->error().error_class == ErrorClass::conflict);
    EXPECT_EQ(audited(), rights) << "nor are others' rights to it taken";
    EXPECT_EQ(owner_says(insert("z")), "") << "the drop was decided before it came back";

    again.metadata.deletion_timestamp = "2026-07-01T00:00:00Z";
    visit.must(visit.wanted(again, true));
    EXPECT_TRUE(Tenant::lapsed("lab", over - std::chrono::seconds(1), visit.see()).empty());
    for (const auto& one : Tenant::lapsed("lab", over, visit.see())) visit.must(one.actions);
    EXPECT_EQ(audited(), "[]");
    server.run("admin", "{'dropUser':'auditor'}");
    EXPECT_EQ(server.users(), "");
    EXPECT_FALSE(server.order("{}").at("data").get_object().contains("sb_1"));
}

TEST_F(MongoDB, GivesNobodyWhatATenantWroteBesideAUser) {
    auto system = open();
    auto visit = visitor(*system);
    auto object = mongodb_tenant(1);
    visit.must(visit.wanted(object));
    const auto roles = [&] { return api::to_text(server.order("{}").at("users").at("sb_1_ro@sb_1").at("roles")); };
    const auto before = roles();
    const auto mark = visit.see().at({Key::Kind::user, "sb_1_ro", "sb_1", ""}).mark->text();
    ASSERT_EQ(owner_says("{'updateUser':'sb_1_ro','customData':{'ocim':{'mark':'" + mark +
                         "','closed':true,'roles':[{'role':'root','db':'admin'},{'role':'read','db':'sb_2'}]}},"
                         "'maxTimeMS':9000,'writeConcern':{'w':'majority'}}"),
              "")
        << "it owns the database that the user belongs to";
    object.spec.deletion_policy = Object::Spec::DeletionPolicy::retain;
    visit.must(visit.wanted(object, true));
    EXPECT_EQ(roles(), before) << "marked as retained";
    object.metadata.uid = "uid-again";
    visit.must(visit.wanted(object));
    EXPECT_EQ(roles(), before) << "and taken over again";
    EXPECT_EQ(reader_says(find()), "");
}

TEST_F(MongoDB, TakesNamesThatDifferInCaseForOne) {
    server.run("Sb_1", "{'insert':'t','documents':[{'_id':'theirs'}]}");
    auto system = open();
    auto visit = visitor(*system);
    auto object = mongodb_tenant(1);
    EXPECT_EQ(visit.report(object).verdict.reason, "NotOwned");
    object.spec.adoption_policy = Object::Spec::AdoptionPolicy::adopt;
    EXPECT_EQ(visit.report(object).verdict.reason, "NotOwned") << "what we would make there is refused";
    EXPECT_TRUE(visit.wanted(object).empty());

    const auto actions = visit.wanted(mongodb_tenant(2));
    server.run("SB_2", "{'insert':'t','documents':[{'_id':'theirs'}]}");  // between our look and our note
    const auto answers = visit.act(actions);
    for (std::size_t i = 0; i < actions.size(); ++i) {
        if (actions[i].verb != Action::Verb::create_schema) continue;
        ASSERT_FALSE(*answers[i]);
        EXPECT_EQ(answers[i]->error().error_class, ErrorClass::conflict) << answers[i]->error().message;
    }
    EXPECT_EQ(visit.report(mongodb_tenant(2)).verdict.reason, "NotOwned");
    for (const auto& [key, mark, sweepable] : Tenant::marked(visit.see()))
        EXPECT_NE(key.kind, Key::Kind::schema) << "nothing is noted as ours";
    EXPECT_EQ(server.users(), "sb_2@admin") << "and nobody comes to what is another's";
}

TEST_F(MongoDB, DropsAllRightsToWhatItDropsAndRetainsWhatIsData) {
    auto system = open();
    auto visit = visitor(*system);
    auto object = mongodb_tenant(1);
    visit.must(visit.wanted(object));
    ASSERT_EQ(owner_says(insert()), "");
    const std::string write = ",'maxTimeMS':9000,'writeConcern':{'w':'majority'}}";
    ASSERT_EQ(owner_says("{'createUser':'guest','pwd':'p','roles':[{'role':'read','db':'sb_1'}]" + write), "");
    server.run("admin", "{'createUser':'auditor','pwd':'p','roles':[{'role':'read','db':'sb_1'}]}");

    object.spec.deletion_policy = Object::Spec::DeletionPolicy::retain;
    visit.must(visit.wanted(object, true));
    EXPECT_TRUE(visit.wanted(object, true).empty());
    EXPECT_EQ(reader_says(find()), "") << "and it still works";
    auto again = object;
    again.metadata.uid = "uid-again";
    visit.must(visit.wanted(again));
    EXPECT_TRUE(visit.ready(again)) << "a new object of the same name takes it over";
    auto anothers = mongodb_tenant(1);
    anothers.metadata.name = "other";
    EXPECT_EQ(visit.report(anothers).verdict.reason, "NotOwned");

    again.spec.deletion_policy = Object::Spec::DeletionPolicy::delete_;
    visit.must(visit.wanted(again));
    visit.must(visit.wanted(again, true));
    EXPECT_EQ(server.users(), "auditor@admin") << "whom the database's owner made has gone with it";
    EXPECT_EQ(api::to_text(server.order("{}").at("users").at("auditor@admin").at("roles")), "[]")
        << "a right to a name would hold for the next database of it";
    EXPECT_FALSE(server.order("{}").at("data").get_object().contains("sb_1"));
}

TEST_F(MongoDB, TakesOverWhatIsThereWithAllThatIsInIt) {
    auto system = open();
    auto visit = visitor(*system);
    stranger(1);
    auto object = mongodb_tenant(1);
    EXPECT_EQ(visit.report(object).verdict.reason, "NotOwned");
    object.spec.adoption_policy = Object::Spec::AdoptionPolicy::adopt;
    visit.must(visit.wanted(object));
    EXPECT_TRUE(visit.ready(object)) << visit.report(object).verdict.message;
    EXPECT_EQ(reader_says(find()), "");
    EXPECT_EQ(owner_says(insert()), "");
    EXPECT_NE(says(client("sb_1", "admin", "theirs"), "sb_1", find()), "") << "its password is the Secret's";
    EXPECT_EQ(server.order("{}").at("data").at("sb_1").at("t").get_array().size(), 2u);
}

TEST_F(MongoDB, MakesAccountsForOldClientsWhereItIsAsked) {
    auto at = test::mongodb_object(server.port());
    using Mechanism = crd::DatabaseServer::Spec::Mongodb::Mechanism;
    at.spec.mongodb->mechanisms = {Mechanism::scram_sha_1, Mechanism::scram_sha_256};
    auto system = open(at);
    ASSERT_TRUE(system);
    auto visit = visitor(**system);
    visit.must(visit.wanted(mongodb_tenant(1)));
    EXPECT_TRUE(visit.ready(mongodb_tenant(1)));
    auto old = client("sb_1_ro", "sb_1", "second");
    old.mechanism = "SCRAM-SHA-1";
    EXPECT_EQ(says(old, "sb_1", find()), "");
    EXPECT_EQ(reader_says(find()), "");
}

TEST_F(MongoDB, WorksWhereCredentialsAreNotShown) {
    server.set("{'shows_credentials':false}");
    auto system = open();
    auto visit = visitor(*system);
    const auto object = mongodb_tenant(1);
    visit.must(visit.wanted(object));
    EXPECT_TRUE(visit.wanted(object).empty()) << "what we set ourselves is known";
    visit.must(visit.wanted(object));
    EXPECT_EQ(reader_says(find()), "");
    Visitor<Tenant> other{loop, *system, [&] {
                              runtime::Inputs changed;
                              changed.installation = "lab";
                              changed.add(test::secret("tools", "passwords", {{"owner", "new"}, {"reader", "newer"}}));
                              return changed;
                          }()};
    const auto actions = other.wanted(object);
    EXPECT_EQ(actions.size(), 2u) << "a Secret that changes is seen";
    other.must(actions);
    EXPECT_EQ(says(client("sb_1_ro", "sb_1", "newer"), "sb_1", find()), "");
    server.run("sb_1", "{'updateUser':'sb_1_ro','customData':{}}");
    EXPECT_EQ(other.report(object).verdict.reason, "NotOwned") << "without its mark it is nobody's";
}

}  // namespace
}  // namespace ocim::database
