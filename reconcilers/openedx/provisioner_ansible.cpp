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
        Prepared out{{{"variables.yml", *std::move(variables)}},
                     {ansible.repository, ansible.version, ansible.playbook, ansible.requirements.value_or("")}};
        if (const auto& second = ansible.users) {
            auto users = document_of(object, inputs, "spec.ansible.users.variablesRef", second->variables_ref);
            if (!users) return std::move(users).error();
            out.files.emplace("users.yml", *std::move(users));
            out.arguments.push_back(second->playbook);
        }
        return out;
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
    std::vector<Secret> secrets(const Object& object, const runtime::Inputs& inputs) const override {
        const auto& ansible = *object.spec.ansible;
        auto out = ansible.users ? secrets_in(object, inputs, ansible.users->variables_ref) : std::vector<Secret>();
        if (auto password = url_password(ansible.repository)) out.push_back(*std::move(password));
        return out;
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
