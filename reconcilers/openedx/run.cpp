#include "openedx/run.hpp"

#include "api/yaml.hpp"
#include "base/utf8.hpp"
#include "crd/clouds.hpp"
#include "openedx/provisioner.hpp"
#include "openedx/run_on.hpp"
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
constexpr auto secret_variables = "secret-variables.json";
constexpr auto username_key = "username", password_key = "password";  // as kubernetes.io/basic-auth names them
constexpr std::size_t last_lines_max = 20;
constexpr std::int64_t tail_bytes_max = 8192;  // as run_look.sh shows it

using Step = Object::Status::FailedStep;
constexpr std::pair<const char*, Step> steps[] = {
    {"fetch", Step::fetch},       {"download", Step::download}, {"requirements", Step::requirements},
    {"playbook", Step::playbook}, {"settings", Step::settings}, {"images", Step::images},
    {"launch", Step::launch},     {"users", Step::users}};

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

/// Where "user:password@" of a URL begins and ends (RFC 3986, 3.2.1); nothing is between them when there is none.
std::pair<std::size_t, std::size_t> user_info(std::string_view url) {
    const auto scheme = url.find("://");
    if (scheme == std::string_view::npos) return {0, 0};
    const auto begin = scheme + 3;
    const auto at = url.substr(0, url.find_first_of("/?#", begin)).rfind('@');
    return at == std::string_view::npos || at < begin ? std::pair{begin, begin} : std::pair{begin, at + 1};
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
    std::vector<std::string> wholly;
    if (const auto names =
            inputs.secret(object.metadata.namespace_, object.spec.variables_ref.name, secret_variables)) {
        const auto list = api::parse_json(names->reveal());
        // which are secret cannot be told any more: then all are
        if (!list || !api::decode(list->value, wholly, secret_variables))
            for (const auto& [variable, value] : parsed->value.get_object()) wholly.emplace_back(variable);
    }
    auto out = Variables{parsed->value.get_object(), {}}.secrets(wholly);
    std::ranges::move(provisioner_of(object).secrets(object, inputs), std::back_inserter(out));
    return out;
}

std::optional<Secret> credential(const Object& object, const Inputs& inputs, const std::string& key) {
    return inputs.secret(object.metadata.namespace_, object.spec.check->basic_auth_secret_ref->name, key);
}

std::optional<RunCheck> check_of(const Object& object, const Inputs& inputs) {
    if (!object.spec.check) return std::nullopt;
    const auto& check = *object.spec.check;
    RunCheck out{check.port,
                 check.path.value_or(provisioner_of(object).verify()),
                 check.host.value_or(""),
                 check.expected_status,
                 {}};
    if (!check.basic_auth_secret_ref) return out;
    const auto user = credential(object, inputs, username_key), password = credential(object, inputs, password_key);
    if (user && password) out.authorization = Secret(user->reveal() + ":" + password->reveal());
    return out;
}

/// What a run cannot begin without and a Secret does not hold, in words; "" when everything is there.
std::string lacking(const Object& object, const Inputs& inputs) {
    const auto says = [](const char* field, const std::string& secret, const std::string& key) {
        return std::string(field) + ": Secret " + secret + " has no key \"" + key + "\"; add it";
    };
    if (const auto prepared = provisioner_of(object).prepare(object, inputs); !prepared)
        return prepared.error().message;
    if (!object.spec.check || !object.spec.check->basic_auth_secret_ref) return "";
    for (const auto* key : {username_key, password_key})
        if (!credential(object, inputs, key))
            return says("spec.check.basicAuthSecretRef", object.spec.check->basic_auth_secret_ref->name, key);
    return "";
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
    for (const auto& [word, step] : steps)
        if (status.failed_step == step) out["step"] = word;
    return out;
}

bool on_controller(const Object& object) { return object.spec.run_on == Object::Spec::RunOn::controller; }

/// Begun on the controller's host, and not there any more: on another host, where it may still go on.
bool elsewhere(const Object& object, const Run* found) {
    return on_controller(object) && !found && object.status.started_at.has_value() && !ended(object);
}

RunAction begun(const Object& object, const Inputs& inputs) {
    const auto& provisioner = provisioner_of(object);
    RunAction start{Verb::start, object.metadata.uid, mark_of(object, inputs.installation), on_controller(object)};
    start.summary = provisioner.describe(object);
    start.program = provisioner.run();
    start.stop_program = provisioner.stop();
    auto prepared = *provisioner.prepare(object, inputs);
    start.inputs = std::move(prepared.files);
    start.arguments = std::move(prepared.arguments);
    start.line_timeout_seconds = object.spec.line_timeout_seconds;
    start.total_timeout_seconds = object.spec.total_timeout_seconds;
    start.check = check_of(object, inputs);
    return start;
}

/// What a run that waits for its settings needs: that they are kept, or, when they are, to go on with them.
std::optional<RunAction> keep_drawn(const Object& object, const Inputs& inputs, const Run& found) {
    if (!found.drawn || found.state != Run::State::running) return std::nullopt;
    const auto& provisioner = provisioner_of(object);
    RunAction out{Verb::keep, object.metadata.uid, mark_of(object, inputs.installation), found.on_controller};
    out.keeping = provisioner.keeping(object, inputs);
    if (auto kept = provisioner.kept(object, inputs, *found.drawn)) {
        out.verb = Verb::go_on;
        out.inputs = *std::move(kept);
    } else if (!out.keeping) {
        return std::nullopt;
    }
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

/// `whole`: the tail is all there is; else its first line is a part of one, perhaps of a secret.
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

const char* what_of(const Object& object) { return object.spec.tutor ? "tutor" : "the playbook"; }

/// Why a run failed, in a sentence; `said`: the end of its log.
std::string failure_of(const Object& object, const Run& run, const std::vector<std::string>& said) {
    if (run.state == Run::State::lost) return "the run ended without an exit code: the machine was stopped under it";
    const auto code = " (exit code " + std::to_string(run.exit_code.value_or(-1)) + ")";
    const auto last = said.empty() ? std::string() : ": " + said.back();
    if (!run.gave_up.empty()) return "the run was killed: " + run.gave_up;
    if (run.exit_code == 124) return "the run was killed: it took longer than its time-outs allow";
    if (run.exit_code == 137)
        return "the run was killed from outside" + code + ": the machine ran out of memory, or somebody ended it";
    if (run.step == "fetch") return "the repository could not be fetched" + code + last;
    const auto file = object.spec.ansible ? object.spec.ansible->requirements.value_or("") : "spec.tutor";
    const auto what = "what " + file + (object.spec.ansible ? " of the repository requires" : " requires");
    if (run.step == "download") return what + " could not be downloaded" + code + last;
    if (run.step == "requirements")
        return what + " cannot be installed" + code + last + "; correct " + (object.spec.ansible ? "that file" : "it");
    if (!run.failed_task.empty()) return "task \"" + run.failed_task + "\" failed" + code;
    return object.spec.tutor ? "tutor failed at its " + run.step + code + last : "the playbook failed" + code + last;
}

void report_failure(const Object& object, const Run& run, runtime::Report<Object>& out) {
    out.status.phase = Phase::failed;
    for (const auto& [word, step] : steps)
        if (run.step == word) out.status.failed_step = step;
    out.status.failed_task = object.status.failed_task;  // a log that is gone names none
    if (!run.failed_task.empty()) out.status.failed_task = run.failed_task;
    out.verdict = {Verdict::State::stalled, "ConfigurationFailed", failure_of(object, run, out.status.last_lines)};
}

/// A playbook that ended well: whether the machine has come back from its reboot and answers.
void report_answer(const Object& object, const Run& found, runtime::Report<Object>& out) {
    using namespace std::chrono_literals;
    out.status.phase = Phase::succeeded;
    out.status.verified_at = object.status.verified_at;
    if (!found.verified_at.empty()) out.status.verified_at = found.verified_at;
    if (!object.spec.check || out.status.verified_at) {
        out.verdict = {Verdict::State::ready, "Succeeded", std::string(what_of(object)) + " ended well"};
        return;
    }
    const auto where = "port " + std::to_string(object.spec.check->port);
    // for good: whoever looks at it has gone on to another machine by now
    if (object.status.phase == Phase::failed || found.waited_seconds > object.spec.check->timeout_seconds) {
        out.status.phase = Phase::failed;
        out.verdict = {Verdict::State::stalled, "HealthCheckFailed",
                       std::string(what_of(object)) + " ended well, but " + where +
                           " of the machine did not answer as it should within " +
                           std::to_string(object.spec.check->timeout_seconds) + " s after its reboot" +
                           (found.answer.empty() ? "" : ": " + found.answer)};
        return;
    }
    out.verdict = {Verdict::State::progressing, "Verifying",
                   !found.unanswered ? std::string(what_of(object)) + " ended well; the machine has not rebooted since"
                                     : "waiting for an answer of " + where + ": " + found.answer};
    out.look_again = 1s;
}

}  // namespace

std::string Runs::backend_name(const Object& object) { return object.spec.machine_ref.name; }

std::vector<runtime::Reference> Runs::needs(const Object& object) {
    // the machine's Cloud, which only the machine names, says how many run at a time
    std::vector<runtime::Reference> out{
        {api::secret_kind, object.metadata.namespace_, object.spec.variables_ref.name, false},
        {crd::VirtualMachine::kind, object.metadata.namespace_, object.spec.machine_ref.name, true},
        {crd::Cloud::kind, "", "", true}};
    const auto secret = [&](const std::string& name) {
        out.push_back({api::secret_kind, object.metadata.namespace_, name, true});
    };
    if (object.spec.check && object.spec.check->basic_auth_secret_ref)
        secret(object.spec.check->basic_auth_secret_ref->name);
    if (on_controller(object)) std::ranges::move(controller_needs(object), std::back_inserter(out));
    if (object.spec.tutor) secret(object.spec.tutor->kept_ref.name);
    if (object.spec.tutor && object.spec.tutor->plugin_ref) secret(object.spec.tutor->plugin_ref->name);
    return out;
}

std::vector<runtime::Reference> Runs::further_needs(const Object& object, const Inputs& inputs) {
    return on_controller(object) ? further_controller_needs(object, inputs) : std::vector<runtime::Reference>();
}

std::vector<runtime::Claim> Runs::claims(const Object&) { return {}; }

std::vector<RunAction> Runs::diff(const Object& object, const Inputs& inputs, const RunSnapshot& seen) {
    const auto mark = mark_of(object, inputs.installation);
    const auto* found = find(seen, object.metadata.uid);
    if (found && foreign(*found, mark)) return {};  // report() says so
    if (ended(object) && (!found || !as_recorded(object, *found))) {
        RunAction restore{Verb::restore, object.metadata.uid, mark, on_controller(object)};
        restore.files = record_of(object);
        // a site that has not answered yet is asked for on the machine that is there now
        if (object.status.exit_code == 0 && !object.status.verified_at) restore.check = check_of(object, inputs);
        return {std::move(restore)};
    }
    if (elsewhere(object, found)) return {};  // report() says so
    if (!found || found->state == Run::State::prepared) {
        if (!refused_on_controller(object, inputs).empty()) return {};
        if (!lacking(object, inputs).empty()) return {};  // report() says so
        return {begun(object, inputs)};
    }
    if (auto keep = keep_drawn(object, inputs, *found)) return {*std::move(keep)};
    // while it runs a line may be half written; one that fills a piece by itself goes as it is
    const bool running = found->state == Run::State::running;
    const bool overlong = found->log_bytes - found->fetched_bytes >= fetch_bytes_max;
    const auto there = running && !overlong ? found->line_bytes : found->log_bytes;
    if (there <= found->fetched_bytes) return {};
    RunAction fetch{Verb::fetch_log, object.metadata.uid, mark, found->on_controller};
    fetch.fetched_bytes = found->fetched_bytes;
    fetch.to_the_end = !running;
    fetch.masked = secrets_of(object, inputs);
    return {std::move(fetch)};
}

std::vector<RunAction> Runs::remove(const Object& object, const std::string& installation, const RunSnapshot& seen) {
    const auto* found = find(seen, object.metadata.uid);
    if (!found || foreign(*found, mark_of(object, installation))) return {};
    return {RunAction{Verb::remove, object.metadata.uid, mark_of(object, installation), found->on_controller}};
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
    if (elsewhere(object, found)) {
        out.status = object.status;
        out.status.phase = Phase::failed;
        out.verdict = {Verdict::State::stalled, "ConfigurationFailed",
                       "the run is not on this host any more: it was begun on another, or its folder was removed"};
        return out;
    }
    if (!found || found->state == Run::State::prepared) {
        out.status.phase = Phase::pending;
        out.verdict = {Verdict::State::progressing, "Pending", "the run will be started"};
        if (auto what = lacking(object, inputs); !what.empty())
            out.verdict = {Verdict::State::stalled, "SecretIncomplete", std::move(what)};
        if (auto why = refused_on_controller(object, inputs); !why.empty())
            out.verdict = {Verdict::State::stalled, refused_reason, std::move(why)};
        return out;
    }
    // what a playbook prints and names its tasks is made of its variables
    const auto secrets = secrets_of(object, inputs);
    auto run = *found;
    for (auto* said : {&run.current_task, &run.failed_task, &run.gave_up, &run.tail}) *said = mask(*said, secrets);
    const auto text = [](const std::string& value) { return value.empty() ? std::nullopt : std::optional(value); };
    out.status.commit = text(run.commit);
    out.status.current_task = text(run.current_task);
    out.status.started_at = text(run.started_at);
    out.status.finished_at = text(run.finished_at);
    out.status.exit_code = run.exit_code;
    if (run.state == Run::State::running) {
        out.status.phase = Phase::running;
        out.verdict = {
            Verdict::State::progressing, "Running",
            run.current_task.empty() ? std::string(what_of(object)) + " runs" : "task \"" + run.current_task + "\""};
        out.look_again = ended(object) ? 60s : 2s;
        return out;
    }
    out.status.log_bytes = std::max(run.fetched_bytes, object.status.log_bytes.value_or(0));
    if (run.tail.empty() && ended(object))
        out.status.last_lines = object.status.last_lines;  // the log is gone
    else
        out.status.last_lines = last_lines(run.tail, run.log_bytes <= tail_bytes_max);
    if (run.exit_code == 0)
        report_answer(object, run, out);
    else
        report_failure(object, run, out);
    return out;
}

std::optional<runtime::Turn> Runs::turn(const Object& object, const Inputs& inputs, const RunSnapshot& seen) {
    const auto* found = find(seen, object.metadata.uid);
    if (ended(object) || (found && (found->state == Run::State::finished || found->state == Run::State::lost)))
        return std::nullopt;
    const auto machine = inputs.get<crd::VirtualMachine>(object.metadata.namespace_, object.spec.machine_ref.name);
    if (!machine) return std::nullopt;
    const auto& name = machine->spec.cloud_ref.name;
    const auto cloud = inputs.get<crd::Cloud>("", name).value_or(crd::Cloud{});
    const bool ours = found && !foreign(*found, mark_of(object, inputs.installation));
    return runtime::Turn{"Cloud " + name, static_cast<std::size_t>(cloud.spec.max_concurrent_runs),
                         "spec.maxConcurrentRuns of Cloud " + name, ours && found->state == Run::State::running};
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
    return {RunAction{Verb::remove, key, *found->mark, found->on_controller}};
}

std::string Runs::key(const Action& action) { return action.key; }

std::string_view Runs::verb(const Action& action) {
    switch (action.verb) {
        case Verb::start: return "create";
        case Verb::keep:
        case Verb::go_on:
        case Verb::restore:
        case Verb::fetch_log: return "update";
        case Verb::remove: return "delete";
    }
    return "update";
}

std::string Runs::describe(const Action& action) {
    switch (action.verb) {
        case Verb::start: return "start " + action.summary;
        case Verb::keep: return "keep the settings that run " + action.mark.namespace_name + " drew";
        case Verb::go_on: return "let run " + action.mark.namespace_name + " go on with the settings that are kept";
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

std::optional<Secret> url_password(const std::string& url) {
    const auto [begin, end] = user_info(url);
    if (begin == end) return std::nullopt;
    const auto user = url.substr(begin, end - 1 - begin);
    return Secret(user.substr(user.find(':') + 1));  // a token may stand for the user
}

std::string without_user(std::string url) {
    const auto user = user_info(url);
    url.erase(user.first, user.second - user.first);
    return url;
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
