#include "apiserver/role_index.hpp"

namespace ocim::apiserver {

namespace {

constexpr auto group = "rbac.authorization.k8s.io";

/// How a subject is found again: by what a caller says of himself.
std::string user_key(std::string_view name) { return "u" + std::string(name); }
std::string group_key(std::string_view name) { return "g" + std::string(name); }

std::string key_of(const api::Json& subject, const std::string& namespace_) {
    const auto kind = api::find_text(subject, {"kind"});
    const auto name = api::find_text(subject, {"name"});
    if (kind == "User") return user_key(name);
    if (kind == "Group") return group_key(name);
    if (kind != "ServiceAccount") return "";
    auto home = std::string(api::find_text(subject, {"namespace"}));
    if (home.empty()) home = namespace_;
    return home.empty() ? "" : user_key("system:serviceaccount:" + home + ":" + std::string(name));
}

}  // namespace

RoleIndex::RoleIndex(registry::Registry& registry)
    : registry_(registry),
      follower_(registry.follow(
          {{group, "roles"}, {group, "clusterroles"}, {group, "rolebindings"}, {group, "clusterrolebindings"}})) {}

void RoleIndex::catch_up() {
    const auto now = registry_.revision();
    if (seen_ == now) return;
    seen_ = now;
    const auto news = follower_->take();
    if (news.from_scratch) roles_.clear(), bindings_.clear(), given_.clear();
    for (const auto& item : news.items) take(item);
}

void RoleIndex::take(const registry::Follower::Item& item) {
    const Place place{item.namespace_, item.name};
    const bool role = item.plural == "roles" || item.plural == "clusterroles";
    if (!role) drop_binding(place);
    if (!item.bytes) {
        if (role) roles_.erase(place);
        return;
    }
    const auto parsed = api::parse_json(*item.bytes);
    if (!parsed) return;  // our own text: it parses
    if (role)
        roles_[place] = rules_of(parsed->value);
    else
        put_binding(item, parsed->value);
}

void RoleIndex::put_binding(const registry::Follower::Item& item, const api::Json& object) {
    Binding binding;
    const bool of_namespace = api::find_text(object, {"roleRef", "kind"}) == "Role";
    binding.role = {of_namespace ? item.namespace_ : "", std::string(api::find_text(object, {"roleRef", "name"}))};
    const Place place{item.namespace_, item.name};
    if (const auto* subjects = api::find(object, {"subjects"}); subjects && subjects->is_array())
        for (const auto& subject : subjects->get_array())
            if (auto key = key_of(subject, item.namespace_); !key.empty()) {
                ++given_[key][item.namespace_][binding.role];
                binding.subjects.push_back(std::move(key));
            }
    bindings_[place] = std::move(binding);
}

void RoleIndex::drop_binding(const Place& place) {
    const auto found = bindings_.find(place);
    if (found == bindings_.end()) return;
    for (const auto& subject : found->second.subjects) {
        const auto given = given_.find(subject);
        auto& there = given->second[place.first];
        const auto role = there.find(found->second.role);
        if (--role->second == 0) there.erase(role);
        if (there.empty()) given->second.erase(place.first);
        if (given->second.empty()) given_.erase(given);
    }
    bindings_.erase(found);
}

bool RoleIndex::each_of(const std::string& subject, const std::string& namespace_,
                        const std::function<bool(const PolicyRules&)>& visit) const {
    const auto given = given_.find(subject);
    if (given == given_.end()) return true;
    const auto there = given->second.find(namespace_);
    if (there == given->second.end()) return true;
    for (const auto& [place, bindings] : there->second) {
        const auto role = roles_.find(place);
        if (role != roles_.end() && !visit(role->second)) return false;
    }
    return true;
}

void RoleIndex::each_role(const registry::Caller& caller, const std::string& namespace_,
                          const std::function<bool(const PolicyRules&)>& visit) {
    catch_up();
    const auto everywhere_and_here = [&](const std::string& subject) {
        return each_of(subject, "", visit) && (namespace_.empty() || each_of(subject, namespace_, visit));
    };
    if (!everywhere_and_here(user_key(caller.user))) return;
    for (const auto& name : caller.groups)
        if (!everywhere_and_here(group_key(name))) return;
}

std::optional<PolicyRules> RoleIndex::role(const std::string& namespace_, const std::string& name) {
    catch_up();
    const auto found = roles_.find({namespace_, name});
    return found == roles_.end() ? std::nullopt : std::optional(found->second);
}

}  // namespace ocim::apiserver
