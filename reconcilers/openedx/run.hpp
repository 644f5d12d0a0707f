#pragma once

#include "base/secret.hpp"
#include "crd/provisioningruns.hpp"
#include "crd/virtualmachines.hpp"
#include "runtime/kinds.hpp"
#include "runtime/turns.hpp"

#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

/// Provisioning runs: an external thing like any other. The backend is the machine, reached by SSH; the thing is the
/// run's folder there.
namespace ocim::openedx {

/// What a machine must answer before its run is verified.
struct RunCheck {
    std::int32_t port = 80;
    std::string path, host;       ///< "": any path will do; the machine's address
    std::string expected_status;  ///< "200-399,404"; not asked for when there is no path
    Secret authorization{};       ///< "user:password"
    bool operator==(const RunCheck&) const = default;
};

/// One run as its folder on the machine shows it.
struct Run {
    enum class State {
        prepared,  ///< the folder is there, nothing runs
        running,
        finished,  ///< there is an exit code
        lost,      ///< it was started, does not run, and left no exit code: the machine was rebooted or it was killed
    };
    std::optional<runtime::Mark> mark;
    State state{};
    std::optional<std::int32_t> exit_code;
    std::string commit, current_task, failed_task;
    std::string step;                     ///< as run_script.sh and the provisioner's program name it
    std::string gave_up;                  ///< why it was killed for a time-out; else ""
    std::string started_at, finished_at;  ///< RFC 3339, by the machine's clock
    std::int64_t log_bytes = 0;           ///< on the machine
    std::int64_t line_bytes = 0;          ///< of them in whole lines
    std::int64_t fetched_bytes = 0;       ///< of them here
    std::string tail;                     ///< the end of the log
    std::string verified_at{};            ///< when the check was first passed; "" before
    /// What is still to be answered, once the machine has rebooted; since when, by its own clock; what it said last.
    std::optional<RunCheck> unanswered{};
    std::int64_t waited_seconds = 0;
    std::string answer{};
    /// It waits until the settings that it drew are kept; their names.
    std::optional<std::vector<std::string>> drawn{};
    bool on_controller = false;  ///< its folder is on the controller's host
    bool operator==(const Run&) const = default;
};

/// Where the settings that a run drew are to be kept: a key of a Secret in the run's namespace. Those in `but` are not.
struct Keeping {
    std::string secret, key;
    std::set<std::string> but{};
    bool operator==(const Keeping&) const = default;
};

struct RunAction {
    enum class Verb { start, keep, go_on, fetch_log, restore, remove };
    Verb verb{};
    std::string key;
    runtime::Mark mark{};
    bool on_controller = false;  ///< where its folder is, or is to be
    // of a start
    std::string summary{};                   ///< in words
    std::string program{}, stop_program{};   ///< of the provisioner
    std::map<std::string, Secret> inputs{};  ///< further files; of going on, too
    std::vector<std::string> arguments{};
    std::int32_t line_timeout_seconds = 0, total_timeout_seconds = 0;
    std::optional<RunCheck> check{};  ///< also of a restore: what has not been answered yet
    // of keeping what was drawn
    std::optional<Keeping> keeping{};
    // of a restore: the record of a run that has ended, by file
    std::map<std::string, std::string> files{};
    // of a fetch
    std::int64_t fetched_bytes = 0;
    bool to_the_end = false;  ///< also a last line without an end: nothing follows it
    std::vector<Secret> masked{};
    bool operator==(const RunAction&) const = default;
};

using RunSnapshot = std::map<std::string, Run>;
using RunSystem = runtime::System<std::string, Run, RunAction>;

/// ProvisioningRun, decided. Pure.
struct Runs {
    using Backend = crd::VirtualMachine;
    using Object = crd::ProvisioningRun;
    using Key = std::string;  ///< the object's uid
    using Thing = Run;
    using Action = RunAction;
    static constexpr std::string_view name = "provisioningrun";
    static constexpr bool backend_is_ours = false;

    static std::string backend_name(const Object& object);
    static std::vector<runtime::Reference> needs(const Object& object);
    static std::vector<runtime::Reference> further_needs(const Object& object, const runtime::Inputs& inputs);
    static std::vector<runtime::Claim> claims(const Object& object);
    static std::vector<Action> diff(const Object& object, const runtime::Inputs& inputs, const RunSnapshot& seen);
    static std::vector<Action> remove(const Object& object, const std::string& installation, const RunSnapshot& seen);
    static runtime::Report<Object> report(const Object& object, const runtime::Inputs& inputs, const RunSnapshot& seen);
    /// At most so many at a time as their Cloud says, each from its start until its playbook has ended.
    static std::optional<runtime::Turn> turn(const Object& object, const runtime::Inputs& inputs,
                                             const RunSnapshot& seen);
    static std::vector<runtime::Marked<Key>> marked(const RunSnapshot& seen);
    static std::vector<Action> sweep(const Key& key, const RunSnapshot& seen);
    static Key key(const Action& action);
    static std::string describe(const Action& action);
    static std::string_view verb(const Action& action);
    static runtime::BackendSettings settings(const Backend& backend);
    static std::vector<runtime::Reference> backend_needs(const Backend& backend);
    static Result<std::unique_ptr<RunSystem>> open(const Backend& backend, const runtime::Inputs& inputs,
                                                   const runtime::Services& services);
};

/// Runs on the machine at `address`; logs are gathered below `log_directory`.
std::unique_ptr<RunSystem> open_run_host(const crd::VirtualMachine& machine, Secret private_key,
                                         const runtime::Services& services);

constexpr std::int64_t fetch_bytes_max = 1024 * 1024;  ///< one piece of a log

/// "200-399,404" has 204.
bool status_matches(const std::string& expected, unsigned status);

/// The password in `url`, if there is one.
std::optional<Secret> url_password(const std::string& url);

/// `url` without the user and password that it may hold.
std::string without_user(std::string url);

/// `text` with every secret replaced by "********".
std::string mask(std::string text, const std::vector<Secret>& secrets);

}  // namespace ocim::openedx
