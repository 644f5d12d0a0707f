#pragma once

#include "dns/zone.hpp"

#include "crd/dnsrecords.hpp"
#include "crd/dnszones.hpp"

#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace ocim::dns {

/// The kind DNSRecord: one record set in a DNSZone.
struct Record {
    using Object = crd::DNSRecord;
    using Backend = crd::DNSZone;
    using Key = dns::Key;
    using Thing = RecordSet;
    using Action = dns::Action;

    static constexpr std::string_view name = "dnsrecord";

    static std::string backend_name(const Object& object);
    static std::vector<runtime::Reference> needs(const Object& object);
    static std::vector<runtime::Claim> claims(const Object& object);
    static std::vector<api::Cause> admit(const Object& object, const Object* old, const runtime::Inputs& inputs);

    static std::vector<Action> diff(const Object& object, const runtime::Inputs& inputs, const Snapshot& seen);
    static std::vector<Action> remove(const Object& object, const std::string& installation, const Snapshot& seen);
    static runtime::Report<Object> report(const Object& object, const runtime::Inputs& inputs, const Snapshot& seen);

    static std::vector<runtime::Marked<Key>> marked(const Snapshot& seen);
    static std::vector<Action> sweep(const Key& key, const Snapshot& seen);
    static Key key(const Action& action);
    static std::string describe(const Action& action);
    static std::string_view verb(const Action& action);

    // the zone's own kind: zone_object.cpp
    static runtime::BackendSettings settings(const Backend& zone);
    static std::vector<runtime::Reference> backend_needs(const Backend& zone);
    static Result<std::unique_ptr<Zone>> open(const Backend& zone, const runtime::Inputs& inputs,
                                              const runtime::Services& services);
};

}  // namespace ocim::dns
