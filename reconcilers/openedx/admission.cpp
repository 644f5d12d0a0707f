#include "crd/instanceclasses.hpp"
#include "openedx/files.hpp"
#include "openedx/instance.hpp"
#include "openedx/names.hpp"
#include "openedx/site.hpp"

#include <algorithm>
#include <set>

/// What is refused before it is stored. What slips through is not taken on, and says so in its conditions: in operator
/// mode nobody asks us before.
namespace ocim::openedx {
namespace {

using api::Cause;
using Object = crd::Instance;

constexpr std::size_t label_max = 63;  // RFC 1035 section 2.3.4

std::string quoted(const std::string& text) { return api::to_text(api::Json(text)); }

Cause invalid(const std::string& field, const std::string& value, const std::string& why) {
    return {"FieldValueInvalid", "Invalid value: " + quoted(value) + ": " + why, field};
}

/// The names that the class gives: reserved, too long for DNS, or taken.
void check_subdomain(const Object& object, const crd::InstanceClass& of_class, const runtime::Inputs& inputs,
                     std::vector<Cause>& out) {
    const auto& subdomain = object.spec.subdomain;
    const auto& reserved = of_class.spec.reserved_subdomains;
    if (std::ranges::find(reserved, subdomain) != reserved.end())
        out.push_back(invalid("spec.subdomain", subdomain,
                              "is reserved by InstanceClass " + of_class.metadata.name + "; choose another"));
    for (const auto& [service, domain] : domains_of_class(object, of_class)) {
        const auto label = domain.substr(0, domain.find('.'));
        if (label.size() > label_max) {
            out.push_back(invalid("spec.subdomain", subdomain,
                                  "makes the name " + quoted(label) + ", which has " + std::to_string(label.size()) +
                                      " characters; a DNS label has 63 at most, so choose a shorter one"));
            return;
        }
        if (const auto holder = inputs.holder("domain/" + domain))
            out.push_back({"FieldValueDuplicate",
                           "Duplicate value: " + quoted(subdomain) + ": makes the name " + domain +
                               ", which is already held by " + *holder + "; choose another",
                           "spec.subdomain"});
    }
}

/// External names are a customer's: none lies where classes give names, and each leads to one service.
void check_external(const Object& object, const runtime::Inputs& inputs, std::vector<Cause>& out) {
    std::set<std::string> seen;
    for (const auto& [service, domain] : external_domains(object)) {
        if (!seen.insert(domain).second)
            out.push_back({"FieldValueDuplicate",
                           "Duplicate value: " + quoted(domain) + ": every service needs a name of its own",
                           field_of(service)});
        for (const auto& of_class : inputs.all<crd::InstanceClass>()) {
            const auto& base = of_class.spec.base_domain;
            if (domain != base && !domain.ends_with("." + base)) continue;
            out.push_back(invalid(field_of(service), domain,
                                  "lies in " + base + ", where spec.subdomain gives the names; leave it out"));
            break;
        }
    }
}

/// What a change would have to move.
void check_mode(const Object& object, const Object& old, const crd::InstanceClass& of_class, std::vector<Cause>& out) {
    using Mode = Object::Spec::Databases::Mode;
    const auto& databases = object.spec.databases;
    if (!databases || !databases->mode || !old.status.placement) return;
    const bool kept = persistent(old, of_class);
    if (kept == (*databases->mode == Mode::persistent)) return;
    out.push_back(invalid("spec.databases.mode", kept ? "Ephemeral" : "Persistent",
                          std::string("cannot be changed: this site's databases are ") +
                              (kept ? "Persistent" : "Ephemeral") + "; make another Instance"));
}

/// Names of other systems come from what a person brings then: that is for classes that are made for it.
void check_adoption(const Object& object, const crd::InstanceClass& of_class, std::vector<Cause>& out) {
    if (object.spec.adoption_policy != Object::Spec::AdoptionPolicy::adopt) return;
    if (of_class.spec.name_scheme == crd::InstanceClass::Spec::NameScheme::ocim_v1) return;
    out.push_back(invalid("spec.adoptionPolicy", "Adopt",
                          "InstanceClass " + of_class.metadata.name +
                              " is not one for taking sites over; leave it out, or choose a class whose "
                              "spec.nameScheme is OcimV1"));
}

}  // namespace

std::vector<Cause> Instances::admit(const Object& object, const Object* old, const runtime::Inputs& inputs) {
    std::vector<Cause> out;
    if (!old || old->spec.domains != object.spec.domains) check_external(object, inputs, out);
    const auto of_class = inputs.get<crd::InstanceClass>("", object.spec.class_name);
    if (!of_class) return out;  // may be applied later; the object says so in its conditions
    if (!old || old->spec.adoption_policy != object.spec.adoption_policy) check_adoption(object, *of_class, out);
    if (!old) {
        check_subdomain(object, *of_class, inputs, out);
        return out;
    }
    check_mode(object, *old, *of_class, out);
    // what was let in before a site was placed stays as it is, and the object says what is wrong with it
    if (object.spec.storage != old->spec.storage)
        if (auto changed = storage_changed(object.spec, old->status)) out.push_back(*std::move(changed));
    return out;
}

}  // namespace ocim::openedx
