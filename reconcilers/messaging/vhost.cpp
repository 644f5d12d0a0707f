#include "messaging/vhost.hpp"

#include "messaging/text.hpp"

#include <algorithm>
#include <iterator>

namespace ocim::messaging {

namespace {

using Object = Vhost::Object;
using User = Object::Spec::User;
using Kind = Key::Kind;
using Verb = Action::Verb;
using runtime::Mark;

Mark mark_of(const Object& object, const std::string& installation) {
    return {installation, object.metadata.key(), object.metadata.uid, false};
}
Key vhost_key(const std::string& vhost) { return {Kind::vhost, vhost, ""}; }
Key user_key(const std::string& user) { return {Kind::user, "", user}; }

/// What we may do with a thing of a wanted name.
enum class Standing {
    absent,   ///< to be made
    ours,     ///< ours, or to be taken over
    foreign,  ///< never touched
};
Standing standing(const Object& object, const Mark& self, const Key& key, const Snapshot& seen) {
    const auto found = seen.find(key);
    if (found == seen.end()) return Standing::absent;
    const bool adopt = object.spec.adoption_policy == Object::Spec::AdoptionPolicy::adopt;
    const bool ours = !found->second.reserved && runtime::takeable(found->second.mark, self, adopt);
    return ours ? Standing::ours : Standing::foreign;
}

std::optional<Secret> password_of(const Object& object, const User& user, const runtime::Inputs& inputs) {
    auto secret = inputs.secret(object.metadata.namespace_, user.password_ref.name, user.password_ref.key);
    if (!secret || secret->empty()) return std::nullopt;
    return secret;
}

std::set<Key> wanted_keys(const Object& object) {
    std::set<Key> out{vhost_key(object.spec.vhost)};
    for (const auto& user : object.spec.users) out.insert(user_key(user.name));
    return out;
}

/// What the schema cannot say is wrong with a spec.
std::vector<api::Cause> problems(const Object& object) {
    std::vector<api::Cause> out;
    const auto refuse = [&out](std::string field, std::string_view value, std::string_view why) {
        out.push_back({"FieldValueInvalid", "Invalid value: \"" + std::string(value) + "\": " + std::string(why),
                       std::move(field)});
    };
    if (object.spec.vhost == "/") refuse("spec.vhost", "/", "is the broker's own");
    std::set<std::string> names;
    for (std::size_t i = 0; i < object.spec.users.size(); ++i) {
        const auto& name = object.spec.users[i].name;
        const auto field = "spec.users[" + std::to_string(i) + "].name";
        if (name == "guest") refuse(field, name, "is the broker's own");
        if (!names.insert(name).second) refuse(field, name, "comes twice");
    }
    return out;
}

/// Everything in `seen` that goes when a vhost or a user goes.
std::vector<Key> going_with(const Key& key, const Snapshot& seen) {
    std::vector<Key> out;
    for (const auto& [other, thing] : seen) {
        const bool of_vhost = key.kind == Kind::vhost && other.vhost == key.vhost;
        const bool of_user = key.kind == Kind::user && other.kind == Kind::permission && other.name == key.name;
        if (other != key && (of_vhost || of_user)) out.push_back(other);
    }
    return out;
}

Action put(const Key& key, Thing thing, const Snapshot& seen) {
    Action out;
    out.key = key;
    out.fresh = !seen.contains(key);
    out.thing = std::move(thing);
    return out;
}
Action erase(const Key& key, const Snapshot& seen) {
    Action out;
    out.verb = Verb::delete_;
    out.key = key;
    out.gone_too = going_with(key, seen);
    return out;
}

/// How what is ours goes, but for `wanted`: users first, so that none comes back while the vhost goes.
std::vector<Action> without(const Mark& self, const Snapshot& seen, bool retain, const std::set<Key>& wanted) {
    std::vector<Action> users, vhosts;
    for (const auto& [key, thing] : seen) {
        if (key.kind != Kind::vhost && key.kind != Kind::user) break;  // the rest comes later, and without marks
        // what was retained before stays, whatever the policy is now
        if (!thing.mark || thing.mark->retained || wanted.contains(key)) continue;
        if (ownership(thing.mark, self) != runtime::Ownership::ours) continue;
        auto& out = key.kind == Kind::user ? users : vhosts;
        if (!retain) {
            out.push_back(erase(key, seen));
            continue;
        }
        auto kept = thing;
        kept.mark = self;
        kept.mark->retained = true;
        out.push_back(put(key, std::move(kept), seen));
    }
    users.insert(users.end(), std::make_move_iterator(vhosts.begin()), std::make_move_iterator(vhosts.end()));
    return users;
}

void diff_vhost(const Object& object, const Mark& self, const Snapshot& seen, std::vector<Action>& out) {
    const auto key = vhost_key(object.spec.vhost);
    const auto found = seen.find(key);
    auto thing = found == seen.end() ? Thing{} : found->second;
    if (thing.mark != self) {
        thing.mark = self;
        out.push_back(put(key, std::move(thing), seen));
    }
    const auto limit = [&](const char* name, const std::optional<std::int32_t>& wanted) {
        const Key limit_key{Kind::limit, object.spec.vhost, name};
        const auto has = seen.find(limit_key);
        Thing value;
        if (wanted) value.limit = *wanted;
        if (wanted && (has == seen.end() || has->second != value)) out.push_back(put(limit_key, value, seen));
        if (!wanted && has != seen.end()) out.push_back(erase(limit_key, seen));
    };
    limit("max-connections", object.spec.limits ? object.spec.limits->max_connections : std::nullopt);
    limit("max-queues", object.spec.limits ? object.spec.limits->max_queues : std::nullopt);
}

void diff_user(const Object& object, const User& user, const std::optional<Secret>& password, const Mark& self,
               const Snapshot& seen, std::vector<Action>& out) {
    const auto key = user_key(user.name);
    const auto found = seen.find(key);
    if (found == seen.end() && !password) return;
    auto thing = found == seen.end() ? Thing{} : found->second;
    thing.mark = self;
    thing.tags.clear();
    for (const auto tag : user.tags) thing.tags.emplace(api::encode(tag).as_string());
    const bool new_password = password && !fits(thing, *password);
    if (found == seen.end() || new_password || thing != found->second) {
        auto& action = out.emplace_back(put(key, std::move(thing), seen));
        if (new_password) action.password = password;
    }
    const Key own{Kind::permission, object.spec.vhost, user.name};
    const auto has = seen.find(own);
    Thing rights;
    rights.permission = {user.permissions.configure, user.permissions.write, user.permissions.read};
    if (has == seen.end() || has->second != rights) out.push_back(put(own, std::move(rights), seen));
}

/// Our users have no business in other vhosts.
void diff_elsewhere(const Object& object, const Snapshot& seen, std::vector<Action>& out) {
    std::set<std::string_view> ours;
    for (const auto& user : object.spec.users) ours.insert(user.name);
    for (auto it = seen.lower_bound({Kind::permission, "", ""}); it != seen.end() && it->first.kind == Kind::permission;
         ++it)
        if (it->first.vhost != object.spec.vhost && ours.contains(it->first.name))
            out.push_back(erase(it->first, seen));
}

std::string listed(const std::vector<std::string>& names) {
    std::string out;
    for (std::size_t i = 0; i < names.size() && i < 5; ++i) out += (i == 0 ? "" : ", ") + names[i];
    if (names.size() > 5) out += " and " + std::to_string(names.size() - 5) + " more";
    return out;
}

}  // namespace

std::vector<runtime::Reference> Vhost::needs(const Object& object) {
    std::vector<runtime::Reference> out;
    for (const auto& user : object.spec.users) {
        runtime::Reference ref{api::secret_kind, object.metadata.namespace_, user.password_ref.name};
        if (std::ranges::find(out, ref) == out.end()) out.push_back(std::move(ref));
    }
    return out;
}

std::vector<runtime::GeneratedSecret> Vhost::generates(const Object& object) {
    std::vector<runtime::GeneratedSecret> out;
    const bool retain = object.spec.deletion_policy == Object::Spec::DeletionPolicy::retain;
    for (const auto& user : object.spec.users) {
        runtime::GeneratedSecret secret{user.password_ref.name, user.password_ref.key, {}, retain};
        if (std::ranges::find(out, secret) == out.end()) out.push_back(std::move(secret));
    }
    return out;
}

std::vector<runtime::Claim> Vhost::claims(const Object& object) {
    const auto at = "messaging/" + object.spec.server_ref.name;
    std::vector<runtime::Claim> out{{at + "/vhost/" + object.spec.vhost, "spec.vhost"}};
    for (std::size_t i = 0; i < object.spec.users.size(); ++i)
        out.push_back({at + "/user/" + object.spec.users[i].name, "spec.users[" + std::to_string(i) + "].name"});
    return out;
}

std::vector<api::Cause> Vhost::admit(const Object& object, const Object*, const runtime::Inputs&) {
    return problems(object);
}

std::vector<Action> Vhost::diff(const Object& object, const runtime::Inputs& inputs, const Snapshot& seen) {
    if (!problems(object).empty()) return {};
    const auto self = mark_of(object, inputs.installation);
    const auto wanted = wanted_keys(object);
    for (const auto& key : wanted)
        if (standing(object, self, key, seen) == Standing::foreign) return {};
    std::vector<Action> out;
    diff_vhost(object, self, seen, out);
    for (const auto& user : object.spec.users)
        diff_user(object, user, password_of(object, user, inputs), self, seen, out);
    diff_elsewhere(object, seen, out);
    for (auto& action : without(self, seen, false, wanted)) out.push_back(std::move(action));
    return out;
}

std::vector<Action> Vhost::remove(const Object& object, const std::string& installation, const Snapshot& seen) {
    const bool retain = object.spec.deletion_policy == Object::Spec::DeletionPolicy::retain;
    return without(mark_of(object, installation), seen, retain, {});
}

runtime::Report<Object> Vhost::report(const Object& object, const runtime::Inputs& inputs, const Snapshot& seen) {
    using State = runtime::Verdict::State;
    runtime::Report<Object> out;
    const auto self = mark_of(object, inputs.installation);
    std::vector<std::string> foreign, missing;
    for (const auto& key : wanted_keys(object)) {
        const auto where = standing(object, self, key, seen);
        const auto& shown = key.kind == Kind::vhost ? key.vhost : key.name;
        if (where == Standing::foreign) foreign.push_back((key.kind == Kind::vhost ? "vhost " : "user ") + shown);
        if (where != Standing::ours) continue;
        if (key.kind == Kind::vhost)
            out.status.vhost = shown;
        else
            out.status.users.push_back(shown);
    }
    for (const auto& user : object.spec.users)
        if (!password_of(object, user, inputs)) missing.push_back(user.password_ref.name + "/" + user.password_ref.key);
    const auto vhost = seen.find(vhost_key(object.spec.vhost));

    const auto wrong = problems(object);
    if (!wrong.empty()) {
        out.verdict = {State::stalled, "InvalidSpec", wrong.front().field + ": " + wrong.front().message};
    } else if (!foreign.empty()) {
        out.verdict = {State::stalled, "NotOwned",
                       listed(foreign) +
                           ": exists on the broker and is not this object's. Choose another name, or set "
                           "adoptionPolicy: Adopt to take over what nobody claims."};
    } else if (!missing.empty()) {
        out.verdict = {State::progressing, "PasswordMissing",
                       "waiting for a password in the Secret key " + listed(missing)};
    } else if (!diff(object, inputs, seen).empty()) {
        out.verdict = {State::progressing, "OutOfSync", "the broker does not yet hold what is declared"};
    } else if (!vhost->second.running) {
        out.verdict = {State::progressing, "Starting", "the vhost does not yet run on every node"};
        out.look_again = Duration(1'000);
    } else {
        out.verdict = {State::ready, "InSync", ""};
    }
    return out;
}

std::vector<runtime::Marked<Key>> Vhost::marked(const Snapshot& seen) {
    std::vector<runtime::Marked<Key>> out;
    for (const auto& [key, thing] : seen)
        if (thing.mark) out.push_back({key, *thing.mark, false});  // messages are data
    return out;
}

std::string_view Vhost::verb(const Action& action) {
    if (action.verb == Verb::delete_) return "delete";
    return action.fresh && (action.key.kind == Kind::vhost || action.key.kind == Kind::user) ? "create" : "update";
}

std::string Vhost::describe(const Action& action) {
    const auto& [kind, vhost, name] = action.key;
    const bool put = action.verb == Verb::put;
    const std::string word = put ? (action.fresh ? "create " : "update ") : "delete ";
    switch (kind) {
        case Kind::vhost: return word + "vhost " + vhost;
        case Kind::user: return word + "user " + name + (action.password && !action.fresh ? ": password" : "");
        case Kind::permission: {
            const auto& rights = action.thing.permission;
            return word + "permission of " + name + " on " + vhost +
                   (put ? ": " + rights.configure + " " + rights.write + " " + rights.read : "");
        }
        case Kind::limit: break;
    }
    return word + "limit " + name + " of " + vhost + (put ? ": " + std::to_string(action.thing.limit) : "");
}

}  // namespace ocim::messaging
