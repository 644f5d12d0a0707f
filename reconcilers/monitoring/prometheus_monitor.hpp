#pragma once

#include "crd/monitoringservices.hpp"
#include "crd/monitors.hpp"
#include "monitoring/watch.hpp"
#include "runtime/kinds.hpp"

#include <string>
#include <vector>

/// What a Monitor wants of a Prometheus with a blackbox exporter; a part of monitor.cpp. Pure.
namespace ocim::monitoring::prometheus {

/// What no target of a blackbox exporter can say, by field.
std::vector<api::Cause> faults(const crd::Monitor::Spec& spec);

std::vector<Action> diff(const crd::Monitor& object, const crd::MonitoringService& service,
                         const std::string& installation, const Snapshot& seen);
std::vector<Action> remove(const crd::Monitor& object, const std::string& installation, const Snapshot& seen);
runtime::Report<crd::Monitor> report(const crd::Monitor& object, const crd::MonitoringService& service,
                                     const runtime::Inputs& inputs, const Snapshot& seen);

}  // namespace ocim::monitoring::prometheus
