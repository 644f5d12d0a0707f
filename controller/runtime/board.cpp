#include "runtime/board.hpp"

#include "base/log.hpp"

#include <algorithm>
#include <ranges>

namespace ocim::runtime {

using namespace std::chrono_literals;

namespace {

constexpr auto observed_written_min = 5min;  // lastObserved alone is not worth a write more often
constexpr Duration retry_delay = 1s;
constexpr std::string_view observing = "Observing";  // neither trouble nor knowledge yet
constexpr const char* in_use = "InUse";
constexpr std::size_t users_named = 3;

/// "dnsrecord of example.org" or "instance campus/demo".
std::string in_words(const std::string& user) {
    const auto first = user.find('|'), last = user.rfind('|');
    return user.substr(0, first) + (first == last ? " " : " of ") + user.substr(last + 1);
}

/// The first of them; "" of none.
std::string in_words(const std::set<std::string>& users) {
    std::string out;
    for (const auto& user : users | std::views::take(users_named)) out += (out.empty() ? "" : ", ") + in_words(user);
    if (users.size() > users_named) out += " and " + std::to_string(users.size() - users_named) + " more";
    return out;
}

std::string waits_for(const std::string& users) {
    return "It is being deleted, and stays until nothing needs it: " + users +
           ". Delete those or point them elsewhere.";
}

}  // namespace

BackendBoard::BackendBoard(Engine& engine) : engine_(engine) {}

void BackendBoard::set(const api::Kind& kind, const ObjectKey& backend, const std::string& user, BackendFacts facts) {
    auto& board = boards_.try_emplace(id(kind, backend), Board{kind, backend, {}, {}, true}).first->second;
    board.facts.insert_or_assign(user, std::move(facts));
    board.dirty = true;
    wake_.notify();
}

void BackendBoard::forget(const api::Kind& kind, const ObjectKey& backend, const std::string& user) {
    const auto found = boards_.find(id(kind, backend));
    if (found == boards_.end()) return;
    found->second.facts.erase(user);
    if (found->second.facts.empty()) boards_.erase(found);
}

void BackendBoard::use(const std::string& user, std::vector<std::pair<api::Kind, ObjectKey>> things) {
    std::set<std::string> wanted;
    for (const auto& [kind, key] : things) {
        const auto name = id(kind, key);
        wanted.insert(name);
        auto& target = targets_.try_emplace(name, Target{kind, key, {}, true}).first->second;
        if (target.users.insert(user).second) target.dirty = true;
    }
    auto& held = uses_[user];
    for (const auto& name : held) {
        if (wanted.contains(name)) continue;
        auto& target = targets_.at(name);
        target.users.erase(user);
        target.dirty = true;
    }
    held = std::move(wanted);
    if (held.empty()) uses_.erase(user);
    wake_.notify();
}

bool BackendBoard::held(const std::string& user) const {
    const auto uses = uses_.find(user);
    if (uses == uses_.end()) return false;
    return std::ranges::all_of(uses->second, [&](const std::string& name) {
        const auto& target = targets_.at(name);
        const auto object = engine_.cache.find(target.kind, target.key);
        return !object || is_deleting(*object) || has_finalizer(*object, in_use_finalizer);
    });
}

void BackendBoard::check(const api::Kind& kind, const ObjectKey& key) {
    targets_.try_emplace(id(kind, key), Target{kind, key, {}, true}).first->second.dirty = true;
    wake_.notify();
}

void BackendBoard::changed(const Change& change) {
    const auto name = change.kind + "\n" + change.key.text();
    if (const auto target = targets_.find(name); target != targets_.end()) {
        target->second.dirty = true;
        wake_.notify();
    }
    const auto board = boards_.find(name);
    if (board == boards_.end() || change.writer == this) return;
    board->second.dirty = true;
    if (!change.after) writer(board->second.kind).forget(change.key);
    wake_.notify();
}

awaitable<void> BackendBoard::run() {
    for (;;) {
        const bool boards = co_await write_boards();
        const bool finalizers = co_await write_finalizers();
        const bool dirty = std::ranges::any_of(boards_, [](const auto& item) { return item.second.dirty; }) ||
                           std::ranges::any_of(targets_, [](const auto& item) { return item.second.dirty; });
        if (!boards || !finalizers) {
            co_await engine_.clock.sleep(retry_delay);
        } else if (!dirty) {
            co_await wake_.wait();
        }
    }
}

StatusWriter& BackendBoard::writer(const api::Kind& kind) {
    std::string manager = "ocim-" + std::string(kind.name);
    std::ranges::transform(manager, manager.begin(), [](char c) { return c >= 'A' && c <= 'Z' ? char(c + 32) : c; });
    return writers_.try_emplace(kind_id(kind), engine_, kind, std::move(manager), this).first->second;
}

Standing BackendBoard::standing(Board& board, const api::Json& object) {
    BackendFacts sum;
    std::string users;
    sum.known = true;
    for (const auto& [user, facts] : board.facts) {
        if (facts.trouble && !sum.trouble) sum.trouble = facts.trouble;
        sum.stalled = sum.stalled || facts.stalled;
        sum.known = sum.known && facts.known;
        sum.objects += facts.objects;
        sum.orphans += facts.orphans;
        if (facts.last_observed)
            sum.last_observed = std::max(*facts.last_observed, sum.last_observed.value_or(WallTime()));
        if (facts.objects) users += (users.empty() ? "" : ", ") + user + " (" + std::to_string(facts.objects) + ")";
        for (const auto& field : facts.more) sum.more.insert_or_assign(field.key(), field.value());
    }
    if (sum.last_observed && *sum.last_observed - board.observed_written >= observed_written_min)
        board.observed_written = *sum.last_observed;
    auto status = std::move(sum.more);
    status["objects"] = static_cast<std::int64_t>(sum.objects);
    status["orphans"] = static_cast<std::int64_t>(sum.orphans);
    if (board.observed_written != WallTime()) status["lastObserved"] = rfc3339(board.observed_written);
    Standing out;
    out.status = std::move(status);
    if (sum.trouble)
        out.verdict = {sum.stalled ? Verdict::State::stalled : Verdict::State::progressing, sum.trouble->reason,
                       sum.trouble->message};
    else if (!sum.known)
        out.verdict = {Verdict::State::progressing, std::string(observing), "Reading what it holds."};
    else
        out.verdict = {Verdict::State::ready, "Reachable", "It answers and accepts our credentials."};
    if (is_deleting(object) && !users.empty()) {
        const auto waits = waits_for(users);
        if (sum.trouble)
            out.verdict.message += " " + waits;
        else
            out.verdict = {Verdict::State::progressing, in_use, waits};
    }
    return out;
}

awaitable<bool> BackendBoard::write_boards() {
    bool well = true;
    std::vector<std::string> names;
    for (const auto& [name, board] : boards_)
        if (board.dirty) names.push_back(name);
    for (const auto& name : names) {
        const auto found = boards_.find(name);  // it may have gone while another was written
        if (found == boards_.end()) continue;
        auto& board = found->second;
        board.dirty = false;
        auto object = engine_.cache.find(board.kind, board.key);
        if (!object) continue;
        if (board.observed_written == WallTime())  // as an earlier run wrote it
            if (const auto at = parse_rfc3339(api::find_text(*object, {"status", "lastObserved"})))
                board.observed_written = *at;
        auto said = standing(board, *object);
        const bool nothing_new = said.verdict.reason == observing && condition(*object, "Ready");
        if (nothing_new) continue;
        auto& to = writer(board.kind);
        const auto written = co_await to.write(std::move(object), std::move(said));
        if (written) continue;
        log::warning("backend status not written", {{"backend", name}, {"reason", written.error().message}});
        well = false;
        if (const auto again = boards_.find(name); again != boards_.end()) again->second.dirty = true;
    }
    co_return well;
}

awaitable<bool> BackendBoard::write_finalizers() {
    bool well = true;
    std::vector<std::string> names;
    for (const auto& [name, target] : targets_)
        if (target.dirty) names.push_back(name);
    for (const auto& name : names) {
        auto& target = targets_.at(name);
        target.dirty = false;
        const bool wanted = !target.users.empty();
        const auto kind = target.kind;
        auto key = target.key;
        tell_who_waits(target);
        const auto written = co_await write_finalizer(kind, std::move(key), wanted);
        auto& after = targets_.at(name);  // only this coroutine erases
        if (!written) {
            after.dirty = true;
            well = false;
        } else if (after.users.empty() && !after.dirty) {
            targets_.erase(name);
        }
    }
    if (listener_ && !names.empty()) listener_();
    co_return well;
}

/// A Secret has no status to say it in.
void BackendBoard::tell_who_waits(const Target& target) {
    const auto object = engine_.cache.find(target.kind, target.key);
    if (!object || !is_deleting(*object) || target.users.empty()) return;
    engine_.events.record(*object, "ocim", {true, in_use, "Delete", waits_for(in_words(target.users))});
}

awaitable<Result<void>> BackendBoard::write_finalizer(api::Kind kind, ObjectKey key, bool wanted) {
    auto object = engine_.cache.find(kind, key);
    if (!object) co_return Result<void>();
    const std::string finalizer(in_use_finalizer);
    if (has_finalizer(*object, finalizer) == wanted) co_return Result<void>();
    if (wanted && is_deleting(*object)) co_return Result<void>();
    if (wanted) {
        CO_TRY([[maybe_unused]] const auto put,
               co_await add_finalizer(engine_, kind, std::move(object), finalizer, this));
        co_return Result<void>();
    }
    CO_TRY([[maybe_unused]] const auto off,
           co_await remove_finalizer(engine_, kind, std::move(object), finalizer, this));
    co_return Result<void>();
}

}  // namespace ocim::runtime
