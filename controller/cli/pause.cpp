#include "cli/cli.hpp"
#include "cli/command.hpp"
#include "cli/restored.hpp"
#include "cli/targets.hpp"
#include "runtime/engine.hpp"

#include <iostream>

namespace ocim::cli {

namespace {

using api::Json;

constexpr Flag flags[] = {
    filename_flag,       recursive_flag, namespace_flag,
    all_namespaces_flag, selector_flag,  {"all", "", "All of the kind in the namespace."},
    kubeconfig_flag,     context_flag,   help_flag,
};

constexpr Example pause_examples[] = {
    {"While somebody works on its database by hand", "ocim pause databasetenant/demo -n school"},
    {"Every DNS record of a namespace", "ocim pause dnsrecords --all -n school"},
};

constexpr Example resume_examples[] = {
    {"Keep it as declared again", "ocim resume databasetenant/demo -n school"},
    {"Everything of a kind, everywhere", "ocim resume dnsrecords --all -A"},
    {"After \"ocim restore\"", "ocim resume --all"},
};

enum class Wish { pause, resume };

Answer<const char*> annotate(Connection& server, const Named& named, Wish wish) {
    const auto before = server.get(named.target());
    if (!before) return before.error();
    const std::string key(runtime::paused_annotation);
    const bool paused = api::find_text(*before, {"metadata", "annotations", key}) == "true";
    if (paused == (wish == Wish::pause)) return wish == Wish::pause ? "paused already" : "not paused";
    const Json value = wish == Wish::pause ? Json("true") : Json(nullptr);
    const Json patch =
        api::json::object{{"metadata", api::json::object{{"annotations", api::json::object{{key, value}}}}}};
    const auto after = server.ask({.method = "PATCH",
                                   .target = named.target() + "?fieldManager=ocim-cli",
                                   .body = api::to_text(patch),
                                   .content_type = "application/merge-patch+json"});
    if (!after) return after.error();
    return wish == Wish::pause ? "paused" : "resumed";
}

int annotate_all(const Arguments& arguments, Wish wish) {
    const auto server = Connection::open(arguments);
    if (!server) {
        complain(server.error().message);
        return exit_failed;
    }
    ServedKinds kinds(**server);
    const auto chosen = select(**server, kinds, arguments);
    if (!chosen) {
        complain(chosen.error());
        return exit_failed;
    }
    if (chosen->empty()) std::cerr << "No resources found" << std::endl;
    bool failed = false;
    for (const auto& one : *chosen) {
        const auto done = annotate(**server, one, wish);
        failed = failed || !done;
        if (done)
            std::cout << one.text() << " " << *done << std::endl;
        else
            complain(done.error());
    }
    return failed ? exit_failed : exit_ok;
}

int pause(const Arguments& arguments) { return annotate_all(arguments, Wish::pause); }

/// A store that was restored begins to act.
int resume_restored(const Arguments& arguments) {
    const auto server = Connection::open(arguments);
    if (!server) {
        complain(server.error().message);
        return exit_failed;
    }
    const auto gone = (*server)->ask(
        {.method = "DELETE", .target = "/api/v1/namespaces/ocim-system/configmaps/" + std::string(restored_name)});
    if (!gone && gone.error().code != 404) {
        complain(gone.error().message);
        return exit_failed;
    }
    std::cout << (gone ? "The installation changes the world again, to what is declared."
                       : "This installation was not restored, or has been resumed: name a kind.")
              << std::endl;
    return exit_ok;
}

int resume(const Arguments& arguments) {
    const bool everything = arguments.has("all") && arguments.operands().empty() && !arguments.has("filename");
    return everything ? resume_restored(arguments) : annotate_all(arguments, Wish::resume);
}

}  // namespace

constinit const Command pause_command{
    .name = "pause",
    .summary = "Change nothing of objects in the world until they are resumed.",
    .synopsis = "KIND/NAME... [FLAGS]\nKIND --all|-l LABELS [FLAGS]\n-f FILE|DIR [FLAGS]",
    .description =
        "By the annotation ocim.opencraft.com/paused. Looking and reporting go on. It holds for that object alone, "
        "not\n"
        "for what it owns, and it holds up its deletion too.",
    .flags = flags,
    .examples = pause_examples,
    .run = pause,
    .operands = Operands::taken,
    .completes = Completes::objects,
};

constinit const Command resume_command{
    .name = "resume",
    .summary = "Keep objects as declared again that were paused.",
    .synopsis = "KIND/NAME... [FLAGS]\nKIND --all|-l LABELS [FLAGS]\n-f FILE|DIR [FLAGS]\n--all",
    .description = "With --all and no kind: an installation that was restored changes nothing in the world until then.",
    .flags = flags,
    .examples = resume_examples,
    .run = resume,
    .operands = Operands::taken,
    .completes = Completes::objects,
};

}  // namespace ocim::cli
