#pragma once

#include "base/clock.hpp"
#include "base/result.hpp"

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ssl/context.hpp>
#include <boost/system/error_code.hpp>

#include <memory>
#include <optional>
#include <string>
#include <vector>

using SSL = struct ssl_st;

/// How those connect who watch others; room-internal.
namespace ocim::net {

/// Names to addresses. Lives on the loop thread; the threads of the C library that look may end after it.
class Resolver {
public:
    explicit Resolver(boost::asio::any_io_executor loop);
    ~Resolver();
    Resolver(const Resolver&) = delete;
    Resolver& operator=(const Resolver&) = delete;
    /// Never empty. Error: unreachable.
    awaitable<Result<std::vector<boost::asio::ip::tcp::endpoint>>> resolve(std::string host, std::string port);

private:
    class Door;
    std::shared_ptr<Door> door_;  // shared with the resolver's threads
};

/// TLS as a visitor speaks it: with the system's authorities, or with any certificate.
class VisitorTls {
public:
    VisitorTls();
    boost::asio::ssl::context& context(bool verify) { return verify ? strict_ : trusting_; }

private:
    boost::asio::ssl::context strict_{boost::asio::ssl::context::tls_client},
        trusting_{boost::asio::ssl::context::tls_client};
};

/// What is cut short has no answer of its own: leaves by an exception.
void leave_if_cancelled(const boost::system::error_code& code);
/// Of all certificates that were shown.
std::optional<WallTime> first_expiry(const SSL* connection);
/// Why a handshake failed, in words that stay the same as long as the reason does.
std::string tls_refusal(const SSL* connection, const boost::system::error_code& code);

}  // namespace ocim::net
