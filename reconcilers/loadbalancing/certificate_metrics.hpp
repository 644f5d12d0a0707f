#pragma once

#include "base/metrics.hpp"
#include "loadbalancing/version.hpp"

#include <set>
#include <string>

namespace ocim::loadbalancing {

/// When each certificate in force on a load balancer ends, as gauges: one series a fragment with a certificate; it goes
/// with it.
class CertificateMetrics {
public:
    CertificateMetrics(Metrics& metrics, std::string installation, std::string balancer);
    ~CertificateMetrics();
    CertificateMetrics(const CertificateMetrics&) = delete;
    CertificateMetrics& operator=(const CertificateMetrics&) = delete;

    void show(const Version& version);

private:
    Metrics& metrics_;
    const std::string installation_, balancer_;
    std::set<std::string> shown_;  ///< "namespace/name"
};

}  // namespace ocim::loadbalancing
