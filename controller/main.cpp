#include "cli/cli.hpp"

#include <vector>

int main(int count, char** arguments) {
    const std::vector<std::string> words(arguments + 1, arguments + count);
    return ocim::cli::run(words);
}
