#include "apiserver/authorizer.hpp"

#include <algorithm>
#include <array>

namespace ocim::apiserver {

namespace {

bool member(const registry::Caller& caller, std::string_view group) {
    return std::ranges::find(caller.groups, group) != caller.groups.end();
}

/// As Kubernetes' role system:discovery.
constexpr std::array discovery_paths{"/api",     "/api/*",     "/apis",   "/apis/*",  "/healthz", "/livez",
                                     "/openapi", "/openapi/*", "/readyz", "/version", "/version/"};

bool matches(std::string_view pattern, std::string_view path) {
    if (!pattern.ends_with('*')) return pattern == path;
    return path.starts_with(pattern.substr(0, pattern.size() - 1));
}

/// As Kubernetes' role system:basic-user: questions about oneself.
bool about_oneself(const Attributes& a) {
    if (a.verb != "create") return false;
    if (a.group == "authorization.k8s.io")
        return a.plural == "selfsubjectaccessreviews" || a.plural == "selfsubjectrulesreviews";
    return a.group == "authentication.k8s.io" && a.plural == "selfsubjectreviews";
}

class MastersAuthorizer : public Authorizer {
public:
    bool allows(const Attributes& a) const override {
        if (member(a.caller, masters_group)) return true;
        if (!member(a.caller, authenticated_group)) return false;
        if (!a.plural.empty()) return about_oneself(a);
        return a.verb == "get" &&
               std::ranges::any_of(discovery_paths, [&](std::string_view p) { return matches(p, a.path); });
    }

    Rules rules(const registry::Caller& caller, const std::string&) const override {
        Rules out;
        if (member(caller, masters_group)) {
            out.resources.push_back({{"*"}, {"*"}, {"*"}});
            out.paths.push_back({{"*"}, {"*"}});
        }
        out.resources.push_back(
            {{"create"}, {"authorization.k8s.io"}, {"selfsubjectaccessreviews", "selfsubjectrulesreviews"}});
        out.resources.push_back({{"create"}, {"authentication.k8s.io"}, {"selfsubjectreviews"}});
        out.paths.push_back({{"get"}, {discovery_paths.begin(), discovery_paths.end()}});
        return out;
    }
};

}  // namespace

std::unique_ptr<Authorizer> make_masters_authorizer() { return std::make_unique<MastersAuthorizer>(); }

api::Status refusal(const Attributes& a) {
    if (a.plural.empty()) {
        api::Status status;
        status.code = 403;
        status.reason = "Forbidden";
        status.message = "forbidden: User \"" + a.caller.user + "\" cannot " + a.verb + " path \"" + a.path + "\"";
        return status;
    }
    const auto resource = a.subresource.empty() ? a.plural : a.plural + "/" + a.subresource;
    auto why = "User \"" + a.caller.user + "\" cannot " + a.verb + " resource \"" + resource + "\" in API group \"" +
               a.group + "\"";
    why += a.namespace_.empty() ? " at the cluster scope" : " in the namespace \"" + a.namespace_ + "\"";
    return api::forbidden(a.plural, a.group, a.name, why);
}

}  // namespace ocim::apiserver
