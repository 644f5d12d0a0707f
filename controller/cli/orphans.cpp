#include "cli/cli.hpp"
#include "cli/command.hpp"
#include "cli/output.hpp"
#include "cli/targets.hpp"
#include "net/http_client.hpp"
#include "runtime/engine.hpp"
#include "schema/column.hpp"

#include <iostream>

namespace ocim::cli {

namespace {

using api::Json;

constexpr Flag flags[] = {
    {.name = "output", .value = "FORMAT", .help = "name, for the backends' names only.", .letter = 'o'},
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
    std::vector<std::string> told;
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

Answer<> read_events(Connection& server, std::vector<Holder>& holders) {
    for (auto& holder : holders) {
        if (holder.orphans == 0) continue;
        const auto fields = "reason=OrphanFound,involvedObject.name=" + holder.named.name +
                            ",involvedObject.kind=" + holder.named.kind->kind;
        const auto events = server.get("/api/v1/events?fieldSelector=" + net::percent_encode(fields));
        if (!events) return events.error();
        if (const auto* items = api::find(*events, {"items"}); items && items->is_array())
            for (const auto& event : items->get_array()) holder.told.emplace_back(api::find_text(event, {"message"}));
    }
    return {};
}

std::string text_or(const Json& object, std::initializer_list<std::string_view> path, const char* otherwise) {
    const auto found = api::find_text(object, path);
    return found.empty() ? otherwise : std::string(found);
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
    for (const auto& one : holders) {
        if (one.orphans == 0) continue;
        std::cout << "\n" << one.named.text() << ":\n";
        for (const auto& what : one.told) std::cout << "  " << what << "\n";
        if (static_cast<std::int64_t>(one.told.size()) < one.orphans)
            std::cout << "  what was found more than an hour ago is in the server's log\n";
    }
    std::cout << std::flush;
}

int orphans(const Arguments& arguments) {
    const auto output = arguments.text("output");
    if (!output.empty() && output != "name") {
        complain("--output " + output + ": give name");
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
    if (output == "name") {
        for (const auto& one : *found)
            if (one.orphans > 0) std::cout << one.named.text() << "\n";
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
