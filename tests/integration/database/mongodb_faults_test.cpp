#include "database/register.hpp"
#include "runtime/base64.hpp"
#include "support/faults.hpp"
#include "support/mongodb.hpp"

#include <gtest/gtest.h>
#include <cstdlib>
#include <string_view>

/// What DatabaseTenants say and do when their MongoDB is in trouble.
namespace ocim::database {
namespace {

using ocim::test::Fault;
using ocim::test::json;

class MongoDBFaults : public ocim::test::FaultTest {
protected:
    MongoDBFaults() : FaultTest(register_kinds) {
        for (const std::string user : {"struck", "well"}) {
            server.run("admin", "{'createUser':'" + user +
                                    "','pwd':'right','roles':[{'role':'userAdminAnyDatabase','db':'admin'},{'role':"
                                    "'dbAdminAnyDatabase','db':'admin'},{'role':'readWrite','db':'ocim_meta'}]}");
            running.put_secret("ocim-system", user, "username", runtime::base64(user));
            running.server.merge("Secret", "ocim-system", user,
                                 R"({"data":{"password":")" + runtime::base64("right") + R"("}})");
            put_server(user, user == "struck" ? front.port() : server.port());
        }
        running.put_secret("campus", "passwords", "password", runtime::base64("a tenant's"));
    }
    void TearDown() override {
        running.stop();
        EXPECT_EQ(server.violations(), "[]");
    }

    void put_server(const std::string& name, std::uint16_t port) {
        running.server.put(
            json("{'apiVersion':'ocim.opencraft.com/v1alpha1','kind':'DatabaseServer','metadata':{'name':'" + name +
                 "'},'spec':{'mongodb':{'hosts':['127.0.0.1:" + std::to_string(port) +
                 "'],'authSource':'admin','mechanisms':['SCRAM-SHA-256'],'metaDatabase':'ocim_meta'},"
                 "'allowedNamespaces':[],'credentialsRef':{'name':'" +
                 name + "'}}}"));
    }
    void put(const std::string& name, const std::string& backend) override {
        running.server.put(
            json("{'apiVersion':'ocim.opencraft.com/v1alpha1','kind':'DatabaseTenant','metadata':{"
                 "'namespace':'campus','name':'" +
                 name + "'},'spec':{'serverRef':{'name':'" + backend + "'},'databases':[{'name':'" + name +
                 "','characterSet':'utf8mb4'}],'users':[{'name':'" + name +
                 "','host':'%','passwordRef':{'name':'passwords','key':'password'},'grants':[{'database':'" + name +
                 "','privileges':['readWrite']}]}]}}"));
    }
    std::string stands(const std::string& name) override { return running.stands("DatabaseTenant", "campus", name); }
    void strike(Fault fault) override {
        if (fault != Fault::refuses_credentials) return show(front, fault, ocim::test::greeting_garbage(fault));
        server.run("admin", "{'updateUser':'struck','pwd':'another'}");
        front.open();  // sessions that there were are over, as after a restart of the server
    }
    void mend() override {
        if (GetParam() == Fault::refuses_credentials)
            server.run("admin", "{'updateUser':'struck','pwd':'right'}");
        else
            front.open();
    }
    ocim::test::Door& door() override { return front; }
    /// A probe is three turns, a hello and two of the log-in, and a last word.
    int calls() override { return door().connections(); }

    ocim::test::MongoDB server{{.password = "unused"}};
    ocim::test::Door front{server.port()};
};

/// What is said of each fault is the runtime's and tested with MySQL on every day; of MongoDB's own part this shows all
/// that MongoDBInTrouble does not.
bool of_every_day(Fault fault) { return fault == Fault::cut_off; }

TEST_P(MongoDBFaults, AreSaidBoundedAndOverByThemselves) {
    const auto* scale = std::getenv("OCIM_SCALE");
    if (!of_every_day(GetParam()) && (!scale || std::string_view(scale) != "full")) GTEST_SKIP() << "at full scale";
    suffers(usual_reasons(GetParam()));
    EXPECT_NE(server.users().find("later@admin"), std::string::npos);
}

INSTANTIATE_TEST_SUITE_P(MongoDB, MongoDBFaults,
                         testing::Values(Fault::down, Fault::slow, Fault::refuses_credentials, Fault::wrong_protocol,
                                         Fault::html, Fault::cut_off, Fault::huge_body),
                         ocim::test::fault_name);

}  // namespace
}  // namespace ocim::database
