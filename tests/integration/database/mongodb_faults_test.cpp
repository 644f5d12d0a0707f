#include "integration/database/tenant_faults.hpp"
#include "support/mongodb.hpp"

#include <gtest/gtest.h>

namespace ocim::database {
namespace {

using ocim::test::Fault;

/// Made before what needs to know where it is.
struct ItsMongoDB {
    ocim::test::MongoDB server{{.password = "unused"}};
};

class MongoDBFaults : private ItsMongoDB, public test::TenantFaults {
protected:
    MongoDBFaults() : TenantFaults(server.port(), "readWrite") {}
    void TearDown() override {
        running.stop();
        EXPECT_EQ(server.violations(), "[]");
    }

    void make_administrator(const std::string& user, const std::string& password) override {
        server.run("admin", "{'createUser':'" + user + "','pwd':'" + password +
                                "','roles':[{'role':'userAdminAnyDatabase','db':'admin'},{'role':"
                                "'dbAdminAnyDatabase','db':'admin'},{'role':'readWrite','db':'ocim_meta'}]}");
    }
    void change_password(const std::string& password) override {
        server.run("admin", "{'updateUser':'struck','pwd':'" + password + "'}");
    }
    std::string provider(const std::string&, std::uint16_t port) override {
        return "'mongodb':{'hosts':['127.0.0.1:" + std::to_string(port) +
               "'],'authSource':'admin','mechanisms':['SCRAM-SHA-256'],'metaDatabase':'ocim_meta'},"
               "'allowedNamespaces':[]";
    }
    /// A probe is three turns, a hello and two of the log-in, and a last word.
    int calls() override { return door().connections(); }
    using ItsMongoDB::server;
};

/// What is said of each fault is the runtime's and tested with MySQL on every day; of MongoDB's own part this shows all
/// that MongoDBInTrouble does not.
bool of_every_day(Fault fault) { return fault == Fault::cut_off; }

TEST_P(MongoDBFaults, AreSaidBoundedAndOverByThemselves) {
    if (!of_every_day(GetParam()) && !at_full_scale()) GTEST_SKIP() << "at full scale";
    suffers(usual_reasons(GetParam()));
    EXPECT_NE(server.users().find("later@admin"), std::string::npos);
}

INSTANTIATE_TEST_SUITE_P(MongoDB, MongoDBFaults, test::every_fault, ocim::test::fault_name);

}  // namespace
}  // namespace ocim::database
