#include "replicas.hpp"

#include "store/file_lock.hpp"
#include "store/transfer.hpp"

#include <gmock/gmock.h>
#include <filesystem>
#include <fstream>

namespace ocim::store {
namespace {

using testing::HasSubstr;

class TransferTest : public PostgresTest {
protected:
    Place file(const std::string& name) const { return {directory_.file(name), {}}; }
    Place database() const { return {"", settings()}; }
    /// Every sort of write, and what is left.
    void write_some(Store& store) {
        ASSERT_TRUE(loop_.run(store.write(put("core/configmaps/a", 0, "1"))));
        ASSERT_TRUE(loop_.run(store.write(put("core/secrets/s", 0, "hidden word"))));
        ASSERT_TRUE(loop_.run(store.write(put("core/configmaps/b", 0, std::string("\0\xff'\"", 4)))));
        ASSERT_TRUE(loop_.run(store.write(put("core/configmaps/a", 1, "4"))));
        ASSERT_TRUE(loop_.run(store.write(erase("core/configmaps/b", 3))));
        for (int i = 0; i < 1'200; ++i) ASSERT_TRUE(loop_.run(store.write(put("many/" + std::to_string(i), 0, "x"))));
    }
    static std::vector<std::string> shown(const Snapshot& all) {
        std::vector<std::string> out{std::to_string(all.revision)};
        for (const auto& [key, item] : all.state)
            out.push_back(key + "=" + *item.value + "@" + std::to_string(item.revision));
        return out;
    }
    static void write_left_over(const std::string& path) { std::ofstream(path) << "of another one"; }
    test::TempDir directory_;
};

TEST_F(TransferTest, EverythingGoesFromAFileToADatabaseAndBackAsItIs) {
    {
        Metrics metrics;
        const auto journal = *open_sealed_journal(loop_.executor(), file("one.db").file, *ring_);
        Store store(loop_.executor(), *journal, loop_.clock(), metrics);
        ASSERT_TRUE(loop_.run(store.load()));
        write_some(store);
        EXPECT_FALSE(Claim::make(file("one.db"))) << "a server uses it";
        const auto running = read_snapshot(file("one.db"), *ring_);
        ASSERT_TRUE(running) << running.error().message;
        EXPECT_EQ(running->revision, 1'205u);
        loop_.run(store.stop());
    }
    const auto all = *read_snapshot(file("one.db"), *ring_);
    EXPECT_THAT(shown(all), testing::Contains("core/configmaps/a=4@4"));
    EXPECT_EQ(all.state.size(), 1'202u);
    const auto there = fill(database(), *ring_, all);
    ASSERT_TRUE(there) << there.error().message;
    EXPECT_EQ(sql("SELECT count(*) FROM ocim_change WHERE position('hidden word'::bytea IN value) > 0"), "0\n");
    EXPECT_EQ(sql("SELECT count(seal) FROM ocim_meta"), "1\n") << "who has other keys does not start on it";
    auto& replica = start();
    EXPECT_EQ(replica.store->revision(), 1'205u);
    EXPECT_EQ(value(replica, "core/secrets/s"), "hidden word");
    EXPECT_EQ(*write(replica, put("core/configmaps/c", 0, "new")), 1'206u) << "revisions go on where they were";
    const auto changed = *read_snapshot(database(), *ring_);
    const auto back = fill(file("two.db"), *ring_, changed);
    ASSERT_TRUE(back) << back.error().message;
    EXPECT_EQ(shown(*read_snapshot(file("two.db"), *ring_)), shown(changed));
    EXPECT_FALSE(std::filesystem::exists(file("two.db.new").file)) << "nothing is left beside it";
}

TEST_F(TransferTest, NothingIsWrittenOverAndAServerIsNotWrittenUnder) {
    Snapshot all{7, {{"a", {5, bytes("x"), 1}}}};
    ASSERT_TRUE(fill(file("one.db"), *ring_, all));
    ASSERT_TRUE(fill(database(), *ring_, all));
    for (const auto& place : {file("one.db"), database()}) {
        const auto again = fill(place, *ring_, all);
        ASSERT_FALSE(again);
        EXPECT_EQ(again.error().error_class, ErrorClass::conflict);
    }
    EXPECT_FALSE(Claim::make(file("absent.db")));
    EXPECT_FALSE(std::filesystem::exists(file("absent.db").file)) << "looking makes nothing";
}

TEST_F(TransferTest, ServersAreKeptAwayAsLongAsSomethingIsCarried) {
    auto& replica = start();
    ASSERT_TRUE(write(replica, put("a", 0, "1")));
    const auto refused = Claim::make(database());
    ASSERT_FALSE(refused) << "one that does not lead is one too";
    EXPECT_EQ(refused.error().error_class, ErrorClass::conflict);
    EXPECT_THAT(refused.error().message, HasSubstr("127.0.0.1"));
    EXPECT_TRUE(read_snapshot(database(), *ring_)) << "a backup may be made";
    loop_.run(replica.store->stop());
    replicas_.clear();
    std::optional<Claim> claim;
    ASSERT_TRUE(run_until([&] {
        auto made = Claim::make(database());
        if (made) claim.emplace(*std::move(made));
        return claim.has_value();
    })) << "it has ended";
    Metrics metrics;
    const auto starting = open_postgres_journal(loop_.executor(), metrics, *ring_, {settings(), "starting"});
    const auto loaded = loop_.run(starting->load());
    ASSERT_FALSE(loaded);
    EXPECT_THAT(loaded.error().message, HasSubstr("ocim migrate"));
    EXPECT_TRUE(claim->confirm());
    server_->service().stop();
    server_->restart();
    const auto lost = claim->confirm();
    ASSERT_FALSE(lost) << "nobody knows what happened meanwhile";
    EXPECT_EQ(lost.error().error_class, ErrorClass::conflict);
    claim.reset();
    EXPECT_TRUE(loop_.run(starting->load()));
}

TEST_F(TransferTest, WhoCanStillWriteKeepsMigrateAwayWhateverBecameOfHisOtherConnections) {
    auto& replica = start();
    ASSERT_TRUE(write(replica, put("a", 0, "1")));
    const auto sessions = "FROM pg_stat_activity WHERE datname = '" + database_ + "' AND usename = 'ocim'";
    const auto readers = sessions + " AND query LIKE 'SELECT seal %'";
    ASSERT_EQ(sql("SELECT count(*) " + readers), "1\n");
    sql("SELECT pg_terminate_backend(pid) " + readers);
    ASSERT_TRUE(run_until([&] { return sql("SELECT count(*) " + readers) == "0\n"; }));
    {
        const auto claim = Claim::make(database());
        const auto written = write(replica, put("b", 0, "2"));
        EXPECT_FALSE(claim && written) << "it would be missing in the copy";
        EXPECT_TRUE(written) << "who was there first goes on";
    }
    sql("SELECT pg_terminate_backend(pid) " + sessions);
    ASSERT_TRUE(run_until([&] { return sql("SELECT count(*) " + sessions) == "0\n"; }));
    {
        const auto claim = Claim::make(database());
        ASSERT_TRUE(claim) << claim.error().message;
        const auto written = write(replica, put("c", 0, "3"));
        ASSERT_FALSE(written);
        EXPECT_EQ(written.error().error_class, ErrorClass::unreachable);
        EXPECT_THAT(written.error().message, HasSubstr("ocim migrate"));
        EXPECT_FALSE(loop_.run(replica.journal->compact(1))) << "nor is anything else changed";
    }
    ASSERT_TRUE(run_until([&] { return static_cast<bool>(write(replica, put("c", 0, "3"))); }));
    EXPECT_EQ(read_snapshot(database(), *ring_)->state.size(), 3u);
}

TEST_F(TransferTest, WhatReadsOtherwiseThanItWasWrittenIsNotPassedOffAsGood) {
    const Snapshot all{7, {{"a", {5, bytes("x"), 1}}, {"b", {6, bytes("y"), 2}}}};
    const struct {
        const char *reason, *change;
    } cases[] = {
        {"another value", "NEW.value := 'z'::bytea; RETURN NEW;"},
        {"another key", "NEW.key := NEW.key || 'a'; RETURN NEW;"},
        {"another revision", "NEW.revision := NEW.revision - 1; RETURN NEW;"},
        {"another time", "NEW.time_ms := NEW.time_ms + 1; RETURN NEW;"},
        {"one is missing", "IF NEW.key = 'b' THEN RETURN NULL; END IF; RETURN NEW;"},
    };
    for (const auto& c : cases) {
        sql("DROP TABLE IF EXISTS ocim_meta, ocim_change, ocim_lease");
        loop_.run(start().store->stop());
        replicas_.clear();
        sql(std::string("CREATE OR REPLACE FUNCTION spoil() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN ") + c.change +
            " END $$; CREATE TRIGGER spoil BEFORE INSERT ON ocim_change FOR EACH ROW EXECUTE FUNCTION spoil()");
        const auto filled = fill(database(), *ring_, all);
        ASSERT_FALSE(filled) << c.reason;
        EXPECT_THAT(filled.error().message, HasSubstr("reads otherwise: do not use it")) << c.reason;
        EXPECT_NE(sql("SELECT count(*) FROM ocim_change"), "0\n") << "it was noticed by reading: " << c.reason;
    }
}

TEST_F(TransferTest, ALogThatIsLeftOfAnotherDatabaseIsNotPlayedIntoAFile) {
    const Snapshot all{7, {{"a", {5, bytes("x"), 1}}}};
    const auto place = file("one.db");
    for (const auto* ending : {"-wal", "-shm", "-journal"}) {
        write_left_over(place.file + ending);
        const auto filled = fill(place, *ring_, all);
        ASSERT_FALSE(filled) << ending;
        EXPECT_EQ(filled.error().error_class, ErrorClass::conflict);
        EXPECT_THAT(filled.error().message, testing::AllOf(HasSubstr(place.file + ending), HasSubstr("move it")));
        EXPECT_FALSE(std::filesystem::exists(place.file));
        std::filesystem::remove(place.file + ending);
    }
    {
        const auto server = FileLock::take(place.file + ".lock");
        ASSERT_TRUE(server);
        const auto filled = fill(place, *ring_, all);
        ASSERT_FALSE(filled) << "a server begins there";
        EXPECT_EQ(filled.error().error_class, ErrorClass::conflict);
    }
    const auto filled = fill(place, *ring_, all);
    ASSERT_TRUE(filled) << filled.error().message;
    for (const auto* ending : {"-wal", "-shm", "-journal"}) EXPECT_FALSE(std::filesystem::exists(place.file + ending));
    EXPECT_EQ(shown(*read_snapshot(place, *ring_)), shown(all));
}

TEST_F(TransferTest, WithoutTheKeysNothingIsCarriedAnywhere) {
    const Snapshot all{7, {{"core/secrets/s", {5, bytes("x"), 1}}}};
    ASSERT_TRUE(fill(file("one.db"), *ring_, all));
    const auto other = *KeyRing::make();
    const auto read = read_snapshot(file("one.db"), other);
    ASSERT_FALSE(read);
    EXPECT_EQ(read.error().error_class, ErrorClass::invalid);
}

}  // namespace
}  // namespace ocim::store
