#pragma once

#include "crd/appservers.hpp"
#include "crd/loadbalancers.hpp"
#include "openedx/site.hpp"

#include <vector>

/// The objects that an Instance wants beside its AppServers.
namespace ocim::openedx {

/// Everything that a part of an Instance is made from.
struct InstanceView {
    const crd::Instance& instance;
    const crd::InstanceClass& of_class;
    const runtime::Inputs& inputs;
    const SiteSecrets& secrets;
    std::vector<crd::AppServer> serving;  ///< active and running with an address, newest first
    std::vector<crd::AppServer> standby;  ///< behind the load balancer too, without visitors
    bool visited = false;                 ///< the load balancer sends visitors to one of them
};

/// A child of any generated kind, in the Instance's namespace.
template <api::Object T>
runtime::Child child(const T& object) {
    return runtime::Child{api::encode_object(object), std::nullopt, false, {}, false};
}

/// A child that is there and stays as it is, neither changed nor made anew: for the stages of a deletion.
runtime::Child standing(const api::Json& object);
/// One that a person made and the Instance answers for from now on.
runtime::Child adopted(const api::Json& object);

bool deletes_data(const crd::Instance& instance);
/// Whether it takes over what exists: the Instance asks for it, and its class is one for taking sites over.
bool adopts(const crd::Instance& instance, const crd::InstanceClass& of_class);

/// Drawn as its scheme of names wants it; one that a person made is taken over with `adopt`.
runtime::Child generated_secrets(const crd::Instance& instance, NameScheme scheme, bool adopt);
runtime::Child basic_auth_secret(const InstanceView& view);
/// Empty at first; a run adds what Tutor draws before it launches anything.
runtime::Child tutor_secret(const crd::Instance& instance);
runtime::Child configuration_secret(const InstanceView& view, const Configuration& configuration);

/// Databases, broker and files; nothing of what is on the machine itself.
std::vector<runtime::Child> data_children(const InstanceView& view);
/// What leads visitors to the site: its fragment and names.
std::vector<runtime::Child> traffic_children(const InstanceView& view, const crd::LoadBalancer& balancer);
std::vector<runtime::Child> monitor_children(const InstanceView& view);

}  // namespace ocim::openedx
