#include "messaging/standing.hpp"

#include <algorithm>
#include <iterator>
#include <utility>

/// What must change at the broker so that a vhost is as declared, or gone.
namespace ocim::messaging {

namespace {

using Object = Vhost::Object;
using Kind = Key::Kind;
using Verb = Action::Verb;
using runtime::Mark;

const TopicPermission not_narrowed{".*", ".*"};

/// Everything in `seen` that goes when a vhost or a user goes.
std::vector<Key> going_with(const Key& key, const Snapshot& seen) {
    std::vector<Key> out;
    for (const auto& [other, thing] : seen) {
        const bool of_vhost = key.kind == Kind::vhost && other.vhost == key.vhost;
        const bool a_users =
            other.kind == Kind::permission || other.kind == Kind::topic || other.kind == Kind::user_limit;
        const bool of_user = key.kind == Kind::user && a_users && other.name == key.name;
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
Action erase(const Key& key, const Mark& self, const Snapshot& seen) {
    Action out;
    out.verb = Verb::delete_;
    out.key = key;
    out.thing = seen.at(key);
    if (key.kind == Kind::vhost || key.kind == Kind::user)
        out.gone_too = going_with(key, seen);
    else
        out.thing.mark = self;  // of whom it belongs to
    return out;
}

/// How what is ours goes, but for `wanted`: users first, so that none comes back while the vhost goes.
std::vector<Action> without(const Mark& self, const Snapshot& seen, bool retain, const std::set<Key>& wanted) {
    std::vector<Action> users, vhosts;
    for (const auto& [key, thing] : seen) {
        if (key.kind != Kind::vhost && key.kind != Kind::user) break;  // the rest comes later, and without marks
        if (!thing.mark || wanted.contains(key) || ownership(thing.mark, self) != runtime::Ownership::ours) continue;
        // what a former object of this name retained stays, whatever the policy is now
        if (thing.mark->retained && (retain || thing.mark->uid != self.uid)) continue;
        auto& out = key.kind == Kind::user ? users : vhosts;
        if (!retain) {
            out.push_back(erase(key, self, seen));
            continue;
        }
        auto kept = thing;
        kept.mark = self;
        out.push_back(put(key, std::move(kept), seen));
    }
    users.insert(users.end(), std::make_move_iterator(vhosts.begin()), std::make_move_iterator(vhosts.end()));
    return users;
}

/// What one diff collects.
class Plan {
public:
    Plan(const Object& object, const runtime::Inputs& inputs, const Snapshot& seen)
        : object_(object),
          inputs_(inputs),
          seen_(seen),
          self_(mark_of(object, inputs.installation)),
          own_policies_(own_policies(object, self_, seen)) {}

    std::vector<Action> made() {
        vhost();
        policies();
        for (const auto& user : object_.spec.users)
            for (const auto& account : accounts_of(object_, user, inputs_)) of_account(user, account);
        elsewhere();
        auto stays = wanted_keys(object_, inputs_);
        for (const auto& user : object_.spec.users)
            for (const auto& name : spared(object_, user, inputs_)) stays.insert(user_key(name));
        for (auto& action : without(self_, seen_, false, stays)) out_.push_back(std::move(action));
        return std::move(out_);
    }

private:
    const Thing* find(const Key& key) const {
        const auto found = seen_.find(key);
        return found == seen_.end() ? nullptr : &found->second;
    }
    void want(const Key& key, Thing thing) {
        const auto* has = find(key);
        if (!has || *has != thing) out_.push_back(put(key, std::move(thing), seen_));
    }
    void limit(const Key& key, const std::optional<std::int32_t>& wanted) {
        Thing value;
        value.limit = wanted.value_or(0);
        if (wanted)
            want(key, std::move(value));
        else if (find(key))
            out_.push_back(erase(key, self_, seen_));
    }

    void vhost() {
        const auto key = vhost_key(object_.spec.vhost);
        const auto* has = find(key);
        auto thing = has ? *has : Thing{};
        thing.mark = self_;
        std::set<std::string> added;
        thing.policies.clear();
        for (const auto& name : own_policies_)  // noted as long as it is there
            if (find({Kind::policy, key.vhost, name})) thing.policies.insert(name);
        for (const auto& policy : object_.spec.policies) {
            thing.policies.insert(policy.name);
            const bool there = find({Kind::policy, key.vhost, policy.name}) != nullptr;
            if (!there && !own_policies_.contains(policy.name)) added.insert(policy.name);
        }
        if (!has || *has != thing) {
            out_.push_back(put(key, std::move(thing), seen_));
            out_.back().new_policies = std::move(added);
        }
        const auto& limits = object_.spec.limits;
        limit({Kind::limit, key.vhost, "max-connections"}, limits ? limits->max_connections : std::nullopt);
        limit({Kind::limit, key.vhost, "max-queues"}, limits ? limits->max_queues : std::nullopt);
    }

    /// A policy has no place for a mark: ours are those that their vhost names, before they are made.
    void policies() {
        std::set<std::string_view> wanted;
        for (const auto& policy : object_.spec.policies) {
            wanted.insert(policy.name);
            Thing thing;
            thing.policy = {policy.pattern, std::string(api::encode(policy.apply_to).as_string()), policy.priority,
                            policy.definition};
            want({Kind::policy, object_.spec.vhost, policy.name}, std::move(thing));
        }
        for (const auto& name : own_policies_)
            if (const Key key{Kind::policy, object_.spec.vhost, name}; !wanted.contains(name) && find(key))
                out_.push_back(erase(key, self_, seen_));
    }

    void of_account(const DeclaredUser& user, const Account& account) {
        const auto key = user_key(account.name);
        const auto* has = find(key);
        if (!has && !account.known()) return;
        auto thing = has ? *has : Thing{};
        thing.mark = self_;
        thing.tags.clear();
        for (const auto tag : user.tags) thing.tags.emplace(api::encode(tag).as_string());
        const bool lets_in = !account.known() || account.let_in(thing);
        if (account.hash) {
            thing.hash = account.hash->hash;
            thing.algorithm = account.hash->algorithm;
        }
        if (!has || !lets_in || thing != *has) {
            auto& action = out_.emplace_back(put(key, std::move(thing), seen_));
            action.sets_hash = account.hash.has_value();
            if (!lets_in) action.password = account.password;
        }
        rights(user, account.name);
    }

    void rights(const DeclaredUser& user, const std::string& name) {
        const auto& limits = user.limits;
        limit({Kind::user_limit, "", name, "max-connections"}, limits ? limits->max_connections : std::nullopt);
        limit({Kind::user_limit, "", name, "max-channels"}, limits ? limits->max_channels : std::nullopt);
        Thing topics;
        for (const auto& one : user.topic_permissions) topics.topics[one.exchange] = {one.write, one.read};
        const Key topic{Kind::topic, object_.spec.vhost, name};
        const auto* has = find(topic);
        if (topics.topics.empty()) {
            if (has) out_.push_back(erase(topic, self_, seen_));
        } else {
            // The broker takes away all or none. To take away all, and set again what stays, would leave the user wide
            // open in between; where everything matches it is not narrowed either.
            if (has)
                for (const auto& [exchange, held] : has->topics) topics.topics.try_emplace(exchange, not_narrowed);
            want(topic, std::move(topics));
        }
        Thing rights;
        rights.permission = {user.permissions.configure, user.permissions.write, user.permissions.read};
        want({Kind::permission, object_.spec.vhost, name}, std::move(rights));
    }

    /// Our users have no business in other vhosts.
    void elsewhere() {
        std::set<std::string> ours;
        for (const auto& user : object_.spec.users)
            for (const auto& account : accounts_of(object_, user, inputs_)) ours.insert(account.name);
        for (const auto kind : {Kind::permission, Kind::topic})
            for (auto it = seen_.lower_bound({kind, "", ""}); it != seen_.end() && it->first.kind == kind; ++it)
                if (it->first.vhost != object_.spec.vhost && ours.contains(it->first.name))
                    out_.push_back(erase(it->first, self_, seen_));
    }

    const Object& object_;
    const runtime::Inputs& inputs_;
    const Snapshot& seen_;
    const Mark self_;
    const std::set<std::string> own_policies_;
    std::vector<Action> out_;
};

}  // namespace

std::vector<Action> Vhost::diff(const Object& object, const runtime::Inputs& inputs, const Snapshot& seen) {
    if (!problems(object).empty()) return {};
    if (!foreign_things(object, inputs, seen).empty()) return {};
    return Plan(object, inputs, seen).made();
}

std::vector<Action> Vhost::remove(const Object& object, const std::string& installation, const Snapshot& seen) {
    const auto self = mark_of(object, installation);
    return without(self, seen, self.retained, {});
}

}  // namespace ocim::messaging
