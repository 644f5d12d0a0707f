#pragma once

#include "base/async.hpp"
#include "base/metrics.hpp"
#include "cli/access.hpp"

#include <functional>

namespace ocim::cli {

/// When a certificate is to be replaced: when a third of its life is left.
WallTime renewal_of(WallTime issued, WallTime expires);

/// Tells when the CA and the certificates that it issued run out.
void report_expiry(Metrics& metrics, const Access& access);

/// Calls `renew` in time, again and again; it returns when the certificates that it made run out. When it fails it is
/// called again an hour later. Until cancelled.
awaitable<void> renew_in_time(Clock& clock, WallTime expires, std::function<Result<WallTime>()> renew);

}  // namespace ocim::cli
