#pragma once

#include "api/json.hpp"
#include "base/clock.hpp"
#include "base/result.hpp"
#include "base/secret.hpp"

#include <map>
#include <optional>
#include <string>

/// Who we are at an OpenStack cloud, and what Keystone says to that. Pure.
namespace ocim::keystone {

/// A name or an ID; an ID goes before a name.
struct Named {
    std::string id, name;
    bool empty() const { return id.empty() && name.empty(); }
    bool operator==(const Named&) const = default;
};

struct Credentials {
    std::string auth_url;  ///< ends in "/v3"
    std::string region, interface = "public";
    Named user, user_domain;
    Secret password;
    Named application_credential;
    Secret application_secret;
    Named project, project_domain, domain;
    bool system = false;
    std::string ca_certificate;            ///< PEM; empty: the system's
    std::string place = "spec.openstack";  ///< where a person says all this, for messages
};

/// The body of POST /v3/auth/tokens. It holds a password.
Secret login_request(const Credentials& credentials);

/// What a token is good for.
struct Token {
    Secret text;
    Duration lifetime{};                           ///< from when it was asked for
    std::map<std::string, std::string> endpoints;  ///< service type -> URL without a slash at its end
    std::string project_id;
};
/// `body` is the answer to the request above, `text` its X-Subject-Token. Error: invalid when the catalog has not the
/// region that was asked for; it names those that there are.
Result<Token> read_token(const std::string& body, std::string text, const Credentials& credentials);

}  // namespace ocim::keystone
