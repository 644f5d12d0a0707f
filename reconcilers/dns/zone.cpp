#include "dns/zone.hpp"

namespace ocim::dns {

bool adoptable(const std::optional<Mark>& found, const Mark& self) {
    return !found || (found->installation == self.installation && found->namespace_name == self.namespace_name);
}

Result<bool> still_wanted(const Action& action, const RecordSet* found) {
    const bool deleting = action.verb == Action::Verb::delete_;
    if (!found) return !deleting;
    const auto& mark = action.set.mark;
    const bool ours = mark && runtime::ownership(found->mark, *mark) == runtime::Ownership::ours;
    if (!ours && !(action.adopt && mark && adoptable(found->mark, *mark)))
        return Error{ErrorClass::conflict, action.key.type + " " + action.key.name + " has come to belong to another"};
    return deleting || *found != action.set;
}

}  // namespace ocim::dns
