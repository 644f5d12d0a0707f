#pragma once

#include "base/clock.hpp"
#include "base/result.hpp"
#include "base/secret.hpp"

#include <boost/asio/any_io_executor.hpp>
#include <cstddef>
#include <map>
#include <memory>
#include <optional>
#include <string>

namespace ocim::net {

/// One GET by somebody who watches a site, not by one who uses a service: on a connection of its own, to an address
/// of the caller's choice, with nothing read of the answer but its head and as much of its body as is asked for.
struct Fetch {
    std::string url;         ///< http or https, percent-encoded, without a user name
    std::string connect_to;  ///< "address:port" to use instead of the URL's host; "" for that host
    bool verify = true;      ///< of https: the certificate must be good and for the URL's host
    std::map<std::string, Secret> headers{};
    Duration timeout{10'000};  ///< of everything together
    std::size_t body_max = 0;  ///< so much of the body is read at most
};

struct Fetched {
    unsigned status = 0;
    Duration took{0};
    std::string body{};  ///< its beginning, as long as body_max said
    /// Of https: when the first of the certificates ends that were shown.
    std::optional<WallTime> certificate_expires{};
};

/// Lives on the loop thread. Any number of fetches may go on at once.
class Fetcher {
public:
    virtual ~Fetcher() = default;
    /// Any status is an answer, redirects are not followed. Errors: invalid (the URL), unreachable (all else, in words
    /// that stay the same as long as the reason does).
    virtual awaitable<Result<Fetched>> fetch(Fetch what) = 0;
};

/// `clock` must outlive it. Destroying it while a fetch goes on is a bug.
std::unique_ptr<Fetcher> make_fetcher(boost::asio::any_io_executor loop, Clock& clock);

/// What is wrong with `url` or `connect_to`, as invalid.
Result<void> check_fetch(const std::string& url, const std::string& connect_to);

}  // namespace ocim::net
