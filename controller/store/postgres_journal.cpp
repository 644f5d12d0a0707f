#include "store/postgres_journal.hpp"

#include "store/postgres_log.hpp"
#include "store/postgres_words.hpp"

#include <algorithm>
#include <array>
#include <map>

namespace ocim::store {

namespace {

constexpr std::size_t slice = 200;    // values encrypted anew in one transaction: appends go in between
constexpr std::size_t marks_max = 8;  // more than calls can be under way
constexpr auto poll_interval =
    std::chrono::milliseconds(1'000);  // should a notification be lost, this is how late we are

/// What is asked of the database, counted and timed by its name.
class Calls {
public:
    enum class Name { load, begin, append, leave, tail, compact, go_on, reseal, wait };
    explicit Calls(Metrics& metrics) {
        constexpr std::array names{"load", "begin", "append", "leave", "tail", "compact", "go_on", "reseal", "wait"};
        for (std::size_t i = 0; i < names.size(); ++i) {
            const auto counter = [&](const char* result) {
                return &metrics.counter("ocim_store_database_calls_total", "Calls to the database of the store",
                                        {{"call", names[i]}, {"result", result}});
            };
            series_[i] = {counter("ok"), counter("error"),
                          &metrics.histogram("ocim_store_database_call_duration_seconds",
                                             "Time of calls to the database of the store", {{"call", names[i]}})};
        }
    }
    /// On any thread.
    template <class F>
    auto time(Name name, F work) {
        auto& series = series_[static_cast<std::size_t>(name)];
        const auto begun = std::chrono::steady_clock::now();  // on a thread of its own there is no Clock
        auto out = work();
        series.seconds->Observe(std::chrono::duration<double>(std::chrono::steady_clock::now() - begun).count());
        (out ? series.ok : series.error)->Increment();
        return out;
    }

private:
    struct Series {
        prometheus::Counter* ok = nullptr;
        prometheus::Counter* error = nullptr;
        prometheus::Histogram* seconds = nullptr;
    };
    std::array<Series, 9> series_;
};

class PostgresJournal final : public SealedJournal, public SharedJournal {
public:
    using Name = Calls::Name;

    PostgresJournal(const boost::asio::any_io_executor& loop, Metrics& metrics, KeyRing ring,
                    const PostgresJournalSettings& settings)
        : calls_(metrics),
          stored_(doubt(metrics, "stored")),
          not_stored_(doubt(metrics, "not_stored")),
          ring_(std::make_shared<const KeyRing>(std::move(ring))),
          prefix_(settings.sealed_prefix),
          made_(settings.made),
          reader_(settings.database, interrupt_, As::server),
          writer_(settings.database, interrupt_, settings.name, As::server),
          upkeep_(settings.database, interrupt_, settings.name, As::server),
          listener_(settings.database, interrupt_),
          read_thread_(loop, "store-read", 1, 16),
          write_thread_(loop, "store-write", 1, 16),
          upkeep_thread_(loop, "store-upkeep", 1, 16),
          listen_thread_(loop, "store-listen", 1, 4) {}
    ~PostgresJournal() override { interrupt_.raise(); }

    SharedJournal* shared() override { return this; }

    awaitable<Result<Loaded>> load() override {
        struct Found {
            bool made;
            PostgresReader::Loaded loaded;
        };
        auto work = [this, open = opener(), ring = ring_] {
            return calls_.time(Name::load, [&]() -> Result<Found> {
                const auto made = reader_.prepare();
                if (!made) return made.error();
                auto loaded = reader_.load(open);
                if (!loaded) return std::move(loaded).error();
                // only keys that open all there is may bind the others
                if (auto same = check_keys(*ring, PostgresReader::KeepSeal::first); !same)
                    return std::move(same).error();
                return Found{*made, *std::move(loaded)};
            });
        };
        CO_TRY(auto found, co_await read_thread_.call(std::move(work)));
        keep(std::move(found.loaded.end));
        if (found.made && made_) made_();
        co_return std::move(found.loaded.all);
    }

    awaitable<Result<News>> begin(Revision after) override {
        auto work = [this, after = mark_at(after), open = opener()] {
            return calls_.time(Name::begin, [&] { return writer_.begin(after, open); });
        };
        CO_TRY(auto tail, co_await write_thread_.call(std::move(work)));
        keep(std::move(tail.end));
        co_return std::move(tail.news);
    }

    awaitable<void> leave() override {
        auto work = [this]() -> Result<void> {
            return calls_.time(Name::leave, [&]() -> Result<void> {
                writer_.leave();
                return {};
            });
        };
        (void)co_await write_thread_.call(std::move(work));
    }

    awaitable<Result<void>> append(std::vector<Change> batch) override {
        for (auto& change : batch) {
            if (!change.key.starts_with(prefix_)) continue;
            auto sealed = ring_->seal(change.key, *change.value);
            if (!sealed) {
                co_await leave();
                co_return std::move(sealed).error();
            }
            change.value = std::make_shared<const std::string>(*std::move(sealed));
        }
        auto work = [this, batch = std::move(batch)] {
            const auto before = writer_.doubts();
            auto out = calls_.time(Name::append, [&] { return writer_.append(batch); });
            stored_.Increment(static_cast<double>(writer_.doubts().stored - before.stored));
            not_stored_.Increment(static_cast<double>(writer_.doubts().not_stored - before.not_stored));
            return out;
        };
        CO_TRY(auto end, co_await write_thread_.call(std::move(work)));
        keep(std::move(end));
        co_return Result<void>();
    }

    awaitable<Result<News>> tail(Revision after) override {
        auto work = [this, after = mark_at(after), open = opener()] {
            return calls_.time(Name::tail, [&] { return reader_.tail(after, open); });
        };
        CO_TRY(auto tail, co_await read_thread_.call(std::move(work)));
        keep(std::move(tail.end));
        co_return std::move(tail.news);
    }

    awaitable<Result<void>> go_on_above(Revision above) override {
        auto work = [this, above] { return calls_.time(Name::go_on, [&] { return upkeep_.go_on_above(above); }); };
        co_return co_await upkeep_thread_.call(std::move(work));
    }

    awaitable<Result<void>> wait() override {
        auto work = [this] { return calls_.time(Name::wait, [&] { return listener_.wait(poll_interval); }); };
        co_return co_await listen_thread_.call(std::move(work));
    }

    void interrupt() override { interrupt_.raise(); }

    awaitable<Result<void>> compact(Revision revision) override {
        auto work = [this, revision] { return calls_.time(Name::compact, [&] { return upkeep_.compact(revision); }); };
        co_return co_await upkeep_thread_.call(std::move(work));
    }

    void use(KeyRing ring) override { ring_ = std::make_shared<const KeyRing>(std::move(ring)); }
    const KeyRing& ring() const override { return *ring_; }

    awaitable<Result<std::size_t>> reseal() override {
        std::size_t all = 0;
        for (std::optional<Revision> after = 0; after;) {
            auto work = [this, ring = ring_, from = *after] {
                const auto anew = [&](const std::string& key,
                                      const std::string& stored) -> Result<std::optional<std::string>> {
                    if (ring->is_current(stored)) return std::optional<std::string>();
                    auto value = ring->open(key, stored);
                    if (!value) return std::move(value).error();
                    auto sealed = ring->seal(key, *value);
                    if (!sealed) return std::move(sealed).error();
                    return std::optional(*std::move(sealed));
                };
                return calls_.time(Name::reseal, [&] { return upkeep_.rewrite(prefix_, from, slice, anew); });
            };
            CO_TRY(const auto done, co_await upkeep_thread_.call(std::move(work)));
            all += done.changed;
            after = done.next;
        }
        auto work = [this, ring = ring_] {
            return calls_.time(Name::reseal, [&] { return check_keys(*ring, PostgresReader::KeepSeal::last); });
        };
        CO_CHECK(co_await read_thread_.call(std::move(work)));
        co_return all;
    }

private:
    static prometheus::Counter& doubt(Metrics& metrics, const char* found) {
        return metrics.counter("ocim_store_commits_in_doubt_total",
                               "Commits whose answer was lost, by what was found to have become of them",
                               {{"found", found}});
    }
    /// Before there is a Secret, nothing else would tell that a replica has other keys.
    Result<void> check_keys(const KeyRing& ring, PostgresReader::KeepSeal keep) {
        auto mine = ring.seal(seal_name, "");
        if (!mine) return std::move(mine).error();
        const auto kept = reader_.seal(*mine, keep);
        if (!kept) return kept.error();
        if (auto opened = ring.open(seal_name, *kept); !opened)
            return std::move(opened).error().within("the keys are not those of the other replicas");
        return {};
    }
    Mark mark_at(Revision revision) const {
        const auto found = marks_.find(revision);
        return {revision, found == marks_.end() ? "" : found->second};
    }
    void keep(Mark mark) {
        marks_[mark.revision] = std::move(mark.batch);
        while (marks_.size() > marks_max) marks_.erase(marks_.begin());
    }
    OpenValue opener() const {
        return [ring = ring_, prefix = prefix_](const std::string& key, std::string value) -> Result<std::string> {
            if (!key.starts_with(prefix)) return value;
            return ring->open(key, value);
        };
    }

    Calls calls_;
    prometheus::Counter& stored_;
    prometheus::Counter& not_stored_;
    std::shared_ptr<const KeyRing> ring_;  // shared with the threads, which may still work with the one before
    const std::string prefix_;
    const std::function<void()> made_;
    std::map<Revision, std::string> marks_;  // of the loop: where a store may go on from
    Interrupt interrupt_;
    PostgresReader reader_;
    PostgresWriter writer_;
    PostgresWriter upkeep_;  // on its own session: a turn is not to be ended by it
    PostgresListener listener_;
    BlockingPool read_thread_, write_thread_, upkeep_thread_, listen_thread_;  // last: they end before what they use
};

}  // namespace

std::unique_ptr<SealedJournal> open_postgres_journal(boost::asio::any_io_executor loop, Metrics& metrics, KeyRing ring,
                                                     PostgresJournalSettings settings) {
    return std::make_unique<PostgresJournal>(loop, metrics, std::move(ring), settings);
}

}  // namespace ocim::store
