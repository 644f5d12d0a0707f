#pragma once

#include "cli/arguments.hpp"

#include <span>
#include <string>
#include <string_view>

namespace ocim::cli {

struct Example {
    std::string_view says, command;
};

/// What completion offers for the words of a command that are no flags.
enum class Completes { nothing, kinds, objects, words };

/// A sub-command, as all need it that tell of it: --help, the manual page and completion are made from nothing else.
struct Command {
    std::string_view name, summary;
    std::string_view synopsis;     ///< what follows "ocim NAME" in a usage line; lines of several are separated by \n
    std::string_view description;  ///< paragraphs
    std::span<const Flag> flags;
    std::span<const Example> examples{};
    int (*run)(const Arguments& arguments) = nullptr;
    Operands operands = Operands::refused;
    Completes completes = Completes::nothing;
    std::span<const std::string_view> words{};  ///< what Completes::words offers
    int usage_exit = 2;                         ///< for words that are not understood
};

/// All that people call, in the order of the alphabet.
std::span<const Command* const> commands();
/// Null when there is none of that name.
const Command* find_command(std::string_view name);

/// The text of "ocim --help", and of "ocim NAME --help".
std::string help();
std::string help(const Command& command);

// --- flags that mean the same everywhere

inline constexpr Flag help_flag{.name = "help", .value = "", .help = "Show this text.", .letter = 'h'};
inline constexpr Flag kubeconfig_flag{"kubeconfig", "FILE",
                                      "Access to the server; $KUBECONFIG, else ~/.kube/config, unless said otherwise."};
inline constexpr Flag context_flag{"context", "NAME", "Which context of the kubeconfig; its current one unless given."};
inline constexpr Flag namespace_flag{.name = "namespace",
                                     .value = "NAMESPACE",
                                     .help = "The namespace; that of the context unless given.",
                                     .letter = 'n'};
inline constexpr Flag all_namespaces_flag{
    .name = "all-namespaces", .value = "", .help = "In every namespace.", .letter = 'A'};
inline constexpr Flag selector_flag{.name = "selector",
                                    .value = "LABELS",
                                    .help = "Only what has these labels: a=b, a!=b, a in (b,c), a, !a.",
                                    .letter = 'l'};
inline constexpr Flag filename_flag{.name = "filename",
                                    .value = "FILE",
                                    .help = "A manifest, a directory of them, or - for stdin; may be repeated.",
                                    .repeated = true,
                                    .letter = 'f'};
inline constexpr Flag recursive_flag{
    .name = "recursive", .value = "", .help = "Also what is in directories of the directory.", .letter = 'R'};

// --- the sub-commands, each in a file of its name

extern const Command apply_command, backup_command, completion_command, controller_command, delete_command,
    doctor_command, explain_status_command, get_command, kubeconfig_command, logs_command, manual_command,
    migrate_command, orphans_command, pause_command, plan_command, report_command, restore_command, resume_command,
    secrets_command, serve_command, version_command, wait_command;

}  // namespace ocim::cli
