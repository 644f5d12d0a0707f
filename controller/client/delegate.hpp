#pragma once

#include "api/json.hpp"
#include "api/status.hpp"
#include "base/async.hpp"

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace ocim::registry {
class Registry;
}

/// Access to objects of any kind as somebody else, with his rights and no more.
namespace ocim::client {

/// A kind as the server serves it; api::Kind holds views of literals, and this one is only known at run time.
struct ServedKind {
    std::string group, version, kind, plural;
    bool namespaced = true;
    bool operator==(const ServedKind&) const = default;
};

/// Every call is authorized as that other one; error auth: he may not. The loop's.
class Delegate {
public:
    virtual ~Delegate() = default;
    /// Nothing: there is no such kind.
    virtual awaitable<Result<std::optional<ServedKind>>> served(std::string api_version, std::string kind) = 0;
    virtual awaitable<Result<api::Json>> get(ServedKind kind, std::string namespace_, std::string name) = 0;
    /// Server-side apply, forced and strict. A dry run does everything but store it.
    virtual awaitable<Result<api::Json>> apply(ServedKind kind, api::Json object, std::string field_manager,
                                               bool dry_run) = 0;
    /// As Client::remove.
    virtual awaitable<Result<void>> remove(ServedKind kind, std::string namespace_, std::string name,
                                           std::string uid) = 0;
};

/// The delegate of a ServiceAccount.
using Delegates =
    std::function<std::unique_ptr<Delegate>(const std::string& namespace_, const std::string& service_account)>;

/// Whether somebody may do something.
struct Question {
    std::string user;
    std::vector<std::string> groups;
    std::string verb, group, version, plural, namespace_, name;
};
/// Nothing: he may; else the refusal.
using Judge = std::function<std::optional<api::Status>(const Question&)>;

/// In the same process: `judge` is asked before each call, and the registry's guards know who it is. What is refused
/// only when it is created (a patch that creates) is the guard's to refuse. `registry` must outlive what is made.
Delegates make_local_delegates(registry::Registry& registry, Judge judge, std::string user_agent);

}  // namespace ocim::client
