#pragma once

#include "api/json.hpp"
#include "api/kind.hpp"
#include "api/object.hpp"
#include "base/async.hpp"
#include "base/clock.hpp"
#include "base/result.hpp"

#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace ocim::registry {
class Registry;
}

namespace ocim::client {

using api::Json;
using api::Kind;

/// A change of one object, as its JSON.
struct Event {
    enum class Type { added, modified, deleted, bookmark };
    Type type{};
    Json object;
};

/// Ordered changes from one list on. Error conflict: the history is gone, list again.
class Watch {
public:
    virtual ~Watch() = default;
    /// At least one event unless `deadline` came first.
    virtual awaitable<Result<std::vector<Event>>> next(Instant deadline) = 0;
};

struct List {
    std::vector<Json> items;
    std::string resource_version;
};

using Wanted = std::function<bool(const Json& object)>;

/// Access to objects for our own code, in process or remote; the reconcilers cannot tell which.
/// A namespace is "" for kinds of cluster scope, and for "all" in list and watch. Not thread-safe: the loop's.
class Client {
public:
    virtual ~Client() = default;
    virtual awaitable<Result<Json>> get(Kind kind, std::string namespace_, std::string name) = 0;
    /// Of those that are `wanted`, or of all for none: they are asked for page by page, so that of others no more than
    /// a page is held.
    virtual awaitable<Result<List>> list(Kind kind, std::string namespace_, Wanted wanted = {}) = 0;
    virtual awaitable<Result<std::unique_ptr<Watch>>> watch(Kind kind, std::string namespace_,
                                                            std::string resource_version) = 0;
    virtual awaitable<Result<Json>> create(Kind kind, Json object) = 0;
    virtual awaitable<Result<Json>> update(Kind kind, Json object) = 0;
    /// Server-side apply of the object, or of its status when `subresource` is "status". Forced.
    virtual awaitable<Result<Json>> apply(Kind kind, Json object, std::string field_manager,
                                          std::string subresource) = 0;
    /// RFC 7386 merge patch; carries metadata.resourceVersion when it must not overwrite another's write.
    virtual awaitable<Result<Json>> merge_patch(Kind kind, std::string namespace_, std::string name, Json patch,
                                                std::string subresource) = 0;
    /// Asks for deletion; ok when it is gone already. `uid`, if not empty, is a precondition.
    virtual awaitable<Result<void>> remove(Kind kind, std::string namespace_, std::string name, std::string uid) = 0;
};

/// The registry's door for code in the same process; `user_agent` names us in managedFields.
std::unique_ptr<Client> make_local_client(registry::Registry& registry, Clock& clock, std::string user_agent);

}  // namespace ocim::client
