#include "gitops/source.hpp"

#include "gitops/plan.hpp"

#include <utility>

namespace ocim::gitops {

namespace {

constexpr Duration while_going{2'000};

}  // namespace

std::vector<Action> Sources::diff(const Object& object, const runtime::Inputs&, const Snapshot& seen) {
    const auto plan = plan_of(object, seen);
    if (plan.standing != Plan::Standing::open) return {};
    std::vector<Action> out;
    for (const auto* thing : plan.apply)
        out.push_back({thing->exists ? Action::Verb::update : Action::Verb::create, thing->wanted->id,
                       thing->wanted->api_version, *thing->wanted});
    // what a commit moves from one kind to another is there before the former goes
    if (!out.empty() || plan.deferred > 0 || !plan.confirmed || !plan.untried.empty()) return out;
    return plan.prune;
}

std::vector<Action> Sources::remove(const Object& object, const std::string&, const Snapshot& seen) {
    if (!object.spec.prune || object.spec.suspend) return {};
    return removals(object, seen, true).actions;
}

std::optional<Duration> Sources::going(const Object& object, const std::string&, const Snapshot& seen) {
    if (!object.spec.prune || object.spec.suspend) return std::nullopt;
    const auto rest = removals(object, seen, true);
    if (rest.going == 0 && rest.unknown.empty()) return std::nullopt;
    return while_going;
}

std::string Sources::describe(const Action& action) {
    if (action.verb == Action::Verb::delete_) return "delete " + action.id.text();
    return "apply " + action.id.text() + " of " + action.manifest.file;
}

std::string_view Sources::verb(const Action& action) {
    switch (action.verb) {
        case Action::Verb::create: return "create";
        case Action::Verb::update: return "update";
        case Action::Verb::delete_: return "delete";
    }
    return "";
}

}  // namespace ocim::gitops
