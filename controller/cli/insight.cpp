#include "cli/insight.hpp"

#include "net/http_client.hpp"
#include "schema/column.hpp"

#include <algorithm>

namespace ocim::cli {

namespace {

using api::Json;

std::optional<WallTime> time_at(const Json& row, std::initializer_list<std::string_view> path) {
    const auto read = parse_rfc3339(api::find_text(row, path));
    return read ? std::optional(*read) : std::nullopt;
}

std::int64_t number_at(const Json& row, std::initializer_list<std::string_view> path) {
    const auto* found = api::find(row, path);
    return found && found->is_int64() ? found->get_int64() : 0;
}

std::optional<LastCall> call_of(const Json& row) {
    const auto at = time_at(row, {"at"});
    if (!at) return std::nullopt;
    const std::string call(api::find_text(row, {"call"})), message(api::find_text(row, {"message"}));
    const bool failed = api::find_text(row, {"result"}) != "success";
    return LastCall{*at, failed, call + (message.empty() ? "" : ": " + message)};
}

/// "in 12s (2026-11-23T20:48:07Z)".
std::string at(WallTime when, WallTime now) {
    if (when <= now) return "at any moment";
    return "in " + schema::age(now, when) + " (" + rfc3339(when) + ")";
}

}  // namespace

Insight insight_of_object(const Json& row) {
    Insight out;
    out.doing = api::find_text(row, {"acting", "action"});
    out.doing_since = time_at(row, {"acting", "since"});
    out.next_try = time_at(row, {"nextTry"});
    out.next_look = time_at(row, {"nextLook"});
    out.next_probe = time_at(row, {"nextProbe"});
    const auto* awaits = api::find(row, {"awaitsLook"});
    out.awaits_look = awaits && awaits->is_bool() && awaits->get_bool();
    if (const auto* last = api::find(row, {"lastCall"})) out.last = call_of(*last);
    if (out.last && out.last->failed) out.last->times = std::max<std::int64_t>(1, number_at(row, {"failures"}));
    return out;
}

Insight insight_of_backend(const api::json::array& rows) {
    Insight out;
    for (const auto& row : rows) {
        const bool works = api::find_text(row, {"breaker", "state"}) == "Closed";
        const auto probe = time_at(row, {"breaker", "nextProbe"}), look = time_at(row, {"cache", "nextLook"});
        if (!works && probe) out.next_probe = std::min(*probe, out.next_probe.value_or(*probe));
        if (works && look) out.next_look = std::min(*look, out.next_look.value_or(*look));
        for (const auto* call : {"probe", "observe", "act", "open"}) {
            const auto* last = api::find(row, {"lastCalls", call});
            auto read = last ? call_of(*last) : std::nullopt;
            if (read && (!out.last || out.last->at < read->at)) out.last = std::move(read);
        }
    }
    return out;
}

std::optional<std::string> next_try(const Standing& standing, const Insight& insight, bool waits, WallTime now) {
    if (standing.paused || standing.stalled) return std::nullopt;
    if (insight.doing_since) return "now, since " + schema::age(*insight.doing_since, now) + ": " + insight.doing;
    if (insight.next_probe) return "as soon as the backend answers: it is asked again " + at(*insight.next_probe, now);
    if (insight.awaits_look && insight.next_look)
        return "after the next look at its backend, " + at(*insight.next_look, now);
    if (insight.next_try) return at(*insight.next_try, now);
    if (waits) return "as soon as what it waits on changes";
    if (insight.next_look)
        return "when a look at its backend shows a change; the next is " + at(*insight.next_look, now);
    return std::nullopt;
}

std::optional<Insight> Insights::of(const std::string& kind, const std::string& namespace_, const std::string& name) {
    const auto query = "?kind=" + net::percent_encode(kind) + "&namespace=" + net::percent_encode(namespace_) +
                       "&name=" + net::percent_encode(name);
    const auto objects = rows("objects", query);
    if (objects && !objects->empty()) return insight_of_object(objects->front());
    const auto backends = rows("backends", query);
    if (backends && !backends->empty()) return insight_of_backend(*backends);
    return std::nullopt;
}

std::optional<api::json::array> Insights::rows(const std::string& page, const std::string& query) {
    if (refused_) return std::nullopt;
    const auto answer = server_.get("/debug/" + page + query);
    const auto* items = answer ? api::find(*answer, {"items"}) : nullptr;
    refused_ = !items || !items->is_array();
    if (refused_) return std::nullopt;
    return items->get_array();
}

}  // namespace ocim::cli
