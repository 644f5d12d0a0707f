#include "storage/container.hpp"

#include <algorithm>
#include <ranges>

namespace ocim::storage {

namespace {

using Object = Container::Object;
using Verb = Action::Verb;

Mark mark_of(const Object& object, const std::string& installation) {
    return {installation, object.metadata.key(), object.metadata.uid, false};
}

bool adopts(const Object& object) { return object.spec.adoption_policy == Object::Spec::AdoptionPolicy::adopt; }

/// What we may do with what has the wanted name.
enum class Standing { absent, ours, foreign, unseen };

Standing standing(const Object& object, const Mark& self, const Snapshot& seen) {
    const auto found = seen.find(Key{object.spec.container});
    if (found == seen.end()) return Standing::absent;
    if (!found->second.unseen.empty()) return Standing::unseen;
    const bool ours = !found->second.locked && runtime::takeable(found->second.mark, self, adopts(object));
    return ours ? Standing::ours : Standing::foreign;
}

Access::Everybody everybody(const Object& object) {
    switch (object.spec.public_read) {
        case Object::Spec::PublicRead::none: return Access::Everybody::nothing;
        case Object::Spec::PublicRead::objects: return Access::Everybody::objects;
        case Object::Spec::PublicRead::objects_and_listing: break;
    }
    return Access::Everybody::objects_and_listing;
}

Thing wanted(const Object& object, const Mark& self) {
    const auto& spec = object.spec;
    Thing out;
    out.mark = self;
    out.access.everybody = everybody(object);
    out.access.readers = {spec.readers.begin(), spec.readers.end()};
    out.access.writers = {spec.writers.begin(), spec.writers.end()};
    for (const auto& writer : spec.writers) out.access.readers.erase(writer);  // who writes also reads
    if (spec.cors) {
        auto& cors = out.cors.emplace();
        cors.origins = {spec.cors->allowed_origins.begin(), spec.cors->allowed_origins.end()};
        cors.expose_headers = {spec.cors->expose_headers.begin(), spec.cors->expose_headers.end()};
        cors.max_age_seconds = spec.cors->max_age_seconds;
    }
    out.versioning = spec.versioning;
    return out;
}

/// What the schema cannot say is wrong with a spec.
std::vector<api::Cause> problems(const Object& object) {
    std::vector<api::Cause> out;
    const auto& spec = object.spec;
    if (spec.empty_on_delete && spec.deletion_policy == Object::Spec::DeletionPolicy::retain)
        out.push_back({"FieldValueInvalid",
                       "Invalid value: true: has no effect with deletionPolicy: Retain; set that to Delete, or this to "
                       "false",
                       "spec.emptyOnDelete"});
    return out;
}

}  // namespace

std::vector<runtime::Claim> Container::claims(const Object& object) {
    return {{"storage/" + object.spec.store_ref.name + "/" + object.spec.container, "spec.container"}};
}

std::vector<api::Cause> Container::admit(const Object& object, const Object*, const runtime::Inputs&) {
    return problems(object);
}

std::vector<Action> Container::diff(const Object& object, const runtime::Inputs& inputs, const Snapshot& seen) {
    if (!problems(object).empty()) return {};
    const auto self = mark_of(object, inputs.installation);
    const auto where = standing(object, self, seen);
    if (where == Standing::foreign || where == Standing::unseen) return {};
    Action out;
    out.key = {object.spec.container};
    out.thing = wanted(object, self);
    out.fresh = where == Standing::absent;
    out.adopt = adopts(object);
    if (!out.fresh && seen.at(out.key) == out.thing) return {};
    return {std::move(out)};
}

std::vector<Action> Container::remove(const Object& object, const std::string& installation, const Snapshot& seen) {
    const bool retain = object.spec.deletion_policy == Object::Spec::DeletionPolicy::retain;
    const auto self = mark_of(object, installation);
    std::vector<Action> out;
    for (const auto& [key, thing] : seen) {
        if (!thing.unseen.empty()) {  // whose it is shows when it is looked at: until then this object stays
            if (key.container == object.spec.container) {
                out.emplace_back().verb = Verb::look;
                out.back().key = key;
            }
            continue;
        }
        // what was retained before stays, whatever the policy is now
        if (!thing.mark || thing.mark->retained || ownership(thing.mark, self) != runtime::Ownership::ours) continue;
        auto& action = out.emplace_back();
        action.key = key;
        action.thing = thing;
        action.thing.mark = self;
        if (retain) {
            action.thing.mark->retained = true;
        } else {
            action.verb = Verb::delete_;
            action.empty = object.spec.empty_on_delete;
        }
    }
    return out;
}

runtime::Report<Object> Container::report(const Object& object, const runtime::Inputs& inputs, const Snapshot& seen) {
    using State = runtime::Verdict::State;
    runtime::Report<Object> out;
    const auto where = standing(object, mark_of(object, inputs.installation), seen);
    if (where == Standing::ours) out.status.container = object.spec.container;
    const auto wrong = problems(object);
    if (!wrong.empty())
        out.verdict = {State::stalled, "InvalidSpec", wrong.front().field + ": " + wrong.front().message};
    else if (where == Standing::foreign)
        out.verdict = {State::stalled, "NotOwned",
                       "container " + object.spec.container +
                           ": exists there and is not this object's. Choose another name, or set adoptionPolicy: Adopt "
                           "to take over what nobody claims."};
    else if (where == Standing::unseen)
        out.verdict = {State::progressing, "Unknown",
                       "the container cannot be looked at: " + seen.at(Key{object.spec.container}).unseen};
    else if (!diff(object, inputs, seen).empty())
        out.verdict = {State::progressing, "OutOfSync", "the object storage does not yet hold what is declared"};
    else
        out.verdict = {State::ready, "InSync", ""};
    return out;
}

std::vector<runtime::Marked<Key>> Container::marked(const Snapshot& seen) {
    std::vector<runtime::Marked<Key>> out;
    for (const auto& [key, thing] : seen)
        if (thing.mark) out.push_back({key, *thing.mark, false});  // objects are data
    return out;
}

std::string_view Container::verb(const Action& action) {
    if (action.verb == Verb::delete_) return "delete";
    if (action.verb == Verb::look) return "look";
    return action.fresh ? "create" : "update";
}

std::string Container::describe(const Action& action) {
    if (action.verb == Verb::look) return "look at container " + action.key.container;
    const std::string what = std::string(verb(action)) + " container " + action.key.container;
    if (action.verb == Verb::delete_) return what + (action.empty ? " with all that is in it" : "");
    if (action.thing.mark && action.thing.mark->retained) return what + ": mark it as retained";
    switch (action.thing.access.everybody) {
        case Access::Everybody::nothing: return what;
        case Access::Everybody::objects: return what + ": everybody reads its objects";
        case Access::Everybody::objects_and_listing: break;
    }
    return what + ": everybody lists and reads its objects";
}

}  // namespace ocim::storage
