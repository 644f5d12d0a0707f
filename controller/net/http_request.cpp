#include "net/http_request.hpp"

#include "net/http_client.hpp"

#include <algorithm>

namespace ocim::net::wire {
namespace {

Error invalid(std::string what) { return {ErrorClass::invalid, std::move(what)}; }

bool is_token(std::string_view text) {
    constexpr std::string_view marks = "!#$%&'*+-.^_`|~";  // RFC 9110 5.6.2
    return !text.empty() && std::ranges::all_of(text, [&](char c) {
        return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
               marks.find(c) != std::string_view::npos;
    });
}

bool is_header_value(std::string_view text) {
    return std::ranges::none_of(
        text, [](char c) { return (static_cast<unsigned char>(c) < 0x20U && c != '\t') || c == 0x7F; });
}

}  // namespace

Result<void> check_request(std::string_view method, std::string_view target) {
    if (!is_token(method)) return invalid("the method is not a word of HTTP");
    if (!target.empty() && target.front() != '/' && target.front() != '?')
        return invalid("the path does not start with a slash");
    if (target.starts_with("//")) return invalid("the path starts with two slashes");
    if (std::ranges::any_of(target, [](char c) { return c <= ' ' || c > '~' || c == '#' || c == '"' || c == '\\'; }))
        return invalid("the path holds a character that is not percent-encoded");
    return {};
}

Result<void> check_header(std::string_view name, std::string_view value) {
    if (is_token(name) && is_header_value(value)) return {};
    return invalid("the header " + percent_encode(name) + " holds a control character");
}

}  // namespace ocim::net::wire
