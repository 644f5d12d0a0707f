#pragma once

#include "dns/ownership.hpp"
#include "dns/tsig.hpp"
#include "dns/zone.hpp"

#include <memory>
#include <string>

namespace ocim::dns {

struct Rfc2136Settings {
    std::string domain;  ///< canonical
    std::string host, port;
    TsigKey key;
    ExternalDns external{};
    Duration timeout{20'000};  ///< of one exchange
};

/// A zone at a name server that takes DNS UPDATE with TSIG (RFC 2136, 8945) and lets us transfer it. It must exist
/// there. Marks are TXT records; they and what they mark change in one message, if nobody was there before.
std::unique_ptr<Zone> open_rfc2136(const runtime::Services& services, Rfc2136Settings settings);

}  // namespace ocim::dns
