#include "mail/message.hpp"

#include "base/utf8.hpp"
#include "net/mail.hpp"
#include "runtime/base64.hpp"

#include <algorithm>
#include <array>
#include <chrono>

namespace ocim::mail {
namespace {

constexpr std::size_t header_bytes_max = 900;   // of text, before it is encoded
constexpr std::size_t line_bytes_max = 76;      // of base64, RFC 2045 section 6.8
constexpr std::size_t word_source_bytes = 42;   // 56 of base64 and 12 around it: a word has 75 at most, RFC 2047
constexpr std::size_t plain_header_bytes = 60;  // a longer one is folded between words
constexpr auto boundary = "=_ocim";             // no line of base64 begins with "--=_"

std::string two(unsigned number) { return (number < 10 ? "0" : "") + std::to_string(number); }

std::string body_of(std::string_view text) {
    const auto encoded = runtime::base64(text);
    std::string out;
    for (std::size_t at = 0; at < encoded.size(); at += line_bytes_max)
        out += encoded.substr(at, line_bytes_max) + "\r\n";
    return out;
}

/// Line ends as mail has them.
std::string with_crlf(std::string_view text) {
    std::string out;
    for (const char c : text) {
        if (c == '\r') continue;
        if (c == '\n') out += '\r';
        out += c;
    }
    return out;
}

std::string text_part(std::string_view text) {
    return "Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: base64\r\n\r\n" +
           body_of(with_crlf(valid_utf8(text)));
}

std::string file_name(std::string_view name) {
    std::string out;
    for (const char c : name)
        if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '.')
            out += c;
    return out.substr(0, 128);
}

/// A name before an address: quoted, or in encoded words.
std::string display_name(std::string_view name) {
    const auto text = header_text(name);
    if (text.empty() || text.starts_with("=?")) return text;
    std::string out = "\"";
    for (const char c : text) {
        if (c == '"' || c == '\\') out += '\\';
        out += c;
    }
    return out + "\"";
}

}  // namespace

std::string mail_date(WallTime time) {
    using namespace std::chrono;
    constexpr std::array days{"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
    constexpr std::array months{"Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
    const auto day = floor<std::chrono::days>(time);
    const year_month_day date(day);
    const hh_mm_ss clock(floor<seconds>(time - day));
    return std::string(days.at(weekday(day).c_encoding())) + ", " + two(static_cast<unsigned>(date.day())) + " " +
           months.at(static_cast<unsigned>(date.month()) - 1) + " " + std::to_string(static_cast<int>(date.year())) +
           " " + two(static_cast<unsigned>(clock.hours().count())) + ":" +
           two(static_cast<unsigned>(clock.minutes().count())) + ":" +
           two(static_cast<unsigned>(clock.seconds().count())) + " +0000";
}

std::string header_text(std::string_view given) {
    const auto text = one_line(given, header_bytes_max);
    const bool plain = text.size() <= plain_header_bytes && text.find("=?") == std::string::npos &&
                       std::ranges::all_of(text, [](char c) { return c >= ' ' && c <= '~'; });
    if (plain) return text;
    std::string out;
    for (std::size_t at = 0; at < text.size();) {
        std::size_t length = 0;  // whole characters only: each word is decoded by itself
        while (at + length < text.size()) {
            const auto next = std::max<std::size_t>(1, utf8_sequence(std::string_view(text).substr(at + length)));
            if (length + next > word_source_bytes) break;
            length += next;
        }
        out += (out.empty() ? "" : "\r\n ") + ("=?utf-8?B?" + runtime::base64(text.substr(at, length)) + "?=");
        at += length;
    }
    return out;
}

Result<std::string> compose(const Message& message) {
    for (const auto* address : {&message.from, &message.to})
        if (!net::good_mail_address(*address))
            return Error{ErrorClass::invalid, "\"" + one_line(*address, 300) + "\" is no mail address"};
    const auto name = display_name(message.from_name);
    std::string out = "From: " + name + (name.empty() ? "" : " ") + "<" + message.from + ">\r\nTo: <" + message.to +
                      ">\r\nSubject: " + header_text(message.subject) + "\r\nDate: " + mail_date(message.date) +
                      "\r\nMessage-ID: <" + message.id + ">\r\nAuto-Submitted: auto-generated\r\nMIME-Version: 1.0\r\n";
    if (!message.attachment) return out + text_part(message.text);
    const std::string between = std::string("--") + boundary;
    const auto file = file_name(message.attachment->name);
    out += std::string("Content-Type: multipart/mixed; boundary=\"") + boundary + "\"\r\n\r\n" + between + "\r\n";
    out += text_part(message.text) + between + "\r\nContent-Disposition: attachment; filename=\"" + file + "\"\r\n";
    out += text_part(message.attachment->text) + between + "--\r\n";
    return out;
}

}  // namespace ocim::mail
