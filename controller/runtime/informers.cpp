#include "runtime/informers.hpp"

#include "base/log.hpp"
#include "runtime/queue.hpp"

#include <algorithm>
#include <functional>

namespace ocim::runtime {

using namespace std::chrono_literals;

namespace {

constexpr Duration retry_min = 500ms, retry_max = 30s;
constexpr Duration asked_max = 5min;       // what a server may ask us to wait
constexpr Duration watch_turn_max = 5min;  // one wait for events; a quiet kind just waits again
/// A watch that left an event out would never tell of it: so often is everything listed anew, each kind at its time.
constexpr Duration relist_least = 45min, relist_most = 60min;

}  // namespace

void Informers::follow(const api::Kind& kind) {
    if (!kinds_.emplace(kind_id(kind), kind).second) return;
    // Secrets and ConfigMaps are everybody's
    if (kind.group.empty())
        cache_.track_part(kind);
    else
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
        if (ended) {
            resource_version.clear();
            continue;
        }
        const bool expired = ended.error().error_class == ErrorClass::conflict;
        if (expired) resource_version.clear();
        if (!expired || failures > 0)
            log::warning("watch ended", {{"kind", std::string(kind.name)}, {"reason", ended.error().message}});
        co_await rest(failures, ended.error());
    }
}

awaitable<void> Informers::rest(unsigned& failures, Error error) {
    const auto asked = std::min(error.retry_after.value_or(Duration(0)), asked_max);
    const auto wait = std::max(back_off(failures, retry_min, retry_max, random_), asked);
    ++failures;
    co_await clock_.sleep(wait);
}

bool Informers::look(const api::Kind& kind, const ObjectKey& key) {
    if (!cache_.synced(kind)) return false;
    if (cache_.known(kind, key)) return true;
    if (cache_.ask_for(kind, key)) read_soon(kind, key);
    return cache_.known(kind, key);
}

void Informers::read_soon(const api::Kind& kind, ObjectKey key) {
    const auto what = "reading " + std::string(kind.name) + " " + key.text();
    tasks_.spawn(what, read(kind, std::move(key)));
}

awaitable<void> Informers::read(api::Kind kind, ObjectKey key) {
    co_await clock_.sleep(Duration(0));  // whoever asked is in the middle of a decision
    for (unsigned failures = 0;;) {
        auto found = co_await client_.get(kind, key.namespace_, key.name);
        const bool absent = !found && found.error().error_class == ErrorClass::not_found;
        if (!found && !absent) {
            log::warning("not read",
                         {{"kind", std::string(kind.name)}, {"object", key.text()}, {"reason", found.error().message}});
            co_await rest(failures, found.error());
            continue;
        }
        auto told = found ? std::optional(*std::move(found)) : std::nullopt;
        if (cache_.read(kind, key, std::move(told))) co_return;
    }
}

awaitable<Result<void>> Informers::list_and_watch(api::Kind kind, std::string& resource_version, unsigned& failures) {
    if (resource_version.empty()) {
        client::Wanted wanted = [this, kind](const Json& object) { return cache_.keeps(kind, object); };
        cache_.begin_list(kind);
        CO_TRY(auto list, co_await client_.list(kind, "", std::move(wanted)));
        auto listed_at = list.resource_version;
        const bool first = !cache_.synced(kind);
        for (auto& key : cache_.replace(kind, std::move(list))) read_soon(kind, std::move(key));
        resource_version = std::move(listed_at);
        if (first && listener_) listener_(kind);
        synced_.notify();
    }
    const auto share = std::hash<std::string>()(kind_id(kind)) % 100;
    const auto relist_at = clock_.now() + relist_least + (relist_most - relist_least) * share / 100;
    CO_TRY(const auto watch, co_await client_.watch(kind, "", resource_version));
    while (clock_.now() < relist_at) {
        const auto turn_end = std::min<Instant>(relist_at, clock_.now() + watch_turn_max);
        CO_TRY(const auto events, co_await watch->next(turn_end));
        failures = 0;
        for (const auto& event : events) {
            cache_.event(kind, event);
            resource_version = std::string(api::find_text(event.object, {"metadata", "resourceVersion"}));
        }
    }
    co_return Result<void>{};
}

}  // namespace ocim::runtime
