#include "runtime/events.hpp"

#include "base/log.hpp"
#include "base/utf8.hpp"

#include <algorithm>

namespace ocim::runtime {

using namespace std::chrono_literals;
using api::Json;

namespace {

constexpr std::size_t queue_max = 1'000;       // events that wait to be written
constexpr std::size_t known_max = 10'000;      // series and budgets that we remember
constexpr std::size_t note_bytes_max = 1'024;  // as the API server demands
constexpr auto series_gap_max = 6min;
constexpr auto series_write_interval = 30min;
constexpr double burst = 25, refill_per_second = 1.0 / 300;

std::string text_at(const Json& object, std::initializer_list<std::string_view> path) {
    return std::string(api::find_text(object, path));
}

Json reference_to(const Json& object) {
    api::json::object out;
    out["apiVersion"] = text_at(object, {"apiVersion"});
    out["kind"] = text_at(object, {"kind"});
    out["name"] = text_at(object, {"metadata", "name"});
    for (const std::string field : {"namespace", "uid", "resourceVersion"})
        if (auto value = text_at(object, {"metadata", field}); !value.empty()) out[field] = value;
    return out;
}

Json series_patch(unsigned count, WallTime last) {
    api::json::object series;
    series["count"] = static_cast<std::int64_t>(count);
    series["lastObservedTime"] = rfc3339_micro(last);
    api::json::object out;
    out["series"] = std::move(series);
    return out;
}

}  // namespace

EventRecorder::EventRecorder(client::Client& client, Clock& clock, Random& random, Metrics& metrics)
    : client_(client),
      clock_(clock),
      random_(random),
      dropped_(metrics.counter("ocim_events_dropped_total", "Events that were not written for want of room")) {}

void EventRecorder::record(const Json& regarding, const std::string& controller, What what) {
    const auto now = clock_.wall();
    const auto object = text_at(regarding, {"metadata", "uid"});
    const auto key = object + '\n' + what.reason + '\n' + what.action + '\n' + what.note;
    if (const auto known = series_.find(key); known != series_.end() && now - known->second.last <= series_gap_max) {
        extend(key, known->second, now);
        return;
    }
    forget_old(now);
    // each reason on its own: the making of many things leaves room for word of the one that drifted
    if (!affordable(object + '\n' + what.reason, now)) {
        dropped_.Increment();
        return;
    }
    Series series;
    const auto namespace_ = text_at(regarding, {"metadata", "namespace"});
    series.namespace_ = namespace_.empty() ? "default" : namespace_;
    series.name = text_at(regarding, {"metadata", "name"}).substr(0, 230) + "." + random_.text(16, "0123456789abcdef");
    series.last = series.written = now;

    api::json::object metadata;
    metadata["name"] = series.name;
    metadata["namespace"] = series.namespace_;
    api::json::object event;
    event["apiVersion"] = "events.k8s.io/v1";
    event["kind"] = "Event";
    event["metadata"] = std::move(metadata);
    event["eventTime"] = rfc3339_micro(now);
    event["type"] = what.warning ? "Warning" : "Normal";
    event["reason"] = what.reason;
    event["action"] = what.action;
    event["note"] = valid_utf8(what.note, note_bytes_max);
    event["reportingController"] = "ocim.opencraft.com/" + controller + "-controller";
    event["reportingInstance"] = "ocim";
    event["regarding"] = reference_to(regarding);
    series_.insert_or_assign(key, std::move(series));
    queue({true, key, std::move(event)});
}

void EventRecorder::extend(const std::string& key, Series& series, WallTime now) {
    ++series.count;
    series.last = now;
    if (series.count > 2 && now - series.written < series_write_interval) return;
    series.written = now;
    queue({false, key, series_patch(series.count, now)});
}

bool EventRecorder::affordable(const std::string& topic, WallTime now) {
    auto& budget = budgets_.try_emplace(topic, Budget{burst, now}).first->second;
    const std::chrono::duration<double> passed = now - budget.refilled;
    budget.tokens = std::min(burst, budget.tokens + passed.count() * refill_per_second);
    budget.refilled = now;
    if (budget.tokens < 1) return false;
    budget.tokens -= 1;
    return true;
}

void EventRecorder::forget_old(WallTime now) {
    if (series_.size() >= known_max)
        std::erase_if(series_, [now](const auto& item) { return now - item.second.last > series_gap_max; });
    if (series_.size() >= known_max) series_.clear();
    if (budgets_.size() >= known_max)
        std::erase_if(budgets_, [now](const auto& item) { return now - item.second.refilled > 2h; });
    if (budgets_.size() >= known_max) budgets_.clear();
}

void EventRecorder::queue(Write write) {
    if (writes_.size() >= queue_max) {
        dropped_.Increment();
        return;
    }
    writes_.push_back(std::move(write));
    wake_.notify();
}

awaitable<void> EventRecorder::run() {
    for (;;) {
        if (writes_.empty()) {
            co_await wake_.wait();
            continue;
        }
        co_await write_next();
    }
}

awaitable<void> EventRecorder::flush() {
    while (!writes_.empty()) { co_await write_next(); }
}

awaitable<void> EventRecorder::write_next() {
    auto write = std::move(writes_.front());
    writes_.pop_front();
    if (write.create) {
        const auto created = co_await client_.create(api::event_kind, std::move(write.body));
        if (created) co_return;
        dropped_.Increment();
        log::warning("event not written", {{"reason", created.error().message}});
        series_.erase(write.series);
        co_return;
    }
    const auto series = series_.find(write.series);
    if (series == series_.end()) co_return;
    auto namespace_ = series->second.namespace_, name = series->second.name;
    const auto patched = co_await client_.merge_patch(api::event_kind, std::move(namespace_), std::move(name),
                                                      std::move(write.body), "");
    if (patched) co_return;
    dropped_.Increment();
    series_.erase(write.series);  // it has expired: the next one is a new event
}

}  // namespace ocim::runtime
