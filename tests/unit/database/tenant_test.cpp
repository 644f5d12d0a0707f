#include "database/mysql_sql.hpp"
#include "unit/database/sample.hpp"

#include <gtest/gtest.h>
#include <algorithm>
#include <functional>

namespace ocim::database {
namespace {

using test::inputs;
using test::tenant;
using Kind = Key::Kind;
using Object = crd::DatabaseTenant;
using runtime::Mark;
using runtime::Verdict;
using Texts = std::vector<std::string>;

const Mark ours{"lab", "tools/wiki", "uid-1", false};
const Key main_schema{Kind::schema, "wiki_main", "", ""}, wiki{Kind::user, "wiki", "%", ""},
    wiki_ro{Kind::user, "wiki_ro", "%", ""}, wiki_grant{Kind::grant, "wiki", "%", "wiki\\_main"},
    ro_grant{Kind::grant, "wiki_ro", "%", "wiki\\_main"};

Thing schema(const Mark& mark = ours) {
    Thing out;
    out.mark = mark;
    out.character_set = "utf8mb4";
    out.collation = "utf8mb4_unicode_ci";
    return out;
}
Thing user(const std::string& password, const Mark& mark = ours) {
    Thing out;
    out.mark = mark;
    out.hash = mysql::native_hash(Secret(password));
    return out;
}
Thing rights(std::set<std::string> privileges) {
    Thing out;
    out.privileges = std::move(privileges);
    return out;
}
/// A server on which tenant() is as declared.
Snapshot in_sync() {
    return {{main_schema, schema()},
            {wiki, user("first")},
            {wiki_ro, user("second")},
            {wiki_grant, rights({"ALL"})},
            {ro_grant, rights({"SELECT"})}};
}

Texts texts(const std::vector<Action>& actions) {
    Texts out;
    for (const auto& action : actions) out.push_back(Tenant::describe(action));
    return out;
}

TEST(DatabaseTenant, DiffTable) {
    const struct {
        const char* reason;
        std::function<void(Object&, Snapshot&)> change;
        Texts actions;
    } cases[] = {
        {"as declared", [](Object&, Snapshot&) {}, {}},
        {"nothing there",
         [](Object&, Snapshot& s) { s.clear(); },
         {"create database wiki_main", "create user wiki@%", "grant ALL on wiki\\_main to wiki@%",
          "create user wiki_ro@%", "grant SELECT on wiki\\_main to wiki_ro@%"}},
        {"a note without its thing is ours, unfinished",
         [](Object&, Snapshot& s) { s[main_schema].exists = false; },
         {"create database wiki_main"}},
        {"three-byte text came back",
         [](Object&, Snapshot& s) {
             s[main_schema].character_set = "utf8mb3";
             s[main_schema].collation = "utf8mb3_general_ci";
         },
         {"alter database wiki_main to utf8mb4 utf8mb4_unicode_ci"}},
        {"utf8 is what servers call utf8mb3",
         [](Object& o, Snapshot& s) {
             o.spec.databases[0].character_set = "utf8";
             s[main_schema].character_set = "utf8mb3";
             s[main_schema].collation = "utf8mb3_general_ci";
         },
         {}},
        {"a password was changed",
         [](Object&, Snapshot& s) { s[wiki] = user("else"); },
         {"set password of user wiki@%"}},
        {"an account was locked", [](Object&, Snapshot& s) { s[wiki].locked = true; }, {"set password of user wiki@%"}},
        {"a second method was added",
         [](Object&, Snapshot& s) { s[wiki].login = Thing::Login::unknown; },
         {"set password of user wiki@%"}},
        {"a salted hash with the right fingerprint",
         [](Object&, Snapshot& s) {
             s[wiki].login = Thing::Login::salted;
             s[wiki].hash = "$A$";
             s[wiki].fingerprint = fingerprint("$A$", Secret("first"));
         },
         {}},
        {"a salted hash that somebody else set",
         [](Object&, Snapshot& s) {
             s[wiki].login = Thing::Login::salted;
             s[wiki].hash = "$B$";
             s[wiki].fingerprint = fingerprint("$A$", Secret("first"));
         },
         {"set password of user wiki@%"}},
        {"the read-only user can write",
         [](Object&, Snapshot& s) { s[ro_grant] = rights({"INSERT", "SELECT"}); },
         {"grant SELECT on wiki\\_main to wiki_ro@%, revoke INSERT"}},
        {"rights were lost",
         [](Object&, Snapshot& s) { s[wiki_grant] = rights({"SELECT"}); },
         {"grant ALL on wiki\\_main to wiki@%"}},
        {"a user may pass its rights on",
         [](Object&, Snapshot& s) { s[wiki_grant] = rights({"ALL", "GRANT OPTION"}); },
         {"grant ALL on wiki\\_main to wiki@%, revoke GRANT OPTION"}},
        {"rights elsewhere, by a wildcard too",
         [](Object&, Snapshot& s) { s[{Kind::grant, "wiki", "%", "wiki_main"}] = rights({"SELECT"}); },
         {"revoke SELECT on wiki_main from wiki@%"}},
        {"rights on the whole server",
         [](Object&, Snapshot& s) { s[{Kind::grant, "wiki", "%", "*"}] = rights({"FILE"}); },
         {"revoke FILE on * from wiki@%"}},
        {"a user of the same name from another host is another user",
         [](Object&, Snapshot& s) {
             s[{Kind::user, "wiki", "localhost", ""}] = Thing{};
             s[{Kind::grant, "wiki", "localhost", "other"}] = rights({"ALL"});
         },
         {}},
        {"a user was taken out of the list",
         [](Object& o, Snapshot&) { o.spec.users.pop_back(); },
         {"drop user wiki_ro@%"}},
        {"a database was taken out of the list",
         [](Object& o, Snapshot&) {
             o.spec.databases.clear();
             for (auto& user : o.spec.users) user.grants.clear();
         },
         {"revoke ALL on wiki\\_main from wiki@%", "revoke SELECT on wiki\\_main from wiki_ro@%",
          "drop database wiki_main"}},
        {"the same, and data is kept",
         [](Object& o, Snapshot&) {
             o.spec.databases.clear();
             for (auto& user : o.spec.users) user.grants.clear();
             o.spec.deletion_policy = Object::Spec::DeletionPolicy::retain;
         },
         {"revoke ALL on wiki\\_main from wiki@%", "revoke SELECT on wiki\\_main from wiki_ro@%",
          "mark as retained: database wiki_main"}},
        {"retained by a former object of this name",
         [](Object&, Snapshot& s) { s[main_schema].mark = Mark{"lab", "tools/wiki", "uid-0", true}; },
         {"take over database wiki_main"}},
        {"somebody else's database of that name", [](Object&, Snapshot& s) { s[main_schema].mark.reset(); }, {}},
        {"another installation's", [](Object&, Snapshot& s) { s[wiki].mark->installation = "prod"; }, {}},
        {"an earlier object's of the same name, not retained",
         [](Object&, Snapshot& s) { s[wiki].mark->uid = "uid-0"; },
         {}},
        {"nobody's, to be adopted",
         [](Object& o, Snapshot& s) {
             o.spec.adoption_policy = Object::Spec::AdoptionPolicy::adopt;
             s[main_schema].mark.reset();
         },
         {"take over database wiki_main"}},
        {"another object's is not adopted",
         [](Object& o, Snapshot& s) {
             o.spec.adoption_policy = Object::Spec::AdoptionPolicy::adopt;
             s[main_schema].mark = Mark{"lab", "tools/other", "uid-2", false};
         },
         {}},
        {"the server's own is not adopted",
         [](Object& o, Snapshot& s) {
             o.spec.adoption_policy = Object::Spec::AdoptionPolicy::adopt;
             s[main_schema].mark.reset();
             s[main_schema].reserved = true;
         },
         {}},
        {"rights to another tenant's database are not given",
         [](Object& o, Snapshot&) { o.spec.users[0].grants[0].database = "finance"; },
         {}},
    };
    for (const auto& c : cases) {
        auto object = tenant();
        auto seen = in_sync();
        c.change(object, seen);
        EXPECT_EQ(texts(Tenant::diff(object, inputs(), seen)), c.actions) << c.reason;
    }
}

TEST(DatabaseTenant, WaitsForThePasswordOfOneUserOnly) {
    runtime::Inputs given;
    given.installation = "lab";
    given.add(test::secret("tools", "wiki.wiki-ro", {{"password", "second"}}));
    EXPECT_EQ(texts(Tenant::diff(tenant(), given, {})), (Texts{"create database wiki_main", "create user wiki_ro@%",
                                                               "grant SELECT on wiki\\_main to wiki_ro@%"}));
    EXPECT_EQ(Tenant::report(tenant(), given, {}).verdict.reason, "PasswordMissing");
    given.add(test::secret("tools", "wiki-db", {{"password", ""}}));
    EXPECT_EQ(Tenant::report(tenant(), given, {}).verdict.reason, "PasswordMissing") << "an empty one opens to all";
}

TEST(DatabaseTenant, RemoveTable) {
    const Key stranger_grant{Kind::grant, "auditor", "%", "wiki\\_main"};
    const struct {
        const char* reason;
        std::function<void(Object&, Snapshot&)> change;
        Texts actions;
    } cases[] = {
        {"accounts before data",
         [](Object&, Snapshot&) {},
         {"drop user wiki@%", "drop user wiki_ro@%", "drop database wiki_main"}},
        {"rights of others to it go with it: they would hold for the next of that name",
         [&](Object&, Snapshot& s) { s[stranger_grant] = rights({"SELECT"}); },
         {"drop user wiki@%", "drop user wiki_ro@%", "revoke SELECT on wiki\\_main from auditor@%",
          "drop database wiki_main"}},
        {"kept",
         [](Object& o, Snapshot&) { o.spec.deletion_policy = Object::Spec::DeletionPolicy::retain; },
         {"mark as retained: user wiki@%", "mark as retained: user wiki_ro@%", "mark as retained: database wiki_main"}},
        {"kept, and marked so already",
         [](Object& o, Snapshot& s) {
             o.spec.deletion_policy = Object::Spec::DeletionPolicy::retain;
             for (auto& [key, thing] : s)
                 if (thing.mark) thing.mark->retained = true;
         },
         {}},
        {"what was retained before stays",
         [](Object&, Snapshot& s) { s[main_schema].mark->retained = true; },
         {"drop user wiki@%", "drop user wiki_ro@%"}},
        {"a note without its thing",
         [](Object&, Snapshot& s) { s[wiki].exists = false; },
         {"strike the note of user wiki@%", "drop user wiki_ro@%", "drop database wiki_main"}},
        {"strangers' things",
         [](Object&, Snapshot& s) {
             for (auto& [key, thing] : s) thing.mark.reset();
         },
         {}},
    };
    for (const auto& c : cases) {
        auto object = tenant();
        auto seen = in_sync();
        c.change(object, seen);
        EXPECT_EQ(texts(Tenant::remove(object, "lab", seen)), c.actions) << c.reason;
    }
}

TEST(DatabaseTenant, ReportTable) {
    const struct {
        const char* reason;
        std::function<void(Object&, Snapshot&)> change;
        Verdict::State state;
        std::string said;
    } cases[] = {
        {"as declared", [](Object&, Snapshot&) {}, Verdict::State::ready, "InSync"},
        {"on its way", [](Object&, Snapshot& s) { s.clear(); }, Verdict::State::progressing, "OutOfSync"},
        {"not ours", [](Object&, Snapshot& s) { s[wiki].mark.reset(); }, Verdict::State::stalled, "NotOwned"},
        {"wrong", [](Object& o, Snapshot&) { o.spec.users[0].grants[0].database = "finance"; }, Verdict::State::stalled,
         "InvalidSpec"},
    };
    for (const auto& c : cases) {
        auto object = tenant();
        auto seen = in_sync();
        c.change(object, seen);
        const auto verdict = Tenant::report(object, inputs(), seen).verdict;
        EXPECT_EQ(verdict.state, c.state) << c.reason;
        EXPECT_EQ(verdict.reason, c.said) << c.reason;
        EXPECT_EQ(verdict.message.find("first"), std::string::npos) << "no password in a message";
    }
    auto seen = in_sync();
    seen[{Kind::user, "", "localhost", ""}] = Thing{};
    const auto said = Tenant::report(tenant(), inputs(), seen);
    EXPECT_EQ(said.status.databases, Texts{"wiki_main"});
    EXPECT_EQ(said.status.users, (Texts{"wiki@%", "wiki_ro@%"}));
    EXPECT_EQ(said.status.password_secrets, (Texts{"wiki@%: wiki-db/password", "wiki_ro@%: wiki.wiki-ro/password"}));
    ASSERT_EQ(said.findings.size(), 1u) << "anonymous accounts are reported";
    EXPECT_EQ(said.findings[0].reason, "AnonymousAccount");
}

TEST(DatabaseTenant, RefusesAtWriteTime) {
    using Privilege = Object::Spec::User::Grant::Privilege;
    const struct {
        const char* reason;
        std::function<void(Object&)> change;
        const char *field, *message;
    } cases[] = {
        {"another tenant's database", [](Object& o) { o.spec.users[0].grants[0].database = "finance"; },
         "spec.users[0].grants[0].database", "Invalid value: \"finance\": must be one of spec.databases, or \"*\""},
        {"data of everybody", [](Object& o) { o.spec.users[0].grants[0].database = "*"; },
         "spec.users[0].grants[0].privileges[0]", "Invalid value: \"ALL\": goes with a database, not with \"*\""},
        {"a right of the server on a database",
         [](Object& o) { o.spec.users[1].grants[0].privileges.push_back(Privilege::create_user); },
         "spec.users[1].grants[0].privileges[1]", "Invalid value: \"CREATE USER\": goes with the database \"*\" only"},
        {"the server's own database", [](Object& o) { o.spec.databases.push_back({"mysql", "utf8mb4", {}}); },
         "spec.databases[1].name", "Invalid value: \"mysql\": is the server's own"},
        {"the administrator", [](Object& o) { o.spec.users[1].name = "root"; }, "spec.users[1].name",
         "Invalid value: \"root\": is the server's own"},
        {"a user twice", [](Object& o) { o.spec.users[1].name = "wiki"; }, "spec.users[1].name",
         "Invalid value: \"wiki\": comes twice with the same host"},
        {"a database twice", [](Object& o) { o.spec.databases.push_back(o.spec.databases[0]); },
         "spec.databases[1].name", "Invalid value: \"wiki_main\": comes twice"},
    };
    EXPECT_TRUE(Tenant::admit(tenant(), nullptr, inputs()).empty());
    for (const auto& c : cases) {
        auto object = tenant();
        c.change(object);
        const auto causes = Tenant::admit(object, nullptr, inputs());
        ASSERT_EQ(causes.size(), 1u) << c.reason;
        EXPECT_EQ(causes[0], (api::Cause{"FieldValueInvalid", c.message, c.field})) << c.reason;
        EXPECT_TRUE(Tenant::diff(object, inputs(), in_sync()).empty()) << c.reason << ": nothing is done either";
    }
}

TEST(DatabaseTenant, SaysWhatItNeedsClaimsAndHasMade) {
    const auto object = tenant();
    EXPECT_EQ(Tenant::backend_name(object), "mysql1");
    EXPECT_EQ(Tenant::needs(object), (std::vector<runtime::Reference>{{api::secret_kind, "tools", "wiki-db"},
                                                                      {api::secret_kind, "tools", "wiki.wiki-ro"}}));
    const auto made = Tenant::generates(object);
    ASSERT_EQ(made.size(), 2u);
    EXPECT_EQ(made[1], (runtime::GeneratedSecret{"wiki.wiki-ro", "password", {}, false}));
    auto kept = object;
    kept.spec.deletion_policy = Object::Spec::DeletionPolicy::retain;
    EXPECT_TRUE(Tenant::generates(kept)[0].retain) << "what opens retained data is retained";
    EXPECT_EQ(Tenant::claims(object),
              (std::vector<runtime::Claim>{{"database/mysql1/schema/wiki_main", "spec.databases[0].name"},
                                           {"database/mysql1/user/wiki@%", "spec.users[0].name"},
                                           {"database/mysql1/user/wiki_ro@%", "spec.users[1].name"}}));
}

TEST(DatabaseTenant, MarksDataAsNeverToBeSwept) {
    auto seen = in_sync();
    seen[wiki].exists = false;
    for (const auto& item : Tenant::marked(seen)) {
        EXPECT_EQ(item.sweepable, item.key == wiki) << "only a note without a thing may go";
        EXPECT_EQ(Tenant::sweep(item.key, seen).empty(), item.key != wiki);
    }
    EXPECT_EQ(Tenant::marked(seen).size(), 3u) << "rights carry no mark";
}

TEST(DatabaseTenant, DropsNothingByATimeThatCannotBeRead) {
    auto object = test::tenant();
    object.metadata.deletion_timestamp = "2026-07-01T00:00:00Z";
    object.spec.undelete_window = "1h";
    const auto seen = in_sync();
    const auto drops = [&](const std::vector<Action>& actions) {
        return std::ranges::any_of(actions, [](const Action& action) {
            return action.verb == Action::Verb::drop_schema || action.verb == Action::Verb::drop_user || action.ends;
        });
    };
    EXPECT_TRUE(drops(Tenant::remove(object, "lab", seen))) << "so that the test can fail";
    for (const auto* time : {"", "yesterday", "1782864000"}) {
        object.metadata.deletion_timestamp = time;
        EXPECT_FALSE(drops(Tenant::remove(object, "lab", seen))) << time;
    }
    object.metadata.deletion_timestamp = "2026-07-01T00:00:00Z";
    object.spec.undelete_window = "a while";
    EXPECT_FALSE(drops(Tenant::remove(object, "lab", seen)));
    auto less = object;
    less.spec.databases.clear();
    less.spec.users.clear();
    EXPECT_FALSE(drops(Tenant::diff(less, test::inputs(), seen)));
}

}  // namespace
}  // namespace ocim::database
