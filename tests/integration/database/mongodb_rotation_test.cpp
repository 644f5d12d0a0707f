#include "database/rotation.hpp"
#include "integration/database/clients.hpp"
#include "integration/database/mongodb.hpp"
#include "runtime/rotation.hpp"

#include <array>
#include <chrono>
#include <iostream>

/// Clients log in all the time while passwords are replaced, and none is refused.
namespace ocim::database {
namespace {

using namespace std::chrono_literals;
using test::Clients;
using test::rotations;

class MongoDBRotation : public test::WithMongoDB {
protected:
    runtime::Inputs with(const std::array<std::string, 2>& passwords) const {
        runtime::Inputs out;
        out.installation = "lab";
        auto secret = test::secret("tools", "passwords", {{"owner", passwords[0]}, {"reader", passwords[1]}});
        api::make_object(secret, {"metadata"})["creationTimestamp"] = "2026-01-01T00:00:00Z";  // their age
        out.add(std::move(secret));
        return out;
    }
};

/// An account has one password: two users of the same rights take turns.
TEST_F(MongoDBRotation, RefusesNobodyWhereTwoUsersTakeTurns) {
    auto system = open();
    auto object = test::mongodb_tenant(1);
    object.spec.users[1].host = "%";
    object.spec.users[1].grants = object.spec.users[0].grants;
    Clients clients([this](const Clients::Published& now) {
        const auto opened = mongodb::Connection::open(client(now.user, "admin", now.password));
        return opened ? "" : opened.error().message;
    });
    std::array<std::string, 2> passwords{"first-0", "second-0"};
    for (int n = 1; n <= rotations(); ++n) {
        const auto idle = static_cast<std::size_t>(n % 2);  // whom no client uses now
        passwords[idle] = "replaced-" + std::to_string(n);
        ocim::test::Visitor<Tenant> visit{loop, *system, with(passwords)};
        visit.must(visit.wanted(object));
        ASSERT_TRUE(visit.wanted(object).empty());
        clients.publish({object.spec.users[idle].name, passwords[idle]});
        const auto deadline = loop.clock().now() + 100s;
        while (!clients.all_know() && loop.clock().now() < deadline) loop.run(loop.clock().sleep(Duration(2)));
        ASSERT_TRUE(clients.all_know());
    }
    clients.stop();
    EXPECT_EQ(clients.refused(), std::vector<std::string>{});
    std::cout << rotations() << " rotations, " << clients.logins() << " log-ins, " << clients.refused().size()
              << " refused\n";
}

/// What the Secret's steps are is rotation.hpp's; here that they come to MongoDB as to a server of one password each.
TEST_F(MongoDBRotation, GoesByTheSecret) {
    auto system = open();
    auto object = test::mongodb_tenant(1);
    object.metadata.annotations[std::string(runtime::rotate_at_annotation)] = "2026-01-02T00:00:00Z";
    auto now = with({"first", "second"});
    now.now = *parse_rfc3339("2026-02-01T00:00:00Z");
    ocim::test::Visitor<Tenant> visit{loop, *system, now};
    EXPECT_TRUE(Tenant::renewals(object, now, visit.see()).empty()) << "nobody stands yet";
    visit.must(visit.wanted(object));
    const auto edits = Tenant::renewals(object, now, visit.see());
    ASSERT_EQ(edits.size(), 2u);
    for (const auto& edit : edits) {
        EXPECT_EQ(edit.draw.size(), 1u);
        EXPECT_TRUE(edit.copy.empty()) << "there is no former one to keep";
    }
    ocim::test::Visitor<Tenant> after{loop, *system, with({"third", "second"})};
    const auto actions = after.wanted(object);
    ASSERT_EQ(actions.size(), 1u);
    after.must(actions);
    EXPECT_EQ(says(client("sb_1", "admin", "third"), "sb_1", find()), "");
    EXPECT_NE(says(client("sb_1", "admin", "first"), "sb_1", find()), "") << "the former one ends";
}

}  // namespace
}  // namespace ocim::database
