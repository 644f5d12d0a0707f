#include "net/http_server.hpp"

#include "fuzz/fuzz.hpp"
#include "support/test_loop.hpp"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/buffer.hpp>
#include <boost/asio/connect.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>

using namespace ocim;
namespace asio = boost::asio;
using asio::ip::tcp;

namespace {

constexpr auto as_result = asio::as_tuple(asio::use_awaitable);

void check(const net::ServerRequest& request) {
    fuzz::expect(request.path.starts_with('/'), "a handler sees paths only", request.path);
    fuzz::expect(request.path.find_first_of("?# \r\n") == std::string::npos, "a path is one", request.path);
    fuzz::expect(request.headers.count("host") <= 1, "whom a request is for is not a matter of taste");
    fuzz::expect(!request.headers.contains("content-length") || !request.headers.contains("transfer-encoding"),
                 "where a body ends is said once");
    fuzz::expect(request.headers.count("content-length") <= 1, "a length is said once");
    for (const auto& [name, value] : request.headers) {
        fuzz::expect(name.find_first_of(std::string_view(" \t\r\n:\0", 6)) == std::string::npos, "a name is one", name);
        fuzz::expect(value.find_first_of(std::string_view("\r\n\0", 3)) == std::string::npos, "a value is one", value);
    }
}

/// A server that lives as long as the fuzzer, and one client at a time.
class World {
public:
    World() {
        auto handler = [](net::ServerRequest request, net::Responder& responder) -> awaitable<void> {
            check(request);
            net::ServerReply reply(200, {{"X-Method", request.method}}, std::move(request.body));
            co_await responder.reply(std::move(reply));
        };
        auto served = net::serve(loop_.executor(), loop_.clock(), net::ServerSettings(), handler);
        fuzz::expect(static_cast<bool>(served), "it serves");
        server_ = *std::move(served);
    }
    std::string exchange(std::string said) { return loop_.run(talk(std::move(said))); }

private:
    awaitable<std::string> talk(std::string said) {
        tcp::socket socket(loop_.context());
        const tcp::endpoint server(asio::ip::address_v4::loopback(), server_->port());
        co_await socket.async_connect(server, asio::use_awaitable);
        const auto bytes = asio::buffer(said);
        co_await asio::async_write(socket, bytes, as_result);
        boost::system::error_code ignored;
        socket.shutdown(tcp::socket::shutdown_send, ignored);
        std::string answer;
        for (;;) {
            std::string part(16384, '\0');
            const auto room = asio::buffer(part);
            const auto [error, size] = co_await socket.async_read_some(room, as_result);
            answer.append(part, 0, size);
            if (error) co_return answer;
        }
    }

    test::RealLoop loop_;
    std::unique_ptr<net::HttpServer> server_;
};

}  // namespace

/// What a client sends before it stops: any number of requests.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    static auto& world = *new World;  // lives as long as the process
    const auto answer = world.exchange({reinterpret_cast<const char*>(data), size});
    fuzz::expect(answer.empty() || answer.starts_with("HTTP/1.1 "), "every answer is HTTP", answer);
    return 0;
}
