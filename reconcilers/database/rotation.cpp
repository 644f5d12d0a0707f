#include "database/rotation.hpp"

#include "database/mysql_sql.hpp"
#include "database/tenant_standing.hpp"
#include "runtime/rotation.hpp"

#include <utility>

namespace ocim::database {

namespace {

using Object = Tenant::Object;
using User = Object::Spec::User;

bool is_password(const Thing& thing, const std::string& hash, const std::string& print, const Secret& password) {
    switch (thing.login) {
        case Thing::Login::native: return hash == mysql::native_hash(password);
        case Thing::Login::salted: return print == fingerprint(hash, password);
        case Thing::Login::unknown: break;
    }
    return false;
}

runtime::Rotation rotation_of(const Object& object, const User& user, Engine engine) {
    runtime::Rotation out{object.metadata.namespace_, password_ref(object, user)};
    if (has_one_password(engine)) out.form = runtime::Rotation::Form::one_password;
    out.account = user.name + "@" + user.host;
    if (user.rotation) {
        out.every = user.rotation->every;
        out.overlap = user.rotation->overlap;
    }
    out.asked = runtime::asked_in(object.metadata.annotations);
    return out;
}

}  // namespace

std::optional<Passwords> passwords_of(const Object& object, const User& user, const runtime::Inputs& inputs,
                                      Engine engine) {
    auto current = password_of(object, user, inputs);
    if (!current) return std::nullopt;
    Passwords out{*std::move(current), std::nullopt};
    if (has_one_password(engine)) return out;
    const auto ref = password_ref(object, user);
    for (const auto& key : {runtime::next_key(ref.key), runtime::previous_key(ref.key)}) {
        auto other = inputs.secret(object.metadata.namespace_, ref.name, key);
        if (!other || other->empty() || *other == out.current) continue;
        out.second = std::move(other);
        out.second_key = key;
        break;
    }
    return out;
}

bool lets_in(const Thing& thing, const Passwords& passwords) {
    const auto first = [&](const Secret& one) { return is_password(thing, thing.hash, thing.fingerprint, one); };
    const auto second = [&](const Secret& one) {
        return is_password(thing, thing.second_hash, thing.second_fingerprint, one);
    };
    if (!passwords.second) return first(passwords.current) && thing.second_hash.empty();
    if (thing.second_hash.empty()) return false;
    return (first(passwords.current) && second(*passwords.second)) ||
           (first(*passwords.second) && second(passwords.current));
}

std::vector<runtime::SecretEdit> Tenant::renewals(const Object& object, const runtime::Inputs& inputs,
                                                  const Snapshot& seen) {
    std::vector<runtime::SecretEdit> out;
    std::set<std::pair<std::string, std::string>> done;  // two users may share a password
    const auto engine = engine_of(seen);
    const auto self = mark_of(object, inputs.installation);
    // where diff() does nothing, a new password would never be let in
    if (!problems(object).empty() || !problems_on(object, engine).empty()) return {};
    for (const auto& database : object.spec.databases)
        if (standing(object, self, schema_key(database.name), seen) == Standing::foreign) return {};
    for (const auto& user : object.spec.users) {
        const auto key = user_key(user);
        const auto passwords = passwords_of(object, user, inputs, engine);
        if (!passwords || standing(object, self, key, seen) != Standing::ours || !lets_in(seen.at(key), *passwords))
            return {};  // nobody's password changes before all users stand
        const auto ref = password_ref(object, user);
        if (!done.insert({ref.name, ref.key}).second) continue;
        if (auto edit = runtime::next_step(rotation_of(object, user, engine), inputs)) out.push_back(*std::move(edit));
    }
    return out;
}

std::optional<Duration> next_renewal(const Object& object, const runtime::Inputs& inputs, Engine engine) {
    std::vector<runtime::Rotation> rotations;
    for (const auto& user : object.spec.users) rotations.push_back(rotation_of(object, user, engine));
    return runtime::next_step_in(rotations, inputs);
}

}  // namespace ocim::database
