#pragma once

#include "api/status.hpp"
#include "crd/databaseservers.hpp"
#include "crd/databasetenants.hpp"
#include "database/server.hpp"
#include "runtime/kinds.hpp"
#include "runtime/renewal.hpp"

#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace ocim::database {

/// The kind DatabaseTenant, decided: databases and their users on one server.
struct Tenant {
    using Object = crd::DatabaseTenant;
    using Backend = crd::DatabaseServer;
    using Key = database::Key;
    using Thing = database::Thing;
    using Action = database::Action;
    static constexpr std::string_view name = "databasetenant";

    static std::string backend_name(const Object& object);
    static std::vector<runtime::Reference> needs(const Object& object);
    static std::vector<runtime::GeneratedSecret> generates(const Object& object);
    static std::vector<runtime::Claim> claims(const Object& object);
    static std::vector<api::Cause> admit(const Object& object, const Object* old, const runtime::Inputs& inputs);

    static std::vector<Action> diff(const Object& object, const runtime::Inputs& inputs, const Snapshot& seen);
    static std::vector<Action> remove(const Object& object, const std::string& installation, const Snapshot& seen);
    /// The next step in replacing passwords, of each user for whom it is due.
    static std::vector<runtime::SecretEdit> renewals(const Object& object, const runtime::Inputs& inputs,
                                                     const Snapshot& seen);
    static runtime::Report<Object> report(const Object& object, const runtime::Inputs& inputs, const Snapshot& seen);
    static std::vector<runtime::Marked<Key>> marked(const Snapshot& seen);
    static std::vector<Action> sweep(const Key& key, const Snapshot& seen);

    static Key key(const Action& action) { return action.key; }
    /// What a window for undeleting is over for, of objects that are gone.
    static std::vector<runtime::Lapsed<Action>> lapsed(const std::string& installation, WallTime now,
                                                       const Snapshot& seen);

    static std::string describe(const Action& action);
    static std::string_view verb(const Action& action);

    // server_object.cpp
    static runtime::BackendSettings settings(const Backend& backend);
    static std::vector<runtime::Reference> backend_needs(const Backend& backend);
    static Result<std::unique_ptr<Server>> open(const Backend& backend, const runtime::Inputs& inputs,
                                                const runtime::Services& services);
};

/// The Secret key that holds a user's password.
api::SecretKeyRef password_ref(const crd::DatabaseTenant& object, const crd::DatabaseTenant::Spec::User& user);

/// What the schema cannot say is wrong with a spec; each names its field.
std::vector<api::Cause> problems(const crd::DatabaseTenant& object);
/// What the server that it is on does not know.
std::vector<api::Cause> problems_on(const crd::DatabaseTenant& object, Engine engine);

}  // namespace ocim::database
