#include "dns/record.hpp"

#include "base/utf8.hpp"
#include "dns/gandi.hpp"
#include "dns/ownership.hpp"
#include "dns/values.hpp"

#include <algorithm>
#include <array>
#include <optional>
#include <utility>

namespace ocim::dns {

namespace {

using Spec = crd::DNSRecord::Spec;
using runtime::Inputs;
using runtime::Ownership;
using runtime::Verdict;

constexpr std::size_t set_bytes_max = 32 * 1024;  // half of what one DNS answer can carry
constexpr std::size_t shown_bytes_max = 200;      // of a value in an event

std::string type_of(const Spec& spec) { return std::string(api::encode(spec.type).as_string()); }

Key key_of(const Spec& spec) { return Key{canonical_name(spec.name), type_of(spec)}; }

Mark mark_of(const crd::DNSRecord& object, const std::string& installation) {
    return Mark{installation, object.metadata.key(), object.metadata.uid, false};
}

api::Cause cause(std::string field, std::string_view value, const std::string& why) {
    return api::Cause{"FieldValueInvalid", "Invalid value: " + api::to_text(api::Json(value)) + ": " + why,
                      std::move(field)};
}

/// What is wrong with the spec by itself, and within the zone if that is known.
std::vector<api::Cause> faults(const Spec& spec, const std::optional<crd::DNSZone>& zone) {
    const auto domain = zone ? std::optional(canonical_name(zone->spec.domain)) : std::nullopt;
    std::vector<api::Cause> out;
    const auto key = key_of(spec);
    if (const auto wrong = wrong_with_name(spec.name, NameRule::record); !wrong.empty()) {
        out.push_back(cause("spec.name", spec.name, "it " + wrong));
    } else if (begins_with(key.name, mark_label)) {
        out.push_back(cause("spec.name", spec.name, "names that begin with \"_ocim.\" hold marks of ownership"));
    } else if (begins_with(key.name, wildcard_label)) {
        out.push_back(cause("spec.name", spec.name, "\"_wildcard\" stands for \"*\" in marks of ownership"));
    } else if (domain && !in_zone(key.name, *domain)) {
        out.push_back(cause("spec.name", spec.name, "it is not in the zone " + *domain));
    } else if (domain && spec.type == Spec::Type::cname && key.name == *domain) {
        out.push_back(cause("spec.name", spec.name, "a CNAME cannot stand at the zone's own name"));
    } else if (domain && spec.type == Spec::Type::ns && key.name == *domain) {
        out.push_back(cause("spec.name", spec.name, "the zone's own NS records are its name service's"));
    }
    if (zone && zone->spec.gandi && (spec.ttl_seconds < gandi_ttl_min || spec.ttl_seconds > gandi_ttl_max))
        out.push_back({"FieldValueInvalid", "Invalid value: Gandi takes 300 to 2592000 seconds", "spec.ttlSeconds"});
    std::size_t bytes = 0;
    for (std::size_t i = 0; i < spec.values.size(); ++i) {
        bytes += spec.values[i].size();
        const auto value = canonical_value(key.type, spec.values[i]);
        if (!value)
            out.push_back(cause("spec.values[" + std::to_string(i) + "]", spec.values[i], value.error().message));
        else if (spec.type == Spec::Type::cname && *value == key.name)
            out.push_back(cause("spec.values[" + std::to_string(i) + "]", spec.values[i], "it points at itself"));
    }
    if (bytes > set_bytes_max)
        out.push_back({"FieldValueInvalid", "Invalid value: the values are too large for one DNS answer together",
                       "spec.values"});
    if (spec.type == Spec::Type::cname && spec.values.size() != 1)
        out.push_back({"FieldValueInvalid", "Invalid value: a CNAME has exactly one value", "spec.values"});
    return out;
}

std::vector<std::string> canonical_values(const Spec& spec, const std::string& type) {
    std::vector<std::string> out;
    for (const auto& value : spec.values)
        if (auto canonical = canonical_value(type, value)) out.push_back(*std::move(canonical));
    std::ranges::sort(out);
    const auto doubles = std::ranges::unique(out);
    out.erase(doubles.begin(), doubles.end());
    return out;
}

/// What stands beside `key` and must not: a CNAME is alone at its name.
std::optional<Key> conflict(const Key& key, const Snapshot& seen) {
    for (auto it = seen.lower_bound(Key{key.name, ""}); it != seen.end() && it->first.name == key.name; ++it) {
        const auto& [other, set] = *it;
        if (other == key || (set.values.empty() && set.mark)) continue;  // only a mark is left: nothing is served
        if (key.type == "CNAME" || other.type == "CNAME") return other;
    }
    return std::nullopt;
}

/// The whole judgement about one object: why nothing may be done, or what is to be done.
struct Judgement {
    std::optional<Verdict> blocked;
    std::optional<Action> action;
};

Judgement blocked(std::string reason, std::string message) {
    return {Verdict{Verdict::State::stalled, std::move(reason), std::move(message)}, std::nullopt};
}

std::string owner_of(const RecordSet& set) {
    if (set.external)
        return "is held by external-dns as owner " + api::to_text(api::Json(set.external->owner)) +
               "; once that has stopped, list the owner in the DNSZone's spec.externalDNS.adoptOwners";
    return set.mark ? "is held by " + set.mark->namespace_name + " of installation " + set.mark->installation
                    : "carries no mark of ours";
}

Judgement judge(const crd::DNSRecord& object, const Inputs& inputs, const Snapshot& seen) {
    const auto zone = inputs.get<crd::DNSZone>("", object.spec.zone_ref.name);
    if (!zone) return {Verdict{Verdict::State::progressing, "ZoneNotFound", "the DNSZone cannot be read"}, {}};
    if (const auto wrong = faults(object.spec, zone); !wrong.empty())
        return blocked("Invalid", wrong.front().field + ": " + wrong.front().message);

    const auto key = key_of(object.spec);
    const auto self = mark_of(object, inputs.installation);
    RecordSet set{canonical_values(object.spec, key.type), object.spec.ttl_seconds, self};
    const auto found = seen.find(key);
    const bool exists = found != seen.end();
    std::vector<std::string> release;
    bool elsewhere = false;  // a running external-dns holds it
    if (exists && found->second.external) {
        const auto& stopped = zone->spec.external_dns.adopt_owners;
        elsewhere = std::ranges::find(stopped, found->second.external->owner) == stopped.end();
        if (elsewhere)
            set.external = found->second.external;  // not ours to take away
        else
            release = found->second.external->names;
    }
    const bool foreign = exists && runtime::ownership(found->second.mark, self) == Ownership::foreign;
    const bool adopt = object.spec.adoption_policy == Spec::AdoptionPolicy::adopt;
    const bool adopts = foreign && !elsewhere && runtime::takeable(found->second.mark, self, adopt);
    if (foreign && !adopts)
        return blocked("NotOwned", key.type + " " + key.name + " exists and " + owner_of(found->second) +
                                       "; remove it, or let adoptionPolicy: Adopt take over what has no mark");
    if (const auto other = conflict(key, seen))
        return blocked("Conflict", "a CNAME must be alone at its name, and " + other->type + " " + other->name +
                                       " is there; remove one of them");
    if (exists && found->second == set) return {};
    const bool anew = !exists || found->second.values.empty();
    return {std::nullopt, Action{anew ? Action::Verb::create : Action::Verb::update, key, set, adopts, release}};
}

}  // namespace

std::string Record::backend_name(const Object& object) { return object.spec.zone_ref.name; }

std::vector<runtime::Reference> Record::needs(const Object& object) {
    return {{crd::DNSZone::kind, "", object.spec.zone_ref.name}};
}

std::vector<runtime::Claim> Record::claims(const Object& object) {
    const auto key = key_of(object.spec);
    const auto prefix = "dns/" + object.spec.zone_ref.name + "/" + key.name + "/";
    if (object.spec.type != Spec::Type::cname) return {{prefix + key.type, "spec.name"}};
    // nothing may stand beside a CNAME, so it claims what any other type would
    std::vector<runtime::Claim> out;
    for (const auto& [type, text] : enum_names(Spec::Type{})) out.push_back({prefix + std::string(text), "spec.name"});
    return out;
}

std::vector<api::Cause> Record::admit(const Object& object, const Object*, const Inputs& inputs) {
    const auto zone = inputs.get<crd::DNSZone>("", object.spec.zone_ref.name);
    return faults(object.spec, zone);
}

std::vector<Action> Record::diff(const Object& object, const Inputs& inputs, const Snapshot& seen) {
    auto judged = judge(object, inputs, seen);
    if (judged.blocked || !judged.action) return {};
    return {*std::move(judged.action)};
}

std::vector<Action> Record::remove(const Object& object, const std::string& installation, const Snapshot& seen) {
    const auto self = mark_of(object, installation);
    const bool retain = object.spec.deletion_policy == Spec::DeletionPolicy::retain;
    std::vector<Action> out;
    // by the mark alone, so that nothing of a name that was changed by force stays
    for (const auto& [key, set] : seen) {
        if (!set.mark || set.mark->installation != installation || set.mark->uid != self.uid) continue;
        auto left = set;
        left.mark->retained = true;
        if (!retain || set.values.empty())
            out.push_back({Action::Verb::delete_, key, {{}, 0, set.mark}});
        else if (!set.mark->retained)
            out.push_back({Action::Verb::update, key, std::move(left)});
    }
    return out;
}

runtime::Report<crd::DNSRecord> Record::report(const Object& object, const Inputs& inputs, const Snapshot& seen) {
    runtime::Report<Object> out;
    const auto key = key_of(object.spec);
    if (const auto found = seen.find(key); found != seen.end()) {
        out.status.served = found->second.values;
        out.status.served_ttl_seconds = found->second.ttl_seconds;
    }
    const auto judged = judge(object, inputs, seen);
    if (judged.blocked)
        out.verdict = *judged.blocked;
    else if (judged.action)
        out.verdict = {Verdict::State::progressing, "Updating", "to be done: " + describe(*judged.action)};
    else
        out.verdict = {Verdict::State::ready, "Served", "the zone holds the record as declared"};
    return out;
}

std::vector<runtime::Marked<Key>> Record::marked(const Snapshot& seen) {
    std::vector<runtime::Marked<Key>> out;
    for (const auto& [key, set] : seen)
        if (set.mark) out.push_back({key, *set.mark});
    return out;
}

std::vector<Action> Record::sweep(const Key& key, const Snapshot& seen) {
    const auto found = seen.find(key);
    if (found == seen.end() || !found->second.mark) return {};
    return {{Action::Verb::delete_, key, {{}, 0, found->second.mark}}};
}

Key Record::key(const Action& action) { return action.key; }

std::string Record::describe(const Action& action) {
    auto out = std::string(verb(action)) + " " + action.key.type + " " + action.key.name;
    if (action.verb == Action::Verb::delete_) return out;
    std::string values;
    for (const auto& value : action.set.values) values += (values.empty() ? "" : ", ") + value;
    return out + " -> " + one_line(values, shown_bytes_max) + " (" + std::to_string(action.set.ttl_seconds) + " s)";
}

std::string_view Record::verb(const Action& action) {
    switch (action.verb) {
        case Action::Verb::create: return "create";
        case Action::Verb::update: return "update";
        case Action::Verb::delete_: return "delete";
    }
    return {};
}

}  // namespace ocim::dns
