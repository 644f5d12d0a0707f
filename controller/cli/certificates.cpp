#include "cli/certificates.hpp"

#include "base/log.hpp"

namespace ocim::cli {

namespace {

constexpr auto look_interval = std::chrono::hours(1);

void report(Metrics& metrics, const std::string& name, const std::string& help, const Metrics::Labels& labels,
            const std::string& certificate) {
    const auto expires = net::certificate_expiry(certificate);
    if (!expires) return;
    const auto seconds = std::chrono::duration<double>(expires->time_since_epoch()).count();
    metrics.gauge(name, help, labels).Set(seconds);
}

}  // namespace

WallTime renewal_of(WallTime issued, WallTime expires) { return expires - (expires - issued) / 3; }

void report_expiry(Metrics& metrics, const Access& access) {
    report(metrics, "ocim_ca_expiry_timestamp_seconds", "When the certificate of our CA runs out.", {},
           access.ca.certificate);
    const auto* help = "When a certificate that our CA issued runs out; it is replaced in time.";
    report(metrics, "ocim_certificate_expiry_timestamp_seconds", help, {{"certificate", "server"}},
           access.server.certificate);
    report(metrics, "ocim_certificate_expiry_timestamp_seconds", help, {{"certificate", "admin"}},
           access.admin.certificate);
}

awaitable<void> renew_in_time(Clock& clock, WallTime expires, std::function<Result<WallTime>()> renew) {
    auto due = renewal_of(clock.wall(), expires);
    for (;;) {
        // the wall clock may be set, or the machine asleep: look often
        co_await clock.sleep(look_interval);
        if (clock.wall() < due) continue;
        const auto renewed = renew();
        if (!renewed) {
            log::error("certificates could not be renewed", {{"error", renewed.error().message}});
            continue;
        }
        due = renewal_of(clock.wall(), *renewed);
        log::info("certificates were renewed", {{"until", rfc3339(*renewed)}});
    }
}

}  // namespace ocim::cli
