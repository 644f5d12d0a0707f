#pragma once

#include "base/secret.hpp"
#include "crd/databasescripts.hpp"
#include "crd/databaseservers.hpp"
#include "database/mysql_connection.hpp"
#include "runtime/kinds.hpp"

#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

/// Statements that run once in a tenant's database. Which of them were done is written down in that very database,
/// where the tenant's own user can write; the server's credentials are not used.
namespace ocim::database {

/// What this process knows of one script. It knows nothing after its start, and asks the database then.
struct ScriptRun {
    enum class State {
        running,
        succeeded,
        failed,
        interrupted,  ///< the connection was lost or the server was busy: to be gone on with
    };
    State state = State::running;
    std::int32_t round = 1, done = 0;
    std::string message;
    bool operator==(const ScriptRun&) const = default;
};

struct ScriptAction {
    enum class Verb { run, forget };
    Verb verb = Verb::run;
    std::string key, id, database, username;
    Secret password{};
    std::vector<std::string> statements;
    bool repeatable = false;
    std::int32_t timeout_seconds = 600, round = 1;
    bool operator==(const ScriptAction&) const = default;
};

using ScriptRuns = std::map<std::string, ScriptRun>;
using ScriptSystem = runtime::System<std::string, ScriptRun, ScriptAction>;

/// The kind DatabaseScript, decided. Pure.
struct Scripts {
    using Object = crd::DatabaseScript;
    using Backend = crd::DatabaseServer;
    using Key = std::string;  ///< the object's uid
    using Thing = ScriptRun;
    using Action = ScriptAction;
    static constexpr std::string_view name = "databasescript";
    static constexpr bool backend_is_ours = false;  // DatabaseTenants' kind reports on the server
    static constexpr bool backend_status_matters = false;

    static std::string backend_name(const Object& object);
    static std::vector<runtime::Reference> needs(const Object& object);
    static std::vector<runtime::Claim> claims(const Object& object);
    static std::vector<Action> diff(const Object& object, const runtime::Inputs& inputs, const ScriptRuns& seen);
    static std::vector<Action> remove(const Object& object, const std::string& installation, const ScriptRuns& seen);
    static runtime::Report<Object> report(const Object& object, const runtime::Inputs& inputs, const ScriptRuns& seen);
    static std::vector<runtime::Marked<Key>> marked(const ScriptRuns& seen);
    static std::vector<Action> sweep(const Key& key, const ScriptRuns& seen);
    static Key key(const Action& action);
    static std::string describe(const Action& action);
    static std::string_view verb(const Action& action);
    static runtime::BackendSettings settings(const Backend& backend);
    static std::vector<runtime::Reference> backend_needs(const Backend& backend);
    static Result<std::unique_ptr<ScriptSystem>> open(const Backend& backend, const runtime::Inputs& inputs,
                                                      const runtime::Services& services);
};

/// Runs scripts on one server; `settings` lack the user.
std::unique_ptr<ScriptSystem> open_scripts(mysql::ConnectionSettings settings, const runtime::Services& services);

/// Where a server is and how it is protected, without a user. In server_object.cpp.
Result<mysql::ConnectionSettings> server_settings(const crd::DatabaseServer& server, const runtime::Inputs& inputs,
                                                  const std::string& data_directory);
std::vector<runtime::Reference> authority_needs(const crd::DatabaseServer& server);

}  // namespace ocim::database
