#include "database/job.hpp"
#include "database/mysql_sql.hpp"
#include "database/postgresql_sql.hpp"
#include "database/rotation.hpp"
#include "database/tenant.hpp"
#include "database/tenant_standing.hpp"

#include <algorithm>
#include <iterator>
#include <tuple>

namespace ocim::database {

namespace {

using runtime::Mark;
using Object = Tenant::Object;
using Verb = Action::Verb;
using Policy = Object::Spec::DeletionPolicy;

Key grant_key(const Object::Spec::User& user, const std::string& database) {
    return {Key::Kind::grant, user.name, user.host, database == whole_server ? database : pattern(database)};
}

bool ours(const Thing& thing, const Mark& self) { return ownership(thing.mark, self) == runtime::Ownership::ours; }

std::string collation_of(const Object::Spec::Database& database, Engine engine) {
    if (database.collation) return *database.collation;
    if (engine == Engine::postgresql)
        return postgresql::default_collation(postgresql::encoding(database.character_set));
    return database.character_set == "utf8mb4" ? "utf8mb4_unicode_ci" : "";
}

bool same_charset(std::string_view left, std::string_view right, Engine engine) {
    if (engine == Engine::postgresql) return postgresql::encoding(left) == postgresql::encoding(right);
    return mysql::canonical_charset(left) == mysql::canonical_charset(right);
}

bool same_collation(std::string_view left, std::string_view right, Engine engine) {
    return engine == Engine::postgresql ? left == right
                                        : mysql::canonical_charset(left) == mysql::canonical_charset(right);
}

/// The grants of one account.
std::vector<std::pair<Key, Thing>> grants_of(const Key& user, const Snapshot& seen) {
    std::vector<std::pair<Key, Thing>> out;
    for (auto it = seen.lower_bound({Key::Kind::grant, user.name, user.host, ""});
         it != seen.end() && it->first.kind == Key::Kind::grant && it->first.name == user.name &&
         it->first.host == user.host;
         ++it)
        out.push_back(*it);
    return out;
}

Action step(Verb verb, const Key& key, const Mark& mark) {
    Action action;
    action.verb = verb;
    action.key = key;
    action.mark = mark;
    return action;
}

/// Of what carries our mark: what stays, marked as retained, while the rest is dropped.
enum class Keep { nothing, schemas, all };

/// How what is ours goes, but for `wanted`: accounts first, then others' rights to our schemas, then the schemas.
std::vector<Action> without(const Mark& self, const Snapshot& seen, Keep keep, const std::set<Key>& wanted) {
    std::vector<Action> users, rights, schemas;
    for (const auto& [key, thing] : seen) {
        if (key.kind == Key::Kind::grant) break;  // the last kind, and without marks
        // what was retained before stays, whatever the policy is now
        if (!thing.mark || thing.mark->retained || !ours(thing, self) || wanted.contains(key)) continue;
        const bool schema = key.kind == Key::Kind::schema;
        auto& out = schema ? schemas : users;
        if (!thing.exists) {
            out.push_back(step(Verb::forget, key, self));
        } else if (keep == Keep::all || (keep == Keep::schemas && schema)) {
            auto& action = out.emplace_back(step(Verb::mark, key, self));
            action.mark.retained = true;
            action.then = thing;
            action.then->mark = action.mark;
        } else if (!schema) {
            auto& action = out.emplace_back(step(Verb::drop_user, key, self));
            for (const auto& [grant, held] : grants_of(key, seen)) action.gone_too.push_back(grant);
        } else {
            out.push_back(step(Verb::drop_schema, key, self));
            // rights outlive a schema and would hold for the next one of that name; those of our own accounts go with
            // the account, or because they are not wanted
            for (const auto& [grant, held] : seen) {
                if (grant.kind != Key::Kind::grant || grant.database != pattern(key.name)) continue;
                const auto owner = seen.find({Key::Kind::user, grant.name, grant.host, ""});
                if (owner != seen.end() && ours(owner->second, self)) continue;
                rights.emplace_back(step(Verb::revoke, grant, self)).take = held.privileges;
            }
        }
    }
    users.insert(users.end(), std::make_move_iterator(rights.begin()), std::make_move_iterator(rights.end()));
    users.insert(users.end(), std::make_move_iterator(schemas.begin()), std::make_move_iterator(schemas.end()));
    return users;
}

/// Decides for one object; each step appends to `actions_`.
class Difference {
public:
    Difference(const Object& object, const runtime::Inputs& inputs, const Snapshot& seen)
        : object_(object),
          inputs_(inputs),
          seen_(seen),
          engine_(engine_of(seen)),
          self_(mark_of(object, inputs.installation)) {}

    std::vector<Action> take() {
        std::set<Key> wanted;
        for (const auto& database : object_.spec.databases) wanted.insert(schema_key(database.name));
        for (const auto& user : object_.spec.users) wanted.insert(user_key(user));
        for (const auto& key : wanted)
            if (standing(object_, self_, key, seen_) == Standing::foreign) return {};
        for (const auto& database : object_.spec.databases) schema(database);
        for (const auto& user : object_.spec.users) account(user);
        const bool drop = object_.spec.deletion_policy == Policy::delete_;
        for (auto& action : without(self_, seen_, drop ? Keep::nothing : Keep::schemas, wanted))
            actions_.push_back(std::move(action));
        return std::move(actions_);
    }

private:
    Action& add(Verb verb, const Key& key, std::optional<Thing> then) {
        auto& action = actions_.emplace_back(step(verb, key, self_));
        action.then = std::move(then);
        return action;
    }

    /// Writes our mark on what is there, and says how it then is.
    Thing take_over(const Key& key) {
        auto thing = seen_.at(key);
        if (thing.mark == self_) return thing;
        thing.mark = self_;
        add(Verb::mark, key, thing);
        return thing;
    }

    void schema(const Object::Spec::Database& database) {
        const auto key = schema_key(database.name);
        const bool absent = standing(object_, self_, key, seen_) == Standing::absent;
        const auto collation = collation_of(database, engine_);
        auto then = absent ? Thing{} : take_over(key);
        if (!absent && then.whole && same_charset(then.character_set, database.character_set, engine_) &&
            (collation.empty() || same_collation(then.collation, collation, engine_)))
            return;
        then.mark = self_;
        then.character_set = database.character_set;
        then.collation = collation;
        auto& action = add(absent ? Verb::create_schema : Verb::alter_schema, key, then);
        action.character_set = database.character_set;
        action.collation = collation;
    }

    void account(const Object::Spec::User& user) {
        const auto key = user_key(user);
        const bool absent = standing(object_, self_, key, seen_) == Standing::absent;
        auto passwords = passwords_of(object_, user, inputs_, engine_);
        if (absent && !passwords) return;
        auto then = absent ? Thing{} : take_over(key);
        if (passwords && (absent || then.locked || !lets_in(then, *passwords))) {
            then.mark = self_;
            then.locked = false;
            auto& action = add(absent ? Verb::create_user : Verb::alter_user, key, then);
            action.password = std::move(passwords->current);
            if (!absent) action.second = std::move(passwords->second);  // nothing may fail after a create
        }
        std::set<Key> wanted;
        for (const auto& grant : user.grants) {
            wanted.insert(grant_key(user, grant.database));
            rights(user, grant);
        }
        for (const auto& [grant, held] : grants_of(key, seen_))
            if (!wanted.contains(grant)) add(Verb::revoke, grant, std::nullopt).take = held.privileges;
    }

    void rights(const Object::Spec::User& user, const Object::Spec::User::Grant& grant) {
        const auto key = grant_key(user, grant.database);
        std::set<std::string> wanted, take;
        for (const auto privilege : grant.privileges) wanted.emplace(api::encode(privilege).as_string());
        if (wanted.contains("ALL")) wanted = {"ALL"};
        if (engine_ == Engine::postgresql) wanted = postgresql::reduced(std::move(wanted));
        if (const auto found = seen_.find(key); found != seen_.end()) {
            if (found->second.privileges == wanted) return;
            std::ranges::set_difference(found->second.privileges, wanted, std::inserter(take, take.end()));
            if (wanted.contains("ALL"))  // it has all that is in it
                std::erase_if(take, [](const auto& privilege) { return privilege != "GRANT OPTION"; });
        }
        Thing then;
        then.privileges = wanted;
        auto& action = add(Verb::grant, key, then);
        action.add = std::move(wanted);
        action.take = std::move(take);
    }

    const Object& object_;
    const runtime::Inputs& inputs_;
    const Snapshot& seen_;
    Engine engine_;
    Mark self_;
    std::vector<Action> actions_;
};

}  // namespace

Mark mark_of(const Object& object, const std::string& installation) {
    return {installation, object.metadata.key(), object.metadata.uid, false};
}
Key schema_key(const std::string& name) { return {Key::Kind::schema, name, "", ""}; }
Key user_key(const Object::Spec::User& user) { return {Key::Kind::user, user.name, user.host, ""}; }

Standing standing(const Object& object, const Mark& self, const Key& key, const Snapshot& seen) {
    const auto found = seen.find(key);
    if (found == seen.end()) return Standing::absent;
    const auto& thing = found->second;
    if (thing.reserved) return Standing::foreign;
    const bool adopt = object.spec.adoption_policy == Object::Spec::AdoptionPolicy::adopt;
    if (!runtime::takeable(thing.mark, self, adopt)) return Standing::foreign;
    return thing.exists ? Standing::ours : Standing::absent;
}

std::optional<Secret> password_of(const Object& object, const Object::Spec::User& user, const runtime::Inputs& inputs) {
    const auto ref = password_ref(object, user);
    auto secret = inputs.secret(object.metadata.namespace_, ref.name, ref.key);
    if (!secret || secret->empty()) return std::nullopt;
    return secret;
}

std::vector<Action> Tenant::diff(const Object& object, const runtime::Inputs& inputs, const Snapshot& seen) {
    if (!problems(object).empty() || !problems_on(object, engine_of(seen)).empty()) return {};
    return Difference(object, inputs, seen).take();
}

std::vector<Action> Tenant::remove(const Object& object, const std::string& installation, const Snapshot& seen) {
    const bool drop = object.spec.deletion_policy == Policy::delete_;
    return without(mark_of(object, installation), seen, drop ? Keep::nothing : Keep::all, {});
}

}  // namespace ocim::database
