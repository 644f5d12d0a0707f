#include "cli/cli.hpp"
#include "cli/command.hpp"
#include "cli/output.hpp"
#include "cli/targets.hpp"
#include "cli/waiting.hpp"

#include <iostream>

namespace ocim::cli {

namespace {

using api::Json;

constexpr Flag flags[] = {
    filename_flag,
    recursive_flag,
    namespace_flag,
    all_namespaces_flag,
    selector_flag,
    {"all", "", "All of the kind in the namespace."},
    {"wait", "true|false", "Return only when it is gone, with what it had in the world.", "true"},
    {"timeout", "DURATION", "How long to wait: 30s, 5m; 0s for as long as it takes.", "0s"},
    {"cascade", "WAY", "What becomes of what it owns: background, foreground or orphan.", "background"},
    {"dry-run", "server", "The server checks and answers, and deletes nothing."},
    {"ignore-not-found", "", "What is not there is no error."},
    {.name = "output", .value = "name", .help = "Print names only.", .letter = 'o'},
    kubeconfig_flag,
    context_flag,
    help_flag,
};

constexpr Example examples[] = {
    {"An instance, with its machines, records and monitors; its data stays unless it says otherwise",
     "ocim delete instance/demo"},
    {"What a file declares, without waiting", "ocim delete -f site.yaml --wait=false"},
};

std::string capital(std::string text) {
    if (!text.empty()) text[0] = static_cast<char>(std::toupper(static_cast<unsigned char>(text[0])));
    return text;
}

class Delete {
public:
    Delete(Connection& server, const Arguments& arguments, Duration limit)
        : server_(server), arguments_(arguments), limit_(limit) {}

    int run() {
        ServedKinds kinds(server_);
        auto chosen = select(server_, kinds, arguments_);
        if (!chosen) {
            complain(chosen.error());
            return exit_failed;
        }
        if (chosen->empty()) std::cerr << "No resources found" << std::endl;
        std::vector<Waited> going;
        for (auto& one : *chosen) remove(one, going);
        if (arguments_.text("wait") == "false" || arguments_.has("dry-run")) return failed_ ? exit_failed : exit_ok;
        const auto gone = wait_until_gone(server_, going, limit_);
        if (!gone) complain(gone.error());
        return failed_ || !gone ? exit_failed : exit_ok;
    }

private:
    void remove(const Named& named, std::vector<Waited>& going) {
        Json body = api::json::object{{"apiVersion", "v1"},
                                      {"kind", "DeleteOptions"},
                                      {"propagationPolicy", capital(arguments_.text("cascade"))}};
        if (arguments_.has("dry-run")) body.get_object()["dryRun"] = api::json::array{"All"};
        const auto answer = server_.ask({.method = "DELETE", .target = named.target(), .body = api::to_text(body)});
        if (!answer) {
            if (answer.error().code == 404 && arguments_.has("ignore-not-found")) return;
            complain(answer.error());
            failed_ = true;
            return;
        }
        // who has finalizers comes back himself, else a Status with whom it was about
        auto uid = std::string(api::find_text(*answer, {"metadata", "uid"}));
        if (uid.empty()) uid = api::find_text(*answer, {"details", "uid"});
        going.push_back({named, std::move(uid)});
        if (arguments_.text("output") == "name")
            std::cout << named.text() << std::endl;
        else
            std::cout << named.kind->singular << (named.kind->group.empty() ? "" : "." + named.kind->group) << " \""
                      << named.name << "\" deleted"
                      << (named.namespace_.empty() ? "" : " from " + named.namespace_ + " namespace")
                      << (arguments_.has("dry-run") ? " (server dry run)" : "") << std::endl;
    }

    Connection& server_;
    const Arguments& arguments_;
    Duration limit_;
    bool failed_ = false;
};

Result<Duration> checked(const Arguments& arguments) {
    const auto wait = arguments.text("wait"), cascade = arguments.text("cascade"), dry = arguments.text("dry-run"),
               output = arguments.text("output");
    const auto bad = [](const std::string& what) { return Error{ErrorClass::invalid, what}; };
    if (wait != "true" && wait != "false") return bad("--wait " + wait + ": give true or false");
    if (cascade != "background" && cascade != "foreground" && cascade != "orphan")
        return bad("--cascade " + cascade + ": give background, foreground or orphan");
    if (!dry.empty() && dry != "server") return bad("--dry-run " + dry + ": give server");
    if (!output.empty() && output != "name") return bad("--output " + output + ": give name");
    return timeout_of(arguments);
}

int remove(const Arguments& arguments) {
    const auto limit = checked(arguments);
    if (!limit) {
        complain(limit.error().message);
        return exit_usage;
    }
    const auto server = Connection::open(arguments);
    if (!server) {
        complain(server.error().message);
        return exit_failed;
    }
    return Delete(**server, arguments, *limit).run();
}

}  // namespace

constinit const Command delete_command{
    .name = "delete",
    .summary = "Delete objects, and wait until what they had is gone.",
    .synopsis = "KIND NAME... [FLAGS]\nKIND/NAME... [FLAGS]\nKIND --all|-l LABELS [FLAGS]\n-f FILE|DIR [FLAGS]",
    .description =
        "Deleting waits for the world: an object stays until its machines, records and so on are removed. Breaking "
        "the\n"
        "command off does not stop that.",
    .flags = flags,
    .examples = examples,
    .run = remove,
    .operands = Operands::taken,
    .completes = Completes::objects,
};

}  // namespace ocim::cli
