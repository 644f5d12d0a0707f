#include "openedx/run.hpp"

#include "api/yaml.hpp"
#include "base/utf8.hpp"
#include "openedx/variables.hpp"

#include <algorithm>
#include <charconv>

namespace ocim::openedx {
namespace {

using runtime::Inputs;
using runtime::Verdict;
using Verb = RunAction::Verb;
using Object = crd::ProvisioningRun;
using Phase = Object::Status::Phase;

constexpr auto system_namespace = "ocim-system";
constexpr auto private_key = "ssh-privatekey";  // as kubernetes.io/ssh-auth names it
constexpr std::size_t last_lines_max = 20;
constexpr std::int64_t tail_bytes_max = 8192;  // as run_look.sh shows it

const Run* find(const RunSnapshot& seen, const std::string& key) {
    const auto found = seen.find(key);
    return found == seen.end() ? nullptr : &found->second;
}

runtime::Mark mark_of(const Object& object, const std::string& installation) {
    return {installation, object.metadata.key(), object.metadata.uid, false};
}

bool ended(const Object& object) {
    return object.status.phase == Phase::succeeded || object.status.phase == Phase::failed;
}

std::optional<Secret> variables_of(const Object& object, const Inputs& inputs) {
    return inputs.secret(object.metadata.namespace_, object.spec.variables_ref.name, object.spec.variables_ref.key);
}

/// What must not be readable in the log.
std::vector<Secret> secrets_of(const Object& object, const Inputs& inputs) {
    const auto document = variables_of(object, inputs);
    if (!document) return {};
    auto parsed = api::parse_yaml(document->reveal());
    if (!parsed || !parsed->value.is_object()) return {};
    return Variables{parsed->value.get_object(), {}}.secrets();
}

/// `whole`: the tail is all there is; else its first line is a part of one, perhaps of a secret.
std::optional<RunCheck> check_of(const Object& object, const Inputs& inputs) {
    if (!object.spec.check) return std::nullopt;
    const auto& check = *object.spec.check;
    RunCheck out{check.port, check.path.value_or(""), check.host.value_or(""), check.expected_status, {}};
    if (check.basic_auth_secret_ref) {
        const auto part = [&](const char* key) {
            return inputs.secret(object.metadata.namespace_, check.basic_auth_secret_ref->name, key).value_or(Secret());
        };
        out.authorization = Secret(part("username").reveal() + ":" + part("password").reveal());
    }
    return out;
}

/// The files that say how a run ended, from its status. A playbook is never run again because its record is gone.
std::map<std::string, std::string> record_of(const Object& object) {
    std::map<std::string, std::string> out;
    const auto& status = object.status;
    if (status.exit_code) out["exit"] = std::to_string(*status.exit_code);
    const auto add = [&](const char* name, const std::optional<std::string>& value) {
        if (value) out[name] = *value;
    };
    add("started", status.started_at);
    add("finished", status.finished_at);
    add("commit", status.commit);
    add("verified", status.verified_at);
    return out;
}

bool as_recorded(const Object& object, const Run& found) {
    const auto& status = object.status;
    return found.exit_code == status.exit_code && found.commit == status.commit.value_or("") &&
           found.started_at == status.started_at.value_or("") && found.finished_at == status.finished_at.value_or("");
}

/// A folder of this run's name that we did not make. One that is empty is what a crash left while it was made.
bool foreign(const Run& run, const runtime::Mark& mark) {
    if (!run.mark) return run.state != Run::State::prepared;
    return runtime::ownership(run.mark, mark) == runtime::Ownership::foreign;
}

std::vector<std::string> last_lines(const std::string& tail, bool whole) {
    std::vector<std::string> out;
    std::size_t begin = whole ? 0 : std::min(tail.find('\n'), tail.size());
    while (begin < tail.size()) {
        const auto end = std::min(tail.find('\n', begin), tail.size());
        if (end > begin) out.push_back(valid_utf8(std::string_view(tail).substr(begin, end - begin), 500));
        begin = end + 1;
    }
    if (out.size() > last_lines_max) out.erase(out.begin(), out.end() - last_lines_max);
    return out;
}

std::string failure_of(const Run& run) {
    const auto code = std::to_string(run.exit_code.value_or(-1));
    if (run.state == Run::State::lost) return "the run ended without an exit code: the machine was stopped under it";
    if (run.exit_code == 124 || run.exit_code == 137)
        return "the run was killed: it took longer than its time-outs allow";
    if (!run.failed_task.empty()) return "task \"" + run.failed_task + "\" failed (exit code " + code + ")";
    return "the run failed with exit code " + code;
}

/// A playbook that ended well: whether the machine has come back from its reboot and answers.
void report_answer(const Object& object, const Run& found, runtime::Report<Object>& out) {
    using namespace std::chrono_literals;
    out.status.phase = Phase::succeeded;
    out.status.verified_at = object.status.verified_at;
    if (!found.verified_at.empty()) out.status.verified_at = found.verified_at;
    if (!object.spec.check || out.status.verified_at) {
        out.verdict = {Verdict::State::ready, "Succeeded", "the playbook ended well"};
        return;
    }
    const auto where = "port " + std::to_string(object.spec.check->port);
    // for good: whoever looks at it has gone on to another machine by now
    if (object.status.phase == Phase::failed || found.waited_seconds > object.spec.check->timeout_seconds) {
        out.status.phase = Phase::failed;
        out.verdict = {Verdict::State::stalled, "HealthCheckFailed",
                       "the playbook ended well, but " + where + " of the machine did not answer as it should within " +
                           std::to_string(object.spec.check->timeout_seconds) + " s after its reboot" +
                           (found.answer.empty() ? "" : ": " + found.answer)};
        return;
    }
    out.verdict = {Verdict::State::progressing, "Verifying",
                   !found.unanswered ? "the playbook ended well; the machine has not rebooted since"
                                     : "waiting for an answer of " + where + ": " + found.answer};
    out.look_again = 1s;
}

}  // namespace

std::string Runs::backend_name(const Object& object) { return object.spec.machine_ref.name; }

std::vector<runtime::Reference> Runs::needs(const Object& object) {
    std::vector<runtime::Reference> out{
        {api::secret_kind, object.metadata.namespace_, object.spec.variables_ref.name, false}};
    if (object.spec.check && object.spec.check->basic_auth_secret_ref)
        out.push_back(
            {api::secret_kind, object.metadata.namespace_, object.spec.check->basic_auth_secret_ref->name, true});
    return out;
}

std::vector<runtime::Claim> Runs::claims(const Object&) { return {}; }

std::vector<RunAction> Runs::diff(const Object& object, const Inputs& inputs, const RunSnapshot& seen) {
    const auto mark = mark_of(object, inputs.installation);
    const auto* found = find(seen, object.metadata.uid);
    if (found && foreign(*found, mark)) return {};  // report() says so
    if (ended(object) && (!found || !as_recorded(object, *found))) {
        RunAction restore{Verb::restore, object.metadata.uid, mark};
        restore.files = record_of(object);
        return {std::move(restore)};
    }
    if (!found || found->state == Run::State::prepared) {
        const auto variables = variables_of(object, inputs);
        if (!variables) return {};  // report() says so
        RunAction start{Verb::start, object.metadata.uid, mark};
        const auto& ansible = object.spec.ansible;
        start.repository = ansible.repository;
        start.version = ansible.version;
        start.playbook = ansible.playbook;
        start.requirements = ansible.requirements.value_or("");
        start.line_timeout_seconds = object.spec.line_timeout_seconds;
        start.total_timeout_seconds = object.spec.total_timeout_seconds;
        start.variables = *variables;
        start.check = check_of(object, inputs);
        return {std::move(start)};
    }
    if (found->log_bytes <= found->fetched_bytes) return {};
    RunAction fetch{Verb::fetch_log, object.metadata.uid, mark};
    fetch.fetched_bytes = found->fetched_bytes;
    fetch.to_the_end = found->state != Run::State::running;
    fetch.masked = secrets_of(object, inputs);
    return {std::move(fetch)};
}

std::vector<RunAction> Runs::remove(const Object& object, const std::string& installation, const RunSnapshot& seen) {
    const auto* found = find(seen, object.metadata.uid);
    if (!found || foreign(*found, mark_of(object, installation))) return {};
    return {RunAction{Verb::remove, object.metadata.uid, mark_of(object, installation)}};
}

runtime::Report<Object> Runs::report(const Object& object, const Inputs& inputs, const RunSnapshot& seen) {
    using namespace std::chrono_literals;
    runtime::Report<Object> out;
    const auto* found = find(seen, object.metadata.uid);
    if (found && foreign(*found, mark_of(object, inputs.installation))) {
        out.status = object.status;
        out.verdict = {Verdict::State::stalled, "NotOwned",
                       "the machine has a folder of runs " + object.metadata.uid +
                           " that is not ours; it is left as it is; remove it"};
        return out;
    }
    if (ended(object) && (!found || !as_recorded(object, *found))) {
        out.status = object.status;
        out.verdict = {Verdict::State::progressing, "Restoring", "the run's record on the machine is to be put back"};
        return out;
    }
    if (!found || found->state == Run::State::prepared) {
        out.status.phase = Phase::pending;
        out.verdict = {Verdict::State::progressing, "Pending", "the run will be started"};
        if (!variables_of(object, inputs))
            out.verdict = {Verdict::State::stalled, "SecretIncomplete",
                           "spec.variablesRef: Secret " + object.spec.variables_ref.name + " has no key \"" +
                               object.spec.variables_ref.key + "\""};
        return out;
    }
    const auto text = [](const std::string& value) { return value.empty() ? std::nullopt : std::optional(value); };
    out.status.commit = text(found->commit);
    out.status.current_task = text(found->current_task);
    out.status.failed_task = text(found->failed_task);
    out.status.started_at = text(found->started_at);
    out.status.finished_at = text(found->finished_at);
    out.status.exit_code = found->exit_code;
    switch (found->state) {
        case Run::State::prepared: break;
        case Run::State::running:
            out.status.phase = Phase::running;
            out.verdict = {Verdict::State::progressing, "Running",
                           found->current_task.empty() ? "the playbook runs" : "task \"" + found->current_task + "\""};
            out.look_again = ended(object) ? 60s : 2s;
            return out;
        case Run::State::lost:
            out.status.phase = Phase::failed;
            out.verdict = {Verdict::State::stalled, "ConfigurationFailed", failure_of(*found)};
            break;
        case Run::State::finished:
            if (found->exit_code == 0) {
                report_answer(object, *found, out);
            } else {
                out.status.phase = Phase::failed;
                out.verdict = {Verdict::State::stalled, "ConfigurationFailed", failure_of(*found)};
            }
    }
    out.status.log_bytes = std::max(found->fetched_bytes, object.status.log_bytes.value_or(0));
    if (found->tail.empty() && ended(object))
        out.status.last_lines = object.status.last_lines;  // the log is gone
    else
        out.status.last_lines =
            last_lines(mask(found->tail, secrets_of(object, inputs)), found->log_bytes <= tail_bytes_max);
    return out;
}

std::vector<runtime::Marked<std::string>> Runs::marked(const RunSnapshot& seen) {
    std::vector<runtime::Marked<Key>> out;
    for (const auto& [key, run] : seen)
        if (run.mark) out.push_back({key, *run.mark, true});
    return out;
}

std::vector<RunAction> Runs::sweep(const Key& key, const RunSnapshot& seen) {
    const auto* found = find(seen, key);
    if (!found || !found->mark) return {};
    return {RunAction{Verb::remove, key, *found->mark}};
}

std::string Runs::key(const Action& action) { return action.key; }

std::string_view Runs::verb(const Action& action) {
    switch (action.verb) {
        case Verb::start: return "create";
        case Verb::restore:
        case Verb::fetch_log: return "update";
        case Verb::remove: return "delete";
    }
    return "update";
}

std::string Runs::describe(const Action& action) {
    switch (action.verb) {
        case Verb::start:
            return "start playbook " + action.playbook + " of " + action.repository + " at " + action.version;
        case Verb::fetch_log: return "fetch the log of " + action.mark.namespace_name;
        case Verb::restore: return "put back the record of run " + action.mark.namespace_name;
        case Verb::remove: return "stop and remove run " + action.mark.namespace_name;
    }
    return action.key;
}

runtime::BackendSettings Runs::settings(const Backend&) {
    runtime::BackendSettings settings;
    settings.in_flight = 1;  // one SSH connection a machine
    return settings;
}

std::vector<runtime::Reference> Runs::backend_needs(const Backend& backend) {
    if (!backend.spec.ssh_key_ref) return {};
    return {{api::secret_kind, system_namespace, backend.spec.ssh_key_ref->name, false}};
}

Result<std::unique_ptr<RunSystem>> Runs::open(const Backend& backend, const Inputs& inputs,
                                              const runtime::Services& services) {
    if (!backend.spec.ssh_key_ref)
        return Error{ErrorClass::invalid, "VirtualMachine " + backend.metadata.key() +
                                              ": spec.sshKeyRef is not set, so "
                                              "nothing can be run on it"};
    const auto& secret = backend.spec.ssh_key_ref->name;
    auto key = inputs.secret(system_namespace, secret, private_key);
    if (!key)
        return Error{ErrorClass::invalid,
                     "Secret ocim-system/" + secret + " has no key \"" + private_key + "\"; add it"};
    if (backend.status.addresses.empty() || !backend.status.ssh_host_key)
        return Error{ErrorClass::unreachable, "VirtualMachine " + backend.metadata.key() + " has no address yet"};
    return open_run_host(backend, *std::move(key), services);
}

bool status_matches(const std::string& expected, unsigned status) {
    const auto* at = expected.data();
    const auto* end = at + expected.size();
    while (at < end) {
        unsigned first = 0;
        at = std::from_chars(at, end, first).ptr;
        unsigned last = first;
        if (at < end && *at == '-') at = std::from_chars(at + 1, end, last).ptr;
        if (status >= first && status <= last) return true;
        if (at == end || *at != ',') return false;
        ++at;
    }
    return false;
}

std::string mask(std::string text, const std::vector<Secret>& secrets) {
    constexpr std::string_view stars = "********";
    for (const auto& secret : secrets) {
        const auto& value = secret.reveal();
        if (value.empty()) continue;
        for (auto at = text.find(value); at != std::string::npos; at = text.find(value, at + stars.size()))
            text.replace(at, value.size(), stars);
    }
    return text;
}

}  // namespace ocim::openedx
