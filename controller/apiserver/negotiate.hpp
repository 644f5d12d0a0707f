#pragma once

#include "api/status.hpp"

#include <optional>
#include <string>
#include <string_view>

/// Which representation a client wants, and which one it sends.
namespace ocim::apiserver {

/// How objects go out. It is JSON always.
struct Format {
    enum class Shape {
        object,
        table,    ///< meta.k8s.io Table
        partial,  ///< PartialObjectMetadata(List)
    };
    Shape shape = Shape::object;
    std::string version = "v1";  ///< of meta.k8s.io, for the other two shapes
};

/// Reads an Accept header; empty accepts all. Error: 406.
Result<Format, api::Status> negotiate(std::string_view accept);

/// Which aggregated discovery a client asks for first: "v2", "v2beta1", or "" for the plain documents.
std::string negotiate_discovery(std::string_view accept);

bool accepts_json(std::string_view accept);

/// In what an OpenAPI 2 document goes out; nothing when the client takes neither.
inline constexpr std::string_view open_api_v2_protobuf_type =
    "application/com.github.proto-openapi.spec.v2.v1.0+protobuf";
enum class DocumentType { json, protobuf };
std::optional<DocumentType> negotiate_open_api_v2(std::string_view accept);

bool accepts_gzip(std::string_view accept_encoding);

enum class BodyType { json, yaml, protobuf, json_patch, merge_patch, strategic_patch, apply_patch, other };
/// Reads a Content-Type; none at all is JSON, as old clients send it.
BodyType body_type(std::string_view content_type);

/// 415, with the media types that would do.
api::Status unsupported_media_type(std::string_view accepted);

}  // namespace ocim::apiserver
