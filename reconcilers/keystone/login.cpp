#include "keystone/login.hpp"

#include <set>

namespace ocim::keystone {
namespace {

namespace json = api::json;
using std::chrono::duration_cast;

json::object named(const Named& what) {
    return what.id.empty() ? json::object{{"name", what.name}} : json::object{{"id", what.id}};
}

}  // namespace

Secret login_request(const Credentials& is) {
    auto user = named(is.user);
    if (is.user.id.empty()) user["domain"] = named(is.user_domain);
    json::object identity, auth;
    if (!is.application_credential.empty()) {
        auto credential = named(is.application_credential);
        credential["secret"] = is.application_secret.reveal();
        if (is.application_credential.id.empty()) credential["user"] = std::move(user);
        identity["methods"] = json::array{"application_credential"};
        identity["application_credential"] = std::move(credential);
        auth["identity"] = std::move(identity);  // and no scope: Keystone refuses one
        return Secret(api::to_text(json::object{{"auth", std::move(auth)}}));
    }
    user["password"] = is.password.reveal();
    identity["methods"] = json::array{"password"};
    identity["password"] = json::object{{"user", std::move(user)}};
    auth["identity"] = std::move(identity);
    if (is.system) {
        auth["scope"] = json::object{{"system", json::object{{"all", true}}}};
    } else if (!is.domain.empty()) {
        auth["scope"] = json::object{{"domain", named(is.domain)}};
    } else {
        auto project = named(is.project);
        if (is.project.id.empty()) project["domain"] = named(is.project_domain);
        auth["scope"] = json::object{{"project", std::move(project)}};
    }
    return Secret(api::to_text(json::object{{"auth", std::move(auth)}}));
}

Result<Token> read_token(const std::string& body, std::string text, const Credentials& credentials) {
    const auto strange = [](const std::string& why) {
        return Error{ErrorClass::unreachable, "what answers is not Keystone: " + why};
    };
    const auto parsed = api::parse_json(body);
    if (!parsed) return strange("its answer is not JSON");
    const auto issued = parse_rfc3339(api::find_text(parsed->value, {"token", "issued_at"}));
    const auto expires = parse_rfc3339(api::find_text(parsed->value, {"token", "expires_at"}));
    if (text.empty() || !issued || !expires) return strange("its answer holds no token");
    Token out{Secret(std::move(text)), duration_cast<Duration>(*expires - *issued), {}, {}};
    out.project_id = api::find_text(parsed->value, {"token", "project", "id"});
    const auto* catalog = api::find(parsed->value, {"token", "catalog"});
    std::set<std::string> regions;
    bool in_region = false;
    if (catalog && catalog->is_array())
        for (const auto& service : catalog->get_array()) {
            const auto* endpoints = api::find(service, {"endpoints"});
            if (!endpoints || !endpoints->is_array()) continue;
            for (const auto& endpoint : endpoints->get_array()) {
                auto region = std::string(api::find_text(endpoint, {"region_id"}));
                if (region.empty()) region = api::find_text(endpoint, {"region"});
                regions.insert(region);
                if (!credentials.region.empty() && region != credentials.region) continue;
                in_region = true;
                if (api::find_text(endpoint, {"interface"}) != credentials.interface) continue;
                auto url = std::string(api::find_text(endpoint, {"url"}));
                while (url.ends_with('/')) url.pop_back();
                out.endpoints.emplace(std::string(api::find_text(service, {"type"})), std::move(url));
            }
        }
    std::string names;
    for (const auto& region : regions) names += (names.empty() ? "" : ", ") + region;
    if (!credentials.region.empty() && !in_region)
        return Error{ErrorClass::invalid, credentials.place + ".region: the catalog has no region \"" +
                                              credentials.region + "\"; it has: " + (names.empty() ? "none" : names)};
    if (credentials.region.empty() && regions.size() > 1)
        return Error{ErrorClass::invalid,
                     credentials.place + ".region is not set, and the catalog has several regions: " + names};
    return out;
}

}  // namespace ocim::keystone
