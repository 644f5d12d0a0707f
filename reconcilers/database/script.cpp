#include "database/script.hpp"

#include "runtime/backend_spec.hpp"

#include <chrono>

namespace ocim::database {

namespace {

using namespace std::chrono_literals;
using Object = Scripts::Object;
using Phase = Object::Status::Phase;
using State = runtime::Verdict::State;
constexpr Duration look_while_running = 1s;

std::optional<Secret> password_of(const Object& object, const runtime::Inputs& inputs) {
    const auto& ref = object.spec.password_ref;
    auto found = inputs.secret(object.metadata.namespace_, ref.name, ref.key);
    return found && !found->empty() ? found : std::nullopt;
}

/// What the status says is over stays over: this process need not have seen it.
bool is_over(const Object& object) {
    if (object.status.phase == Phase::succeeded) return true;
    return object.status.phase == Phase::failed && object.status.round.value_or(1) >= object.spec.round;
}

std::string count(const Object& object, std::int32_t done) {
    return std::to_string(done) + " of " + std::to_string(object.spec.statements.size()) + " statements are done";
}

}  // namespace

std::string Scripts::backend_name(const Object& object) { return object.spec.server_ref.name; }

std::vector<runtime::Reference> Scripts::needs(const Object& object) {
    return {{api::secret_kind, object.metadata.namespace_, object.spec.password_ref.name}};
}

std::vector<runtime::Claim> Scripts::claims(const Object& object) {
    return {{"script/" + object.spec.server_ref.name + "/" + object.spec.database + "/" + object.spec.script_id,
             "spec.scriptID"}};
}

std::vector<ScriptAction> Scripts::diff(const Object& object, const runtime::Inputs& inputs, const ScriptRuns& seen) {
    if (is_over(object)) return {};
    if (const auto found = seen.find(object.metadata.uid); found != seen.end()) {
        const auto& run = found->second;
        if (run.state == ScriptRun::State::running || run.state == ScriptRun::State::succeeded) return {};
        if (run.state == ScriptRun::State::failed && run.round >= object.spec.round) return {};
    }
    const auto password = password_of(object, inputs);
    if (!password) return {};
    ScriptAction action;
    action.key = object.metadata.uid;
    action.id = object.spec.script_id;
    action.database = object.spec.database;
    action.username = object.spec.username;
    action.password = *password;
    action.statements = object.spec.statements;
    action.repeatable = object.spec.repeatable;
    action.timeout_seconds = object.spec.timeout_seconds;
    action.round = object.spec.round;
    return {action};
}

std::vector<ScriptAction> Scripts::remove(const Object& object, const std::string&, const ScriptRuns& seen) {
    if (!seen.contains(object.metadata.uid)) return {};
    ScriptAction action;
    action.verb = ScriptAction::Verb::forget;
    action.key = object.metadata.uid;
    return {action};
}

runtime::Report<crd::DatabaseScript> Scripts::report(const Object& object, const runtime::Inputs& inputs,
                                                     const ScriptRuns& seen) {
    runtime::Report<Object> out;
    out.status = object.status;
    const auto found = seen.find(object.metadata.uid);
    if (!is_over(object) && found != seen.end()) {
        const auto& run = found->second;
        out.status.round = run.round;
        out.status.statements_done = run.done;
        out.status.message = run.message.empty() ? std::nullopt : std::optional(run.message);
        out.status.phase = run.state == ScriptRun::State::succeeded ? Phase::succeeded
                           : run.state == ScriptRun::State::failed  ? Phase::failed
                                                                    : Phase::running;
    }
    const auto done = out.status.statements_done.value_or(0);
    const bool retried = out.status.phase == Phase::failed && out.status.round.value_or(1) < object.spec.round;
    if (!out.status.phase && !password_of(object, inputs)) {
        out.verdict = {State::progressing, "PasswordMissing",
                       "waiting for the key \"" + object.spec.password_ref.key + "\" of the Secret " +
                           object.spec.password_ref.name};
    } else if (out.status.phase == Phase::succeeded) {
        out.verdict = {State::ready, "Succeeded", count(object, done)};
        if (object.status.phase != Phase::succeeded)
            out.notes.push_back({false, "Succeeded", count(object, done) + " in " + object.spec.database});
    } else if (out.status.phase == Phase::failed && !retried) {
        const auto why = out.status.message.value_or("a statement failed");
        out.verdict = {State::stalled, "StatementFailed", why + "; " + count(object, done)};
        if (object.status.phase != Phase::failed) out.notes.push_back({true, "StatementFailed", why});
    } else {
        const auto why = out.status.message ? "; " + *out.status.message : std::string();
        out.verdict = {State::progressing, "Running", count(object, done) + why};
        out.look_again = look_while_running;
    }
    return out;
}

std::vector<runtime::Marked<std::string>> Scripts::marked(const ScriptRuns&) { return {}; }

std::vector<ScriptAction> Scripts::sweep(const Key&, const ScriptRuns&) { return {}; }

std::string Scripts::key(const Action& action) { return action.key; }

std::string Scripts::describe(const Action& action) {
    if (action.verb == ScriptAction::Verb::forget) return "stop script " + action.key;
    return "run script " + action.id + " in " + action.database;
}

std::string_view Scripts::verb(const Action& action) {
    return action.verb == ScriptAction::Verb::run ? "create" : "delete";
}

runtime::BackendSettings Scripts::settings(const Backend& backend) { return runtime::settings_of(backend.spec); }

std::vector<runtime::Reference> Scripts::backend_needs(const Backend& backend) { return authority_needs(backend); }

Result<std::unique_ptr<ScriptSystem>> Scripts::open(const Backend& backend, const runtime::Inputs& inputs,
                                                    const runtime::Services& services) {
    auto settings = server_settings(backend, inputs, services.data_directory);
    if (!settings) return std::move(settings).error();
    return open_scripts(*std::move(settings), services);
}

}  // namespace ocim::database
