#include "base/utf8.hpp"
#include "cli/cli.hpp"
#include "cli/command.hpp"
#include "cli/output.hpp"
#include "cli/targets.hpp"
#include "net/http_client.hpp"
#include "runtime/engine.hpp"
#include "schema/column.hpp"

#include <algorithm>
#include <iostream>

namespace ocim::cli {

namespace {

using api::Json;

/// Of what an Event says; a line on most terminals is shorter, but a name should not be cut.
constexpr std::size_t message_width_max = 400;

constexpr Flag flags[] = {
    {.name = "output",
     .value = "FORMAT",
     .help = "json or yaml, for programs, or name for the backends' names only.",
     .letter = 'o'},
    kubeconfig_flag,
    context_flag,
    help_flag,
};

constexpr Example examples[] = {
    {"What is left in all backends", "ocim orphans"},
    {"Let a zone remove its own after a day",
     "kubectl patch dnszone example --type=merge -p "
     "'{\"spec\":{\"orphanPolicy\":{\"action\":\"Delete\",\"minAge\":\"24h\"}}}'"},
};

/// A backend that counts orphans, and what was said of each.
struct Holder {
    Named named;
    Json object;
    std::int64_t orphans = 0;
    std::vector<Json> told;  ///< its Events, the oldest first
};

Answer<std::vector<Holder>> holders(Connection& server) {
    ServedKinds kinds(server);
    const auto ours = kinds.of_group(runtime::group);
    if (!ours) return ours.error();
    std::vector<Holder> out;
    for (const auto* kind : *ours) {
        if (kind->namespaced) continue;
        auto objects = list(server, *kind, "");
        if (!objects) return std::move(objects).error();
        for (auto& object : *objects) {
            const auto* count = api::find(object, {"status", "orphans"});
            if (!count || !count->is_int64()) continue;
            Named named{kind, "", std::string(api::find_text(object, {"metadata", "name"}))};
            named.kind = kind;
            out.push_back({std::move(named), std::move(object), count->get_int64(), {}});
        }
    }
    return out;
}

/// In RFC 3339, so that the order of texts is that of times.
std::string seen_first(const Json& event) {
    for (const auto* field : {"firstTimestamp", "eventTime"})
        if (const auto found = api::find_text(event, {field}); !found.empty()) return std::string(found);
    return std::string(api::find_text(event, {"metadata", "creationTimestamp"}));
}

Answer<> read_events(Connection& server, std::vector<Holder>& holders) {
    for (auto& holder : holders) {
        if (holder.orphans == 0) continue;
        const auto fields =
            "involvedObject.name=" + holder.named.name + ",involvedObject.kind=" + holder.named.kind->kind;
        auto events = server.get("/api/v1/events?fieldSelector=" + net::percent_encode(fields));
        if (!events) return events.error();
        if (auto* items = events->get_object().if_contains("items"); items && items->is_array())
            for (auto& event : items->get_array())
                if (api::find_text(event, {"reason"}).starts_with("Orphan")) holder.told.push_back(std::move(event));
        std::ranges::sort(holder.told, {}, seen_first);
    }
    return {};
}

std::string text_or(const Json& object, std::initializer_list<std::string_view> path, const char* otherwise) {
    const auto found = api::find_text(object, path);
    return found.empty() ? otherwise : std::string(found);
}

/// A line each.
void print_events(const Holder& holder, WallTime now) {
    Columns columns;
    std::int64_t named = 0;
    for (const auto& event : holder.told) {
        const auto seen = parse_rfc3339(seen_first(event));
        named += api::find_text(event, {"reason"}) == "OrphanFound";
        columns.add({"  " + (seen ? schema::age(*seen, now) + " ago" : std::string("-")),
                     one_line(std::string(api::find_text(event, {"message"})), message_width_max)});
    }
    std::cout << "\n" << holder.named.text() << ":\n" << columns.take();
    if (named < holder.orphans) std::cout << "  what was found more than an hour ago is in the server's log\n";
}

void print(const std::vector<Holder>& holders, WallTime now) {
    Columns columns;
    columns.add({"BACKEND", "ORPHANS", "ACTION", "MIN-AGE", "LOOKED"});
    for (const auto& one : holders) {
        const auto looked = parse_rfc3339(api::find_text(one.object, {"status", "lastObserved"}));
        columns.add({one.named.text(), std::to_string(one.orphans),
                     text_or(one.object, {"spec", "orphanPolicy", "action"}, "Report"),
                     text_or(one.object, {"spec", "orphanPolicy", "minAge"}, "-"),
                     looked ? schema::age(*looked, now) + " ago" : "never"});
    }
    std::cout << columns.take();
    for (const auto& one : holders)
        if (one.orphans > 0) print_events(one, now);
    std::cout << std::flush;
}

Json json_of(const Holder& holder) {
    api::json::array events;
    for (const auto& event : holder.told)
        events.push_back(api::json::object{{"firstSeen", seen_first(event)},
                                           {"reason", api::find_text(event, {"reason"})},
                                           {"message", api::find_text(event, {"message"})}});
    return api::json::object{{"backend", holder.named.text()},
                             {"orphans", holder.orphans},
                             {"action", text_or(holder.object, {"spec", "orphanPolicy", "action"}, "Report")},
                             {"minAge", text_or(holder.object, {"spec", "orphanPolicy", "minAge"}, "")},
                             {"lastObserved", text_or(holder.object, {"status", "lastObserved"}, "")},
                             {"events", std::move(events)}};
}

int orphans(const Arguments& arguments) {
    const auto output = output_of(arguments);
    if (!output || *output == Output::wide) {
        complain("--output " + arguments.text("output") + ": give json, yaml or name");
        return exit_usage;
    }
    const auto server = Connection::open(arguments);
    if (!server) {
        complain(server.error().message);
        return exit_failed;
    }
    auto found = holders(**server);
    auto read = found ? read_events(**server, *found) : Answer<>(found.error());
    if (!read) {
        complain(read.error());
        return exit_failed;
    }
    if (*output == Output::name)
        for (const auto& one : *found)
            if (one.orphans > 0) std::cout << one.named.text() << "\n";
    if (*output == Output::name) return exit_ok;
    if (*output != Output::table) {
        api::json::array all;
        for (const auto& one : *found) all.push_back(json_of(one));
        std::cout << printed(api::json::object{{"backends", std::move(all)}}, *output) << std::flush;
        return exit_ok;
    }
    if (found->empty())
        std::cerr << "No backend has been looked through yet: \"ocim get ocim\" shows what there is" << std::endl;
    else
        print(*found, (*server)->wall());
    return exit_ok;
}

}  // namespace

constinit const Command orphans_command{
    .name = "orphans",
    .summary = "Show what is left in backends without an object.",
    .synopsis = "[FLAGS]",
    .description =
        "An orphan carries the mark of this installation and belongs to no object: what a crash, a lost data "
        "directory\n"
        "or an abandoned object has left. It is reported, and removed only when the backend's spec.orphanPolicy says\n"
        "Delete; data never is.",
    .flags = flags,
    .examples = examples,
    .run = orphans,
};

}  // namespace ocim::cli
