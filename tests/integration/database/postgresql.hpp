#pragma once

#include "integration/database/fixture.hpp"
#include "support/postgresql.hpp"

#include <memory>
#include <sstream>
#include <string>

/// A PostgreSQL server for the tests of one program, and our account on it.
namespace ocim::database::test {

inline crd::DatabaseServer postgresql_object(std::uint16_t port) {
    crd::DatabaseServer out;
    out.metadata.name = "pg1";
    out.spec.postgresql.emplace();
    out.spec.postgresql->host = "127.0.0.1";
    out.spec.postgresql->port = port;
    out.spec.credentials_ref.name = "admin";
    return out;
}

inline Object numbered(int n) { return numbered_tenant(n, "pg1"); }

class WithPostgreSQL : public WithServer {
protected:
    WithPostgreSQL() : WithServer("p'\"`\\ä 日本;--") {
        server().sql("CREATE ROLE ocim SUPERUSER LOGIN PASSWORD 'admin''s'");
    }
    crd::DatabaseServer declared() override { return postgresql_object(server().port()); }
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

    inline static std::unique_ptr<ocim::test::PostgreSQL> shared;  // one for all: it takes long to start
};

}  // namespace ocim::database::test
