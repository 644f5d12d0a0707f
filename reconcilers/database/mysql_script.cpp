#include "database/mysql_script.hpp"

#include "base/limits.hpp"
#include "base/utf8.hpp"

#include <algorithm>
#include <array>
#include <cctype>

namespace ocim::database::mysql {

namespace {

constexpr unsigned not_understood = 1064;
constexpr std::size_t words_max = 400;  // of the server, about a failure

enum class Stage { none, started, done, failed };

struct Row {
    Stage stage = Stage::none;
    std::int32_t round = 0;
    std::string message;
};

std::string notes_table(const ScriptAction& script) { return identifier(script.database) + ".`ocim_scripts`"; }

/// The name of a lock has 64 characters at most.
std::string lock_name(const ScriptAction& script) {
    return "CONCAT('ocim-', MD5(" + literal(script.database + "/" + script.id) + "))";
}

std::string where(const ScriptAction& script, std::size_t step) {
    return " WHERE id=" + literal(script.id) + " AND step=" + std::to_string(step);
}

/// The session as our own statements need it, whatever the script did to it.
Result<void> settle(Connection& connection) {
    if (auto done = connection.execute(session_settings(connection.dialect())); !done) return done;
    return connection.execute("SET SESSION autocommit=1");
}

Result<Row> read_note(Connection& connection, const ScriptAction& script, std::size_t step) {
    auto found = connection.query("SELECT state, round, message FROM " + notes_table(script) + where(script, step));
    if (!found) return std::move(found).error();
    Row out;
    if (found->rows.empty()) return out;
    const auto state = found->cell(0, "state");
    out.stage = state == "done" ? Stage::done : state == "failed" ? Stage::failed : Stage::started;
    const auto round = found->cell(0, "round");
    for (const char digit : round)
        if (digit >= '0' && digit <= '9' && out.round < 100'000'000) out.round = out.round * 10 + (digit - '0');
    out.message = found->cell(0, "message");
    return out;
}

Result<void> write_note(Connection& connection, const ScriptAction& script, std::size_t step, std::string_view state,
                        const std::string& message) {
    return connection.execute("REPLACE INTO " + notes_table(script) + " (id, step, state, round, message) VALUES (" +
                              literal(script.id) + ", " + std::to_string(step) + ", " + literal(state) + ", " +
                              std::to_string(script.round) + ", " + literal(message) + ")");
}

/// The statement with its note, in one transaction.
Result<void> run_with_note(Connection& connection, const ScriptAction& script, std::size_t step) {
    if (auto begun = connection.execute("START TRANSACTION"); !begun) return begun;
    if (auto ready = connection.execute("SET SESSION sql_mode=DEFAULT"); !ready) return ready;
    if (auto done = connection.execute(script.statements[step - 1]); !done) return done;
    if (auto ready = connection.execute(session_settings(connection.dialect())); !ready) return ready;
    if (auto noted = write_note(connection, script, step, "done", ""); !noted) return noted;
    return connection.execute("COMMIT");
}

Result<void> run_then_note(Connection& connection, const ScriptAction& script, std::size_t step) {
    if (auto ready = connection.execute("SET SESSION sql_mode=DEFAULT"); !ready) return ready;
    if (auto done = connection.execute(script.statements[step - 1]); !done) return done;
    if (auto committed = connection.execute("COMMIT"); !committed) return committed;
    if (auto settled = settle(connection); !settled) return settled;
    return write_note(connection, script, step, "done", "");
}

/// The server is not at fault and the statement neither: another moment will do.
bool passes(const Error& error, unsigned code) {
    constexpr unsigned lock_wait = 1205, deadlock = 1213, interrupted = 1317;
    return error.error_class == ErrorClass::unreachable || error.error_class == ErrorClass::rate_limited ||
           error.outcome_unknown || code == lock_wait || code == deadlock || code == interrupted;
}

std::string in_words(std::size_t step, const Error& error, unsigned code) {
    const auto words = code == not_understood ? "MySQL error 1064: the server does not understand it" : error.message;
    return one_line("statement " + std::to_string(step) + ": " + words, words_max);
}

ScriptRun fail(Connection& connection, const ScriptAction& script, std::size_t step, ScriptRun out, Error error) {
    const auto code = connection.code();
    out.message = in_words(step, error, code);
    if (passes(error, code)) {
        out.state = ScriptRun::State::interrupted;
        return out;
    }
    out.state = ScriptRun::State::failed;
    auto noted = connection.execute("ROLLBACK");
    if (noted) noted = settle(connection);
    if (noted) noted = write_note(connection, script, step, "failed", out.message);
    if (!noted) out.state = ScriptRun::State::interrupted;  // said when it can be written down
    return out;
}

}  // namespace

bool goes_with_its_note(std::string_view statement) {
    constexpr std::array words{"insert", "update", "delete", "replace", "select"};
    const auto first = statement.find_first_not_of(" \t\r\n(");
    if (first == std::string_view::npos) return false;
    std::string word;
    for (const char letter : statement.substr(first)) {
        if (!std::isalpha(static_cast<unsigned char>(letter))) break;
        word += static_cast<char>(std::tolower(static_cast<unsigned char>(letter)));
    }
    return std::ranges::find(words, word) != words.end();
}

Result<void> begin_script(Connection& connection, const ScriptAction& script) {
    auto locked = connection.query("SELECT GET_LOCK(" + lock_name(script) + ", 0) AS held");
    if (!locked) return std::move(locked).error();
    if (locked->rows.size() != 1 || locked->cell(0, "held") != "1")
        return Error{ErrorClass::transient, "script " + script.id + " is still at work in an earlier session"};
    auto made = connection.execute(
        "CREATE TABLE IF NOT EXISTS " + notes_table(script) +
        " (id VARCHAR(190) NOT NULL, step INT NOT NULL, state VARCHAR(16) NOT NULL, round INT NOT NULL,"
        " message VARCHAR(500) NOT NULL DEFAULT '', changed TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP,"
        " PRIMARY KEY (id, step)) ENGINE=InnoDB CHARACTER SET utf8mb4 COLLATE utf8mb4_bin");
    if (!made) return made;
    return connection.execute("USE " + identifier(script.database));
}

ScriptRun run_script(Connection& connection, const ScriptAction& script, ScriptProgress& progress) {
    ScriptRun out;
    out.round = script.round;
    for (std::size_t step = 1; step <= script.statements.size(); ++step) {
        if (progress.stop) {
            out.state = ScriptRun::State::interrupted;
            return out;
        }
        const auto row = read_note(connection, script, step);
        if (!row) return fail(connection, script, step, out, row.error());
        if (row->stage != Stage::done) {
            const bool whole = goes_with_its_note(script.statements[step - 1]);
            const bool asked_again = row->round < script.round;
            if (row->stage == Stage::failed && !asked_again) {
                out.state = ScriptRun::State::failed;
                out.message = row->message;
                return out;
            }
            if (row->stage == Stage::started && !whole && !script.repeatable && !asked_again) {
                out.state = ScriptRun::State::failed;
                out.message = "statement " + std::to_string(step) +
                              ": the connection was lost while it ran and it may have had its effect; look, and ask "
                              "again only if it may run once more";
                return out;
            }
            auto done = write_note(connection, script, step, "started", "");
            if (done) done = whole ? run_with_note(connection, script, step) : run_then_note(connection, script, step);
            if (!done) return fail(connection, script, step, out, done.error());
        }
        out.done = static_cast<std::int32_t>(step);
        progress.done = out.done;
    }
    out.state = ScriptRun::State::succeeded;
    return out;
}

}  // namespace ocim::database::mysql
