#pragma once

#include "api/status.hpp"

#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace ocim::apiserver {

/// The part of a URL after '?', decoded.
class Query {
public:
    /// Parts that are not validly percent-encoded are left out, as Go's parser does.
    static Query parse(std::string_view text);

    bool has(const std::string& name) const { return values_.contains(name); }
    /// The first value, or "".
    std::string_view get(const std::string& name) const;
    std::vector<std::string> all(const std::string& name) const;
    /// As Kubernetes reads booleans: absent, "0" and "false" are no, all else is yes.
    bool flag(const std::string& name) const;

private:
    std::multimap<std::string, std::string> values_;
};

/// What a request asks for, read from its method and URL alone.
struct Route {
    /// Kubernetes' verbs for resources (get, list, watch, create, update, patch, delete, deletecollection), else
    /// the method in lower case.
    std::string verb;
    /// Decoded, without empty ones at the end.
    std::vector<std::string> segments;
    /// Below: set when the URL names a resource; then `plural` is not empty.
    std::string group, version, namespace_, plural, name, subresource;
    bool watches = false;  ///< by a path in the old form: /api/v1/watch/…

    bool is_resource() const { return !plural.empty(); }
    std::string path() const;
};

/// Errors: 400 for a URL that is not validly encoded, 405 for a method that no resource knows.
Result<Route, api::Status> parse_route(const std::string& method, std::string_view path, const Query& query);

/// "%41" -> "A"; `plus_is_space` for queries. Nothing when an escape is not one.
std::optional<std::string> percent_decoded(std::string_view text, bool plus_is_space);

}  // namespace ocim::apiserver
