#pragma once

#include "api/json.hpp"

#include <optional>
#include <string>
#include <vector>

namespace ocim::api {

/// One thing wrong with one field: an item of Status.details.causes.
struct Cause {
    std::string reason;   ///< FieldValueRequired, FieldValueInvalid, FieldValueNotSupported, …
    std::string message;  ///< `Invalid value: "x": why`
    std::string field;    ///< spec.ports[0].port
    bool operator==(const Cause&) const = default;
};

/// A refusal as Kubernetes words it: metav1.Status with status Failure.
struct Status {
    int code = 500;
    std::string reason;  ///< NotFound, AlreadyExists, Conflict, Invalid, BadRequest, Forbidden, …; may be empty
    std::string message;
    // details
    std::string name, group, kind, uid;
    std::vector<Cause> causes;
    std::optional<int> retry_after_seconds;
    std::string continue_token;  ///< metadata.continue: how a list that expired may go on
    bool operator==(const Status&) const = default;

    Json to_json() const;
};

/// `widgets.lab.example.com "a" not found`. `plural` and `group` name the resource.
Status not_found(std::string_view plural, std::string_view group, std::string_view name);
Status already_exists(std::string_view plural, std::string_view group, std::string_view name);
Status conflict(std::string_view plural, std::string_view group, std::string_view name, std::string_view why);
/// 422: `Widget.lab.example.com "a" is invalid: spec.x: Required value`; `kind` is the kind, not the plural.
Status invalid(std::string_view kind, std::string_view group, std::string_view name, std::vector<Cause> causes);
Status bad_request(std::string message);
Status forbidden(std::string_view plural, std::string_view group, std::string_view name, std::string_view why);
Status internal_error(std::string message);

/// What our own code should do about it.
Error to_error(const Status& status);

}  // namespace ocim::api
