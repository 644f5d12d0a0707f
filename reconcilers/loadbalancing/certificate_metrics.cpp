#include "loadbalancing/certificate_metrics.hpp"

#include "loadbalancing/rendering.hpp"

#include <utility>

namespace ocim::loadbalancing {

namespace {

constexpr auto metric = "ocim_certificate_expiry_timestamp_seconds";
constexpr auto help = "When the certificate in force of a LoadBalancerFragment ends, in seconds since 1970.";

Metrics::Labels labels(const std::string& balancer, const std::string& object) {
    const auto slash = object.find('/');
    return {{"load_balancer", balancer},
            {"namespace", object.substr(0, slash)},
            {"name", slash == std::string::npos ? "" : object.substr(slash + 1)}};
}

}  // namespace

CertificateMetrics::CertificateMetrics(Metrics& metrics, std::string installation, std::string balancer)
    : metrics_(metrics), installation_(std::move(installation)), balancer_(std::move(balancer)) {}

CertificateMetrics::~CertificateMetrics() {
    for (const auto& object : shown_) metrics_.remove_gauge(metric, labels(balancer_, object));
}

void CertificateMetrics::show(const Version& version) {
    std::set<std::string> now;
    for (const auto& [name, certificate] : version.certificates) {
        const auto found = version.fragments.find(name);
        if (found == version.fragments.end()) continue;
        const auto mark = mark_of(found->second.content);
        const auto note = certificate_of(found->second.content);
        if (!mark || !note || mark->installation != installation_) continue;
        const auto since = std::chrono::duration_cast<std::chrono::seconds>(note->not_after.time_since_epoch());
        metrics_.gauge(metric, help, labels(balancer_, mark->namespace_name)).Set(static_cast<double>(since.count()));
        now.insert(mark->namespace_name);
    }
    for (const auto& object : shown_)
        if (!now.contains(object)) metrics_.remove_gauge(metric, labels(balancer_, object));
    shown_ = std::move(now);
}

}  // namespace ocim::loadbalancing
