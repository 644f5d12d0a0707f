#include "registry/selection.hpp"
#include "registry/state.hpp"

#include <charconv>

/// list: pages of one snapshot.
namespace ocim::registry {

using api::Json;
using api::Status;
namespace json = boost::json;

namespace {

std::string base64url(std::string_view bytes) {
    static constexpr std::string_view letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    std::string out;
    unsigned bits = 0;
    int count = 0;
    for (const char c : bytes) {
        bits = bits << 8 | static_cast<unsigned char>(c);
        for (count += 8; count >= 6; count -= 6) out += letters[bits >> (count - 6) & 63];
    }
    if (count > 0) out += letters[bits << (6 - count) & 63];
    return out;
}

std::optional<std::string> unbase64url(std::string_view text) {
    static constexpr std::string_view letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    std::string out;
    unsigned bits = 0;
    int count = 0;
    for (const char c : text) {
        const auto value = letters.find(c);
        if (value == std::string_view::npos) return std::nullopt;
        bits = bits << 6 | static_cast<unsigned>(value);
        count += 6;
        if (count >= 8) out += static_cast<char>(bits >> (count -= 8) & 255);
    }
    return out;
}

/// Where the next page begins: a snapshot and the last key of the page before, relative to the collection.
struct Continuation {
    std::int64_t revision = 0;  ///< -1: whatever is now
    std::string start;
    std::optional<std::size_t> left;  ///< items from there on, where somebody has counted them
};

std::string encode(const Continuation& next) {
    json::object token;
    token["v"] = "meta.k8s.io/v1";
    token["rv"] = next.revision;
    token["start"] = "/" + next.start + std::string(1, '\0');
    if (next.left) token["left"] = *next.left;
    return base64url(api::to_text(Json(token)));
}

Outcome<Continuation> decode(const std::string& token) {
    const auto wrong = [](const char* why) {
        return api::bad_request(std::string("continue key is not valid: ") + why);
    };
    const auto text = unbase64url(token);
    if (!text) return wrong("illegal base64 data");
    const auto parsed = api::parse_json(*text);
    if (!parsed) return wrong("it is not JSON");
    if (api::find_text(parsed->value, {"v"}) != "meta.k8s.io/v1")
        return wrong("server does not recognize this version");
    const auto* revision = api::find(parsed->value, {"rv"});
    if (!revision || !revision->is_int64() || revision->get_int64() == 0 || revision->get_int64() < -1)
        return wrong("incorrect encoded start resourceVersion");
    Continuation out;
    out.revision = revision->get_int64();
    out.start = api::find_text(parsed->value, {"start"});
    if (!out.start.starts_with('/') || out.start.find("/../") != std::string::npos)
        return wrong("encoded start key empty or malformed");
    out.start.erase(0, 1);
    if (const auto* left = api::find(parsed->value, {"left"}); left && left->is_int64() && left->get_int64() > 0)
        out.left = static_cast<std::size_t>(left->get_int64());
    return out;
}

Status list_options(api::Cause cause) { return api::invalid("ListOptions", "meta.k8s.io", "", {std::move(cause)}); }

Status expired(std::string message) {
    Status status;
    status.code = 410;
    status.reason = "Expired";
    status.message = std::move(message);
    return status;
}

std::optional<Status> check_match(const ListOptions& options) {
    const auto& match = options.resource_version_match;
    const auto& revision = options.resource_version;
    if (match.empty()) return std::nullopt;
    const auto field = std::string("resourceVersionMatch");
    if (!options.continue_token.empty())
        return list_options(
            {"FieldValueForbidden", "Forbidden: resourceVersionMatch is forbidden when continue is provided", field});
    if (revision.empty())
        return list_options({"FieldValueForbidden",
                             "Forbidden: resourceVersionMatch is forbidden unless resourceVersion is provided", field});
    if (match != "Exact" && match != "NotOlderThan")
        return list_options(
            {"FieldValueNotSupported",
             "Unsupported value: " + api::to_text(Json(match)) + ": supported values: \"Exact\", \"NotOlderThan\"",
             field});
    if (match == "Exact" && revision == "0")
        return list_options({"FieldValueForbidden",
                             "Forbidden: resourceVersionMatch \"Exact\" is forbidden for resourceVersion \"0\"",
                             field});
    return std::nullopt;
}

/// The snapshot to list, 0 for the current one, and where in the collection to begin.
struct Place {
    Revision revision = 0;
    std::string start;
    bool continued = false;
    std::optional<std::size_t> left;
};

Outcome<Place> place_of(const ListOptions& options, Revision current) {
    Place out;
    if (auto wrong = check_match(options)) return *std::move(wrong);
    if (!options.continue_token.empty()) {
        if (!options.resource_version.empty() && options.resource_version != "0")
            return api::bad_request("specifying resource version is not allowed when using continue");
        auto next = decode(options.continue_token);
        if (!next) return std::move(next).error();
        out.start = next->start;
        out.revision = next->revision < 0 ? 0 : static_cast<Revision>(next->revision);
        out.continued = true;
        // what was counted holds for the snapshot only
        if (out.revision != 0) out.left = next->left;
        return out;
    }
    if (options.resource_version.empty()) return out;
    auto revision = parse_revision(options.resource_version);
    if (!revision) return std::move(revision).error();
    if (*revision > current) return too_large_revision(*revision, current);
    const bool exact = options.resource_version_match == "Exact" ||
                       (options.resource_version_match.empty() && options.limit > 0 && *revision > 0);
    if (exact) out.revision = *revision;
    return out;
}

}  // namespace

Outcome<Revision> parse_revision(const std::string& text) {
    Revision out = 0;
    const auto [end, failed] = std::from_chars(text.data(), text.data() + text.size(), out);
    if (failed != std::errc() || end != text.data() + text.size())
        return api::bad_request("resourceVersion: Invalid value: " + api::to_text(Json(text)) +
                                ": strconv.ParseUint: parsing " + api::to_text(Json(text)) + ": invalid syntax");
    return out;
}

Status too_large_revision(Revision wanted, Revision current) {
    Status status;
    status.code = 504;
    status.reason = "Timeout";
    status.message =
        "Timeout: Too large resource version: " + std::to_string(wanted) + ", current: " + std::to_string(current);
    status.causes.push_back({"ResourceVersionTooLarge", "Too large resource version", ""});
    status.retry_after_seconds = 1;
    return status;
}

Outcome<ListPage> Registry::State::list(const ServedPtr& served, const ListOptions& options) const {
    auto selected = Selection::make(*served, options.labels, options.fields);
    if (!selected) return std::move(selected).error();
    auto place = place_of(options, store.revision());
    if (!place) return std::move(place).error();
    auto prefix = served->prefix;
    if (served->resource.namespaced && !options.namespace_.empty()) prefix += options.namespace_ + "/";

    ListPage out;
    out.revision = place->revision == 0 ? store.revision() : place->revision;
    std::string last;
    std::size_t rest = 0;
    const auto visit = [&](const std::string& key, const store::Item& item) {
        if (options.limit != 0 && out.items.size() == options.limit) {
            if (!selected->everything()) {
                // one more that matches is enough to know that there is a next page
                rest = selected->matches(key, *item.value) ? 1 : 0;
                return rest == 0;
            }
            ++rest;
            // the first page counts them all, the others know from it
            return !place->left;
        }
        if (!selected->everything() && !selected->matches(key, *item.value)) return true;
        out.items.push_back(served->show(key, item));
        last = key;
        return true;
    };
    if (const auto only = selected->only_key(*served, options.namespace_); only && place->revision == 0) {
        if (const auto item = store.get(*only)) visit(*only, *item);
        return out;
    }
    const auto from = place->start.empty() ? std::string() : prefix + place->start;
    if (auto scanned = store.scan(prefix, from, place->revision, visit); !scanned) {
        if (!place->continued) return expired("The resourceVersion for the provided list is too old.");
        auto status = expired(
            "The provided continue parameter is too old to display a consistent list result. You can start a new list "
            "without the continue parameter, or use the continue token in this response to retrieve the remainder of "
            "the results. Continuing with the provided token results in an inconsistent list - objects that were "
            "created, modified, or deleted between the time the first chunk was returned and now may show up in the "
            "list.");
        Continuation onward;
        onward.revision = -1;
        onward.start = place->start;
        if (onward.start.ends_with('\0')) onward.start.pop_back();
        status.continue_token = encode(onward);
        return status;
    }
    if (rest == 0) return out;
    // a token is the client's: it may have any number in it
    if (place->left && *place->left > out.items.size()) rest = *place->left - out.items.size();
    Continuation next;
    next.revision = static_cast<std::int64_t>(out.revision);
    next.start = last.substr(prefix.size());
    if (selected->everything()) next.left = out.remaining = rest;
    out.continue_token = encode(next);
    return out;
}

}  // namespace ocim::registry
