#pragma once

#include "crd/monitoringservices.hpp"
#include "monitoring/watch.hpp"
#include "runtime/kinds.hpp"

#include <memory>
#include <vector>

/// A MonitoringService that is a Prometheus; a part of service_object.cpp.
namespace ocim::monitoring::prometheus {

/// The Secrets that open() reads.
std::vector<runtime::Reference> needs(const crd::MonitoringService& service);

Result<std::unique_ptr<Watch>> open(const crd::MonitoringService& service, const runtime::Inputs& inputs,
                                    const runtime::Services& services);

}  // namespace ocim::monitoring::prometheus
