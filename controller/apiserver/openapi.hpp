#pragma once

#include "apiserver/exchange.hpp"
#include "base/async.hpp"

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace ocim::apiserver {

/// The OpenAPI 3 document of one group and version: its schemas, and the paths that serve them.
api::Json open_api_v3(const std::string& group, const std::string& version,
                      const std::vector<const registry::Resource*>& resources);

/// The same in OpenAPI 2 ("swagger"), for one or more such documents together. Keywords that only version 3 has
/// are left out.
api::Json open_api_v2(const std::vector<api::Json>& documents);

/// The documents of what is served now: made when they are first asked for, again when something else is served.
class OpenApi {
public:
    OpenApi(const registry::Registry& registry, Clock& clock) : registry_(registry), clock_(clock) {}

    /// Nothing when the path is not one of OpenAPI.
    awaitable<std::optional<net::ServerReply>> answer(const Exchange& exchange);

private:
    struct Document {
        std::string body, hash;
    };
    awaitable<void> make_documents();
    std::string make_v2() const;
    std::string make_index() const;

    const registry::Registry& registry_;
    Clock& clock_;
    std::uint64_t made_for_ = 0;
    /// By path below /openapi/v3/: "api/v1", "apis/G/V".
    std::map<std::string, Document> documents_;
    std::optional<Document> v2_;
};

}  // namespace ocim::apiserver
