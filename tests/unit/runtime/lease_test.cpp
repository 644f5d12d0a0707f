#include "runtime/lease.hpp"

#include "support/memory_client.hpp"
#include "support/test_loop.hpp"

#include <gtest/gtest.h>
#include <optional>

/// Who of two processes leads, whatever their server does.
namespace ocim::runtime {
namespace {

using namespace std::chrono_literals;

/// One process: its lease, and what it learnt.
class Process {
public:
    Process(test::TestLoop& loop, test::MemoryServer& server, std::string name)
        : client_(server.client()),
          lease(*client_, loop.clock(),
                {.identity = std::move(name),
                 .held = [this](Instant end) { ends.push_back(end); },
                 .tells = [this] { return tells; }}),
          tasks_(loop.executor()),
          loop_(loop) {
        tasks_.spawn("lease", hold());
    }
    /// Without a word, as by kill -9.
    void die() {
        loop_.run(tasks_.stop());
        dead = true;
    }
    void end() {
        loop_.run(tasks_.stop());
        loop_.run(lease.release());
    }
    bool acts() const { return !dead && lease.may_act(); }

private:
    std::unique_ptr<client::Client> client_;

public:
    Lease lease;
    std::vector<std::string> told;
    std::vector<Instant> ends;
    std::map<std::string, std::string> tells;
    std::optional<std::string> lost;
    bool dead = false;

private:
    awaitable<void> hold() {
        std::function<void(const std::string&)> tell = [this](const std::string& holder) { told.push_back(holder); };
        co_await lease.acquire(std::move(tell));
        lost = co_await lease.keep();
    }
    TaskGroup tasks_;
    test::TestLoop& loop_;
};

class LeaseTest : public testing::Test {
protected:
    /// Never more than one, looked at every 50 ms.
    void advance(Duration time, std::initializer_list<Process*> processes) {
        for (Duration passed{0}; passed < time; passed += 50ms) {
            loop_.advance(50ms);
            int acting = 0;
            for (const auto* process : processes) acting += process->acts() ? 1 : 0;
            ASSERT_LE(acting, 1) << "two lead after " << passed.count() << " ms";
        }
    }
    void refuse(Error error) {
        server_.refuse = [error](const std::string&, const api::Json&) -> std::optional<Error> { return error; };
    }
    std::string holder() const {
        const auto* lease = server_.get("Lease", "ocim-system", "ocim-controller");
        return lease ? std::string(api::find_text(*lease, {"spec", "holderIdentity"})) : "none";
    }

    test::TestLoop loop_;
    test::MemoryServer server_{loop_.clock()};
};

TEST_F(LeaseTest, TellsOfItselfAndNotOfItsForerunner) {
    const std::string door(std::string(Lease::told_prefix) + "door"), more(std::string(Lease::told_prefix) + "more");
    const auto told = [&](const std::string& key) {
        const auto* lease = server_.get("Lease", "ocim-system", "ocim-controller");
        return lease ? std::string(api::find_text(*lease, {"metadata", "annotations", key})) : "none";
    };
    Process one(loop_, server_, "one");
    one.tells = {{door, "there"}, {more, "x"}};
    advance(3s, {&one});
    EXPECT_EQ(told(door), "there");
    auto lease = *server_.get("Lease", "ocim-system", "ocim-controller");
    api::make_object(lease, {"metadata", "annotations"})["people"] = "theirs";
    const auto client = server_.client();
    ASSERT_TRUE(loop_.run(client->update(api::lease_kind, lease)));
    one.die();
    Process two(loop_, server_, "two");
    two.tells = {{door, "here"}};
    advance(30s, {&one, &two});
    ASSERT_EQ(holder(), "two");
    EXPECT_EQ(told(door), "here");
    EXPECT_EQ(told(more), "") << "the one before said so";
    EXPECT_EQ(told("people"), "theirs");
    two.die();
}

TEST_F(LeaseTest, TheFirstLeadsAndTheSecondWaits) {
    Process first(loop_, server_, "first");
    advance(3s, {&first});
    EXPECT_TRUE(first.acts());
    Process second(loop_, server_, "second");
    advance(2min, {&first, &second});
    EXPECT_TRUE(first.acts());
    EXPECT_FALSE(second.acts());
    EXPECT_EQ(second.told, std::vector<std::string>{"first"}) << "it says once who leads";
    first.die();
    second.die();
}

TEST_F(LeaseTest, AnotherTakesItWhenItsHolderDied) {
    Process first(loop_, server_, "first"), second(loop_, server_, "second");
    advance(5s, {&first, &second});
    ASSERT_TRUE(first.acts());
    first.die();
    advance(14s, {&first, &second});
    EXPECT_FALSE(second.acts()) << "the dead one may only be slow";
    advance(4s, {&first, &second});
    EXPECT_TRUE(second.acts());
    EXPECT_EQ(holder(), "second");
    const auto* lease = server_.get("Lease", "ocim-system", "ocim-controller");
    EXPECT_EQ(lease->at("spec").at("leaseTransitions").as_int64(), 1);
    second.die();
}

TEST_F(LeaseTest, WhoCannotRenewItStopsBeforeAnotherMayTakeIt) {
    Process first(loop_, server_, "first");
    advance(3s, {&first});
    ASSERT_TRUE(first.acts());
    refuse({ErrorClass::unreachable, "no connection"});
    advance(7s, {&first});
    EXPECT_TRUE(first.acts()) << "a server may be away for a while";
    advance(3s, {&first});
    EXPECT_FALSE(first.acts());
    ASSERT_TRUE(first.lost);
    EXPECT_EQ(*first.lost, "no connection");
    first.die();
}

TEST_F(LeaseTest, WhoComesBackFromAStandstillDoesNotAct) {
    Process first(loop_, server_, "first");
    advance(3s, {&first});
    // others see that nobody renews it, and take it
    server_.merge("Lease", "ocim-system", "ocim-controller", R"({"spec":{"holderIdentity":"second"}})");
    advance(3s, {&first});
    EXPECT_FALSE(first.acts());
    ASSERT_TRUE(first.lost);
    EXPECT_EQ(*first.lost, "it was taken by second");
    first.die();
    EXPECT_EQ(holder(), "second") << "and it is not given up in another's name";
}

TEST_F(LeaseTest, WhoEndsInOrderLetsAnotherLeadAtOnce) {
    Process first(loop_, server_, "first"), second(loop_, server_, "second");
    advance(5s, {&first, &second});
    ASSERT_TRUE(first.acts());
    first.end();
    EXPECT_FALSE(first.acts());
    EXPECT_EQ(holder(), "");
    advance(3s, {&first, &second});
    EXPECT_TRUE(second.acts());
    second.die();
}

TEST_F(LeaseTest, ARenewalWhoseAnswerIsLostDoesNotLoseIt) {
    Process first(loop_, server_, "first");
    advance(3s, {&first});
    int writes = 0;
    server_.refuse = [&](const std::string&, const api::Json&) -> std::optional<Error> {
        return ++writes % 2 ? std::optional(Error{ErrorClass::conflict, "the object has been modified"}) : std::nullopt;
    };
    advance(1min, {&first});
    EXPECT_TRUE(first.acts());
    EXPECT_FALSE(first.lost);
    first.die();
}

TEST_F(LeaseTest, SaysWhenTheRightToActEndsUnlessItIsRenewed) {
    Process one(loop_, server_, "one");
    advance(5s, {&one});
    ASSERT_GE(one.ends.size(), 2U);
    for (std::size_t i = 1; i < one.ends.size(); ++i) EXPECT_GT(one.ends[i], one.ends[i - 1]);
    const auto last = one.ends.back();
    refuse({ErrorClass::unreachable, "nobody there"});
    while (one.acts()) loop_.advance(1ms);
    EXPECT_EQ(loop_.clock().now(), last) << "not a moment later";
    server_.refuse = nullptr;
    Process two(loop_, server_, "two");
    advance(20s, {&one, &two});
    ASSERT_TRUE(two.acts());
    two.end();
    EXPECT_EQ(two.ends.back(), Instant::max()) << "given up: it may end in its own time";
}

}  // namespace
}  // namespace ocim::runtime
