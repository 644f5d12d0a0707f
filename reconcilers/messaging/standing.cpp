#include "messaging/standing.hpp"

#include <algorithm>
#include <map>

namespace ocim::messaging {

namespace {

using Object = crd::RabbitMQVhost;
using Kind = Key::Kind;

/// Earlier versions did not name policies at their vhost: what was ours stood in the status alone. Such a vhost names
/// none; those still wanted count as ours once, for with that the vhost names them.
std::set<std::string> remembered_policies(const Object& object) {
    std::set<std::string> out;
    for (const auto& policy : object.spec.policies)
        if (std::ranges::find(object.status.policies, policy.name) != object.status.policies.end())
            out.insert(policy.name);
    return out;
}

}  // namespace

runtime::Mark mark_of(const Object& object, const std::string& installation) {
    const bool retain = object.spec.deletion_policy == Object::Spec::DeletionPolicy::retain;
    return {installation, object.metadata.key(), object.metadata.uid, retain};
}
Key vhost_key(const std::string& vhost) { return {Kind::vhost, vhost, ""}; }
Key user_key(const std::string& user) { return {Kind::user, "", user}; }

Standing standing(const Object& object, const runtime::Mark& self, const Key& key, const Snapshot& seen) {
    const auto found = seen.find(key);
    if (found == seen.end()) return Standing::absent;
    const bool adopt = object.spec.adoption_policy == Object::Spec::AdoptionPolicy::adopt;
    const bool ours = !found->second.reserved && runtime::takeable(found->second.mark, self, adopt);
    return ours ? Standing::ours : Standing::foreign;
}

std::set<Key> wanted_keys(const Object& object, const runtime::Inputs& inputs) {
    std::set<Key> out{vhost_key(object.spec.vhost)};
    for (const auto& user : object.spec.users)
        for (const auto& account : accounts_of(object, user, inputs)) out.insert(user_key(account.name));
    return out;
}

std::set<std::string> own_policies(const Object& object, const runtime::Mark& self, const Snapshot& seen) {
    const auto vhost = seen.find(vhost_key(object.spec.vhost));
    if (vhost == seen.end() || !vhost->second.mark || standing(object, self, vhost->first, seen) != Standing::ours)
        return {};
    const auto& named = vhost->second.policies;
    return named.empty() && vhost->second.mark->uid == self.uid ? remembered_policies(object) : named;
}

std::vector<std::string> foreign_things(const Object& object, const runtime::Inputs& inputs, const Snapshot& seen) {
    std::vector<std::string> out;
    const auto self = mark_of(object, inputs.installation);
    for (const auto& key : wanted_keys(object, inputs))
        if (standing(object, self, key, seen) == Standing::foreign)
            out.push_back(key.kind == Kind::vhost ? "vhost " + key.vhost : "user " + key.name);
    if (object.spec.adoption_policy == Object::Spec::AdoptionPolicy::adopt) return out;
    const auto own = own_policies(object, self, seen);
    for (const auto& policy : object.spec.policies)
        if (!own.contains(policy.name) && seen.contains({Kind::policy, object.spec.vhost, policy.name}))
            out.push_back("policy " + policy.name);
    return out;
}

std::vector<api::Cause> problems(const Object& object) {
    std::vector<api::Cause> out;
    const auto refuse = [&out](std::string field, std::string_view value, std::string_view why) {
        out.push_back({"FieldValueInvalid", "Invalid value: \"" + std::string(value) + "\": " + std::string(why),
                       std::move(field)});
    };
    if (object.spec.vhost == "/") refuse("spec.vhost", "/", "is the broker's own");
    std::set<std::string> names;
    std::map<std::pair<std::string, std::string>, int> users_of_key;
    for (const auto& user : object.spec.users) {
        const auto ref = secret_ref(object, user);
        ++users_of_key[{ref.name, ref.key}];
    }
    for (std::size_t i = 0; i < object.spec.users.size(); ++i) {
        const auto& user = object.spec.users[i];
        const auto at = "spec.users[" + std::to_string(i) + "].";
        if (user.name == "guest") refuse(at + "name", user.name, "is the broker's own");
        for (const auto& name : names_of(user))
            if (!names.insert(name).second)
                refuse(at + "name", user.name, name == user.name ? "comes twice" : "another user is called " + name);
        if (user.password_ref && user.password_hash_ref)
            refuse(at + "passwordHashRef", user.password_hash_ref->name, "goes without passwordRef");
        if (!user.rotation) continue;
        const auto ref = secret_ref(object, user);
        if (user.password_hash_ref)
            refuse(at + "rotation", user.name, "what is given as a hash is replaced by whoever gave it");
        if (users_of_key[{ref.name, ref.key}] > 1)
            refuse(at + "rotation", ref.name + "/" + ref.key,
                   "is another user's password too; it needs a key of its own");
    }
    return out;
}

}  // namespace ocim::messaging
