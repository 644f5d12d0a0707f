#include "base/random.hpp"
#include "cli/cli.hpp"
#include "cli/command.hpp"
#include "cli/identity.hpp"
#include "cli/kubeconfig.hpp"
#include "cli/operator.hpp"

#include <sys/stat.h>
#include <iostream>

namespace ocim::cli {

namespace {

constexpr Flag flags[] = {
    {"data-dir", "DIR",
     "Logs of runs, until they are in their ConfigMaps. Made when it is not there; what is lost with it is fetched "
     "again.",
     "", true},
    {"kubeconfig", "FILE", "Access to the API server; that of the pod that this runs in unless given."},
    {"metrics-listen", "ADDRESS:PORT", "Where /metrics and health listen, without TLS.", "127.0.0.1:7480"},
    {"listen", "ADDRESS:PORT",
     "Where \"ocim logs\" reads logs, over HTTPS: for whom the API server knows by his token, and lets get "
     "appservers/log."},
    {"advertise-address", "ADDRESS",
     "By which others reach --listen, such as the pod's own; that of --listen unless given. It is told in the Lease."},
    {"webhook-listen", "ADDRESS:PORT", "Where signed webhooks are taken, without TLS: for a load balancer in front."},
    {"local-machines", "",
     "Let a Cloud with spec.local make machines on this host, as ocim serve does. Every controller must be on this one "
     "host, with the same data."},
    {"log-format", "FORMAT", "How the log on stderr looks: text or json.", "text"},
    help_flag,
};

Result<Operator::Settings> settings(const Arguments& arguments) {
    Operator::Settings out;
    out.data_directory = arguments.text("data-dir");
    while (out.data_directory.size() > 1 && out.data_directory.ends_with('/')) out.data_directory.pop_back();
    const auto given = arguments.text("kubeconfig");
    out.access = [given] { return given.empty() ? read_pod_access() : read_kubeconfig(given); };
    if (const auto access = out.access(); !access) return access.error();
    auto metrics = parse_address("metrics-listen", arguments.text("metrics-listen"));
    if (!metrics) return std::move(metrics).error();
    out.metrics_listen = *std::move(metrics);
    if (arguments.has("webhook-listen")) {
        auto webhooks = parse_address("webhook-listen", arguments.text("webhook-listen"));
        if (!webhooks) return std::move(webhooks).error();
        out.webhook_listen = *std::move(webhooks);
    }
    if (arguments.has("listen")) {
        auto listen = parse_address("listen", arguments.text("listen"));
        if (!listen) return std::move(listen).error();
        out.listen = *std::move(listen);
    }
    out.advertised = arguments.text("advertise-address");
    const auto format = arguments.text("log-format");
    if (format != "text" && format != "json")
        return Error{ErrorClass::invalid, "--log-format " + format + ": give text or json"};
    if (arguments.has("local-machines")) out.local_machines = compute::LocalMachines::offered;
    out.log_format = format == "json" ? log::Format::json : log::Format::text;
    out.identity = process_identity(*make_system_random());
    return out;
}

int controller(const Arguments& arguments) {
    auto wanted = settings(arguments);
    if (!wanted) {
        complain(wanted.error().message);
        return exit_usage;
    }
    ::umask(077);
    log::configure(wanted->log_format, log::Level::info);
    Operator operating(*std::move(wanted));
    const auto ran = operating.run();
    if (ran) return exit_ok;
    complain(ran.error().message);
    return exit_failed;
}

constexpr Example examples[] = {
    {"Against a cluster that kubectl reaches",
     "ocim controller --data-dir /var/lib/ocim/work --kubeconfig ~/.kube/config"},
};

}  // namespace

constinit const Command controller_command{
    .name = "controller",
    .summary = "Run the controllers against a Kubernetes API server.",
    .synopsis = "--data-dir DIR [--kubeconfig FILE] [FLAGS]",
    .description =
        "The server is version 1.20 or later, and has the definitions of our kinds. Of several that run, one leads, "
        "and\n"
        "another takes over within 15 seconds of its death, at once when it ends in order. It stores nothing but "
        "logs.\n"
        "SIGTERM or SIGINT ends it in order.",
    .flags = flags,
    .examples = examples,
    .run = controller,
};

}  // namespace ocim::cli
