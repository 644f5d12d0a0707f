#include "compute/machine.hpp"

#include "runtime/backend_spec.hpp"

#include <chrono>

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

/// The public key of the pair that the machine asks for; null when the cloud has none of that name.
const std::string* public_key(const crd::Cloud& cloud, const std::string& name) {
    if (!cloud.spec.local) return nullptr;
    for (const auto& pair : cloud.spec.local->key_pairs)
        if (pair.name == name) return &pair.public_key;
    return nullptr;
}

std::string key_pairs_of(const crd::Cloud& cloud) {
    std::string names;
    if (cloud.spec.local)
        for (const auto& pair : cloud.spec.local->key_pairs) names += (names.empty() ? "" : ", ") + pair.name;
    return names.empty() ? "none" : names;
}

Phase phase_of(const Machine& machine) {
    switch (machine.state) {
        case State::building: return Phase::building;
        case State::booting: return Phase::booting;
        case State::running: return Phase::ready;
        case State::stopped: return Phase::stopped;
        case State::failed: return Phase::build_failed;
    }
    return Phase::unknown;
}

Verdict verdict_of(const crd::VirtualMachine& object, const Machine& machine) {
    switch (machine.state) {
        case State::building: return {Verdict::State::progressing, "Building", "the machine is being made"};
        case State::booting: return {Verdict::State::progressing, "Booting", "waiting for its SSH server"};
        case State::running: return {Verdict::State::ready, "Running", "its SSH server answers"};
        case State::stopped:
            if (wants_stopped(object)) return {Verdict::State::ready, "Stopped", "stopped, as declared"};
            return {Verdict::State::progressing, "Starting", "the machine is stopped and will be started"};
        case State::failed: return {Verdict::State::progressing, "Failed", machine.fault};
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

/// Where the object's machine is: at its own key; else the one that it has taken over, or that is kept for it.
Key key_in(const crd::VirtualMachine& object, const runtime::Mark& mark, const Snapshot& seen) {
    auto own = key_of(object);
    if (seen.contains(own)) return own;
    const Key* kept = nullptr;
    for (const auto& [key, machine] : seen) {
        if (!machine.mark || ownership(machine.mark, mark) == runtime::Ownership::foreign) continue;
        if (machine.mark->uid == mark.uid) return key;
        if (machine.mark->retained && !kept) kept = &key;
    }
    return kept ? *kept : own;
}

}  // namespace

std::string Machines::backend_name(const Object& object) { return object.spec.cloud_ref.name; }

std::vector<runtime::Reference> Machines::needs(const Object& object) {
    return {{crd::Cloud::kind, "", object.spec.cloud_ref.name}};
}

std::vector<runtime::Claim> Machines::claims(const Object&) { return {}; }

std::vector<Action> Machines::diff(const Object& object, const runtime::Inputs& inputs, const Snapshot& seen) {
    const auto cloud = inputs.get<crd::Cloud>("", object.spec.cloud_ref.name);
    const auto* opens = cloud ? public_key(*cloud, object.spec.key_name) : nullptr;
    const auto mark = mark_of(object, inputs.installation);
    const auto key = key_in(object, mark, seen);
    const auto* found = find(seen, key);
    const auto reboot_request = object.spec.reboot_request.value_or("");
    if (!found) {
        if (!opens) return {};  // report() says KeyPairNotFound
        const std::int64_t ram = object.spec.flavor ? object.spec.flavor->ram.value_or(0) : 0;
        return {{Verb::create, key, mark,
                 MachinePlan{object.spec.key_name, *opens, object.spec.ssh_user, ram, reboot_request,
                             wants_stopped(object)},
                 ""}};
    }
    if (ownership(found->mark, mark) == runtime::Ownership::foreign) return {};
    std::vector<Action> actions;
    if (found->mark != mark) actions.push_back({Verb::mark, key, mark, {}, ""});
    const bool runs = found->state == State::running || found->state == State::booting;
    if (wants_stopped(object)) {
        if (runs) actions.push_back({Verb::stop, key, mark, {}, ""});
    } else if (found->state == State::stopped || found->state == State::failed || found->state == State::building) {
        actions.push_back({Verb::start, key, mark, {}, ""});
    } else if (!reboot_request.empty() && found->reboot_request != reboot_request) {
        actions.push_back({Verb::reboot, key, mark, {}, reboot_request});
    }
    return actions;
}

std::vector<Action> Machines::remove(const Object& object, const std::string& installation, const Snapshot& seen) {
    const auto mark = mark_of(object, installation);
    const auto key = key_in(object, mark, seen);
    const auto* found = find(seen, key);
    if (!found || ownership(found->mark, mark) == runtime::Ownership::foreign) return {};
    if (object.spec.deletion_policy == Object::Spec::DeletionPolicy::delete_)
        return {{Verb::remove, key, mark, {}, ""}};
    auto retained = mark;
    retained.retained = true;
    if (found->mark == retained) return {};
    return {{Verb::mark, key, retained, {}, ""}};
}

runtime::Report<crd::VirtualMachine> Machines::report(const Object& object, const runtime::Inputs& inputs,
                                                      const Snapshot& seen) {
    using namespace std::chrono_literals;
    runtime::Report<Object> out;
    const auto mark = mark_of(object, inputs.installation);
    const auto key = key_in(object, mark, seen);
    const auto* found = find(seen, key);
    if (!found) {
        out.status.phase = Phase::pending;
        const auto cloud = inputs.get<crd::Cloud>("", object.spec.cloud_ref.name);
        out.verdict = {Verdict::State::progressing, "Pending", "the machine will be made"};
        if (cloud && !public_key(*cloud, object.spec.key_name))
            out.verdict = {Verdict::State::stalled, "KeyPairNotFound",
                           "spec.keyName: cloud " + object.spec.cloud_ref.name + " has no key pair \"" +
                               object.spec.key_name + "\"; it has: " + key_pairs_of(*cloud)};
        return out;
    }
    if (ownership(found->mark, mark) == runtime::Ownership::foreign) {
        out.status.phase = Phase::unknown;
        out.verdict = {Verdict::State::stalled, "NotOwned",
                       "the cloud has a machine " + key + " that is not ours; it is left as it is"};
        return out;
    }
    out.status.id = found->id;
    out.status.phase = phase_of(*found);
    out.status.addresses = found->addresses;
    if (!found->ssh_host_key.empty()) out.status.ssh_host_key = found->ssh_host_key;
    if (!found->reboot_request.empty()) out.status.reboot_request = found->reboot_request;
    if (!found->fault.empty()) out.status.fault = found->fault;
    out.verdict = verdict_of(object, *found);
    if (out.verdict.state == Verdict::State::progressing) out.look_again = 1s;
    return out;
}

std::vector<runtime::Marked<Key>> Machines::marked(const Snapshot& seen) {
    std::vector<runtime::Marked<Key>> out;
    for (const auto& [key, machine] : seen)
        if (machine.mark) out.push_back({key, *machine.mark, true});
    return out;
}

std::vector<Action> Machines::sweep(const Key& key, const Snapshot& seen) {
    const auto* found = find(seen, key);
    if (!found || !found->mark) return {};
    return {{Verb::remove, key, *found->mark, {}, ""}};
}

Key Machines::key(const Action& action) { return action.key; }

std::string_view Machines::verb(const Action& action) {
    switch (action.verb) {
        case Verb::create: return "create";
        case Verb::remove: return "delete";
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
        case Verb::mark:
            return (action.mark.retained ? "mark as retained: machine " : "take over machine ") + action.key;
    }
    return action.key;
}

runtime::BackendSettings Machines::settings(const Backend& backend) { return runtime::settings_of(backend.spec); }

std::vector<runtime::Reference> Machines::backend_needs(const Backend&) { return {}; }

Result<std::unique_ptr<System>> Machines::open(const Backend& backend, const runtime::Inputs&,
                                               const runtime::Services& services) {
    return open_local(backend, services);
}

}  // namespace ocim::compute
