#pragma once

#include "base/async.hpp"
#include "support/contract.hpp"
#include "support/service.hpp"
#include "unit/database/sample.hpp"

#include <gtest/gtest.h>
#include <memory>
#include <string>
#include <utility>

/// What tests share that have a tenant and look at a real server, whichever it is.
namespace ocim::database::test {

using ocim::test::RealLoop;
using ocim::test::Visitor;
using Object = crd::DatabaseTenant;
using Privilege = Object::Spec::User::Grant::Privilege;

/// One database "sb_N", an owner of the same name and a reader; names hold the wildcard of grants.
inline Object numbered_tenant(int n, const std::string& server) {
    auto out = tenant();
    const auto name = "sb_" + std::to_string(n);
    out.metadata.name = "wiki" + std::to_string(n);
    out.metadata.uid = "uid-" + std::to_string(n);
    out.spec.server_ref.name = server;
    out.spec.databases[0].name = name;
    out.spec.users[0].name = name;
    out.spec.users[1].name = name + "_ro";
    for (auto& user : out.spec.users) {
        user.password_ref = api::SecretKeyRef{"passwords", user.name.ends_with("_ro") ? "reader" : "owner"};
        user.grants[0].database = name;
    }
    return out;
}

/// Our account is "ocim", with a password that has to be quoted, as have the owner's.
class WithServer : public ::testing::Test {
protected:
    explicit WithServer(std::string password) : owner_password(std::move(password)) {
        inputs.installation = "lab";
        inputs.add(secret("ocim-system", "admin", {{"username", "ocim"}, {"password", "admin's"}}));
        inputs.add(secret("tools", "passwords", {{"owner", owner_password}, {"reader", "second"}}));
    }
    /// The server of this test, as it is declared.
    virtual crd::DatabaseServer declared() = 0;

    Result<std::unique_ptr<Server>> open(const crd::DatabaseServer& object) {
        return Tenant::open(object, inputs, services);
    }
    std::unique_ptr<Server> open() {
        auto opened = open(declared());
        EXPECT_TRUE(opened) << opened.error().message;
        return *std::move(opened);
    }
    Visitor<Tenant> visitor(Server& system) { return {loop, system, inputs}; }

    const std::string owner_password;
    ocim::test::TempDir data;
    RealLoop loop;
    std::unique_ptr<Random> random = make_seeded_random(1);
    Metrics metrics;
    BlockingPool blocking{loop.executor(), "test", 2, 100};
    runtime::Services services{loop.executor(), loop.clock(), *random, metrics, blocking, "lab", data.path(), nullptr};
    runtime::Inputs inputs;
};

}  // namespace ocim::database::test
