#include "cli/cli.hpp"
#include "cli/command.hpp"

#include <iostream>

namespace ocim::cli {

namespace {

constexpr Flag flags[] = {help_flag};

int version(const Arguments&) {
    std::cout << "ocim " << OCIM_VERSION << "\n";
    return exit_ok;
}

}  // namespace

constinit const Command version_command{
    .name = "version",
    .summary = "Print the version of this program.",
    .synopsis = "",
    .description = "",
    .flags = flags,
    .run = version,
};

}  // namespace ocim::cli
