#include "database/job.hpp"
#include "database/mysql_sql.hpp"
#include "database/postgresql_sql.hpp"
#include "database/rotation.hpp"
#include "database/tenant.hpp"
#include "database/tenant_standing.hpp"
#include "runtime/backend_spec.hpp"

#include <algorithm>
#include <chrono>
#include <iterator>
#include <map>
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
    if (engine == Engine::mongodb) return "";
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

/// How what carries our mark and is not wanted goes.
struct Leaving {
    enum class Keep { nothing, schemas, all };
    Keep keep;                          ///< what stays, marked as retained, while the rest is dropped
    std::optional<std::int64_t> ends;   ///< what is dropped stays until then, out of use; nothing: it goes at once
    std::optional<std::int64_t> now{};  ///< what was to stay until now is dropped; nothing: the runtime does that
};

Action dropped(const Key& key, const Thing& thing, const Mark& self, const Snapshot& seen) {
    auto out = step(key.kind == Key::Kind::schema ? Verb::drop_schema : Verb::drop_user, key, self);
    out.ends = thing.ends;
    if (key.kind == Key::Kind::user)
        for (const auto& [grant, held] : grants_of(key, seen)) out.gone_too.push_back(grant);
    return out;
}

/// The same thing, retained until `ends`, or for good; an account that is to end is closed.
Action retained(const Key& key, const Thing& thing, const Mark& self, std::optional<std::int64_t> ends) {
    const bool closes = ends && key.kind == Key::Kind::user;
    auto out = step(closes ? Verb::close_user : Verb::mark, key, self);
    out.mark.retained = true;
    out.ends = ends;
    out.then = thing;
    out.then->mark = out.mark;
    out.then->ends = ends;
    if (closes) out.then->locked = true;
    return out;
}

/// Rights outlive a schema and would hold for the next one of that name; those of our own accounts go with the
/// account, or because they are not wanted. Where it goes because a window is over, they go for the same reason only.
void take_rights_to(const Key& schema, const Mark& self, const Snapshot& seen, std::vector<Action>& out) {
    const auto ends = seen.at(schema).ends;
    for (const auto& [grant, held] : seen) {
        if (grant.kind != Key::Kind::grant || grant.database != pattern(schema.name)) continue;
        const auto owner = seen.find({Key::Kind::user, grant.name, grant.host, ""});
        if (owner != seen.end() && ours(owner->second, self)) continue;
        auto& action = out.emplace_back(step(Verb::revoke, grant, self));
        action.take = held.privileges;
        action.ends = ends;
    }
}

/// How what is ours goes, but for `wanted`: accounts first, then others' rights to our schemas, then the schemas.
std::vector<Action> without(const Mark& self, const Snapshot& seen, const Leaving& leaving,
                            const std::set<Key>& wanted) {
    std::vector<Action> users, rights, schemas;
    for (const auto& [key, thing] : seen) {
        if (key.kind == Key::Kind::grant) break;  // the last kind, and without marks
        if (!thing.mark || !ours(thing, self) || wanted.contains(key)) continue;
        const bool schema = key.kind == Key::Kind::schema;
        auto& out = schema ? schemas : users;
        if (thing.mark->retained) {
            if (!thing.ends) continue;  // for good: it stays, whatever the policy is now
            const bool over = leaving.now && *leaving.now >= *thing.ends;
            if (over) out.push_back(dropped(key, thing, self, seen));
            if (over && schema) take_rights_to(key, self, seen, rights);
            if (!over && !schema && thing.exists && !thing.locked)
                out.push_back(retained(key, thing, self, thing.ends));
            continue;
        }
        const bool keeps = leaving.keep == Leaving::Keep::all || (leaving.keep == Leaving::Keep::schemas && schema);
        if (!thing.exists) {
            out.push_back(step(Verb::forget, key, self));
        } else if (keeps || leaving.ends) {
            out.push_back(retained(key, thing, self, keeps ? std::nullopt : leaving.ends));
        } else {
            out.push_back(dropped(key, thing, self, seen));
            if (schema) take_rights_to(key, self, seen, rights);
        }
    }
    users.insert(users.end(), std::make_move_iterator(rights.begin()), std::make_move_iterator(rights.end()));
    users.insert(users.end(), std::make_move_iterator(schemas.begin()), std::make_move_iterator(schemas.end()));
    return users;
}

std::int64_t seconds_of(WallTime time) {
    return std::chrono::duration_cast<std::chrono::seconds>(time.time_since_epoch()).count();
}

/// What is given up at `since` with nothing of it to be kept for good: when it is dropped. Where that cannot be told,
/// because the one time or the other cannot be read, nothing is.
Leaving leaving_since(const Object& object, std::optional<std::int64_t> since, Leaving::Keep keep) {
    Leaving out{keep, std::nullopt};
    if (!object.spec.undelete_window) return out;
    const auto window = runtime::parse_duration(*object.spec.undelete_window);
    const auto seconds = window ? std::chrono::duration_cast<std::chrono::seconds>(*window).count() : 0;
    if (!since || !window) out.keep = Leaving::Keep::all;
    if (since && seconds > 0) out.ends = *since + seconds;
    return out;
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
        const auto now = seconds_of(inputs_.now);
        const bool drop = object_.spec.deletion_policy == Policy::delete_;
        auto leaving = leaving_since(object_, now, drop ? Leaving::Keep::nothing : Leaving::Keep::schemas);
        leaving.now = now;
        for (auto& action : without(self_, seen_, leaving, wanted)) actions_.push_back(std::move(action));
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
        thing.ends.reset();
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
    const auto asked = parse_rfc3339(object.metadata.deletion_timestamp);
    const auto leaving = leaving_since(object, asked ? std::optional(seconds_of(*asked)) : std::nullopt,
                                       drop ? Leaving::Keep::nothing : Leaving::Keep::all);
    return without(mark_of(object, installation), seen, leaving, {});
}

std::vector<runtime::Lapsed<Action>> Tenant::lapsed(const std::string& installation, WallTime now,
                                                    const Snapshot& seen) {
    std::map<std::string, Mark> owners;
    for (const auto& [key, thing] : seen)
        if (thing.mark && thing.ends && thing.mark->installation == installation && seconds_of(now) >= *thing.ends)
            owners.emplace(thing.mark->namespace_name, *thing.mark);
    std::vector<runtime::Lapsed<Action>> out;
    for (auto& [object, mark] : owners) {
        mark.retained = false;
        const Leaving leaving{Leaving::Keep::all, std::nullopt, seconds_of(now)};
        runtime::Lapsed<Action> one{object, {}};
        for (auto& action : without(mark, seen, leaving, {}))
            if (action.ends || action.verb == Verb::revoke) one.actions.push_back(std::move(action));
        out.push_back(std::move(one));
    }
    return out;
}

}  // namespace ocim::database
