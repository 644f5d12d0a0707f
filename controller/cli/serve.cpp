#include "base/random.hpp"
#include "cli/access.hpp"
#include "cli/address.hpp"
#include "cli/cli.hpp"
#include "cli/command.hpp"
#include "cli/files.hpp"
#include "cli/identity.hpp"
#include "cli/places.hpp"
#include "cli/program.hpp"
#include "runtime/installation.hpp"

#include <sys/stat.h>
#include <iostream>

namespace ocim::cli {

namespace {

constexpr Flag flags[] = {
    {"data-dir", "DIR", "Where everything is kept. Made when it is not there.", "", true},
    {"store", "URL",
     "Where the objects are kept: postgres://USER@HOST/DATABASE, which several servers may share; all that libpq knows "
     "may "
     "follow, as ?sslmode=verify-full (default: a file in DIR)."},
    {"store-password-file", "FILE", "The password for that; else what PGPASSFILE or PGPASSWORD say."},
    {"listen", "ADDRESS:PORT", "Where the API listens, with TLS. Port 0 takes a free one.", "127.0.0.1:7443"},
    {"metrics-listen", "ADDRESS:PORT", "Where /metrics and health listen, without TLS.", "127.0.0.1:7480"},
    {"webhook-listen", "ADDRESS:PORT", "Where signed webhooks are taken, without TLS: for a load balancer in front."},
    {.name = "tls-san",
     .value = "NAME",
     .help = "Another name or address that clients reach the API by; may be repeated.",
     .repeated = true},
    {"encryption-key-file", "FILE",
     "The keys that Secrets are encrypted with; made if not there (default "
     "DIR/encryption-keys)."},
    {"encryption-passphrase-file", "FILE", "What those keys are protected with; nothing unless given."},
    {"token-auth-file", "FILE", "Tokens for people: token,user,uid,\"group1,group2\" in CSV, read at start."},
    {"service-account-issuer", "URL", "Who signs the tokens of ServiceAccounts, and whom they are for.",
     "https://kubernetes.default.svc.cluster.local"},
    {"installation-id", "ID",
     "Whose the things are that this installation makes; kept from the first start on (default: one is drawn). Give it "
     "when a lost data directory is replaced."},
    {"no-controllers", "", "Only serve the API; nothing in the world is touched."},
    {"local-machines", "",
     "With --store: let a Cloud with spec.local make machines on this host. Every server must be on this one host, and "
     "share DIR/local-cloud and DIR/runner."},
    {"log-format", "FORMAT", "How the log on stderr looks: text or json.", "text"},
    help_flag,
};

constexpr Example examples[] = {
    {"On a laptop", "ocim serve --data-dir ~/.ocim"},
    {"For others, by a name of their network",
     "ocim serve --data-dir /var/lib/ocim --listen 0.0.0.0:7443 --tls-san ocim.example.org"},
    {"One of several, on a database that they share",
     "ocim serve --data-dir /var/lib/ocim --store 'postgres://ocim@db/ocim?sslmode=verify-full' --store-password-file "
     "/etc/ocim/db-password"},
};

Result<void> choose_store(const Arguments& arguments, Program::Settings& out) {
    if (!arguments.has("store")) {
        if (!arguments.has("store-password-file")) return {};
        return Error{ErrorClass::invalid, "--store-password-file needs --store"};
    }
    auto database = open_database(arguments.text("store"), arguments.text("store-password-file"));
    if (!database) return std::move(database).error().within("--store");
    out.database = *std::move(database);
    out.identity = process_identity(*make_system_random());
    return {};
}

Result<Program::Settings> settings(const Arguments& arguments) {
    Program::Settings out;
    out.data_directory = arguments.text("data-dir");
    while (out.data_directory.size() > 1 && out.data_directory.ends_with('/')) out.data_directory.pop_back();
    if (auto chosen = choose_store(arguments, out); !chosen) return std::move(chosen).error();
    auto listen = parse_address("listen", arguments.text("listen"));
    if (!listen) return std::move(listen).error();
    out.listen = *std::move(listen);
    auto metrics = parse_address("metrics-listen", arguments.text("metrics-listen"));
    if (!metrics) return std::move(metrics).error();
    out.metrics_listen = *std::move(metrics);
    out.tls_names = arguments.all("tls-san");
    out.encryption = KeyFile::of(out.data_directory, arguments.text("encryption-key-file"),
                                 arguments.text("encryption-passphrase-file"));
    out.token_auth_file = arguments.text("token-auth-file");
    out.service_account_issuer = arguments.text("service-account-issuer");
    if (arguments.has("webhook-listen")) {
        auto webhooks = parse_address("webhook-listen", arguments.text("webhook-listen"));
        if (!webhooks) return std::move(webhooks).error();
        out.webhook_listen = *std::move(webhooks);
    }
    if (arguments.has("installation-id")) {
        out.installation_id = arguments.text("installation-id");
        if (auto good = runtime::check_installation_id(out.installation_id); !good)
            return std::move(good).error().within("--installation-id");
    }
    out.controllers = !arguments.has("no-controllers");
    out.local_machines = !out.database || arguments.has("local-machines");
    const auto format = arguments.text("log-format");
    if (format != "text" && format != "json")
        return Error{ErrorClass::invalid, "--log-format " + format + ": give text or json"};
    out.log_format = format == "json" ? log::Format::json : log::Format::text;
    return out;
}

int serve(const Arguments& arguments) {
    auto wanted = settings(arguments);
    if (!wanted) {
        complain(wanted.error().message);
        return exit_usage;
    }
    ::umask(077);
    log::configure(wanted->log_format, log::Level::info);
    Program program(*std::move(wanted));
    const auto ran = program.run();
    if (ran) return exit_ok;
    complain(ran.error().message);
    return exit_failed;
}

}  // namespace

constinit const Command serve_command{
    .name = "serve",
    .summary = "Run the API server and the controllers in this process.",
    .synopsis = "--data-dir DIR [FLAGS]",
    .description =
        "Everything is kept in one directory, which one process at a time can use. When the server is ready, the\n"
        "file \"kubeconfig\" in it gives an administrator access. SIGTERM or SIGINT ends it in order.\n"
        "\n"
        "With --store the objects are in PostgreSQL, and several servers may run on it, each with a directory of its\n"
        "own: all serve the API, and one at a time runs the controllers; when it dies, another does so within 5\n"
        "seconds. Their directories must have the same encryption-keys, pki/ca.* and pki/service-account.key.",
    .flags = flags,
    .examples = examples,
    .run = serve,
};

}  // namespace ocim::cli
