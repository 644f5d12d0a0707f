#include "openedx/instance_class.hpp"

#include "crd/instances.hpp"
#include "openedx/machine_groups.hpp"
#include "openedx/placement.hpp"
#include "openedx/site.hpp"

#include <algorithm>

namespace ocim::openedx {

using runtime::Verdict;

namespace {

constexpr auto system_namespace = "ocim-system";

/// Every Secret that the class names, not needed for deciding: what lacks is said by name and key.
std::vector<runtime::Reference> secrets_of(const crd::InstanceClass& object) {
    auto out = secrets_of_class(object);
    out.push_back({api::secret_kind, system_namespace, object.spec.compute.ssh_key_ref.name, true});
    return out;
}

std::optional<Verdict> incomplete(const crd::InstanceClass& object, const runtime::Inputs& inputs) {
    const auto lacks = [&](const char* field, const std::string& secret,
                           const std::string& key) -> std::optional<Verdict> {
        const auto found = inputs.secret(system_namespace, secret, key);
        if (found && !found->reveal().empty()) return std::nullopt;
        return Verdict{Verdict::State::stalled, "SecretIncomplete",
                       "spec." + std::string(field) + ": Secret " + system_namespace + "/" + secret + " has no key \"" +
                           key + "\"; add it"};
    };
    if (auto lack = lacks("compute.sshKeyRef", object.spec.compute.ssh_key_ref.name, "ssh-privatekey")) return lack;
    if (const auto& relay = object.spec.smtp_relay; relay && relay->credentials_ref)
        for (const auto* key : {"username", "password"})
            if (auto lack = lacks("smtpRelay.credentialsRef", relay->credentials_ref->name, key)) return lack;
    if (const auto& relic = object.spec.new_relic)
        return lacks("newRelic.licenseKeyRef", relic->license_key_ref.name, relic->license_key_ref.key);
    return std::nullopt;
}

/// What keeps it from going; somebody does.
std::string in_use(const std::vector<std::string>& users) {
    if (users.size() == 1) return "Instance " + users.front() + " is made of it; delete that first";
    return std::to_string(users.size()) + " Instances are made of it, " + users.front() +
           " among them; delete them first";
}

}  // namespace

std::vector<api::Kind> InstanceClasses::child_kinds() { return {crd::SecurityGroup::kind}; }

std::vector<runtime::Reference> InstanceClasses::needs(const Object& object) {
    auto out = placement_needs();
    out.push_back({crd::Instance::kind, "", "", true, "spec.className", object.metadata.name});
    for (auto& secret : secrets_of(object)) out.push_back(std::move(secret));
    return out;
}

std::vector<runtime::Claim> InstanceClasses::claims(const Object&) { return {}; }

runtime::Composition<crd::InstanceClass> InstanceClasses::compose(const Object& object,
                                                                  const runtime::Children& children,
                                                                  const runtime::Inputs& inputs) {
    runtime::Composition<Object> out;
    std::vector<std::string> users;
    for (const auto* instance : inputs.all(crd::Instance::kind))
        users.push_back(std::string(api::find_text(*instance, {"metadata", "namespace"})) + "/" +
                        std::string(api::find_text(*instance, {"metadata", "name"})));
    out.status.instances = static_cast<std::int32_t>(users.size());
    if (!users.empty()) out.keeps = secrets_of(object);
    if (object.metadata.deleting()) {
        out.complete = users.empty();
        out.verdict = {Verdict::State::progressing, "Deleting", "waits for its SecurityGroups to be gone"};
        if (!out.complete) out.verdict = {Verdict::State::progressing, "InUse", in_use(users)};
        return out;
    }
    out.verdict = {Verdict::State::ready, "Ready", "Instances can be made of it"};
    if (const auto lacking = unmatched(object, inputs); !lacking.empty())
        out.verdict = {Verdict::State::progressing, "NoBackend",
                       lacking.front() + "; make one, or change the selector"};
    out.children = group_children(object, children, inputs);
    for (const auto& group : children.all<crd::SecurityGroup>())
        for (const auto& item : group.status.conditions)
            if (item.type == "Ready" && item.status != "True")
                out.verdict = {Verdict::State::progressing, "SecurityGroupNotReady",
                               "SecurityGroup " + group.metadata.key() + ": " + item.message};
    if (const auto refused = incomplete(object, inputs)) out.verdict = *refused;
    return out;
}

}  // namespace ocim::openedx
