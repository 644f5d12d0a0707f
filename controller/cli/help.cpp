#include "cli/command.hpp"

#include <algorithm>

namespace ocim::cli {

namespace {

/// One line an alternative: "  ocim get KIND [FLAGS]".
std::string usage(const Command& command) {
    std::string out;
    std::string_view rest = command.synopsis;
    do {
        const auto end = std::min(rest.find('\n'), rest.size());
        out += "  ocim " + std::string(command.name);
        if (end > 0) out += " " + std::string(rest.substr(0, end));
        out += "\n";
        rest.remove_prefix(std::min(end + 1, rest.size()));
    } while (!rest.empty());
    return out;
}

}  // namespace

std::string help() {
    std::size_t width = 0;
    for (const auto* command : commands()) width = std::max(width, command->name.size());
    std::string out =
        "ocim hosts Open edX: instances are declared in YAML, and ocim makes the world match.\n"
        "\n"
        "Usage: ocim COMMAND [FLAGS]\n"
        "\n"
        "Commands:\n";
    for (const auto* command : commands())
        out += "  " + std::string(command->name) + std::string(width - command->name.size() + 2, ' ') +
               std::string(command->summary) + "\n";
    return out +
           "\n"
           "\"ocim COMMAND --help\" tells more about one. To begin:\n"
           "  ocim serve --data-dir ~/.ocim\n"
           "  export KUBECONFIG=~/.ocim/kubeconfig\n"
           "  ocim get ocim\n";
}

std::string help(const Command& command) {
    auto out = std::string(command.summary) + "\n\n";
    if (!command.description.empty()) out += std::string(command.description) + "\n\n";
    out += "Usage:\n" + usage(command);
    if (!command.examples.empty()) out += "\nExamples:\n";
    for (const auto& example : command.examples)
        out += "  # " + std::string(example.says) + "\n  " + std::string(example.command) + "\n";
    return out + "\nFlags:\n" + describe(command.flags);
}

}  // namespace ocim::cli
