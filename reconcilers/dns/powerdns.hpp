#pragma once

#include "dns/ownership.hpp"
#include "dns/zone.hpp"
#include "net/http_client.hpp"

#include <memory>
#include <string>

namespace ocim::dns {

struct PowerDnsSettings {
    std::string domain;  ///< canonical
    std::string server_id = "localhost";
    Secret api_key;
    ExternalDns external{};
};

/// A zone at a PowerDNS Authoritative Server, by its HTTP API. The zone must exist there.
/// Marks are comments of the record sets (account "ocim"), or TXT records where the backend has no comments.
std::unique_ptr<Zone> open_powerdns(std::unique_ptr<net::HttpClient> http, const runtime::Services& services,
                                    PowerDnsSettings settings);

}  // namespace ocim::dns
