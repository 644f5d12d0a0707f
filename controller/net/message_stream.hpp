#pragma once

#include "base/clock.hpp"
#include "base/result.hpp"

#include <boost/asio/any_io_executor.hpp>
#include <memory>
#include <string>

namespace ocim::net {

/// Messages with two bytes of length before each, over one TCP connection: how DNS speaks (RFC 1035, 4.2.2).
/// Lives on the loop thread. Bounds no time of its own: whoever calls has a deadline.
class MessageStream {
public:
    static constexpr std::size_t message_bytes_max = 65'535;

    explicit MessageStream(boost::asio::any_io_executor loop);
    ~MessageStream();
    MessageStream(const MessageStream&) = delete;
    MessageStream& operator=(const MessageStream&) = delete;

    /// Error: unreachable.
    awaitable<Result<void>> connect(std::string host, std::string port);
    /// Error: unreachable when it broke, of unknown outcome; invalid when the message is too long.
    awaitable<Result<void>> send(std::string message);
    /// Error: unreachable when it was cut off, of unknown outcome.
    awaitable<Result<std::string>> receive();

private:
    struct Socket;
    std::unique_ptr<Socket> socket_;
};

}  // namespace ocim::net
