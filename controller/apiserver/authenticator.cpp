#include "apiserver/authenticator.hpp"

#include "apiserver/authorizer.hpp"
#include "apiserver/digest.hpp"
#include "apiserver/route.hpp"

#include <algorithm>
#include <array>

namespace ocim::apiserver {

namespace {

std::string lower(std::string_view text) {
    std::string out(text);
    std::ranges::transform(out, out.begin(), [](char c) { return c >= 'A' && c <= 'Z' ? char(c - 'A' + 'a') : c; });
    return out;
}

bool open_to_all(std::string_view path) {
    static constexpr std::array open{"/healthz", "/livez", "/readyz", "/version"};
    return std::ranges::any_of(
        open, [&](std::string_view one) { return path == one || (path.starts_with(one) && path[one.size()] == '/'); });
}

}  // namespace

std::string_view attempted(const net::ServerRequest& request) {
    if (request.peer || request.peer_refused) return "x509";
    const auto given = request.header("authorization");
    if (given.empty()) return "none";
    const auto scheme = lower(given.substr(0, given.find(' ')));
    return scheme == "bearer" ? "bearer" : scheme == "basic" ? "basic" : "other";
}

Result<Identity> Authenticator::check_token(const std::string& token, std::vector<std::string> audiences) {
    const std::vector<std::string> ours = tokens_ ? tokens_->audiences() : std::vector<std::string>();
    if (audiences.empty()) audiences = ours;
    if (const auto* fixed = fixed_.find(token)) {
        Identity out{*fixed, {}};
        for (const auto& audience : audiences)
            if (std::ranges::find(ours, audience) != ours.end()) out.audiences.push_back(audience);
        // a written token is for this API
        if (out.audiences.empty() && !ours.empty()) return Error{ErrorClass::auth, "the token is for another audience"};
        out.caller.groups.emplace_back(authenticated_group);
        return out;
    }
    if (!tokens_) return Error{ErrorClass::auth, "the token is not known"};
    auto out = tokens_->check(token, audiences);
    if (out) out->caller.groups.emplace_back(authenticated_group);
    return out;
}

std::optional<registry::Caller> Authenticator::authenticate(const net::ServerRequest& request, std::string_view path) {
    if (request.peer_refused) return std::nullopt;
    if (const auto& peer = request.peer) {
        if (peer->common_name.empty() || peer->not_after <= clock_.wall() || revoked_.covers(*peer))
            return std::nullopt;
        registry::Caller out;
        out.user = peer->common_name;
        out.groups = peer->organizations;
        out.groups.emplace_back(authenticated_group);
        return out;
    }
    if (request.headers.count("authorization") > 1) return std::nullopt;
    const auto given = request.header("authorization");
    const auto space = given.find(' ');
    if (space != std::string_view::npos && lower(given.substr(0, space)) == "bearer") {
        auto found = check_token(trimmed(given.substr(space)), {});
        if (!found) return std::nullopt;
        return std::move(found->caller);
    }
    if (!open_to_all(path)) return std::nullopt;
    registry::Caller out;
    out.user = anonymous_user;
    out.groups = {std::string(unauthenticated_group)};
    return out;
}

// --- impersonation

namespace {

/// "%2f" in the name of an extra field: header names cannot hold everything.
std::string unescaped(std::string_view text) { return percent_decoded(text, false).value_or(std::string(text)); }

Attributes may_impersonate(const registry::Caller& caller, std::string group, std::string plural) {
    Attributes out;
    out.caller = caller;
    out.verb = "impersonate";
    out.group = std::move(group);
    out.version = "v1";
    out.plural = std::move(plural);
    return out;
}

/// The question whether that user may be impersonated: a service account is asked for as such.
Attributes about_user(const registry::Caller& caller, const std::string& user) {
    constexpr std::string_view prefix = "system:serviceaccount:";
    const auto rest = user.starts_with(prefix) ? user.substr(prefix.size()) : std::string();
    const auto colon = rest.find(':');
    auto out = may_impersonate(caller, "", colon == std::string::npos ? "users" : "serviceaccounts");
    out.name = colon == std::string::npos ? user : rest.substr(colon + 1);
    if (colon != std::string::npos) out.namespace_ = rest.substr(0, colon);
    return out;
}

/// The groups that follow from who it is.
void add_own_groups(const Attributes& asked, registry::Caller& caller) {
    if (asked.plural == "serviceaccounts" && caller.groups.empty())
        caller.groups = {std::string(service_accounts_group),
                         std::string(service_accounts_group) + ":" + asked.namespace_};
    const auto own = caller.user == anonymous_user ? unauthenticated_group : authenticated_group;
    if (std::ranges::find(caller.groups, own) == caller.groups.end()) caller.groups.emplace_back(own);
}

}  // namespace

Result<bool, api::Status> impersonate(const net::ServerRequest& request, const Authorizer& authorizer,
                                      registry::Caller& caller) {
    constexpr std::string_view prefix = "impersonate-";
    auto at = request.headers.lower_bound(std::string(prefix));
    if (at == request.headers.end() || !at->first.starts_with(prefix)) return false;
    registry::Caller wanted;
    wanted.user.clear();
    std::vector<Attributes> questions;
    for (; at != request.headers.end() && at->first.starts_with(prefix); ++at) {
        const auto what = at->first.substr(prefix.size());
        if (what == "user") {
            wanted.user = at->second;
            questions.push_back(about_user(caller, at->second));
        } else if (what == "group") {
            wanted.groups.push_back(at->second);
            questions.push_back(may_impersonate(caller, "", "groups"));
            questions.back().name = at->second;
        } else if (what == "uid") {
            wanted.uid = at->second;
            questions.push_back(may_impersonate(caller, "authentication.k8s.io", "uids"));
            questions.back().name = at->second;
        } else if (what.starts_with("extra-")) {
            const auto key = unescaped(what.substr(6));
            wanted.extra[key].push_back(at->second);
            questions.push_back(may_impersonate(caller, "authentication.k8s.io", "userextras"));
            questions.back().subresource = key;
            questions.back().name = at->second;
        } else {
            return api::bad_request("unknown header Impersonate-" + what);
        }
    }
    if (wanted.user.empty() || request.headers.count("impersonate-user") != 1)
        return api::bad_request("impersonation needs one Impersonate-User header");
    for (const auto& question : questions)
        if (!authorizer.allows(question)) return refusal(question);
    add_own_groups(about_user(caller, wanted.user), wanted);
    caller = std::move(wanted);
    return true;
}

}  // namespace ocim::apiserver
