#pragma once

#include "database/mongodb_connection.hpp"
#include "integration/database/fixture.hpp"
#include "support/mongodb.hpp"

#include <algorithm>
#include <string>

/// A MongoDB for the tests of one program, and our account on it.
namespace ocim::database::test {

inline crd::DatabaseServer mongodb_object(std::uint16_t port) {
    crd::DatabaseServer out;
    out.metadata.name = "mongo1";
    auto& server = out.spec.mongodb.emplace();
    server.hosts = {"127.0.0.1:" + std::to_string(port)};
    out.spec.credentials_ref.name = "admin";
    return out;
}

/// The reader belongs to the database, the owner to admin.
inline Object mongodb_tenant(int n) {
    auto out = numbered_tenant(n, "mongo1");
    auto& users = out.spec.users;
    users[1].host = out.spec.databases[0].name;
    users[0].grants[0].privileges = {Privilege::db_owner};
    users[1].grants[0].privileges = {Privilege::read};
    return out;
}

class WithMongoDB : public WithServer {
protected:
    explicit WithMongoDB(ocim::test::MongoDB::Settings settings = {.password = "admin's"})
        : WithServer("p'\"`\\ä 日本;--"), server(settings) {}
    crd::DatabaseServer declared() override { return mongodb_object(server.port()); }
    void TearDown() override {
        if (server.service->running()) EXPECT_EQ(server.violations(), "[]");
    }

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

    ocim::test::MongoDB server;
};

}  // namespace ocim::database::test
