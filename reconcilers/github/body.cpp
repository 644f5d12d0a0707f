#include "github/body.hpp"

#include "api/yaml.hpp"
#include "base/utf8.hpp"

#include <algorithm>

namespace ocim::github {
namespace {

constexpr std::size_t body_bytes_max = 256 * 1024;     // GitHub takes 65,536 characters of at most 4 bytes
constexpr std::size_t settings_bytes_max = 16 * 1024;  // goes into a status, of which there are many in one object
constexpr std::size_t lines_kept_max = 8, line_bytes_max = 512;
constexpr std::size_t version_bytes_max = 256;  // as an Instance's
constexpr std::size_t name_bytes_max = 100;     // of a stranger's word in a message
constexpr std::string_view fence = "```", heading = "Settings";

std::vector<std::string_view> lines_of(std::string_view text) {
    std::vector<std::string_view> out;
    for (std::size_t begin = 0; begin <= text.size();) {
        const auto end = std::min(text.find_first_of("\r\n", begin), text.size());
        out.push_back(text.substr(begin, end - begin));
        begin = end + (text.substr(end, 2) == "\r\n" ? 2 : 1);
    }
    return out;
}

std::string_view without_end(std::string_view line) {
    const auto last = line.find_last_not_of(" \t");
    return last == std::string_view::npos ? std::string_view() : line.substr(0, last + 1);
}

bool is_heading(std::string_view line) {
    const auto text = without_end(line);
    return text.size() >= heading.size() + 4 &&
           text.substr(text.size() - 2 - heading.size(), heading.size()) == heading;
}

bool opens_block(std::string_view line) {
    const auto text = without_end(line);
    return text.starts_with(fence) &&
           std::ranges::all_of(text.substr(fence.size()), [](char c) { return c >= 'a' && c <= 'z'; });
}

/// The lines between the fences after a heading; nothing when no block follows it.
std::optional<std::string> block_after(const std::vector<std::string_view>& lines, std::size_t next) {
    while (next < lines.size() && without_end(lines[next]).empty()) ++next;
    if (next >= lines.size() || !opens_block(lines[next])) return std::nullopt;
    std::string out;
    for (++next; next < lines.size(); ++next) {
        if (lines[next].starts_with(fence)) return out;
        out.append(lines[next]) += '\n';
    }
    return std::nullopt;  // it is never closed
}

bool speaks_of_databases(std::string_view line) {
    return line.find("ephemeral database") != std::string_view::npos ||
           line.find("persistent database") != std::string_view::npos;
}

bool is_version(std::string_view text) {
    const auto good = [](char c) {
        return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || c == '.' ||
               c == '/' || c == '-';
    };
    return !text.empty() && text.size() <= version_bytes_max && std::ranges::all_of(text, good) && text[0] != '.' &&
           text[0] != '/' && text[0] != '-';
}

std::string named(std::string_view name) { return one_line(name, name_bytes_max); }

Error wrong(std::string message) { return {ErrorClass::invalid, std::move(message)}; }

}  // namespace

Body read_body(std::string_view text) {
    Body out;
    if (text.size() > body_bytes_max) {
        out.error = "its text is too long";
        return out;
    }
    if (valid_utf8(text) != text || text.find('\0') != std::string_view::npos) {
        out.error = "its text is no text";
        return out;
    }
    const auto lines = lines_of(text);
    for (std::size_t n = 0; n < lines.size(); ++n) {
        if (!is_heading(lines[n])) continue;
        auto block = block_after(lines, n + 1);
        if (!block) continue;
        out.settings = *std::move(block);
        break;
    }
    if (out.settings.size() > settings_bytes_max) {
        out.settings.clear();
        out.error = "its settings are too long: " + std::to_string(settings_bytes_max) + " bytes at most";
    }
    for (const auto line : lines)
        if (out.database_lines.size() < lines_kept_max && line.size() <= line_bytes_max && speaks_of_databases(line))
            out.database_lines.emplace_back(line);
    return out;
}

std::optional<DatabaseMode> database_mode(const std::vector<std::string>& lines, std::string_view domain) {
    if (domain.empty()) return std::nullopt;
    const auto says = [&](std::string_view what) {
        return std::ranges::any_of(lines, [&](const std::string& line) {
            const auto at = line.find(domain);
            return at != std::string::npos && line.find(what, at + domain.size()) != std::string::npos;
        });
    };
    if (says("ephemeral database")) return DatabaseMode::ephemeral;
    if (says("persistent database")) return DatabaseMode::persistent;
    return std::nullopt;
}

Result<Settings> read_settings(const std::string& block, const Allowed& allowed) {
    Settings out;
    auto parsed = api::parse_yaml(block);
    if (!parsed) return wrong("its settings are no YAML: " + one_line(parsed.error().message, 300));
    if (parsed->value.is_null()) return out;
    if (!parsed->value.is_object()) return wrong("its settings must be a mapping of variables");
    if (!parsed->duplicates.empty()) return wrong("its settings say " + named(parsed->duplicates.front()) + " twice");
    for (auto& field : parsed->value.get_object()) {
        const std::string name(field.key());
        auto& value = field.value();
        if (name == "edx_ansible_source_repo") {
            const auto& known = allowed.configuration_repositories;
            const bool may =
                value.is_string() && std::ranges::find(known, std::string(value.get_string())) != known.end();
            if (may)
                out.configuration_repository = std::string(value.get_string());
            else
                out.left_out.push_back(name);
        } else if (name == "configuration_version") {
            // a branch such as 1.10 is a number in YAML, and then another one
            if (!value.is_string() || !is_version(value.get_string()))
                return wrong("its settings: configuration_version must be a branch, tag or commit, in quotes");
            out.configuration_version = std::string(value.get_string());
        } else if (std::ranges::find(allowed.variables, name) != allowed.variables.end()) {
            out.variables[name] = std::move(value);
        } else {
            out.left_out.push_back(named(name));
        }
    }
    return out;
}

}  // namespace ocim::github
