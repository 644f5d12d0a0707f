#include "api/conditions.hpp"

#include <algorithm>

namespace ocim::api {

const Condition* find_condition(const std::vector<Condition>& conditions, std::string_view type) {
    const auto found = std::ranges::find(conditions, type, &Condition::type);
    return found == conditions.end() ? nullptr : &*found;
}

bool is_true(const std::vector<Condition>& conditions, std::string_view type) {
    const auto* found = find_condition(conditions, type);
    return found && found->status == "True";
}

bool set_condition(std::vector<Condition>& conditions, Condition wanted, WallTime now) {
    const auto found = std::ranges::find(conditions, wanted.type, &Condition::type);
    if (found == conditions.end()) {
        wanted.last_transition_time = rfc3339(now);
        conditions.push_back(std::move(wanted));
        return true;
    }
    wanted.last_transition_time = found->status == wanted.status ? found->last_transition_time : rfc3339(now);
    if (*found == wanted) return false;
    *found = std::move(wanted);
    return true;
}

bool remove_condition(std::vector<Condition>& conditions, std::string_view type) {
    return std::erase_if(conditions, [type](const Condition& condition) { return condition.type == type; }) > 0;
}

}  // namespace ocim::api
