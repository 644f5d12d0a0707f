#include "cli/cli.hpp"
#include "cli/command.hpp"
#include "cli/output.hpp"
#include "cli/targets.hpp"
#include "cli/waiting.hpp"
#include "schema/column.hpp"

#include <algorithm>
#include <cctype>
#include <iostream>

namespace ocim::cli {

namespace {

using api::Json;

constexpr Duration week = std::chrono::hours(24 * 7);  // what a negative --timeout means, as in kubectl

constexpr Flag flags[] = {
    {"for", "WHAT",
     "delete, create, condition=NAME[=VALUE], or jsonpath={.status.phase}[=VALUE]. A condition counts when it was "
     "said of the newest spec.",
     "", true},
    {"timeout", "DURATION", "How long to wait: 30s, 5m; 0s to look once, less for a week.", "30s"},
    filename_flag,
    recursive_flag,
    namespace_flag,
    all_namespaces_flag,
    selector_flag,
    {"all", "", "All of the kind in the namespace."},
    {.name = "output", .value = "name", .help = "Print names only.", .letter = 'o'},
    kubeconfig_flag,
    context_flag,
    help_flag,
};

constexpr Example examples[] = {
    {"Until an instance serves", "ocim wait --for=condition=Ready instance/demo --timeout=30m"},
    {"Until it is gone", "ocim wait --for=delete instance/demo --timeout=10m"},
    {"For a value", "ocim wait --for=jsonpath={.status.phase}=Ready ovm/demo-1"},
};

bool same_word(std::string_view a, std::string_view b) {
    return std::ranges::equal(a, b,
                              [](unsigned char x, unsigned char y) { return std::tolower(x) == std::tolower(y); });
}

std::int64_t number(const Json* value) { return value && value->is_int64() ? value->get_int64() : 0; }

bool has_condition(const Json& object, const std::string& type, const std::string& wanted) {
    const auto* conditions = api::find(object, {"status", "conditions"});
    if (!conditions || !conditions->is_array()) return false;
    const auto generation = number(api::find(object, {"metadata", "generation"}));
    for (const auto& one : conditions->get_array()) {
        if (!same_word(api::find_text(one, {"type"}), type)) continue;
        const auto* said_of = api::find(one, {"observedGeneration"});
        if (said_of && number(said_of) < generation) return false;
        return same_word(api::find_text(one, {"status"}), wanted);
    }
    return false;
}

/// What --for asks for.
struct Wish {
    Holds holds;
    bool of_absent = false;  ///< an object that is not there is no error
};

Result<Wish> path_wish(std::string_view text) {
    const auto close = text.rfind('}');
    const auto equals = text.find('=', close == text.npos ? 0 : close);
    auto path = schema::JsonPath::parse(text.substr(0, equals));
    if (!path) return std::move(path).error().within("--for");
    std::optional<std::string> wanted;
    if (equals != text.npos) wanted = text.substr(equals + 1);
    return Wish{[path = *std::move(path), wanted](const Json* object) {
        if (!object) return false;
        const auto found = path.find(*object);
        if (found.empty()) return false;
        if (!wanted) return true;
        const auto& value = *found.front();
        return (value.is_string() ? std::string(value.get_string()) : api::to_text(value)) == *wanted;
    }};
}

Result<Wish> wish_of(const std::string& text) {
    if (same_word(text, "delete")) return Wish{[](const Json* object) { return !object; }, true};
    if (same_word(text, "create")) return Wish{[](const Json* object) { return object != nullptr; }, true};
    if (text.starts_with("jsonpath=")) return path_wish(std::string_view(text).substr(9));
    constexpr std::string_view condition = "condition=";
    if (!text.starts_with(condition))
        return Error{ErrorClass::invalid,
                     "unrecognized condition: \"" + text +
                         "\"; give delete, create, condition=NAME[=VALUE] or jsonpath={PATH}[=VALUE]"};
    const auto rest = text.substr(condition.size());
    const auto equals = rest.find('=');
    const auto type = rest.substr(0, equals);
    const auto value = equals == rest.npos ? std::string("true") : rest.substr(equals + 1);
    return Wish{[type, value](const Json* object) { return object && has_condition(*object, type, value); }};
}

int wait(Connection& server, const Arguments& arguments, const Wish& wish, Duration limit) {
    ServedKinds kinds(server);
    const auto chosen = select(server, kinds, arguments);
    if (!chosen) {
        complain(chosen.error());
        return exit_failed;
    }
    const auto wished = arguments.text("for");
    if (chosen->empty() && !same_word(wished, "delete")) {
        complain("error: no matching resources found");
        return exit_failed;
    }
    const auto deadline = server.now() + (limit < Duration::zero() ? week : limit);
    bool failed = false;
    for (const auto& one : *chosen) {
        std::optional<Refusal> absent;
        std::string last;
        bool seen = false;
        const auto met = wait_for(server, {one}, deadline, [&](const Json* object) {
            if (object) {
                seen = true;
                last = told_by(*object);
            }
            if (!object && !wish.of_absent) absent = api::not_found(one.kind->plural, one.kind->group, one.name);
            return absent || wish.holds(object);
        });
        failed = failed || !met || absent || !*met;
        if (!met || absent)
            complain(met ? *absent : met.error());
        else if (!*met)
            std::cerr << "error: timed out waiting for the condition on " << one.kind->plural << "/" << one.name
                      << (last.empty() ? "" : " (" + last + ")") << std::endl;
        else if (seen)  // of what was never there kubectl says nothing
            std::cout << one.text() << (arguments.text("output") == "name" ? "" : " condition met") << std::endl;
    }
    return failed ? exit_failed : exit_ok;
}

int run_wait(const Arguments& arguments) {
    const auto wish = wish_of(arguments.text("for"));
    const auto limit = timeout_of(arguments);
    if (!wish || !limit) {
        complain(wish ? limit.error().message : wish.error().message);
        return exit_usage;
    }
    const auto server = Connection::open(arguments);
    if (!server) {
        complain(server.error().message);
        return exit_failed;
    }
    return wait(**server, arguments, *wish, *limit);
}

}  // namespace

constinit const Command wait_command{
    .name = "wait",
    .summary = "Wait until something holds of objects.",
    .synopsis =
        "--for=WHAT KIND/NAME... [FLAGS]\n--for=WHAT KIND --all|-l LABELS [FLAGS]\n--for=WHAT -f FILE|DIR [FLAGS]",
    .description = "On a terminal it says what each is waiting for meanwhile.",
    .flags = flags,
    .examples = examples,
    .run = run_wait,
    .operands = Operands::taken,
    .completes = Completes::objects,
};

}  // namespace ocim::cli
