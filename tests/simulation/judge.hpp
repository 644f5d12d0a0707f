#pragma once

#include "dns/record.hpp"
#include "runtime/conditions.hpp"
#include "simulation/program.hpp"

#include <set>
#include <string>
#include <vector>

namespace ocim::simulation {

inline std::string called(const api::Json& object) {
    return std::string(api::find_text(object, {"kind"})) + " " +
           std::string(api::find_text(object, {"metadata", "name"}));
}

inline std::string reason(const api::Json& object, std::string_view type) {
    const auto* found = runtime::condition(object, type);
    if (!found) return "";
    return std::string(api::find_text(*found, {"reason"})) + ": " + std::string(api::find_text(*found, {"message"}));
}

/// Collects what is not as it must be.
class Judge {
public:
    explicit Judge(Program& program) : installation_(program.installation()), now_(program.clock().now()) {}

    /// Every object of an external kind stands firm, what it declares is there, nothing else of ours is, and what was
    /// planted is as it was.
    template <class A, class World>
    void objects(const std::vector<api::Json>& objects, const std::vector<api::Json>& others, World& world) {
        const auto& things = world.things(now_);
        runtime::Inputs inputs;
        inputs.installation = installation_;
        for (const auto& other : others) inputs.add(other);
        std::set<std::string> uids;
        for (const auto& object : objects) {
            const auto decoded = *api::decode_object<typename A::Object>(object);
            uids.insert(decoded.metadata.uid);
            firm(object);
            if (reason(object, "Stalled").starts_with("Claimed")) continue;
            if (const auto plan = A::diff(decoded, inputs, things); !plan.empty())
                broken(called(object) + " is not as declared: " + A::describe(plan.front()));
            const bool ready = A::report(decoded, inputs, things).verdict.state == runtime::Verdict::State::ready;
            if (runtime::is_ready(object) != ready)
                broken(called(object) + " says something else than what is there: " + reason(object, "Ready"));
        }
        for (const auto& marked : A::marked(things)) {
            const bool ours = marked.mark.installation == installation_ && !marked.mark.retained;
            if (ours && !uids.contains(marked.mark.uid) && !world.planted().contains(marked.key))
                broken("leaked: something of " + marked.mark.namespace_name + ", whose object is gone");
        }
        if (!world.touched(now_).empty()) broken("a stranger's thing was touched by " + std::string(A::name));
    }
    void firm(const api::Json& object) {
        if (!api::find_text(object, {"metadata", "deletionTimestamp"}).empty())
            broken(called(object) + " is still being deleted: " + reason(object, "Ready"));
        else if (runtime::condition(object, "Reconciling"))
            broken(called(object) + " is still being worked on: " + reason(object, "Ready"));
        else if (!runtime::condition(object, "Ready"))
            broken(called(object) + " says nothing");
    }
    void broken(std::string law) { laws_.push_back(std::move(law)); }
    void expect(bool holds, std::string law) {
        if (!holds) broken(std::move(law));
    }
    std::vector<std::string> take() { return std::move(laws_); }
    const std::string& installation() const { return installation_; }

private:
    std::string installation_;
    Instant now_;
    std::vector<std::string> laws_;
};

/// Takes a random thing of ours and changes or removes it.
template <class World, class Change>
void meddle(Universe& universe, World& world, const std::string& installation, Change change) {
    auto& things = world.things(universe.now);
    std::vector<typename World::Map::key_type> ours;
    for (const auto& [key, thing] : things)
        if (thing.mark && thing.mark->installation == installation && !thing.mark->retained &&
            !world.planted().contains(key))
            ours.push_back(key);
    if (ours.empty()) return;
    const auto& key = ours[universe.chance->below(ours.size())];
    universe.trace.add("meddled");
    if (universe.happens(40))
        things.erase(key);
    else
        change(things.at(key));
}

/// The CRDs that the program carries.
std::vector<api::Json> real_definitions();
/// What a zone makes of an action: the same judgement that a service makes right before it writes.
Result<void> change_zone(std::map<dns::Key, dns::RecordSet>& things, const dns::Action& action);

}  // namespace ocim::simulation
