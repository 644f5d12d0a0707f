#pragma once

#include "database/mysql_connection.hpp"
#include "database/script.hpp"

#include <atomic>
#include <string_view>

/// One script on one session. Everything here blocks.
namespace ocim::database::mysql {

/// Whether a statement and the note that it is done can be one transaction: then nobody ever has to guess.
bool goes_with_its_note(std::string_view statement);

/// Makes the table of notes where it is not there, and takes the script's lock: whoever lost his connection may still
/// be at work on the server. Error conflict: somebody is.
Result<void> begin_script(Connection& connection, const ScriptAction& script);

/// What others may look at and say while a script runs.
struct ScriptProgress {
    std::atomic<std::int32_t> done{0};
    std::atomic<bool> stop{false};
};

/// Runs what is not done yet, until something fails. Each statement is written down before it is run and after.
ScriptRun run_script(Connection& connection, const ScriptAction& script, ScriptProgress& progress);

}  // namespace ocim::database::mysql
