#include "api/json.hpp"
#include "base/async.hpp"
#include "base/utf8.hpp"
#include "cli/arguments.hpp"
#include "cli/cli.hpp"
#include "cli/files.hpp"
#include "cli/kubeconfig.hpp"
#include "net/http_client.hpp"
#include "net/http_stream.hpp"
#include "net/ssh.hpp"
#include "openedx/activity.hpp"
#include "runtime/base64.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>

#include <unistd.h>
#include <algorithm>
#include <iostream>
#include <map>
#include <memory>
#include <optional>

namespace ocim::cli {

namespace {

constexpr Flag flags[] = {
    {"out", "FILE", "Where the report goes; to stdout unless said otherwise."},
    {"timeout", "SECONDS", "How long one server may take before it counts as unreachable.", "120"},
    {"edx-root", "DIR", "Where Open edX is installed on the servers.", "/edx"},
    {"kubeconfig", "FILE", "Access to the server; $KUBECONFIG, else ~/.kube/config, unless said otherwise."},
    {"help", "", "Show this text."},
};

constexpr std::size_t at_a_time_max = 16;                   // connections by SSH, each a thread
constexpr std::size_t reply_bytes_max = 256 * 1024 * 1024;  // of one list: some ten thousand objects
constexpr auto private_key = "ssh-privatekey";

std::string help() {
    return "Reports as CSV how much each active AppServer is used, which its machine is asked by SSH: unique visitors\n"
           "in its logs, users, courses. What cannot be told is \"N/A\". Whoever asks must be allowed to read the\n"
           "machines' SSH keys, as ocim-admin is.\n"
           "\n"
           "Usage: ocim report activity [FLAGS]\n"
           "\n"
           "Flags:\n" +
           describe(flags);
}

struct Wanted {
    Kubeconfig access;
    std::string out, edx_root;
    Duration limit{};
};

Result<Wanted> wanted(const Arguments& arguments) {
    Wanted out;
    auto access = read_kubeconfig(kubeconfig_path(arguments.text("kubeconfig")));
    if (!access) return std::move(access).error();
    out.access = *std::move(access);
    out.out = arguments.text("out");
    out.edx_root = arguments.text("edx-root");
    const auto seconds = arguments.text("timeout");
    const bool digits = !seconds.empty() && seconds.size() <= 5 &&
                        std::ranges::all_of(seconds, [](char c) { return c >= '0' && c <= '9'; });
    if (!digits || std::stol(seconds) < 1)
        return Error{ErrorClass::invalid, "--timeout " + seconds + ": give a number of seconds"};
    out.limit = std::chrono::seconds(std::stol(seconds));
    return out;
}

/// The report's way from the API and the machines to its text. Everything it starts has ended when run() has.
class Report {
public:
    Report(boost::asio::any_io_executor loop, Clock& clock, Wanted what)
        : loop_(std::move(loop)), clock_(clock), wanted_(std::move(what)), tasks_(loop_) {}

    /// The CSV; empty when there is nothing to report on.
    awaitable<Result<std::string>> run() {
        auto result = co_await gather();
        co_await tasks_.stop();
        co_return result;
    }

private:
    awaitable<Result<std::string>> gather() {
        openedx::ListedObjects listed;
        CO_TRY(listed.instances, co_await get("/apis/ocim.opencraft.com/v1alpha1/instances"));
        CO_TRY(listed.classes, co_await get("/apis/ocim.opencraft.com/v1alpha1/instanceclasses"));
        CO_TRY(listed.appservers, co_await get("/apis/ocim.opencraft.com/v1alpha1/appservers"));
        CO_TRY(listed.machines, co_await get("/apis/ocim.opencraft.com/v1alpha1/virtualmachines"));
        servers_ = openedx::active_servers(listed, clock_.wall());
        if (servers_.empty()) co_return std::string();
        for (const auto& server : servers_) { CO_CHECK(co_await learn_key(server.ssh_key_secret)); }
        activities_.resize(servers_.size());
        const auto workers = std::min(at_a_time_max, servers_.size());
        for (std::size_t n = 0; n < workers; ++n) tasks_.spawn("report", work());
        co_await tasks_.join();
        co_return openedx::activity_csv(servers_, activities_);
    }

    awaitable<Result<api::Json>> get(std::string path) {
        net::StreamRequest request;
        request.url = wanted_.access.server + path;
        request.ca_certificate = wanted_.access.ca_certificate;
        request.certificate = wanted_.access.certificate;
        request.private_key = wanted_.access.private_key;
        request.bearer_token = wanted_.access.token;
        std::string body;
        bool too_long = false;
        const auto take = [&](unsigned, std::string_view part) {
            too_long = too_long || body.size() + part.size() > reply_bytes_max;
            if (!too_long) body += part;
        };
        auto reading = net::read_stream(loop_, clock_, std::move(request), take);
        CO_TRY(const auto status, co_await std::move(reading));
        if (too_long) co_return Error{ErrorClass::transient, path + ": the answer is too long"};
        auto parsed = api::parse_json(body);
        if (status == 200 && parsed) co_return std::move(parsed->value);
        const auto message = parsed ? std::string(api::find_text(parsed->value, {"message"})) : std::string();
        co_return Error{ErrorClass::invalid,
                        message.empty() ? "the server answered with status " + std::to_string(status) : message};
    }

    /// The key that opens machines; that there is none concerns those machines alone, not to be allowed all.
    awaitable<Result<void>> learn_key(std::string name) {
        if (name.empty() || keys_.contains(name)) co_return Result<void>();
        keys_[name];
        auto listed = co_await get("/api/v1/namespaces/ocim-system/secrets?fieldSelector=metadata.name%3D" +
                                   net::percent_encode(name));
        if (!listed) co_return std::move(listed).error().within("the machines' SSH key");
        const auto* items = api::find(*listed, {"items"});
        if (items && items->is_array() && !items->get_array().empty())
            if (auto key = runtime::from_base64(api::find_text(items->get_array().front(), {"data", private_key})))
                keys_[name] = Secret(*std::move(key));
        co_return Result<void>();
    }

    /// One of several that take the servers in turn.
    awaitable<void> work() {
        while (next_ < servers_.size()) {
            const auto n = next_++;
            auto asked = ask(n);
            const auto answer = co_await with_deadline(clock_, wanted_.limit, "the server", std::move(asked));
            if (answer)
                activities_[n] = openedx::read_activity(*answer);
            else
                complain(servers_[n].appserver + " (" + servers_[n].address + "): " + answer.error().message);
        }
    }

    awaitable<Result<std::string>> ask(std::size_t n) {
        const auto& server = servers_[n];
        const auto key = keys_.find(server.ssh_key_secret);
        if (key == keys_.end() || key->second.empty())
            co_return Error{ErrorClass::auth, "its machine names no SSH key that is there"};
        if (server.host_key.empty()) co_return Error{ErrorClass::unreachable, "its machine's host key is not known"};
        net::SshSettings settings;
        settings.host = server.address;
        settings.user = server.ssh_user;
        settings.private_key = key->second;
        settings.host_key = server.host_key;
        const auto host = net::make_ssh_host(loop_, std::move(settings));
        auto command = openedx::activity_command(server.ssh_user, wanted_.edx_root);
        const std::string no_input;
        CO_TRY(auto result, co_await host->run(std::move(command), no_input, wanted_.limit));
        // what it printed before it failed is true
        if (result.exit_code != 0 && result.output.empty())
            co_return Error{ErrorClass::transient, "it ended with exit code " + std::to_string(result.exit_code) +
                                                       ": " + one_line(result.errors, 200)};
        co_return std::move(result.output);
    }

    boost::asio::any_io_executor loop_;
    Clock& clock_;
    Wanted wanted_;
    std::vector<openedx::ActiveServer> servers_;
    std::vector<openedx::Activity> activities_;
    std::map<std::string, Secret> keys_;
    std::size_t next_ = 0;
    TaskGroup tasks_;
};

Result<std::string> gather(Wanted what) {
    boost::asio::io_context loop{1};
    const auto clock = make_system_clock(loop);
    Report report(loop.get_executor(), *clock, std::move(what));
    std::optional<Result<std::string>> done;
    boost::asio::co_spawn(loop, report.run(), [&](std::exception_ptr thrown, Result<std::string> ended) {
        if (thrown) std::rethrow_exception(thrown);
        done = std::move(ended);
    });
    loop.run();
    return *std::move(done);
}

/// Said before anybody is asked: gathering may take minutes.
Result<void> check_writable(const std::string& path) {
    if (path.empty()) return {};
    const auto slash = path.rfind('/');
    const auto folder = slash == std::string::npos ? std::string(".") : path.substr(0, slash + 1);
    if (::access(folder.c_str(), W_OK | X_OK) != 0) return Error{ErrorClass::invalid, path + ": cannot be written"};
    return {};
}

}  // namespace

int report(std::span<const std::string> words) {
    const bool asks =
        std::ranges::find(words, "--help") != words.end() || std::ranges::find(words, "-h") != words.end();
    if (asks) {
        std::cout << help();
        return exit_ok;
    }
    if (words.empty() || words.front() != "activity") {
        complain("say which report: ocim report activity. See \"ocim report --help\".");
        return exit_usage;
    }
    const auto arguments = Arguments::parse("report activity", words.subspan(1), flags);
    auto what = arguments ? wanted(*arguments) : Result<Wanted>(arguments.error());
    if (!what) {
        complain(what.error().message);
        return exit_usage;
    }
    const auto out = what->out;
    if (const auto writable = check_writable(out); !writable) {
        complain(writable.error().message);
        return exit_failed;
    }
    const auto csv = gather(*std::move(what));
    if (!csv) {
        complain(csv.error().message);
        return exit_failed;
    }
    if (csv->empty()) {
        complain("no AppServer is active: there is nothing to report on");
        return exit_ok;
    }
    if (out.empty()) {
        std::cout << *csv << std::flush;
        return exit_ok;
    }
    if (const auto written = write_file(out, *csv); !written) {
        complain(written.error().message);
        return exit_failed;
    }
    return exit_ok;
}

}  // namespace ocim::cli
