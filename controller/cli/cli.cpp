#include "cli/cli.hpp"

#include "cli/command.hpp"
#include "cli/completion.hpp"
#include "compute/machine_process.hpp"

#include <algorithm>
#include <array>
#include <iostream>

namespace ocim::cli {

namespace {

constexpr std::array all_commands{
    &apply_command,   &backup_command,         &completion_command, &controller_command, &delete_command,
    &doctor_command,  &explain_status_command, &get_command,        &kubeconfig_command, &logs_command,
    &manual_command,  &migrate_command,        &orphans_command,    &pause_command,      &plan_command,
    &report_command,  &restore_command,        &resume_command,     &secrets_command,    &serve_command,
    &version_command, &wait_command,
};

bool asks_for_help(std::string_view word) { return word == "--help" || word == "-h"; }

int run(const Command& command, std::span<const std::string> words) {
    // asking for help is always allowed, whatever else is missing
    if (std::ranges::any_of(words, asks_for_help)) {
        std::cout << help(command);
        return exit_ok;
    }
    const auto arguments = Arguments::parse(command.name, words, command.flags, command.operands);
    if (arguments) return command.run(*arguments);
    complain(arguments.error().message);
    return command.usage_exit;
}

int show_help(std::span<const std::string> words) {
    const auto* command = words.empty() ? nullptr : find_command(words.front());
    if (!words.empty() && !command) {
        complain("unknown command \"" + words.front() + "\". See \"ocim --help\".");
        return exit_usage;
    }
    std::cout << (command ? help(*command) : help());
    return exit_ok;
}

}  // namespace

void complain(std::string_view message) { std::cerr << "ocim: " << message << std::endl; }

std::span<const Command* const> commands() { return all_commands; }

const Command* find_command(std::string_view name) {
    const auto found = std::ranges::find(all_commands, name, [](const Command* one) { return one->name; });
    return found == all_commands.end() ? nullptr : *found;
}

int run(std::span<const std::string> words) {
    if (words.empty()) {
        std::cerr << help();
        return exit_usage;
    }
    const std::string_view first = words.front();
    if (first == "help" || asks_for_help(first)) return show_help(words.subspan(1));
    // the processes of local machines: a part of this program, not for people, so not among the commands
    if (first == "machine") return compute::machine_main({words.begin() + 1, words.end()});
    if (first == "complete-words") return complete(words.subspan(1));  // for the shells' scripts
    const auto* command = find_command(first == "--version" ? "version" : first);
    if (command) return run(*command, words.subspan(1));
    complain("unknown command \"" + std::string(first) + "\". See \"ocim --help\".");
    return exit_usage;
}

}  // namespace ocim::cli
