#include "openedx/variables.hpp"

#include <algorithm>
#include <cstdio>

namespace ocim::openedx {
namespace {

using api::Json;
namespace json = api::json;

/// Takes the first character off `text`, which is UTF-8.
std::uint32_t take_point(std::string_view& text) {
    const auto lead = static_cast<unsigned char>(text.front());
    const std::size_t length = lead < 0x80 ? 1 : lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : 4;
    std::uint32_t point = length == 1 ? lead : lead & (0xFFU >> (length + 1));
    for (std::size_t k = 1; k < length && k < text.size(); ++k)
        point = point << 6 | (static_cast<unsigned char>(text[k]) & 0x3FU);
    text.remove_prefix(std::min(length, text.size()));
    return point;
}

/// A text in YAML's double quotes, in ASCII only: readers of YAML 1.1 fold some line breaks beyond it and refuse
/// other characters.
std::string quoted(std::string_view text) {
    std::string out = "\"";
    char escape[16];
    while (!text.empty()) {
        const auto point = take_point(text);
        if (point == '"' || point == '\\')
            out.append({'\\', static_cast<char>(point)});
        else if (point >= 0x20 && point < 0x7F)
            out += static_cast<char>(point);
        else {
            std::snprintf(escape, sizeof escape, point > 0xFFFF ? "\\U%08X" : "\\u%04X", point);
            out += escape;
        }
    }
    return out + "\"";
}

/// A value in YAML's flow form, on one line. `tag` is put before each text in it: old Ansibles know !unsafe of texts
/// only.
std::string flow(const Json& value, const char* tag) {
    if (const auto* text = value.if_string()) return tag + quoted(*text);
    if (const auto* items = value.if_array()) {
        std::string out = "[";
        for (const auto& item : *items) out += (out.size() > 1 ? ", " : "") + flow(item, tag);
        return out + "]";
    }
    if (const auto* fields = value.if_object()) {
        std::string out = "{";
        for (const auto& [name, field] : *fields)
            out += (out.size() > 1 ? ", " : "") + quoted(name) + ": " + flow(field, tag);
        return out + "}";
    }
    auto text = api::to_text(value);
    // to YAML 1.1 a number with an exponent and without a point is a text
    if (const auto exponent = text.find('e'); value.is_double() && exponent != std::string::npos)
        if (text.find('.') == std::string::npos) text.insert(exponent, ".0");
    return text;
}

bool names_a_secret(std::string_view name) {
    std::string lower(name);
    for (auto& c : lower)
        if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
    for (const auto* word : {"pass", "pwd", "secret", "key", "token", "credential", "auth_", "authoriz", "dsn"})
        if (lower.find(word) != std::string::npos) return true;
    return lower.ends_with("auth");
}

/// JSON's text with what is beyond ASCII as \uXXXX, in pairs beyond U+FFFF (RFC 8259 section 7).
std::string ascii_only(std::string_view text) {
    std::string out;
    const auto add = [&](std::uint32_t unit) {
        char escape[8];
        std::snprintf(escape, sizeof escape, "\\u%04x", unit & 0xFFFFU);
        out += escape;
    };
    while (!text.empty()) {
        const auto point = take_point(text);
        if (point < 0x80) {
            out += static_cast<char>(point);
        } else if (point > 0xFFFF) {
            add(0xD800 + ((point - 0x10000) >> 10));
            add(0xDC00 + ((point - 0x10000) & 0x3FF));
        } else {
            add(point);
        }
    }
    return out;
}

void collect_secrets(std::string_view name, const json::value& value, bool secret, std::vector<Secret>& out) {
    constexpr std::size_t length_min = 6;  // masking shorter texts would make a log unreadable
    if (const auto* fields = value.if_object())
        for (const auto& [inner, field] : *fields) collect_secrets(inner, field, secret, out);
    if (const auto* items = value.if_array())
        for (const auto& item : *items) collect_secrets(name, item, secret, out);
    const auto* text = value.if_string();
    if (!text || text->size() < length_min || !(secret || names_a_secret(name))) return;
    out.emplace_back(std::string(*text));
    // as Ansible shows it: in JSON, with what is beyond ASCII as it is or escaped
    const auto json = api::to_text(value);
    for (auto escaped : {json.substr(1, json.size() - 2), ascii_only(json.substr(1, json.size() - 2))})
        if (escaped != *text) out.emplace_back(std::move(escaped));
}

}  // namespace

std::string Variables::document() const {
    std::vector<std::string> names;
    for (const auto& [name, value] : values) names.emplace_back(name);
    std::ranges::sort(names);
    std::string out;
    for (const auto& name : names) {
        const bool is_literal = std::ranges::find(literal, name) != literal.end();
        out += quoted(name) + ": " + flow(values.at(name), is_literal ? "!unsafe " : "") + "\n";
    }
    return out;
}

std::vector<Secret> Variables::secrets(const std::vector<std::string>& wholly) const {
    std::vector<Secret> out;
    for (const auto& [name, value] : values)
        collect_secrets(name, value, std::ranges::find(wholly, name) != wholly.end(), out);
    // one that holds another goes first
    std::ranges::sort(out, std::ranges::greater(), [](const Secret& secret) { return secret.reveal().size(); });
    return out;
}

}  // namespace ocim::openedx
