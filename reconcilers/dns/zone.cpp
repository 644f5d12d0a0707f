#include "dns/zone.hpp"

namespace ocim::dns {

Result<bool> still_wanted(const Action& action, const RecordSet* found) {
    const bool deleting = action.verb == Action::Verb::delete_;
    if (!found) return !deleting;
    const auto& mark = action.set.mark;
    if (!mark || !runtime::takeable(found->mark, *mark, action.adopt))
        return Error{ErrorClass::conflict, action.key.type + " " + action.key.name + " has come to belong to another"};
    const bool ours = runtime::ownership(found->mark, *mark) == runtime::Ownership::ours;
    const bool released = !found->external || (action.adopt && found->external->names == action.release);
    if (!ours && !released)
        return Error{ErrorClass::conflict,
                     action.key.type + " " + action.key.name + " has come to belong to external-dns"};
    return deleting || *found != action.set;
}

}  // namespace ocim::dns
