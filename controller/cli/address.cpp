#include "cli/address.hpp"

#include <arpa/inet.h>
#include <charconv>

namespace ocim::cli {

namespace {

bool is_ip(const std::string& host) {
    unsigned char bytes[16];
    return ::inet_pton(AF_INET, host.c_str(), bytes) == 1 || ::inet_pton(AF_INET6, host.c_str(), bytes) == 1;
}

}  // namespace

Result<Address> parse_address(std::string_view flag, std::string_view text) {
    const Error bad{ErrorClass::invalid, "--" + std::string(flag) + " " + std::string(text) +
                                             ": give an IP address and a port, such as 127.0.0.1:7443 or [::1]:0"};
    const auto colon = text.rfind(':');
    if (colon == text.npos) return bad;
    auto host = text.substr(0, colon);
    if (host.starts_with('[') && host.ends_with(']')) host = host.substr(1, host.size() - 2);
    const auto digits = text.substr(colon + 1);
    Address out;
    out.host = host;
    const auto [end, error] = std::from_chars(digits.begin(), digits.end(), out.port);
    if (!is_ip(out.host) || digits.empty() || error != std::errc() || end != digits.end()) return bad;
    return out;
}

std::string reachable_host(const std::string& host) {
    if (host == "0.0.0.0") return "127.0.0.1";
    if (host == "::") return "::1";
    return host;
}

std::string url(std::string_view scheme, const std::string& host, std::uint16_t port) {
    const bool six = host.find(':') != host.npos;
    return std::string(scheme) + "://" + (six ? "[" + host + "]" : host) + ":" + std::to_string(port);
}

}  // namespace ocim::cli
