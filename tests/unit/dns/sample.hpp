#pragma once

#include "dns/record.hpp"

#include <string>
#include <utility>
#include <vector>

/// Objects for the tests of this area.
namespace ocim::dns::test {

using Spec = crd::DNSRecord::Spec;

inline crd::DNSZone zone(const std::string& domain = "example.org") {
    crd::DNSZone out;
    out.metadata.name = "zone";
    out.spec.domain = domain;
    out.spec.credentials_ref.name = "dns-key";
    return out;
}

inline crd::DNSRecord record(const std::string& name, std::vector<std::string> values,
                             Spec::Type type = Spec::Type::a) {
    crd::DNSRecord out;
    out.metadata.name = "www";
    out.metadata.namespace_ = "campus";
    out.metadata.uid = "uid-1";
    out.spec.zone_ref.name = "zone";
    out.spec.name = name;
    out.spec.type = type;
    out.spec.values = std::move(values);
    out.spec.ttl_seconds = 300;
    return out;
}

inline runtime::Inputs inputs(const crd::DNSZone& zone = test::zone()) {
    runtime::Inputs out;
    out.installation = "prod";
    out.add(api::encode_object(zone));
    return out;
}

inline const Mark ours{"prod", "campus/www", "uid-1", false};
inline const Key www{"www.example.org", "A"};

}  // namespace ocim::dns::test
