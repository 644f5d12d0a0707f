#include "runtime/queue.hpp"

#include <algorithm>
#include <cassert>

namespace ocim::runtime {

namespace {

double seconds(std::chrono::steady_clock::duration time) { return std::chrono::duration<double>(time).count(); }

}  // namespace

Duration back_off(unsigned failures, Duration least, Duration most, Random& random) {
    const auto doubled = least.count() << std::min(failures, 20U);
    const auto bounded = std::clamp<Duration::rep>(doubled, 1, most.count());
    const auto jitter = random.below(static_cast<std::uint64_t>(bounded) / 3 + 1);
    return Duration(bounded - static_cast<Duration::rep>(jitter));
}

WorkQueue::WorkQueue(Settings settings, Random& random, Metrics& metrics)
    : settings_(std::move(settings)), random_(random), metrics_(instruments(settings_.name, metrics)) {}

WorkQueue::Instruments WorkQueue::instruments(const std::string& name, Metrics& metrics) {
    const Metrics::Labels labels{{"name", name}, {"controller", name}};
    return {
        metrics.gauge("workqueue_depth", "Keys that wait for a visit", labels),
        metrics.gauge("workqueue_unfinished_work_seconds", "Seconds that visits under way have taken so far", labels),
        metrics.gauge("workqueue_longest_running_processor_seconds", "Seconds the longest visit has taken so far",
                      labels),
        metrics.counter("workqueue_adds_total", "Keys that were added", labels),
        metrics.counter("workqueue_retries_total", "Visits that were put off after a failure", labels),
        metrics.histogram("workqueue_queue_duration_seconds", "Seconds from due to served", labels),
        metrics.histogram("workqueue_work_duration_seconds", "Seconds a visit takes", labels),
    };
}

void WorkQueue::add(const std::string& key, Instant due, Priority priority) {
    if (!running_.contains(key)) {
        enlist(key, {due, priority});
        return;
    }
    auto [it, fresh] = again_.try_emplace(key, Wish{due, priority});
    if (fresh) return;
    it->second.due = std::min(it->second.due, due);
    if (priority == Priority::high) it->second.priority = Priority::high;
}

void WorkQueue::enlist(const std::string& key, Wish wish) {
    auto [it, fresh] = waiting_.try_emplace(key, wish);
    if (fresh) {
        metrics_.adds.Increment();
    } else {
        auto& held = it->second;
        line(held.priority).erase({held.due, key});
        held.due = std::min(held.due, wish.due);
        if (wish.priority == Priority::high) held.priority = Priority::high;
    }
    line(it->second.priority).emplace(it->second.due, key);
    metrics_.depth.Set(static_cast<double>(waiting_.size()));
}

Instant WorkQueue::retry(const std::string& key, Instant now, Duration least) {
    auto& failures = failures_[key];
    const auto delay = std::max(back_off(failures, settings_.retry_min, settings_.retry_max, random_), least);
    if (failures < 32) ++failures;
    metrics_.retries.Increment();
    add(key, now + delay, Priority::low);
    return now + delay;
}

void WorkQueue::forget(const std::string& key) { failures_.erase(key); }

unsigned WorkQueue::failures(const std::string& key) const {
    const auto found = failures_.find(key);
    return found == failures_.end() ? 0 : found->second;
}

bool WorkQueue::turn_of_low(Instant now) {
    const bool low_due = !low_.empty() && low_.begin()->first <= now;
    const bool high_due = !high_.empty() && high_.begin()->first <= now;
    if (!low_due || !high_due) return low_due;
    return !low_had_last_turn_ && now - low_.begin()->first >= settings_.starvation_max;
}

std::optional<std::string> WorkQueue::take(Instant now) {
    const bool low = turn_of_low(now);
    auto& from = low ? low_ : high_;
    if (from.empty() || from.begin()->first > now) return std::nullopt;
    low_had_last_turn_ = low;
    const auto [due, key] = *from.begin();
    from.erase(from.begin());
    waiting_.erase(key);
    const bool fresh = running_.emplace(key, now).second;
    assert(fresh);
    metrics_.depth.Set(static_cast<double>(waiting_.size()));
    metrics_.queue_seconds.Observe(seconds(now - due));
    measure(now);
    return key;
}

void WorkQueue::done(const std::string& key, Instant now) {
    const auto run = running_.find(key);
    assert(run != running_.end());
    metrics_.work_seconds.Observe(seconds(now - run->second));
    running_.erase(run);
    if (const auto again = again_.extract(key)) enlist(key, again.mapped());
    measure(now);
}

void WorkQueue::measure(Instant now) {
    double sum = 0, longest = 0;
    for (const auto& [key, since] : running_) {
        const auto one = seconds(now - since);
        sum += one;
        longest = std::max(longest, one);
    }
    metrics_.unfinished_seconds.Set(sum);
    metrics_.longest_seconds.Set(longest);
}

WorkQueue::Place WorkQueue::place(const std::string& key) const {
    Place out;
    out.failures = failures(key);
    if (const auto run = running_.find(key); run != running_.end()) out.running_since = run->second;
    const auto& wishes = out.running_since ? again_ : waiting_;
    if (const auto wish = wishes.find(key); wish != wishes.end()) {
        out.due = wish->second.due;
        out.priority = wish->second.priority;
    }
    return out;
}

WorkQueue::Counts WorkQueue::counts(Instant now) const {
    Counts out{waiting_.size(), 0, running_.size(), failures_.size()};
    for (const auto* line : {&high_, &low_})
        for (const auto& [due, key] : *line) {
            if (due > now) break;
            ++out.due;
        }
    return out;
}

WorkQueue::Times WorkQueue::next(std::size_t most) const {
    Times out;
    auto high = high_.begin(), low = low_.begin();
    while (out.size() < most && (high != high_.end() || low != low_.end())) {
        const bool take_high = low == low_.end() || (high != high_.end() && high->first <= low->first);
        const auto& [due, key] = take_high ? *high++ : *low++;
        out.emplace_back(key, due);
    }
    return out;
}

std::optional<Instant> WorkQueue::next_due() const {
    if (high_.empty() && low_.empty()) return std::nullopt;
    if (high_.empty()) return low_.begin()->first;
    if (low_.empty()) return high_.begin()->first;
    return std::min(high_.begin()->first, low_.begin()->first);
}

}  // namespace ocim::runtime
