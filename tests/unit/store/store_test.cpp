#include "fixture.hpp"

#include "base/random.hpp"

#include <gmock/gmock.h>

namespace ocim::store {
namespace {

using namespace std::chrono_literals;
using testing::ElementsAre;

TEST_F(StoreTest, RevisionsAreGivenInCommitOrder) {
    EXPECT_EQ(*write(put("a", 0, "1")), 1u);
    EXPECT_EQ(*write(put("b", 0, "2")), 2u);
    EXPECT_EQ(*write(put("a", 1, "3")), 3u);
    EXPECT_EQ(*write(erase("b", 2)), 4u);
    EXPECT_EQ(store_->revision(), 4u);
    EXPECT_EQ(value("a"), "3");
    EXPECT_EQ(store_->get("a")->revision, 3u);
    EXPECT_FALSE(store_->get("b"));
    EXPECT_EQ(store_->size(), 1u);
}

TEST_F(StoreTest, ACompareAndSwapIsRefusedUnlessTheRevisionIsRight) {
    ASSERT_TRUE(write(put("a", 0, "1")));
    const struct {
        const char* reason;
        Write write;
    } cases[] = {
        {"it exists already", put("a", 0, "x")},     {"another revision", put("a", 7, "x")},
        {"it does not exist", put("b", 1, "x")},     {"erasing what is not there", erase("b", 0)},
        {"erasing another revision", erase("a", 2)},
    };
    for (const auto& c : cases) {
        const auto written = write(c.write);
        ASSERT_FALSE(written) << c.reason;
        EXPECT_EQ(written.error().error_class, ErrorClass::conflict) << c.reason;
    }
    EXPECT_EQ(store_->revision(), 1u);
    EXPECT_EQ(value("a"), "1");
}

TEST_F(StoreTest, ARestartFindsEverythingAgain) {
    ASSERT_TRUE(write(put("a", 0, "1")));
    ASSERT_TRUE(write(put("a", 1, "2")));
    ASSERT_TRUE(write(put("b", 0, "3")));
    ASSERT_TRUE(write(erase("b", 3)));
    restart();
    EXPECT_EQ(value("a"), "2");
    EXPECT_FALSE(store_->get("b"));
    EXPECT_EQ(store_->revision(), 4u);
    EXPECT_EQ(*write(put("b", 0, "4")), 5u) << "revisions go on where they were";
    auto watcher = *store_->watch("", 1);
    const auto changes = *watcher->take(10);
    ASSERT_EQ(changes.size(), 4u) << "the history is there after a restart";
    EXPECT_EQ(*changes[0]->previous, "1");
    EXPECT_EQ(changes[0]->previous_revision, 1u);
}

class HeldStoreTest : public StoreTest {
protected:
    HeldStoreTest() {
        held_ = std::make_unique<HeldJournal>(disk_);
        store_ = std::make_unique<Store>(loop_.executor(), *held_, loop_.clock(), metrics_);
        EXPECT_TRUE(loop_.run(store_->load()));
    }
    ~HeldStoreTest() override {
        held_->open = true;
        held_->let_pass();
        loop_.settle();
        store_.reset();
    }
    /// Starts a write that goes on by itself; its outcome is in `outcomes_` when it has one.
    std::size_t begin(Write write) {
        outcomes_.emplace_back();
        tasks_.spawn("write", run(outcomes_.size() - 1, std::move(write)));
        loop_.settle();
        return outcomes_.size() - 1;
    }
    awaitable<void> run(std::size_t at, Write write) {
        auto outcome = co_await store_->write(std::move(write));
        outcomes_[at].emplace(std::move(outcome));
    }
    std::unique_ptr<HeldJournal> held_;
    std::deque<std::optional<Result<Revision>>> outcomes_;
};

TEST_F(HeldStoreTest, ReadersSeeDurableWritesOnlyButTheNextWriteIsJudgedByAcceptedOnes) {
    const auto first = begin(put("a", 0, "1"));
    EXPECT_FALSE(store_->get("a"));
    EXPECT_EQ(store_->latest("a")->revision, 1u);
    EXPECT_TRUE(store_->pending("a"));
    const auto second = begin(put("a", 1, "2"));
    const auto third = begin(put("a", 1, "3"));
    EXPECT_FALSE(outcomes_[first] || outcomes_[second]);
    ASSERT_TRUE(outcomes_[third]) << "refused at once: the second was accepted before";
    EXPECT_EQ(outcomes_[third]->error().error_class, ErrorClass::conflict);
    auto watcher = *store_->watch("", 0);
    EXPECT_TRUE(watcher->take(9)->empty());

    held_->let_pass();
    loop_.settle();
    ASSERT_TRUE(outcomes_[first] && *outcomes_[first]);
    EXPECT_FALSE(outcomes_[second]);
    EXPECT_EQ(value("a"), "1");
    EXPECT_EQ(watcher->take(9)->size(), 1u);
    held_->let_pass();
    loop_.settle();
    ASSERT_TRUE(outcomes_[second] && *outcomes_[second]);
    EXPECT_EQ(value("a"), "2");
    EXPECT_FALSE(store_->pending("a"));
}

TEST_F(HeldStoreTest, WritesThatComeDuringACommitGoTogetherInTheNext) {
    begin(put("a", 0, "1"));
    for (int i = 0; i < 5; ++i) begin(put("b" + std::to_string(i), 0, "1"));
    EXPECT_THAT(held_->sizes, ElementsAre(1)) << "a commit starts at once";
    held_->let_pass();
    loop_.settle();
    EXPECT_THAT(held_->sizes, ElementsAre(1, 5));
}

TEST_F(HeldStoreTest, AFailedCommitFailsAllThatWasStackedOnIt) {
    const auto first = begin(put("a", 0, "1"));
    const auto second = begin(put("a", 1, "2"));
    const auto other = begin(put("b", 0, "3"));
    held_->let_fail();
    loop_.settle();
    for (const auto at : {first, second, other}) {
        ASSERT_TRUE(outcomes_[at]);
        EXPECT_EQ(outcomes_[at]->error().message, "the disk is full");
    }
    EXPECT_THAT(held_->sizes, ElementsAre(1)) << "the second batch was never tried";
    EXPECT_FALSE(store_->latest("a"));
    EXPECT_EQ(store_->revision(), 0u);
    const auto again = begin(put("a", 0, "4"));
    held_->let_pass();
    loop_.settle();
    ASSERT_TRUE(outcomes_[again] && *outcomes_[again]);
    EXPECT_EQ(**outcomes_[again], 1u) << "revisions have no gap: nobody saw the failed ones";
    EXPECT_EQ(value("a"), "4");
}

TEST_F(HeldStoreTest, SettledTellsHowTheLastAcceptedWriteOfAKeyEnded) {
    EXPECT_TRUE(loop_.run(store_->settled("a"))) << "nothing is pending";
    begin(put("a", 0, "1"));
    std::optional<Result<void>> settled;
    const auto wait = [](Store& store, std::optional<Result<void>>& out) -> awaitable<void> {
        auto result = co_await store.settled("a");
        out.emplace(std::move(result));
    };
    tasks_.spawn("wait", wait(*store_, settled));
    loop_.settle();
    EXPECT_FALSE(settled);
    held_->let_fail();
    loop_.settle();
    ASSERT_TRUE(settled);
    EXPECT_FALSE(*settled);
}

TEST_F(HeldStoreTest, TooManyWaitingWritesAreRefusedAndToldWhenToComeAgain) {
    for (std::size_t i = 0; i < limits::writes_waiting_max; ++i) {
        outcomes_.emplace_back();
        tasks_.spawn("write", run(i, put("k" + std::to_string(i), 0, "v")));
    }
    loop_.settle();
    const auto refused = begin(put("one more", 0, "v"));
    ASSERT_TRUE(outcomes_[refused]);
    EXPECT_EQ(outcomes_[refused]->error().error_class, ErrorClass::rate_limited);
    EXPECT_TRUE(outcomes_[refused]->error().retry_after);
    held_->open = true;
    held_->let_pass();
    loop_.settle();
    EXPECT_EQ(store_->size(), limits::writes_waiting_max);
    for (const auto size : held_->sizes) EXPECT_LE(size, limits::commit_changes_max);
}

TEST_F(HeldStoreTest, StopRefusesNewWritesAndWaitsForAcceptedOnes) {
    const auto accepted = begin(put("a", 0, "1"));
    bool stopped = false;
    const auto stop = [](Store& store, bool& done) -> awaitable<void> {
        co_await store.stop();
        done = true;
    };
    tasks_.spawn("stop", stop(*store_, stopped));
    loop_.settle();
    EXPECT_FALSE(stopped);
    const auto late = begin(put("b", 0, "1"));
    ASSERT_TRUE(outcomes_[late]);
    EXPECT_FALSE(*outcomes_[late]);
    held_->let_pass();
    loop_.settle();
    EXPECT_TRUE(stopped);
    EXPECT_TRUE(*outcomes_[accepted]);
}

TEST_F(StoreTest, AScanShowsOneRevisionHoweverMuchHasHappenedSince) {
    ASSERT_TRUE(write(put("k/a", 0, "a1")));
    ASSERT_TRUE(write(put("k/c", 0, "c1")));
    ASSERT_TRUE(write(put("other", 0, "x")));
    const auto then = store_->revision();
    ASSERT_TRUE(write(put("k/a", 1, "a2")));
    ASSERT_TRUE(write(put("k/b", 0, "b1")));
    ASSERT_TRUE(write(erase("k/c", 2)));
    ASSERT_TRUE(write(put("k/c", 0, "c2")));
    ASSERT_TRUE(write(erase("k/a", 4)));
    const auto scan = [&](std::string_view from, Revision at) {
        std::vector<std::string> out;
        const auto scanned = store_->scan("k/", from, at, [&](const std::string& key, const Item& item) {
            out.push_back(key + "=" + *item.value + "@" + std::to_string(item.revision));
            return true;
        });
        EXPECT_TRUE(scanned);
        return out;
    };
    EXPECT_THAT(scan("", 0), ElementsAre("k/b=b1@5", "k/c=c2@7"));
    EXPECT_THAT(scan("", then), ElementsAre("k/a=a1@1", "k/c=c1@2"));
    EXPECT_THAT(scan("", 5), ElementsAre("k/a=a2@4", "k/b=b1@5", "k/c=c1@2"));
    EXPECT_THAT(scan("", 6), ElementsAre("k/a=a2@4", "k/b=b1@5"));
    EXPECT_THAT(scan("k/b", 5), ElementsAre("k/b=b1@5", "k/c=c1@2"));
    EXPECT_FALSE(store_->scan("k/", "", 99, [](const auto&, const auto&) { return true; })) << "of the future";
}

TEST_F(StoreTest, AWatcherSeesEveryChangeBelowItsPrefixOnceAndInOrder) {
    ASSERT_TRUE(write(put("k/a", 0, "1")));
    auto watcher = *store_->watch("k/", store_->revision());
    ASSERT_TRUE(write(put("other", 0, "x")));
    ASSERT_TRUE(write(put("k/b", 0, "2")));
    ASSERT_TRUE(write(erase("k/a", 1)));
    const auto first = *watcher->take(1);
    ASSERT_EQ(first.size(), 1u);
    EXPECT_EQ(first[0]->key, "k/b");
    EXPECT_FALSE(first[0]->previous);
    EXPECT_EQ(watcher->seen(), 3u);
    const auto rest = *watcher->take(9);
    ASSERT_EQ(rest.size(), 1u);
    EXPECT_TRUE(rest[0]->deleted);
    EXPECT_EQ(*rest[0]->value, "last");
    EXPECT_EQ(*rest[0]->previous, "1");
    EXPECT_EQ(watcher->seen(), 4u);
    EXPECT_TRUE(watcher->take(9)->empty());
}

TEST_F(StoreTest, AWatcherIsWokenByItsOwnChangesOnly) {
    auto watcher = *store_->watch("k/", 0);
    const auto deadline = loop_.clock().now() + 10s;
    EXPECT_FALSE(loop_.run(watcher->wait(deadline))) << "nothing came";
    EXPECT_EQ(loop_.clock().now(), deadline);
    std::optional<bool> woken;
    const auto wait = [](Store::Watcher& w, Instant until, std::optional<bool>& out) -> awaitable<void> {
        const bool result = co_await w.wait(until);
        out = result;
    };
    tasks_.spawn("wait", wait(*watcher, deadline + 10s, woken));
    ASSERT_TRUE(write(put("other", 0, "x")));
    loop_.settle();
    EXPECT_FALSE(woken);
    ASSERT_TRUE(write(put("k/a", 0, "x")));
    loop_.settle();
    EXPECT_EQ(woken, true);
    EXPECT_TRUE(loop_.run(watcher->wait(deadline + 10s))) << "there is still something to take";
}

class SmallHistory : public StoreTest {
protected:
    SmallHistory() : StoreTest({.history_changes_max = 4, .history_bytes_max = 1 << 20, .history_age_max = 1min}) {}
};

TEST_F(SmallHistory, IsKeptByCount) {
    for (int i = 0; i < 10; ++i) ASSERT_TRUE(write(put("a", static_cast<Revision>(i), std::to_string(i))));
    EXPECT_EQ(store_->compacted(), 6u);
    EXPECT_FALSE(store_->watch("", 5));
    EXPECT_TRUE(store_->watch("", 6));
    EXPECT_FALSE(store_->scan("", "", 5, [](const auto&, const auto&) { return true; }));
    EXPECT_TRUE(store_->scan("", "", 6, [](const auto&, const auto&) { return true; }));
}

TEST_F(SmallHistory, IsKeptByAgeAndStaysForgottenAfterARestart) {
    ASSERT_TRUE(write(put("a", 0, "1")));
    ASSERT_TRUE(write(put("b", 0, "1")));
    loop_.advance(2min);
    ASSERT_TRUE(write(put("a", 1, "2")));
    EXPECT_EQ(store_->compacted(), 2u);
    ASSERT_TRUE(loop_.run(store_->compact()));
    restart();
    EXPECT_EQ(store_->compacted(), 2u);
    EXPECT_EQ(value("b"), "1") << "what is still current is not history";
    EXPECT_EQ(value("a"), "2");
    EXPECT_EQ(*write(put("c", 0, "1")), 4u);
}

TEST_F(SmallHistory, ARevisionIsNeverGivenTwiceThoughItsChangeIsForgotten) {
    ASSERT_TRUE(write(put("a", 0, "1")));
    ASSERT_TRUE(write(erase("a", 1)));
    loop_.advance(2min);
    ASSERT_TRUE(loop_.run(store_->compact()));
    restart();
    EXPECT_EQ(store_->revision(), 2u);
    EXPECT_EQ(*write(put("a", 0, "1")), 3u);
}

TEST_F(SmallHistory, ASlowWatcherIsCutAndAnIdleOneIsNot) {
    auto slow = *store_->watch("busy", 0);
    auto idle = *store_->watch("quiet", 0);
    for (int i = 0; i < 10; ++i) ASSERT_TRUE(write(put("busy", static_cast<Revision>(i), "x")));
    const auto cut = slow->take(100);
    ASSERT_FALSE(cut);
    EXPECT_EQ(cut.error().error_class, ErrorClass::conflict);
    EXPECT_TRUE(loop_.run(slow->wait(loop_.clock().now() + 1s))) << "it learns so at once";
    ASSERT_TRUE(write(put("quiet", 0, "x")));
    const auto changes = idle->take(100);
    ASSERT_TRUE(changes);
    EXPECT_EQ(changes->size(), 1u);
}

/// Random writes against a plain map; a watcher must have seen exactly what was acknowledged, restarts and
/// compactions in between change nothing.
TEST(StoreModel, TheWatchIsTheLogAndTheStateItsSum) {
    for (std::uint64_t seed = 1; seed <= 30; ++seed) {
        SCOPED_TRACE(seed);
        test::TestLoop loop;
        Metrics metrics;
        const auto random = make_seeded_random(seed);
        const auto disk = make_memory_disk();
        std::map<std::string, std::pair<Revision, std::string>> model;
        Revision last = 0;
        for (int life = 0; life < 4; ++life) {
            const auto journal = open_memory_journal(disk);
            Store store(loop.executor(), *journal, loop.clock(), metrics,
                        {.history_changes_max = 150, .history_bytes_max = 1 << 20, .history_age_max = 1h});
            ASSERT_TRUE(loop.run(store.load()));
            ASSERT_EQ(store.revision(), last);
            auto watcher = *store.watch("", last);
            std::vector<std::string> log, seen;
            for (int step = 0; step < 200; ++step) {
                const auto key = "k" + std::to_string(random->below(8));
                const auto known = model.find(key);
                auto change = put(key, known == model.end() ? 0 : known->second.first, std::to_string(step));
                change.erase = known != model.end() && random->below(3) == 0;
                const bool erases = change.erase;
                const auto written = loop.run(store.write(std::move(change)));
                ASSERT_TRUE(written);
                ASSERT_EQ(*written, ++last);
                log.push_back(std::to_string(last) + (erases ? "-" : "+") + key);
                if (erases)
                    model.erase(key);
                else
                    model[key] = {last, std::to_string(step)};
                if (random->below(5) == 0) {
                    const auto taken = watcher->take(1000);
                    ASSERT_TRUE(taken);
                    for (const auto& one : *taken)
                        seen.push_back(std::to_string(one->revision) + (one->deleted ? "-" : "+") + one->key);
                }
                if (random->below(40) == 0) ASSERT_TRUE(loop.run(store.compact()));
            }
            const auto taken = watcher->take(1000);
            ASSERT_TRUE(taken);
            for (const auto& one : *taken)
                seen.push_back(std::to_string(one->revision) + (one->deleted ? "-" : "+") + one->key);
            EXPECT_EQ(seen, log);
            std::map<std::string, std::pair<Revision, std::string>> state;
            ASSERT_TRUE(store.scan("", "", 0, [&](const std::string& key, const Item& item) {
                state[key] = {item.revision, *item.value};
                return true;
            }));
            EXPECT_EQ(state, model);
        }
    }
}

}  // namespace
}  // namespace ocim::store
