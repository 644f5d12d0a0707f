#include "apiserver/route.hpp"

#include "base/utf8.hpp"

#include <algorithm>
#include <charconv>

namespace ocim::apiserver {

namespace {

std::string lower(std::string_view text) {
    std::string out(text);
    std::ranges::transform(out, out.begin(), [](char c) { return c >= 'A' && c <= 'Z' ? char(c - 'A' + 'a') : c; });
    return out;
}

std::string verb_of(const std::string& method, const Route& route, const Query& query) {
    const bool one = !route.name.empty();
    if (route.watches) return method == "GET" ? "watch" : "";
    if (method == "GET" || method == "HEAD") {
        if (query.flag("watch") && route.subresource.empty()) return "watch";
        return one ? "get" : "list";
    }
    if (method == "POST") return "create";
    if (method == "PUT") return "update";
    if (method == "PATCH") return "patch";
    if (method == "DELETE") return one ? "delete" : "deletecollection";
    return "";
}

/// Fills in what follows /api/V or /apis/G/V: [namespaces NS] PLURAL [NAME [SUBRESOURCE…]].
void read_resource(Route& route, std::size_t at) {
    const auto& s = route.segments;
    const auto left = [&] { return s.size() - at; };
    // /api/v1/watch/…: how one watched before ?watch=1
    route.watches = s[at] == "watch" && left() > 1;
    if (route.watches) ++at;
    // /namespaces/NS/status is the namespace's own sub-resource, not a resource in it
    const bool own_subresource = left() == 3 && (s[at + 2] == "status" || s[at + 2] == "finalize");
    if (left() >= 3 && s[at] == "namespaces" && !(own_subresource && route.group.empty())) {
        route.namespace_ = s[at + 1];
        at += 2;
    }
    route.plural = s[at++];
    if (left() > 0) route.name = s[at++];
    while (left() > 0) route.subresource += (route.subresource.empty() ? "" : "/") + s[at++];
}

}  // namespace

std::optional<std::string> percent_decoded(std::string_view text, bool plus_is_space) {
    std::string out;
    out.reserve(text.size());
    for (std::size_t i = 0; i < text.size(); ++i) {
        if (text[i] == '+' && plus_is_space) {
            out += ' ';
        } else if (text[i] != '%') {
            out += text[i];
        } else {
            unsigned value = 0;
            const auto digits = text.substr(i + 1, 2);
            const auto [end, error] = std::from_chars(digits.begin(), digits.end(), value, 16);
            if (digits.size() != 2 || error != std::errc() || end != digits.end()) return std::nullopt;
            out += static_cast<char>(value);
            i += 2;
        }
    }
    return out;
}

Query Query::parse(std::string_view text) {
    Query out;
    while (!text.empty()) {
        const auto end = std::min(text.find('&'), text.size());
        const auto part = text.substr(0, end);
        text.remove_prefix(std::min(end + 1, text.size()));
        if (part.empty()) continue;
        const auto equals = std::min(part.find('='), part.size());
        auto name = percent_decoded(part.substr(0, equals), true);
        auto value = percent_decoded(part.substr(std::min(equals + 1, part.size())), true);
        if (name && value) out.values_.emplace(*std::move(name), *std::move(value));
    }
    return out;
}

std::string_view Query::get(const std::string& name) const {
    const auto found = values_.lower_bound(name);
    return found != values_.end() && found->first == name ? std::string_view(found->second) : std::string_view();
}

std::vector<std::string> Query::all(const std::string& name) const {
    std::vector<std::string> out;
    for (auto [at, end] = values_.equal_range(name); at != end; ++at) out.push_back(at->second);
    return out;
}

bool Query::flag(const std::string& name) const {
    if (!has(name)) return false;
    const auto value = lower(get(name));
    return value != "false" && value != "0";
}

std::string Route::path() const {
    std::string out;
    for (const auto& segment : segments) out += "/" + segment;
    return out.empty() ? "/" : out;
}

Result<Route, api::Status> parse_route(const std::string& method, std::string_view path, const Query& query) {
    Route route;
    path.remove_prefix(std::min<std::size_t>(1, path.size()));
    while (!path.empty()) {
        const auto end = std::min(path.find('/'), path.size());
        auto segment = percent_decoded(path.substr(0, end), false);
        if (!segment || segment->find_first_of(std::string_view("\0/", 2)) != std::string::npos ||
            valid_utf8(*segment) != *segment)
            return api::bad_request("the URL is not validly encoded");
        // nobody may take one path for another
        if (*segment == "." || *segment == "..") return api::bad_request("the URL has a segment \".\" or \"..\"");
        route.segments.push_back(*std::move(segment));
        path.remove_prefix(std::min(end + 1, path.size()));
    }
    while (!route.segments.empty() && route.segments.back().empty()) route.segments.pop_back();
    route.verb = lower(method == "HEAD" ? "GET" : method);

    const auto& s = route.segments;
    std::size_t at = 0;
    if (s.size() > 2 && s[0] == "api") {
        route.version = s[1];
        at = 2;
    } else if (s.size() > 3 && s[0] == "apis") {
        route.group = s[1];
        route.version = s[2];
        at = 3;
    }
    if (at == 0 || std::ranges::count(s, std::string()) > 0) return route;
    read_resource(route, at);
    route.verb = verb_of(method, route, query);
    if (route.verb.empty()) {
        api::Status status = api::bad_request("the server does not allow this method on the requested resource");
        status.code = 405;
        status.reason = "MethodNotAllowed";
        return status;
    }
    return route;
}

}  // namespace ocim::apiserver
