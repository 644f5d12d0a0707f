#include "openedx/redeployment_steps.hpp"

#include "crd/appservers.hpp"
#include "crd/databasescripts.hpp"
#include "crd/databasetenants.hpp"
#include "crd/instances.hpp"
#include "openedx/mysql_layout.hpp"
#include "openedx/parts.hpp"
#include "openedx/redeployment.hpp"
#include "openedx/redeployment_choice.hpp"
#include "openedx/rollout.hpp"
#include "runtime/backend_spec.hpp"

#include <algorithm>

namespace ocim::openedx {
namespace {

using api::Json;
using Object = crd::Redeployment;
using Entry = RedeployedInstance;
using State = Entry::State;
using Strategy = crd::Instance::Spec::Rollout::Strategy;
using Activation = crd::Instance::Spec::Rollout::Activation;

bool reported(const crd::Instance& instance) {
    return instance.status.observed_generation.value_or(0) == instance.metadata.generation;
}

const api::Condition* stalled(const crd::Instance& instance) {
    for (const auto& item : instance.status.conditions)
        if (item.type == "Stalled" && item.status == "True" &&
            item.observed_generation.value_or(0) == instance.metadata.generation)
            return &item;
    return nullptr;
}

std::int32_t number_of(const std::string& appserver) {
    std::int32_t out = 0;
    for (const auto digit : appserver.substr(appserver.rfind('-') + 1)) {
        if (digit < '0' || digit > '9' || out > 100'000'000) return 0;
        out = out * 10 + (digit - '0');
    }
    return out;
}

std::string database_of(const std::decay_t<decltype(*Object::Spec{}.sql_before)>& sql) {
    return std::string(api::find_text(api::encode(sql), {"database"}));
}

bool serves(const crd::Instance& instance, const std::string& appserver) {
    return std::ranges::find(instance.status.active_app_servers, appserver) != instance.status.active_app_servers.end();
}

/// Verified with visitors, and the others have left: what serves may still be taken out again before that.
bool rolled_out(const crd::Instance& instance) {
    return std::ranges::any_of(instance.status.conditions,
                               [](const auto& item) { return item.type == "RolledOut" && item.status == "True"; });
}

class Steps {
public:
    explicit Steps(const RedeploymentView& view)
        : view_(view),
          object_(view.object),
          spec_(view.object.spec),
          children_(view.children),
          inputs_(view.inputs),
          out_(view.out) {}

    void begin(Entry& entry) {
        entry.state = State::running_sql;
        if (!spec_.sql_before) ask(entry);
    }

    void advance(Entry& entry) {
        const auto& namespace_ = object_.metadata.namespace_;
        const auto* raw = inputs_.find(crd::Instance::kind, namespace_, entry.name);
        if (!raw || api::find(*raw, {"metadata", "deletionTimestamp"}))
            return finish(entry, State::skipped, "it was deleted");
        if (api::find_text(*raw, {"metadata", "uid"}) != entry.uid.value_or(""))
            return finish(entry, State::skipped, "it was deleted and another has its name");
        const auto* archived = api::find(*raw, {"spec", "archived"});
        if (archived && *archived == true) return finish(entry, State::skipped, "it is archived");
        if (entry.state == State::pending) {  // most of many are: none of them is read as a whole
            if (std::ranges::find(spec_.exclude, entry.name) != spec_.exclude.end())
                finish(entry, State::skipped, "it is excluded");
            return;
        }
        const auto instance = api::decode_object<crd::Instance>(*raw);
        if (!instance) return finish(entry, State::failed, "it cannot be read: " + instance.error().message);
        if (late(entry)) return;
        switch (entry.state) {
            case State::running_sql: return run_sql(entry, *instance);
            case State::updating: return update(entry, *instance, *raw);
            case State::deploying:
                return instance->spec.rollout.strategy == Strategy::manual ? deploy_by_hand(entry, *instance)
                                                                           : deploy(entry, *instance);
            case State::activating: return activate(entry, *instance);
            case State::pending:
            case State::succeeded:
            case State::failed:
            case State::skipped: return;
        }
    }

private:
    /// The namespace has those of all Instances: only these are worth reading as a whole.
    std::vector<crd::AppServer> appservers_of(const Entry& entry) const {
        std::vector<crd::AppServer> out;
        for (const auto* item : inputs_.all(crd::AppServer::kind)) {
            if (api::find_text(*item, {"spec", "instanceName"}) != entry.name) continue;
            if (auto appserver = api::decode_object<crd::AppServer>(*item)) out.push_back(*std::move(appserver));
        }
        return out;
    }

    static void finish(Entry& entry, State state, std::string message) {
        entry.state = state;
        entry.message = message.empty() ? std::nullopt : std::optional(std::move(message));
    }

    bool late(Entry& entry) {
        const auto begun = parse_rfc3339(entry.started_at.value_or(""));
        const auto length = runtime::parse_duration(spec_.timeout);
        if (!begun || !length) return false;
        const auto end = *begun + *length;
        if (inputs_.now < end) {
            look_at(view_, end);
            return false;
        }
        finish(entry, State::failed, "it was not redeployed within " + spec_.timeout);
        return true;
    }

    /// To be changed next; its AppServers are counted first, so that a new one can be told from those.
    void ask(Entry& entry) {
        entry.state = State::updating;
        const auto instance = inputs_.get<crd::Instance>(object_.metadata.namespace_, entry.name);
        entry.app_servers_before = instance ? instance->status.app_servers_made.value_or(0) : 0;
    }

    void again_or_fail(Entry& entry, const std::string& why) {
        if (entry.attempt.value_or(1) >= spec_.attempts) return finish(entry, State::failed, why);
        entry.attempt = entry.attempt.value_or(1) + 1;
        entry.app_server.reset();
        ask(entry);
    }

    void run_sql(Entry& entry, const crd::Instance& instance) {
        const auto name = object_.metadata.name + "-" + entry.name;
        const auto script = children_.get<crd::DatabaseScript>(name);
        using ScriptPhase = crd::DatabaseScript::Status::Phase;
        if (script && script->spec.round == entry.round.value_or(1)) {
            const auto phase = script->status.phase;
            if (phase == ScriptPhase::succeeded) return ask(entry);
            if (phase == ScriptPhase::failed && script->status.round.value_or(0) == script->spec.round)
                return finish(entry, State::failed, "SQL: " + script->status.message.value_or("failed"));
        }
        const ObjectNames names(entry.name);
        const auto tenant = inputs_.get<crd::DatabaseTenant>(object_.metadata.namespace_, names.mysql);
        const auto& kept = instance.status.names;
        if (!tenant || !kept || !kept->database || !kept->mysql_user)
            return finish(entry, State::failed,
                          "SQL: it has no databases on a server of their own; leave it out by spec.exclude");
        const auto suffix = database_of(*spec_.sql_before);
        const auto row = std::ranges::find(site_databases, suffix, &SiteDatabase::database);
        if (row == site_databases.end()) return finish(entry, State::failed, "SQL: there is no database " + suffix);
        crd::DatabaseScript out;
        out.metadata.name = name;
        out.metadata.namespace_ = object_.metadata.namespace_;
        out.spec.server_ref.name = tenant->spec.server_ref.name;
        out.spec.database = *kept->database + "_" + suffix;
        out.spec.username = *kept->mysql_user + "_" + std::string(row->user);
        out.spec.password_ref = {names.mysql, out.spec.username};
        out.spec.script_id = object_.metadata.uid + "." + entry.name;
        out.spec.statements = spec_.sql_before->statements;
        out.spec.repeatable = spec_.sql_before->repeatable;
        out.spec.timeout_seconds = spec_.sql_before->timeout_seconds;
        out.spec.round = entry.round.value_or(1);
        out_.children.push_back(child(out));
    }

    std::string token(const Entry& entry) const {
        return object_.metadata.uid + "/" + std::to_string(entry.round.value_or(1)) + "." +
               std::to_string(entry.attempt.value_or(1));
    }
    bool ours(const Entry& entry, const crd::Instance& instance) const {
        const auto mark = instance.metadata.annotations.find(redeployed_by);
        return mark != instance.metadata.annotations.end() && mark->second == token(entry);
    }

    void update(Entry& entry, const crd::Instance& instance, const Json& raw) {
        if (ours(entry, instance)) {
            entry.state = State::deploying;
            return;
        }
        Json spec = spec_.patch.is_object() ? spec_.patch : Json(api::json::object());
        auto& rollout = api::make_object(spec, {"rollout"});
        rollout["request"] = object_.metadata.name + "/" + token(entry);
        if (instance.spec.rollout.strategy == Strategy::automatic) {
            if (!spec_.activate) rollout["activation"] = "Manual";
            if (spec_.activate && instance.spec.rollout.activation == Activation::manual)
                rollout["activation"] = "Automatic";
        }
        api::json::object annotations{{redeployed_by, token(entry)}};
        if (const auto* before = api::find(raw, {"spec"}); before && token_of_other(instance))
            annotations[redeployment_undo] = api::to_text(reverse_patch(*before, spec));
        api::json::object patch{{"metadata", api::json::object{{"annotations", std::move(annotations)}}},
                                {"spec", std::move(spec)}};
        view_.edits.push_back({crd::Instance::kind, instance.metadata.namespace_, entry.name,
                               std::string(api::find_text(raw, {"metadata", "resourceVersion"})), std::move(patch)});
    }
    /// Not changed by this Redeployment yet: what it is now is what it would go back to.
    bool token_of_other(const crd::Instance& instance) const {
        const auto mark = instance.metadata.annotations.find(redeployed_by);
        return mark == instance.metadata.annotations.end() || !mark->second.starts_with(object_.metadata.uid + "/");
    }

    /// Another Redeployment came after, or the Instance has not seen the change yet. False: no more to be said now.
    bool settled(Entry& entry, const crd::Instance& instance) {
        if (!ours(entry, instance)) {
            finish(entry, State::failed, "another Redeployment changed it meanwhile");
            return false;
        }
        return reported(instance);
    }

    void deploy(Entry& entry, const crd::Instance& instance) {
        if (!settled(entry, instance)) return;
        const auto& status = instance.status;
        for (const auto& appserver : appservers_of(entry)) {
            if (appserver.metadata.deleting() || appserver.spec.configuration_hash != status.configuration_hash)
                continue;
            if (number_of(appserver.metadata.name) <= entry.app_servers_before.value_or(0)) continue;
            if (progress(appserver) == Progress::failed) continue;
            entry.app_server = appserver.metadata.name;
            const bool done = spec_.activate ? serves(instance, appserver.metadata.name) && rolled_out(instance)
                                             : progress(appserver) == Progress::running;
            if (done) return finish(entry, State::succeeded, "");
        }
        if (status.rollout && status.rollout->configuration_hash == status.configuration_hash &&
            status.rollout->attempts.value_or(0) >= instance.spec.rollout.attempts)
            return again_or_fail(entry, "AppServer " + status.rollout->last_failed.value_or("") + ": " +
                                            status.rollout->message.value_or("failed"));
        if (const auto* why = stalled(instance)) again_or_fail(entry, why->message);
    }

    /// Of an Instance whose AppServers people make: this does what a person would.
    void deploy_by_hand(Entry& entry, const crd::Instance& instance) {
        if (!settled(entry, instance)) return;
        const auto name = entry.name + "-" + object_.metadata.uid.substr(0, 8) + "-" +
                          std::to_string(entry.round.value_or(1)) + "-" + std::to_string(entry.attempt.value_or(1));
        const auto found = inputs_.get<crd::AppServer>(object_.metadata.namespace_, name);
        if (!found) {
            if (entry.app_server) return again_or_fail(entry, "AppServer " + name + " was deleted");
            if (const auto* why = stalled(instance)) return again_or_fail(entry, why->message);
            crd::AppServer out;
            out.metadata.name = name;
            out.metadata.namespace_ = object_.metadata.namespace_;
            out.spec.instance_name = entry.name;
            auto made = child(out);
            made.object.at("spec").as_object().erase("provisioner");  // the provisioner's defaults are the schema's
            made.create_only = made.retain = true;                    // the Instance answers for it from then on
            out_.children.push_back(std::move(made));
            return;
        }
        entry.app_server = name;
        if (progress(*found) == Progress::running) {
            if (spec_.activate)
                entry.state = State::activating;
            else
                finish(entry, State::succeeded, "");
        }
        if (progress(*found) == Progress::failed) {
            std::string why = "failed";
            for (const auto& item : found->status.conditions)
                if (item.type == "Ready" && !item.message.empty()) why = item.message;
            again_or_fail(entry, "AppServer " + name + ": " + why);
        }
    }

    /// The new one first; the others when it is in rotation.
    void activate(Entry& entry, const crd::Instance& instance) {
        const auto& name = entry.app_server.value_or("");
        const auto found = inputs_.get<crd::AppServer>(object_.metadata.namespace_, name);
        if (!found || found->metadata.deleting()) return again_or_fail(entry, "AppServer " + name + " was deleted");
        if (progress(*found) == Progress::failed) return again_or_fail(entry, "AppServer " + name + " failed");
        if (!found->spec.active) return set_active(name, true);
        if (!serves(instance, name)) return;
        bool others = false;
        for (const auto& appserver : appservers_of(entry)) {
            if (appserver.metadata.name == name || !appserver.spec.active || appserver.metadata.deleting()) continue;
            others = true;
            set_active(appserver.metadata.name, false);
        }
        if (!others) finish(entry, State::succeeded, "");
    }
    void set_active(const std::string& appserver, bool active) {
        const auto* raw = inputs_.find(crd::AppServer::kind, object_.metadata.namespace_, appserver);
        if (!raw) return;
        api::json::object patch{{"spec", api::json::object{{"active", active}}}};
        view_.edits.push_back({crd::AppServer::kind, object_.metadata.namespace_, appserver,
                               std::string(api::find_text(*raw, {"metadata", "resourceVersion"})), std::move(patch)});
    }

    const RedeploymentView& view_;
    const Object& object_;
    const Object::Spec& spec_;
    const runtime::Children& children_;
    const runtime::Inputs& inputs_;
    runtime::Composition<Object>& out_;
};

}  // namespace

void begin_instance(const RedeploymentView& view, RedeployedInstance& entry) { Steps(view).begin(entry); }

void advance_instance(const RedeploymentView& view, RedeployedInstance& entry) { Steps(view).advance(entry); }

void look_at(const RedeploymentView& view, WallTime due) {
    const auto wait = std::chrono::duration_cast<Duration>(due - view.inputs.now) + Duration(1000);
    auto& look_again = view.out.look_again;
    if (!look_again || wait < *look_again) look_again = wait;
}

}  // namespace ocim::openedx
