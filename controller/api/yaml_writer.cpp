#include "api/yaml.hpp"
#include "api/yaml_scalar.hpp"

#include <algorithm>

namespace ocim::api {

namespace {

constexpr std::size_t simple_key_max = 128;  // YAML's own bound is 1024 characters, after escaping

bool letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }

/// Text that every reader takes for the same string without quotes. Narrower than the standard: what starts with a
/// letter and is no word of YAML 1.1 cannot be a number, a time or a sign either.
bool is_plain(std::string_view text) {
    static constexpr std::string_view others = "0123456789_-./+@ :";
    if (text.empty() || !letter(text[0]) || text.back() == ' ' || text.back() == ':') return false;
    for (std::size_t i = 0; i < text.size(); ++i) {
        if (!letter(text[i]) && others.find(text[i]) == std::string_view::npos) return false;
        if (text[i] == ':' && text[i + 1] == ' ') return false;
    }
    const auto meaning = resolve_scalar(std::string(text));
    return meaning && meaning->is_string();
}

std::string escaped(unsigned code) {
    static constexpr std::string_view digits = "0123456789abcdef";
    std::string out = "\\u";
    for (int shift = 12; shift >= 0; shift -= 4) out += digits[(code >> shift) & 0xf];
    return out;
}

/// In double quotes. JSON's escapes are YAML's too; what YAML does not count as printable is escaped besides.
std::string quoted(std::string_view text) {
    const auto json = to_text(Json(text));
    std::string out;
    for (std::size_t i = 0; i < json.size(); ++i) {
        const auto byte = [&](std::size_t at) { return at < json.size() ? static_cast<unsigned char>(json[at]) : 0u; };
        const unsigned first = byte(i);
        if (first == 0x7f) {
            out += escaped(first);
        } else if (first == 0xc2 && byte(i + 1) < 0xa0) {
            out += escaped(byte(++i));
        } else if ((first & 0xf0) == 0xe0) {
            const unsigned code = ((first & 0xf) << 12) | ((byte(i + 1) & 0x3f) << 6) | (byte(i + 2) & 0x3f);
            const bool hidden = code == 0x2028 || code == 0x2029 || code == 0xfeff || code >= 0xfffe;
            out += hidden ? escaped(code) : json.substr(i, 3);
            i += 2;
        } else {
            out += json[i];
        }
    }
    return out;
}

/// Several lines that a block (`|`) gives back unchanged: printable, not beginning with space or an empty line, no
/// line of spaces only, at most one line end at the end.
bool is_block(std::string_view text) {
    if (text.find('\n') == std::string_view::npos || text[0] == '\n' || text[0] == ' ' || text[0] == '\t') return false;
    if (text.ends_with("\n\n")) return false;
    std::size_t spaces = 0;
    for (std::size_t i = 0; i < text.size(); ++i) {
        const auto c = static_cast<unsigned char>(text[i]);
        if ((c < 0x20 && c != '\n' && c != '\t') || c >= 0x7f) return false;
        if (c == '\n' && spaces > 0) return false;
        spaces = c == ' ' || c == '\t' ? spaces + 1 : 0;
    }
    return spaces == 0;
}

void write_block(std::string& out, std::string_view text, std::size_t indent) {
    out += text.ends_with('\n') ? "|\n" : "|-\n";
    while (!text.empty()) {
        const auto end = std::min(text.find('\n'), text.size());
        if (end > 0) out += std::string(indent, ' ') + std::string(text.substr(0, end));
        out += '\n';
        text.remove_prefix(std::min(end + 1, text.size()));
    }
}

std::string number_text(const Json& value) {
    auto text = to_text(value);
    // readers of YAML 1.1 want a point before an exponent
    if (const auto e = text.find('e'); e != std::string::npos && text.find('.') == std::string::npos)
        text.insert(e, ".0");
    return text;
}

std::string scalar(const Json& value) {
    if (value.is_string()) {
        const std::string_view text = value.get_string();
        return is_plain(text) ? std::string(text) : quoted(text);
    }
    if (value.is_array()) return "[]";
    if (value.is_object()) return "{}";
    return value.is_number() ? number_text(value) : to_text(value);
}

bool is_nested(const Json& value) {
    return (value.is_array() && !value.get_array().empty()) || (value.is_object() && !value.get_object().empty());
}

void write(std::string& out, const Json& value, std::size_t indent);

/// What stands behind a key: on the same line, or on the lines below it.
void write_behind_key(std::string& out, const Json& value, std::size_t indent) {
    if (is_nested(value)) {
        out += '\n';
        const auto below = value.is_array() ? indent : indent + 2;
        out += std::string(below, ' ');
        write(out, value, below);
    } else if (value.is_string() && is_block(std::string_view(value.get_string()))) {
        out += ' ';
        write_block(out, value.get_string(), indent + 2);
    } else {
        out += ' ' + scalar(value) + '\n';
    }
}

void write_field(std::string& out, std::string_view key, const Json& value, std::size_t indent) {
    const auto text = scalar(Json(key));
    if (text.size() <= simple_key_max) {
        out += text + ":";
    } else {
        out += "? " + text + "\n" + std::string(indent, ' ') + ":";
    }
    write_behind_key(out, value, indent);
}

/// Writes from where the line stands, at `indent`; ends the last line.
void write(std::string& out, const Json& value, std::size_t indent) {
    const std::string margin(indent, ' ');
    bool first = true;
    if (const auto* fields = value.if_object(); fields && !fields->empty()) {
        for (const auto& [key, item] : *fields) {
            if (!std::exchange(first, false)) out += margin;
            write_field(out, key, item, indent);
        }
    } else if (const auto* items = value.if_array(); items && !items->empty()) {
        for (const auto& item : *items) {
            if (!std::exchange(first, false)) out += margin;
            out += "- ";
            if (item.is_string() && is_block(std::string_view(item.get_string())))
                write_block(out, item.get_string(), indent + 2);
            else
                write(out, item, indent + 2);
        }
    } else {
        out += scalar(value) + "\n";
    }
}

}  // namespace

std::string to_yaml(const Json& value) {
    std::string out;
    write(out, value, 0);
    return out;
}

}  // namespace ocim::api
