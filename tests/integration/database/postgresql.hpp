#pragma once

#include "base/async.hpp"
#include "support/contract.hpp"
#include "support/postgresql.hpp"
#include "unit/database/sample.hpp"

#include <gtest/gtest.h>
#include <memory>
#include <sstream>
#include <string>

/// A PostgreSQL server for the tests of one program, and our account on it.
namespace ocim::database::test {

using ocim::test::RealLoop;
using ocim::test::Visitor;
using Object = crd::DatabaseTenant;
using Privilege = Object::Spec::User::Grant::Privilege;

inline crd::DatabaseServer postgresql_object(std::uint16_t port) {
    crd::DatabaseServer out;
    out.metadata.name = "pg1";
    out.spec.postgresql.emplace();
    out.spec.postgresql->host = "127.0.0.1";
    out.spec.postgresql->port = port;
    out.spec.credentials_ref.name = "admin";
    return out;
}

/// A tenant with one database, an owner and a reader.
inline Object numbered(int n) {
    auto out = tenant();
    const auto name = "sb_" + std::to_string(n);
    out.metadata.name = "wiki" + std::to_string(n);
    out.metadata.uid = "uid-" + std::to_string(n);
    out.spec.server_ref.name = "pg1";
    out.spec.databases[0].name = name;
    out.spec.users[0].name = name;
    out.spec.users[1].name = name + "_ro";
    for (auto& user : out.spec.users) {
        user.password_ref = api::SecretKeyRef{"passwords", user.name.ends_with("_ro") ? "reader" : "owner"};
        user.grants[0].database = name;
    }
    return out;
}

class WithPostgreSQL : public ::testing::Test {
protected:
    WithPostgreSQL() {
        server().sql("CREATE ROLE ocim SUPERUSER LOGIN PASSWORD 'admin''s'");
        inputs.installation = "lab";
        inputs.add(secret("ocim-system", "admin", {{"username", "ocim"}, {"password", "admin's"}}));
        inputs.add(secret("tools", "passwords", {{"owner", owner_password}, {"reader", "second"}}));
    }
    void TearDown() override { clean(); }
    static void clean() {
        server().sql(
            "SELECT format('DROP DATABASE %I WITH (FORCE)', datname) FROM pg_database WHERE NOT datistemplate AND "
            "datname <> 'postgres' \\gexec\n"
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename <> 'postgres';"
            "SELECT format('DROP OWNED BY %I', rolname) FROM pg_roles r WHERE rolname !~ '^(pg_|postgres$)' AND EXISTS "
            "(SELECT 1 FROM pg_shdepend WHERE refobjid = r.oid) \\gexec\n"
            "SELECT format('DROP ROLE %I', rolname) FROM pg_roles WHERE rolname !~ '^(pg_|postgres$)' \\gexec\n");
    }
    static void TearDownTestSuite() { shared.reset(); }
    static ocim::test::PostgreSQL& server() {
        if (!shared) shared = std::make_unique<ocim::test::PostgreSQL>();
        return *shared;
    }

    Result<std::unique_ptr<Server>> open(const crd::DatabaseServer& object) {
        return Tenant::open(object, inputs, services);
    }
    std::unique_ptr<Server> open() {
        auto opened = open(postgresql_object(server().port()));
        EXPECT_TRUE(opened) << opened.error().message;
        return *std::move(opened);
    }
    Visitor<Tenant> visitor(Server& system) { return {loop, system, inputs}; }

    inline static std::unique_ptr<ocim::test::PostgreSQL> shared;  // one for all: it takes long to start
    const std::string owner_password = "p'\"`\\ä 日本;--";
    ocim::test::TempDir data;
    RealLoop loop;
    std::unique_ptr<Random> random = make_seeded_random(1);
    Metrics metrics;
    BlockingPool blocking{loop.executor(), "test", 2, 100};
    runtime::Services services{loop.executor(), loop.clock(), *random, metrics, blocking, "lab", data.path(), nullptr};
    runtime::Inputs inputs;
};

}  // namespace ocim::database::test
