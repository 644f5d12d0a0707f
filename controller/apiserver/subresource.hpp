#pragma once

#include "api/json.hpp"
#include "apiserver/route.hpp"
#include "base/async.hpp"
#include "net/http_server.hpp"

#include <functional>
#include <optional>
#include <string>
#include <vector>

namespace ocim::apiserver {

struct SubresourceRequest {
    api::Json object;  ///< as it is stored now
    Query query;
    /// True once the server shuts down: a stream should end soon.
    std::function<bool()> draining;
};

/// What somebody beside the store knows of an object, such as its log: read with
/// GET /apis/<group>/<version>/[namespaces/<namespace>/]<plural>/<name>/<subresource>, which RBAC knows as
/// "<plural>/<subresource>".
struct Subresource {
    std::string group, version, plural, name;
    /// Asked for an object that exists. A reply, or nothing when it has streamed its answer. Cancelled when the client
    /// goes.
    std::function<awaitable<std::optional<net::ServerReply>>(SubresourceRequest request, net::Responder& responder)>
        answer;
};

using Subresources = std::vector<Subresource>;

}  // namespace ocim::apiserver
