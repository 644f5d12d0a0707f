#pragma once

#include "api/json.hpp"
#include "base/result.hpp"
#include "cli/arguments.hpp"

#include <optional>
#include <string>
#include <vector>

/// How commands print, in kubectl's ways.
namespace ocim::cli {

enum class Output { table, wide, json, yaml, name };
inline constexpr Flag output_flag{.name = "output",
                                  .value = "FORMAT",
                                  .help = "json, yaml, name, or wide for a table with more columns.",
                                  .letter = 'o'};
/// What -o says. Error: invalid.
Result<Output> output_of(const Arguments& arguments);

/// Indented by 4, keys in the order of the alphabet, as kubectl has it.
std::string pretty_json(const api::Json& value);
/// An object as json or yaml, without managedFields.
std::string printed(api::Json object, Output output);
/// A v1 List of them.
api::Json list_of(std::vector<api::Json> objects);

/// Lines of cells with three blanks between columns.
class Columns {
public:
    void add(std::vector<std::string> line) { lines_.push_back(std::move(line)); }
    bool empty() const { return lines_.empty(); }
    /// What was added since the last call; columns only ever grow wider.
    std::string take();

private:
    std::vector<std::vector<std::string>> lines_;
    std::vector<std::size_t> widths_;
};

/// Prints metav1.Tables of one kind: the header once, before the first row.
class TablePrinter {
public:
    struct Settings {
        bool wide = false, with_namespace = false, headers = true;
        std::string prefix{};  ///< of each name: "dnsrecord.ocim.opencraft.com/"
    };
    explicit TablePrinter(Settings settings) : settings_(std::move(settings)) {}

    /// Of a watch only the first table names its columns.
    void add(const api::Json& table);
    std::string take() { return columns_.take(); }
    bool empty() const { return rows_ == 0; }

private:
    void add_header();
    void add_row(const api::Json& row);

    Settings settings_;
    std::vector<std::pair<std::string, bool>> shown_;  ///< of each column its name, and whether it is shown
    std::size_t rows_ = 0;
    Columns columns_;
};

/// Colours, where a person looks: never into a file or a pipe, and not with $NO_COLOR.
class Paint {
public:
    enum class Stream { out, error };
    explicit Paint(Stream stream);
    std::string green(std::string_view text) const { return painted("32", text); }
    std::string yellow(std::string_view text) const { return painted("33", text); }
    std::string red(std::string_view text) const { return painted("31", text); }
    std::string bold(std::string_view text) const { return painted("1", text); }

private:
    std::string painted(std::string_view code, std::string_view text) const;
    bool on_;
};

/// One line on a terminal that says what is waited for, and is gone in the end; nothing where nobody looks.
class Progress {
public:
    Progress();
    ~Progress();
    Progress(const Progress&) = delete;
    Progress& operator=(const Progress&) = delete;
    void say(std::string_view what);
    /// The line goes now.
    void clear();

private:
    bool on_, said_ = false;
};

}  // namespace ocim::cli
