#include "base/log.hpp"
#include "cli/applying.hpp"
#include "cli/cli.hpp"
#include "cli/command.hpp"
#include "cli/difference.hpp"
#include "cli/manifests.hpp"
#include "cli/needed_secrets.hpp"
#include "cli/output.hpp"
#include "cli/rehearsal.hpp"
#include "cli/targets.hpp"
#include "cli/waiting.hpp"
#include "runtime/engine.hpp"

#include <algorithm>
#include <iostream>
#include <map>
#include <set>

namespace ocim::cli {

namespace {

using api::Json;

constexpr int exit_changes = 2, exit_unknown = 1;

constexpr Flag flags[] = {
    filename_flag,
    recursive_flag,
    namespace_flag,
    {"delete", "", "What deleting what the manifests declare would do."},
    {"force-conflicts", "", "As if fields that others have set were taken over."},
    {.name = "output", .value = "FORMAT", .help = "json or yaml, for programs.", .letter = 'o'},
    {"timeout", "DURATION", "How long backends may take to show what they hold.", "60s"},
    kubeconfig_flag,
    context_flag,
    help_flag,
};

constexpr Example examples[] = {
    {"Before it is applied", "ocim plan -f site.yaml"},
    {"Before it is deleted", "ocim plan --delete -f site.yaml"},
    {"In a pipeline: 0 nothing, 2 changes, 1 it cannot be told", "ocim plan -f manifests/ -o json"},
};

/// What becomes of one object.
struct ObjectChange {
    Named named;
    Json before, after;  ///< null: not there
    const char* verb() const {
        return before.is_null()                    ? "create"
               : after.is_null()                   ? "delete"
               : essence(before) == essence(after) ? ""
                                                   : "change";
    }
};

class Plan {
public:
    Plan(Connection& server, const Arguments& arguments, Duration limit)
        : server_(server), arguments_(arguments), kinds_(server), limit_(limit) {}

    Answer<> make(std::vector<Json> objects) {
        for (const auto& object : objects)
            if (api::find_text(object, {"kind"}) == "Namespace")
                new_namespaces_.insert(std::string(api::find_text(object, {"metadata", "name"})));
        progress_.say("asking the server");
        for (auto& object : objects)
            if (auto checked = check(std::move(object)); !checked) return checked;
        if (auto read = read_all(); !read) return read;
        progress_.say("looking at the backends");
        auto rehearsed = Rehearsal::run(std::move(given_), limit_);
        progress_.clear();
        if (!rehearsed) return refusal(rehearsed.error().message);
        rehearsed_ = *std::move(rehearsed);
        return {};
    }

    int exit_code() const {
        if (!rehearsed_.complete) return exit_unknown;
        if (std::ranges::any_of(rehearsed_.untold, &Rehearsed::Untold::unreachable)) return exit_unknown;
        const bool changes = !rehearsed_.actions.empty() ||
                             std::ranges::any_of(objects_, [](const ObjectChange& one) { return *one.verb(); });
        return changes ? exit_changes : exit_ok;
    }
    const std::vector<ObjectChange>& objects() const { return objects_; }
    const Rehearsed& rehearsed() const { return rehearsed_; }

private:
    /// What the server would make of it, and its refusal.
    Answer<> check(Json object) {
        const auto named = place(kinds_, object, namespace_of(arguments_, server_));
        if (!named) return named.error();
        auto before = server_.get(named->target());
        if (!before && before.error().code != 404) return before.error();
        given_.asked.insert(spot_of(object));
        ObjectChange change{*named, before ? *before : Json(nullptr), nullptr};
        if (arguments_.has("delete")) {
            given_.gone.insert(spot_of(object));
            objects_.push_back(std::move(change));
            return {};
        }
        auto after =
            apply_object(server_, *named, object, {.force = arguments_.has("force-conflicts"), .dry_run = true});
        if (!after && after.error().code == 404 && new_namespaces_.contains(named->namespace_)) {
            change.after = object;
            given_.applied.push_back(std::move(object));
        } else if (!after) {
            return std::move(after).error();
        } else {
            if (!before || essence(*before) != essence(*after)) given_.after.push_back(*after);
            change.after = *std::move(after);
        }
        objects_.push_back(std::move(change));
        return {};
    }

    /// The copy that is rehearsed on.
    Answer<> read_all() {
        for (const auto& kind : Rehearsal::kinds()) {
            if (kind == api::secret_kind) continue;
            progress_.say("reading " + std::string(kind.plural));
            const auto served = served_kind(kind);
            // of ConfigMaps only the installation's own say something to the controllers
            auto found = list(server_, served, kind == api::config_map_kind ? "ocim-system" : "");
            if (!found && found.error().code == 404) continue;  // the server has no such kind
            if (!found) return with_advice(std::move(found).error());
            for (auto& object : *found) given_.before.push_back(std::move(object));
        }
        return read_needed_secrets();
    }
    /// Those that anything names, now or then.
    Answer<> read_needed_secrets() {
        progress_.say("reading secrets");
        std::vector<Json> all = given_.before;
        for (const auto* more : {&given_.after, &given_.applied}) all.insert(all.end(), more->begin(), more->end());
        auto found = read_secrets(server_, served_kind(api::secret_kind), all);
        if (!found) return with_advice(std::move(found).error());
        for (auto& object : *found) given_.before.push_back(std::move(object));
        return {};
    }
    static ServedKind served_kind(const api::Kind& kind) {
        ServedKind out;
        out.group = kind.group;
        out.version = kind.version;
        out.kind = kind.name;
        out.plural = kind.plural;
        out.namespaced = kind.namespaced;
        return out;
    }

    static Refusal with_advice(Refusal refused) {
        if (refused.code == 403)
            refused.message +=
                "\nA plan is made from everything that the controllers know: it takes the rights of ocim-admin.";
        return refused;
    }

    Connection& server_;
    const Arguments& arguments_;
    ServedKinds kinds_;
    Duration limit_;
    std::set<std::string> new_namespaces_;
    std::vector<ObjectChange> objects_;
    Rehearsal::Given given_;
    Rehearsed rehearsed_;
    Progress progress_;
};

std::string place_of(const Spot& spot) {
    const auto kind = spot.kind.substr(spot.kind.rfind('/') + 1);
    return kind + " " + spot.key.text();
}

std::string place_of(const Named& named) {
    return named.kind->kind + " " + runtime::ObjectKey{named.namespace_, named.name}.text();
}

class Printer {
public:
    std::string text(const Plan& plan) {
        const auto& told = plan.rehearsed();
        for (const auto& one : plan.objects()) object(one.verb(), place_of(one.named), one.before, one.after);
        section("Declared:");
        for (const auto& one : told.consequences) {
            const auto* verb = one.before.is_null() ? "create" : one.after.is_null() ? "delete" : "change";
            object(verb, place_of(one.spot), one.before, one.after);
        }
        section("Declared in consequence:");
        actions(told);
        for (const auto& one : told.untold) lines_ += "  ? " + place_of(one.spot) + ": " + one.why + "\n";
        section("Not known yet:");
        for (const auto& one : told.abandoned)
            lines_ += "  ! " + place_of(one) + ": by its annotation " + std::string(runtime::abandon_annotation) + "\n";
        section("Let go without cleaning up, so that what they have in the world stays:");
        if (!told.complete)
            out_ += paint_.red("Not everything could be looked at in time: give more --timeout") + "\n\n";
        return out_ + summary(told, plan.exit_code());
    }

private:
    void object(std::string_view verb, const std::string& what, const Json& before, const Json& after) {
        if (verb.empty()) return;
        lines_ += "  " + sign(verb) + " " + what + "\n";
        if (verb != "change") return;
        for (const auto& field : differences(before, after))
            lines_ += "      " + field.path + ": " + (field.before.empty() ? "(none)" : field.before) + " -> " +
                      (field.after.empty() ? "(none)" : field.after) + "\n";
    }
    void actions(const Rehearsed& told) {
        std::string last;
        std::multimap<std::string, runtime::Planned> by_backend;  // in the order in which they were told
        for (const auto& one : told.actions)
            by_backend.emplace(std::string(one.backend_kind.name) + " " + one.backend.text(), one);
        for (const auto& [backend, one] : by_backend) {
            if (std::exchange(last, backend) != backend) lines_ += "  " + backend + ":\n";
            lines_ += "    " + sign(one.verb) + " " + one.description + "  (" + std::string(one.kind.name) + " " +
                      one.object.text() + ")\n";
        }
        section("In the world:");
    }
    void section(const char* title) {
        if (!lines_.empty()) out_ += paint_.bold(title) + "\n" + std::exchange(lines_, "") + "\n";
    }
    std::string sign(std::string_view verb) const {
        if (verb == "create") return paint_.green("+");
        if (verb == "delete") return paint_.red("-");
        return paint_.yellow("~");
    }
    static std::string summary(const Rehearsed& told, int code) {
        const auto count = [&](auto&& is) { return std::to_string(std::ranges::count_if(told.actions, is)); };
        const std::string untold = code == exit_unknown ? "Not all of it can be told: see above.\n" : "";
        if (code == exit_ok) return "No changes: the world is as declared.\n";
        return "Plan: in the world, " + count([](const auto& one) { return one.verb == "create"; }) + " to create, " +
               count([](const auto& one) { return one.verb != "create" && one.verb != "delete"; }) + " to change, " +
               count([](const auto& one) { return one.verb == "delete"; }) + " to remove.\n" + untold;
    }

    Paint paint_{Paint::Stream::out};
    std::string out_, lines_;
};

Json json_of(std::string_view verb, const std::string& what, const Json& before, const Json& after) {
    api::json::array fields;
    if (verb == "change")
        for (const auto& field : differences(before, after))
            fields.push_back(api::json::object{{"path", field.path}, {"before", field.before}, {"after", field.after}});
    return api::json::object{{"verb", verb}, {"object", what}, {"fields", std::move(fields)}};
}

Json json_of(const Plan& plan) {
    const auto& told = plan.rehearsed();
    api::json::array declared, consequences, actions, unknown, abandoned;
    for (const auto& one : told.abandoned) abandoned.push_back(Json(place_of(one)));
    for (const auto& one : plan.objects())
        if (*one.verb()) declared.push_back(json_of(one.verb(), place_of(one.named), one.before, one.after));
    for (const auto& one : told.consequences)
        consequences.push_back(json_of(one.before.is_null()  ? "create"
                                       : one.after.is_null() ? "delete"
                                                             : "change",
                                       place_of(one.spot), one.before, one.after));
    for (const auto& one : told.actions)
        actions.push_back(
            api::json::object{{"verb", one.verb},
                              {"description", one.description},
                              {"object", std::string(one.kind.name) + " " + one.object.text()},
                              {"backend", std::string(one.backend_kind.name) + " " + one.backend.text()}});
    for (const auto& one : told.untold)
        unknown.push_back(
            api::json::object{{"object", place_of(one.spot)}, {"why", one.why}, {"unreachable", one.unreachable}});
    return api::json::object{{"declared", std::move(declared)},   {"consequences", std::move(consequences)},
                             {"actions", std::move(actions)},     {"unknown", std::move(unknown)},
                             {"abandoned", std::move(abandoned)}, {"complete", told.complete}};
}

int plan(const Arguments& arguments) {
    const auto output = output_of(arguments);
    const auto limit = timeout_of(arguments);
    const auto paths = arguments.all("filename");
    auto objects = paths.empty()
                       ? Result<std::vector<Json>>(Error{ErrorClass::invalid, "say which manifests: -f FILE or -f DIR"})
                       : read_manifests(paths, arguments.has("recursive"));
    const auto server = Connection::open(arguments);
    for (const auto* wrong : {output ? nullptr : &output.error(), limit ? nullptr : &limit.error(),
                              objects ? nullptr : &objects.error(), server ? nullptr : &server.error()})
        if (wrong) {
            complain(wrong->message);
            return exit_unknown;
        }
    log::configure(log::Format::text, log::Level::error);
    Plan made(**server, arguments, *limit);
    if (auto done = made.make(*std::move(objects)); !done) {
        complain(done.error());
        return exit_unknown;
    }
    if (*output == Output::json || *output == Output::yaml)
        std::cout << printed(json_of(made), *output) << std::flush;
    else
        std::cout << Printer().text(made) << std::flush;
    return made.exit_code();
}

}  // namespace

constinit const Command plan_command{
    .name = "plan",
    .summary = "Say what applying manifests would change in the world, and change nothing.",
    .synopsis = "-f FILE|DIR [FLAGS]",
    .description =
        "The server checks each manifest in a dry run. Then the controllers of this program run here on a copy of the\n"
        "installation's objects in memory: they look at the real backends and decide as they always do, and what they\n"
        "would do is printed and not done. So this machine must reach the backends, and whoever asks must be allowed "
        "to\n"
        "read everything that controllers read, as ocim-admin is.\n"
        "\n"
        "What depends on the outcome of something that is to be done first, such as a machine's address, is not known\n"
        "yet, and said to be so. What only the server's own process can see (local clouds, the built-in prober) is "
        "seen\n"
        "as if nothing were there, or not at all.\n"
        "\n"
        "Exit codes: 0, nothing changes; 2, something does; 1, it cannot be told.",
    .flags = flags,
    .examples = examples,
    .run = plan,
    .usage_exit = exit_unknown,
};

}  // namespace ocim::cli
