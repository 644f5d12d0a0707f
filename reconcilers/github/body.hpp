#pragma once

#include "api/json.hpp"

#include <optional>
#include <string>
#include <string_view>
#include <vector>

/// What the text of a pull request says. Everything here is what a stranger wrote. Pure.
namespace ocim::github {

/// The parts of the text that matter.
struct Body {
    /// Of the first block of settings, lines ended by "\n"; empty: there is none.
    std::string settings;
    /// Lines that speak of databases: which of them counts depends on the sandbox's domain.
    std::vector<std::string> database_lines;
    std::string error;  ///< what is wrong, for its author; empty: nothing
    bool operator==(const Body&) const = default;
};

/// The block: "Settings" at the end of a line, between two characters and two more (as in **Settings**), then, after
/// empty lines if any, a line of three back-quotes and maybe lower-case letters, up to the next line that begins with
/// three. Lines may end in CRLF, LF or CR.
Body read_body(std::string_view text);

enum class DatabaseMode { ephemeral, persistent };
/// "<domain> … ephemeral database(s)" or "… persistent database(s)" in one of the lines; ephemeral goes first.
std::optional<DatabaseMode> database_mode(const std::vector<std::string>& lines, std::string_view domain);

/// What the text of a pull request may set.
struct Allowed {
    std::vector<std::string> variables, configuration_repositories;
};

struct Settings {
    api::json::object variables;
    std::optional<std::string> configuration_repository, configuration_version;
    std::vector<std::string> left_out;  ///< names that it may not set, for its author
};

/// The block, as YAML: a mapping of variables, of which edx_ansible_source_repo and configuration_version choose the
/// playbook. Error: invalid, for its author.
Result<Settings> read_settings(const std::string& block, const Allowed& allowed);

}  // namespace ocim::github
