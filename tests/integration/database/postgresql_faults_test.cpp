#include "database/register.hpp"

#include "runtime/base64.hpp"
#include "support/faults.hpp"
#include "support/postgresql.hpp"

#include <gtest/gtest.h>
#include <cstdlib>
#include <string_view>

/// What DatabaseTenants say and do when their PostgreSQL server is in trouble.
namespace ocim::database {
namespace {

using ocim::test::Fault;
using ocim::test::json;

class PostgreSQLFaults : public ocim::test::FaultTest {
protected:
    PostgreSQLFaults() : FaultTest(register_kinds) {
        for (const std::string user : {"struck", "well"}) {
            server->sql("CREATE ROLE " + user + " SUPERUSER LOGIN PASSWORD 'right'");
            running.put_secret("ocim-system", user, "username", runtime::base64(user));
            running.server.merge("Secret", "ocim-system", user,
                                 R"({"data":{"password":")" + runtime::base64("right") + R"("}})");
            put_server(user, user == "struck" ? front.port() : server->port());
        }
        running.put_secret("campus", "passwords", "password", runtime::base64("a tenant's"));
    }
    static void SetUpTestSuite() { server = new ocim::test::PostgreSQL; }
    static void TearDownTestSuite() { delete std::exchange(server, nullptr); }
    void TearDown() override {
        running.stop();
        server->sql(
            "SELECT format('DROP DATABASE %I WITH (FORCE)', datname) FROM pg_database WHERE NOT datistemplate AND "
            "datname <> 'postgres' \\gexec\n"
            "SELECT format('DROP ROLE %I', rolname) FROM pg_roles WHERE rolname !~ '^(pg_|postgres$)' \\gexec\n");
    }

    void put_server(const std::string& name, std::uint16_t port) {
        running.server.put(
            json("{'apiVersion':'ocim.opencraft.com/v1alpha1','kind':'DatabaseServer','metadata':{'name':'" + name +
                 "'},'spec':{'postgresql':{'host':'127.0.0.1','port':" + std::to_string(port) +
                 "},'allowedNamespaces':[],'credentialsRef':{'name':'" + name + "'}}}"));
    }
    void put(const std::string& name, const std::string& backend) override {
        running.server.put(
            json("{'apiVersion':'ocim.opencraft.com/v1alpha1','kind':'DatabaseTenant','metadata':{"
                 "'namespace':'campus','name':'" +
                 name + "'},'spec':{'serverRef':{'name':'" + backend + "'},'databases':[{'name':'" + name +
                 "','characterSet':'utf8mb4'}],'users':[{'name':'" + name +
                 "','host':'%','passwordRef':{'name':'passwords','key':'password'},'grants':[{'database':'" + name +
                 "','privileges':['ALL']}]}]}}"));
    }
    std::string stands(const std::string& name) override { return running.stands("DatabaseTenant", "campus", name); }
    void strike(Fault fault) override {
        if (fault != Fault::refuses_credentials) return show(front, fault, ocim::test::greeting_garbage(fault));
        server->sql("ALTER ROLE struck PASSWORD 'another'");
        front.open();  // sessions that there were are over, as after a restart of the server
    }
    void mend() override {
        if (GetParam() == Fault::refuses_credentials)
            server->sql("ALTER ROLE struck PASSWORD 'right'");
        else
            front.open();
    }
    ocim::test::Door& door() override { return front; }

    inline static ocim::test::PostgreSQL* server = nullptr;  // one for all: it takes long to start
    ocim::test::Door front{server->port()};
};

/// What is said of each fault is the runtime's and tested with MySQL on every day; of PostgreSQL's own part these show
/// all.
bool of_every_day(Fault fault) {
    return fault == Fault::down || fault == Fault::refuses_credentials || fault == Fault::cut_off;
}

TEST_P(PostgreSQLFaults, AreSaidBoundedAndOverByThemselves) {
    const auto* scale = std::getenv("OCIM_SCALE");
    if (!of_every_day(GetParam()) && (!scale || std::string_view(scale) != "full")) GTEST_SKIP() << "at full scale";
    suffers(usual_reasons(GetParam()));
    EXPECT_EQ(server->sql("SELECT datname FROM pg_database WHERE datname = 'later'"), "later\n");
}

INSTANTIATE_TEST_SUITE_P(PostgreSQL, PostgreSQLFaults,
                         testing::Values(Fault::down, Fault::slow, Fault::refuses_credentials, Fault::wrong_protocol,
                                         Fault::html, Fault::cut_off, Fault::huge_body),
                         ocim::test::fault_name);

}  // namespace
}  // namespace ocim::database
