#include "cli/applying.hpp"
#include "cli/cli.hpp"
#include "cli/command.hpp"
#include "cli/manifests.hpp"
#include "cli/output.hpp"
#include "cli/targets.hpp"

#include <iostream>

namespace ocim::cli {

namespace {

using api::Json;

constexpr Flag flags[] = {
    filename_flag,
    recursive_flag,
    namespace_flag,
    output_flag,
    {"dry-run", "server", "The server checks and answers, and stores nothing."},
    {"force-conflicts", "", "Take over fields that others have set."},
    {"field-manager", "NAME", "Whose the fields are.", "ocim-cli"},
    kubeconfig_flag,
    context_flag,
    help_flag,
};

constexpr Example examples[] = {
    {"What a file declares", "ocim apply -f site.yaml"},
    {"What would come of it, first", "ocim plan -f site.yaml"},
    {"Everything in a directory, into a namespace", "ocim apply -f manifests/ -n school"},
};

class Apply {
public:
    Apply(Connection& server, const Arguments& arguments, Output output)
        : server_(server), arguments_(arguments), output_(output), kinds_(server), dry_(arguments.has("dry-run")) {}

    int run(std::vector<Json> objects) {
        for (auto& object : objects) {
            const auto done = apply(std::move(object));
            if (done) continue;
            complain(done.error());
            failed_ = true;
        }
        const bool structured = output_ == Output::json || output_ == Output::yaml;
        if (structured && !results_.empty()) {
            auto whole = results_.size() == 1 ? std::move(results_.front()) : list_of(std::move(results_));
            std::cout << printed(std::move(whole), output_) << std::flush;
        }
        return failed_ ? exit_failed : exit_ok;
    }

private:
    Answer<> apply(Json object) {
        const auto named = place(kinds_, object, namespace_of(arguments_, server_));
        if (!named) return named.error();
        const auto before = server_.get(named->target());
        if (!before && before.error().code != 404) return before.error();
        auto after = apply_object(server_, *named, object,
                                  {arguments_.text("field-manager"), arguments_.has("force-conflicts"), dry_});
        if (!after) return std::move(after).error();
        const auto* verb = !before ? "created" : essence(*before) == essence(*after) ? "unchanged" : "configured";
        tell(*named, verb, *std::move(after));
        return {};
    }

    void tell(const Named& named, const char* verb, Json after) {
        if (output_ == Output::json || output_ == Output::yaml) {
            results_.push_back(std::move(after));
            return;
        }
        std::cout << named.text();
        if (output_ != Output::name) std::cout << " " << verb << (dry_ ? " (server dry run)" : "");
        std::cout << std::endl;
    }

    Connection& server_;
    const Arguments& arguments_;
    Output output_;
    ServedKinds kinds_;
    bool dry_, failed_ = false;
    std::vector<Json> results_;
};

int apply(const Arguments& arguments) {
    const auto output = output_of(arguments);
    const auto dry = arguments.text("dry-run");
    if (!output || (!dry.empty() && dry != "server") || arguments.all("filename").empty()) {
        complain(!output ? output.error().message
                 : !dry.empty() && dry != "server"
                     ? "--dry-run " + dry + ": give server"
                     : "say which manifests: -f FILE, -f DIR, or -f - for stdin. See \"ocim apply --help\".");
        return exit_usage;
    }
    auto objects = read_manifests(arguments.all("filename"), arguments.has("recursive"));
    const auto server = objects ? Connection::open(arguments) : Result<std::unique_ptr<Connection>>(objects.error());
    if (!server) {
        complain(server.error().message);
        return exit_failed;
    }
    return Apply(**server, arguments, *output).run(*std::move(objects));
}

}  // namespace

constinit const Command apply_command{
    .name = "apply",
    .summary = "Make the server hold what manifests declare.",
    .synopsis = "-f FILE|DIR [FLAGS]",
    .description =
        "By server-side apply: what a manifest says becomes so, what it does not say is left as it is, and a field "
        "that\n"
        "somebody else has set otherwise is a conflict, which is told and not resolved. \"ocim plan\" says before "
        "what\n"
        "would change in the world.",
    .flags = flags,
    .examples = examples,
    .run = apply,
};

}  // namespace ocim::cli
