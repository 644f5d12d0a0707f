#include "cli/arguments.hpp"
#include "cli/cli.hpp"

#include <iostream>

namespace ocim::cli {

int version(std::span<const std::string> words) {
    static constexpr Flag flags[] = {{"help", "", "Show this text."}};
    const auto arguments = Arguments::parse("version", words, flags);
    if (!arguments) {
        complain(arguments.error().message);
        return exit_usage;
    }
    if (arguments->has("help"))
        std::cout << "Print the version of this program.\n\nUsage: ocim version\n\nFlags:\n" << describe(flags);
    else
        std::cout << "ocim " << OCIM_VERSION << "\n";
    return exit_ok;
}

}  // namespace ocim::cli
