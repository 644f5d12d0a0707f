#include "integration/database/mongodb.hpp"

#include "database/job.hpp"
#include "database/mongodb_commands.hpp"

#include <chrono>
#include <cstdlib>
#include <ctime>
#include <iostream>
#include <string_view>

/// A MongoDB with ten thousand users.
namespace ocim::database {
namespace {

using test::mongodb_tenant;
using test::Object;
using test::Privilege;

class MongoDBAudit : public test::WithMongoDB {};

TEST_F(MongoDBAudit, ReadsTenThousandUsersInAFewCommands) {
    const auto* scale = std::getenv("OCIM_SCALE");
    const int users = scale && std::string_view(scale) == "full" ? 2'000 : 100;
    constexpr int tenants = 5;
    auto system = open();
    auto visit = visitor(*system);
    std::vector<Object> objects;
    for (int n = 0; n < tenants; ++n) {
        objects.push_back(mongodb_tenant(n));
        objects.back().spec.users.resize(1);
        objects.back().spec.users[0].grants[0].privileges = {Privilege::read};
    }
    visit.must(visit.wanted(objects));
    const auto made = visit.see();
    for (int n = 0; n < tenants; ++n) {
        const auto name = "sb_" + std::to_string(n);
        const auto& account = made.at({Key::Kind::user, name, "%", ""});
        mongodb::Remark remark;
        remark.mark = account.mark;
        remark.fingerprint = account.fingerprint;
        (void)server.order("{'copy':{'user':'" + name + "','db':'admin','count':" + std::to_string(users) +
                           ",'roles':[{'role':'read','db':'" + name +
                           "'}],'customData':" + api::to_text(api::Json(mongodb::custom_data(remark))) + "}}");
        auto& object = objects[static_cast<std::size_t>(n)];
        for (int user = 1; user < users; ++user) {
            auto added = object.spec.users[0];
            added.name = name + "_" + std::to_string(user);
            object.spec.users.push_back(std::move(added));
        }
    }
    const auto before = server.commands();
    const auto began = std::chrono::steady_clock::now();
    const auto spent = std::clock();
    const auto seen = visit.see();
    for (const auto& object : objects) EXPECT_TRUE(Tenant::diff(object, visit.inputs(), seen).empty());
    const auto cpu = static_cast<double>(std::clock() - spent) / CLOCKS_PER_SEC;
    const auto wall = std::chrono::duration<double>(std::chrono::steady_clock::now() - began).count();
    const auto asked = server.commands() - before;
    std::cout << tenants * users << " users: " << asked << " commands, " << wall << " s, of which " << cpu
              << " s of ours\n";
    EXPECT_EQ(asked, 3) << "fewer than 10 are promised";
    EXPECT_LT(cpu, 30) << "promised are 3 s; the wall's time is the machine's";
    server.run("admin", "{'updateUser':'sb_3_88','pwd':'other'}");
    server.run("admin", "{'grantRolesToUser':'sb_2_77','roles':[{'role':'readWrite','db':'sb_1'}]}");
    const auto drifted = visit.wanted(objects);
    ASSERT_EQ(drifted.size(), 2u) << "one password, one right";
    visit.must(drifted);
    EXPECT_TRUE(visit.wanted(objects).empty());
}

}  // namespace
}  // namespace ocim::database
