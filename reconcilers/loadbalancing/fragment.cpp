#include "loadbalancing/fragment.hpp"

#include "loadbalancing/judgement.hpp"
#include "loadbalancing/rendering.hpp"

#include <utility>

namespace ocim::loadbalancing {

namespace {

using Spec = crd::LoadBalancerFragment::Spec;
using runtime::Inputs;

}  // namespace

std::string Fragment::backend_name(const Object& object) { return object.spec.load_balancer_ref.name; }

std::vector<runtime::Reference> Fragment::needs(const Object& object) {
    std::vector<runtime::Reference> out{{crd::LoadBalancer::kind, "", object.spec.load_balancer_ref.name}};
    if (const auto& ref = object.spec.basic_auth_secret_ref)
        out.push_back({api::secret_kind, object.metadata.namespace_, ref->name});
    if (const auto& ref = object.spec.certificate_secret_ref)  // without it the site stays as it is otherwise
        out.push_back({api::secret_kind, object.metadata.namespace_, ref->name, true});
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
    std::vector<Action> out;
    for (auto& there : judge(object, inputs, seen).hosts)
        if (there.action) out.push_back(*std::move(there.action));
    return out;
}

std::vector<Action> Fragment::remove(const Object& object, const std::string& installation, const Snapshot& seen) {
    const bool retain = object.spec.deletion_policy == Spec::DeletionPolicy::retain;
    std::vector<Action> out;
    // by the mark alone: without inputs the name cannot be told
    for (const auto& [key, thing] : seen) {
        if (key.part == Key::Part::unknown_host) {
            // not known to be gone: the host says when it can be asked
            Mark mark{installation, object.metadata.key(), object.metadata.uid, false};
            const auto verb = retain ? Action::Verb::update : Action::Verb::delete_;
            out.push_back({verb, {}, {}, {}, std::move(mark), false, key.host});
            continue;
        }
        if (!thing.mark || thing.mark->installation != installation || thing.mark->uid != object.metadata.uid) continue;
        if (!retain) {
            out.push_back({Action::Verb::delete_, key.name, {}, {}, *thing.mark, false, key.host});
            continue;
        }
        if (thing.mark->retained) continue;
        auto mark = *thing.mark;
        mark.retained = true;
        Secret text(with_mark(thing.text.reveal(), mark));
        out.push_back(
            {Action::Verb::update, key.name, std::move(text), thing.domains, std::move(mark), false, key.host});
    }
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
    return {{Action::Verb::delete_, key.name, {}, {}, *found->second.mark, false, key.host}};
}

Key Fragment::key(const Action& action) {
    return fragment_key(action.fragment.empty() ? "?" + action.mark.uid : action.fragment, action.host);
}

std::string Fragment::describe(const Action& action) {
    const auto& what = action.fragment.empty() ? action.mark.namespace_name : action.fragment;
    auto out = on(action.host) + std::string(verb(action)) + " fragment " + what;
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
