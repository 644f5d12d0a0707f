#pragma once

#include "dns/ownership.hpp"
#include "dns/zone.hpp"
#include "net/http_client.hpp"

#include <memory>
#include <string>

namespace ocim::dns {

struct GandiSettings {
    std::string domain;  ///< canonical
    Secret token;
    ExternalDns external{};
};

/// What the service takes for a time to live.
inline constexpr std::int32_t gandi_ttl_min = 300, gandi_ttl_max = 2'592'000;

/// A domain at Gandi LiveDNS, by its API v5. It must be on LiveDNS already. Marks are TXT records.
std::unique_ptr<Zone> open_gandi(std::unique_ptr<net::HttpClient> http, const runtime::Services& services,
                                 GandiSettings settings);

}  // namespace ocim::dns
