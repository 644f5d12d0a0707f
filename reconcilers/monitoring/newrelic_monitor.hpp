#pragma once

#include "crd/monitoringservices.hpp"
#include "crd/monitors.hpp"
#include "monitoring/watch.hpp"
#include "runtime/kinds.hpp"

#include <string>
#include <vector>

/// What a Monitor wants of New Relic; a part of monitor.cpp. Pure.
namespace ocim::monitoring::newrelic {

/// What New Relic's ping monitors cannot do, by field.
std::vector<api::Cause> faults(const crd::Monitor::Spec& spec);

std::vector<Action> diff(const crd::Monitor& object, const crd::MonitoringService& service,
                         const std::string& installation, const Snapshot& seen);
std::vector<Action> remove(const crd::Monitor& object, const std::string& installation, const Snapshot& seen);
/// Its monitor is there by the GUID that its status names: nobody who saw it has asked for another.
bool settled(const crd::Monitor& object, const std::string& installation, const Snapshot& seen);
/// `up` is what the condition Up says.
runtime::Report<crd::Monitor> report(const crd::Monitor& object, const crd::MonitoringService& service,
                                     const std::string& installation, const Snapshot& seen);

/// Under which a monitor is kept that carries no mark of this installation.
Key stranger_key(const std::string& url, const std::string& guid);
/// Under which a further one of the same mark is kept.
Key double_key(const std::string& monitor, const std::string& guid);

}  // namespace ocim::monitoring::newrelic
