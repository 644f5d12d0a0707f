#pragma once

#include "registry/registry.hpp"
#include "registry/revision.hpp"
#include "registry/served.hpp"
#include "store/store.hpp"

#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <tuple>
#include <vector>

namespace ocim::registry {

/// What a verb decided to do, judged by the latest accepted state of one object.
struct Plan {
    enum class Action { nothing, put, erase };
    Action action = Action::nothing;
    api::Json object;  ///< in the request's version; its resourceVersion is set when it is stored
    std::vector<std::string> warnings;
};

/// How something came to be created.
enum class Creation { asked, put, applied };

/// A write request on its way: who, where, and what to say along the way.
struct Request {
    ServedPtr served;
    std::string namespace_, name;  ///< of the URL; the name may be empty in a create
    WriteOptions options;

    std::string manager() const;
    api::Status invalid(const std::string& name, std::vector<api::Cause> causes) const;
};

struct Registry::State {
    State(store::Store& store, Clock& clock, Random& random, Metrics& metrics, Settings settings);

    store::Store& store;
    Clock& clock;
    Random& random;
    Metrics& metrics;
    Settings settings;

    using Name = std::tuple<std::string, std::string, std::string>;  // group, plural, version
    std::map<Name, ServedPtr, std::less<>> catalog;
    std::map<std::string, std::vector<Name>> of_definition;  ///< what each CRD has us serve
    std::uint64_t discovery = 1;
    std::deque<std::pair<ServedPtr, std::string>>
        warming;  ///< whose older objects are still to be looked at, from where
    std::map<std::pair<std::string, std::string>, Admission, std::less<>> admissions;
    Guard guard = [](const Intent&) { return std::nullopt; };

    // quota_state.cpp: what namespaces may hold, as of `quotas_seen`; catches up when it is asked
    std::unique_ptr<Follower> quota_news;
    mutable std::optional<Revision> quotas_seen;
    mutable std::map<std::string, std::map<std::string, std::map<std::string, std::int64_t>>> quotas;
    std::set<std::string> being_created;  ///< keys that were accepted, in namespaces with a quota
    void follow_quotas() const;
    bool has_quota(const std::string& namespace_) const;
    /// How many objects there are of the kind that a quota calls `name`.
    std::int64_t used(const std::string& namespace_, const std::string& name) const;
    std::optional<api::Status> quota_refuses(const Request& request, const std::string& name) const;

    std::string now() const;
    ServedPtr served(const Resource& resource) const;
    ServedPtr served(std::string_view group, std::string_view version, std::string_view plural) const;
    /// Any version of the kind whose keys start like `key`.
    ServedPtr served_of_key(std::string_view key) const;
    ServedPtr served_of_kind(std::string_view group, std::string_view version, std::string_view kind) const;

    // catalog.cpp
    Result<void> serve_built_in();
    Result<void> serve_definition(const api::Json& definition, Revision revision);
    void retire_definition(const std::string& name);
    /// Makes what is served agree with what is stored under the name of a CRD.
    void refresh_definition(const std::string& name);
    /// After a schema has changed: gives some older objects its defaults ahead of the first list, which would
    /// otherwise do so for all at once. True while there is more to do.
    bool warm_up();
    std::vector<api::Json> definitions() const;
    awaitable<Outcome<void>> settle_names();

    // write.cpp
    /// Asks `decide` about the latest state, stores what it says, and again when that rested on a write that failed
    /// or the state has changed meanwhile. `current` is null when there is no such object. It lives in `space`, as what
    /// is copied from it does and the plan may: nothing of that outlives the decision.
    using Decide = std::function<Outcome<Plan>(const api::Json* current, boost::json::storage_ptr space)>;
    awaitable<Outcome<Written>> carry_out(Request request, std::string name, Decide decide);
    awaitable<Outcome<Written>> create(Request request, api::Parsed body);
    awaitable<Outcome<Written>> update(Request request, api::Parsed body);
    awaitable<Outcome<Written>> patch(Request request, PatchType type, api::Parsed patch);
    awaitable<Outcome<Written>> apply(Request request, api::Parsed body, bool force);
    /// From the Scale that is to the one that is wanted.
    using Rescale = std::function<Outcome<api::Json>(const api::Json& scale)>;
    awaitable<Outcome<Written>> rescale(Request request, Rescale change);

    // draft.cpp: pure but for the clock, chance and what they look up here
    Outcome<Plan> draft_create(const Request& request, api::Json object, std::vector<std::string> warnings,
                               Creation creation);
    Outcome<Plan> draft_update(const Request& request, api::Json object, const api::Json& old,
                               std::vector<std::string> warnings, bool tracked);
    std::optional<api::Status> namespace_refuses(const Request& request, const std::string& name) const;

    // remove.cpp
    awaitable<Outcome<Written>> remove(Request request, DeleteOptions options);

    // read.cpp
    Outcome<ListPage> list(const ServedPtr& served, const ListOptions& options) const;
};

/// Error of the store to what a client is told.
api::Status to_status(const Error& error);

}  // namespace ocim::registry
