#include "apiserver/options.hpp"

#include <algorithm>
#include <charconv>
#include <cstdint>

namespace ocim::apiserver {

namespace {

constexpr std::size_t manager_bytes_max = 128;  // as Kubernetes

api::Status invalid_option(std::string_view kind, std::vector<api::Cause> causes) {
    return api::invalid(kind, "meta.k8s.io", "", std::move(causes));
}

api::Cause unsupported(std::string_view field, std::string_view value, std::string_view supported) {
    return {"FieldValueNotSupported",
            "Unsupported value: \"" + std::string(value) + "\": supported values: " + std::string(supported),
            std::string(field)};
}

/// Nothing when it is not given. Errors: 400, in the words of Kubernetes.
Result<std::optional<std::int64_t>, api::Status> number(const Exchange& exchange, const std::string& name) {
    const auto text = exchange.query.get(name);
    if (text.empty()) return std::optional<std::int64_t>();
    std::int64_t out = 0;
    const auto [end, error] = std::from_chars(text.begin(), text.end(), out);
    const bool whole = end == text.end() && error != std::errc::invalid_argument;
    if (whole && error == std::errc()) return std::optional(out);
    return api::bad_request("strconv.ParseInt: parsing " + api::to_text(api::Json(text)) + ": " +
                            (whole ? "value out of range" : "invalid syntax"));
}

struct Selectors {
    api::LabelSelector labels;
    api::FieldSelector fields;
};

Result<Selectors, api::Status> selectors(const Exchange& exchange) {
    auto labels = api::LabelSelector::parse(exchange.query.get("labelSelector"));
    if (!labels) return api::bad_request(labels.error().message);
    // a watch on one object by its URL is a watch with a selector
    std::string text(exchange.query.get("fieldSelector"));
    if (!exchange.route.name.empty())
        text += (text.empty() ? "metadata.name=" : ",metadata.name=") + exchange.route.name;
    auto fields = api::FieldSelector::parse(text);
    if (!fields) return api::bad_request("unable to parse the field selector: " + fields.error().message);
    return Selectors{*std::move(labels), *std::move(fields)};
}

Result<void, api::Status> check_version_match(const Exchange& exchange, bool watch) {
    const auto match = exchange.query.get("resourceVersionMatch");
    const bool initial = !exchange.query.get("sendInitialEvents").empty();
    std::vector<api::Cause> causes;
    if (initial && !watch)
        causes.push_back(
            {"FieldValueForbidden", "Forbidden: sendInitialEvents is forbidden for list", "sendInitialEvents"});
    if (initial && watch && match != "NotOlderThan")
        causes.push_back({"FieldValueForbidden",
                          "Forbidden: sendInitialEvents requires setting resourceVersionMatch to NotOlderThan",
                          "resourceVersionMatch"});
    if (!initial && watch && !match.empty())
        causes.push_back({"FieldValueForbidden",
                          "Forbidden: resourceVersionMatch is forbidden for watch unless sendInitialEvents is provided",
                          "resourceVersionMatch"});
    if (watch && !match.empty() && match != "NotOlderThan")
        causes.push_back(unsupported("resourceVersionMatch", match, "\"NotOlderThan\""));
    if (watch && !match.empty() && !exchange.query.get("continue").empty())
        causes.push_back({"FieldValueForbidden",
                          "Forbidden: resourceVersionMatch is forbidden when continue is provided",
                          "resourceVersionMatch"});
    if (!watch && !match.empty() && match != "Exact" && match != "NotOlderThan")
        causes.push_back(unsupported("resourceVersionMatch", match, "\"Exact\", \"NotOlderThan\""));
    if (!watch && !match.empty() && exchange.query.get("resourceVersion").empty())
        causes.push_back({"FieldValueForbidden",
                          "Forbidden: resourceVersionMatch is forbidden unless resourceVersion is provided",
                          "resourceVersionMatch"});
    if (!causes.empty()) return invalid_option("ListOptions", std::move(causes));
    return {};
}

}  // namespace

Result<registry::WriteOptions, api::Status> write_options(const Exchange& exchange, std::string_view options_kind) {
    registry::WriteOptions out;
    out.caller = exchange.caller;
    out.subresource = exchange.route.subresource;
    std::vector<api::Cause> causes;

    out.field_manager = std::string(exchange.query.get("fieldManager"));
    if (out.field_manager.size() > manager_bytes_max)
        causes.push_back({"FieldValueTooLong", "Too long: may not be more than 128 bytes", "fieldManager"});
    for (const char c : out.field_manager)
        if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) {
            causes.push_back(
                {"FieldValueInvalid", "Invalid value: should only contain printable characters", "fieldManager"});
            break;
        }

    for (const auto& value : exchange.query.all("dryRun")) {
        if (value == "All")
            out.dry_run = true;
        else if (!value.empty())
            causes.push_back(unsupported("dryRun", value, "\"All\""));
    }

    const auto validation = exchange.query.get("fieldValidation");
    if (validation == "Strict")
        out.field_validation = registry::FieldValidation::strict;
    else if (validation == "Ignore")
        out.field_validation = registry::FieldValidation::ignore;
    else if (!validation.empty() && validation != "Warn")
        causes.push_back(unsupported("fieldValidation", validation, "\"Ignore\", \"Strict\", \"Warn\""));

    if (!causes.empty()) return invalid_option(options_kind, std::move(causes));
    return out;
}

Result<bool, api::Status> apply_force(const Exchange& exchange) {
    if (exchange.query.get("fieldManager").empty())
        return invalid_option("PatchOptions",
                              {{"FieldValueRequired", "Required value: is required for apply patch", "fieldManager"}});
    return exchange.query.flag("force");
}

Result<void, api::Status> check_no_force(const Exchange& exchange) {
    if (!exchange.query.has("force")) return {};
    return invalid_option("PatchOptions",
                          {{"FieldValueForbidden", "Forbidden: may not be specified for non-apply patch", "force"}});
}

Result<void, api::Status> check_grace_period(const Exchange& exchange) {
    auto seconds = number(exchange, "gracePeriodSeconds");
    if (!seconds) return std::move(seconds).error();
    return {};
}

Result<registry::ListOptions, api::Status> list_options(const Exchange& exchange) {
    auto read = selectors(exchange);
    if (!read) return std::move(read).error();
    if (auto checked = check_version_match(exchange, false); !checked) return std::move(checked).error();
    registry::ListOptions out;
    out.namespace_ = exchange.route.namespace_;
    out.labels = std::move(read->labels);
    out.fields = std::move(read->fields);
    out.continue_token = std::string(exchange.query.get("continue"));
    out.resource_version = std::string(exchange.query.get("resourceVersion"));
    out.resource_version_match = std::string(exchange.query.get("resourceVersionMatch"));
    auto limit = number(exchange, "limit");
    if (!limit) return std::move(limit).error();
    if (auto timeout = number(exchange, "timeoutSeconds"); !timeout) return std::move(timeout).error();
    // as Kubernetes: below nothing there is no limit
    out.limit = static_cast<std::size_t>(std::max<std::int64_t>(0, limit->value_or(0)));
    return out;
}

Result<registry::WatchOptions, api::Status> watch_options(const Exchange& exchange) {
    auto read = selectors(exchange);
    if (!read) return std::move(read).error();
    if (auto checked = check_version_match(exchange, true); !checked) return std::move(checked).error();
    for (const auto* name : {"limit", "timeoutSeconds"})
        if (auto value = number(exchange, name); !value) return std::move(value).error();
    registry::WatchOptions out;
    out.namespace_ = exchange.route.namespace_;
    out.labels = std::move(read->labels);
    out.fields = std::move(read->fields);
    out.resource_version = std::string(exchange.query.get("resourceVersion"));
    out.bookmarks = exchange.query.flag("allowWatchBookmarks");
    out.send_initial_events = exchange.query.flag("sendInitialEvents");
    out.only_changes = !exchange.query.get("sendInitialEvents").empty() && !out.send_initial_events;
    return out;
}

}  // namespace ocim::apiserver
