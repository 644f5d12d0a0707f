#include "apiserver/authorizer.hpp"

#include "apiserver/role_index.hpp"

#include <algorithm>

namespace ocim::apiserver {

namespace {

class RbacAuthorizer final : public Authorizer {
public:
    explicit RbacAuthorizer(registry::Registry& registry) : index_(registry) {}

    bool allows(const Attributes& asked) const override {
        if (is_master(asked.caller)) return true;
        bool allowed = false;
        index_.each_role(asked.caller, asked.namespace_, [&](const PolicyRules& rules) {
            allowed = apiserver::allows(rules, asked);
            return !allowed;
        });
        return allowed;
    }

    PolicyRules rules(const registry::Caller& caller, const std::string& namespace_) const override {
        PolicyRules out;
        if (is_master(caller)) {
            out.push_back({{"*"}, {"*"}, {"*"}, {}, {}});
            out.push_back({{"*"}, {}, {}, {}, {"*"}});
        }
        index_.each_role(caller, namespace_, [&](const PolicyRules& rules) {
            out.insert(out.end(), rules.begin(), rules.end());
            return true;
        });
        return out;
    }

    std::optional<PolicyRules> rules_of_role(const std::string& kind, const std::string& namespace_,
                                             const std::string& name) const override {
        return index_.role(kind == "Role" ? namespace_ : "", name);
    }

private:
    mutable RoleIndex index_;  // catches up with the registry when it is asked
};

}  // namespace

bool is_master(const registry::Caller& caller) {
    return std::ranges::find(caller.groups, masters_group) != caller.groups.end();
}

std::unique_ptr<Authorizer> make_rbac_authorizer(registry::Registry& registry) {
    return std::make_unique<RbacAuthorizer>(registry);
}

api::Status refusal(const Attributes& a) {
    const auto who = "User " + api::to_text(api::Json(a.caller.user)) + " cannot " + a.verb;
    if (a.plural.empty()) {
        api::Status status;
        status.code = 403;
        status.reason = "Forbidden";
        status.message = "forbidden: " + who + " path " + api::to_text(api::Json(a.path));
        return status;
    }
    const auto resource = a.subresource.empty() ? a.plural : a.plural + "/" + a.subresource;
    auto why = who + " resource \"" + resource + "\" in API group \"" + a.group + "\"";
    why += a.namespace_.empty() ? " at the cluster scope" : " in the namespace \"" + a.namespace_ + "\"";
    return api::forbidden(a.plural, a.group, a.name, why);
}

}  // namespace ocim::apiserver
