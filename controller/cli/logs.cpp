#include "api/json.hpp"
#include "apiserver/credentials.hpp"
#include "cli/cli.hpp"
#include "cli/command.hpp"
#include "cli/files.hpp"
#include "cli/kubeconfig.hpp"
#include "cli/leader.hpp"
#include "cli/log_targets.hpp"
#include "net/http_client.hpp"
#include "net/https_client.hpp"
#include "runtime/lease.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>

#include <charconv>
#include <cstdint>
#include <iostream>
#include <optional>

namespace ocim::cli {

namespace {

constexpr Flag flags[] = {
    namespace_flag,
    {.name = "follow",
     .value = "",
     .help = "Go on until the playbook has ended, also when it has not begun.",
     .letter = 'f'},
    {"tail", "LINES", "Only so many lines of the end, and what follows."},
    {"since", "DURATION", "Only what was gathered so long ago at most, such as 5m."},
    {"limit-bytes", "BYTES", "At most so much."},
    {"all", "", "Of an instance: of all its AppServers that are still there, the oldest first."},
    {"logs-server", "URL",
     "In operator mode: where the port of the controllers that lead is reached from here. Found by itself unless "
     "given; "
     "what is not reached is told with the command that brings the port here."},
    {"token-file", "FILE", "In operator mode: a token for that port, when the kubeconfig has none."},
    kubeconfig_flag,
    context_flag,
    help_flag,
};

constexpr Example examples[] = {
    {"As it is deployed", "ocim logs appserver/demo-1 -f"},
    {"Of the newest AppServer of a site", "ocim logs instance/demo --since 5m"},
    {"The end of what went wrong", "ocim logs appserver/demo-1 -n school --tail 50"},
};

Result<std::string> count(const Arguments& arguments, const char* flag, const char* parameter) {
    const auto text = arguments.text(flag);
    if (text.empty()) return std::string();
    std::int64_t value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc() || end != text.data() + text.size() || value < 0)
        return Error{ErrorClass::invalid, "--" + std::string(flag) + " " + text + ": give a number"};
    return "&" + std::string(parameter) + "=" + text;
}

struct Wanted {
    client::Access access;
    std::string target;       ///< of the request
    std::string logs_server;  ///< empty: to be found
    Secret token;             ///< for it; empty: that of `access`
};

/// Of one that was asked for; the last of several is followed, if any.
struct One {
    std::string namespace_, appserver;
    bool follow = false;
};

Result<Wanted> wanted_log(const Arguments& arguments, client::Access access, const One& one) {
    const auto since = since_parameter(arguments);
    if (!since) return since.error();
    const auto tail = count(arguments, "tail", "tailLines"), limit = count(arguments, "limit-bytes", "limitBytes");
    if (!tail) return tail.error();
    if (!limit) return limit.error();
    Wanted out{std::move(access), {}, arguments.text("logs-server"), {}};
    if (const auto file = arguments.text("token-file"); !file.empty()) {
        const auto text = read_file(file);
        if (!text) return text.error();
        out.token = Secret(apiserver::trimmed(*text));
        if (out.token.reveal().empty())
            return Error{ErrorClass::invalid, "--token-file " + file + ": there is no token in it"};
    }
    out.target = "/apis/ocim.opencraft.com/v1alpha1/namespaces/" + net::percent_encode(one.namespace_) +
                 "/appservers/" + net::percent_encode(one.appserver) +
                 "/log?follow=" + (one.follow ? "true" : "false") + *since + *tail + *limit;
    return out;
}

using ServerPtr = std::unique_ptr<net::HttpsClient>;

/// What a server that has no such log says; everything else is the answer that there is.
struct Nothing {
    bool not_found = false;
    std::string message;
};

/// The log on stdout; else what the server said instead.
awaitable<Result<std::optional<Nothing>>> print(net::HttpsClient& server, net::HttpsRequest request) {
    CO_TRY(const auto log, co_await server.open(std::move(request)));
    const bool granted = log->status() == 200;
    std::string refusal;
    for (;;) {
        CO_TRY(const auto part, co_await log->next());
        if (part.empty()) break;
        if (granted)
            std::cout << part << std::flush;
        else
            refusal += part;
    }
    if (granted) co_return std::optional<Nothing>();
    const auto status = api::parse_json(refusal);
    Nothing out{log->status() == 404, status ? std::string(api::find_text(status->value, {"message"})) : ""};
    if (out.message.empty()) out.message = "the server answered with status " + std::to_string(log->status());
    co_return std::optional(std::move(out));
}

Error refused(const Nothing& what) { return {ErrorClass::invalid, what.message}; }

class Reading {
public:
    explicit Reading(Wanted what) : what_(std::move(what)) {}
    Result<void> run() {
        std::optional<Result<void>> done;
        boost::asio::co_spawn(loop_, from_anywhere(), [&](std::exception_ptr thrown, Result<void> ended) {
            if (thrown) std::rethrow_exception(thrown);
            done = std::move(ended);
        });
        loop_.run();
        return *std::move(done);
    }

private:
    Result<ServerPtr> connect(const std::string& url, const net::TlsIdentity& identity) {
        return net::make_https_client(loop_.get_executor(), *clock_, metrics_, url, identity);
    }
    net::HttpsRequest request(const std::string& target) const {
        net::HttpsRequest out;
        out.target = target;
        out.bearer_token = what_.access.token;
        return out;
    }

    /// The API server's, or that of the controllers where they are on their own: Kubernetes cannot tell "there are no
    /// logs here" from "there is no such object".
    awaitable<Result<void>> from_anywhere() {
        const auto& access = what_.access;
        const net::TlsIdentity identity{access.ca_certificate, access.certificate, access.private_key,
                                        access.server_name};
        auto server = connect(access.server, identity);
        if (!server) co_return std::move(server).error();
        std::optional<Nothing> said;
        if (what_.logs_server.empty()) {
            auto asked = request(what_.target);
            CO_TRY(said, co_await print(**server, std::move(asked)));
            if (!said) co_return Result<void>{};
            if (!said->not_found) co_return refused(*said);
        }
        auto found = co_await leader(**server);
        if (!found && said) co_return refused(*said);
        if (!found) co_return std::move(found).error();
        co_return co_await from_leader(*std::move(found));
    }

    /// Error: there is none that says where it is.
    awaitable<Result<Leader>> leader(net::HttpsClient& server) {
        const runtime::Lease::Settings where;
        const auto lease = "/apis/coordination.k8s.io/v1/namespaces/" + where.namespace_ + "/leases/" + where.name;
        auto asked = request(lease);
        CO_TRY(const auto reply, co_await server.send(std::move(asked)));
        const auto body = api::parse_json(reply.body);
        const auto place = "the Lease " + where.namespace_ + "/" + where.name;
        if (reply.status != 200 || !body) {
            const auto message = body ? std::string(api::find_text(body->value, {"message"})) : std::string();
            co_return Error{ErrorClass::invalid, place + ", which says where logs are, cannot be read: " + message};
        }
        auto out = Leader::of(body->value);
        if (out.door.empty())
            co_return Error{ErrorClass::invalid, place + " does not say where logs are: the controllers need --listen"};
        co_return out;
    }

    awaitable<Result<void>> from_leader(Leader found) {
        const bool given = !what_.logs_server.empty();
        net::TlsIdentity trust;
        trust.ca_certificate = found.authority;
        auto server = connect(given ? what_.logs_server : found.door, trust);
        if (!server) co_return std::move(server).error().within(given ? "--logs-server" : found.door);
        auto asked = request(what_.target);
        if (!what_.token.reveal().empty()) asked.bearer_token = what_.token;
        if (asked.bearer_token.reveal().empty())
            co_return Error{ErrorClass::invalid,
                            "the controllers know people by tokens, and the kubeconfig has none: give one with "
                            "--token-file, such as kubectl create token makes"};
        const auto said = co_await print(**server, std::move(asked));
        if (!said) co_return not_reached(found, said.error());
        co_return *said ? Result<void>(refused(**said)) : Result<void>();
    }

    Error not_reached(const Leader& found, Error why) const {
        const auto pod = found.holder.substr(0, found.holder.rfind('_'));
        if (!what_.logs_server.empty())
            return std::move(why).within("--logs-server " + what_.logs_server + ", which must be the one that leads, " +
                                         pod);
        const auto port = found.door.substr(found.door.rfind(':') + 1);
        return {ErrorClass::unreachable, "logs are at " + found.door + ", which is not reached from here (" +
                                             why.message + "): run \"kubectl -n ocim-system port-forward pod/" + pod +
                                             " " + port + "\" and give --logs-server https://127.0.0.1:" + port};
    }

    Wanted what_;
    boost::asio::io_context loop_{1};
    std::unique_ptr<Clock> clock_ = make_system_clock(loop_);
    Metrics metrics_;
};

/// How it ends. Of several, one that has no log yet keeps nobody from reading the others.
int print_all(const Arguments& arguments, const client::Access& access, const LogTargets& targets) {
    const auto& names = targets.appservers;
    bool any = false;
    for (std::size_t i = 0; i < names.size(); ++i) {
        const bool last = i + 1 == names.size();
        auto wanted = wanted_log(arguments, access, {targets.namespace_, names[i], last && arguments.has("follow")});
        if (!wanted) {
            complain(wanted.error().message);
            return exit_usage;
        }
        if (names.size() > 1) std::cout << (i ? "\n" : "") << "==> appserver/" << names[i] << " <==" << std::endl;
        const auto printed = Reading(*std::move(wanted)).run();
        if (!printed) complain(printed.error().message);
        any = any || printed;
    }
    return any ? exit_ok : exit_failed;
}

int logs(const Arguments& arguments) {
    const auto owner = log_owner(arguments);
    const auto access = read_kubeconfig(kubeconfig_path(arguments.text("kubeconfig")), arguments.text("context"));
    if (!owner || !access) {
        complain(owner ? access.error().message : owner.error().message);
        return exit_usage;
    }
    const auto targets = log_targets(*owner, arguments, *access);
    if (targets) return print_all(arguments, *access, *targets);
    complain(targets.error().message);
    return exit_failed;
}

}  // namespace

constinit const Command logs_command{
    .name = "logs",
    .summary = "Print the log of an AppServer's playbook, or of an Instance's newest AppServer.",
    .synopsis = "appserver/NAME|instance/NAME [FLAGS]",
    .description = "Known secrets are masked.",
    .flags = flags,
    .examples = examples,
    .run = logs,
    .operands = Operands::taken,
    .completes = Completes::objects,
};

}  // namespace ocim::cli
