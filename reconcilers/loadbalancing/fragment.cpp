#include "loadbalancing/fragment.hpp"

#include "loadbalancing/rendering.hpp"

#include <optional>
#include <utility>

namespace ocim::loadbalancing {

namespace {

using Spec = crd::LoadBalancerFragment::Spec;
using runtime::Inputs;
using runtime::Ownership;
using runtime::Verdict;
using State = Verdict::State;

constexpr const char* domain_in_use = "DomainInUse";

/// The whole judgement about one object: why nothing may be done, or what is to be done.
struct Judgement {
    std::optional<Verdict> blocked;
    std::optional<Action> action;
    std::string name;  ///< of the fragment; "" when it cannot be told
};

Judgement blocked(State state, std::string reason, std::string message, std::string name = {}) {
    return {Verdict{state, std::move(reason), std::move(message)}, std::nullopt, std::move(name)};
}

Result<Surroundings> surroundings(const crd::LoadBalancerFragment& object, const Inputs& inputs,
                                  const crd::LoadBalancer& balancer) {
    const auto& meta = object.metadata;
    const std::string prefix = balancer.spec.haproxy ? balancer.spec.haproxy->fragment_prefix : "ocim-";
    Surroundings out{fragment_name(prefix, meta.namespace_, meta.name),
                     Mark{inputs.installation, meta.key(), meta.uid, false},
                     {},
                     {},
                     balancer.spec.preliminary_page_server};
    if (const auto& ref = object.spec.basic_auth_secret_ref) {
        out.username = inputs.secret(meta.namespace_, ref->name, ref->username_key);
        out.password = inputs.secret(meta.namespace_, ref->name, ref->password_key);
        if (!out.username || !out.password)
            return Error{ErrorClass::not_found, "the Secret " + ref->name + " has no key \"" +
                                                    (out.username ? ref->password_key : ref->username_key) + "\""};
    }
    return out;
}

std::string owner_of(const Thing& thing) {
    return thing.mark ? "is held by " + thing.mark->namespace_name + " of installation " + thing.mark->installation
                      : "carries no mark of ours";
}

Judgement judge(const crd::LoadBalancerFragment& object, const Inputs& inputs, const Snapshot& seen) {
    const auto balancer = inputs.get<crd::LoadBalancer>("", object.spec.load_balancer_ref.name);
    if (!balancer) return blocked(State::progressing, "LoadBalancerNotFound", "the LoadBalancer cannot be read");
    const auto around = surroundings(object, inputs, *balancer);
    if (!around) return blocked(State::progressing, "SecretIncomplete", around.error().message);
    auto rendered = render(object.spec, *around);
    if (!rendered) return blocked(State::stalled, "Invalid", rendered.error().message, around->name);

    const auto found = seen.find(fragment_key(around->name));
    const bool exists = found != seen.end();
    const bool adopt = object.spec.adoption_policy == Spec::AdoptionPolicy::adopt;
    const bool foreign = exists && runtime::ownership(found->second.mark, around->mark) == Ownership::foreign;
    if (foreign && !runtime::takeable(found->second.mark, around->mark, adopt))
        return blocked(State::stalled, "NotOwned",
                       "the file " + around->name + ".cfg exists and " + owner_of(found->second) +
                           "; remove it, or let adoptionPolicy: Adopt take over what has no mark",
                       around->name);
    const auto other = taken(rendered->domains, around->name, inputs.installation, seen);
    if (other && other->by_us)
        return blocked(State::progressing, domain_in_use,
                       other->domain + " still leads to " + other->backend + "; waiting until it is let go",
                       around->name);
    if (other && !adopt)
        return blocked(State::stalled, "NotOwned",
                       other->domain + " leads to " + other->backend +
                           ", which is not ours; remove that line from domains.map, or set adoptionPolicy: Adopt",
                       around->name);
    Action action{exists ? Action::Verb::update : Action::Verb::create,
                  around->name,
                  std::move(rendered->text),
                  std::move(rendered->domains),
                  around->mark,
                  foreign || other};
    const auto wanted = still_wanted(action, seen);
    if (wanted && !*wanted) return {std::nullopt, std::nullopt, around->name};
    return {std::nullopt, std::move(action), around->name};
}

using Checks = std::map<std::string, Check>;
constexpr Duration soon{1000}, later{5000};

/// What is known of each server. A check that is not known now is what it was, as long as nothing of the fragment
/// changed: after each reload HAProxy begins anew for all of them.
void add_servers(runtime::Report<crd::LoadBalancerFragment>& out, const crd::LoadBalancerFragment& object,
                 const Thing& thing, const Checks& checks) {
    using Server = std::decay_t<decltype(out.status.servers)>::value_type;
    const bool unchanged = object.status.applied_hash == out.status.applied_hash;
    for (const auto& rendered : servers_of(thing.text.reveal())) {
        Server server;
        server.name = rendered.name;
        server.standby = rendered.standby;
        const auto check = checks.find(rendered.name);
        if (check != checks.end() && thing.live && check->second.state != Check::State::unknown) {
            const bool passed = check->second.state == Check::State::passed;
            server.check = passed ? Server::Check::passed : Server::Check::failed;
            if (!passed) server.message = check->second.message;
        } else if (unchanged && thing.live) {
            for (const auto& before : object.status.servers)
                if (before.name == server.name && before.standby == server.standby) server = before;
        }
        if (server.check == Server::Check::unknown) out.look_again = soon;
        if (server.check == Server::Check::failed && server.standby) out.look_again = out.look_again.value_or(later);
        if (!server.standby) out.status.active_servers.push_back(server.name);
        out.status.servers.push_back(std::move(server));
    }
}

}  // namespace

std::string Fragment::backend_name(const Object& object) { return object.spec.load_balancer_ref.name; }

std::vector<runtime::Reference> Fragment::needs(const Object& object) {
    std::vector<runtime::Reference> out{{crd::LoadBalancer::kind, "", object.spec.load_balancer_ref.name}};
    if (const auto& ref = object.spec.basic_auth_secret_ref)
        out.push_back({api::secret_kind, object.metadata.namespace_, ref->name});
    return out;
}

std::vector<runtime::Claim> Fragment::claims(const Object& object) {
    std::vector<runtime::Claim> out;
    for (std::size_t i = 0; i < object.spec.domains.size(); ++i)
        out.push_back(
            {"loadbalancer/" + object.spec.load_balancer_ref.name + "/" + canonical_domain(object.spec.domains[i]),
             "spec.domains[" + std::to_string(i) + "]"});
    return out;
}

std::vector<api::Cause> Fragment::admit(const Object& object, const Object*, const Inputs&) {
    return faults(object.spec);
}

std::vector<Action> Fragment::diff(const Object& object, const Inputs& inputs, const Snapshot& seen) {
    auto judged = judge(object, inputs, seen);
    if (judged.blocked || !judged.action) return {};
    return {*std::move(judged.action)};
}

std::vector<Action> Fragment::remove(const Object& object, const std::string& installation, const Snapshot& seen) {
    const bool retain = object.spec.deletion_policy == Spec::DeletionPolicy::retain;
    std::vector<Action> out;
    // by the mark alone: without inputs the name cannot be told
    for (const auto& [key, thing] : seen) {
        if (!thing.mark || thing.mark->installation != installation || thing.mark->uid != object.metadata.uid) continue;
        if (!retain) {
            out.push_back({Action::Verb::delete_, key.name, {}, {}, *thing.mark});
            continue;
        }
        if (thing.mark->retained) continue;
        auto mark = *thing.mark;
        mark.retained = true;
        Secret text(with_mark(thing.text.reveal(), mark));
        out.push_back({Action::Verb::update, key.name, std::move(text), thing.domains, std::move(mark)});
    }
    return out;
}

runtime::Report<crd::LoadBalancerFragment> Fragment::report(const Object& object, const Inputs& inputs,
                                                            const Snapshot& seen) {
    runtime::Report<Object> out;
    const auto judged = judge(object, inputs, seen);
    const auto found = seen.find(fragment_key(judged.name));
    const bool ours = found != seen.end() && found->second.mark && found->second.mark->uid == object.metadata.uid &&
                      found->second.mark->installation == inputs.installation;
    if (ours) {
        const auto& text = found->second.text.reveal();
        out.status.backend = judged.name;
        out.status.applied_hash = hash_of(text, found->second.domains);
        out.status.domains = found->second.domains;
        const auto checks = seen.find(checks_key(judged.name));
        const bool current = checks != seen.end() && checks->second.text == found->second.text;
        add_servers(out, object, found->second, current ? checks->second.checks : Checks{});
    }
    if (judged.blocked) {
        out.verdict = *judged.blocked;
        return out;
    }
    if (judged.action) {
        out.verdict = {State::progressing, "Updating", "to be done: " + describe(*judged.action)};
        return out;
    }
    out.verdict = {
        State::ready, "Applied",
        object.spec.servers.empty() ? "in force; no server is active, the preliminary page answers" : "in force"};
    return out;
}

std::vector<runtime::Marked<Key>> Fragment::marked(const Snapshot& seen) {
    std::vector<runtime::Marked<Key>> out;
    for (const auto& [key, thing] : seen)
        if (thing.mark) out.push_back({key, *thing.mark});
    return out;
}

std::vector<Action> Fragment::sweep(const Key& key, const Snapshot& seen) {
    const auto found = seen.find(key);
    if (found == seen.end() || !found->second.mark) return {};
    return {{Action::Verb::delete_, key.name, {}, {}, *found->second.mark}};
}

Key Fragment::key(const Action& action) { return fragment_key(action.fragment); }

std::string Fragment::describe(const Action& action) {
    auto out = std::string(verb(action)) + " fragment " + action.fragment;
    if (action.verb == Action::Verb::delete_) return out;
    out += " for";
    for (std::size_t i = 0; i < action.domains.size() && i < 3; ++i) out += (i ? ", " : " ") + action.domains[i];
    if (action.domains.size() > 3) out += " and " + std::to_string(action.domains.size() - 3) + " more";
    const auto servers = servers_of(action.text.reveal()).size();
    return out + (servers == 0   ? " (preliminary page)"
                  : servers == 1 ? " (1 server)"
                                 : " (" + std::to_string(servers) + " servers)");
}

std::string_view Fragment::verb(const Action& action) {
    switch (action.verb) {
        case Action::Verb::create: return "create";
        case Action::Verb::update: return "update";
        case Action::Verb::delete_: return "delete";
    }
    return {};
}

}  // namespace ocim::loadbalancing
