#include "runtime/informers.hpp"

#include "base/log.hpp"
#include "runtime/queue.hpp"

#include <algorithm>

namespace ocim::runtime {

using namespace std::chrono_literals;

namespace {

constexpr Duration retry_min = 500ms, retry_max = 30s;
constexpr Duration watch_turn_max = 5min;  // one wait for events; a quiet kind just waits again

}  // namespace

void Informers::follow(const api::Kind& kind) {
    if (!kinds_.emplace(kind_id(kind), kind).second) return;
    cache_.track(kind);
    tasks_.spawn("informer of " + std::string(kind.name), run(kind));
}

awaitable<void> Informers::wait_synced() {
    for (;;) {
        const bool all = std::ranges::all_of(kinds_, [&](const auto& item) { return cache_.synced(item.second); });
        if (all) co_return;
        co_await synced_.wait();
    }
}

awaitable<void> Informers::stop() { co_await tasks_.stop(); }

awaitable<void> Informers::run(api::Kind kind) {
    std::string resource_version;  // empty: list first
    unsigned failures = 0;
    for (;;) {
        const auto ended = co_await list_and_watch(kind, resource_version, failures);
        const bool expired = ended.error().error_class == ErrorClass::conflict;
        if (expired) resource_version.clear();
        if (!expired || failures > 0)
            log::warning("watch ended", {{"kind", std::string(kind.name)}, {"reason", ended.error().message}});
        const auto wait = back_off(failures, retry_min, retry_max, random_);
        ++failures;
        co_await clock_.sleep(wait);
    }
}

awaitable<Result<void>> Informers::list_and_watch(api::Kind kind, std::string& resource_version, unsigned& failures) {
    if (resource_version.empty()) {
        CO_TRY(auto list, co_await client_.list(kind, ""));
        auto listed_at = list.resource_version;
        const bool first = !cache_.synced(kind);
        cache_.replace(kind, std::move(list));
        resource_version = std::move(listed_at);
        if (first && listener_) listener_(kind);
        synced_.notify();
    }
    CO_TRY(const auto watch, co_await client_.watch(kind, "", resource_version));
    for (;;) {
        const auto turn_end = clock_.now() + watch_turn_max;
        CO_TRY(const auto events, co_await watch->next(turn_end));
        failures = 0;
        for (const auto& event : events) {
            cache_.event(kind, event);
            resource_version = std::string(api::find_text(event.object, {"metadata", "resourceVersion"}));
        }
    }
}

}  // namespace ocim::runtime
