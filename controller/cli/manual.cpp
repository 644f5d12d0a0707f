#include "cli/cli.hpp"
#include "cli/command.hpp"

#include <algorithm>
#include <iostream>

namespace ocim::cli {

namespace {

constexpr Flag flags[] = {help_flag};
constexpr Example examples[] = {
    {"Read it", "ocim manual | man -l -"},
    {"Install it", "ocim manual > /usr/local/share/man/man1/ocim.1"},
};

/// Text that troff prints as it is.
std::string escaped(std::string_view text) {
    std::string out;
    bool line_begins = true;
    for (const char c : text) {
        if (line_begins && (c == '.' || c == '\'')) out += "\\&";
        if (c == '\\')
            out += "\\e";
        else if (c == '-')
            out += "\\-";
        else
            out += c;
        line_begins = c == '\n';
    }
    return out;
}

std::string paragraphs(std::string_view text) {
    std::string out;
    while (!text.empty()) {
        const auto end = std::min(text.find("\n\n"), text.size());
        out += ".PP\n" + escaped(text.substr(0, end)) + "\n";
        text.remove_prefix(std::min(end + 2, text.size()));
    }
    return out;
}

std::string section(const Command& command) {
    std::string out = ".SS ocim " + escaped(command.name) + "\n" + escaped(command.summary) + "\n";
    std::string_view rest = command.synopsis;
    do {
        const auto end = std::min(rest.find('\n'), rest.size());
        out += ".PP\n.B ocim " + escaped(command.name) + "\n" + escaped(rest.substr(0, end)) + "\n";
        rest.remove_prefix(std::min(end + 1, rest.size()));
    } while (!rest.empty());
    out += paragraphs(command.description);
    for (const auto& flag : command.flags) {
        out += ".TP\n.B ";
        if (flag.letter) out += std::string("\\-") + flag.letter + ", ";
        out += "\\-\\-" + escaped(flag.name) + (flag.value.empty() ? "" : " " + escaped(flag.value)) + "\n" +
               escaped(flag.help) + (flag.required ? " (required)" : "") +
               (flag.fallback.empty() ? "" : " (default " + escaped(flag.fallback) + ")") + "\n";
    }
    for (const auto& example : command.examples)
        out += ".PP\n" + escaped(example.says) + ":\n.RS\n.nf\n" + escaped(example.command) + "\n.fi\n.RE\n";
    return out;
}

int manual(const Arguments&) {
    std::string out =
        ".TH OCIM 1 \"\" \"ocim " OCIM_VERSION
        "\" \"User Commands\"\n"
        ".SH NAME\nocim \\- hosts Open edX: instances are declared in YAML, and ocim makes the world match\n"
        ".SH SYNOPSIS\n.B ocim\nCOMMAND [FLAGS]\n"
        ".SH COMMANDS\n";
    for (const auto* command : commands()) out += section(*command);
    out +=
        ".SH ENVIRONMENT\n"
        ".TP\n.B KUBECONFIG\nAccess to the server, where \\-\\-kubeconfig does not say otherwise; the first of several "
        "files.\n"
        ".TP\n.B NO_COLOR\nNo colours, when it is set to anything.\n"
        ".SH EXIT STATUS\n"
        ".TP\n.B 0\nDone.\n.TP\n.B 1\nIt went wrong; stderr says why.\n.TP\n.B 2\nThe words were not understood; of "
        "ocim plan, "
        "that something changes.\n"
        ".SH SEE ALSO\nkubectl(1)\n";
    std::cout << out << std::flush;
    return exit_ok;
}

}  // namespace

constinit const Command manual_command{
    .name = "manual",
    .summary = "Print the manual page.",
    .synopsis = "",
    .description = "It is made from what --help tells.",
    .flags = flags,
    .examples = examples,
    .run = manual,
};

}  // namespace ocim::cli
