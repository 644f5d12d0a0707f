#include "base/clock.hpp"
#include "cli/access.hpp"
#include "cli/cli.hpp"
#include "cli/command.hpp"
#include "cli/files.hpp"
#include "cli/kubeconfig.hpp"
#include "cli/revoked.hpp"

#include <boost/asio/io_context.hpp>

#include <sys/stat.h>
#include <charconv>
#include <cstdlib>
#include <iostream>

namespace ocim::cli {

namespace {

constexpr Flag flags[] = {
    {"user", "NAME", "Who it is for: the name that roles are given to.", "", true},
    {.name = "group",
     .value = "GROUP",
     .help = "A group that the user belongs to; may be given several times.",
     .repeated = true},
    {"for", "DURATION", "How long it is good: 720h, 30d.", "720h"},
    {"data-dir", "DIR", "The directory of the installation.", "~/.ocim"},
    {"server", "URL", "Where the colleague reaches the API, if not where this machine does."},
    {"namespace", "NAMESPACE", "The namespace that kubectl looks into.", "default"},
    {"output", "FILE", "Write it there, with mode 0600, instead of to stdout."},
    {"revoke", "", "Make none: take back every certificate that the user has been given until now."},
    help_flag,
};

/// "720h", "30d", "90m".
Result<std::chrono::seconds> duration(const std::string& text) {
    const Error bad{ErrorClass::invalid, "--for " + text + ": give a duration such as 720h, 30d or 90m"};
    std::int64_t number = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    const std::string unit(end, text.data() + text.size());
    if (error != std::errc() || number <= 0 || number > 1'000'000) return bad;
    if (unit == "d") return std::chrono::seconds(number * 24 * 3600);
    if (unit == "h") return std::chrono::seconds(number * 3600);
    if (unit == "m") return std::chrono::seconds(number * 60);
    return bad;
}

std::string with_home(const std::string& path) {
    const char* home = std::getenv("HOME");
    return path.starts_with("~/") && home ? home + path.substr(1) : path;
}

WallTime wall_time() {
    boost::asio::io_context loop{1};
    return make_system_clock(loop)->wall();
}

Result<void> take_back(const Arguments& arguments) {
    for (const auto* flag : {"group", "server", "output"})
        if (arguments.has(flag))
            return Error{ErrorClass::invalid,
                         std::string("--revoke takes back all of the user's: leave --") + flag + " out"};
    const auto directory = with_home(arguments.text("data-dir"));
    // of an installation that is none nothing could be taken back
    if (const auto ca = read_ca(directory); !ca) return ca.error();
    return revoke(directory, arguments.text("user"), wall_time());
}

Result<std::string> make(const Arguments& arguments) {
    const auto lasts = duration(arguments.text("for"));
    if (!lasts) return lasts.error();
    const auto directory = with_home(arguments.text("data-dir"));
    const auto ca = read_ca(directory);
    if (!ca) return ca.error();
    auto server = arguments.text("server");
    if (server.empty()) {
        const auto own = read_kubeconfig(directory + "/kubeconfig");
        if (!own) return own.error();
        server = own->server;
    }
    net::CertificateRequest request;
    request.common_name = arguments.text("user");
    request.organizations = arguments.all("group");
    request.valid_for = *lasts;
    const auto revoked = read_revoked(directory);
    if (!revoked) return revoked.error();
    request.not_before_min = issue_from(*revoked, request.common_name);
    const auto pair = net::issue_certificate(*ca, request, wall_time());
    if (!pair) return pair.error();
    return kubeconfig({server, ca->certificate, request.common_name, arguments.text("namespace")}, *pair);
}

int kubeconfig_for(const Arguments& arguments) {
    ::umask(077);
    if (arguments.has("revoke")) {
        const auto taken = take_back(arguments);
        if (taken) {
            std::cout << "Certificates of " << arguments.text("user")
                      << " from before now are refused; a running server knows it within a second." << std::endl;
            return exit_ok;
        }
        complain(taken.error().message);
        return taken.error().error_class == ErrorClass::invalid ? exit_usage : exit_failed;
    }
    const auto made = make(arguments);
    if (!made) {
        complain(made.error().message);
        return made.error().error_class == ErrorClass::invalid ? exit_usage : exit_failed;
    }
    const auto file = arguments.text("output");
    if (file.empty()) {
        std::cout << *made;
        return exit_ok;
    }
    if (auto wrote = write_file(file, *made); !wrote) {
        complain(wrote.error().message);
        return exit_failed;
    }
    return exit_ok;
}

constexpr Example examples[] = {
    {"For a colleague who may look at everything",
     "ocim kubeconfig --user ada --group viewers --data-dir /var/lib/ocim --output ada.kubeconfig"},
    {"Shut out", "ocim kubeconfig --user ada --revoke --data-dir /var/lib/ocim"},
};

}  // namespace

constinit const Command kubeconfig_command{
    .name = "kubeconfig",
    .summary = "Make a kubeconfig for a colleague, with a client certificate of its own.",
    .synopsis = "--user NAME [FLAGS]",
    .description =
        "What the user may do is said by roles: kubectl create rolebinding NAME --clusterrole=ocim-viewer --user=NAME\n"
        "\n"
        "With --revoke the user is shut out within a second, whatever roles say; a certificate made later is good.",
    .flags = flags,
    .examples = examples,
    .run = kubeconfig_for,
};

}  // namespace ocim::cli
