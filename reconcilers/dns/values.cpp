#include "dns/values.hpp"

#include <arpa/inet.h>
#include <idn2.h>
#include <netinet/in.h>
#include <algorithm>
#include <array>
#include <charconv>
#include <cstdint>
#include <optional>

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

bool ascii(std::string_view text) {
    return std::ranges::all_of(text, [](char c) { return static_cast<unsigned char>(c) < 0x80; });
}

/// A label in the form in which DNS has it; one that has no such form stays as it is.
std::string ascii_label(std::string_view label) {
    std::string out(label);
    if (!ascii(label)) {
        char* found = nullptr;
        const int result = out.find('\0') != std::string::npos
                               ? IDN2_DISALLOWED
                               : idn2_to_ascii_8z(out.c_str(), &found, IDN2_NFC_INPUT | IDN2_NONTRANSITIONAL);
        if (result == IDN2_OK) out = found;
        idn2_free(found);
    }
    std::ranges::transform(out, out.begin(), lower);
    return out;
}

std::string wrong_with_label(std::string_view label) {
    if (label.empty()) return "has an empty label";
    if (label.size() > label_bytes_max) return "has a label of more than 63 characters";
    if (label.front() == '-' || label.back() == '-') return "has a label that begins or ends with a hyphen";
    if (std::ranges::any_of(label, [](char c) { return static_cast<unsigned char>(c) >= 0x80; }))
        return "has a label that is no international name (IDNA 2008)";
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

/// The words of a value, which spaces part; never more than `most`, so that the last may hold some.
std::vector<std::string_view> words(std::string_view text, std::size_t most) {
    std::vector<std::string_view> out;
    for (;;) {
        const auto begin = text.find_first_not_of(' ');
        if (begin == std::string_view::npos) return out;
        text.remove_prefix(begin);
        const auto end = out.size() + 1 == most ? std::string_view::npos : text.find(' ');
        out.push_back(text.substr(0, end));
        if (end == std::string_view::npos) return out;
        text.remove_prefix(end);
    }
}

/// "007" is "7". Nothing when it is no number or above `most`.
std::optional<std::string> canonical_number(std::string_view text, unsigned most) {
    unsigned number = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    if (error != std::errc() || end != text.data() + text.size() || number > most) return std::nullopt;
    return std::to_string(number);
}

/// What a record points at; "." where the type knows it as "nothing".
Result<std::string> canonical_target(std::string_view value, bool nothing_allowed) {
    if (nothing_allowed && value == ".") return std::string(".");
    if (auto wrong = wrong_with_name(value, NameRule::target); !wrong.empty())
        return Error{ErrorClass::invalid, "must be a host name: it " + wrong};
    return canonical_name(value);
}

/// Numbers, and then a host name: MX has one number, SRV has three.
Result<std::string> canonical_numbers_and_target(std::string_view value, std::size_t numbers, const char* expected) {
    const auto found = words(value, numbers + 2);
    std::string out;
    for (std::size_t i = 0; found.size() == numbers + 1 && i < numbers; ++i) {
        const auto number = canonical_number(found[i], 65'535);
        if (!number) return Error{ErrorClass::invalid, expected};
        out += *number + " ";
    }
    if (out.empty()) return Error{ErrorClass::invalid, expected};
    auto target = canonical_target(found.back(), true);
    if (!target) return std::move(target).error();
    return out + *target;
}

/// `0 issue "letsencrypt.org"`; the quotes may be left out.
Result<std::string> canonical_caa(std::string_view value) {
    constexpr const char* expected = "must be like 0 issue \"letsencrypt.org\"";
    const auto found = words(value, 3);
    if (found.size() != 3) return Error{ErrorClass::invalid, expected};
    const auto flags = canonical_number(found[0], 255);
    std::string tag(found[1]);
    std::ranges::transform(tag, tag.begin(), lower);
    const auto good = [](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'); };
    if (!flags || tag.size() > 15 || !std::ranges::all_of(tag, good)) return Error{ErrorClass::invalid, expected};
    const auto text = unquote_text(found[2]);
    if (text.size() > string_bytes_max || !ascii(text) || !printable_text(text))
        return Error{ErrorClass::invalid, "must have a value of at most 255 printable ASCII characters"};
    return *flags + " " + tag + " " + quote_text(text);
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
    std::string out;
    for (;;) {
        const auto dot = name.find('.');
        out += ascii_label(name.substr(0, dot));
        if (dot == std::string_view::npos) return out;
        out += '.';
        name.remove_prefix(dot + 1);
    }
}

std::string wrong_with_name(std::string_view written, NameRule rule) {
    const auto canonical = canonical_name(written);
    std::string_view name = canonical;
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
    if (type == "CNAME" || type == "NS") return canonical_target(value, false);
    if (type == "MX") return canonical_numbers_and_target(value, 1, "must be like 10 mail.example.com");
    if (type == "SRV") return canonical_numbers_and_target(value, 3, "must be like 0 5 5060 sip.example.com");
    if (type == "CAA") return canonical_caa(value);
    if (value.empty()) return Error{ErrorClass::invalid, "must not be empty"};
    if (value.size() > text_bytes_max)
        return Error{ErrorClass::invalid, "must be at most " + std::to_string(text_bytes_max) + " bytes long"};
    if (!printable_text(value)) return Error{ErrorClass::invalid, "must not hold line breaks or control characters"};
    return std::string(value);
}

std::string from_presentation(std::string_view type, std::string_view content) {
    if (type == "TXT") return unquote_text(content);
    if (type == "CNAME" || type == "NS") return canonical_name(content);
    if (type == "A" || type == "AAAA" || type == "MX" || type == "SRV" || type == "CAA")
        if (auto address = canonical_value(type, content)) return *std::move(address);
    return std::string(content);
}

std::string to_presentation(std::string_view type, std::string_view value) {
    if (type == "TXT") return quote_text(value);
    const bool points = type == "CNAME" || type == "NS" || type == "MX" || type == "SRV";
    if (points && !value.ends_with('.')) return std::string(value) + ".";
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
