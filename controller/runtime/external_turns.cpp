#include "runtime/external_controller.hpp"

#include <algorithm>

/// Things of which only so many are under way at a time: who has a place, and who waits for one.
namespace ocim::runtime {

using namespace std::chrono_literals;

void ExternalController::note_turn(Case& at, const Inputs& inputs) {
    if (!external_.takes_turns()) return;
    at.turn = at.backend.world().turn(at.object, inputs);
    if (!at.turn) turns_.leave(at.key);
    if (at.turn && at.turn->under_way) turns_.hold(at.key, at.turn->of);
    auto& tracked = at.tracked;
    if (!at.turn || at.turn->under_way) tracked.turn_known = true;
    if (!tracked.from_before || tracked.turn_known) return;
    // a call of an earlier run may have begun it until a look after that call's last moment has shown that none did
    auto& world = at.backend.world();
    const auto now = engine_.clock.now();
    const auto landed = engine_.started + at.backend.settings().landing_max;
    if (now < landed) {
        queue_.add(at.key.text(), landed, Priority::low);
    } else if (!tracked.turn_look) {
        tracked.turn_look = tracked.looks = world.tick();
        queue_.add(at.key.text(), now, Priority::low);
    } else if (world.observation_began() > *tracked.turn_look) {
        tracked.turn_known = true;
    }
}

bool ExternalController::begins_something(const std::vector<PlannedAction>& plan) {
    return std::ranges::any_of(plan, [](const auto& action) { return action.verb == "create"; });
}

/// What would begin its thing waits until there is a place; nothing when it has one.
std::optional<ExternalController::Decision> ExternalController::wait_for_turn(Case& at,
                                                                              const std::vector<PlannedAction>& plan) {
    constexpr Duration ask_again = 5s;  // for what nobody tells: that another one's state has become known
    if (!at.turn || at.turn->under_way || !begins_something(plan)) return std::nullopt;
    const auto& turn = *at.turn;
    const auto unknown = turns_unknown(at.key, turn.of);
    const std::string created(api::find_text(at.object, {"metadata", "creationTimestamp"}));
    if (turns_.take(at.key, turn, created, unknown)) return std::nullopt;
    at.waits_for_turn = true;
    Decision out;
    out.what = Decision::What::report;
    out.settled = true;
    out.again = engine_.clock.now() + ask_again;
    out.standing.verdict =
        Verdict{Verdict::State::progressing, "WaitingForTurn",
                "Waits for its turn, the oldest first: " + std::to_string(turns_.taken(turn.of) + unknown) +
                    " are under way, and " + turn.bound + " allows " + std::to_string(turn.limit) + " at a time."};
    return out;
}

/// Others of which an earlier run of this program may have begun something that is not seen yet.
std::size_t ExternalController::turns_unknown(const ObjectKey& asking, const std::string& of) const {
    std::size_t out = 0;
    for (const auto& [key, tracked] : tracked_) {
        if (!tracked.from_before || tracked.turn_known || key == asking || turns_.holds(key)) continue;
        const auto object = engine_.cache.find(kind_, key);
        const auto* said = facts(key);
        if (!object || !said || !*said) continue;
        Inputs inputs;
        (void)resolve(engine_, (*said)->needs, inputs);
        const auto turn = external_.turn(*object, inputs);
        if (turn && turn->of == of) ++out;
    }
    return out;
}

void ExternalController::wake_next_turns() {
    for (const auto& key : turns_.take_next()) add(key, Priority::high);
}

}  // namespace ocim::runtime
