#include "net/target.hpp"

#include <algorithm>
#include <charconv>

namespace ocim::net {

namespace {

Error invalid(std::string what) { return {ErrorClass::invalid, std::move(what)}; }

/// Takes "host:port" or "[address]:port" apart; the port stays as it is where there is none.
Result<void> split_authority(std::string_view text, std::string& host, std::string& port) {
    auto end = text.find(':');
    if (text.starts_with('[')) {
        const auto bracket = text.find(']');
        if (bracket == std::string_view::npos) return invalid("has a bracket without its other half");
        host = text.substr(1, bracket - 1);
        end = bracket + 1 == text.size() ? std::string_view::npos : bracket + 1;
        if (end != std::string_view::npos && text[end] != ':') return invalid("has something after a bracket");
    } else {
        host = text.substr(0, end);
    }
    if (host.empty()) return invalid("names no host");
    if (end == std::string_view::npos) return {};
    const auto digits = text.substr(end + 1);
    unsigned number = 0;
    const auto [stop, error] = std::from_chars(digits.data(), digits.data() + digits.size(), number);
    if (error != std::errc() || stop != digits.data() + digits.size() || number == 0 || number > 65535)
        return invalid("has a port that is none");
    port = digits;
    return {};
}

Result<Target> parse(const std::string& url, const std::string& connect_to) {
    Target out;
    std::string_view rest(url);
    if (rest.starts_with("https://"))
        out.tls = true;
    else if (!rest.starts_with("http://"))
        return invalid("must start with http:// or https://");
    rest.remove_prefix(out.tls ? 8 : 7);
    if (std::ranges::any_of(rest, [](char c) { return c <= ' ' || c > '~' || c == '"' || c == '\\'; }))
        return invalid("holds a character that is not percent-encoded");
    rest = rest.substr(0, rest.find('#'));
    const auto end = std::min(rest.find_first_of("/?"), rest.size());
    out.authority = rest.substr(0, end);
    if (out.authority.find('@') != std::string::npos) return invalid("must not hold a user name");
    out.path_and_query = rest.substr(end);
    if (!out.path_and_query.starts_with('/')) out.path_and_query.insert(0, "/");
    out.port = out.tls ? "443" : "80";
    if (auto done = split_authority(out.authority, out.name, out.port); !done) return std::move(done).error();
    out.host = out.name;
    if (connect_to.empty()) return out;
    if (auto done = split_authority(connect_to, out.host, out.port); !done) return std::move(done).error();
    return out;
}

}  // namespace

Result<Target> parse_target(const std::string& url, const std::string& connect_to) {
    auto out = parse(url, connect_to);
    if (!out) return invalid("the URL " + out.error().message);
    return out;
}

Result<void> split_address(const std::string& text, std::string& host, std::string& port) {
    if (auto done = split_authority(text, host, port); !done) return invalid("it " + done.error().message);
    if (port.empty()) return invalid("it names no port");
    return {};
}

}  // namespace ocim::net
