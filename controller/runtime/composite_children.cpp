#include "runtime/base64.hpp"
#include "runtime/composite_controller.hpp"
#include "runtime/generate.hpp"

#include <algorithm>
#include <functional>

/// How children are made, kept and pruned.
namespace ocim::runtime {

namespace {

constexpr std::string_view retained_annotation = "ocim.opencraft.com/retained-by";
constexpr std::string_view our_namespace = "ocim-system";

std::string text_at(const Json& object, std::initializer_list<std::string_view> path) {
    return std::string(api::find_text(object, path));
}

std::string_view group_of(std::string_view api_version) {
    const auto slash = api_version.find('/');
    return slash == std::string_view::npos ? std::string_view() : api_version.substr(0, slash);
}

Json reference_to(const Json& owner) {
    api::json::object out;
    for (const std::string field : {"apiVersion", "kind"}) out[field] = text_at(owner, {field});
    for (const std::string field : {"name", "uid"}) out[field] = text_at(owner, {"metadata", field});
    out["controller"] = true;
    out["blockOwnerDeletion"] = true;
    return out;
}

std::string in_words(const Json& child) {
    return text_at(child, {"kind"}) + " \"" + text_at(child, {"metadata", "name"}) + "\"";
}

}  // namespace

Result<api::Kind> CompositeController::child_kind(const Json& child) const {
    const auto id = std::string(group_of(api::find_text(child, {"apiVersion"}))) + "/" + text_at(child, {"kind"});
    const auto found = kinds_.find(id);
    if (found != kinds_.end()) return found->second;
    return Error{ErrorClass::invalid, in_words(child) + ": its kind is not among the children of " + name_};
}

Result<CompositeController::ChildId> CompositeController::child_id(const Json& owner, const Json& child) const {
    auto kind = child_kind(child);
    if (!kind) return std::move(kind).error();
    auto key = ObjectKey::of(child);
    if (!kind->namespaced)
        key.namespace_.clear();
    else if (key.namespace_.empty())
        key.namespace_ = kind_.namespaced ? text_at(owner, {"metadata", "namespace"}) : std::string(our_namespace);
    return ChildId{kind_id(*kind), std::move(key)};
}

Json CompositeController::prepared(const Json& owner, const Child& child, const ChildId& id) const {
    auto out = child.object;
    auto& metadata = api::make_object(out, {"metadata"});
    if (!id.key.namespace_.empty()) metadata["namespace"] = id.key.namespace_;
    if (child.retain) {
        api::make_object(out, {"metadata", "annotations"})[retained_annotation] = retained_by(ObjectKey::of(owner));
    } else {
        api::json::array owners;
        owners.push_back(reference_to(owner));
        metadata["ownerReferences"] = std::move(owners);
    }
    return out;
}

void CompositeController::draw(Child& child) {
    if (child.generated.empty()) return;
    auto& data = api::make_object(child.object, {"data"});
    for (const auto& [key, form] : child.generated) data[key] = base64(drawn(form, engine_.random).reveal());
}

awaitable<Result<CompositeController::Applied>> CompositeController::apply_all(ObjectPtr owner,
                                                                               std::vector<Child> children) {
    Applied out;
    for (auto& child : children) {
        const auto name = in_words(child.object);
        auto result = co_await apply(owner, std::move(child));
        if (result) {
            if (*result && !out.trouble) out.trouble = **result;
            continue;
        }
        auto error = std::move(result).error().within(name);
        // one refused child does not keep its neighbours from being made
        const bool refused = error.error_class == ErrorClass::invalid;
        if (!out.trouble)
            out.trouble = Verdict{refused ? Verdict::State::stalled : Verdict::State::progressing,
                                  refused ? "ChildRefused" : "ProgressingWithRetry", error.message};
        if (!refused) out.error = std::move(error);
    }
    co_return out;
}

awaitable<void> CompositeController::edit_all(ObjectKey owner, std::vector<Edit> edits, Applied& applied) {
    for (auto& edit : edits) {
        const auto what = std::string(edit.kind.name) + " \"" + edit.name + "\"";
        api::make_object(edit.patch, {"metadata"})["resourceVersion"] = edit.resource_version;
        for (const auto& [key, form] : edit.draw)
            api::make_object(edit.patch, {"data"})[key] = base64(drawn(form, engine_.random).reveal());
        auto answer =
            co_await engine_.client.merge_patch(edit.kind, edit.namespace_, edit.name, std::move(edit.patch), "");
        if (answer) {
            engine_.cache.fold(edit.kind, *std::move(answer), this);
            if (const auto object = engine_.cache.find(kind_, owner); object && !edit.note.reason.empty())
                note(*object, edit.note.warning, edit.note.reason, "Edit", edit.note.message);
            add(owner, Priority::high);
            continue;
        }
        auto error = std::move(answer).error().within(what);
        if (error.error_class == ErrorClass::not_found) continue;  // the next composition knows
        const bool refused = error.error_class == ErrorClass::invalid;
        if (!applied.trouble)
            applied.trouble = Verdict{refused ? Verdict::State::stalled : Verdict::State::progressing,
                                      refused ? "ChangeRefused" : "ProgressingWithRetry", error.message};
        if (!refused) applied.error = std::move(error);
    }
}

awaitable<Result<std::optional<Verdict>>> CompositeController::apply(ObjectPtr owner, Child child) {
    CO_TRY(const auto kind, child_kind(child.object));
    CO_TRY(const auto id, child_id(*owner, child.object));
    auto existing = engine_.cache.find(kind, id.key);
    if (!existing) {
        if (is_deleting(*owner) || child.waiting_for) co_return std::optional<Verdict>();
        // the cache may lag behind: nothing that a person has just made is taken over
        auto found = co_await engine_.client.get(kind, id.key.namespace_, id.key.name);
        if (!found && found.error().error_class != ErrorClass::not_found) co_return std::move(found).error();
        if (found) {
            existing = engine_.cache.keeps(kind, *found) ? engine_.cache.fold(kind, *std::move(found), this)
                                                         : std::make_shared<const Json>(*std::move(found));
        } else {
            draw(child);
            CO_CHECK(co_await write_child(owner, std::move(child)));
            co_return std::optional<Verdict>();
        }
    }
    if (!existing) co_return Error{ErrorClass::conflict, "it has just been deleted"};
    co_return co_await apply_existing(std::move(owner), std::move(child), std::move(existing));
}

awaitable<Result<std::optional<Verdict>>> CompositeController::apply_existing(ObjectPtr owner, Child child,
                                                                              ObjectPtr existing) {
    CO_TRY(const auto id, child_id(*owner, child.object));
    const auto key = ObjectKey::of(*owner);
    const auto* reference = controller_reference(*existing);
    const bool owned = reference && api::find_text(*reference, {"uid"}) == api::find_text(*owner, {"metadata", "uid"});
    const bool retained = !reference && annotation(*existing, retained_annotation) == retained_by(key);
    const bool adopted = child.adopt && !reference;
    if (!owned && !retained && !adopted)
        co_return Verdict{Verdict::State::stalled, "NotOwned",
                          in_words(child.object) + " exists already and does not belong to this " +
                              std::string(kind_.name) + ": rename or delete it."};
    if (is_deleting(*existing)) co_return std::optional<Verdict>();
    if (child.create_only) {
        if (owned == child.retain || (!owned && !retained)) {
            CO_CHECK(co_await fix_owner(std::move(owner), std::move(child), std::move(existing)));
        }
        co_return std::optional<Verdict>();
    }
    const auto wanted = prepared(*owner, child, id);
    const auto& applied = memory_[key].applied;
    const auto known = applied.find(id);
    const bool same = known != applied.end() && known->second == std::hash<std::string>()(api::to_text(wanted));
    if (same && covers(*existing, wanted)) co_return std::optional<Verdict>();
    CO_CHECK(co_await write_child(std::move(owner), std::move(child)));
    co_return std::optional<Verdict>();
}

awaitable<Result<void>> CompositeController::write_child(ObjectPtr owner, Child child) {
    CO_TRY(const auto kind, child_kind(child.object));
    CO_TRY(const auto id, child_id(*owner, child.object));
    auto wanted = prepared(*owner, child, id);
    const auto hash = std::hash<std::string>()(api::to_text(wanted));
    CO_TRY(auto answer, co_await engine_.client.apply(kind, std::move(wanted), field_manager_, ""));
    engine_.cache.fold(kind, std::move(answer), this);
    if (!child.create_only) memory_[ObjectKey::of(*owner)].applied[id] = hash;
    co_return Result<void>();
}

/// A child that is never applied again changes hands: to its owner, or to nobody when it is to be retained.
awaitable<Result<void>> CompositeController::fix_owner(ObjectPtr owner, Child child, ObjectPtr existing) {
    CO_TRY(const auto kind, child_kind(child.object));
    const auto key = ObjectKey::of(*existing);
    api::json::array owners;
    if (const auto* held = api::find(*existing, {"metadata", "ownerReferences"}); held && held->is_array())
        for (const auto& item : held->get_array())
            if (api::find_text(item, {"uid"}) != api::find_text(*owner, {"metadata", "uid"})) owners.push_back(item);
    api::json::object annotations;
    if (child.retain) {
        annotations[retained_annotation] = retained_by(ObjectKey::of(*owner));
    } else {
        owners.push_back(reference_to(*owner));
        annotations[retained_annotation] = nullptr;
    }
    api::json::object metadata;
    metadata["resourceVersion"] = text_at(*existing, {"metadata", "resourceVersion"});
    metadata["ownerReferences"] = std::move(owners);
    metadata["annotations"] = std::move(annotations);
    api::json::object patch;
    patch["metadata"] = std::move(metadata);
    CO_TRY(auto answer, co_await engine_.client.merge_patch(kind, key.namespace_, key.name, std::move(patch), ""));
    engine_.cache.fold(kind, std::move(answer), this);
    co_return Result<void>();
}

/// What they have in the world stays, so they let go of it as their owner does. Secrets stay themselves: they are
/// needed to use it.
awaitable<Result<void>> CompositeController::abandon_children(ObjectPtr owner) {
    for (auto& child : children_of(*owner)) {
        if (!controller_reference(*child)) continue;
        CO_TRY(const auto kind, child_kind(*child));
        const bool stays = kind_id(kind) == kind_id(api::secret_kind);
        Result<void> done;
        if (stays)
            done = co_await release_child(owner, child);
        else
            done = co_await abandon_child(kind, child);
        if (!done && done.error().error_class != ErrorClass::not_found)
            co_return std::move(done).error().within(in_words(*child));
    }
    co_return Result<void>();
}

awaitable<Result<void>> CompositeController::release_child(ObjectPtr owner, ObjectPtr child) {
    Child released;
    released.object = *child;
    released.retain = true;
    co_return co_await fix_owner(std::move(owner), std::move(released), std::move(child));
}

awaitable<Result<void>> CompositeController::abandon_child(api::Kind kind, ObjectPtr child) {
    const auto key = ObjectKey::of(*child);
    auto uid = text_at(*child, {"metadata", "uid"});
    if (annotation(*child, abandon_annotation) != "true") {
        api::json::object patch;
        patch["metadata"] = api::json::object{
            {"resourceVersion", text_at(*child, {"metadata", "resourceVersion"})},
            {"annotations", api::json::object{{abandon_annotation, "true"}}},
        };
        CO_TRY(auto answer, co_await engine_.client.merge_patch(kind, key.namespace_, key.name, std::move(patch), ""));
        engine_.cache.fold(kind, std::move(answer), this);
    }
    if (is_deleting(*child)) co_return Result<void>();
    co_return co_await engine_.client.remove(kind, key.namespace_, key.name, std::move(uid));
}

awaitable<Result<void>> CompositeController::prune(ObjectPtr owner, std::set<ChildId> wanted) {
    const auto uid = text_at(*owner, {"metadata", "uid"});
    for (const auto& child : children_of(*owner)) {
        const auto* reference = controller_reference(*child);
        if (!reference || api::find_text(*reference, {"uid"}) != uid || is_deleting(*child)) continue;
        CO_TRY(const auto kind, child_kind(*child));
        const ChildId id{kind_id(kind), ObjectKey::of(*child)};
        if (wanted.contains(id)) continue;
        auto child_uid = text_at(*child, {"metadata", "uid"});
        CO_CHECK(co_await engine_.client.remove(kind, id.key.namespace_, id.key.name, std::move(child_uid)));
        memory_[ObjectKey::of(*owner)].applied.erase(id);
    }
    co_return Result<void>();
}

}  // namespace ocim::runtime
