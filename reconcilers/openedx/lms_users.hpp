#pragma once

#include "crd/instances.hpp"
#include "openedx/variables.hpp"
#include "runtime/kinds.hpp"

#include <string>
#include <vector>

/// The users that an Instance wants in its LMS. Their password hashes come from Secrets, and go into Secrets only.
namespace ocim::openedx {

/// The Secrets that they are read from.
std::vector<runtime::Reference> lms_user_needs(const crd::Instance& instance);

/// Into `site`, with whether each must succeed. Error: not_found, when a Secret lacks what it should hold; invalid,
/// when that is no hash. Neither quotes it.
Result<void> add_lms_users(Site& site, const crd::Instance& instance, const runtime::Inputs& inputs);

/// Whether an AppServer of the Instance has ever run.
bool ever_provisioned(const crd::Instance& instance, const runtime::Inputs& inputs);

/// Whether a user that cannot be made fails the AppServer. A site that ran once has its users in databases that outlive
/// its machines, perhaps changed by people since: what is there is right.
constexpr bool users_must_succeed(bool ever_provisioned, bool ephemeral_databases) {
    return !ever_provisioned || ephemeral_databases;
}

/// What the playbook that makes them gets.
Variables lms_user_variables(const Site& site);
/// What the program in run_tutor.sh gets, as JSON.
std::string lms_user_list(const Site& site);

}  // namespace ocim::openedx
