#pragma once

#include "apiserver/exchange.hpp"
#include "base/async.hpp"

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace ocim::apiserver {

/// The OpenAPI 3 document of one group and version: its schemas, and the paths that serve them.
api::Json open_api_v3(const std::string& group, const std::string& version,
                      const std::vector<registry::Resource>& resources);

/// The same in OpenAPI 2 ("swagger"), for one or more such documents together. Keywords that only version 3 has
/// are left out.
api::Json open_api_v2(const std::vector<api::Json>& documents);

/// The documents of what is served now: made when they are first asked for, again when something else is served.
/// They are made on a thread, for that takes longer than the loop may be held.
class OpenApi {
public:
    OpenApi(const registry::Registry& registry, BlockingPool& pool) : registry_(registry), pool_(pool) {}

    /// Nothing when the path is not one of OpenAPI.
    awaitable<std::optional<net::ServerReply>> answer(const Exchange& exchange);

    struct Document {
        std::string body, content_type, hash;
    };
    /// By path below /openapi/v3/: "api/v1", "apis/G/V"; the index, and a document of version 2, are at "".
    using Documents = std::map<std::string, Document>;

private:
    enum class Form { v3, v2_json, v2_protobuf };
    struct Made {
        bool being_made = false;
        Signal done;                                 ///< with it, well or not
        std::uint64_t of = 0;                        ///< the state of the registry
        std::shared_ptr<const Documents> documents;  // shared with whoever answers from them while others are made
    };
    awaitable<Result<std::shared_ptr<const Documents>>> documents(Form form);

    const registry::Registry& registry_;
    BlockingPool& pool_;
    std::map<Form, Made> made_;
};

}  // namespace ocim::apiserver
