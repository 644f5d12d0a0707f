#pragma once

#include "crd/clouds.hpp"
#include "crd/instanceclasses.hpp"
#include "crd/instances.hpp"
#include "crd/securitygroups.hpp"
#include "runtime/kinds.hpp"

#include <optional>
#include <string>
#include <vector>

/// Who may reach the machines of a class: its security group in each cloud that has such things, and further groups
/// that people make there.
namespace ocim::openedx {

/// What the class's group is called at the cloud.
std::string group_name(const crd::InstanceClass& of_class);
/// The SecurityGroup of a class for a cloud, in the namespace ocim-system.
std::string group_object_name(const std::string& class_name, const std::string& cloud);

/// The groups of a class: one for each OpenStack cloud that it may choose or that its Instances are placed in. What is
/// there for a cloud that is gone while somebody is placed in it stays as it is.
std::vector<runtime::Child> group_children(const crd::InstanceClass& of_class, const runtime::Children& children,
                                           const runtime::Inputs& inputs);

/// What the machines of an Instance are told of groups, added to its settings; nothing in a cloud without groups.
void add_groups(const crd::Instance& instance, const crd::InstanceClass& of_class, const std::string& cloud,
                const runtime::Inputs& inputs, api::json::object& settings);

/// The class's group that `settings` name; nothing when they name none. `lacking` says what is still to be waited for.
struct GroupStanding {
    std::string name;
    std::optional<std::string> lacking;
};
std::optional<GroupStanding> group_of(const api::Json& settings, const runtime::Inputs& inputs);

}  // namespace ocim::openedx
