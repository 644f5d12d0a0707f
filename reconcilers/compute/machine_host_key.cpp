#include "compute/machine_host_key.hpp"

#include <chrono>

namespace ocim::compute {

using runtime::Verdict;

namespace {

constexpr std::chrono::minutes cloud_init_max{5};
constexpr std::size_t user_data_bytes_max = 65535 / 4 * 3;  // Nova's bound is of its base64

}  // namespace

std::optional<Verdict> give_host_key(const crd::VirtualMachine& object, const runtime::Inputs& inputs,
                                     MachinePlan& plan) {
    const auto& name = object.spec.ssh_host_key_secret_ref->name;
    const auto seed = inputs.secret(object.metadata.namespace_, name, host_key_seed);
    if (!seed)
        return Verdict{Verdict::State::progressing, "WaitingForHostKey",
                       "Secret " + name + " has no " + host_key_seed + " yet"};
    auto key = host_key_of(*seed);
    if (!key) return Verdict{Verdict::State::stalled, "HostKeyDamaged", "Secret " + name + ": " + key.error().message};
    plan.host_key = *std::move(key);
    const auto bytes = user_data_with(*plan.host_key, plan.user_data).reveal().size();
    if (bytes <= user_data_bytes_max) return {};
    return Verdict{Verdict::State::stalled, "UserDataTooLong",
                   "spec.userData is " + std::to_string(bytes - user_data_bytes_max) +
                       " bytes too long to have the machine's host key beside it; make it shorter"};
}

std::string known_host_key(const crd::VirtualMachine& object, const Machine& found, bool first_seen_counts) {
    if (object.spec.ssh_host_key) return *object.spec.ssh_host_key;
    const bool seen = first_seen_counts && object.status.id == found.id && object.status.ssh_host_key;
    if (seen) return *object.status.ssh_host_key;
    return found.given_host_key.empty() ? found.ssh_host_key : found.given_host_key;
}

Verdict host_key_changed(const Machine& found, const std::string& known, WallTime now) {
    const bool given = found.given_host_key == known;
    const bool first_boot = found.reboot_request.empty() && now - found.born < cloud_init_max;
    if (given && first_boot)
        return {Verdict::State::progressing, "Booting",
                "its SSH server does not show the key yet that its user data gave it"};
    return {
        Verdict::State::stalled, "SSHHostKeyChanged",
        "its SSH server shows another key than " +
            std::string(given ? "the one that its user data gave it (" : "before (") + found.ssh_host_key +
            "): either somebody stands in between, or it was installed anew" +
            (given ? ", or its image has no cloud-init" : "") +
            ". Nothing is done there. If the new key is right, put it in spec.sshHostKey; else delete this object to "
            "have another machine"};
}

}  // namespace ocim::compute
