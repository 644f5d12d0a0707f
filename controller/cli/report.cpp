#include "api/json.hpp"
#include "base/async.hpp"
#include "base/utf8.hpp"
#include "cli/cli.hpp"
#include "cli/command.hpp"
#include "cli/files.hpp"
#include "cli/kubeconfig.hpp"
#include "crd/appservers.hpp"
#include "crd/instanceclasses.hpp"
#include "crd/instances.hpp"
#include "crd/virtualmachines.hpp"
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
    kubeconfig_flag,
    context_flag,
    help_flag,
};

constexpr std::string_view reports[] = {"activity"};

constexpr std::size_t at_a_time_max = 16;  // connections by SSH, each a thread
constexpr auto private_key = "ssh-privatekey";
constexpr auto system_namespace = "ocim-system";

struct Wanted {
    client::Access access;
    std::string out, edx_root;
    Duration limit{};
};

Result<Wanted> wanted(const Arguments& arguments) {
    Wanted out;
    auto access = read_kubeconfig(kubeconfig_path(arguments.text("kubeconfig")), arguments.text("context"));
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
    Report(boost::asio::any_io_executor loop, Clock& clock, client::Client& client, Wanted what)
        : loop_(std::move(loop)), clock_(clock), client_(&client), wanted_(std::move(what)), tasks_(loop_) {}

    /// The CSV; empty when there is nothing to report on.
    awaitable<Result<std::string>> run() {
        auto result = co_await gather();
        co_await tasks_.stop();
        co_return result;
    }

private:
    awaitable<Result<std::string>> gather() {
        openedx::ListedObjects listed;
        CO_TRY(listed.instances, co_await list(crd::Instance::kind));
        CO_TRY(listed.classes, co_await list(crd::InstanceClass::kind));
        CO_TRY(listed.appservers, co_await list(crd::AppServer::kind));
        CO_TRY(listed.machines, co_await list(crd::VirtualMachine::kind));
        servers_ = openedx::active_servers(listed, clock_.wall());
        if (servers_.empty()) co_return std::string();
        for (const auto& server : servers_) { CO_CHECK(co_await learn_key(server.ssh_key_secret)); }
        activities_.resize(servers_.size());
        const auto workers = std::min(at_a_time_max, servers_.size());
        for (std::size_t n = 0; n < workers; ++n) tasks_.spawn("report", work());
        co_await tasks_.join();
        co_return openedx::activity_csv(servers_, activities_);
    }

    awaitable<Result<api::Json>> list(api::Kind kind) {
        CO_TRY(auto listed, co_await client_->list(kind, ""));
        api::Json out = api::json::object();
        auto& items = (out.get_object()["items"] = api::json::array()).get_array();
        for (auto& item : listed.items) items.push_back(std::move(item));
        co_return out;
    }

    /// The key that opens machines; that there is none concerns those machines alone, not to be allowed all.
    awaitable<Result<void>> learn_key(std::string name) {
        if (name.empty() || keys_.contains(name)) co_return Result<void>();
        keys_[name];
        const auto found = co_await client_->get(api::secret_kind, system_namespace, name);
        if (!found && found.error().error_class == ErrorClass::not_found) co_return Result<void>();
        if (!found) co_return Error(found.error()).within("the machines' SSH key");
        if (auto key = runtime::from_base64(api::find_text(*found, {"data", private_key})))
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
    client::Client* client_;
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
    Metrics metrics;
    BlockingPool pool(loop.get_executor(), "blocking", 1, 16);
    const auto client =
        client::make_remote_client(loop.get_executor(), *clock, metrics, pool,
                                   {[access = what.access] { return Result<client::Access>(access); }, "ocim-report"});
    Report report(loop.get_executor(), *clock, *client, std::move(what));
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

int report(const Arguments& arguments) {
    if (arguments.operands() != std::vector<std::string>{"activity"}) {
        complain("say which report: ocim report activity. See \"ocim report --help\".");
        return exit_usage;
    }
    auto what = wanted(arguments);
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

constexpr Example examples[] = {
    {"How much each site is used, into a file", "ocim report activity --out activity.csv"},
};

}  // namespace

constinit const Command report_command{
    .name = "report",
    .summary = "How much each site is used, as CSV.",
    .synopsis = "activity [FLAGS]",
    .description =
        "Reports as CSV how much each active AppServer is used, which its machine is asked by SSH: unique visitors in\n"
        "its logs, users, courses. What cannot be told is \"N/A\". Whoever asks must be allowed to read the machines'\n"
        "SSH keys, as ocim-admin is.",
    .flags = flags,
    .examples = examples,
    .run = report,
    .operands = Operands::taken,
    .completes = Completes::words,
    .words = reports,
};

}  // namespace ocim::cli
