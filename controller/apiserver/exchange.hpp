#pragma once

#include "apiserver/negotiate.hpp"
#include "apiserver/route.hpp"
#include "net/http_server.hpp"
#include "registry/registry.hpp"

#include <string>

namespace ocim::apiserver {

/// One request on its way through the server, and what was found out about it.
struct Exchange {
    net::ServerRequest request;
    Route route;
    Query query;
    registry::Caller caller;
    std::string impersonator;  ///< who acts in the caller's place, if anybody does
    std::string audit_id;

    /// Of the object in the answer to a write, for the audit log when the URL does not say it.
    std::string object_name;
};

/// A Status as the body of an answer.
net::ServerReply refusal_reply(const api::Status& status);
net::ServerReply json_reply(unsigned code, std::string body);
/// A refusal of the HTTP server itself (a body that is too long, a request that is none) as a Status.
net::ServerReply wire_refusal(unsigned code, std::string_view reason);
/// The value of a Warning header: `299 - "text"`, with what would end the quotes escaped.
std::string warning_header(std::string_view text);
/// What an unknown path gets: as Kubernetes, no Status.
net::ServerReply page_not_found();

}  // namespace ocim::apiserver
