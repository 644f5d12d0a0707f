#include "registry/quota.hpp"

#include "support/world.hpp"

#include <gtest/gtest.h>

namespace ocim::registry {
namespace {

TEST(Quota, ReadsWholeQuantities) {
    const struct {
        const char* text;
        std::optional<std::int64_t> number;
    } cases[] = {{"0", 0},
                 {"10", 10},
                 {"2k", 2000},
                 {"1Ki", 1024},
                 {"3M", 3'000'000},
                 {"", {}},
                 {"1.5", {}},
                 {"x", {}},
                 {"1m", {}},
                 {"10 ", {}},
                 {"1Q", {}},
                 {"9999999999999999999", {}},
                 {"9223372036854775807k", {}}};
    for (const auto& c : cases) EXPECT_EQ(whole_quantity(c.text), c.number) << c.text;
}

TEST(Quota, KnowsHowKindsAreCalled) {
    using Names = std::vector<std::string>;
    EXPECT_EQ(quota_names("", "secrets"), (Names{"count/secrets", "secrets"}));
    EXPECT_EQ(quota_names("", "serviceaccounts"), (Names{"count/serviceaccounts"}));
    EXPECT_EQ(quota_names("x.org", "widgets"), (Names{"count/widgets.x.org"}));
    EXPECT_EQ(counted_by("count/widgets.x.org"), std::pair(std::string("x.org"), std::string("widgets")));
    EXPECT_EQ(counted_by("secrets"), std::pair(std::string(), std::string("secrets")));
    EXPECT_FALSE(counted_by("cpu"));
}

/// A disk that takes its time, so that writes are accepted while others are not durable yet.
class SlowJournal final : public store::Journal {
public:
    SlowJournal(Clock& clock, std::unique_ptr<store::Journal> journal) : clock_(clock), journal_(std::move(journal)) {}
    awaitable<Result<Loaded>> load() override { co_return co_await journal_->load(); }
    awaitable<Result<void>> append(std::vector<store::Change> batch) override {
        co_await clock_.sleep(Duration(10));
        co_return co_await journal_->append(std::move(batch));
    }
    awaitable<Result<void>> compact(store::Revision revision) override {
        co_return co_await journal_->compact(revision);
    }

private:
    Clock& clock_;
    std::unique_ptr<store::Journal> journal_;
};

TEST(Quota, HoldsWhenManyCreateAtOnce) {
    const auto disk = store::make_memory_disk();
    test::World world({}, [&](test::TestLoop& loop) {
        return std::make_unique<SlowJournal>(loop.clock(), store::open_memory_journal(disk));
    });
    auto& registry = world.registry();
    TaskGroup tasks(world.loop.executor());
    int made = 0, refused = 0;
    std::string why;
    auto create = [&](const char* plural, std::string object) -> awaitable<void> {
        const auto* resource = registry.resource("", "v1", plural);
        api::Parsed body{test::json_of(std::move(object)), {}};
        auto done = co_await registry.create(*resource, "default", "", std::move(body), WriteOptions());
        ++(done ? made : refused);
        if (!done) why = done.error().message;
    };
    world.loop.run(
        create("resourcequotas", "{'metadata':{'name':'q'},'spec':{'hard':{'secrets':'3','configmaps':'9'}}}"));
    ASSERT_EQ(std::exchange(made, 0), 1);
    // all of them are accepted or refused before the first is durable
    for (int i = 0; i < 10; ++i)
        tasks.spawn("create", create("secrets", "{'metadata':{'name':'s" + std::to_string(i) + "'}}"));
    world.loop.run(tasks.join());
    EXPECT_EQ(made, 3);
    EXPECT_EQ(refused, 7);
    EXPECT_TRUE(
        why.ends_with("is forbidden: exceeded quota: q, requested: secrets=1, used: secrets=3, limited: secrets=3"))
        << why;

    made = 0;
    world.loop.run(create("configmaps", "{'metadata':{'name':'c'}}"));
    EXPECT_EQ(made, 1) << "another kind has its own";
    const auto* secrets = registry.resource("", "v1", "secrets");
    auto removed = world.loop.run(registry.remove(*secrets, "default", "s0", {}));
    ASSERT_TRUE(removed);
    world.loop.run(create("secrets", "{'metadata':{'name':'again'}}"));
    EXPECT_EQ(made, 2) << "there is room again";
}

}  // namespace
}  // namespace ocim::registry
