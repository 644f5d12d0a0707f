#include "simulation/judge.hpp"

#include "crd/schemas.hpp"

#include <stdexcept>

namespace ocim::simulation {

std::vector<api::Json> real_definitions() {
    std::vector<api::Json> out;
    for (const auto text : crd::schemas()) {
        auto parsed = api::parse_json(text);
        if (!parsed) throw std::runtime_error(parsed.error().message);
        out.push_back(std::move(parsed->value));
    }
    return out;
}

Result<void> change_zone(std::map<dns::Key, dns::RecordSet>& things, const dns::Action& action) {
    const auto found = things.find(action.key);
    const auto wanted = dns::still_wanted(action, found == things.end() ? nullptr : &found->second);
    if (!wanted) return wanted.error();
    if (!*wanted) return {};
    if (action.verb == dns::Action::Verb::delete_)
        things.erase(action.key);
    else
        things.insert_or_assign(action.key, action.set);
    return {};
}

}  // namespace ocim::simulation
