#pragma once

#include "api/json.hpp"
#include "base/async.hpp"
#include "compute/openstack_auth.hpp"
#include "keystone/session.hpp"
#include "net/http_client.hpp"

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

namespace ocim::compute::openstack {

enum class Service { compute, image, network };

struct Request {
    Service service{};
    std::string method = "GET";
    std::string path{};  ///< below the service's versioned root, with the query, percent-encoded
    std::string body{};
};

struct Reply {
    unsigned status = 0;
    api::Json body;  ///< null when the reply has none
    /// The server's clock, where it says so.
    std::optional<WallTime> date;
};

/// What a refusal says, whichever service it comes from: each has a form of its own. `request` is "nova GET /servers".
/// A quota that is used up is a conflict: what is there must be looked at anew before it is tried again.
Error refusal(const net::HttpReply& reply, const std::string& request, WallTime now);
/// Whether an error is about a quota.
bool is_quota(const Error& error);

/// Calls to the services of one cloud as one user: it logs in when needed, once for all who wait, and once more when a
/// token is refused before its time. Lives on the loop thread.
class Session {
public:
    /// Makes a client for the root of a URL; tests count and answer.
    using Connect = std::function<Result<std::unique_ptr<net::HttpClient>>(const std::string& base_url)>;

    Session(Credentials credentials, Clock& clock, Connect connect);
    Session(const Session&) = delete;
    Session& operator=(const Session&) = delete;

    /// Statuses below 300 are a Reply, all others an error (not_found for 404). The words of an error end in the
    /// identifier that OpenStack gave the request.
    awaitable<Result<Reply>> call(Request request);
    /// All pages of a list: `items` of every answer under `key`. A page that cannot be read, or pages without an end,
    /// are an error. `date` becomes the server's clock at the first page.
    awaitable<Result<std::vector<api::Json>>> list(Service service, std::string path, std::string key,
                                                   std::optional<WallTime>* date = nullptr);
    /// Proves who we are, by the cheapest call.
    awaitable<Result<void>> prove();

    /// The newest version of Nova's API that both sides know; asked for once.
    awaitable<Result<std::string>> microversion();

private:
    awaitable<Result<keystone::Token>> log_in();
    awaitable<Result<net::HttpReply>> send(const Request& request, const keystone::Held& held);
    Result<std::string> url_of(Service service, const keystone::Held& held) const;
    Result<net::HttpClient*> client(const std::string& url);

    const Credentials credentials_;
    Clock& clock_;
    const Connect connect_;
    std::map<std::string, std::unique_ptr<net::HttpClient>> clients_;  // by root URL
    keystone::Session tokens_;
    std::string microversion_;
};

}  // namespace ocim::compute::openstack
