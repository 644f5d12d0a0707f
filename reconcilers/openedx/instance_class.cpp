#include "openedx/instance_class.hpp"

#include "crd/instances.hpp"

#include <algorithm>

namespace ocim::openedx {

using runtime::Verdict;

std::vector<api::Kind> InstanceClasses::child_kinds() { return {}; }

std::vector<runtime::Reference> InstanceClasses::needs(const Object& object) {
    std::vector<runtime::Reference> out{{crd::Instance::kind, "", "", true},
                                        {api::secret_kind, "ocim-system", object.spec.compute.ssh_key_ref.name, false}};
    if (object.spec.smtp_relay)
        out.push_back({api::secret_kind, "ocim-system", object.spec.smtp_relay->credentials_ref.name, false});
    return out;
}

std::vector<runtime::Claim> InstanceClasses::claims(const Object&) { return {}; }

runtime::Composition<crd::InstanceClass> InstanceClasses::compose(const Object& object, const runtime::Children&,
                                                                  const runtime::Inputs& inputs) {
    runtime::Composition<Object> out;
    const auto instances = inputs.all<crd::Instance>();
    const auto ours = std::ranges::count_if(
        instances, [&](const auto& instance) { return instance.spec.class_name == object.metadata.name; });
    out.status.instances = static_cast<std::int32_t>(ours);
    const auto& key = object.spec.compute.ssh_key_ref.name;
    if (inputs.secret("ocim-system", key, "ssh-privatekey")) {
        out.verdict = {Verdict::State::ready, "Ready", "Instances can be made of it"};
    } else {
        out.verdict = {Verdict::State::stalled, "SecretIncomplete",
                       "spec.compute.sshKeyRef: Secret ocim-system/" + key + " has no key \"ssh-privatekey\"; add it"};
    }
    return out;
}

}  // namespace ocim::openedx
