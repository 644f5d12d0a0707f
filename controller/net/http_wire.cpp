#include "net/http_wire.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <ctime>

namespace ocim::net::wire {

namespace {

std::string_view phrase(unsigned status) {
    switch (status) {
        case 200: return "OK";
        case 201: return "Created";
        case 202: return "Accepted";
        case 204: return "No Content";
        case 301: return "Moved Permanently";
        case 302: return "Found";
        case 304: return "Not Modified";
        case 400: return "Bad Request";
        case 401: return "Unauthorized";
        case 403: return "Forbidden";
        case 404: return "Not Found";
        case 405: return "Method Not Allowed";
        case 406: return "Not Acceptable";
        case 408: return "Request Timeout";
        case 409: return "Conflict";
        case 410: return "Gone";
        case 413: return "Request Entity Too Large";
        case 415: return "Unsupported Media Type";
        case 417: return "Expectation Failed";
        case 422: return "Unprocessable Entity";
        case 429: return "Too Many Requests";
        case 431: return "Request Header Fields Too Large";
        case 500: return "Internal Server Error";
        case 503: return "Service Unavailable";
        case 504: return "Gateway Timeout";
        default: return "";  // RFC 9112, 4: clients ignore it
    }
}

bool is_ours(std::string_view name) {
    constexpr std::array ours{"content-length", "transfer-encoding", "connection", "keep-alive", "date"};
    return std::ranges::find(ours, name) != ours.end();
}

void append_field(std::string& out, std::string_view name, std::string_view value) {
    const auto clean = [](char c) { return static_cast<unsigned char>(c) < 0x20U || c == 0x7F ? ' ' : c; };
    out += name;
    out += ": ";
    std::ranges::transform(value, std::back_inserter(out), clean);
    out += "\r\n";
}

}  // namespace

bool has_body(unsigned status) { return status >= 200 && status != 204 && status != 304; }

std::string head(const Head& head) {
    std::string out;
    out.reserve(256);
    out += "HTTP/1.1 " + std::to_string(head.status) + " ";
    out += phrase(head.status);
    out += "\r\n";
    for (const auto& [name, value] : head.headers)
        if (!is_ours(lower_case(name))) append_field(out, name, value);
    if (!head.date.empty()) append_field(out, "Date", head.date);
    if (!head.keep_alive) out += "Connection: close\r\n";
    if (head.keep_alive && head.old_client) out += "Connection: keep-alive\r\n";
    if (has_body(head.status)) {
        switch (head.framing) {
            case Framing::length: out += "Content-Length: " + std::to_string(head.length) + "\r\n"; break;
            case Framing::chunked: out += "Transfer-Encoding: chunked\r\n"; break;
            case Framing::until_end: break;
        }
    }
    out += "\r\n";
    return out;
}

std::string chunk(std::string_view data) {
    if (data.empty()) return {};
    std::array<char, 16> digits{};
    const auto end = std::to_chars(digits.data(), digits.data() + digits.size(), data.size(), 16).ptr;
    std::string out;
    out.reserve(data.size() + 20);
    out.append(digits.data(), end);
    out += "\r\n";
    out += data;
    out += "\r\n";
    return out;
}

std::string date(WallTime time) {
    const std::time_t seconds = std::chrono::floor<std::chrono::seconds>(time).time_since_epoch().count();
    std::tm parts{};
    ::gmtime_r(&seconds, &parts);
    std::array<char, 64> text{};
    const auto size = std::strftime(text.data(), text.size(), "%a, %d %b %Y %H:%M:%S GMT", &parts);
    return {text.data(), size};
}

bool split_target(std::string_view target, std::string& path, std::string& query) {
    for (const std::string_view scheme : {"http://", "https://"}) {
        if (!lower_case(target.substr(0, scheme.size())).starts_with(scheme)) continue;
        const auto slash = target.find_first_of("/?", scheme.size());
        target = slash == std::string_view::npos ? "/" : target.substr(slash);
        break;
    }
    const auto mark = target.find('?');
    path = target.substr(0, mark);
    query = mark == std::string_view::npos ? "" : target.substr(mark + 1);
    if (path.empty()) path = "/";
    return path.front() == '/' && path.find('#') == std::string::npos && query.find('#') == std::string::npos;
}

std::string lower_case(std::string_view text) {
    std::string out(text);
    std::ranges::transform(out, out.begin(),
                           [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; });
    return out;
}

}  // namespace ocim::net::wire
