#pragma once

#include "crd/monitors.hpp"
#include "monitoring/watch.hpp"
#include "runtime/kinds.hpp"

#include <optional>

/// How what was found is told, whoever found it. Pure.
namespace ocim::monitoring {

/// The status, the conditions Up and CertificateExpiring, and what is news. Without a last outcome what was found
/// before holds. The verdict, and who is told, is the caller's business.
runtime::Report<crd::Monitor> tell_findings(const crd::Monitor& object, const runtime::Inputs& inputs,
                                            const std::optional<Outcome>& last);

}  // namespace ocim::monitoring
