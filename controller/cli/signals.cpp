#include "cli/signals.hpp"

#include <csignal>

namespace ocim::cli {

void survive_broken_pipes() {
    struct sigaction action{};
    action.sa_handler = [](int) {};
    action.sa_flags = SA_RESTART;
    ::sigaction(SIGPIPE, &action, nullptr);
}

}  // namespace ocim::cli
