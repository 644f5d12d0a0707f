#include "runtime/debug.hpp"

#include "runtime/debug_view.hpp"

#include <charconv>
#include <functional>
#include <tuple>

namespace ocim::runtime {

namespace {

using api::json::array;
using api::json::object;

/// The rows of one page, and where the next one goes on.
struct Rows {
    array items;
    std::string next{};  // empty: that was all
};

bool asked_for(const DebugQuery& query, std::string_view kind, const ObjectKey& key) {
    return (query.kind.empty() || query.kind == kind) &&
           (query.namespace_.empty() || query.namespace_ == key.namespace_) &&
           (query.name.empty() || query.name == key.name);
}

/// "dnsrecord/campus/www": the controller and the key of the last row.
std::string place_of(const std::string& controller, const ObjectKey& key) { return controller + "/" + key.text(); }

std::optional<ObjectKey> key_in(const std::string& place, const std::string& controller) {
    if (!place.starts_with(controller + "/")) return std::nullopt;
    return ObjectKey::parse(std::string_view(place).substr(controller.size() + 1));
}

std::vector<const Controller*> by_name(const DebugView& view) {
    auto out = view.controllers;
    std::ranges::sort(out, {}, [](const Controller* one) { return one->name(); });
    return out;
}

Rows queues(const DebugView& view, const DebugQuery& query, const DebugTimes& times) {
    Rows out;
    for (const auto* one : by_name(view)) {
        if (one->name() <= query.after || (!query.kind.empty() && query.kind != one->kind().name)) continue;
        if (out.items.size() == query.limit) return out;
        out.items.push_back(one->describe_queue(times));
        out.next = one->name();
    }
    out.next.clear();
    return out;
}

/// The objects of one controller from `key` on. False: the page is full.
bool add_objects(const Controller& one, std::optional<ObjectKey> key, const DebugQuery& query, const DebugTimes& times,
                 Rows& out) {
    for (; key; key = one.object_after(key)) {
        if (!asked_for(query, one.kind().name, *key)) continue;
        if (out.items.size() == query.limit) return false;
        if (auto row = one.describe_object(*key, times)) out.items.push_back(*std::move(row));
        out.next = place_of(one.name(), *key);
    }
    return true;
}

Rows objects(const DebugView& view, const DebugQuery& query, const DebugTimes& times) {
    Rows out;
    const auto done = query.after.substr(0, query.after.find('/'));
    for (const auto* one : by_name(view)) {
        if (one->name() < done || (!query.kind.empty() && query.kind != one->kind().name)) continue;
        const auto last = key_in(query.after, one->name());
        std::optional<ObjectKey> first = one->object_after(last);
        if (!query.name.empty() && !last) {  // one object is found, not searched for
            const ObjectKey named{one->kind().namespaced ? query.namespace_ : "", query.name};
            const bool whole = !one->kind().namespaced || !query.namespace_.empty();
            if (whole) {
                if (auto row = one->describe_object(named, times)) out.items.push_back(*std::move(row));
                continue;
            }
        }
        if (!add_objects(*one, std::move(first), query, times, out)) return out;
    }
    out.next.clear();
    return out;
}

Rows backends(const DebugView& view, const DebugQuery& query, const DebugTimes& times) {
    Rows out;
    auto all = view.externals;
    std::ranges::sort(all, {}, [](const ExternalController* one) { return one->name(); });
    const auto done = query.after.substr(0, query.after.find('/'));
    for (const auto* one : all) {
        if (one->name() < done) continue;
        const auto last = key_in(query.after, one->name());
        for (const auto& [key, backend] : one->backends()) {
            if ((last && key <= *last) || !asked_for(query, one->backend_kind().name, key)) continue;
            if (out.items.size() == query.limit) return out;
            out.items.push_back(backend->describe(times));
            out.next = place_of(one->name(), key);
        }
    }
    out.next.clear();
    return out;
}

Rows caches(const DebugView& view, const DebugQuery& query) {
    Rows out;
    for (const auto& kept : view.engine.cache.kept()) {
        const auto name = kept.kind.substr(kept.kind.find('/') + 1);
        if (kept.kind <= query.after || (!query.kind.empty() && query.kind != name)) continue;
        if (out.items.size() == query.limit) return out;
        out.items.push_back(object{{"group", kept.kind.substr(0, kept.kind.find('/'))},
                                   {"kind", name},
                                   {"entries", kept.objects},
                                   {"synced", kept.synced},
                                   {"inPart", kept.part},
                                   {"readByName", kept.asked},
                                   {"resourceVersion", std::to_string(kept.revision)}});
        out.next = kept.kind;
    }
    out.next.clear();
    return out;
}

object row_of(const LastErrors::Failure& failure) {
    const auto& [controller, kind, key, backend] = failure.place;
    const auto& outcome = failure.outcome;
    object out{{"of", backend ? "Backend" : "Object"}, {"controller", controller}, {"kind", kind}};
    if (!key.namespace_.empty()) out["namespace"] = key.namespace_;
    out["name"] = key.name;
    out["at"] = rfc3339_micro(outcome.at);
    out["call"] = outcome.call;
    if (outcome.error_class) out["class"] = name_of(*outcome.error_class);
    out["message"] = outcome.message;
    out["times"] = failure.times;
    if (outcome.outcome_unknown) out["outcomeUnknown"] = true;
    return out;
}

Result<Rows> errors(const DebugView& view, const DebugQuery& query) {
    std::uint64_t before = ~std::uint64_t{0};
    const auto& text = query.after;
    if (!text.empty()) {
        const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), before);
        if (error != std::errc() || end != text.data() + text.size())
            return Error{ErrorClass::invalid, "continue: \"" + text + "\" is not what the page before said"};
    }
    Rows out;
    for (;;) {
        const auto some = view.engine.errors.before(before, query.limit);
        for (const auto& failure : some) {
            before = failure.number;
            if (!asked_for(query, failure.place.kind, failure.place.key)) continue;
            if (out.items.size() == query.limit) return out;
            out.items.push_back(row_of(failure));
            out.next = std::to_string(failure.number);
        }
        if (some.empty()) break;
    }
    out.next.clear();
    return out;
}

struct Page {
    std::string_view name, kind;
    std::function<Result<Rows>(const DebugView&, const DebugQuery&, const DebugTimes&)> rows;
};

const Page* page_named(std::string_view name) {
    static const std::array<Page, debug_pages.size()> pages{{
        {"backends", "BackendList", backends},
        {"caches", "CacheList", [](const auto& view, const auto& query, const auto&) { return caches(view, query); }},
        {"errors", "ErrorList", [](const auto& view, const auto& query, const auto&) { return errors(view, query); }},
        {"objects", "ObjectList", objects},
        {"queues", "QueueList", queues},
    }};
    for (const auto& page : pages)
        if (page.name == name) return &page;
    return nullptr;
}

}  // namespace

std::string DebugTimes::text(Instant when) const {
    return rfc3339_micro(wall_ + std::chrono::duration_cast<WallTime::duration>(when - now_));
}

void DebugTimes::put(api::json::object& out, std::string_view field, std::optional<Instant> when) const {
    if (when && *when != Instant::max()) out[field] = text(*when);
}

Result<api::json::object> debug_page(const Manager& manager, std::string_view page, const DebugQuery& query) {
    const auto* known = page_named(page);
    if (!known) return Error{ErrorClass::not_found, "there is no page of that name"};
    const auto view = manager.view();
    const DebugTimes times(view.engine.clock);
    auto rows = known->rows(view, query, times);
    if (!rows) return std::move(rows).error();
    object metadata;
    metadata["continue"] = std::move(rows->next);
    return object{{"apiVersion", "debug.ocim.opencraft.com/v1alpha1"},
                  {"kind", known->kind},
                  {"metadata", std::move(metadata)},
                  {"time", rfc3339_micro(times.wall())},
                  {"items", std::move(rows->items)}};
}

}  // namespace ocim::runtime
