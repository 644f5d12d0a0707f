#include "client/client.hpp"
#include "support/world.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace ocim::client {
namespace {

using namespace std::chrono_literals;
using test::json_of;
using testing::ElementsAre;
using testing::HasSubstr;

class LocalClient : public testing::Test {
protected:
    Json map(const std::string& name, const std::string& value = "1") {
        auto out = json_of("{'apiVersion':'v1','kind':'ConfigMap'}");
        api::make_object(out, {"metadata"})["name"] = name;
        api::make_object(out, {"metadata"})["namespace"] = "default";
        api::make_object(out, {"data"})["k"] = value;
        return out;
    }
    static std::string text(const Json& object, std::initializer_list<std::string_view> path) {
        return std::string(api::find_text(object, path));
    }
    template <class T>
    T run(awaitable<T> work) {
        return world.loop.run(std::move(work));
    }
    test::World world;
    std::unique_ptr<Client> client = make_local_client(world.registry(), world.loop.clock(), "ocim/test");
    const Kind maps = api::config_map_kind;
};

TEST_F(LocalClient, WritesAndReads) {
    const auto made = run(client->create(maps, map("a")));
    ASSERT_TRUE(made) << made.error().message;
    EXPECT_EQ(text(made->at("metadata").at("managedFields").at(0), {"manager"}), "ocim");
    auto changed = *made;
    changed.at("data").as_object()["k"] = "2";
    ASSERT_TRUE(run(client->update(maps, changed)));
    const auto stale = run(client->update(maps, *made));
    ASSERT_FALSE(stale);
    EXPECT_EQ(stale.error().error_class, ErrorClass::conflict);
    ASSERT_TRUE(run(client->merge_patch(maps, "default", "a", json_of("{'data':{'l':'3'}}"), "")));
    const auto now = run(client->get(maps, "default", "a"));
    ASSERT_TRUE(now);
    EXPECT_EQ(api::to_text(now->at("data")), R"({"k":"2","l":"3"})");
    const auto applied = run(client->apply(maps, map("b"), "ocim-instance", ""));
    ASSERT_TRUE(applied) << applied.error().message;
    EXPECT_EQ(text(applied->at("metadata").at("managedFields").at(0), {"manager"}), "ocim-instance");
    const auto listed = run(client->list(maps, "default"));
    ASSERT_TRUE(listed);
    EXPECT_EQ(listed->items.size(), 2u);
    EXPECT_EQ(listed->resource_version, std::to_string(world.registry().revision()));
}

TEST_F(LocalClient, RemovingWhatIsGoneIsDone) {
    EXPECT_TRUE(run(client->remove(maps, "default", "a", "")));
    ASSERT_TRUE(run(client->create(maps, map("a"))));
    EXPECT_TRUE(run(client->remove(maps, "default", "a", "another uid"))) << "that one is gone";
    EXPECT_TRUE(run(client->get(maps, "default", "a")));
    EXPECT_TRUE(run(client->remove(maps, "default", "a", "")));
    const auto gone = run(client->get(maps, "default", "a"));
    ASSERT_FALSE(gone);
    EXPECT_EQ(gone.error().error_class, ErrorClass::not_found);
}

TEST_F(LocalClient, ErrorsSayWhatToDo) {
    const auto unserved = run(client->get(Kind{"nowhere.example.com", "v1", "Nothing", "nothings"}, "", "a"));
    ASSERT_FALSE(unserved);
    EXPECT_EQ(unserved.error().error_class, ErrorClass::transient) << "it may be served later";
    auto wrong = map("A_B");
    const auto invalid = run(client->create(maps, wrong));
    ASSERT_FALSE(invalid);
    EXPECT_EQ(invalid.error().error_class, ErrorClass::invalid);
    auto unknown = map("a");
    unknown.as_object()["bogus"] = 1;
    EXPECT_THAT(run(client->create(maps, unknown)).error().message, HasSubstr("unknown field \"bogus\""));
}

TEST_F(LocalClient, AListLongerThanAPageIsWhole) {
    for (int i = 0; i < 1203; ++i) ASSERT_TRUE(run(client->create(maps, map("m" + std::to_string(i)))));
    EXPECT_EQ(run(client->list(maps, ""))->items.size(), 1203u);
}

TEST_F(LocalClient, AWatchGoesOnFromAList) {
    ASSERT_TRUE(run(client->create(maps, map("a"))));
    const auto listed = run(client->list(maps, ""));
    auto watch = run(client->watch(maps, "", listed->resource_version));
    ASSERT_TRUE(watch);
    ASSERT_TRUE(run(client->create(maps, map("b"))));
    ASSERT_TRUE(run(client->merge_patch(maps, "default", "a", json_of("{'data':{'k':'9'}}"), "")));
    ASSERT_TRUE(run(client->remove(maps, "default", "b", "")));
    const auto events = run((*watch)->next(world.loop.clock().now() + 1s));
    ASSERT_TRUE(events);
    std::vector<std::string> seen;
    for (const auto& event : *events)
        seen.push_back(std::to_string(static_cast<int>(event.type)) + text(event.object, {"metadata", "name"}));
    EXPECT_THAT(seen, ElementsAre("0b", "1a", "2b"));
    const auto old = run(client->watch(maps, "", "1"));
    EXPECT_TRUE(old) << "the history is still there";
}

TEST_F(LocalClient, AForgottenHistoryIsAConflict) {
    test::World small({.history_changes_max = 3, .history_bytes_max = 1 << 20, .history_age_max = 1h});
    const auto other = make_local_client(small.registry(), small.loop.clock(), "ocim");
    for (int i = 0; i < 9; ++i) ASSERT_TRUE(small.loop.run(other->create(maps, map("m" + std::to_string(i)))));
    const auto old = small.loop.run(other->watch(maps, "", "1"));
    ASSERT_FALSE(old);
    EXPECT_EQ(old.error().error_class, ErrorClass::conflict);
}

}  // namespace
}  // namespace ocim::client
