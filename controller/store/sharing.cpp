#include "store/store_state.hpp"

#include "base/log.hpp"

#include <algorithm>

/// A store among others that write to the same journal.
namespace ocim::store {

namespace {

/// Turns of the loop that those get who must decide again: deciding takes one, being told another.
constexpr int decide_turns = 8;
constexpr auto stop_limit = Duration(5'000);  // for writes that were accepted
constexpr auto follow_pause = Duration(200);  // before a database is asked again that did not answer

Error decide_again() { return {ErrorClass::conflict, "another replica has written meanwhile"}; }

}  // namespace

bool Store::shared() const { return state_->journal.shared() != nullptr; }

void Store::set_listener(std::function<void(const std::string& key)> listener) {
    state_->listener = std::move(listener);
}

awaitable<bool> Store::State::take_turn(SharedJournal& log) {
    auto news = co_await log.begin(revision);
    if (!news) {
        fail(news.error());
        co_return false;
    }
    if (news->behind || news->another) {
        Result<void> loaded;
        if (news->another)
            loaded = co_await start_over(log);
        else
            loaded = co_await load_anew();
        if (!loaded) fail(loaded.error());
        co_return false;
    }
    const bool others = !news->changes.empty();
    take_over(std::move(news->changes));
    for (int turn = 0; turn < decide_turns && (waiting.empty() || (others && turn < 2)); ++turn)
        co_await clock.sleep(Duration(0));
    if (!waiting.empty()) co_return true;
    co_await log.leave();
    co_return false;
}

void Store::State::take_over(std::vector<Change> news) {
    std::erase_if(news, [this](const Change& change) { return change.revision <= revision; });
    if (news.empty()) return;
    assert(!running && news.front().revision == revision + 1);
    put_off.Increment(static_cast<double>(writes_waiting));
    refuse(decide_again());
    taken_over.Increment(static_cast<double>(news.size()));
    std::vector<std::string> keys;
    std::map<std::string_view, const Change*> before;  // of those that come more than once
    for (auto& change : news) {
        keys.push_back(change.key);
        const auto* last = std::exchange(before[change.key], &change);
        if (last && !last->deleted) {
            change.previous = last->value;
            change.previous_revision = last->revision;
        } else if (const auto* item = last ? nullptr : items.find(change.key)) {
            change.previous = item->value;
            change.previous_revision = item->revision;
        }
    }
    publish(std::move(news));
    given = revision;
    forget();
    if (listener)
        for (const auto& key : keys) listener(key);
}

awaitable<Result<void>> Store::catch_up() {
    auto& state = *state_;
    auto* log = state.journal.shared();
    if (!log) co_return Result<void>();
    if (state.stopping) co_return Error{ErrorClass::unreachable, "the store is shutting down"};
    if (!state.next_look) state.next_look = std::make_unique<Awaited>();
    auto* look = state.next_look.get();
    const auto end = look->end;
    if (!std::exchange(state.looking, true)) state.tasks.spawn("store look", state.look(*log));
    co_return co_await ended(look, end);
}

awaitable<void> Store::State::look(SharedJournal& log) {
    while (next_look) {
        const auto now = std::move(next_look);
        auto news = co_await log.tail(revision);
        // what is with the journal may be among them
        while (running) co_await turn_ended.wait();
        std::optional<Error> failed;
        if (!news) {
            failed = news.error();
        } else if (news->another) {
            auto loaded = co_await start_over(log);
            if (!loaded) failed = std::move(loaded).error();
        } else if (news->behind) {
            auto loaded = co_await load_anew();
            if (!loaded) failed = std::move(loaded).error();
        } else {
            take_over(std::move(news->changes));
        }
        now->finish(std::move(failed));
    }
    looking = false;
}

/// A standby that lacked the last writes was promoted, or an older copy was put in the place of the database.
awaitable<Result<void>> Store::State::start_over(SharedJournal& log) {
    went_back.Increment();
    log::error("the database went back in time: writes that were acknowledged are lost, and everything is read anew",
               {{"revision", std::to_string(revision)}});
    CO_CHECK(co_await log.go_on_above(revision));
    co_return co_await load_anew();
}

/// A database that says nothing does not hold up the end.
awaitable<void> Store::State::lose_patience(SharedJournal& log) {
    co_await clock.sleep(stop_limit);
    log.interrupt();
}

/// Who watches lists again.
awaitable<Result<void>> Store::State::load_anew() {
    CO_TRY(auto loaded, co_await journal.load());
    while (running) co_await turn_ended.wait();
    if (loaded.revision <= revision) co_return Result<void>();
    log::warning("everything is read anew",
                 {{"from", std::to_string(revision)}, {"to", std::to_string(loaded.revision)}});
    std::set<std::string> keys;
    for (const auto& [key, item] : items.ordered()) keys.insert(key);
    for (const auto& [key, item] : loaded.state) keys.insert(key);
    refuse(decide_again());
    items = Items();
    history.clear();
    history_bytes = 0;
    loaded.history.clear();
    loaded.compacted = loaded.revision;
    fill(std::move(loaded));
    for (auto* watcher : watchers) watcher->cut();
    if (listener)
        for (const auto& key : keys) listener(key);
    co_return Result<void>();
}

awaitable<void> Store::follow() {
    auto& state = *state_;
    auto* log = state.journal.shared();
    bool told = false;
    while (log) {
        const auto heard = co_await log->wait();
        const auto caught = co_await catch_up();
        const auto& failed = caught ? heard : caught;
        if (failed) {
            if (std::exchange(told, false)) log::info("the database answers again");
            continue;
        }
        if (!std::exchange(told, true))
            log::error("other replicas' writes are not heard of", {{"error", failed.error().message}});
        co_await state.clock.sleep(follow_pause);
    }
}

}  // namespace ocim::store
