#include "openedx/run_place.hpp"

#include "base/utf8.hpp"
#include "net/process.hpp"
#include "openedx/run_enter.hpp"

#include <unistd.h>
#include <filesystem>

namespace ocim::openedx {
namespace {

constexpr Duration call_limit{20'000};
constexpr auto home = "/home/ocim";  // as run_enter.sh mounts it

Result<std::string> output_of(net::CommandResult result, const char* where) {
    if (result.exit_code == 0) return std::move(result.output);
    return Error{ErrorClass::transient, std::string("a command on ") + where + " ended with exit code " +
                                            std::to_string(result.exit_code) + ": " + one_line(result.errors, 200)};
}

void add(std::vector<std::string>& command, std::string program, std::vector<std::string> arguments) {
    command.push_back(std::move(program));
    command.emplace_back("ocim");
    for (auto& argument : arguments) command.push_back(std::move(argument));
}

class Machine final : public RunPlace {
public:
    Machine(net::SshHost& host, bool as_root)
        : RunPlace("/var/lib/ocim/runs", "/var/cache/ocim"), host_(host), as_root_(as_root) {}

    awaitable<Result<std::string>> run(std::string program, std::vector<std::string> arguments,
                                       std::string input) override {
        std::vector<std::string> command;
        if (!as_root_) command = {"sudo", "-n"};
        command.insert(command.end(), {"sh", "-c"});
        add(command, std::move(program), std::move(arguments));
        CO_TRY(auto result, co_await host_.run(std::move(command), std::move(input), call_limit));
        co_return output_of(std::move(result), "the machine");
    }
    Result<bool> used() const override { return true; }

private:
    net::SshHost& host_;
    bool as_root_;
};

class Controller final : public RunPlace {
public:
    Controller(BlockingPool& blocking, const std::string& data_directory, const std::string& namespace_,
               const std::string& machine)
        : RunPlace(std::string(home) + "/runs/" + machine, std::string(home) + "/cache"),
          blocking_(blocking),
          data_directory_(data_directory),
          namespace_(namespace_) {}

    awaitable<Result<std::string>> run(std::string program, std::vector<std::string> arguments,
                                       std::string input) override {
        if (::geteuid() != 0)
            co_return Error{ErrorClass::invalid,
                            "runOn: Controller needs Ocim to run as root, so that it can run playbooks as somebody who "
                            "may nothing; start it as root, or let them run on their machines"};
        net::ProcessSettings settings;
        settings.command = {"unshare", "--mount",     "--propagation", "private",       "sh",
                            "-c",      enter_program, "ocim",          data_directory_, namespace_};
        add(settings.command, std::move(program), std::move(arguments));
        settings.input = std::move(input);
        settings.limit = call_limit;
        CO_TRY(auto result, co_await net::run_process(blocking_, std::move(settings)));
        co_return output_of(std::move(result), "the controller's host");
    }
    Result<bool> used() const override {
        std::error_code error;
        const auto folder = data_directory_ + "/runner/" + namespace_;
        const auto found = std::filesystem::status(folder, error);
        if (found.type() == std::filesystem::file_type::directory) return true;
        if (found.type() == std::filesystem::file_type::not_found) return false;
        return Error{ErrorClass::transient, "cannot look into " + folder + ": " +
                                                (error ? error.message() : std::string("it is no folder")) +
                                                "; runs that are there would be taken for lost"};
    }

private:
    BlockingPool& blocking_;
    std::string data_directory_, namespace_;
};

}  // namespace

std::unique_ptr<RunPlace> make_machine_place(net::SshHost& host, bool logs_in_as_root) {
    return std::make_unique<Machine>(host, logs_in_as_root);
}

std::unique_ptr<RunPlace> make_controller_place(BlockingPool& blocking, const std::string& data_directory,
                                                const std::string& namespace_, const std::string& machine) {
    return std::make_unique<Controller>(blocking, data_directory, namespace_, machine);
}

}  // namespace ocim::openedx
