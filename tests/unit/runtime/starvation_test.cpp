#include "driver_test.hpp"

namespace ocim::test {
namespace {

/// A shelf that takes one call at a time, and takes its time for each: two seconds to be looked at, one to act.
struct SlowKind : BookKind {
    static runtime::BackendSettings settings(const Shelf& shelf) {
        auto out = BookKind::settings(shelf);
        out.in_flight = 1;
        return out;
    }
    using System = runtime::System<Key, Thing, Action>;
    class SlowSystem final : public System {
    public:
        SlowSystem(std::unique_ptr<System> system, Clock& clock) : system_(std::move(system)), clock_(clock) {}
        awaitable<Result<Snapshot>> observe() override {
            co_await clock_.sleep(2s);
            co_return co_await system_->observe();
        }
        awaitable<void> act(std::vector<Action> actions, runtime::Results<Key, Thing>& results) override {
            co_await clock_.sleep(1s);
            co_await system_->act(std::move(actions), results);
        }
        awaitable<Result<void>> probe() override { co_return co_await system_->probe(); }

    private:
        std::unique_ptr<System> system_;
        Clock& clock_;
    };
    static runtime::Opener<SlowKind> opener(Shelves& shelves) {
        return
            [open = BookKind::opener(shelves)](const Shelf& shelf, const runtime::Inputs& inputs,
                                               const runtime::Services& services) -> Result<std::unique_ptr<System>> {
                auto system = open(shelf, inputs, services);
                if (!system) return std::move(system).error();
                std::unique_ptr<System> out = std::make_unique<SlowSystem>(*std::move(system), services.clock);
                return out;
            };
    }
};

class StarvationTest : public DriverTest {
protected:
    void start_slow() {
        client_ = server_.client();
        metrics_ = std::make_unique<Metrics>();
        manager_ = std::make_unique<runtime::Manager>(loop_.executor(), *client_, loop_.clock(), *random_, *metrics_,
                                                      blocking_, runtime::Manager::Settings());
        runtime::add_external<SlowKind>(*manager_, SlowKind::opener(shelves_));
        const auto started = loop_.run(manager_->start());
        ASSERT_TRUE(started) << started.error().message;
    }
};

TEST_F(StarvationTest, LooksThatFollowEachOtherLeaveRoomForActions) {
    shelf("{'driftIntervalSeconds':1}");  // the next look is due before one has ended
    start_slow();
    book("dune");
    wait(10s);
    EXPECT_EQ(text("dune"), "once");
    patch("dune", "{'spec':{'text':'twice'}}");
    wait(10s);
    EXPECT_EQ(text("dune"), "twice");
    EXPECT_EQ(stands("dune"), "True Shelved");
}

TEST_F(StarvationTest, ActionsThatFollowEachOtherLeaveRoomForLooks) {
    shelf("{'driftIntervalSeconds':1}");
    start_slow();
    wait(10s);
    const int looks = oak().calls["observe"], acts = oak().calls["act"];
    for (int number = 0; number < 240; ++number) {
        book("b" + std::to_string(number));  // there is always another one when an action has ended
        wait(250ms);
    }
    EXPECT_GE(oak().calls["observe"] - looks, 15) << "of 60 seconds";
    EXPECT_GE(oak().calls["act"] - acts, 15);
}

}  // namespace
}  // namespace ocim::test
