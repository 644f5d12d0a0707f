#pragma once

#include "api/yaml.hpp"
#include "crd/provisioningruns.hpp"
#include "openedx/run.hpp"
#include "openedx/variables.hpp"
#include "runtime/kinds.hpp"

#include <map>
#include <string>
#include <vector>

namespace ocim::openedx {

/// How a machine becomes a server; one for each member of a run's union. Pure: it says what is put beside the run and
/// what runs there. Everything else (detached under a lock, the log, time-outs, what is kept from run to run) is the
/// same for all: run_script.sh and RunHost.
class Provisioner {
public:
    using Object = crd::ProvisioningRun;
    struct Prepared {
        std::map<std::string, Secret> files;  ///< beside the run
        std::vector<std::string> arguments;   ///< of the program
    };

    virtual ~Provisioner() = default;
    /// What a run begins with. Error: invalid, when a Secret lacks something; what, and where, in words.
    virtual Result<Prepared> prepare(const Object& object, const runtime::Inputs& inputs) const = 0;
    /// The program: it defines the shell function "provision".
    virtual std::string_view run() const = 0;
    /// What is asked for, once the machine has rebooted, when nobody says what.
    virtual std::string verify() const = 0;
    /// The program that stops what it made, given the run's folder; "" when there is nothing to stop.
    virtual std::string_view stop() const = 0;
    /// "playbook site.yml of … at main".
    virtual std::string describe(const Object& object) const = 0;
    /// What is kept between the runs of a site, and what a run that drew something new has to go on with. Nothing while
    /// it is not all kept; such a run waits.
    virtual std::optional<Keeping> keeping(const Object& object, const runtime::Inputs& inputs) const = 0;
    virtual std::optional<std::map<std::string, Secret>> kept(const Object& object, const runtime::Inputs& inputs,
                                                              const std::vector<std::string>& drawn) const = 0;
    /// Further texts that must not be readable in a log.
    virtual std::vector<Secret> secrets(const Object& object, const runtime::Inputs& inputs) const = 0;
};

const Provisioner& provisioner_of(const crd::ProvisioningRun& object);
const Provisioner& ansible_provisioner();
const Provisioner& tutor_provisioner();

/// The Secret's document that `reference` names, or why there is none, beginning with `field`.
template <class Reference>
Result<Secret> document_of(const crd::ProvisioningRun& object, const runtime::Inputs& inputs, const char* field,
                           const Reference& reference) {
    if (auto found = inputs.secret(object.metadata.namespace_, reference.name, reference.key)) return *std::move(found);
    return Error{ErrorClass::invalid,
                 std::string(field) + ": Secret " + reference.name + " has no key \"" + reference.key + "\"; add it"};
}

/// The texts of that document that must not be readable in a log, by the names of what holds them.
template <class Reference>
std::vector<Secret> secrets_in(const crd::ProvisioningRun& object, const runtime::Inputs& inputs,
                               const Reference& reference) {
    const auto document = inputs.secret(object.metadata.namespace_, reference.name, reference.key);
    if (!document) return {};
    auto parsed = api::parse_yaml(document->reveal());
    return parsed && parsed->value.is_object() ? Variables{parsed->value.get_object(), {}}.secrets()
                                               : std::vector<Secret>();
}

}  // namespace ocim::openedx
