#include "monitoring/prober.hpp"

#include "base/async.hpp"
#include "base/metrics.hpp"
#include "base/random.hpp"

#include <algorithm>
#include <cassert>
#include <deque>
#include <utility>

namespace ocim::monitoring {

namespace {

using Done = runtime::Done<Key, Thing>;

/// An outcome that says nothing new is told this seldom.
constexpr Duration told_anew{60'000};
constexpr unsigned failures_max = 1000;  // as good as any larger number
/// By such a part of its interval a probe comes early at most, and the second one by any: so that many that begin
/// together do not stay in step.
constexpr Duration::rep early_part = 20;
constexpr auto success_name = "ocim_probe_success", duration_name = "ocim_probe_duration_seconds",
               expiry_name = "ocim_probe_certificate_expiry_timestamp_seconds";

/// What the system and its tasks share. A task may end after the system went; it then changes nothing.
class Engine : public std::enable_shared_from_this<Engine> {
public:
    Engine(Senses senses, std::size_t concurrent_max, const runtime::Services& services)
        : senses_(std::move(senses)),
          concurrent_max_(concurrent_max),
          clock_(services.clock),
          random_(services.random),
          metrics_(services.metrics),
          tasks_(*services.tasks) {}

    Snapshot snapshot() const {
        Snapshot out;
        for (const auto& [key, entry] : entries_) out.emplace(key, entry.thing);
        return out;
    }

    const Thing& put(const Key& key, runtime::Mark mark, Probe probe) {
        auto& entry = entries_[key];
        entry.thing.mark = std::move(mark);
        if (entry.round != 0 && entry.thing.probe == probe) return entry.thing;
        if (!probe.enabled) forget_metrics(key);
        // what another URL or server answered says nothing about this one
        if (target_of(entry.thing.probe) != target_of(probe) || !probe.enabled) {
            entry.thing.last.reset();
            entry.failures = 0;
        }
        entry.thing.probe = std::move(probe);
        entry.round = ++rounds_;
        clock_.cancel(std::exchange(entry.timer, 0));
        if (entry.thing.probe.enabled) due(key, entry.round);
        return entry.thing;
    }

    void erase(const Key& key) {
        const auto found = entries_.find(key);
        if (found == entries_.end()) return;
        clock_.cancel(found->second.timer);
        forget_metrics(key);
        entries_.erase(found);
    }

    void stop() {
        while (!entries_.empty()) erase(Key(entries_.begin()->first));
        waiting_.clear();
    }

private:
    struct Entry {
        Thing thing;
        std::uint64_t round = 0;  ///< of the probe as it is: what an earlier one found is not its
        unsigned failures = 0;    ///< in a row
        Clock::TimerId timer = 0;
    };
    struct Turn {
        Key key;
        std::uint64_t round;
    };

    Entry* current(const Turn& turn) {
        const auto found = entries_.find(turn.key);
        return found != entries_.end() && found->second.round == turn.round ? &found->second : nullptr;
    }

    void due(const Key& key, std::uint64_t round) {
        waiting_.push_back({key, round});
        start_waiting();
    }

    void start_waiting() {
        while (running_ < concurrent_max_ && !waiting_.empty()) {
            auto turn = std::move(waiting_.front());
            waiting_.pop_front();
            const auto* entry = current(turn);
            if (!entry) continue;
            ++running_;
            const auto name = "probe " + turn.key.monitor;
            tasks_.spawn(name, run(shared_from_this(), std::move(turn), entry->thing.probe));
        }
    }

    /// One probe. It owns the engine, so that its end finds it.
    static awaitable<void> run(std::shared_ptr<Engine> self, Turn turn, Probe probe) {
        const Running running(*self);
        const auto begin = self->clock_.now();
        auto outcome = co_await check(self->senses_, self->clock_, self->random_, std::move(probe));
        self->finish(turn, std::move(outcome), begin);
    }

    /// Counts a task while it lives, however it ends.
    struct Running {
        explicit Running(Engine& of) : engine(of) {}
        Running(const Running&) = delete;
        Running& operator=(const Running&) = delete;
        ~Running() { --engine.running_; }
        Engine& engine;
    };

    void finish(const Turn& turn, Outcome outcome, Instant begin) {
        auto* entry = current(turn);
        if (!entry) return start_after_this();
        outcome.at = clock_.wall();
        entry->failures = outcome.up ? 0 : std::min(entry->failures + 1, failures_max);
        outcome.alert = entry->failures >= entry->thing.probe.alert_after;
        const auto labels = labels_of(turn.key);
        metrics_.gauge(success_name, "Whether the last probe found the site up.", labels).Set(outcome.up ? 1 : 0);
        metrics_.gauge(duration_name, "How long the last probe took.", labels)
            .Set(std::chrono::duration<double>(clock_.now() - begin).count());
        const auto& expires = outcome.certificate_expires;
        if (expires)
            metrics_
                .gauge(expiry_name, "When the first of the site's certificates ends, in seconds since 1970.", labels)
                .Set(std::chrono::duration<double>(expires->time_since_epoch()).count());
        else if (outcome.up)
            metrics_.remove_gauge(expiry_name, labels);  // of a site that is down what was known holds
        auto& last = entry->thing.last;
        const bool first = !last;
        const bool news = first || last->up != outcome.up || last->status != outcome.status ||
                          last->message != outcome.message || last->alert != outcome.alert ||
                          (expires && last->certificate_expires != expires) || outcome.at - last->at >= told_anew;
        if (news) last = std::move(outcome);
        const auto interval = entry->thing.probe.interval;
        const auto early_max = static_cast<std::uint64_t>(first ? interval.count() : interval.count() / early_part);
        const Duration early(static_cast<Duration::rep>(random_.below(early_max + 1)));
        const auto next = std::max<Instant>(begin + interval - early, clock_.now());
        entry->timer = clock_.call_at(next, [weak = weak_from_this(), turn] {
            const auto self = weak.lock();
            if (!self) return;
            if (auto* found = self->current(turn)) {
                found->timer = 0;
                self->due(turn.key, turn.round);
            }
        });
        start_after_this();
    }

    /// The task that calls this still counts as running: the next one starts when it has ended.
    void start_after_this() {
        if (waiting_.empty()) return;
        clock_.call_at(clock_.now(), [weak = weak_from_this()] {
            if (const auto self = weak.lock()) self->start_waiting();
        });
    }

    static Metrics::Labels labels_of(const Key& key) {
        const auto slash = key.monitor.find('/');
        return {{"namespace", key.monitor.substr(0, slash)}, {"name", key.monitor.substr(slash + 1)}};
    }
    void forget_metrics(const Key& key) {
        metrics_.remove_gauge(success_name, labels_of(key));
        metrics_.remove_gauge(duration_name, labels_of(key));
        metrics_.remove_gauge(expiry_name, labels_of(key));
    }

    Senses senses_;
    std::size_t concurrent_max_;
    Clock& clock_;
    Random& random_;
    Metrics& metrics_;
    TaskGroup& tasks_;
    std::map<Key, Entry> entries_;
    std::deque<Turn> waiting_;
    std::size_t running_ = 0;
    std::uint64_t rounds_ = 0;
};

class Prober final : public Watch {
public:
    explicit Prober(std::shared_ptr<Engine> engine) : engine_(std::move(engine)) {}
    ~Prober() override { engine_->stop(); }
    Prober(const Prober&) = delete;
    Prober& operator=(const Prober&) = delete;

    awaitable<Result<Snapshot>> observe() override { co_return engine_->snapshot(); }

    awaitable<void> act(std::vector<Action> actions, runtime::Results<Key, Thing>& results) override {
        for (std::size_t i = 0; i < actions.size(); ++i) {
            auto& action = actions[i];
            Done done{{{action.key, std::nullopt}}};
            if (action.verb == Action::Verb::delete_)
                engine_->erase(action.key);
            else
                done.now[0].second = engine_->put(action.key, std::move(action.mark), std::move(action.probe));
            results.set(i, std::move(done));
        }
        co_return;
    }

    awaitable<Result<void>> probe() override { co_return Result<void>(); }

private:
    std::shared_ptr<Engine> engine_;  // shared with its tasks
};

}  // namespace

std::unique_ptr<Watch> open_prober(Senses senses, std::size_t concurrent_max, const runtime::Services& services) {
    assert(services.tasks && concurrent_max > 0);
    return std::make_unique<Prober>(std::make_shared<Engine>(std::move(senses), concurrent_max, services));
}

}  // namespace ocim::monitoring
