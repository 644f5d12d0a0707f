#include "compute/machine.hpp"

#include "compute/machine_choice.hpp"
#include "compute/machine_host_key.hpp"
#include "crd/securitygroups.hpp"
#include "runtime/backend_spec.hpp"

#include <algorithm>
#include <chrono>
#include <variant>

namespace ocim::compute {
namespace {

using Verb = Action::Verb;
using State = Machine::State;
using runtime::Verdict;
using Phase = crd::VirtualMachine::Status::Phase;

runtime::Mark mark_of(const crd::VirtualMachine& object, const std::string& installation) {
    return {installation, object.metadata.key(), object.metadata.uid, false};
}

const Machine* find(const Snapshot& seen, const Key& key) {
    const auto found = seen.find(key);
    return found == seen.end() ? nullptr : &found->second;
}

bool wants_stopped(const crd::VirtualMachine& object) {
    return object.spec.power_state == crd::VirtualMachine::Spec::PowerState::stopped;
}

Phase phase_of(const Machine& machine) {
    switch (machine.state) {
        case State::building: return Phase::building;
        case State::booting: return Phase::booting;
        case State::running: return Phase::ready;
        case State::stopped: return Phase::stopped;
        case State::failed: return machine.never_ran ? Phase::build_failed : Phase::unknown;
        case State::leaving: return machine.never_ran ? Phase::build_failed : Phase::terminated;
    }
    return Phase::unknown;
}

/// How many times it was tried to build this machine, as its status says; what was changed since begins anew.
int attempts_before(const crd::VirtualMachine& object) {
    const bool same = object.status.observed_generation.value_or(0) == object.metadata.generation.value_or(0);
    return same && object.status.phase == Phase::build_failed ? object.status.attempts.value_or(0) : 0;
}

std::string attempts_text(const crd::VirtualMachine& object, int attempt) {
    return "attempt " + std::to_string(attempt) + " of " + std::to_string(object.spec.attempts);
}

/// `restarts`: the cloud is one whose machines are started again when they end.
Verdict verdict_of(const crd::VirtualMachine& object, const Machine& machine, bool restarts) {
    switch (machine.state) {
        case State::building: return {Verdict::State::progressing, "Building", "the machine is being made"};
        case State::booting: return {Verdict::State::progressing, "Booting", "waiting for its SSH server"};
        case State::running: return {Verdict::State::ready, "Running", "the machine runs and answers"};
        case State::stopped:
            if (wants_stopped(object)) return {Verdict::State::ready, "Stopped", "stopped, as declared"};
            return {Verdict::State::progressing, "Starting", "the machine is stopped and will be started"};
        case State::failed:
            if (machine.never_ran)
                return {Verdict::State::progressing, "BuildFailed",
                        machine.fault + " (" + attempts_text(object, machine.attempt) + "; it will be removed)"};
            if (restarts) return {Verdict::State::progressing, "Failed", machine.fault};
            return {Verdict::State::stalled, "Failed",
                    machine.fault + "; reboot it by spec.rebootRequest, or delete this object to have another machine"};
        case State::leaving: return {Verdict::State::progressing, "Leaving", "the machine is being deleted"};
    }
    return {};
}

}  // namespace

Key key_of(const crd::VirtualMachine& object) {
    constexpr std::size_t name_max = 54;  // a host name has 63 characters at most; "-" and 8 of the uid follow
    auto name = object.metadata.name.substr(0, name_max);
    for (auto& letter : name)
        if (letter == '.') letter = '-';
    return name + "-" + object.metadata.uid.substr(0, 8);
}

namespace {

bool is_machine(const Machine& thing) { return !thing.offers && !thing.floating; }

/// Where the object's machine is. Of several with its mark the one in status, else that at its own key; else the one
/// that it has taken over, or that is kept for it.
Key key_in(const crd::VirtualMachine& object, const runtime::Mark& mark, const Snapshot& seen) {
    auto own = key_of(object);
    const Key *ours = nullptr, *kept = nullptr;
    for (const auto& [key, machine] : seen) {
        if (!is_machine(machine) || !machine.mark) continue;
        if (ownership(machine.mark, mark) == runtime::Ownership::foreign) continue;
        if (machine.mark->uid == mark.uid) {
            if (machine.id == object.status.id) return key;
            if (!ours || key == own) ours = &key;
        } else if (machine.mark->retained && !kept) {
            kept = &key;
        }
    }
    if (ours) return *ours;
    return kept && !seen.contains(own) ? *kept : own;
}

/// What else carries the object's mark: a second machine, made by a call whose answer was lost, and addresses that lead
/// nowhere any more.
std::vector<Action> superfluous(const runtime::Mark& mark, const Key& keep, const Snapshot& seen) {
    std::vector<Action> out;
    const auto* kept = find(seen, keep);
    bool leads_to_it = false;
    for (const auto& [key, thing] : seen) {
        if (key == keep || !thing.mark || thing.mark->installation != mark.installation || thing.mark->uid != mark.uid)
            continue;
        if (thing.floating) {
            const bool useful = kept && thing.floating->machine_id == kept->id && !leads_to_it;
            leads_to_it = leads_to_it || useful;
            if (!useful) out.push_back({Verb::release, key, mark, {}, "", thing.id});
        } else if (thing.state != State::leaving) {
            out.push_back({Verb::remove, key, mark, {}, "", thing.id});
        }
    }
    return out;
}

const Machine* floating_of(const Machine& machine, const Snapshot& seen) {
    for (const auto& [key, thing] : seen)
        if (thing.floating && !machine.id.empty() && thing.floating->machine_id == machine.id) return &thing;
    return nullptr;
}

/// The groups of its cloud that our SecurityGroups have made.
std::vector<Offers::Group> groups_for(const crd::VirtualMachine& object, const runtime::Inputs& inputs) {
    std::vector<Offers::Group> out;
    if (object.spec.security_groups.empty()) return out;
    for (const auto& group : inputs.all<crd::SecurityGroup>())
        if (group.status.id && !group.metadata.deleting()) out.push_back({*group.status.id, group.spec.name});
    return out;
}

/// The next try to make it; else why there is none.
std::variant<MachinePlan, Verdict> next_plan(const crd::VirtualMachine& object, const crd::Cloud& cloud,
                                             const runtime::Inputs& inputs, const Snapshot& seen) {
    const auto before = attempts_before(object);
    if (before >= object.spec.attempts)
        return Verdict{Verdict::State::stalled, "BuildFailed",
                       "the cloud could not build it in " + std::to_string(before) +
                           " attempts: " + object.status.fault.value_or("it does not say why") +
                           ". Mend the reason, then change the object (spec.rebootRequest does) for another try"};
    auto chosen = choose(object, cloud, seen, before + 1, groups_for(object, inputs));
    auto* plan = std::get_if<MachinePlan>(&chosen);
    if (!plan || !cloud.spec.openstack || !object.spec.ssh_host_key_secret_ref) return chosen;
    if (auto why = give_host_key(object, inputs, *plan)) return *std::move(why);
    return chosen;
}

/// What is to be done about a machine that is there and ours.
void change(const crd::VirtualMachine& object, const crd::Cloud& cloud, const Machine& found, const Snapshot& seen,
            std::vector<Action>& actions, const Action& like) {
    const auto add = [&](Verb verb) -> Action& {
        auto action = like;
        action.verb = verb;
        return actions.emplace_back(std::move(action));
    };
    if (found.state == State::leaving) return;
    if (found.state == State::failed && found.never_ran) {
        // first the status tells of it, so that the attempts are counted whatever happens to us
        if (object.status.id == found.id && attempts_before(object) >= found.attempt) add(Verb::remove);
        return;
    }
    if (found.busy) return;
    const bool runs = found.state == State::running || found.state == State::booting;
    const auto wanted = object.spec.reboot_request.value_or("");
    if (wants_stopped(object)) {
        if (runs) add(Verb::stop);
    } else if (found.state == State::stopped || found.state == State::building ||
               (found.state == State::failed && cloud.spec.local)) {
        add(Verb::start);
    } else if (!wanted.empty() && found.reboot_request != wanted) {
        add(Verb::reboot).reboot_request = wanted;
    }
    const auto* network = floating_network(cloud, seen);
    if (runs && network && !floating_of(found, seen)) add(Verb::attach).network_id = network->id;
}

}  // namespace

std::string Machines::backend_name(const Object& object) { return object.spec.cloud_ref.name; }

std::vector<runtime::Reference> Machines::needs(const Object& object) {
    std::vector<runtime::Reference> out{{crd::Cloud::kind, "", object.spec.cloud_ref.name}};
    if (!object.spec.security_groups.empty())
        out.push_back({crd::SecurityGroup::kind, "", "", true, "spec.cloudRef.name", object.spec.cloud_ref.name});
    if (const auto& key = object.spec.ssh_host_key_secret_ref)
        out.push_back({api::secret_kind, object.metadata.namespace_, key->name, true});
    return out;
}

std::vector<runtime::GeneratedSecret> Machines::generates(const Object& object) {
    if (!object.spec.ssh_host_key_secret_ref) return {};
    // who takes a machine over that was left standing finds its key too
    const bool retain = object.spec.deletion_policy == Object::Spec::DeletionPolicy::retain;
    return {{object.spec.ssh_host_key_secret_ref->name,
             host_key_seed,
             {runtime::Generate::Form::base64, host_key_seed_bytes},
             retain}};
}

std::vector<runtime::Claim> Machines::claims(const Object&) { return {}; }

std::vector<Action> Machines::diff(const Object& object, const runtime::Inputs& inputs, const Snapshot& seen) {
    const auto cloud = inputs.get<crd::Cloud>("", object.spec.cloud_ref.name);
    if (!cloud) return {};
    const auto mark = mark_of(object, inputs.installation);
    const auto key = key_in(object, mark, seen);
    const auto* found = find(seen, key);
    auto actions = superfluous(mark, key, seen);
    if (!found) {
        auto next = next_plan(object, *cloud, inputs, seen);
        auto* plan = std::get_if<MachinePlan>(&next);
        if (!plan) return actions;  // report() says why
        plan->stopped = wants_stopped(object);
        actions.push_back({Verb::create, key, mark, std::move(*plan), ""});
        return actions;
    }
    if (ownership(found->mark, mark) == runtime::Ownership::foreign) return {};
    if (found->mark != mark && found->state != State::leaving)
        actions.push_back({Verb::mark, key, mark, {}, "", found->id});
    change(object, *cloud, *found, seen, actions, {Verb::start, key, mark, {}, "", found->id});
    return actions;
}

std::vector<Action> Machines::remove(const Object& object, const std::string& installation, const Snapshot& seen) {
    const auto mark = mark_of(object, installation);
    const bool retain = object.spec.deletion_policy == Object::Spec::DeletionPolicy::retain;
    auto retained = mark;
    retained.retained = true;
    std::vector<Action> out, machines;
    for (const auto& [key, thing] : seen) {
        if (!thing.mark || thing.mark->installation != installation || thing.mark->uid != mark.uid) continue;
        if (thing.state == State::leaving) continue;
        if (retain && thing.mark != retained)
            out.push_back({Verb::mark, key, retained, {}, "", thing.id});
        else if (!retain && thing.floating)
            out.push_back({Verb::release, key, mark, {}, "", thing.id});
        else if (!retain)
            machines.push_back({Verb::remove, key, mark, {}, "", thing.id});
    }
    out.insert(out.end(), machines.begin(), machines.end());
    return out;
}

std::optional<Duration> Machines::going(const Object& object, const std::string& installation, const Snapshot& seen) {
    using namespace std::chrono_literals;
    for (const auto& [key, thing] : seen)
        if (thing.state == State::leaving && thing.mark && thing.mark->installation == installation &&
            thing.mark->uid == object.metadata.uid && !thing.mark->retained)
            return 1s;
    return {};
}

namespace {

/// When to look again at what changes by itself: soon at first, later and later.
Duration patience(const Machine& machine, WallTime now) {
    using namespace std::chrono_literals;
    const auto age = std::chrono::duration_cast<Duration>(now - machine.since);
    return std::clamp<Duration>(machine.since == WallTime{} ? 1s : age / 8, 1s, 30s);
}

runtime::Report<crd::VirtualMachine> report_absent(const crd::VirtualMachine& object,
                                                   const std::optional<crd::Cloud>& cloud,
                                                   const runtime::Inputs& inputs, const Snapshot& seen) {
    runtime::Report<crd::VirtualMachine> out;
    out.status.phase = Phase::pending;
    out.verdict = {Verdict::State::progressing, "Pending", "the machine will be made"};
    if (const auto before = attempts_before(object); before > 0) {
        out.status.phase = Phase::build_failed;
        out.status.attempts = before;
        out.status.fault = object.status.fault;
    }
    if (!cloud) return out;
    auto next = next_plan(object, *cloud, inputs, seen);
    if (auto* why = std::get_if<Verdict>(&next)) out.verdict = std::move(*why);
    return out;
}

}  // namespace

runtime::Report<crd::VirtualMachine> Machines::report(const Object& object, const runtime::Inputs& inputs,
                                                      const Snapshot& seen) {
    const auto mark = mark_of(object, inputs.installation);
    const auto key = key_in(object, mark, seen);
    const auto* found = find(seen, key);
    const auto cloud = inputs.get<crd::Cloud>("", object.spec.cloud_ref.name);
    if (!found) return report_absent(object, cloud, inputs, seen);
    runtime::Report<Object> out;
    if (ownership(found->mark, mark) == runtime::Ownership::foreign) {
        out.status.phase = Phase::unknown;
        out.verdict = {Verdict::State::stalled, "NotOwned",
                       "the cloud has a machine " + key + " that is not ours; it is left as it is"};
        return out;
    }
    out.status.id = found->id;
    out.status.phase = phase_of(*found);
    out.status.addresses = found->addresses;
    if (const auto* floating = floating_of(*found, seen))
        out.status.addresses.insert(out.status.addresses.begin(), floating->floating->address);
    const auto host_key = known_host_key(object, *found, cloud && cloud->spec.openstack);
    if (!host_key.empty()) out.status.ssh_host_key = host_key;
    if (!found->reboot_request.empty()) out.status.reboot_request = found->reboot_request;
    if (!found->fault.empty()) out.status.fault = found->fault;
    if (!found->flavor_id.empty()) out.status.flavor_id = found->flavor_id;
    if (!found->image_id.empty()) out.status.image_id = found->image_id;
    if (cloud && cloud->spec.openstack) out.status.attempts = found->attempt;
    out.verdict = verdict_of(object, *found, !cloud || cloud->spec.local);
    if (!found->ssh_host_key.empty() && found->ssh_host_key != host_key)
        out.verdict = host_key_changed(*found, host_key, inputs.now);
    const bool no_network = cloud && cloud->spec.openstack && cloud->spec.openstack->floating_network &&
                            !floating_network(*cloud, seen) && offers_in(seen);
    if (no_network && out.verdict.state == Verdict::State::ready)
        out.verdict = {Verdict::State::stalled, "NetworkNotFound",
                       "the Cloud's spec.openstack.floatingNetwork: the cloud has no single network \"" +
                           *cloud->spec.openstack->floating_network + "\""};
    if (out.verdict.state == Verdict::State::progressing || found->busy) out.look_again = patience(*found, inputs.now);
    return out;
}

std::vector<runtime::Marked<Key>> Machines::marked(const Snapshot& seen) {
    std::vector<runtime::Marked<Key>> out;
    for (const auto& [key, thing] : seen)
        if (thing.mark && thing.state != State::leaving) out.push_back({key, *thing.mark, true});
    return out;
}

/// A machine is made, runs and stops for one VirtualMachine; somebody else's may be in anybody's way.
std::optional<std::string> Machines::concerns(const Key& key, const Snapshot& seen) {
    const auto* found = find(seen, key);
    if (!found || !found->mark) return std::nullopt;
    return found->mark->namespace_name;
}

std::vector<Action> Machines::sweep(const Key& key, const Snapshot& seen) {
    const auto* found = find(seen, key);
    if (!found || !found->mark) return {};
    return {{found->floating ? Verb::release : Verb::remove, key, *found->mark, {}, "", found->id}};
}

Key Machines::key(const Action& action) { return action.key; }

std::string_view Machines::verb(const Action& action) {
    switch (action.verb) {
        case Verb::create:
        case Verb::attach: return "create";
        case Verb::remove:
        case Verb::release: return "delete";
        case Verb::start:
        case Verb::stop:
        case Verb::reboot:
        case Verb::mark: return "update";
    }
    return "update";
}

std::string Machines::describe(const Action& action) {
    switch (action.verb) {
        case Verb::create: return "create machine " + action.key;
        case Verb::start: return "start machine " + action.key;
        case Verb::stop: return "stop machine " + action.key;
        case Verb::reboot: return "reboot machine " + action.key;
        case Verb::remove: return "delete machine " + action.key;
        case Verb::attach: return "give machine " + action.key + " a public address";
        case Verb::release: return "give back the public " + action.key;
        case Verb::mark:
            return (action.mark.retained ? "mark as retained: machine " : "take over machine ") + action.key;
    }
    return action.key;
}

runtime::BackendSettings Machines::settings(const Backend& backend) {
    constexpr Duration landing_max{20'000};  // a busy Nova takes some seconds for what it was told
    auto out = runtime::settings_of(backend.spec);
    out.creates_twice = backend.spec.openstack.has_value();  // names are nothing to Nova and Neutron
    if (out.creates_twice) out.landing_max = landing_max;
    return out;
}

std::vector<runtime::Reference> Machines::backend_needs(const Backend& backend) {
    constexpr const char* system_namespace = "ocim-system";  // where credentials of backends live
    std::vector<runtime::Reference> out;
    if (!backend.spec.openstack) return out;
    const auto& openstack = *backend.spec.openstack;
    out.push_back({api::secret_kind, system_namespace, openstack.credentials_ref.name});
    if (openstack.ca_ref) out.push_back({api::secret_kind, system_namespace, openstack.ca_ref->name});
    return out;
}

Result<std::unique_ptr<System>> Machines::open(const Backend& backend, const runtime::Inputs& inputs,
                                               const runtime::Services& services) {
    return backend.spec.openstack ? open_openstack(backend, inputs, services) : open_local(backend, services);
}

Result<std::unique_ptr<System>> Machines::open_elsewhere(const Backend& backend, const runtime::Inputs& inputs,
                                                         const runtime::Services& services) {
    if (backend.spec.openstack) return open_openstack(backend, inputs, services);
    return Error{
        ErrorClass::invalid,
        "Unsupported: spec.local is for ocim serve on one host, as the machines are on the host of the program; "
        "declare spec.openstack, or start every ocim controller, or ocim serve --store, on that host with "
        "--local-machines"};
}

}  // namespace ocim::compute
