#include "apiserver/negotiate.hpp"

#include <algorithm>
#include <map>
#include <vector>

namespace ocim::apiserver {

namespace {

constexpr std::string_view white = " \t";

std::string_view trimmed(std::string_view text) {
    const auto first = text.find_first_not_of(white);
    if (first == std::string_view::npos) return {};
    return text.substr(first, text.find_last_not_of(white) - first + 1);
}

std::vector<std::string_view> split(std::string_view text, char separator) {
    std::vector<std::string_view> out;
    for (;;) {
        const auto end = text.find(separator);
        out.push_back(trimmed(text.substr(0, end)));
        if (end == std::string_view::npos) return out;
        text.remove_prefix(end + 1);
    }
}

std::string lower(std::string_view text) {
    std::string out(text);
    std::ranges::transform(out, out.begin(), [](char c) { return c >= 'A' && c <= 'Z' ? char(c - 'A' + 'a') : c; });
    return out;
}

struct MediaType {
    std::string type;
    std::map<std::string, std::string, std::less<>> parameters;
    /// Thousandths.
    int quality = 1000;
    std::size_t place = 0;

    std::string parameter(std::string_view name) const {
        const auto found = parameters.find(name);
        return found == parameters.end() ? "" : found->second;
    }
    bool json() const { return type == "application/json" || type == "application/*" || type == "*/*"; }
};

/// "0.5" -> 500; anything else counts as 1.
int quality_of(const std::string& text) {
    if (text.starts_with("0")) {
        int out = 0, digit = 100;
        for (std::size_t i = 2; i < text.size() && digit > 0; ++i, digit /= 10)
            if (text[i] >= '0' && text[i] <= '9') out += (text[i] - '0') * digit;
        return out;
    }
    return 1000;
}

MediaType media_type(std::string_view text) {
    MediaType out;
    const auto parts = split(text, ';');
    out.type = lower(parts.front());
    for (std::size_t i = 1; i < parts.size(); ++i) {
        const auto equals = parts[i].find('=');
        if (equals == std::string_view::npos) continue;
        auto value = trimmed(parts[i].substr(equals + 1));
        if (value.size() > 1 && value.front() == '"' && value.back() == '"') value = value.substr(1, value.size() - 2);
        out.parameters[lower(trimmed(parts[i].substr(0, equals)))] = std::string(value);
    }
    if (const auto q = out.parameter("q"); !q.empty()) out.quality = quality_of(q);
    return out;
}

/// The clauses of an Accept header, the most wanted first.
std::vector<MediaType> clauses(std::string_view accept) {
    std::vector<MediaType> out;
    for (const auto part : split(accept, ','))
        if (!part.empty()) out.push_back(media_type(part));
    if (out.empty()) out.push_back(media_type("*/*"));
    std::erase_if(out, [](const MediaType& type) { return type.quality == 0; });
    // the earlier of two that are wanted alike comes first
    for (std::size_t i = 0; i < out.size(); ++i) out[i].place = i;
    std::ranges::sort(out, {}, [](const MediaType& type) { return std::pair(-type.quality, type.place); });
    return out;
}

}  // namespace

Result<Format, api::Status> negotiate(std::string_view accept) {
    for (const auto& type : clauses(accept)) {
        if (!type.json()) continue;
        const auto as = type.parameter("as");
        if (as.empty()) return Format{};
        const auto version = type.parameter("v");
        if (type.parameter("g") != "meta.k8s.io" || (version != "v1" && version != "v1beta1")) continue;
        if (as == "Table") return Format{Format::Shape::table, version};
        if (as == "PartialObjectMetadata" || as == "PartialObjectMetadataList")
            return Format{Format::Shape::partial, version};
    }
    api::Status status;
    status.code = 406;
    status.reason = "NotAcceptable";
    status.message = "only the following media types are accepted: application/json";
    return status;
}

std::string negotiate_discovery(std::string_view accept) {
    for (const auto& type : clauses(accept)) {
        if (!type.json()) continue;
        const auto as = type.parameter("as");
        if (as.empty()) return "";
        const auto version = type.parameter("v");
        if (as == "APIGroupDiscoveryList" && type.parameter("g") == "apidiscovery.k8s.io" &&
            (version == "v2" || version == "v2beta1"))
            return version;
    }
    return "";
}

bool accepts_json(std::string_view accept) { return std::ranges::any_of(clauses(accept), &MediaType::json); }

std::optional<DocumentType> negotiate_open_api_v2(std::string_view accept) {
    for (const auto& type : clauses(accept)) {
        if (type.json()) return DocumentType::json;
        // with an @ in clients before 1.27, which is no letter of a media type
        if (type.type == "application/com.github.proto-openapi.spec.v2@v1.0+protobuf" ||
            type.type == open_api_v2_protobuf_type)
            return DocumentType::protobuf;
    }
    return std::nullopt;
}

bool accepts_gzip(std::string_view accept_encoding) {
    if (trimmed(accept_encoding).empty()) return false;
    const auto types = clauses(accept_encoding);
    return std::ranges::any_of(types, [](const MediaType& type) { return type.type == "gzip" || type.type == "*"; });
}

BodyType body_type(std::string_view content_type) {
    static const std::map<std::string, BodyType, std::less<>> types{
        {"", BodyType::json},
        {"application/json", BodyType::json},
        {"application/yaml", BodyType::yaml},
        {"application/vnd.kubernetes.protobuf", BodyType::protobuf},
        {"application/json-patch+json", BodyType::json_patch},
        {"application/merge-patch+json", BodyType::merge_patch},
        {"application/strategic-merge-patch+json", BodyType::strategic_patch},
        {"application/apply-patch+yaml", BodyType::apply_patch},
    };
    const auto found = types.find(media_type(content_type).type);
    return found == types.end() ? BodyType::other : found->second;
}

api::Status unsupported_media_type(std::string_view accepted) {
    api::Status status;
    status.code = 415;
    status.reason = "UnsupportedMediaType";
    status.message =
        "the body of the request was in an unknown format - accepted media types include: " + std::string(accepted);
    return status;
}

}  // namespace ocim::apiserver
