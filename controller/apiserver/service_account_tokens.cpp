#include "apiserver/service_account_tokens.hpp"

#include "apiserver/access_limits.hpp"
#include "apiserver/authorizer.hpp"
#include "apiserver/digest.hpp"

#include <algorithm>

namespace ocim::apiserver {

namespace {

namespace json = api::json;
using api::Json;

constexpr std::int64_t expiration_min = 600;                    // as Kubernetes
constexpr std::int64_t expiration_max = std::int64_t{1} << 32;  // as Kubernetes
constexpr std::int64_t expiration_default = 3600;

std::int64_t seconds(WallTime time) {
    return std::chrono::floor<std::chrono::seconds>(time).time_since_epoch().count();
}

std::vector<std::string> texts(const Json* list) {
    std::vector<std::string> out;
    if (list && list->is_string()) out.emplace_back(list->get_string());
    if (list && list->is_array())
        for (const auto& item : list->get_array())
            if (item.is_string()) out.emplace_back(item.get_string());
    return out;
}

std::int64_t number(const Json& value, std::string_view field) {
    const auto* found = api::find(value, {field});
    return found && found->is_int64() ? found->get_int64() : 0;
}

api::Status wrong_duration(std::int64_t asked, const char* why) {
    return api::invalid(
        "TokenRequest", "authentication.k8s.io", "",
        {{"FieldValueInvalid", "Invalid value: " + std::to_string(asked) + ": " + why, "spec.expirationSeconds"}});
}

api::Status try_again(const std::string& why) {
    api::Status out;
    out.code = 503;
    out.reason = "ServiceUnavailable";
    out.message = why;
    out.retry_after_seconds = 1;
    return out;
}

Error refused(const char* why) { return {ErrorClass::auth, std::string("the token ") + why}; }

}  // namespace

ServiceAccountTokens::ServiceAccountTokens(registry::Registry& registry, Clock& clock, Random& random, TokenKeys keys,
                                           Settings settings)
    : registry_(registry),
      clock_(clock),
      random_(random),
      keys_(std::move(keys)),
      settings_(std::move(settings)),
      audiences_{settings_.issuer} {}

void ServiceAccountTokens::use(TokenKeys keys) {
    keys_ = std::move(keys);
    verified_.clear();
}

Result<std::string> ServiceAccountTokens::sign(const Json& claims, WallTime ends) {
    if (!keys_.lasts_until(ends)) {
        // by whole days: tokens of an hour are no reason to write a file for each of them
        const auto until = std::chrono::ceil<std::chrono::days>(ends);
        const auto& key = keys_.first().id();
        auto kept = settings_.keep ? settings_.keep(key, until) : Result<void>();
        if (!kept) return std::move(kept).error().within("the key that signs tokens");
        keys_.note(key, until);
    }
    return keys_.first().sign(claims);
}

std::optional<std::string> ServiceAccountTokens::uid_of(std::string_view plural, const std::string& namespace_,
                                                        const std::string& name) const {
    const auto* resource = registry_.resource("", "v1", plural);
    if (!resource) return std::nullopt;
    const auto found = registry_.get(*resource, namespace_, name);
    if (!found) return std::nullopt;
    const auto object = found->parsed();
    if (api::find(object, {"metadata", "deletionTimestamp"})) return std::nullopt;
    return std::string(api::find_text(object, {"metadata", "uid"}));
}

Result<Json, api::Status> ServiceAccountTokens::issue(const std::string& namespace_, const std::string& name,
                                                      Json request) {
    const auto uid = uid_of("serviceaccounts", namespace_, name);
    if (!uid) return api::not_found("serviceaccounts", "", name);
    const auto named = api::find_text(request, {"metadata", "name"});
    const auto placed = api::find_text(request, {"metadata", "namespace"});
    if ((!named.empty() && named != name) || (!placed.empty() && placed != namespace_))
        return api::bad_request("the name or namespace of the TokenRequest does not match the URL");

    auto lasts = expiration_default;
    const auto* asked = api::find(request, {"spec", "expirationSeconds"});
    if (asked && asked->is_int64()) lasts = asked->get_int64();
    if (lasts < expiration_min) return wrong_duration(lasts, "may not specify a duration less than 10 minutes");
    if (lasts > expiration_max) return wrong_duration(lasts, "may not specify a duration larger than 2^32 seconds");
    auto audiences = texts(api::find(request, {"spec", "audiences"}));
    if (audiences.empty()) audiences = audiences_;

    json::object about;
    about["namespace"] = namespace_;
    const auto* bound = api::find(request, {"spec", "boundObjectRef"});
    if (bound && bound->is_object()) {
        const auto kind = api::find_text(*bound, {"kind"});
        const auto version = api::find_text(*bound, {"apiVersion"});
        const std::string secret(api::find_text(*bound, {"name"}));
        if (kind != "Secret" || version != "v1")
            return api::bad_request("cannot bind token to object of type " + std::string(version) +
                                    ", Kind=" + std::string(kind));
        const auto secret_uid = uid_of("secrets", namespace_, secret);
        if (!secret_uid) return api::not_found("secrets", "", secret);
        const auto wanted = api::find_text(*bound, {"uid"});
        if (!wanted.empty() && wanted != *secret_uid)
            return api::conflict("secrets", "", secret,
                                 "the UID in the bound object reference (" + std::string(wanted) +
                                     ") does not match the UID in record (" + *secret_uid +
                                     "). The object might have been deleted and then recreated");
        about["secret"] = json::object{{"name", secret}, {"uid", *secret_uid}};
    }
    about["serviceaccount"] = json::object{{"name", name}, {"uid", *uid}};

    const auto now = seconds(clock_.wall());
    json::object claims;
    claims["aud"] = json::array(audiences.begin(), audiences.end());
    claims["exp"] = now + lasts;
    claims["iat"] = now;
    claims["iss"] = settings_.issuer;
    claims["jti"] = random_.uuid();
    claims["kubernetes.io"] = std::move(about);
    claims["nbf"] = now;
    claims["sub"] = "system:serviceaccount:" + namespace_ + ":" + name;
    const auto token = sign(claims, WallTime(std::chrono::seconds(now + lasts)));
    if (!token) return try_again(token.error().message);

    auto& metadata = api::make_object(request, {"metadata"});
    metadata["name"] = name;
    metadata["namespace"] = namespace_;
    metadata["creationTimestamp"] = rfc3339(clock_.wall());
    auto& spec = api::make_object(request, {"spec"});
    spec["audiences"] = json::array(audiences.begin(), audiences.end());
    spec["expirationSeconds"] = lasts;
    if (!bound) spec["boundObjectRef"] = nullptr;
    auto& status = api::make_object(request, {"status"});
    status["token"] = *token;
    status["expirationTimestamp"] = rfc3339(WallTime(std::chrono::seconds(now + lasts)));
    return request;
}

Result<ServiceAccountTokens::Claims> ServiceAccountTokens::read(const std::string& token) {
    auto hash = sha256_hex(token);
    if (const auto known = verified_.find(hash); known != verified_.end()) return known->second;
    const auto said = keys_.verify(token);
    if (!said) return said.error();
    if (api::find_text(*said, {"iss"}) != settings_.issuer) return refused("is of another issuer");
    Claims out;
    out.expires = number(*said, "exp");
    out.not_before = std::max(number(*said, "nbf"), number(*said, "iat"));
    out.audiences = texts(api::find(*said, {"aud"}));
    out.token_id = api::find_text(*said, {"jti"});
    const auto about = [&](std::initializer_list<std::string_view> path) {
        const auto* found = api::find(*said, {"kubernetes.io"});
        return found ? std::string(api::find_text(*found, path)) : std::string();
    };
    out.namespace_ = about({"namespace"});
    out.name = about({"serviceaccount", "name"});
    out.uid = about({"serviceaccount", "uid"});
    out.secret_name = about({"secret", "name"});
    out.secret_uid = about({"secret", "uid"});
    if (out.uid.empty() || api::find_text(*said, {"sub"}) != "system:serviceaccount:" + out.namespace_ + ":" + out.name)
        return refused("names no service account");
    if (verified_.size() >= limits::verified_tokens_max) verified_.clear();
    verified_[std::move(hash)] = out;
    return out;
}

Result<void> ServiceAccountTokens::still_good(const Claims& claims) const {
    const auto now = seconds(clock_.wall());
    if (now >= claims.expires) return refused("has expired");
    if (now < claims.not_before) return refused("is not valid yet");
    if (uid_of("serviceaccounts", claims.namespace_, claims.name) != claims.uid)
        return refused("is of a service account that is gone");
    if (!claims.secret_name.empty() && uid_of("secrets", claims.namespace_, claims.secret_name) != claims.secret_uid)
        return refused("is bound to a Secret that is gone");
    return {};
}

Result<Identity> ServiceAccountTokens::check(const std::string& token, const std::vector<std::string>& audiences) {
    const auto claims = read(token);
    if (!claims) return claims.error();
    if (auto good = still_good(*claims); !good) return std::move(good).error();
    Identity out;
    for (const auto& audience : claims->audiences)
        if (std::ranges::find(audiences, audience) != audiences.end()) out.audiences.push_back(audience);
    if (out.audiences.empty()) return refused("is for another audience");
    out.caller.user = "system:serviceaccount:" + claims->namespace_ + ":" + claims->name;
    out.caller.uid = claims->uid;
    out.caller.groups = {std::string(service_accounts_group),
                         std::string(service_accounts_group) + ":" + claims->namespace_};
    out.caller.extra["authentication.kubernetes.io/credential-id"] = {"JTI=" + claims->token_id};
    return out;
}

std::string ServiceAccountTokens::discovery_document() const {
    json::object out;
    out["issuer"] = settings_.issuer;
    out["jwks_uri"] = settings_.issuer + "/openid/v1/jwks";
    out["response_types_supported"] = json::array{"id_token"};
    out["subject_types_supported"] = json::array{"public"};
    out["id_token_signing_alg_values_supported"] = json::array{"ES256"};
    return api::to_text(out);
}

std::string ServiceAccountTokens::key_document() const {
    json::object out;
    out["keys"] = keys_.public_jwks();
    return api::to_text(out);
}

}  // namespace ocim::apiserver
