#include "replicas.hpp"

#include "support/cut.hpp"

#include <gmock/gmock.h>

/// PostgreSQL and the way to it in trouble: nothing that was acknowledged is lost, and nothing is there twice.
namespace ocim::store {
namespace {

using namespace std::chrono_literals;
using testing::HasSubstr;

class TroubleTest : public PostgresTest {};

std::string counted(const std::string& text, const std::string& series) {
    const auto at = text.find(series + " ");
    return at == std::string::npos
               ? "?"
               : text.substr(at + series.size() + 1, text.find('\n', at + 1) - at - series.size() - 1);
}

TEST_F(TroubleTest, ALostAnswerIsFoundOutWhereverTheConnectionBreaks) {
    (void)start();
    int stored = 0;
    for (int lost = 1;; ++lost) {
        SCOPED_TRACE("answer " + std::to_string(lost) + " is lost");
        auto& replica = start();
        const auto key = "k" + std::to_string(lost);
        test::Cut cut(server_->port(), lost);
        Metrics metrics;
        const auto journal = open_postgres_journal(loop_.executor(), metrics, *ring_,
                                                   {settings(cut.port()), "cut" + std::to_string(lost)});
        Store store(loop_.executor(), *journal, loop_.clock(), metrics);
        const auto loaded = loop_.run(store.load());
        if (!loaded) continue;  // it was broken before: whoever starts it starts it again
        auto written = loop_.run(store.write(put(key, 0, "x")));
        if (!written) {
            EXPECT_FALSE(written.error().outcome_unknown) << "it broke before the turn was ours";
            EXPECT_EQ(sql("SELECT count(*) FROM ocim_change WHERE key = '" + key + "'"), "0\n");
            written = loop_.run(store.write(put(key, 0, "x")));
        }
        EXPECT_TRUE(written) << written.error().message;
        EXPECT_FALSE(loop_.run(store.write(put(key, 0, "doubled"))));
        catch_up(replica);
        EXPECT_EQ(value(replica, key), "x");
        EXPECT_EQ(sql("SELECT count(*) FROM ocim_change WHERE key = '" + key + "'"), "1\n");
        stored += std::stoi(counted(metrics.text(), R"(ocim_store_commits_in_doubt_total{found="stored"})"));
        loop_.run(store.stop());
        if (!cut.happened()) break;
        ASSERT_LT(lost, 100);
    }
    EXPECT_GT(stored, 0) << "one of them was that to a commit";
    const auto revisions = sql("SELECT max(revision) - count(*) FROM ocim_change");
    EXPECT_EQ(revisions, "0\n") << "without a gap";
}

TEST_F(TroubleTest, AWriteWhoseCommitIsLostWithTheServerIsNotStoredTwice) {
    auto& replica = start();
    for (Revision i = 0; i < 5; ++i) {
        // the server ends while the turn is ours
        const auto news = loop_.run(replica.journal->shared()->begin(i));
        ASSERT_TRUE(news) << news.error().message;
        i % 2 == 0 ? server_->service().kill() : server_->service().stop();
        Change change;
        change.revision = i + 1;
        change.key = "k" + std::to_string(i);
        change.value = bytes("x");
        const auto ended = begin(replica.journal->append({change}));
        (void)run_until([&] { return false; }, 50ms);
        server_->restart();
        ASSERT_TRUE(run_until([&] { return ended->has_value(); }));
        EXPECT_TRUE(**ended) << (*ended)->error().message;
        EXPECT_EQ(sql("SELECT count(*), max(revision) FROM ocim_change"),
                  std::to_string(i + 1) + "\t" + std::to_string(i + 1) + "\n");
    }
}

TEST_F(TroubleTest, WritesAndReadsAreRefusedWhileItIsDownAndGoOnByThemselves) {
    auto& one = start();
    auto& two = start();
    tasks_.spawn("follow", two.store->follow());
    ASSERT_TRUE(write(one, put("a", 0, "1")));
    server_->service().stop();
    const auto refused = write(one, put("a", 1, "2"));
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().error_class, ErrorClass::unreachable);
    EXPECT_FALSE(refused.error().outcome_unknown) << "it had not begun";
    EXPECT_FALSE(loop_.run(two.store->catch_up())) << "nobody knows what is current";
    server_->restart();
    EXPECT_EQ(*write(one, put("a", 1, "2")), 2u);
    ASSERT_TRUE(run_until([&] { return two.store->revision() == 2; })) << "followers come back by themselves";
    catch_up(two);
    EXPECT_EQ(value(two, "a"), "2");
}

TEST_F(TroubleTest, ASerializationFailureIsTriedAgainAndStoredOnce) {
    auto& replica = start();
    // a sequence is not taken back with the transaction
    sql("CREATE SEQUENCE tries; GRANT ALL ON tries TO ocim;"
        "CREATE FUNCTION refuse() RETURNS trigger AS $$ BEGIN IF nextval('tries') % 3 <> 0 THEN "
        "RAISE EXCEPTION 'could not serialize access' USING ERRCODE = '40001'; END IF; RETURN NEW; END $$ LANGUAGE "
        "plpgsql;"
        "CREATE TRIGGER refuse BEFORE INSERT ON ocim_change FOR EACH ROW EXECUTE FUNCTION refuse()");
    for (Revision i = 0; i < 5; ++i) EXPECT_EQ(*write(replica, put("a", i, "x")), i + 1);
    EXPECT_EQ(sql("SELECT count(*) FROM ocim_change"), "5\n");
    EXPECT_EQ(sql("SELECT last_value FROM tries"), "15\n");
    sql("CREATE OR REPLACE FUNCTION refuse() RETURNS trigger AS $$ BEGIN RAISE EXCEPTION 'never' USING ERRCODE = "
        "'40001'; "
        "END $$ LANGUAGE plpgsql");
    const auto refused = write(replica, put("a", 5, "y"));
    ASSERT_FALSE(refused) << "not for ever";
    EXPECT_FALSE(refused.error().outcome_unknown);
    EXPECT_THAT(refused.error().message, HasSubstr("40001"));
    sql("DROP TRIGGER refuse ON ocim_change");
    EXPECT_EQ(*write(replica, put("a", 5, "z")), 6u);
}

TEST_F(TroubleTest, AReplicaThatStopsInItsTurnStandsInTheWayForSecondsOnly) {
    auto& stopped = start();
    auto& other = start();
    const auto news = loop_.run(stopped.journal->shared()->begin(0));
    ASSERT_TRUE(news);
    const auto begun = loop_.clock().now();
    EXPECT_EQ(*write(other, put("a", 0, "1")), 1u);
    EXPECT_LT(loop_.clock().now() - begun, 5s);
    Change late;
    late.revision = 1;
    late.key = "a";
    late.value = bytes("late");
    const auto appended = loop_.run(stopped.journal->append({late}));
    ASSERT_FALSE(appended);
    EXPECT_EQ(appended.error().error_class, ErrorClass::conflict);
    catch_up(stopped);
    EXPECT_EQ(value(stopped, "a"), "1");
}

TEST_F(TroubleTest, AServerThatSaysNothingIsGivenUpAndTheEndIsNotHeldUpByIt) {
    test::Door door(server_->port());
    auto& replica = start(door.port());
    ASSERT_TRUE(write(replica, put("a", 0, "1")));
    door.stand_still();
    const auto begun = loop_.clock().now();
    const auto caught = loop_.run(replica.store->catch_up());
    ASSERT_FALSE(caught);
    EXPECT_EQ(caught.error().error_class, ErrorClass::unreachable);
    EXPECT_LT(loop_.clock().now() - begun, 12s);
    const auto pending = begin(replica.store->write(put("b", 0, "1")));
    (void)run_until([&] { return false; }, 20ms);
    EXPECT_FALSE(*pending);
    const auto ending = loop_.clock().now();
    loop_.run(replica.store->stop());
    ASSERT_TRUE(run_until([&] { return pending->has_value(); }));
    EXPECT_FALSE(**pending);
    EXPECT_LT(loop_.clock().now() - ending, 7s) << "five seconds it is waited for";
}

/// What a standby that lacks the last writes would be.
struct Older {
    const char* reason;
    int kept;     ///< changes of four
    int written;  ///< by others, since
};

TEST_F(TroubleTest, ADatabaseThatWentBackInTimeIsReadAnewAndNobodyTakesItsRevisionsForThoseHeKnew) {
    const Older cases[] = {{"it lacks the last two", 2, 0},
                           {"others have written over them", 2, 2},
                           {"others have gone further", 2, 5},
                           {"it is empty", 0, 0}};
    for (const auto& c : cases)
        for (const bool writes : {false, true}) {
            SCOPED_TRACE(std::string(c.reason) + (writes ? ", found by a write" : ", found by a look"));
            sql("DROP TABLE IF EXISTS ocim_meta, ocim_change, ocim_lease");
            auto& one = start();
            for (Revision i = 0; i < 4; ++i) ASSERT_TRUE(write(one, put("k" + std::to_string(i), 0, "old")));
            auto watcher = *one.store->watch("", 0);
            ASSERT_TRUE(watcher->take(9));
            sql("DELETE FROM ocim_change WHERE revision > " + std::to_string(c.kept) +
                "; UPDATE ocim_meta SET revision = " + std::to_string(c.kept));
            if (c.written > 0) {
                auto& other = start();
                for (int i = 0; i < c.written; ++i) ASSERT_TRUE(write(other, put("n" + std::to_string(i), 0, "new")));
            }
            if (writes) {
                const auto refused = write(one, put("k3", 4, "changed"));
                ASSERT_FALSE(refused) << "it is decided anew, on what is there";
            }
            catch_up(one);
            EXPECT_EQ(value(one, "k3"), "(none)");
            EXPECT_EQ(value(one, "n0"), c.written > 0 ? "new" : "(none)");
            EXPECT_EQ(value(one, "k1"), c.kept > 0 ? "old" : "(none)");
            EXPECT_GT(one.store->revision(), 4u) << "nothing is from the future of anybody";
            EXPECT_FALSE(watcher->take(9)) << "what it was told is not so";
            const auto next = write(one, put("k3", 0, "again"));
            ASSERT_TRUE(next) << next.error().message;
            catch_up(one);
            EXPECT_EQ(counted(one.metrics->text(), "\nocim_store_went_back_total"), "1");
            EXPECT_EQ(start().store->revision(), *next);
        }
}

TEST_F(TroubleTest, ADeletionThatIsForgottenAtTheEndOfTheLogIsNoOtherLog) {
    auto& one = start();
    auto& two = start();
    ASSERT_TRUE(write(one, put("a", 0, "1")));
    ASSERT_TRUE(write(one, erase("a", 1)));
    catch_up(two);
    auto watcher = *two.store->watch("", 2);
    ASSERT_TRUE(loop_.run(one.journal->compact(2)));
    ASSERT_EQ(sql("SELECT count(*) FROM ocim_change"), "0\n");
    catch_up(two);
    EXPECT_TRUE(watcher->take(9)) << "it goes on";
    EXPECT_EQ(*write(two, put("a", 0, "2")), 3u);
    EXPECT_EQ(counted(two.metrics->text(), "\nocim_store_went_back_total"), "0");
}

}  // namespace
}  // namespace ocim::store
