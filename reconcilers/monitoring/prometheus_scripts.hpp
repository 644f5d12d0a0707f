#pragma once

/// The programs that run where Prometheus' files are. Whatever differs comes as an argument or on standard input, so no
/// command is ever put together from text. They need sh, flock (util-linux), the core utilities and promtool.
namespace ocim::monitoring::prometheus {

enum ScriptExit : int {
    exit_refused = 65,       ///< promtool found fault with the files; its messages are on stdout
    exit_no_directory = 66,  ///< the directory is not there
    exit_no_tool = 67,       ///< a program that is needed is not there: stderr is its name
    exit_changed = 75,       ///< the files are not what was expected, or somebody else is at work
};

/// DIRECTORY NAME: prints "SUM TARGETS-BYTES RULES-BYTES", a line end, and the two files NAME.json and NAME.rules.yml.
extern const char* const read_script;

/// DIRECTORY NAME: exits 0 when all that is needed is there.
extern const char* const probe_script;

/// MODE DIRECTORY NAME SUM TARGETS-BYTES: takes the two files from standard input, checks them with promtool and, with
/// the mode apply, puts each in force by one rename. Nothing is written when they are what is there.
extern const char* const write_script;

}  // namespace ocim::monitoring::prometheus
