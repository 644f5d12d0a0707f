#include "openedx/run_on.hpp"

#include "crd/appservers.hpp"

#include <algorithm>

namespace ocim::openedx {
namespace {

constexpr auto watch_label = "ocim.opencraft.com/pull-request-watch";
constexpr std::string_view watch_kind = "PullRequestWatch";

const api::OwnerReference* appserver_of(const crd::ProvisioningRun& run) {
    for (const auto& owner : run.metadata.owner_references)
        if (owner.kind == crd::AppServer::kind.name && owner.controller.value_or(false)) return &owner;
    return nullptr;
}

}  // namespace

bool of_pull_request(const crd::Instance& instance) {
    return instance.metadata.labels.contains(watch_label) ||
           std::ranges::any_of(instance.metadata.owner_references,
                               [](const auto& owner) { return owner.kind == watch_kind; });
}

bool runs_on_controller(const crd::InstanceClass& of_class) {
    return of_class.spec.configuration.run_on == crd::InstanceClass::Spec::Configuration::RunOn::controller;
}

std::string refused_on_controller(const crd::Instance& instance, const crd::InstanceClass& of_class) {
    if (!runs_on_controller(of_class)) return "";
    const auto place = "InstanceClass " + of_class.metadata.name + ", spec.configuration.runOn: ";
    if (of_pull_request(instance))
        return place + "Controller is refused for Instance " + instance.metadata.name +
               ", which is of a PullRequestWatch: what a pull request says would run on the controller's host; choose "
               "a class with runOn: Machine for it";
    if (of_class.spec.tutor)
        return place +
               "Controller is for playbooks, and this class makes sites with Tutor, which runs on their "
               "machines; leave it out";
    return "";
}

std::string refused_on_controller(const crd::ProvisioningRun& run, const runtime::Inputs& inputs) {
    if (run.spec.run_on != crd::ProvisioningRun::Spec::RunOn::controller) return "";
    const std::string place = "spec.runOn: Controller is refused: ";
    const auto* owner = appserver_of(run);
    const auto appserver = owner ? inputs.get<crd::AppServer>(run.metadata.namespace_, owner->name) : std::nullopt;
    if (!appserver || appserver->metadata.uid != owner->uid) return place + "the run is of no AppServer";
    const auto& name = appserver->spec.instance_name;
    const auto instance = inputs.get<crd::Instance>(run.metadata.namespace_, name);
    if (!instance) return place + "Instance " + name + " does not exist or cannot be read";
    const auto of_class = inputs.get<crd::InstanceClass>("", instance->spec.class_name);
    if (!of_class) return place + "InstanceClass " + instance->spec.class_name + " does not exist or cannot be read";
    if (!runs_on_controller(*of_class))
        return place + "InstanceClass " + of_class->metadata.name +
               " does not say spec.configuration.runOn: Controller";
    return refused_on_controller(*instance, *of_class);
}

std::vector<runtime::Reference> controller_needs(const crd::ProvisioningRun& run) {
    std::vector<runtime::Reference> out{{crd::InstanceClass::kind, "", "", true}};
    if (const auto* owner = appserver_of(run))
        out.push_back({crd::AppServer::kind, run.metadata.namespace_, owner->name, true});
    return out;
}

std::vector<runtime::Reference> further_controller_needs(const crd::ProvisioningRun& run,
                                                         const runtime::Inputs& inputs) {
    const auto* owner = appserver_of(run);
    const auto* appserver = owner ? inputs.find(crd::AppServer::kind, run.metadata.namespace_, owner->name) : nullptr;
    if (!appserver) return {};
    return {{crd::Instance::kind, run.metadata.namespace_,
             std::string(api::find_text(*appserver, {"spec", "instanceName"})), true}};
}

}  // namespace ocim::openedx
