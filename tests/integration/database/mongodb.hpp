#pragma once

#include "base/async.hpp"
#include "database/mongodb_connection.hpp"
#include "support/contract.hpp"
#include "support/mongodb.hpp"
#include "unit/database/sample.hpp"

#include <gtest/gtest.h>
#include <memory>
#include <string>

/// A MongoDB for the tests of one program, and our account on it.
namespace ocim::database::test {

using Object = crd::DatabaseTenant;
using Privilege = Object::Spec::User::Grant::Privilege;

inline crd::DatabaseServer mongodb_object(std::uint16_t port) {
    crd::DatabaseServer out;
    out.metadata.name = "mongo1";
    auto& server = out.spec.mongodb.emplace();
    server.hosts = {"127.0.0.1:" + std::to_string(port)};
    out.spec.credentials_ref.name = "admin";
    return out;
}

/// A tenant with one database, an owner and a reader; the reader belongs to the database, the owner to admin.
inline Object mongodb_tenant(int n) {
    auto out = tenant();
    const auto name = "sb_" + std::to_string(n);
    out.metadata.name = "wiki" + std::to_string(n);
    out.metadata.uid = "uid-" + std::to_string(n);
    out.spec.server_ref.name = "mongo1";
    out.spec.databases[0].name = name;
    out.spec.users[0].name = name;
    out.spec.users[1].name = name + "_ro";
    out.spec.users[1].host = name;
    for (auto& user : out.spec.users) {
        user.password_ref = api::SecretKeyRef{"passwords", user.name.ends_with("_ro") ? "reader" : "owner"};
        user.grants[0] = {name, {user.name.ends_with("_ro") ? Privilege::read : Privilege::db_owner}};
    }
    return out;
}

class WithMongoDB : public ::testing::Test {
protected:
    explicit WithMongoDB(ocim::test::MongoDB::Settings settings = {.password = "admin's"}) : server(settings) {
        inputs.installation = "lab";
        inputs.add(secret("ocim-system", "admin", {{"username", "ocim"}, {"password", "admin's"}}));
        inputs.add(secret("tools", "passwords", {{"owner", owner_password}, {"reader", "second"}}));
    }
    void TearDown() override {
        if (server.service->running()) EXPECT_EQ(server.violations(), "[]");
    }

    Result<std::unique_ptr<Server>> open(const crd::DatabaseServer& object) {
        return Tenant::open(object, inputs, services);
    }
    std::unique_ptr<Server> open() {
        auto opened = open(mongodb_object(server.port()));
        EXPECT_TRUE(opened) << opened.error().message;
        return *std::move(opened);
    }
    ocim::test::Visitor<Tenant> visitor(Server& system) { return {loop, system, inputs}; }

    mongodb::ConnectionSettings client(const std::string& user, const std::string& home,
                                       const std::string& password) const {
        mongodb::ConnectionSettings out;
        out.hosts = {"127.0.0.1:" + std::to_string(server.port())};
        out.tls = mongodb::ConnectionSettings::Tls::disabled;
        out.username = user;
        out.auth_source = home;
        out.password = Secret(password);
        out.connect_seconds = out.reply_seconds = 60;
        return out;
    }
    /// What a tenant is told: "" when it is done. `command` in single quotes.
    std::string says(const mongodb::ConnectionSettings& as, const std::string& database, std::string command) const {
        std::ranges::replace(command, '\'', '"');
        auto opened = mongodb::Connection::open(as);
        if (!opened) return opened.error().message;
        auto parsed = api::parse_json(command);
        auto answer = (*opened)->run(database, parsed->value.get_object());
        return answer ? "" : answer.error().message;
    }
    std::string owner_says(const std::string& command, const std::string& database = "sb_1") const {
        return says(client("sb_1", "admin", owner_password), database, command);
    }
    std::string reader_says(const std::string& command, const std::string& database = "sb_1") const {
        return says(client("sb_1_ro", "sb_1", "second"), database, command);
    }
    static std::string insert(const std::string& id = "x") {
        return "{'insert':'t','documents':[{'_id':'" + id + "'}],'maxTimeMS':9000,'writeConcern':{'w':'majority'}}";
    }
    static std::string find() { return "{'find':'t','maxTimeMS':9000}"; }

    const std::string owner_password = "p'\"`\\ä 日本;--";
    ocim::test::MongoDB server;
    ocim::test::TempDir data;
    ocim::test::RealLoop loop;
    std::unique_ptr<Random> random = make_seeded_random(1);
    Metrics metrics;
    BlockingPool blocking{loop.executor(), "test", 2, 100};
    runtime::Services services{loop.executor(), loop.clock(), *random, metrics, blocking, "lab", data.path(), nullptr};
    runtime::Inputs inputs;
};

}  // namespace ocim::database::test
