#pragma once

#include "registry/state.hpp"

namespace ocim::registry {

/// How a body came: decides how a strict refusal is worded.
enum class Origin { body, patch };

/// Makes a client's object fit for the pipeline: its kind, version, name and namespace agree with the URL, its
/// metadata has the right types, fields that nobody declared are gone and reported as the request asked.
Outcome<std::vector<std::string>> accept_body(const Request& request, api::Parsed& body, Origin origin);

/// kind and apiVersion only; a built-in kind may leave them out.
std::optional<api::Status> check_type(const Request& request, api::Json& object);
/// Name and namespace only, filling in what is absent.
std::optional<api::Status> check_place(const Request& request, api::Json& object);

}  // namespace ocim::registry
