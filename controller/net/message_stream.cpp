#include "net/message_stream.hpp"

#include <array>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/connect.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/read.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>
#include <utility>

namespace ocim::net {

namespace {

namespace asio = boost::asio;
using tcp = asio::ip::tcp;
constexpr auto no_throw = asio::as_tuple(asio::use_awaitable);

Error broken(const std::string& what) {
    Error out{ErrorClass::unreachable, what};
    out.outcome_unknown = true;
    return out;
}

}  // namespace

struct MessageStream::Socket {
    tcp::socket socket;
    std::string place;
};

MessageStream::MessageStream(asio::any_io_executor loop)
    : socket_(std::make_unique<Socket>(Socket{tcp::socket(std::move(loop)), {}})) {}
MessageStream::~MessageStream() = default;

awaitable<Result<void>> MessageStream::connect(std::string host, std::string port) {
    socket_->place = host + ":" + port;
    tcp::resolver resolver(socket_->socket.get_executor());
    const auto [unknown, endpoints] = co_await resolver.async_resolve(host, port, no_throw);
    if (unknown) co_return Error{ErrorClass::unreachable, host + ": " + unknown.message()};
    const auto [refused, endpoint] = co_await asio::async_connect(socket_->socket, endpoints, no_throw);
    if (refused)
        co_return Error{ErrorClass::unreachable, "no connection to " + socket_->place + ": " + refused.message()};
    boost::system::error_code ignored;
    socket_->socket.set_option(tcp::no_delay(true), ignored);
    co_return Result<void>{};
}

awaitable<Result<void>> MessageStream::send(std::string message) {
    if (message.size() > message_bytes_max)
        co_return Error{ErrorClass::invalid, "it is longer than a message of 65535 bytes"};
    const auto length = message.size();
    message.insert(0, {static_cast<char>(length >> 8), static_cast<char>(length & 0xff)});
    const auto bytes = asio::buffer(message);
    const auto [broke, sent] = co_await asio::async_write(socket_->socket, bytes, no_throw);
    if (broke) co_return broken(socket_->place + ": the connection broke: " + broke.message());
    co_return Result<void>{};
}

awaitable<Result<std::string>> MessageStream::receive() {
    std::array<unsigned char, 2> head{};
    const auto length_bytes = asio::buffer(head);
    const auto [unread, first] = co_await asio::async_read(socket_->socket, length_bytes, no_throw);
    if (unread)
        co_return broken(socket_->place + ": the connection was closed before an answer came: " + unread.message());
    std::string message(static_cast<std::size_t>(head[0] << 8 | head[1]), '\0');
    const auto bytes = asio::buffer(message);
    const auto [cut, rest] = co_await asio::async_read(socket_->socket, bytes, no_throw);
    if (cut) co_return broken(socket_->place + ": the answer was cut off: " + cut.message());
    co_return message;
}

}  // namespace ocim::net
