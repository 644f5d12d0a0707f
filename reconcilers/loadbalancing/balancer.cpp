#include "loadbalancing/balancer.hpp"

#include "loadbalancing/rendering.hpp"

namespace ocim::loadbalancing {

std::optional<Taken> taken(const std::vector<std::string>& domains, const std::string& fragment,
                           const std::string& installation, const Snapshot& seen, const std::string& host) {
    for (const auto& domain : domains) {
        const auto found = seen.find(domain_key(domain, host));
        if (found == seen.end() || found->second.backend == fragment) continue;
        const auto holder = seen.find(fragment_key(found->second.backend, host));
        const auto& elsewhere = found->second.elsewhere;
        const bool by_us = elsewhere.empty() && holder != seen.end() && holder->second.mark &&
                           holder->second.mark->installation == installation && !holder->second.mark->retained;
        return Taken{domain, found->second.backend, by_us, elsewhere};
    }
    return std::nullopt;
}

std::optional<Unsure> unsure(const std::vector<std::string>& domains, const std::string& fragment, const Snapshot& seen,
                             const std::string& host) {
    const auto unreadable = seen.find(unreadable_key(host));
    if (unreadable == seen.end()) return std::nullopt;
    const auto& file = unreadable->second.elsewhere;
    if (!seen.contains(fragment_key(fragment, host))) return Unsure{"backend " + fragment, file};
    for (const auto& domain : domains) {
        const auto found = seen.find(domain_key(domain, host));
        if (found == seen.end() || found->second.backend != fragment) return Unsure{domain, file};
    }
    return std::nullopt;
}

Result<bool> still_wanted(const Action& action, const Snapshot& seen) {
    const bool deleting = action.verb == Action::Verb::delete_;
    const auto found = seen.find(fragment_key(action.fragment, action.host));
    const bool elsewhere = found != seen.end() && !found->second.elsewhere.empty();
    const bool exists = found != seen.end() && (!elsewhere || found->second.mark);
    if (!exists && deleting) return false;
    if (elsewhere && !deleting)
        return Error{ErrorClass::conflict,
                     "backend " + action.fragment + " has come to be in fragment " + found->second.elsewhere};
    if (exists && !runtime::takeable(found->second.mark, action.mark, action.adopt))
        return Error{ErrorClass::conflict, "fragment " + action.fragment + " has come to belong to another"};
    if (deleting) return true;
    if (const auto other = taken(action.domains, action.fragment, action.mark.installation, seen, action.host);
        other && (!action.adopt || !other->elsewhere.empty()))
        return Error{ErrorClass::conflict, other->domain + " has come to lead to " + other->backend};
    if (const auto not_known = unsure(action.domains, action.fragment, seen, action.host))
        return Error{ErrorClass::conflict, not_known->file + " cannot be read: " + not_known->what + " may be in it"};
    if (!exists) return true;
    const auto& there = found->second;
    const auto note = certificate_of(action.text.reveal());
    return (note ? note->file : "") != there.certificate || there.mark != action.mark || there.text != action.text ||
           there.domains != action.domains || !there.live || there.readable_by_all;
}

}  // namespace ocim::loadbalancing
