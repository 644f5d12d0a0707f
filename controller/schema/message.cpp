#include "schema/message.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>

namespace ocim::schema {
namespace {

std::string field_of(const std::string& path) { return path.empty() ? "<nil>" : path; }

Cause cause(std::string_view reason, const std::string& path, std::string message, std::string_view why) {
    if (!why.empty()) message.append(": ").append(why);
    return {std::string(reason), std::move(message), field_of(path)};
}

/// The bytes of the UTF-8 character at the start of `text`, or 0 when it is not one.
std::size_t character_bytes(std::string_view text) {
    const auto first = static_cast<unsigned char>(text[0]);
    const std::size_t bytes = first < 0x80 ? 1 : first >= 0xf0 && first < 0xf5 ? 4 : first >= 0xe0 ? 3 : 2;
    if ((first >= 0x80 && first < 0xc2) || first >= 0xf5 || text.size() < bytes) return 0;
    for (std::size_t i = 1; i < bytes; ++i)
        if ((static_cast<unsigned char>(text[i]) & 0xc0) != 0x80) return 0;
    return bytes;
}

void append_hex(std::string& out, unsigned value, int digits) {
    static constexpr std::string_view hex = "0123456789abcdef";
    for (int shift = (digits - 1) * 4; shift >= 0; shift -= 4) out += hex[(value >> shift) & 0xf];
}

/// Characters that a terminal would act upon or not show.
bool is_invisible(std::string_view character) {
    return character == "\u00ad" || character == "\ufeff" || (character >= "\u0080" && character <= "\u00a0") ||
           (character >= "\u2000" && character <= "\u200f") || (character >= "\u2028" && character <= "\u202f");
}

unsigned code_point(std::string_view character) {
    if (character.size() == 1) return static_cast<unsigned char>(character[0]);
    auto value = static_cast<unsigned>(static_cast<unsigned char>(character[0]) & (0xffu >> (character.size() + 1)));
    for (const char c : character.substr(1)) value = (value << 6) | (static_cast<unsigned char>(c) & 0x3fu);
    return value;
}

void append_quoted(std::string& out, std::string_view character) {
    static constexpr std::string_view special = "\a\b\t\n\v\f\r\"\\";
    static constexpr std::string_view letters = "abtnvfr\"\\";
    const auto first = static_cast<unsigned char>(character[0]);
    if (const auto at = special.find(character); character.size() == 1 && at != std::string_view::npos)
        out.append("\\").append(1, letters[at]);
    else if (first < 0x20 || first == 0x7f)
        append_hex(out.append("\\x"), first, 2);
    else if (is_invisible(character))
        append_hex(out.append("\\u"), code_point(character), 4);
    else
        out += character;
}

void append_canonical(std::string& out, const Json& value) {
    if (const auto* object = value.if_object()) {
        std::vector<const api::json::key_value_pair*> members;
        for (const auto& member : *object) members.push_back(&member);
        std::ranges::sort(members, {}, [](const auto* member) { return std::string_view(member->key()); });
        out += '{';
        for (const auto* member : members) {
            if (member != members.front()) out += ',';
            out += api::to_text(Json(member->key())) + ':';
            append_canonical(out, member->value());
        }
        out += '}';
    } else if (const auto* array = value.if_array()) {
        out += '[';
        for (const auto& item : *array) {
            if (&item != array->data()) out += ',';
            append_canonical(out, item);
        }
        out += ']';
    } else {
        out += api::to_text(value);
    }
}

}  // namespace

std::string quoted(std::string_view text) {
    std::string out = "\"";
    while (!text.empty()) {
        const auto bytes = character_bytes(text);
        if (bytes == 0)
            append_hex(out.append("\\x"), static_cast<unsigned char>(text[0]), 2);
        else
            append_quoted(out, text.substr(0, bytes));
        text.remove_prefix(std::max<std::size_t>(bytes, 1));
    }
    return out + "\"";
}

std::string printed(double number) {
    std::array<char, 40> buffer{};
    const auto scientific = std::to_chars(buffer.begin(), buffer.end(), number, std::chars_format::scientific);
    const std::string_view text(buffer.data(), static_cast<std::size_t>(scientific.ptr - buffer.data()));
    const auto e = text.find('e');
    if (e == std::string_view::npos) return std::string(text);  // inf, nan
    int exponent = 0;
    std::from_chars(text.data() + e + (text[e + 1] == '+' ? 2 : 1), text.data() + text.size(), exponent);
    // unlike in JSON, Go's %v turns to exponents from 1e+06 on
    if (number != 0 && (exponent < -4 || exponent >= 6)) return std::string(text);
    const auto fixed = std::to_chars(buffer.begin(), buffer.end(), number, std::chars_format::fixed);
    return {buffer.data(), static_cast<std::size_t>(fixed.ptr - buffer.data())};
}

std::string printed(const Bound& bound) { return printed(bound.value); }

std::string canonical(const Json& value) {
    std::string out;
    append_canonical(out, value);
    return out;
}

std::string shown(const Json& value) {
    if (value.is_string()) return quoted(value.get_string());
    if (value.is_double()) return printed(value.get_double());
    return canonical(value);
}

std::string child(const std::string& path, std::string_view name) {
    return path.empty() ? std::string(name) : path + "." + std::string(name);
}

Cause required(const std::string& path, std::string_view why) {
    return cause("FieldValueRequired", path, "Required value", why);
}

Cause invalid(const std::string& path, const Json& value, std::string_view why) {
    return cause("FieldValueInvalid", path, "Invalid value: " + shown(value), why);
}

Cause invalid(const std::string& path, std::string_view why) {
    return cause("FieldValueInvalid", path, "Invalid value", why);
}

Cause forbidden(const std::string& path, std::string_view why) {
    return cause("FieldValueForbidden", path, "Forbidden", why);
}

Cause wrong_type(const std::string& path, std::string_view expected, std::string_view found) {
    const auto why = path + " in body must be of type " + std::string(expected) + ": " + quoted(found);
    return cause("FieldValueTypeInvalid", path, "Invalid value: " + quoted(found), why);
}

Cause not_supported(const std::string& path, const Json& value, const std::vector<Json>& supported) {
    std::string why;
    for (const auto& item : supported) {
        why += why.empty() ? "supported values: " : ", ";
        why += quoted(item.is_string() ? std::string_view(item.get_string()) : std::string_view(canonical(item)));
    }
    return cause("FieldValueNotSupported", path, "Unsupported value: " + shown(value), why);
}

Cause too_long(const std::string& path, std::int64_t bytes_max) {
    const auto unit = bytes_max == 1 ? " byte" : " bytes";
    return cause("FieldValueTooLong", path, "Too long", "may not be more than " + std::to_string(bytes_max) + unit);
}

Cause too_many(const std::string& path, std::size_t actual, std::int64_t items_max) {
    const auto unit = items_max == 1 ? " item" : " items";
    return cause("FieldValueTooMany", path, "Too many: " + std::to_string(actual),
                 "must have at most " + std::to_string(items_max) + unit);
}

Cause duplicate(const std::string& path, const Json& value) {
    return cause("FieldValueDuplicate", path, "Duplicate value: " + shown(value), {});
}

bool is_blocking(const Cause& cause) {
    static constexpr std::string_view reasons[] = {"FieldValueRequired", "FieldValueNotSupported", "FieldValueTooLong",
                                                   "FieldValueTooMany", "FieldValueTypeInvalid"};
    return std::ranges::find(reasons, cause.reason) != std::end(reasons);
}

}  // namespace ocim::schema
