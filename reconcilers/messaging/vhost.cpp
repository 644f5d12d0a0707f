#include "messaging/vhost.hpp"

#include "messaging/accounts.hpp"
#include "messaging/standing.hpp"

#include <algorithm>
#include <utility>

namespace ocim::messaging {

namespace {

using Object = Vhost::Object;
using Kind = Key::Kind;
using Verb = Action::Verb;

std::string listed(const std::vector<std::string>& names) {
    std::string out;
    for (std::size_t i = 0; i < names.size() && i < 5; ++i) out += (i == 0 ? "" : ", ") + names[i];
    if (names.size() > 5) out += " and " + std::to_string(names.size() - 5) + " more";
    return out;
}

/// What each user's Secret lacks.
std::vector<std::string> missing_in(const Object& object, const runtime::Inputs& inputs) {
    std::vector<std::string> out;
    for (const auto& user : object.spec.users) {
        const auto ref = secret_ref(object, user);
        if (!accounts_of(object, user, inputs).front().known()) out.push_back(ref.name + "/" + ref.key);
    }
    return out;
}

/// A text that is there and is no hash.
std::optional<std::string> wrong_hash(const Object& object, const runtime::Inputs& inputs) {
    for (const auto& user : object.spec.users) {
        if (!user.password_hash_ref) continue;
        const auto& ref = *user.password_hash_ref;
        const auto text = inputs.secret(object.metadata.namespace_, ref.name, ref.key);
        if (text && !text->empty() && !read_hash(*text)) return ref.name + "/" + ref.key;
    }
    return std::nullopt;
}

void fill_status(const Object& object, const runtime::Mark& self, const Snapshot& seen, Object::Status& status) {
    for (const auto& user : object.spec.users) {
        const auto ref = secret_ref(object, user);
        status.password_secrets.push_back(user.name + ": " + ref.name + "/" + ref.key);
    }
    for (const auto& name : own_policies(object, self, seen))
        if (seen.contains({Kind::policy, object.spec.vhost, name})) status.policies.push_back(name);
}

}  // namespace

std::vector<runtime::Reference> Vhost::needs(const Object& object) {
    std::vector<runtime::Reference> out;
    for (const auto& user : object.spec.users) {
        runtime::Reference ref{api::secret_kind, object.metadata.namespace_, secret_ref(object, user).name};
        if (std::ranges::find(out, ref) == out.end()) out.push_back(std::move(ref));
    }
    return out;
}

std::vector<runtime::GeneratedSecret> Vhost::generates(const Object& object) {
    std::vector<runtime::GeneratedSecret> out;
    const bool retain = object.spec.deletion_policy == Object::Spec::DeletionPolicy::retain;
    for (const auto& user : object.spec.users) {
        if (user.password_hash_ref) continue;
        auto ref = secret_ref(object, user);
        runtime::GeneratedSecret secret{std::move(ref.name), std::move(ref.key), {}, retain};
        if (std::ranges::find(out, secret) == out.end()) out.push_back(std::move(secret));
    }
    return out;
}

std::vector<runtime::Claim> Vhost::claims(const Object& object) {
    const auto at = "messaging/" + object.spec.server_ref.name;
    std::vector<runtime::Claim> out{{at + "/vhost/" + object.spec.vhost, "spec.vhost"}};
    for (std::size_t i = 0; i < object.spec.users.size(); ++i)
        for (const auto& name : names_of(object.spec.users[i]))
            out.push_back({at + "/user/" + name, "spec.users[" + std::to_string(i) + "].name"});
    return out;
}

std::vector<api::Cause> Vhost::admit(const Object& object, const Object*, const runtime::Inputs&) {
    return problems(object);
}

runtime::Report<Object> Vhost::report(const Object& object, const runtime::Inputs& inputs, const Snapshot& seen) {
    using State = runtime::Verdict::State;
    runtime::Report<Object> out;
    const auto self = mark_of(object, inputs.installation);
    const auto foreign = foreign_things(object, inputs, seen);
    out.status.retained = self.retained;
    for (const auto& key : wanted_keys(object, inputs)) {
        if (standing(object, self, key, seen) != Standing::ours) continue;
        out.status.retained = *out.status.retained && seen.at(key).mark == self;
        if (key.kind == Kind::vhost)
            out.status.vhost = key.vhost;
        else
            out.status.users.push_back(key.name);
    }
    fill_status(object, self, seen, out.status);
    const auto missing = missing_in(object, inputs);
    const auto vhost = seen.find(vhost_key(object.spec.vhost));

    const auto wrong = problems(object);
    if (!wrong.empty()) {
        out.verdict = {State::stalled, "InvalidSpec", wrong.front().field + ": " + wrong.front().message};
    } else if (!foreign.empty()) {
        out.verdict = {State::stalled, "NotOwned",
                       listed(foreign) +
                           ": exists on the broker and is not this object's. Choose another name, or set "
                           "adoptionPolicy: Adopt to take over what nobody claims."};
    } else if (const auto bad = wrong_hash(object, inputs)) {
        out.verdict = {
            State::stalled, "InvalidPasswordHash",
            "the Secret key " + *bad +
                " does not hold a password hash as a broker stores it: salted, SHA-256 or SHA-512, in base64"};
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
    if (out.look_again) return out;
    std::vector<runtime::Rotation> rotations;
    for (const auto& user : object.spec.users)
        if (auto rotation = rotation_of(object, user, inputs)) rotations.push_back(*std::move(rotation));
    out.look_again = runtime::next_step_in(rotations, inputs);
    return out;
}

std::vector<runtime::SecretEdit> Vhost::renewals(const Object& object, const runtime::Inputs& inputs,
                                                 const Snapshot& seen) {
    std::vector<runtime::SecretEdit> out;
    const auto self = mark_of(object, inputs.installation);
    // where diff() does nothing, a new password would never be let in
    if (!problems(object).empty() || !foreign_things(object, inputs, seen).empty()) return {};
    for (const auto& key : wanted_keys(object, inputs))
        if (standing(object, self, key, seen) != Standing::ours) return {};
    for (const auto& user : object.spec.users) {
        for (const auto& account : accounts_of(object, user, inputs))
            if (!account.let_in(seen.at(user_key(account.name)))) return {};  // nobody's, before all users stand
        const auto rotation = rotation_of(object, user, inputs);
        if (!rotation) continue;
        if (auto edit = runtime::next_step(*rotation, inputs)) out.push_back(*std::move(edit));
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
    const auto& [kind, vhost, name, limit] = action.key;
    const bool put = action.verb == Verb::put;
    const std::string word = put ? (action.fresh ? "create " : "update ") : "delete ";
    const auto& thing = action.thing;
    switch (kind) {
        case Kind::vhost: return word + "vhost " + vhost;
        case Kind::user: return word + "user " + name + (action.password && !action.fresh ? ": password" : "");
        case Kind::permission: {
            const auto& rights = thing.permission;
            return word + "permission of " + name + " on " + vhost +
                   (put ? ": " + rights.configure + " " + rights.write + " " + rights.read : "");
        }
        case Kind::topic: {
            auto out = word + "topic permissions of " + name + " on " + vhost;
            if (!put) return out;
            for (const auto& [exchange, rights] : thing.topics)
                out += "; " + exchange + ": " + rights.write + " " + rights.read;
            return out;
        }
        case Kind::user_limit:
            return word + "limit " + limit + " of user " + name + (put ? ": " + std::to_string(thing.limit) : "");
        case Kind::policy:
            return word + "policy " + name + " of " + vhost + (put ? ": " + api::to_text(thing.policy.definition) : "");
        case Kind::limit: break;
    }
    return word + "limit " + name + " of " + vhost + (put ? ": " + std::to_string(thing.limit) : "");
}

}  // namespace ocim::messaging
