#pragma once

#include "crd/monitors.hpp"
#include "monitoring/watch.hpp"
#include "runtime/kinds.hpp"

#include <optional>
#include <string>
#include <vector>

/// From what a person wrote to what is asked. Pure.
namespace ocim::monitoring {

/// What cannot be: where, what and why.
struct Wrong {
    std::string field, value, why;
};
std::optional<Wrong> wrong_with(const crd::Monitor::Spec& spec);

/// The Secrets that the probe needs.
std::vector<runtime::Reference> secrets_of(const crd::Monitor& object);

/// What is wanted, or a verdict that says why it cannot be.
Result<Probe, runtime::Verdict> wanted(const crd::Monitor& object, const runtime::Inputs& inputs);

/// What is watched, for people, also where it cannot be.
std::string target_of(const crd::Monitor::Spec& spec);

}  // namespace ocim::monitoring
