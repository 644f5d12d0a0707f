#pragma once

#include "api/json.hpp"
#include "api/status.hpp"
#include "apiserver/negotiate.hpp"
#include "base/async.hpp"
#include "registry/registry.hpp"

#include <string>

/// Reads the bodies of requests. Long ones are parsed on a thread, so that the loop goes on.
namespace ocim::apiserver {

/// What a body is for, which decides what may come and how it is named in a refusal.
struct BodyRules {
    std::string kind, api_version;
    bool built_in = false;  ///< may come as protobuf, and without apiVersion and kind
};

BodyRules rules_of(const registry::Resource& resource);

/// An object to create or to put in place of another. Errors: 415; 400 with the place in the text.
awaitable<Result<api::Parsed, api::Status>> read_object(BlockingPool& pool, const std::string& content_type,
                                                        const std::string& body, BodyRules rules);
/// A patch; `type` is not `other`. Errors: 400.
awaitable<Result<api::Parsed, api::Status>> read_patch(BlockingPool& pool, BodyType type, const std::string& body,
                                                       BodyRules rules);
/// metav1.DeleteOptions, from the body (which may be empty) and the query. Errors: 400, 415, 422.
Result<registry::DeleteOptions, api::Status> read_delete_options(const std::string& content_type,
                                                                 const std::string& body);

/// A propagationPolicy; empty is nothing. Error: 422.
Result<std::optional<registry::Propagation>, api::Status> read_propagation(std::string_view policy);

}  // namespace ocim::apiserver
