#include "loadbalancing/rendering.hpp"

#include "loadbalancing/options.hpp"
#include "runtime/backend_spec.hpp"
#include "runtime/base64.hpp"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <algorithm>
#include <array>
#include <charconv>
#include <cstdint>
#include <set>
#include <utility>

namespace ocim::loadbalancing {

namespace {

using Spec = crd::LoadBalancerFragment::Spec;

constexpr std::string_view mark_prefix = "# ocim ";
constexpr std::string_view preliminary_name = "preliminary-page";
constexpr std::string_view basic = "Basic ";
constexpr std::string_view waiting_text = "This site is being prepared. Please come back in a few minutes.";
constexpr Duration check_time_max{3'600'000};
constexpr auto quick_interval = "1s";
constexpr auto standby_word = " weight 0";

bool letter_or_digit(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9'); }
bool control(char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; }
char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

api::Cause cause(std::string field, std::string_view value, const std::string& why) {
    return {"FieldValueInvalid", "Invalid value: " + api::to_text(api::Json(value)) + ": " + why, std::move(field)};
}

std::string item(const char* list, std::size_t index) { return std::string(list) + "[" + std::to_string(index) + "]"; }

/// The fields whose form the schema checks already are checked again: it is we who write the configuration.
bool plain_word(std::string_view text, std::string_view extra) {
    return !text.empty() && std::ranges::all_of(text, [extra](char c) {
        return letter_or_digit(c) || extra.find(c) != std::string_view::npos;
    });
}

void check_servers(const Spec& spec, std::vector<api::Cause>& out) {
    std::set<std::string> names;
    for (std::size_t i = 0; i < spec.servers.size(); ++i) {
        const auto& server = spec.servers[i];
        const auto field = item("spec.servers", i);
        if (!plain_word(server.name, "_.-"))
            out.push_back(cause(field + ".name", server.name, "may hold only letters, digits, \"_\", \".\" and \"-\""));
        else if (server.name == preliminary_name)
            out.push_back(cause(field + ".name", server.name, "this name is the preliminary page's"));
        else if (!names.insert(server.name).second)
            out.push_back(cause(field + ".name", server.name, "it is there twice"));
        if (const auto address = server_address(server.address, server.port); !address)
            out.push_back(cause(field + ".address", server.address, address.error().message));
    }
}

void check_health(const Spec& spec, std::vector<api::Cause>& out) {
    const auto& check = spec.health_check;
    if (check.path &&
        (!check.path->starts_with('/') || std::ranges::any_of(*check.path, [](char c) { return c <= ' ' || c > '~'; })))
        out.push_back(cause("spec.healthCheck.path", *check.path, "must begin with \"/\" and be printable ASCII"));
    if (check.host)
        if (const auto wrong = wrong_with_domain(*check.host); !wrong.empty())
            out.push_back(cause("spec.healthCheck.host", *check.host, "it " + wrong));
    if (!plain_word(check.expected_status, ",-"))
        out.push_back(cause("spec.healthCheck.expectedStatus", check.expected_status, "such as 200 or 200-399"));
    for (const auto& [field, text] : {std::pair{"interval", &check.interval}, {"timeout", &check.timeout}}) {
        const auto time = runtime::parse_duration(*text);
        if (!time || time->count() == 0 || *time > check_time_max)
            out.push_back(cause(std::string("spec.healthCheck.") + field, *text, "must be between 1ms and 1h"));
    }
}

/// "Basic dXNlcjpw", quoted.
Result<std::string> authorization(const Secret& username, const Secret& password) {
    const auto& user = username.reveal();
    if (user.empty() || user.find(':') != std::string::npos || std::ranges::any_of(user, control))
        return Error{ErrorClass::invalid,
                     "spec.basicAuthSecretRef: the user name is empty, or holds a colon or a "
                     "control character"};
    if (std::ranges::any_of(password.reveal(), control))
        return Error{ErrorClass::invalid, "spec.basicAuthSecretRef: the password holds a control character"};
    return quoted_word(std::string(basic) + runtime::base64(user + ":" + password.reveal()));
}

std::string milliseconds(const std::string& duration) {
    const auto read = runtime::parse_duration(duration);
    return std::to_string(read ? read->count() : 1) + "ms";
}

struct Lines {
    std::string text;
    void add(const std::string& line) { text += "  " + line + "\n"; }
};

Result<void> add_stickiness(Lines& lines, const Spec& spec) {
    if (!spec.stickiness) return {};
    const auto& cookie = spec.stickiness->cookie;
    if (!plain_word(cookie, "_-")) return Error{ErrorClass::invalid, "spec.stickiness.cookie: not a cookie's name"};
    switch (spec.stickiness->source) {
        case Spec::Stickiness::Source::application:
            lines.add("stick-table type string len 128 size 20k expire 12h");
            lines.add("stick on req.cook(" + cookie + ")");
            lines.add("stick store-response res.cook(" + cookie + ")");
            break;
        case Spec::Stickiness::Source::load_balancer:
            lines.add("cookie " + cookie + " insert indirect nocache httponly");
            break;
    }
    return {};
}

Result<void> add_health_check(Lines& lines, const Spec& spec, const std::string& host, const std::string& credential) {
    const auto& check = spec.health_check;
    lines.add("timeout check " + milliseconds(check.timeout));
    if (!check.path) return {};
    auto path = quoted_word(*check.path);
    if (!path) return std::move(path).error().within("spec.healthCheck.path");
    lines.add("option httpchk");
    lines.add("http-check send meth GET uri " + *path + " ver HTTP/1.1 hdr Host " +
              (check.host ? canonical_domain(*check.host) : host) +
              (credential.empty() ? "" : " hdr Authorization " + credential));
    lines.add("http-check expect status " + check.expected_status);
    return {};
}

Result<void> add_servers(Lines& lines, const Spec& spec) {
    const auto& check = spec.health_check;
    // a server that was just added, or that wavers, is known in seconds
    const auto interval = runtime::parse_duration(check.interval);
    const bool quick = interval && *interval > *runtime::parse_duration(quick_interval);
    const bool cookies = spec.stickiness && spec.stickiness->source == Spec::Stickiness::Source::load_balancer;
    for (const auto& server : spec.servers) {
        auto address = server_address(server.address, server.port);
        if (!address) return std::move(address).error().within("spec.servers");
        lines.add("server " + server.name + " " + *address + " check inter " + milliseconds(check.interval) +
                  (quick ? " fastinter " + milliseconds(quick_interval) : "") + " fall " + std::to_string(check.fall) +
                  " rise " + std::to_string(check.rise) + (cookies ? " cookie " + server.name : "") +
                  (server.standby ? standby_word : ""));
    }
    return {};
}

Result<void> add_preliminary(Lines& lines, const Spec& spec, const std::optional<std::string>& server) {
    if (!spec.preliminary_page || !server) {
        const auto text = quoted_word(waiting_text);
        if (!text) return std::move(text).error();
        lines.add("http-request return status 503 content-type text/plain hdr Retry-After 60 string " + *text);
        return {};
    }
    // "192.0.2.80", "192.0.2.80:8080", "2001:db8::80" or "[2001:db8::80]:8080"
    std::string_view address = *server;
    int port = 80;
    const auto colon = address.rfind(':');
    const bool has_port = colon != std::string_view::npos &&
                          (address.starts_with('[') ? address.find(']') + 1 == colon : address.find(':') == colon);
    if (has_port) {
        const auto digits = address.substr(colon + 1);
        const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), port);
        if (error != std::errc() || end != digits.data() + digits.size()) port = 0;
        address = address.substr(0, colon);
    }
    if (address.starts_with('[') && address.ends_with(']')) address = address.substr(1, address.size() - 2);
    auto where = server_address(address, port);
    if (!where) return std::move(where).error().within("the load balancer's spec.preliminaryPageServer");
    lines.add("server " + std::string(preliminary_name) + " " + *where);
    return {};
}

std::uint64_t fnv1a(std::string_view text, std::uint64_t hash = 0xcbf29ce484222325U) {
    for (const char c : text) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3U;
    return hash;
}

std::string hex(std::uint64_t value) {
    constexpr std::string_view digits = "0123456789abcdef";
    std::string out(16, '0');
    for (auto at = out.rbegin(); at != out.rend(); ++at, value >>= 4) *at = digits[value & 15];
    return out;
}

}  // namespace

Result<std::string> quoted_word(std::string_view text) {
    std::string out = "\"";
    for (const char c : text) {
        if (control(c)) return Error{ErrorClass::invalid, "must not hold line breaks, NUL or control characters"};
        if (c == '"' || c == '\\' || c == '$') out += '\\';
        out += c;
    }
    return out + '"';
}

std::string wrong_with_domain(std::string_view name) {
    if (name.ends_with('.')) name.remove_suffix(1);
    if (name.empty() || name.size() > 253) return "must have 1 to 253 characters";
    std::size_t label = 0;
    for (std::size_t i = 0; i <= name.size(); ++i) {
        if (i < name.size() && name[i] != '.') {
            if (!letter_or_digit(name[i]) && name[i] != '-')
                return "may hold only letters, digits, hyphens and dots (an international name in its xn-- form)";
            continue;
        }
        const auto text = name.substr(label, i - label);
        if (text.empty() || text.size() > 63) return "has a label that is empty or longer than 63 characters";
        if (text.front() == '-' || text.back() == '-') return "has a label that begins or ends with a hyphen";
        label = i + 1;
    }
    return {};
}

std::string canonical_domain(std::string_view name) {
    if (name.ends_with('.')) name.remove_suffix(1);
    std::string out(name);
    std::ranges::transform(out, out.begin(), lower);
    return out;
}

Result<std::string> server_address(std::string_view address, int port) {
    if (port < 1 || port > 65535) return Error{ErrorClass::invalid, "the port must be between 1 and 65535"};
    std::array<unsigned char, 16> raw{};
    std::array<char, INET6_ADDRSTRLEN> text{};
    const std::string terminated(address);
    if (address.find('\0') == std::string_view::npos) {
        if (inet_pton(AF_INET, terminated.c_str(), raw.data()) == 1) return terminated + ":" + std::to_string(port);
        if (inet_pton(AF_INET6, terminated.c_str(), raw.data()) == 1) {
            inet_ntop(AF_INET6, raw.data(), text.data(), text.size());
            return "ipv6@[" + std::string(text.data()) + "]:" + std::to_string(port);
        }
    }
    return Error{ErrorClass::invalid, "must be an IP address"};
}

std::string fragment_name(const std::string& prefix, const std::string& namespace_, const std::string& name) {
    // "_" is in no name of Kubernetes, so the two parts cannot be taken for others
    auto out = prefix + namespace_ + "_" + name;
    if (out.size() <= fragment_name_max) return out;
    return out.substr(0, fragment_name_max - 17) + "_" + hex(fnv1a(out));
}

std::vector<api::Cause> faults(const Spec& spec) {
    std::vector<api::Cause> out;
    if (spec.domains.empty()) out.push_back({"FieldValueRequired", "Required value", "spec.domains"});
    for (std::size_t i = 0; i < spec.domains.size(); ++i)
        if (const auto wrong = wrong_with_domain(spec.domains[i]); !wrong.empty())
            out.push_back(cause(item("spec.domains", i), spec.domains[i], "it " + wrong));
    check_servers(spec, out);
    check_health(spec, out);
    std::set<std::string> options;
    for (std::size_t i = 0; i < spec.options.size(); ++i) {
        const auto& option = spec.options[i];
        const auto field = item("spec.options", i);
        if (!options.insert(option.name).second)
            out.push_back(cause(field + ".name", option.name, "it is there twice"));
        else if (const auto line = option_line(option.name, option.value); !line)
            out.push_back(cause(field, option.name + " " + option.value, line.error().message));
    }
    if (spec.stickiness && !plain_word(spec.stickiness->cookie, "_-"))
        out.push_back(cause("spec.stickiness.cookie", spec.stickiness->cookie, "not a cookie's name"));
    return out;
}

Result<Rendered> render(const Spec& spec, const Surroundings& around) {
    if (const auto wrong = faults(spec); !wrong.empty())
        return Error{ErrorClass::invalid, wrong.front().field + ": " + wrong.front().message};
    if (!plain_word(around.name, "_.-")) return Error{ErrorClass::invalid, "metadata.name: not fit for a file's name"};
    Rendered out;
    for (const auto& domain : spec.domains) out.domains.push_back(canonical_domain(domain));
    const auto first = out.domains.front();
    std::ranges::sort(out.domains);
    const auto doubles = std::ranges::unique(out.domains);
    out.domains.erase(doubles.begin(), doubles.end());

    std::string credential;
    if (around.username && around.password) {
        auto made = authorization(*around.username, *around.password);
        if (!made) return std::move(made).error();
        credential = *std::move(made);
    }
    Lines lines{std::string(mark_prefix) + around.mark.text() + "\nbackend " + around.name + "\n"};
    lines.add("mode http");
    if (spec.servers.empty()) {
        // a stranger's page gets no credential and no checks
        if (auto added = add_preliminary(lines, spec, around.preliminary_server); !added)
            return std::move(added).error();
    } else {
        if (!credential.empty())
            lines.add("http-request set-header Authorization " + credential +
                      " unless { req.hdr(Authorization) -m found }");
        for (const auto& option : spec.options) {
            auto line = option_line(option.name, option.value);
            if (!line) return std::move(line).error().within("spec.options");
            lines.add(*line);
        }
        if (auto added = add_stickiness(lines, spec); !added) return std::move(added).error();
        if (auto added = add_health_check(lines, spec, first, credential); !added) return std::move(added).error();
        if (auto added = add_servers(lines, spec); !added) return std::move(added).error();
    }
    out.text = Secret(std::move(lines.text));
    return out;
}

std::optional<runtime::Mark> mark_of(std::string_view text) {
    if (!text.starts_with(mark_prefix)) return std::nullopt;
    const auto end = text.find('\n');
    if (end == std::string_view::npos) return std::nullopt;
    return runtime::Mark::parse(text.substr(mark_prefix.size(), end - mark_prefix.size()));
}

std::string with_mark(std::string_view text, const runtime::Mark& mark) {
    const auto end = text.find('\n');
    return std::string(mark_prefix) + mark.text() +
           std::string(end == std::string_view::npos ? "\n" : text.substr(end));
}

std::optional<CertificateNote> certificate_of(std::string_view text) {
    const auto first = text.find('\n');
    if (first == std::string_view::npos || !text.starts_with(mark_prefix)) return std::nullopt;
    text.remove_prefix(first + 1);
    return CertificateNote::parse(text.substr(0, text.find('\n')));
}

std::string with_certificate(std::string_view text, const std::optional<CertificateNote>& note) {
    const auto first = std::min(text.find('\n'), text.size());
    auto rest = text.substr(std::min(first + 1, text.size()));
    if (certificate_of(text)) rest.remove_prefix(std::min(rest.find('\n') + 1, rest.size()));
    return std::string(text.substr(0, first)) + "\n" + (note ? note->line() + "\n" : "") + std::string(rest);
}

std::vector<RenderedServer> servers_of(std::string_view text) {
    std::vector<RenderedServer> out;
    while (!text.empty()) {
        const auto end = text.find('\n');
        auto line = text.substr(0, end);
        text = end == std::string_view::npos ? std::string_view() : text.substr(end + 1);
        line.remove_prefix(std::min(line.find_first_not_of(" \t"), line.size()));
        if (!line.starts_with("server ")) continue;
        line.remove_prefix(7);
        const auto name = line.substr(0, line.find(' '));
        if (name != preliminary_name) out.push_back({std::string(name), line.ends_with(standby_word)});
    }
    return out;
}

std::string hash_of(std::string_view text, const std::vector<std::string>& domains) {
    auto hash = fnv1a(redacted(std::string(text)));
    for (const auto& domain : domains) hash = fnv1a(domain + "\n", hash);
    return hex(hash);
}

std::string redacted(std::string message) {
    for (auto at = message.find(basic); at != std::string::npos; at = message.find(basic, at)) {
        at += basic.size();
        auto end = at;
        while (end < message.size() &&
               (letter_or_digit(message[end]) || std::string_view("+/=").find(message[end]) != std::string_view::npos))
            ++end;
        message.replace(at, end - at, "...");
    }
    return message;
}

}  // namespace ocim::loadbalancing
