#include "openedx/provisioner.hpp"
#include "openedx/run_ansible.hpp"

namespace ocim::openedx {
namespace {

class Ansible final : public Provisioner {
public:
    Result<Prepared> prepare(const Object& object, const runtime::Inputs& inputs) const override {
        auto variables = document_of(object, inputs, "spec.variablesRef", object.spec.variables_ref);
        if (!variables) return std::move(variables).error();
        const auto& ansible = *object.spec.ansible;
        return Prepared{{{"variables.yml", *std::move(variables)}},
                        {ansible.repository, ansible.version, ansible.playbook, ansible.requirements.value_or("")}};
    }
    std::string_view run() const override { return ansible_program; }
    std::string verify() const override { return ""; }  // playbooks differ: any answer will do
    std::string_view stop() const override { return ""; }
    std::string describe(const Object& object) const override {
        const auto& ansible = *object.spec.ansible;
        return "playbook " + ansible.playbook + " of " + without_user(ansible.repository) + " at " + ansible.version;
    }
    std::optional<Keeping> keeping(const Object&, const runtime::Inputs&) const override { return std::nullopt; }
    std::optional<std::map<std::string, Secret>> kept(const Object&, const runtime::Inputs&,
                                                      const std::vector<std::string>&) const override {
        return std::map<std::string, Secret>();
    }
    std::vector<Secret> secrets(const Object& object, const runtime::Inputs&) const override {
        if (auto password = url_password(object.spec.ansible->repository)) return {*std::move(password)};
        return {};
    }
};

}  // namespace

const Provisioner& ansible_provisioner() {
    static const Ansible ansible;
    return ansible;
}

const Provisioner& provisioner_of(const crd::ProvisioningRun& object) {
    // the schema wants exactly one
    return object.spec.tutor ? tutor_provisioner() : ansible_provisioner();
}

}  // namespace ocim::openedx
