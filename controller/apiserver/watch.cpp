#include "apiserver/server.hpp"
#include "base/limits.hpp"

#include <charconv>

namespace ocim::apiserver {

namespace {

/// More events than that at once are written as the reader takes them, and others get their turn in between.
constexpr std::size_t few_events = 50;

void append_line(std::string& out, std::string_view type, std::string_view object) {
    out.append("{\"type\":\"").append(type).append("\",\"object\":").append(object).append("}\n");
}

std::string event_line(std::string_view type, std::string_view object) {
    std::string out;
    append_line(out, type, object);
    return out;
}

std::string_view event_type(registry::Event::Type type) {
    switch (type) {
        case registry::Event::Type::added: return "ADDED";
        case registry::Event::Type::modified: return "MODIFIED";
        case registry::Event::Type::deleted: return "DELETED";
        case registry::Event::Type::bookmark: return "BOOKMARK";
    }
    return "ERROR";
}

/// ?timeoutSeconds=, or by chance between half an hour and an hour, so that watchers do not all come back at once.
std::chrono::seconds duration_of(const Exchange& exchange, Random& random) {
    const auto text = exchange.query.get("timeoutSeconds");
    std::uint32_t seconds = 0;
    const auto [end, error] = std::from_chars(text.begin(), text.end(), seconds);
    if (error == std::errc() && end == text.end() && seconds > 0) return std::chrono::seconds(seconds);
    const auto least = limits::watch_min;
    return least + std::chrono::seconds(random.below(static_cast<std::uint64_t>(least.count())));
}

}  // namespace

awaitable<std::optional<net::ServerReply>> Server::stream(Exchange& exchange, net::Responder& responder) {
    if (draining_) {
        api::Status status;
        status.code = 503;
        status.reason = "ServiceUnavailable";
        status.message = "the server is shutting down";
        status.retry_after_seconds = 1;
        co_return refusal_reply(status);
    }
    auto watching = objects_.watch(exchange);
    if (!watching && watching.error().code == 504) {
        auto reached = co_await objects_.reach_version(exchange);
        if (!reached) co_return refusal_reply(reached.error());
        watching = objects_.watch(exchange);
    }
    if (!watching) co_return refusal_reply(watching.error());
    const bool plain = watching->printer->format().shape == Format::Shape::object;
    std::multimap<std::string, std::string> headers;
    headers.emplace("Content-Type", plain ? "application/json" : "application/json;stream=watch");
    headers.emplace("Cache-Control", "no-cache, private");
    headers.emplace("Audit-Id", exchange.audit_id);
    warn_of_deprecation(exchange.route, headers);
    co_await responder.start_stream(200, std::move(headers));
    const auto end = parts_.clock.now() + duration_of(exchange, parts_.random);
    if (watching->expired) {
        auto line = event_line("ERROR", api::to_text(watching->expired->to_json()));
        (void)co_await responder.write(std::move(line));
    } else {
        co_await send_events(exchange, *watching, responder, end);
    }
    co_await responder.finish();
    co_return std::nullopt;
}

awaitable<void> Server::send_events(const Exchange& exchange, Objects::Watching& watching, net::Responder& responder,
                                    Instant end) {
    const auto& printer = *watching.printer;
    // shortly before the end a reader is told how far he has come, so that he can go on from there
    std::optional<Instant> farewell;
    if (watching.bookmarks) farewell = end - limits::watch_farewell;
    auto told = watching.watch->seen();
    bool first = true;
    const auto known = still_known(exchange);
    while (!draining_ && parts_.clock.now() < end && known()) {
        // short waits, so that drain() is noticed, and that somebody is shut out
        auto slice = std::min<Instant>(end, parts_.clock.now() + limits::watch_slice);
        if (farewell) slice = std::min(slice, *farewell);
        auto events = co_await watching.watch->next(slice);
        std::string lines;
        if (!events) {
            lines = event_line("ERROR", api::to_text(events.error().to_json()));
            (void)co_await responder.write(std::move(lines));
            co_return;
        }
        if (events->empty() && farewell && parts_.clock.now() >= *farewell) {
            farewell.reset();
            registry::Event bookmark;
            bookmark.type = registry::Event::Type::bookmark;
            bookmark.object.revision = watching.watch->seen();
            if (bookmark.object.revision > told) events->push_back(std::move(bookmark));
        }
        const auto now = parts_.clock.wall();
        for (const auto& event : *events) {
            const bool bookmark = event.type == registry::Event::Type::bookmark;
            const auto type = event_type(event.type);
            if (bookmark)
                append_line(lines, type, printer.bookmark(event, first));
            else if (printer.verbatim())
                append_line(lines, type, *event.object.bytes);
            else
                append_line(lines, type, printer.event(event.object, first, now));
            told = event.object.revision;
            first = false;
        }
        if (lines.empty()) continue;
        const bool few = events->size() < few_events;
        if (few && responder.write_now(lines)) continue;
        const bool there = co_await responder.write(std::move(lines));
        if (!there) co_return;
        if (few) continue;
        const auto at_once = parts_.clock.now();
        co_await parts_.clock.sleep_until(at_once);
    }
}

}  // namespace ocim::apiserver
