#include "replicas.hpp"

#include "base/random.hpp"
#include "store/postgres_lease.hpp"
#include "store/postgres_log.hpp"

#include <gmock/gmock.h>
#include <algorithm>
#include <atomic>
#include <map>
#include <mutex>

namespace ocim::store {
namespace {

using namespace std::chrono_literals;
using testing::ElementsAre;
using testing::HasSubstr;

/// "5+key=value", "6-key" of each change after a revision.
std::vector<std::string> log_of(Store& store, Revision after) {
    std::vector<std::string> out;
    auto watcher = store.watch("", after);
    EXPECT_TRUE(watcher);
    if (!watcher) return out;
    const auto taken = (*watcher)->take(100'000);
    EXPECT_TRUE(taken);
    if (taken)
        for (const auto& change : *taken)
            out.push_back(std::to_string(change->revision) + (change->deleted ? "-" : "+") + change->key +
                          (change->deleted ? "" : "=" + *change->value));
    return out;
}

TEST_F(PostgresTest, WhatOneReplicaWritesTheOthersReadAndARestartFinds) {
    auto& one = start();
    auto& two = start();
    EXPECT_EQ(*write(one, put("a", 0, "1")), 1u);
    const std::string odd("\0\xff'\\\";--", 8);
    EXPECT_EQ(*write(one, put("b", 0, odd)), 2u);
    EXPECT_EQ(*write(one, put("a", 1, "2")), 3u);
    EXPECT_EQ(*write(one, erase("b", 2)), 4u);
    catch_up(two);
    EXPECT_EQ(value(two, "a"), "2");
    EXPECT_FALSE(two.store->get("b"));
    EXPECT_EQ(log_of(*two.store, 0), log_of(*one.store, 0));
    EXPECT_THAT(log_of(*two.store, 2), ElementsAre("3+a=2", "4-b"));
    auto& three = start();
    EXPECT_EQ(three.store->revision(), 4u);
    EXPECT_EQ(log_of(*three.store, 0), log_of(*one.store, 0));
    auto watcher = *three.store->watch("a", 2);
    const auto changes = *watcher->take(9);
    ASSERT_EQ(changes.size(), 1u);
    EXPECT_EQ(*changes[0]->previous, "1");
    EXPECT_EQ(changes[0]->previous_revision, 1u);
}

TEST_F(PostgresTest, AChangeTakenOverKnowsWhatItReplaced) {
    auto& one = start();
    auto& two = start();
    ASSERT_TRUE(write(one, put("a", 0, "1")));
    catch_up(two);
    ASSERT_TRUE(write(one, put("a", 1, "2")));
    ASSERT_TRUE(write(one, erase("a", 2)));
    ASSERT_TRUE(write(one, put("a", 0, "4")));
    auto watcher = *two.store->watch("a", 1);
    catch_up(two);
    const auto changes = *watcher->take(9);
    ASSERT_EQ(changes.size(), 3u);
    EXPECT_EQ(*changes[0]->previous, "1");
    EXPECT_EQ(*changes[1]->previous, "2");
    EXPECT_EQ(changes[1]->previous_revision, 2u);
    EXPECT_FALSE(changes[2]->previous) << "it had been deleted";
}

TEST_F(PostgresTest, ACompareAndSwapIsJudgedByWhatOthersHaveWritten) {
    auto& one = start();
    auto& two = start();
    ASSERT_TRUE(write(one, put("a", 0, "1")));
    const auto refused = write(two, put("a", 0, "x"));  // it has not heard of the first one
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().error_class, ErrorClass::conflict);
    EXPECT_EQ(value(two, "a"), "1") << "he who is refused can see why";
    EXPECT_EQ(*write(two, put("a", 1, "2")), 2u);
    const auto stale = write(one, put("a", 1, "y"));
    ASSERT_FALSE(stale);
    EXPECT_EQ(stale.error().error_class, ErrorClass::conflict);
    EXPECT_EQ(sql("SELECT count(*) FROM ocim_change"), "2\n");
}

TEST_F(PostgresTest, RevisionsComeInTheOrderOfCommitsThoughATransactionIsHeldOpen) {
    auto& writer = start();
    auto& reader = start();
    ASSERT_TRUE(write(writer, put("a", 0, "1")));
    // another replica, stopped in the middle of its commit: it has been given the next revision
    const Interrupt never;
    const auto soon = std::chrono::steady_clock::now() + 60s;
    auto held = *PostgresConnection::open(settings(), never, soon);
    ASSERT_TRUE(held->run({{"SET idle_in_transaction_session_timeout = 0", {}, false}}, soon));
    ASSERT_TRUE(held->run({{"BEGIN", {}, false},
                           {"SELECT revision FROM ocim_meta FOR UPDATE", {}, false},
                           {"INSERT INTO ocim_change VALUES (2, 'held', 'x', false, 0, 'held')", {}, false},
                           {"UPDATE ocim_meta SET revision = 2", {}, false}},
                          soon));
    const auto later = begin(writer.store->write(put("later", 0, "1")));
    ASSERT_TRUE(run_until([&] {
        return sql("SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = '" + database_ +
                   "'") == "1\n";
    })) << "who comes after it waits for it";
    catch_up(reader);
    EXPECT_EQ(reader.store->revision(), 1u) << "nothing of a later revision is there before the earlier one";
    EXPECT_FALSE(*later);
    ASSERT_TRUE(held->run({{"COMMIT", {}, false}}, soon));
    ASSERT_TRUE(run_until([&] { return later->has_value(); }));
    // it rests on what had not been committed when it was decided: he is told to decide again
    ASSERT_FALSE(**later);
    EXPECT_EQ((*later)->error().error_class, ErrorClass::conflict);
    EXPECT_EQ(*write(writer, put("later", 0, "1")), 3u);
    catch_up(reader);
    EXPECT_THAT(log_of(*reader.store, 0), ElementsAre("1+a=1", "2+held=x", "3+later=1"));
}

/// Adds one to a number, as often as somebody else was quicker.
awaitable<Result<int>> increment(Store& store, std::string key) {
    for (int attempt = 0; attempt < 100; ++attempt) {
        const auto now = store.latest(key);
        auto change = put(key, now ? now->revision : 0, std::to_string(now ? std::stoi(*now->value) + 1 : 1));
        const auto written = co_await store.write(std::move(change));
        if (written) co_return attempt;
        if (written.error().error_class != ErrorClass::conflict) co_return written.error();
    }
    co_return Error{ErrorClass::conflict, "never its turn"};
}
awaitable<Result<int>> increments(Store& store, std::string key, int count) {
    int most = 0;
    for (int i = 0; i < count; ++i) {
        CO_TRY(const auto attempts, co_await increment(store, key));
        most = std::max(most, attempts);
    }
    co_return most;
}

TEST_F(PostgresTest, NothingIsLostBetweenReplicasThatAllWriteTheSameKeys) {
    std::vector<Replica*> replicas;
    for (int i = 0; i < 3; ++i) replicas.push_back(&start());
    constexpr int clients = 6, each = 25;
    std::vector<std::shared_ptr<std::optional<Result<int>>>> ends;
    for (auto* replica : replicas)
        for (int i = 0; i < clients; ++i)
            ends.push_back(begin(increments(*replica->store, "k" + std::to_string(i % 3), each)));
    ASSERT_TRUE(
        run_until([&] { return std::ranges::all_of(ends, [](const auto& end) { return end->has_value(); }); }, 60s));
    for (const auto& end : ends) EXPECT_TRUE(**end) << (*end)->error().message;
    for (auto* replica : replicas) {
        catch_up(*replica);
        for (const auto* key : {"k0", "k1", "k2"}) EXPECT_EQ(value(*replica, key), std::to_string(3 * 2 * each)) << key;
        EXPECT_EQ(log_of(*replica->store, 0), log_of(*replicas[0]->store, 0));
    }
    EXPECT_EQ(replicas[0]->store->revision(), 3u * clients * each) << "without a gap";
}

TEST_F(PostgresTest, AFollowerHearsOfWritesWithoutAsking) {
    auto& one = start();
    auto& two = start();
    std::vector<std::string> heard;
    two.store->set_listener([&](const std::string& key) { heard.push_back(key); });
    tasks_.spawn("follow", two.store->follow());
    ASSERT_TRUE(run_until([&] {
        return sql("SELECT count(*) FROM pg_stat_activity WHERE query = 'LISTEN ocim' AND datname = '" + database_ +
                   "'") == "1\n";
    }));
    const auto begun = loop_.clock().now();
    for (Revision i = 0; i < 20; ++i) {
        ASSERT_TRUE(write(one, put("a", i, std::to_string(i))));
        ASSERT_TRUE(run_until([&] { return two.store->revision() == i + 1; }));
    }
    EXPECT_LT(loop_.clock().now() - begun, 5s) << "by notification: asking once a second would take 20 s";
    EXPECT_EQ(heard, std::vector<std::string>(20, "a"));
}

TEST_F(PostgresTest, CompactionKeepsTheStateAndOneWhoFellBehindReadsAllAnew) {
    auto& one = start(0, {.history_changes_max = 5, .history_bytes_max = 1 << 20, .history_age_max = 1h});
    auto& behind = start();
    ASSERT_TRUE(write(one, put("b", 0, "1")));
    catch_up(behind);
    auto watcher = *behind.store->watch("", 1);
    for (Revision i = 0; i < 20; ++i) ASSERT_TRUE(write(one, put("a", i == 0 ? 0 : i + 1, std::to_string(i))));
    ASSERT_TRUE(write(one, erase("b", 1)));
    ASSERT_TRUE(write(one, put("c", 0, "1")));
    for (Revision i = 0; i < 6; ++i) ASSERT_TRUE(write(one, put("c", 23 + i, "2")));
    ASSERT_TRUE(loop_.run(one.store->compact()));
    EXPECT_EQ(sql("SELECT compacted FROM ocim_meta"), std::to_string(one.store->compacted()) + "\n");
    EXPECT_EQ(sql("SELECT count(*) FROM ocim_change"), "7\n")
        << "the last of a, that of c before the history, and that";
    catch_up(behind);
    EXPECT_EQ(behind.store->revision(), one.store->revision());
    EXPECT_EQ(value(behind, "a"), "19");
    EXPECT_EQ(value(behind, "b"), "(none)");
    EXPECT_FALSE(watcher->take(9)) << "what it missed nobody can tell: it lists again";
    EXPECT_EQ(*write(behind, put("d", 0, "1")), one.store->revision() + 1);
    auto& fresh = start();
    EXPECT_EQ(fresh.store->revision(), one.store->revision() + 1);
    EXPECT_EQ(value(fresh, "a"), "19");
    EXPECT_EQ(fresh.store->size(), 3u);
}

TEST_F(PostgresTest, SecretsAreEncryptedInTheDatabaseAndAnewWithAnotherKey) {
    auto& one = start();
    auto& two = start();
    ASSERT_TRUE(write(one, put("core/secrets/a", 0, "token-in-plain")));
    ASSERT_TRUE(write(one, put("core/configmaps/a", 0, "for all to read")));
    const auto stored = [this] { return sql("SELECT encode(value, 'escape') FROM ocim_change ORDER BY revision"); };
    EXPECT_EQ(stored().find("token-in-plain"), std::string::npos);
    EXPECT_NE(stored().find("for all to read"), std::string::npos);
    catch_up(two);
    EXPECT_EQ(value(two, "core/secrets/a"), "token-in-plain");
    auto ring = *ring_;
    ASSERT_TRUE(ring.renew());
    for (auto* replica : {&one, &two}) replica->journal->use(ring);
    const auto before = stored();
    EXPECT_EQ(*loop_.run(one.journal->reseal()), 1u);
    EXPECT_NE(stored(), before);
    EXPECT_EQ(*loop_.run(one.journal->reseal()), 0u);
    ring.forget_old();
    for (auto* replica : {&one, &two}) replica->journal->use(ring);
    const auto old = *std::exchange(ring_, ring);
    auto& three = start();
    EXPECT_EQ(value(three, "core/secrets/a"), "token-in-plain");
    EXPECT_TRUE(loop_.run(two.store->catch_up()));
    Metrics metrics;
    const auto stranger = open_postgres_journal(loop_.executor(), metrics, old, {settings(), "stranger"});
    EXPECT_FALSE(loop_.run(stranger->load())) << "without the key nothing is told";
}

TEST_F(PostgresTest, KeysThatDoNotOpenEverythingDoNotBindTheOthers) {
    auto& one = start();
    ASSERT_TRUE(write(one, put("core/secrets/a", 0, "word")));
    sql("UPDATE ocim_meta SET seal = NULL");
    Metrics metrics;
    const auto stranger = open_postgres_journal(loop_.executor(), metrics, *KeyRing::make(), {settings(), "stranger"});
    EXPECT_FALSE(loop_.run(stranger->load()));
    EXPECT_EQ(sql("SELECT count(seal) FROM ocim_meta"), "0\n");
    EXPECT_EQ(value(start(), "core/secrets/a"), "word");
    EXPECT_EQ(sql("SELECT count(seal) FROM ocim_meta"), "1\n");
}

TEST_F(PostgresTest, AnotherKindOfServerThatTheUrlAsksForIsNotTaken) {
    (void)start();
    auto asked = settings();
    asked.url += "?target_session_attrs=standby";
    const Interrupt never;
    const auto opened = PostgresConnection::open(asked, never, loop_.clock().now() + 10s);
    EXPECT_TRUE(opened) << "what can be written, whatever the URL says: " << opened.error().message;
}

TEST_F(PostgresTest, WhoMissesChangesThatCompactionTookFromTheEndIsBehind) {
    auto& one = start();
    ASSERT_TRUE(write(one, put("a", 0, "1")));
    ASSERT_TRUE(write(one, put("b", 0, "2")));
    ASSERT_TRUE(write(one, erase("b", 2)));
    ASSERT_TRUE(loop_.run(one.journal->compact(3)));
    ASSERT_EQ(sql("SELECT revision FROM ocim_change"), "1\n");
    const Interrupt never;
    PostgresReader reader(settings(), never);
    const auto tail = reader.tail({}, nullptr);
    ASSERT_TRUE(tail) << tail.error().message;
    EXPECT_TRUE(tail->news.behind);
    EXPECT_TRUE(tail->news.changes.empty());
}

TEST_F(PostgresTest, LoadingAndCompactingMayTakeLongerThanOtherStatements) {
    auto& one = start();
    ASSERT_TRUE(write(one, put("a", 0, "1")));
    ASSERT_TRUE(write(one, put("a", 1, "2")));
    // nothing is to be seen by a statement with another bound
    sql("ALTER TABLE ocim_change RENAME TO kept; CREATE VIEW ocim_change AS SELECT * FROM kept WHERE "
        "current_setting('statement_timeout') = '2min'; ALTER VIEW ocim_change OWNER TO ocim");
    const Interrupt never;
    PostgresReader reader(settings(), never);
    const auto loaded = reader.load(nullptr);
    ASSERT_TRUE(loaded) << loaded.error().message;
    EXPECT_EQ(loaded->all.state.size(), 1u);
    PostgresWriter writer(settings(), never, "upkeep");
    const auto compacted = writer.compact(2);
    ASSERT_TRUE(compacted) << compacted.error().message;
    EXPECT_EQ(sql("SELECT revision FROM kept"), "2\n");
}

/// What the lease told, by its own thread.
struct Held {
    std::mutex mutex;
    std::vector<Instant> ends;
    int leads = 0;
    std::vector<Instant> seen() {
        const std::lock_guard lock(mutex);
        return ends;
    }
};

TEST_F(PostgresTest, TheLeaseSaysUntilWhenItHoldsBeforeItLeadsAndWithEachRenewal) {
    (void)start();
    Metrics metrics;
    Held held;
    PostgresLease::Listeners listeners;
    listeners.told = [](const std::string&) {};
    listeners.lost = [](const std::string&) {};
    listeners.leads = [&] {
        const std::lock_guard lock(held.mutex);
        EXPECT_EQ(held.ends.size(), 1u) << "known before anything is begun";
    };
    listeners.held = [&](Instant end) {
        const std::lock_guard lock(held.mutex);
        held.ends.push_back(end);
    };
    const auto before = loop_.clock().now();
    PostgresLease lease(
        metrics,
        {.database = settings(), .holder = "one", .of_new_store = true, .renew_deadline = 3s, .renew_interval = 20ms},
        std::move(listeners));
    ASSERT_TRUE(run_until([&] { return held.seen().size() >= 3; }));
    EXPECT_TRUE(lease.may_act());
    const auto ends = held.seen();
    EXPECT_TRUE(std::ranges::is_sorted(ends));
    EXPECT_GE(ends.front(), before + 3s);
    EXPECT_LE(ends.back(), loop_.clock().now() + 3s);
    lease.release();
    EXPECT_EQ(held.seen().back(), Instant::max()) << "given up, it ends nothing";
}

/// One that stands for the lease, on a thread of its own.
struct Standing {
    Standing(Metrics& metrics, PostgresLease::Settings settings) : lease(metrics, std::move(settings), listeners()) {}
    PostgresLease::Listeners listeners() {
        PostgresLease::Listeners out;
        out.told = [this](const std::string&) { told = true; };
        out.leads = [this] { leads = true; };
        out.lost = [this](const std::string&) { lost = true; };
        return out;
    }
    std::atomic<bool> told = false, leads = false, lost = false;
    PostgresLease lease;
};

TEST_F(PostgresTest, TheLeaseIsTakenFromWhoDoesNotRenewItByNobodysWallClock) {
    // of a version that went by the server's clock
    sql("CREATE TABLE ocim_lease (name text PRIMARY KEY, holder text NOT NULL, term bigint NOT NULL, until timestamptz "
        "NOT "
        "NULL); ALTER TABLE ocim_lease OWNER TO ocim; INSERT INTO ocim_lease VALUES ('controllers', 'first', 7, "
        "'-infinity')");
    (void)start();
    Metrics metrics;
    const auto begun = loop_.clock().now();
    Standing waiting(metrics, {.database = settings(), .holder = "one", .duration = 600ms, .look_interval = 20ms});
    // its end by the clock, which may have jumped, was long ago; but it is renewed
    while (loop_.clock().now() - begun < 1500ms) {
        sql("UPDATE ocim_lease SET renewals = renewals + 1");
        ASSERT_FALSE(waiting.leads);
    }
    const auto last = loop_.clock().now();
    ASSERT_TRUE(run_until([&] { return waiting.leads.load(); }));
    EXPECT_GE(loop_.clock().now() - last, 500ms);
    EXPECT_EQ(sql("SELECT holder, term FROM ocim_lease"), "one\t8\n");

    Standing other(
        metrics,
        {.database = settings(), .holder = "two", .name = "upkeep", .of_new_store = true, .look_interval = 20ms});
    ASSERT_TRUE(run_until([&] { return other.leads.load(); })) << "another lease is another";
    Standing next(metrics, {.database = settings(), .holder = "three", .duration = 1h, .look_interval = 20ms});
    ASSERT_TRUE(run_until([&] { return next.told.load(); }));
    waiting.lease.release();
    ASSERT_TRUE(run_until([&] { return next.leads.load(); })) << "given up, it is free at once";
    EXPECT_FALSE(waiting.lost);
}

TEST_F(PostgresTest, TheLeaseIsLostToAnotherThoughItsTermIsTheSame) {
    (void)start();
    Metrics metrics;
    Standing leading(metrics, {.database = settings(), .holder = "one", .of_new_store = true, .renew_interval = 20ms});
    ASSERT_TRUE(run_until([&] { return leading.leads.load(); }));
    // the database went back to before, and another one took it there
    sql("UPDATE ocim_lease SET holder = 'two'");
    ASSERT_TRUE(run_until([&] { return leading.lost.load(); }));
    EXPECT_FALSE(leading.lease.may_act());
}

TEST_F(PostgresTest, AFreeLeaseIsNotTakenAsLongAsALeaderOfBeforeTheDatabaseWentBackMayAct) {
    for (const auto* gone :
         {"UPDATE ocim_lease SET holder = '', term = term - 1, renewals = 0", "DELETE FROM ocim_lease"}) {
        SCOPED_TRACE(gone);
        sql("DROP TABLE IF EXISTS ocim_meta, ocim_change, ocim_lease");
        (void)start();
        Metrics metrics;
        sql("INSERT INTO ocim_lease VALUES ('controllers', '', 7, 0)");
        Standing leading(metrics, {.database = settings(),
                                   .holder = "one",
                                   .duration = 50ms,
                                   .renew_deadline = 1'200ms,
                                   .renew_interval = 800ms,
                                   .look_interval = 20ms});
        ASSERT_TRUE(run_until([&] { return leading.leads.load(); }));
        Standing waiting(metrics,
                         {.database = settings(), .holder = "two", .duration = 1'500ms, .look_interval = 20ms});
        ASSERT_TRUE(run_until([&] { return waiting.told.load(); }));
        sql(gone);
        ASSERT_TRUE(run_until([&] {
            EXPECT_FALSE(waiting.leads && leading.lease.may_act()) << "both";
            return waiting.leads.load() || HasFailure();
        }));
        EXPECT_TRUE(leading.lost);
    }
}

TEST_F(PostgresTest, AFreeLeaseThatNobodyWasSeenToGiveUpIsWaitedFor) {
    (void)start();
    sql("INSERT INTO ocim_lease VALUES ('controllers', '', 7, 3)");
    Metrics metrics;
    const auto begun = loop_.clock().now();
    Standing waiting(
        metrics,
        {.database = settings(), .holder = "one", .of_new_store = true, .duration = 600ms, .look_interval = 20ms});
    ASSERT_TRUE(run_until([&] { return waiting.leads.load(); }));
    EXPECT_GE(loop_.clock().now() - begun, 600ms);
    EXPECT_EQ(sql("SELECT holder, term FROM ocim_lease"), "one\t8\n");
}

TEST_F(PostgresTest, WhatWasSeenOfTheLeaseBeforeTheServerWasStartedAnewDoesNotCount) {
    (void)start();
    sql("INSERT INTO ocim_lease VALUES ('controllers', 'gone', 7, 3)");
    Metrics metrics;
    Standing waiting(metrics, {.database = settings(), .holder = "one", .duration = 1'500ms, .look_interval = 20ms});
    ASSERT_TRUE(run_until([&] { return waiting.told.load(); }));
    (void)run_until([&] { return waiting.leads.load(); }, 1'000ms);
    server_->service().stop();
    const auto lost = loop_.clock().now();
    server_->restart();
    ASSERT_TRUE(run_until([&] { return waiting.leads.load(); }));
    EXPECT_GE(loop_.clock().now() - lost, 1'400ms) << "it may be another database that answers now";
}

TEST_F(PostgresTest, WhatWasSeenOfTheLeaseBeforeItsTableWasMadeAnewDoesNotCount) {
    (void)start();
    sql("INSERT INTO ocim_lease VALUES ('controllers', 'gone', 7, 3)");
    Metrics metrics;
    Standing waiting(metrics, {.database = settings(), .holder = "one", .duration = 1'500ms, .look_interval = 20ms});
    ASSERT_TRUE(run_until([&] { return waiting.told.load(); }));
    (void)run_until([&] { return waiting.leads.load(); }, 1'000ms);
    const auto lost = loop_.clock().now();
    sql("BEGIN; CREATE TABLE fresh (LIKE ocim_lease INCLUDING ALL); INSERT INTO fresh SELECT * FROM ocim_lease; "
        "DROP TABLE ocim_lease; ALTER TABLE fresh RENAME TO ocim_lease; ALTER TABLE ocim_lease OWNER TO ocim; COMMIT");
    ASSERT_TRUE(run_until([&] { return waiting.leads.load(); }));
    EXPECT_GE(loop_.clock().now() - lost, 1'400ms) << "as when a backup is played in";
}

TEST_F(PostgresTest, ConnectionsThatBreakDoNotKeepAnybodyFromTakingTheLease) {
    (void)start();
    sql("INSERT INTO ocim_lease VALUES ('controllers', 'gone', 7, 3)");
    Metrics metrics;
    Standing waiting(metrics, {.database = settings(), .holder = "one", .duration = 1'500ms, .look_interval = 20ms});
    ASSERT_TRUE(run_until([&] { return waiting.told.load(); }));
    int broken = 0;
    ASSERT_TRUE(run_until([&] {
        const auto count = sql("SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE datname = '" +
                               database_ + "' AND query LIKE '%ocim_lease%' AND pid <> pg_backend_pid()");
        broken += count != "0\n";
        return run_until([&] { return waiting.leads.load(); }, 300ms);
    })) << "each of them would be waited for anew";
    EXPECT_GE(broken, 2);
}

TEST_F(PostgresTest, OnlyWhoMakesTheTablesIsToldSo) {
    Metrics metrics;
    for (const bool made : {true, false}) {
        bool told = false;
        const auto journal = open_postgres_journal(loop_.executor(), metrics, *ring_,
                                                   {.database = settings(), .name = "x", .made = [&] { told = true; }});
        ASSERT_TRUE(loop_.run(journal->load()));
        EXPECT_EQ(told, made);
    }
}

TEST_F(PostgresTest, ADatabaseOfANewerVersionIsRefused) {
    (void)start();
    sql("UPDATE ocim_meta SET format = 2");
    Metrics metrics;
    const auto journal = open_postgres_journal(loop_.executor(), metrics, *ring_, {settings(), "x"});
    const auto loaded = loop_.run(journal->load());
    ASSERT_FALSE(loaded);
    EXPECT_EQ(loaded.error().error_class, ErrorClass::invalid);
    EXPECT_THAT(loaded.error().message, HasSubstr("format 2"));
}

TEST_F(PostgresTest, AUrlWithAPasswordIsRefusedAndNotRepeated) {
    const struct {
        const char* reason;
        std::string url;
        bool good;
    } cases[] = {
        {"as it should be", "postgres://ocim@localhost/ocim", true},
        {"TLS as libpq knows it", "postgres://ocim@db/ocim?sslmode=verify-full&sslrootcert=/etc/ca.pem", true},
        {"several servers", "postgres://ocim@a,b/ocim?target_session_attrs=read-write", true},
        {"a password", "postgres://ocim:hunter2@localhost/ocim", false},
        {"a password among the parameters", "postgres://ocim@localhost/ocim?password=hunter2", false},
        {"nonsense", "postgres://ocim@loc%hunter2", false},
    };
    for (const auto& c : cases) {
        const auto checked = check_postgres_url(c.url);
        EXPECT_EQ(static_cast<bool>(checked), c.good) << c.reason;
        if (!checked) EXPECT_THAT(checked.error().message, testing::Not(HasSubstr("hunter2"))) << c.reason;
    }
}

}  // namespace
}  // namespace ocim::store
