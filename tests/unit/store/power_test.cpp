#include "fixture.hpp"

#include "support/fault_disk.hpp"
#include "support/service.hpp"

#include <gtest/gtest.h>
#include <algorithm>
#include <cstdlib>
#include <map>
#include <random>

/// The power goes at any moment: what was acknowledged is there afterwards, what was not is there whole or not at all.
/// OCIM_SCALE=full: 1,000 cuts. OCIM_SEED repeats a run.
namespace ocim::store {
namespace {

using test::FaultDisk;
using State = std::map<std::string, std::string>;

std::uint64_t seed() {
    const auto* given = std::getenv("OCIM_SEED");
    return given ? std::strtoull(given, nullptr, 10) : 1;
}
int cuts() {
    const auto* scale = std::getenv("OCIM_SCALE");
    return scale && std::string_view(scale) == "full" ? 1000 : 150;
}

FaultDisk::Unsynced any_way(std::mt19937_64& chance) {
    using enum FaultDisk::Unsynced;
    constexpr FaultDisk::Unsynced all[] = {lost, prefix, scattered};
    return all[chance() % 3];
}

/// What a journal of these batches holds.
struct Expected {
    Revision revision = 0;
    Revision compacted = 0;
    State state;

    void add(const std::vector<Change>& batch) {
        for (const auto& change : batch) {
            revision = change.revision;
            if (change.deleted)
                state.erase(change.key);
            else
                state[change.key] = *change.value;
        }
    }
};

State state_of(const Journal::Loaded& loaded) {
    State out;
    for (const auto& [key, item] : loaded.state) out.emplace(key, *item.value);
    return out;
}

class PowerTest : public testing::Test {
protected:
    /// Null when the power went meanwhile.
    std::unique_ptr<Journal> open() {
        auto opened = open_sqlite_journal(loop_.executor(), folder_.file("ocim.db"));
        if (opened) return *std::move(opened);
        EXPECT_TRUE(disk_.is_off()) << opened.error().message;
        return nullptr;
    }
    std::vector<Change> any_batch(const Expected& now) {
        std::vector<Change> out(1 + chance_() % 20);
        auto state = now.state;
        auto revision = now.revision;
        for (auto& change : out) {
            change.revision = ++revision;
            change.key = "key-" + std::to_string(chance_() % 40);
            change.deleted = state.contains(change.key) && chance_() % 4 == 0;
            change.value = bytes(std::string(1 + chance_() % 6000, static_cast<char>('a' + chance_() % 26)));
            if (change.deleted)
                state.erase(change.key);
            else
                state[change.key] = *change.value;
        }
        return out;
    }
    /// Writes until the power goes.
    void write_until_dark(Journal& journal) {
        while (!disk_.is_off()) {
            if (chance_() % 10 == 0) {
                maybe_.compacted = certain_.compacted + chance_() % (certain_.revision - certain_.compacted + 1);
                if (loop_.run(journal.compact(maybe_.compacted))) certain_.compacted = maybe_.compacted;
                continue;
            }
            const auto batch = any_batch(certain_);
            maybe_ = certain_;
            maybe_.add(batch);
            const auto stored = loop_.run(journal.append(batch));
            ASSERT_TRUE(stored || disk_.is_off()) << stored.error().message;
            if (stored) certain_ = maybe_;
        }
    }
    void expect_what_was_acknowledged(const Journal::Loaded& loaded) {
        const bool all = loaded.revision == maybe_.revision;
        const auto& expected = all ? maybe_ : certain_;
        ASSERT_EQ(loaded.revision, expected.revision);
        ASSERT_TRUE(state_of(loaded) == expected.state) << "at revision " << loaded.revision;
        ASSERT_TRUE(loaded.compacted == certain_.compacted || loaded.compacted == maybe_.compacted) << loaded.compacted;
        auto next = loaded.compacted;
        for (const auto& change : loaded.history) ASSERT_EQ(change.revision, ++next) << "history has a gap";
        ASSERT_EQ(next, loaded.revision);
        const auto compacted = loaded.compacted;
        certain_ = expected;
        certain_.compacted = compacted;
        maybe_ = certain_;
    }

    std::mt19937_64 chance_{seed()};
    test::TestLoop loop_;
    test::TempDir folder_;
    FaultDisk disk_{seed()};
    Expected certain_, maybe_;
};

TEST_F(PowerTest, NothingAcknowledgedIsLostAndNothingIsHalfThere) {
    for (int cut = 0; cut < cuts(); ++cut) {
        SCOPED_TRACE("cut " + std::to_string(cut) + ", seed " + std::to_string(seed()));
        // now and then so early that the recovery from the last cut is itself cut
        disk_.cut_after(1 + chance_() % (cut % 3 == 0 ? 8 : 150));
        if (auto journal = open()) {
            const auto loaded = loop_.run(journal->load());
            if (loaded) expect_what_was_acknowledged(*loaded);
            if (HasFatalFailure()) return;
            if (loaded) write_until_dark(*journal);
            if (HasFatalFailure()) return;
        }
        disk_.power_on(any_way(chance_));
    }
    const auto journal = open();
    const auto loaded = loop_.run(journal->load());
    ASSERT_TRUE(loaded);
    expect_what_was_acknowledged(*loaded);
    EXPECT_GT(loaded->revision, static_cast<Revision>(cuts())) << "the test wrote something";
}

/// An orderly end moves the log into the file; the power may go then too.
TEST_F(PowerTest, AnOrderlyEndThatIsCutLosesNothing) {
    for (int cut = 0; cut < cuts() / 3; ++cut) {
        SCOPED_TRACE("cut " + std::to_string(cut) + ", seed " + std::to_string(seed()));
        {
            const auto journal = open();
            ASSERT_TRUE(journal);
            const auto loaded = loop_.run(journal->load());
            ASSERT_TRUE(loaded);
            expect_what_was_acknowledged(*loaded);
            if (HasFatalFailure()) return;
            for (auto i = chance_() % 5; i > 0; --i) {
                const auto batch = any_batch(certain_);
                ASSERT_TRUE(loop_.run(journal->append(batch)));
                certain_.add(batch);
            }
            maybe_ = certain_;
            disk_.cut_after(1 + chance_() % 20);
        }
        disk_.power_on(any_way(chance_));
    }
}

/// The whole store, with writers at the same time: each knows what it was told.
class WritersTest : public testing::Test {
protected:
    struct Known {
        std::string value;               ///< acknowledged; empty: none
        std::vector<std::string> maybe;  ///< written since, without an answer that it is stored
    };

    awaitable<void> write_until_dark(Store& store, std::string prefix) {
        while (!disk_.is_off()) {
            const auto key = prefix + std::to_string(chance_() % 4);
            const auto value = key + "=" + std::to_string(++count_) + std::string(chance_() % 3000, '.');
            const auto latest = store.latest(key);
            auto next = put(key, latest ? latest->revision : 0, value);
            auto& known = known_[key];
            known.maybe.push_back(value);
            const auto stored = co_await store.write(std::move(next));
            if (!stored) continue;
            EXPECT_GT(*stored, last_revision_of_[key]) << "revisions grow";
            last_revision_of_[key] = *stored;
            acknowledged_ = std::max(acknowledged_, *stored);
            known.value = value;
            known.maybe.clear();
        }
    }
    void check(const Store& store) {
        EXPECT_GE(store.revision(), acknowledged_);
        for (auto& [key, known] : known_) {
            const auto item = store.get(key);
            const auto value = item ? *item->value : "";
            const bool expected = value == known.value || std::ranges::find(known.maybe, value) != known.maybe.end();
            EXPECT_TRUE(expected) << key << " is " << value.substr(0, 40) << ", acknowledged was "
                                  << known.value.substr(0, 40);
            if (item) last_revision_of_[key] = item->revision;
            known = {value, {}};
        }
    }

    std::mt19937_64 chance_{seed()};
    test::TempDir folder_;
    FaultDisk disk_{seed()};
    std::map<std::string, Known> known_;
    std::map<std::string, Revision> last_revision_of_;
    Revision acknowledged_ = 0;
    int count_ = 0;
};

TEST_F(WritersTest, KeepWhatTheyWereToldThroughPowerCuts) {
    for (int cut = 0; cut < cuts() / 3 && !HasFailure(); ++cut) {
        SCOPED_TRACE("cut " + std::to_string(cut) + ", seed " + std::to_string(seed()));
        {
            test::TestLoop loop;
            Metrics metrics;
            auto journal = open_sqlite_journal(loop.executor(), folder_.file("ocim.db"));
            ASSERT_TRUE(journal);
            Store store(loop.executor(), **journal, loop.clock(), metrics);
            const auto loaded = loop.run(store.load());
            ASSERT_TRUE(loaded);
            check(store);
            disk_.cut_after(1 + chance_() % 120);
            TaskGroup writers(loop.executor());
            for (int i = 0; i < 8; ++i)
                writers.spawn("writer", write_until_dark(store, "writer-" + std::to_string(i) + "-"));
            loop.run(writers.join());
            loop.run(store.stop());
        }
        disk_.power_on(any_way(chance_));
    }
    EXPECT_GT(acknowledged_, static_cast<Revision>(cuts() / 3)) << "the test wrote something";
}

}  // namespace
}  // namespace ocim::store
