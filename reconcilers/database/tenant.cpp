#include "database/tenant.hpp"

#include "database/job.hpp"
#include "database/rotation.hpp"
#include "database/tenant_standing.hpp"

#include <algorithm>
#include <chrono>

namespace ocim::database {

namespace {

using Object = Tenant::Object;
using Verb = Action::Verb;
using Policy = Object::Spec::DeletionPolicy;

std::string listed(const std::vector<std::string>& names) {
    std::string out;
    for (std::size_t i = 0; i < names.size() && i < 5; ++i) out += (i == 0 ? "" : ", ") + names[i];
    if (names.size() > 5) out += " and " + std::to_string(names.size() - 5) + " more";
    return out;
}

std::string time_text(std::int64_t seconds) { return rfc3339(WallTime(std::chrono::seconds(seconds))); }

/// What is no more wanted and goes when its window is over.
std::optional<runtime::Finding> leaving(const runtime::Mark& self, const Snapshot& seen) {
    std::vector<std::string> names;
    for (const auto& [key, thing] : seen)
        if (thing.ends && ownership(thing.mark, self) == runtime::Ownership::ours)
            names.push_back(thing_name(key) + " at " + time_text(*thing.ends));
    if (names.empty()) return std::nullopt;
    return runtime::Finding{"PendingDeletion", "True", "WindowOpen",
                            "dropped for good: " + listed(names) + "; declare it again to have it back"};
}

runtime::Finding shadowed(const std::string& host) {
    return {"LoginShadowed", "True", "AnonymousAccount",
            "the server has an anonymous account ''@'" + host +
                "', which goes before accounts for any host: users who connect from there are refused. Drop it."};
}

}  // namespace

api::SecretKeyRef password_ref(const Object& object, const Object::Spec::User& user) {
    if (user.password_ref) return *user.password_ref;
    auto name = user.name;
    std::ranges::replace(name, '_', '-');
    return {object.metadata.name + "." + name, "password"};
}

std::string Tenant::backend_name(const Object& object) { return object.spec.server_ref.name; }

std::vector<runtime::Reference> Tenant::needs(const Object& object) {
    std::vector<runtime::Reference> out;
    for (const auto& user : object.spec.users) {
        runtime::Reference ref{api::secret_kind, object.metadata.namespace_, password_ref(object, user).name};
        if (std::ranges::find(out, ref) == out.end()) out.push_back(std::move(ref));
    }
    return out;
}

std::vector<runtime::GeneratedSecret> Tenant::generates(const Object& object) {
    std::vector<runtime::GeneratedSecret> out;
    const bool retain = object.spec.deletion_policy == Policy::retain;
    for (const auto& user : object.spec.users) {
        auto ref = password_ref(object, user);
        runtime::GeneratedSecret secret{std::move(ref.name), std::move(ref.key), {}, retain};
        if (std::ranges::find(out, secret) == out.end()) out.push_back(std::move(secret));
    }
    return out;
}

std::vector<runtime::Claim> Tenant::claims(const Object& object) {
    const auto at = "database/" + object.spec.server_ref.name;
    std::vector<runtime::Claim> out;
    for (std::size_t i = 0; i < object.spec.databases.size(); ++i)
        out.push_back(
            {at + "/schema/" + object.spec.databases[i].name, "spec.databases[" + std::to_string(i) + "].name"});
    for (std::size_t i = 0; i < object.spec.users.size(); ++i)
        out.push_back({at + "/user/" + object.spec.users[i].name + "@" + object.spec.users[i].host,
                       "spec.users[" + std::to_string(i) + "].name"});
    return out;
}

std::vector<api::Cause> Tenant::admit(const Object& object, const Object*, const runtime::Inputs&) {
    return problems(object);
}

runtime::Report<Object> Tenant::report(const Object& object, const runtime::Inputs& inputs, const Snapshot& seen) {
    using State = runtime::Verdict::State;
    runtime::Report<Object> out;
    const auto self = mark_of(object, inputs.installation);
    std::vector<std::string> foreign, missing;
    const auto look = [&](const Key& key, const std::string& shown, std::vector<std::string>& there) {
        const auto where = standing(object, self, key, seen);
        if (where == Standing::foreign) foreign.push_back(shown);
        if (where == Standing::ours) there.push_back(shown);
    };
    for (const auto& database : object.spec.databases)
        look(schema_key(database.name), database.name, out.status.databases);
    for (const auto& user : object.spec.users) {
        const auto shown = user.name + "@" + user.host;
        const auto ref = password_ref(object, user);
        look(user_key(user), shown, out.status.users);
        out.status.password_secrets.push_back(shown + ": " + ref.name + "/" + ref.key);
        const auto passwords = passwords_of(object, user, inputs, engine_of(seen));
        if (!passwords) missing.push_back(ref.name + "/" + ref.key);
        if (passwords && passwords->second && standing(object, self, user_key(user), seen) == Standing::ours &&
            lets_in(seen.at(user_key(user)), *passwords))
            out.status.second_passwords.push_back(shown + ": " + ref.name + "/" + passwords->second_key);
    }
    for (auto it = seen.lower_bound({Key::Kind::user, "", "", ""});
         !object.spec.users.empty() && it != seen.end() && it->first.kind == Key::Kind::user && it->first.name.empty();
         ++it)
        out.findings = {shadowed(it->first.host)};

    if (auto going = leaving(self, seen)) out.findings.push_back(*std::move(going));
    auto wrong = problems(object);
    if (wrong.empty()) wrong = problems_on(object, engine_of(seen));
    if (!wrong.empty())
        out.verdict = {State::stalled, "InvalidSpec", wrong.front().field + ": " + wrong.front().message};
    else if (!foreign.empty())
        out.verdict = {State::stalled, "NotOwned",
                       listed(foreign) +
                           ": exists on the server and is not this object's. Choose another name, or set "
                           "adoptionPolicy: Adopt to take over what nobody claims."};
    else if (!missing.empty())
        out.verdict = {State::progressing, "PasswordMissing",
                       "waiting for a password in the Secret key " + listed(missing)};
    else if (!diff(object, inputs, seen).empty())
        out.verdict = {State::progressing, "OutOfSync", "the server does not yet hold what is declared"};
    else
        out.verdict = {State::ready, "InSync", ""};
    out.look_again = next_renewal(object, inputs, engine_of(seen));
    return out;
}

std::vector<runtime::Marked<Key>> Tenant::marked(const Snapshot& seen) {
    std::vector<runtime::Marked<Key>> out;
    for (const auto& [key, thing] : seen)
        if (thing.mark) out.push_back({key, *thing.mark, !thing.exists});  // data is never swept, a mere note may be
    return out;
}

std::vector<Action> Tenant::sweep(const Key& key, const Snapshot& seen) {
    const auto found = seen.find(key);
    if (found == seen.end() || !found->second.mark || found->second.exists) return {};
    Action action;
    action.verb = Verb::forget;
    action.key = key;
    action.mark = *found->second.mark;
    return {action};
}

std::string_view Tenant::verb(const Action& action) {
    switch (action.verb) {
        case Verb::create_schema:
        case Verb::create_user: return "create";
        case Verb::alter_schema:
        case Verb::alter_user:
        case Verb::grant:
        case Verb::close_user:
        case Verb::mark: return "update";
        case Verb::drop_schema:
        case Verb::drop_user:
        case Verb::revoke:
        case Verb::forget: break;
    }
    return "delete";
}

std::string Tenant::describe(const Action& action) {
    const auto& key = action.key;
    const auto user = key.name + "@" + key.host;
    const auto thing = key.kind == Key::Kind::schema ? "database " + key.name : "user " + user;
    const auto until = action.ends ? " until " + time_text(*action.ends) : "";
    const auto words = [](const std::set<std::string>& set) {
        std::string out;
        for (const auto& word : set) out += (out.empty() ? "" : ", ") + word;
        return out;
    };
    switch (action.verb) {
        case Verb::create_schema:
        case Verb::create_user: return "create " + thing;
        case Verb::alter_schema:
            return "alter " + thing + " to " + action.character_set +
                   (action.collation.empty() ? "" : " " + action.collation);
        case Verb::alter_user: return (action.second ? "set both passwords of " : "set password of ") + thing;
        case Verb::close_user: return "lock " + thing + " and end its sessions, to be dropped" + until;
        case Verb::drop_schema:
        case Verb::drop_user: return "drop " + thing + (action.ends ? ", retained" + until : "");
        case Verb::grant:
            return "grant " + words(action.add) + " on " + key.database + " to " + user +
                   (action.take.empty() ? "" : ", revoke " + words(action.take));
        case Verb::revoke: return "revoke " + words(action.take) + " on " + key.database + " from " + user;
        case Verb::mark:
            if (!action.mark.retained) return "take over " + thing;
            return action.ends ? "retain " + thing + until + ", to be dropped then" : "mark as retained: " + thing;
        case Verb::forget: break;
    }
    return "strike the note of " + thing;
}

}  // namespace ocim::database
