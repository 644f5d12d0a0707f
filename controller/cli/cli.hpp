#pragma once

#include <span>
#include <string>
#include <string_view>

namespace ocim::cli {

/// Exit codes: as Unix tools have them.
inline constexpr int exit_ok = 0;
inline constexpr int exit_failed = 1;  ///< it was understood, and went wrong
inline constexpr int exit_usage = 2;   ///< it was not understood

/// Runs the sub-command that `words` (the program's arguments without its name) ask for; its exit code.
int run(std::span<const std::string> words);

/// "ocim: " and the message, on stderr.
void complain(std::string_view message);

}  // namespace ocim::cli
