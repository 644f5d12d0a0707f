#include "cli/output.hpp"

#include "api/yaml.hpp"
#include "base/utf8.hpp"

#include <sys/ioctl.h>
#include <unistd.h>
#include <algorithm>
#include <cctype>
#include <cstdlib>
#include <iostream>

namespace ocim::cli {

namespace {

using api::Json;

constexpr std::size_t column_gap = 3, column_least = 6;  // as kubectl's tab writer

std::size_t letters(std::string_view text) {
    return static_cast<std::size_t>(
        std::ranges::count_if(text, [](char c) { return (static_cast<unsigned char>(c) & 0xc0) != 0x80; }));
}

Json sorted(const Json& value) {
    if (const auto* list = value.if_array()) {
        api::json::array out;
        for (const auto& item : *list) out.push_back(sorted(item));
        return out;
    }
    const auto* object = value.if_object();
    if (!object) return value;
    std::vector<std::string> keys;
    for (const auto& member : *object) keys.emplace_back(member.key());
    std::ranges::sort(keys);
    api::json::object out;
    for (const auto& key : keys) out[key] = sorted(object->at(key));
    return out;
}

void write(std::string& out, const Json& value, std::size_t depth) {
    const auto line = [&](std::size_t at) { out += "\n" + std::string(at * 4, ' '); };
    if (const auto* list = value.if_array(); list && !list->empty()) {
        out += "[";
        for (std::size_t i = 0; i < list->size(); ++i) {
            if (i > 0) out += ",";
            line(depth + 1);
            write(out, (*list)[i], depth + 1);
        }
        line(depth);
        out += "]";
        return;
    }
    if (const auto* object = value.if_object(); object && !object->empty()) {
        out += "{";
        bool first = true;
        for (const auto& [key, member] : *object) {
            if (!std::exchange(first, false)) out += ",";
            line(depth + 1);
            out += api::to_text(Json(key)) + ": ";
            write(out, member, depth + 1);
        }
        line(depth);
        out += "}";
        return;
    }
    out += api::to_text(value);
}

/// One line, as a terminal can show it.
std::string cell(const Json& value) {
    if (value.is_null()) return "";
    std::string text = value.is_string() ? std::string(value.get_string()) : api::to_text(value);
    const auto end = text.find_first_of("\f\n\r");
    if (end != std::string::npos) text = text.substr(0, end) + "...";
    for (auto escape = text.find('\x1b'); escape != std::string::npos; escape = text.find('\x1b'))
        text.replace(escape, 1, "^[");
    return text;
}

/// A terminal that can only print lines.
bool is_dumb() {
    const char* terminal = std::getenv("TERM");
    return terminal && std::string_view(terminal) == "dumb";
}

std::string upper(std::string_view text) {
    std::string out(text);
    std::ranges::transform(out, out.begin(), [](unsigned char c) { return static_cast<char>(std::toupper(c)); });
    return out;
}

}  // namespace

Result<Output> output_of(const Arguments& arguments) {
    const auto text = arguments.text("output");
    if (text.empty()) return Output::table;
    if (text == "wide") return Output::wide;
    if (text == "json") return Output::json;
    if (text == "yaml") return Output::yaml;
    if (text == "name") return Output::name;
    return Error{ErrorClass::invalid, "unable to match a printer suitable for the output format \"" + text +
                                          "\", allowed formats are: json, name, wide, yaml"};
}

std::string pretty_json(const Json& value) {
    std::string out;
    write(out, sorted(value), 0);
    return out + "\n";
}

std::string printed(Json object, Output output) {
    const auto strip = [](Json& one) {
        if (auto* metadata = one.is_object() ? one.get_object().if_contains("metadata") : nullptr)
            if (metadata->is_object()) metadata->get_object().erase("managedFields");
    };
    strip(object);
    if (auto* items = object.is_object() ? object.get_object().if_contains("items") : nullptr;
        items && items->is_array())
        for (auto& item : items->get_array()) strip(item);
    return output == Output::json ? pretty_json(object) : api::to_yaml(sorted(object));
}

Json list_of(std::vector<Json> objects) {
    api::json::array items;
    for (auto& object : objects) items.push_back(std::move(object));
    return api::json::object{{"apiVersion", "v1"},
                             {"items", std::move(items)},
                             {"kind", "List"},
                             {"metadata", api::json::object{{"resourceVersion", ""}}}};
}

std::string Columns::take() {
    for (const auto& line : lines_) {
        if (widths_.size() < line.size()) widths_.resize(line.size(), column_least);
        // the last cell of a line bounds nothing
        for (std::size_t i = 0; i + 1 < line.size(); ++i)
            widths_[i] = std::max(widths_[i], letters(line[i]) + column_gap);
    }
    std::string out;
    for (const auto& line : std::exchange(lines_, {})) {
        for (std::size_t i = 0; i < line.size(); ++i) {
            out += line[i];
            if (i + 1 < line.size()) out += std::string(widths_[i] - letters(line[i]), ' ');
        }
        out += "\n";
    }
    return out;
}

void TablePrinter::add(const Json& table) {
    if (const auto* columns = api::find(table, {"columnDefinitions"}); columns && columns->is_array() && shown_.empty())
        for (const auto& column : columns->get_array()) {
            const auto* priority = api::find(column, {"priority"});
            const bool main = !priority || !priority->is_int64() || priority->get_int64() == 0;
            shown_.emplace_back(upper(api::find_text(column, {"name"})), main || settings_.wide);
        }
    const auto* rows = api::find(table, {"rows"});
    if (!rows || !rows->is_array()) return;
    for (const auto& row : rows->get_array()) {
        if (rows_++ == 0 && settings_.headers) add_header();
        add_row(row);
    }
}

void TablePrinter::add_header() {
    std::vector<std::string> line;
    if (settings_.with_namespace) line.emplace_back("NAMESPACE");
    for (const auto& [name, shown] : shown_)
        if (shown) line.push_back(name);
    columns_.add(std::move(line));
}

void TablePrinter::add_row(const Json& row) {
    std::vector<std::string> line;
    if (settings_.with_namespace) line.emplace_back(api::find_text(row, {"object", "metadata", "namespace"}));
    const auto* cells = api::find(row, {"cells"});
    if (!cells || !cells->is_array()) return;
    for (std::size_t i = 0; i < std::min(cells->get_array().size(), shown_.size()); ++i)
        if (shown_[i].second) line.push_back((i == 0 ? settings_.prefix : "") + cell(cells->get_array()[i]));
    columns_.add(std::move(line));
}

Paint::Paint(Stream stream) : on_(::isatty(stream == Stream::out ? STDOUT_FILENO : STDERR_FILENO) == 1) {
    const char* never = std::getenv("NO_COLOR");
    if ((never && *never) || is_dumb()) on_ = false;
}

std::string Paint::painted(std::string_view code, std::string_view text) const {
    if (!on_) return std::string(text);
    return "\x1b[" + std::string(code) + "m" + std::string(text) + "\x1b[0m";
}

Progress::Progress() : on_(::isatty(STDERR_FILENO) == 1 && !is_dumb()) {}

Progress::~Progress() { clear(); }

void Progress::clear() {
    if (std::exchange(said_, false)) std::cerr << "\r\x1b[K" << std::flush;
}

void Progress::say(std::string_view what) {
    if (!on_) return;
    struct winsize size{};
    const std::size_t width = ::ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 1 ? size.ws_col - 1 : 79;
    std::cerr << "\r\x1b[K" << one_line(std::string(what), width) << std::flush;
    said_ = true;
}

}  // namespace ocim::cli
