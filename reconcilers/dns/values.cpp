#include "dns/values.hpp"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <algorithm>
#include <array>
#include <cstdint>

namespace ocim::dns {

namespace {

constexpr std::size_t name_bytes_max = 253;  // RFC 1035, 2.3.4, written without the root
constexpr std::size_t label_bytes_max = 63;
constexpr std::size_t string_bytes_max = 255;  // one character-string
constexpr std::size_t text_bytes_max = 4096;   // as in the CRD, there in characters

char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

bool label_character(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_';
}

std::string wrong_with_label(std::string_view label) {
    if (label.empty()) return "has an empty label";
    if (label.size() > label_bytes_max) return "has a label of more than 63 characters";
    if (label.front() == '-' || label.back() == '-') return "has a label that begins or ends with a hyphen";
    if (std::ranges::any_of(label, [](char c) { return static_cast<unsigned char>(c) >= 0x80; }))
        return "is not ASCII: write an international name in its xn-- form";
    if (!std::ranges::all_of(label, label_character))
        return "may hold only letters, digits, hyphens, underscores and dots";
    return {};
}

bool printable_text(std::string_view text) {
    return std::ranges::none_of(text, [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; });
}

template <int family, std::size_t bytes>
Result<std::string> canonical_address(std::string_view value, const char* expected) {
    std::array<unsigned char, bytes> raw{};
    std::array<char, INET6_ADDRSTRLEN> text{};
    const std::string terminated(value);  // a NUL inside makes the two differ in length
    if (value.find('\0') != std::string_view::npos || inet_pton(family, terminated.c_str(), raw.data()) != 1)
        return Error{ErrorClass::invalid, std::string("must be an ") + expected};
    inet_ntop(family, raw.data(), text.data(), text.size());
    return std::string(text.data());
}

/// "\065" or "\"": appends the byte and returns how many characters it took.
std::size_t take_escape(std::string_view rest, std::string& out) {
    const auto digit = [&](std::size_t i) { return i < rest.size() && rest[i] >= '0' && rest[i] <= '9'; };
    if (digit(1) && digit(2) && digit(3)) {
        const int value = (rest[1] - '0') * 100 + (rest[2] - '0') * 10 + (rest[3] - '0');
        out += static_cast<char>(static_cast<unsigned char>(value));
        return 4;
    }
    if (rest.size() < 2) return 1;
    out += rest[1];
    return 2;
}

}  // namespace

std::string canonical_name(std::string_view name) {
    if (name.ends_with('.')) name.remove_suffix(1);
    std::string out(name);
    std::ranges::transform(out, out.begin(), lower);
    return out;
}

std::string wrong_with_name(std::string_view name, NameRule rule) {
    if (name.ends_with('.')) name.remove_suffix(1);
    if (name.empty()) return "is empty";
    if (name.size() > name_bytes_max) return "is longer than 253 characters";
    if (rule == NameRule::record && name.starts_with("*.")) name.remove_prefix(2);
    for (;;) {
        const auto dot = name.find('.');
        if (auto wrong = wrong_with_label(name.substr(0, dot)); !wrong.empty()) return wrong;
        if (dot == std::string_view::npos) return {};
        name.remove_prefix(dot + 1);
    }
}

bool in_zone(std::string_view name, std::string_view domain) {
    if (!name.ends_with(domain)) return false;
    return name.size() == domain.size() || name[name.size() - domain.size() - 1] == '.';
}

Result<std::string> canonical_value(std::string_view type, std::string_view value) {
    if (type == "A") return canonical_address<AF_INET, 4>(value, "IPv4 address such as 192.0.2.1");
    if (type == "AAAA") return canonical_address<AF_INET6, 16>(value, "IPv6 address such as 2001:db8::1");
    if (type == "CNAME") {
        if (auto wrong = wrong_with_name(value, NameRule::target); !wrong.empty())
            return Error{ErrorClass::invalid, "must be a host name: it " + wrong};
        return canonical_name(value);
    }
    if (value.empty()) return Error{ErrorClass::invalid, "must not be empty"};
    if (value.size() > text_bytes_max)
        return Error{ErrorClass::invalid, "must be at most " + std::to_string(text_bytes_max) + " bytes long"};
    if (!printable_text(value)) return Error{ErrorClass::invalid, "must not hold line breaks or control characters"};
    return std::string(value);
}

std::string from_presentation(std::string_view type, std::string_view content) {
    if (type == "TXT") return unquote_text(content);
    if (type == "CNAME") return canonical_name(content);
    if (type == "A" || type == "AAAA")
        if (auto address = canonical_value(type, content)) return *std::move(address);
    return std::string(content);
}

std::string to_presentation(std::string_view type, std::string_view value) {
    if (type == "TXT") return quote_text(value);
    if (type == "CNAME") return std::string(value) + ".";
    return std::string(value);
}

std::string quote_text(std::string_view text) {
    std::string out;
    do {
        const auto part = text.substr(0, string_bytes_max);
        text.remove_prefix(part.size());
        if (!out.empty()) out += ' ';
        out += '"';
        for (const char c : part) {
            const auto byte = static_cast<unsigned char>(c);
            if (c == '"' || c == '\\') {
                out += '\\';
                out += c;
            } else if (byte < 0x20 || byte > 0x7e) {
                out += '\\';
                out += static_cast<char>('0' + byte / 100);
                out += static_cast<char>('0' + byte / 10 % 10);
                out += static_cast<char>('0' + byte % 10);
            } else {
                out += c;
            }
        }
        out += '"';
    } while (!text.empty());
    return out;
}

std::string unquote_text(std::string_view content) {
    std::string out;
    bool quoted = false;
    for (std::size_t i = 0; i < content.size();) {
        const char c = content[i];
        if (c == '\\') {
            i += take_escape(content.substr(i), out);
            continue;
        }
        ++i;
        if (c == '"')
            quoted = !quoted;
        else if (quoted || c != ' ')
            out += c;
    }
    return out;
}

}  // namespace ocim::dns
