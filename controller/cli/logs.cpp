#include "api/json.hpp"
#include "cli/cli.hpp"
#include "cli/command.hpp"
#include "cli/kubeconfig.hpp"
#include "net/http_client.hpp"
#include "net/https_client.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>

#include <algorithm>
#include <array>
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
    {"limit-bytes", "BYTES", "At most so much."},
    kubeconfig_flag,
    context_flag,
    help_flag,
};

constexpr Example examples[] = {
    {"As it is deployed", "ocim logs appserver/demo-1 -f"},
    {"The end of what went wrong", "ocim logs appserver/demo-1 -n school --tail 50"},
};

/// "appserver/demo-1" -> "demo-1".
Result<std::string> name_of(const std::vector<std::string>& targets) {
    const Error usage{ErrorClass::invalid, "say whose log: ocim logs appserver/NAME. See \"ocim logs --help\"."};
    if (targets.size() != 1) return usage;
    const auto& target = targets.front();
    const auto slash = target.find('/');
    if (slash == std::string::npos) return usage;
    constexpr std::array<std::string_view, 4> kinds{"appserver", "appservers", "oas", "appservers.ocim.opencraft.com"};
    if (std::ranges::find(kinds, std::string_view(target).substr(0, slash)) == kinds.end())
        return Error{ErrorClass::invalid, "\"" + target + "\": only an appserver has a log"};
    return target.substr(slash + 1);
}

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
    std::string target;  ///< of the request
};

Result<Wanted> wanted_log(const Arguments& arguments) {
    auto name = name_of(arguments.operands());
    if (!name) return std::move(name).error();
    const auto tail = count(arguments, "tail", "tailLines"), limit = count(arguments, "limit-bytes", "limitBytes");
    if (!tail) return tail.error();
    if (!limit) return limit.error();
    auto access = read_kubeconfig(kubeconfig_path(arguments.text("kubeconfig")), arguments.text("context"));
    if (!access) return std::move(access).error();
    const auto given = arguments.text("namespace");
    Wanted out{*std::move(access), {}};
    out.target = "/apis/ocim.opencraft.com/v1alpha1/namespaces/" +
                 net::percent_encode(given.empty() ? out.access.namespace_ : given) + "/appservers/" +
                 net::percent_encode(*name) + "/log?follow=" + (arguments.has("follow") ? "true" : "false") + *tail +
                 *limit;
    return out;
}

/// The log on stdout; a refusal's own message as the error.
awaitable<Result<void>> print(net::HttpsClient& server, net::HttpsRequest request) {
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
    if (granted) co_return Result<void>{};
    const auto status = api::parse_json(refusal);
    const auto message = status ? std::string(api::find_text(status->value, {"message"})) : std::string();
    co_return Error{ErrorClass::invalid,
                    message.empty() ? "the server answered with status " + std::to_string(log->status()) : message};
}

Result<void> print(Wanted what) {
    boost::asio::io_context loop{1};
    const auto clock = make_system_clock(loop);
    Metrics metrics;
    const auto& access = what.access;
    const net::TlsIdentity identity{access.ca_certificate, access.certificate, access.private_key, access.server_name};
    auto server = net::make_https_client(loop.get_executor(), *clock, metrics, access.server, identity);
    if (!server) return std::move(server).error();
    net::HttpsRequest request;
    request.target = std::move(what.target);
    request.bearer_token = access.token;
    std::optional<Result<void>> done;
    auto printing = print(**server, std::move(request));
    boost::asio::co_spawn(loop, std::move(printing), [&](std::exception_ptr thrown, Result<void> ended) {
        if (thrown) std::rethrow_exception(thrown);
        done = std::move(ended);
    });
    loop.run();
    return *std::move(done);
}

int logs(const Arguments& arguments) {
    auto wanted = wanted_log(arguments);
    if (!wanted) {
        complain(wanted.error().message);
        return exit_usage;
    }
    const auto printed = print(*std::move(wanted));
    if (printed) return exit_ok;
    complain(printed.error().message);
    return exit_failed;
}

}  // namespace

constinit const Command logs_command{
    .name = "logs",
    .summary = "Print the log of an AppServer's playbook.",
    .synopsis = "appserver/NAME [FLAGS]",
    .description = "Known secrets are masked.",
    .flags = flags,
    .examples = examples,
    .run = logs,
    .operands = Operands::taken,
    .completes = Completes::objects,
};

}  // namespace ocim::cli
