#include "integration/database/tenant_faults.hpp"
#include "support/postgresql.hpp"

#include <gtest/gtest.h>

namespace ocim::database {
namespace {

using ocim::test::Fault;

class PostgreSQLFaults : public test::TenantFaults {
protected:
    PostgreSQLFaults() : TenantFaults(server->port(), "ALL") {}
    static void SetUpTestSuite() { server = new ocim::test::PostgreSQL; }
    static void TearDownTestSuite() { delete std::exchange(server, nullptr); }
    void TearDown() override {
        running.stop();
        server->sql(
            "SELECT format('DROP DATABASE %I WITH (FORCE)', datname) FROM pg_database WHERE NOT datistemplate AND "
            "datname <> 'postgres' \\gexec\n"
            "SELECT format('DROP ROLE %I', rolname) FROM pg_roles WHERE rolname !~ '^(pg_|postgres$)' \\gexec\n");
    }

    void make_administrator(const std::string& user, const std::string& password) override {
        server->sql("CREATE ROLE " + user + " SUPERUSER LOGIN PASSWORD '" + password + "'");
    }
    void change_password(const std::string& password) override {
        server->sql("ALTER ROLE struck PASSWORD '" + password + "'");
    }
    std::string provider(const std::string&, std::uint16_t port) override {
        return "'postgresql':{'host':'127.0.0.1','port':" + std::to_string(port) + "},'allowedNamespaces':[]";
    }

    inline static ocim::test::PostgreSQL* server = nullptr;  // one for all: it takes long to start
};

/// What is said of each fault is the runtime's and tested with MySQL on every day; of PostgreSQL's own part these show
/// all.
bool of_every_day(Fault fault) {
    return fault == Fault::down || fault == Fault::refuses_credentials || fault == Fault::cut_off;
}

TEST_P(PostgreSQLFaults, AreSaidBoundedAndOverByThemselves) {
    if (!of_every_day(GetParam()) && !at_full_scale()) GTEST_SKIP() << "at full scale";
    suffers(usual_reasons(GetParam()));
    EXPECT_EQ(server->sql("SELECT datname FROM pg_database WHERE datname = 'later'"), "later\n");
}

INSTANTIATE_TEST_SUITE_P(PostgreSQL, PostgreSQLFaults, test::every_fault, ocim::test::fault_name);

}  // namespace
}  // namespace ocim::database
