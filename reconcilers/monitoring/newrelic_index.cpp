#include "monitoring/newrelic_index.hpp"

#include "monitoring/newrelic_queries.hpp"

#include <algorithm>
#include <utility>
#include <vector>

namespace ocim::monitoring::newrelic {

namespace {

namespace json = api::json;

constexpr int pages_max = 500;           // of 200 monitors each
constexpr std::size_t look_up_max = 25;  // GUIDs of one call

Result<void> read(const json::array& items, Entities& out) {
    for (const auto& item : items) {
        if (item.is_null()) continue;
        auto entity = entity_of(item);
        if (!entity) return std::move(entity).error();
        if (!*entity) continue;
        const auto guid = (*entity)->shown.guid;
        out.insert_or_assign(guid, **std::move(entity));
    }
    return {};
}

void stand_in(Entity& shown, const Entity& written) {
    shown.shown = written.shown;
    shown.tags = joined(std::move(shown.tags), written.tags);
    shown.mark = written.mark;
}

}  // namespace

Result<void> sees_account(const api::Json& data) {
    const auto* account = api::find(data, {"actor", "account"});
    if (account && account->is_object()) return {};
    return Error{ErrorClass::auth, "New Relic: the key's user may not see the account, or it does not exist"};
}

Index::Index(NerdGraph& nerd_graph, Clock& clock, std::string installation)
    : nerd_graph_(nerd_graph), clock_(clock), installation_(std::move(installation)) {}

awaitable<Result<void>> Index::look() {
    CO_TRY(auto found, co_await list());
    // what is not listed after so long is asked for like any other
    std::erase_if(written_, [&](const auto& item) { return clock_.now() > item.second.until; });
    CO_TRY(auto behind, co_await missing(found));
    found.merge(behind);
    // from here on nothing is awaited: what was done during the look is in `written_`
    take_written(found);
    entities_ = std::move(found);
    known_.clear();
    for (const auto& [guid, entity] : entities_)
        if (entity.mark && entity.mark->installation == installation_) known_.insert(guid);
    co_return Result<void>();
}

awaitable<Result<Entities>> Index::list() {
    const auto query = "domain = 'SYNTH' AND type = 'MONITOR' AND accountId = " + std::to_string(nerd_graph_.account());
    Entities out;
    std::string cursor;
    for (int page = 0;; ++page) {
        if (page > pages_max) co_return strange("its pages have no end", false);
        json::object variables{{"account", nerd_graph_.account()}, {"query", query}};
        if (!cursor.empty()) variables["cursor"] = cursor;
        CO_TRY(const auto data, co_await nerd_graph_.ask(list_monitors, std::move(variables)));
        // of an account that it may not see it says only that nothing was found
        CO_CHECK(sees_account(data));
        const auto* results = api::find(data, {"actor", "entitySearch", "results"});
        const auto* items = results ? api::find(*results, {"entities"}) : nullptr;
        if (!items || !items->is_array()) co_return strange("a page holds no entities", false);
        CO_CHECK(read(items->get_array(), out));
        const std::string next(api::find_text(*results, {"nextCursor"}));
        if (next.empty()) break;
        if (next == cursor) co_return strange("a page leads to itself", false);
        cursor = next;
    }
    co_return out;
}

/// Ours that the list does not show and that are there all the same.
awaitable<Result<Entities>> Index::missing(Entities found) {
    std::vector<std::string> asked;
    for (const auto& guid : known_)
        if (!found.contains(guid) && !written_.contains(guid)) asked.push_back(guid);
    Entities out;
    for (std::size_t at = 0; at < asked.size(); at += look_up_max) {
        json::array guids;
        for (std::size_t i = at; i < std::min(at + look_up_max, asked.size()); ++i) guids.emplace_back(asked[i]);
        json::object variables{{"guids", std::move(guids)}};
        CO_TRY(const auto data, co_await nerd_graph_.ask(look_up, std::move(variables)));
        const auto* items = api::find(data, {"actor", "entities"});
        if (!items || !items->is_array()) co_return strange("it does not say which entities there are", false);
        CO_CHECK(read(items->get_array(), out));
    }
    co_return out;
}

/// What we did stands in for what the index does not show yet.
void Index::take_written(Entities& found) {
    for (auto it = written_.begin(); it != written_.end();) {
        const auto& [guid, written] = *it;
        const auto shown = found.find(guid);
        const bool caught_up = written.now && shown != found.end() &&
                               ours_of(shown->second.tags) == ours_of(written.now->tags) &&
                               agrees(shown->second.shown, written.now->shown);
        if (caught_up) {
            it = written_.erase(it);
            continue;
        }
        if (!written.now)
            found.erase(guid);
        else if (shown == found.end())
            found.emplace(guid, *written.now);
        else
            stand_in(shown->second, *written.now);
        ++it;
    }
}

void Index::remember(const Entity& entity) {
    written_[entity.shown.guid] = {clock_.now() + index_delay_max, entity};
    entities_.insert_or_assign(entity.shown.guid, entity);
    known_.insert(entity.shown.guid);
}

void Index::forget(const std::string& guid) {
    written_[guid] = {clock_.now() + index_delay_max, std::nullopt};
    entities_.erase(guid);
    known_.erase(guid);
}

}  // namespace ocim::monitoring::newrelic
