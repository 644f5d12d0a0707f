#include "openedx/appserver.hpp"

#include "crd/dnsrecords.hpp"
#include "crd/instances.hpp"
#include "crd/loadbalancerfragments.hpp"
#include "crd/provisioningruns.hpp"
#include "crd/virtualmachines.hpp"
#include "openedx/appserver_end.hpp"
#include "openedx/machine_groups.hpp"
#include "openedx/parts.hpp"
#include "openedx/rollout.hpp"
#include "openedx/site.hpp"
#include "runtime/base64.hpp"

#include <algorithm>

namespace ocim::openedx {
namespace {

using runtime::Children;
using runtime::Composition;
using runtime::Inputs;
using runtime::Verdict;
using Object = crd::AppServer;
using Phase = Object::Status::Phase;
using RunPhase = crd::ProvisioningRun::Status::Phase;
using Check = std::decay_t<decltype(*crd::ProvisioningRun::Spec{}.check)>;
using MachinePhase = crd::VirtualMachine::Status::Phase;

constexpr auto provision_duration = "ocim_provision_duration_seconds";

std::string snapshot_name(const Object& object) { return object.metadata.name + "-config"; }
std::string host_key_name(const Object& object) { return object.metadata.name + "-ssh-host-key"; }
/// Named by attempt. There is one: another attempt is another AppServer, on a machine of its own.
std::string run_name(const Object& object) { return object.metadata.name + "-1"; }

/// In what a run failed, as rollouts tell one failure from another.
const char* failure_of(std::optional<crd::ProvisioningRun::Status::FailedStep> step) {
    using Step = crd::ProvisioningRun::Status::FailedStep;
    if (!step) return "ConfigurationFailed";
    switch (*step) {
        case Step::fetch: return fetch_failed;
        case Step::download: return download_failed;
        case Step::requirements: return "RequirementsFailed";
        case Step::users: return "UsersFailed";
        case Step::playbook:
        case Step::settings:
        case Step::images:
        case Step::launch: break;
    }
    return "ConfigurationFailed";
}

template <class T>
const api::Condition* ready_of(const T& object) {
    for (const auto& item : object.status.conditions)
        if (item.type == "Ready") return &item;
    return nullptr;
}

std::string text_in(const api::Json& settings, std::string_view name) {
    return std::string(api::find_text(settings, {name}));
}

std::int32_t seconds_in(const api::Json& settings, std::string_view name, std::int32_t otherwise) {
    const auto* found = api::find(settings, {name});
    return found && found->is_int64() ? static_cast<std::int32_t>(found->get_int64()) : otherwise;
}

class Composer {
public:
    Composer(const Object& object, const Children& children, const Inputs& inputs)
        : object_(object), children_(children), inputs_(inputs) {
        out_.status = object.status;
    }

    Composition<Object> compose() {
        if (!snapshot() || !suits()) return finish();
        const auto machine = children_.get<crd::VirtualMachine>(object_.metadata.name);
        const auto run = children_.get<crd::ProvisioningRun>(run_name(object_));
        const auto run_phase = run ? run->status.phase : std::nullopt;
        if (gives_host_key()) out_.children.push_back(host_key_child());
        out_.children.push_back(machine_child(run_phase == RunPhase::succeeded));
        out_.children.push_back(run_child(machine));
        follow_machine(machine);
        follow_run(run);
        decide(machine, run);
        return finish();
    }

private:
    /// The snapshot, read back; while there is none yet, what makes it. False: nothing more can be composed now.
    bool snapshot() {
        const auto name = snapshot_name(object_);
        if (const auto* taken = children_.find(api::secret_kind, name)) {
            out_.children.push_back(standing(*taken));
            const auto text = runtime::from_base64(api::find_text(*taken, {"data", "settings.json"}));
            auto parsed = api::parse_json(text.value_or(""));
            if (!parsed) return stall("SnapshotDamaged", "Secret " + name + " has no readable settings.json");
            settings_ = std::move(parsed->value);
            out_.status.configuration_secret = name;
            if (auto drawn_at = text_in(settings_, "passwordsDrawnAt"); !drawn_at.empty())
                out_.status.passwords_drawn_at = std::move(drawn_at);
            return true;
        }
        if (object_.status.configuration_secret)
            return stall("SnapshotLost", "Secret " + name +
                                             ", the configuration of this AppServer, is gone; make another "
                                             "AppServer");
        const auto instance = inputs_.get<crd::Instance>(object_.metadata.namespace_, object_.spec.instance_name);
        if (!instance || instance->metadata.deleting())
            return wait("DependencyNotReady", "Instance " + object_.spec.instance_name + " does not exist; make it");
        if (instance->spec.archived)
            return stall("InstanceArchived", "Instance " + object_.spec.instance_name +
                                                 " is archived; set spec.archived "
                                                 "to false first");
        const auto* source = inputs_.find(api::secret_kind, object_.metadata.namespace_,
                                          ObjectNames(object_.spec.instance_name).configuration);
        if (!source) return wait("WaitingForConfiguration", "the Instance's configuration is not made yet");
        const auto hash = runtime::from_base64(api::find_text(*source, {"data", "hash"})).value_or("");
        if (object_.spec.configuration_hash && *object_.spec.configuration_hash != hash)
            return wait("WaitingForConfiguration", "the Instance's configuration is changing");
        take_snapshot(*source);
        return wait("TakingSnapshot", "the Instance's configuration is being copied");
    }
    void take_snapshot(const api::Json& source) {
        api::json::object metadata{{"name", snapshot_name(object_)}, {"namespace", object_.metadata.namespace_}};
        const auto* data = api::find(source, {"data"});
        api::json::object secret{{"apiVersion", "v1"}, {"kind", "Secret"},  {"metadata", std::move(metadata)},
                                 {"type", "Opaque"},   {"immutable", true}, {"data", data ? *data : api::Json()}};
        out_.children.push_back({secret, std::nullopt, true, {}, false});
    }

    bool gives_host_key() const { return text_in(settings_, "hostKeys") == "Injected"; }
    runtime::Child host_key_child() const {
        api::json::object metadata{{"name", host_key_name(object_)}, {"namespace", object_.metadata.namespace_}};
        api::json::object secret{
            {"apiVersion", "v1"}, {"kind", "Secret"}, {"metadata", std::move(metadata)}, {"type", "Opaque"}};
        runtime::Child out{std::move(secret), std::nullopt, true, {}, false};
        out.generated = {{"ed25519-seed", {runtime::Generate::Form::base64, 32}}};  // as VirtualMachines say
        return out;
    }
    runtime::Child machine_child(bool provisioned) const {
        crd::VirtualMachine out;
        out.metadata.name = object_.metadata.name;
        out.metadata.namespace_ = object_.metadata.namespace_;
        out.spec.cloud_ref.name = text_in(settings_, "cloud");
        out.spec.key_name = text_in(settings_, "keyName");
        out.spec.ssh_user = text_in(settings_, "sshUser");
        out.spec.ssh_key_ref = api::LocalRef{text_in(settings_, "sshKeySecret")};
        if (gives_host_key()) out.spec.ssh_host_key_secret_ref.emplace().name = host_key_name(object_);
        if (provisioned) out.spec.reboot_request = run_name(object_);
        auto made = child(out);
        for (const auto* part : {"flavor", "image", "securityGroups"})
            if (const auto* value = api::find(settings_, {part}); value && !value->is_null())
                made.object.at("spec").as_object()[part] = *value;
        if (const auto group = group_of(settings_, inputs_); group && group->lacking) made.waiting_for = group->name;
        return made;
    }

    runtime::Child run_child(const std::optional<crd::VirtualMachine>& machine) const {
        crd::ProvisioningRun out;
        out.metadata.name = run_name(object_);
        out.metadata.namespace_ = object_.metadata.namespace_;
        out.spec.machine_ref.name = object_.metadata.name;
        if (with_tutor())
            set_tutor(out.spec);
        else
            set_ansible(out.spec);
        auto& spec = out.spec;
        if (text_in(settings_, "runOn") == "Controller") spec.run_on = crd::ProvisioningRun::Spec::RunOn::controller;
        const auto own = own_limits();
        spec.line_timeout_seconds =
            own.first.value_or(seconds_in(settings_, "lineTimeoutSeconds", spec.line_timeout_seconds));
        spec.total_timeout_seconds =
            own.second.value_or(seconds_in(settings_, "totalTimeoutSeconds", spec.total_timeout_seconds));
        if (const auto* settings = api::find(settings_, {"healthCheck"})) {
            Check check;
            if (api::decode(*settings, check, "healthCheck")) out.spec.check = std::move(check);
        }
        auto made = child(out);
        const auto* ready = machine ? ready_of(*machine) : nullptr;
        if (!ready || ready->status != "True") made.waiting_for = "VirtualMachine " + object_.metadata.name;
        return made;
    }

    bool with_tutor() const { return api::find(settings_, {"tutor"}) != nullptr; }
    /// A person may have said something that the class is not made for.
    bool suits() {
        const auto& said = object_.spec.provisioner;
        if (!said || said->tutor.has_value() == with_tutor()) return true;
        const std::string word = with_tutor() ? "tutor" : "ansible";
        return stall("OtherProvisioner", "spec.provisioner: the class makes this site with " + word +
                                             "; leave it out, or make another AppServer with " + word);
    }
    void set_ansible(crd::ProvisioningRun::Spec& spec) const {
        auto& ansible = spec.ansible.emplace();
        ansible.repository = text_in(settings_, "repository");
        ansible.version = text_in(settings_, "version");
        ansible.playbook = text_in(settings_, "playbook");
        if (const auto requirements = text_in(settings_, "requirements"); !requirements.empty())
            ansible.requirements = requirements;
        if (const auto playbook = text_in(settings_, "usersPlaybook"); !playbook.empty()) {
            auto& users = ansible.users.emplace();
            users.playbook = playbook;
            users.variables_ref = {snapshot_name(object_), secret_keys::users};
        }
        spec.variables_ref = {snapshot_name(object_), "variables.yml"};
    }
    void set_tutor(crd::ProvisioningRun::Spec& spec) const {
        auto& tutor = spec.tutor.emplace();
        const auto copy = [&](std::vector<std::string>& to, const char* name) {
            if (const auto* list = api::find(settings_, {"tutor", name}); list && list->is_array())
                for (const auto& item : list->get_array())
                    if (item.is_string()) to.emplace_back(item.get_string());
        };
        copy(tutor.requirements, "requirements");
        copy(tutor.plugins, "plugins");
        copy(tutor.build_images, "buildImages");
        const auto says = [&](const char* name) {
            const auto* found = api::find(settings_, {"tutor", name});
            return found && found->is_bool() && found->get_bool();
        };
        if (says("plugin")) tutor.plugin_ref = {snapshot_name(object_), "plugin.yml"};
        if (says("users")) tutor.users_ref = {snapshot_name(object_), secret_keys::users};
        tutor.kept_ref = {ObjectNames(object_.spec.instance_name).tutor, secret_keys::tutor_settings};
        spec.variables_ref = {snapshot_name(object_), secret_keys::tutor_settings};
    }
    /// The time-outs that the AppServer itself names.
    std::pair<std::optional<std::int32_t>, std::optional<std::int32_t>> own_limits() const {
        const auto& said = object_.spec.provisioner;
        if (said && said->ansible) return {said->ansible->line_timeout_seconds, said->ansible->total_timeout_seconds};
        if (said && said->tutor) return {said->tutor->line_timeout_seconds, said->tutor->total_timeout_seconds};
        return {};
    }

    void follow_machine(const std::optional<crd::VirtualMachine>& machine) {
        const auto* ready = machine ? ready_of(*machine) : nullptr;
        out_.status.addresses = machine ? machine->status.addresses : std::vector<std::string>{};
        find("VMReady", ready && ready->status == "True", ready ? ready->reason : "Pending",
             ready ? ready->message : "the machine is being made");
    }

    void follow_run(const std::optional<crd::ProvisioningRun>& run) {
        if (!run) return;
        auto& provision = out_.status.provision.emplace();
        provision.run = run->metadata.name;
        provision.commit = run->status.commit;
        provision.exit_code = run->status.exit_code;
        provision.failed_task = run->status.failed_task;
    }

    void decide(const std::optional<crd::VirtualMachine>& machine, const std::optional<crd::ProvisioningRun>& run) {
        const auto phase = run ? run->status.phase.value_or(RunPhase::pending) : RunPhase::pending;
        const auto* run_ready = run ? ready_of(*run) : nullptr;
        const bool configured = phase == RunPhase::succeeded;
        const bool broken = phase == RunPhase::failed || phase == RunPhase::cancelled;
        find("Configured", configured,
             configured ? "Succeeded"
             : broken   ? failure_of(run->status.failed_step)
                        : "Configuring",
             run_ready ? run_ready->message : "the playbook has not started");
        const bool up = machine && machine->status.phase == MachinePhase::ready;
        const bool rebooted = machine && machine->status.reboot_request == run_name(object_);
        const bool answers = run && (!run->spec.check || run->status.verified_at);
        follow_traffic(configured && rebooted && answers);
        if (broken) {
            out_.status.phase = Phase::configuration_failed;
            out_.verdict = {Verdict::State::stalled, "ConfigurationFailed",
                            run_ready ? run_ready->message : "the playbook failed"};
        } else if (!up && !configured) {
            machine_verdict(machine);
        } else if (!configured) {
            out_.status.phase = Phase::configuring;
            out_.verdict = {Verdict::State::progressing, "Configuring",
                            run_ready ? run_ready->message : "the playbook is being started"};
        } else if (!rebooted || !up) {
            out_.status.phase = Phase::rebooting;
            out_.verdict = {Verdict::State::progressing, "Rebooting", "the machine reboots once after its playbook"};
        } else if (!answers) {
            out_.status.phase = Phase::verifying;
            out_.verdict = {Verdict::State::progressing, "Verifying",
                            run_ready ? run_ready->message : "waiting for the site to answer"};
        } else {
            running();
        }
    }
    void machine_verdict(const std::optional<crd::VirtualMachine>& machine) {
        out_.status.phase = Phase::waiting_for_machine;
        if (const auto group = group_of(settings_, inputs_); !machine && group && group->lacking) {
            out_.verdict = {Verdict::State::progressing, "WaitingForSecurityGroup",
                            group->name + ": " + *group->lacking};
            return;
        }
        const auto* ready = machine ? ready_of(*machine) : nullptr;
        const bool stuck = machine && std::ranges::any_of(machine->status.conditions, [](const auto& item) {
                               return item.type == "Stalled" && item.status == "True";
                           });
        if (stuck) out_.status.phase = Phase::error;
        out_.verdict = {stuck ? Verdict::State::stalled : Verdict::State::progressing,
                        stuck ? "Error" : "WaitingForMachine",
                        "VirtualMachine " + object_.metadata.name + ": " + (ready ? ready->message : "is being made")};
    }
    void running() {
        if (!object_.status.provisioned_at) {
            out_.status.provisioned_at = rfc3339(inputs_.now);
            if (const auto made = parse_rfc3339(object_.metadata.creation_timestamp))
                out_.measures.push_back(
                    {provision_duration, std::chrono::duration<double>(inputs_.now - *made).count()});
        }
        out_.status.phase = Phase::running;
        out_.verdict = {Verdict::State::ready, "Running", object_.spec.active ? "runs" : "runs, not active"};
    }

    /// Whether visitors get here: as the load balancer says that it is configured.
    void follow_traffic(bool provisioned) {
        const auto fragment = inputs_.get<crd::LoadBalancerFragment>(object_.metadata.namespace_,
                                                                     ObjectNames(object_.spec.instance_name).fragment);
        const bool listed = fragment && std::ranges::find(fragment->status.active_servers, object_.metadata.name) !=
                                            fragment->status.active_servers.end();
        const bool active = object_.spec.active && provisioned && listed;
        if (active && !object_.status.activated_at) {
            out_.status.activated_at = rfc3339(inputs_.now);
            out_.status.deactivated_at.reset();
        }
        if (!object_.spec.active) note_left(out_.status, inputs_.now);
        follow_checks(fragment);
        find("Active", active,
             active                 ? "InRotation"
             : !object_.spec.active ? "NotWanted"
             : !provisioned         ? "NotRunning"
                                    : "NotInRotation",
             active                 ? "the load balancer sends visitors here"
             : !object_.spec.active ? "spec.active is false"
             : !provisioned         ? "spec.active is true, but it does not run: nobody is sent here"
                                    : "waiting for the load balancer");
    }

    /// What the load balancer's own checks say, from where visitors come.
    void follow_checks(const std::optional<crd::LoadBalancerFragment>& fragment) {
        using Check = std::decay_t<decltype(fragment->status.servers)>::value_type::Check;
        if (fragment)
            for (const auto& server : fragment->status.servers) {
                if (server.name != object_.metadata.name) continue;
                const auto said = server.message ? ": " + *server.message : std::string();
                if (server.check == Check::passed)
                    return find("Healthy", true, "CheckPassed", "the load balancer's check gets proper answers");
                if (server.check == Check::failed)
                    return find("Healthy", false, "CheckFailed", "the load balancer's check fails" + said);
                out_.findings.push_back(
                    {"Healthy", "Unknown", "NotChecked", "the load balancer has not checked it yet"});
                return;
            }
        out_.findings.push_back({"Healthy", "Unknown", "NotListed", "it is not behind the load balancer"});
    }

    void find(const char* type, bool holds, std::string reason, std::string message) {
        out_.findings.push_back({type, holds ? "True" : "False", std::move(reason), std::move(message)});
    }
    bool wait(const char* reason, std::string message) {
        out_.status.phase = Phase::new_;
        out_.verdict = {Verdict::State::progressing, reason, std::move(message)};
        out_.complete = false;
        return false;
    }
    bool stall(const char* reason, std::string message) {
        out_.status.phase = Phase::error;
        out_.verdict = {Verdict::State::stalled, reason, std::move(message)};
        out_.complete = false;
        return false;
    }
    Composition<Object> finish() { return std::move(out_); }

    const Object& object_;
    const Children& children_;
    const Inputs& inputs_;
    api::Json settings_;
    Composition<Object> out_;
};

}  // namespace

std::vector<api::Kind> AppServers::child_kinds() {
    return {api::secret_kind, crd::VirtualMachine::kind, crd::ProvisioningRun::kind};
}

std::vector<runtime::Reference> AppServers::needs(const Object& object) {
    const ObjectNames names(object.spec.instance_name);
    const auto& namespace_ = object.metadata.namespace_;
    std::vector<runtime::Reference> out{{crd::Instance::kind, namespace_, object.spec.instance_name, true},
                                        {api::secret_kind, namespace_, names.configuration, true},
                                        {crd::LoadBalancerFragment::kind, namespace_, names.fragment, true},
                                        {crd::SecurityGroup::kind, "ocim-system", "", true}};
    if (!object.metadata.deleting()) return out;
    // those that lead, or were seen to lead, to its machine
    for (const auto& address : object.status.addresses)
        for (const auto* field : {"spec.values", "status.served"})
            out.push_back({crd::DNSRecord::kind, namespace_, "", true, field, address});
    return out;
}

std::vector<runtime::HistogramKind> AppServers::histograms() {
    return {{provision_duration,
             "Seconds from an AppServer's creation until it first ran",
             {10, 30, 60, 120, 300, 600, 1200, 1800, 3600, 5400, 7200, 10800}}};
}

std::vector<runtime::Claim> AppServers::claims(const Object&) { return {}; }

Composition<Object> AppServers::compose(const Object& object, const Children& children, const Inputs& inputs) {
    if (object.metadata.deleting()) return compose_end(object, children, inputs);
    return Composer(object, children, inputs).compose();
}

}  // namespace ocim::openedx
