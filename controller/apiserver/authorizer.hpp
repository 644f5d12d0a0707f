#pragma once

#include "api/status.hpp"
#include "apiserver/rbac.hpp"

#include <memory>
#include <string>
#include <vector>

/// Who may do what.
namespace ocim::apiserver {

/// Decides; it neither waits nor changes anything stored. Lives on the loop thread.
class Authorizer {
public:
    virtual ~Authorizer() = default;
    virtual bool allows(const Attributes& attributes) const = 0;
    /// Everything that the caller may do in that namespace; "" is what he may do outside of any.
    virtual PolicyRules rules(const registry::Caller& caller, const std::string& namespace_) const = 0;
    /// The rules of a role that a binding in `namespace_` refers to; nothing when there is no such role.
    virtual std::optional<PolicyRules> rules_of_role(const std::string& kind, const std::string& namespace_,
                                                     const std::string& name) const = 0;
};

/// RBAC as Kubernetes has it, by what the registry holds at that moment. Members of system:masters may do everything.
/// `registry` must outlive it.
std::unique_ptr<Authorizer> make_rbac_authorizer(registry::Registry& registry);

/// 403, in Kubernetes' words.
api::Status refusal(const Attributes& attributes);

/// What a write of a role or a binding must not do: give away what the writer does not have. A guard for
/// Registry::set_guard; `authorizer` must outlive it.
registry::Guard escalation_guard(const Authorizer& authorizer);

/// Makes the roles and bindings that every installation has, and adds to those that exist what they lack, unless
/// they are annotated rbac.authorization.kubernetes.io/autoupdate: "false".
awaitable<Result<void>> install_policy(registry::Registry& registry);

bool is_master(const registry::Caller& caller);

inline constexpr std::string_view masters_group = "system:masters";
inline constexpr std::string_view authenticated_group = "system:authenticated";
inline constexpr std::string_view unauthenticated_group = "system:unauthenticated";
inline constexpr std::string_view service_accounts_group = "system:serviceaccounts";
inline constexpr std::string_view anonymous_user = "system:anonymous";

}  // namespace ocim::apiserver
