#include "cli/cli.hpp"

#include "compute/machine_process.hpp"

#include <algorithm>
#include <array>
#include <iostream>

namespace ocim::cli {

namespace {

struct Command {
    std::string_view name, summary;
    int (*run)(std::span<const std::string>);
};

constexpr std::array commands{
    Command{"controller", "Run the controllers against a Kubernetes API server.", controller},
    Command{"kubeconfig", "Make a kubeconfig for a colleague.", kubeconfig_for},
    Command{"logs", "Print the log of an AppServer's playbook.", logs},
    Command{"report", "How much each site is used, as CSV.", report},
    Command{"secrets", "New keys for what encrypts Secrets and signs tokens.", secrets},
    Command{"serve", "Run the API server and the controllers in this process.", serve},
    Command{"version", "Print the version of this program.", version},
};

std::string help() {
    std::string out =
        "ocim hosts Open edX: instances are declared in YAML, and ocim makes the world match.\n"
        "\n"
        "Usage: ocim COMMAND [FLAGS]\n"
        "\n"
        "Commands:\n";
    for (const auto& command : commands)
        out += "  " + std::string(command.name) + std::string(12 - command.name.size(), ' ') +
               std::string(command.summary) + "\n";
    return out +
           "\n"
           "\"ocim COMMAND --help\" tells more about one. To begin:\n"
           "  ocim serve --data-dir ~/.ocim\n"
           "  export KUBECONFIG=~/.ocim/kubeconfig\n"
           "  kubectl api-resources --categories=ocim\n";
}

bool asks_for_help(std::string_view word) { return word == "help" || word == "--help" || word == "-h"; }

}  // namespace

void complain(std::string_view message) { std::cerr << "ocim: " << message << std::endl; }

int run(std::span<const std::string> words) {
    if (words.empty()) {
        std::cerr << help();
        return exit_usage;
    }
    const std::string_view first = words.front();
    if (asks_for_help(first)) {
        std::cout << help();
        return exit_ok;
    }
    // the processes of local machines: a part of this program, not for people, so not among the commands
    if (first == "machine") return compute::machine_main({words.begin() + 1, words.end()});
    const std::string_view name = first == "--version" ? "version" : first;
    const auto command = std::ranges::find(commands, name, &Command::name);
    if (command == commands.end()) {
        complain("unknown command \"" + std::string(first) + "\". See \"ocim --help\".");
        return exit_usage;
    }
    return command->run(words.subspan(1));
}

}  // namespace ocim::cli
