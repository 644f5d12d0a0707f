#include "net/http_server.hpp"

#include "base/log.hpp"
#include "net/http_connection.hpp"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <set>

namespace ocim::net {

std::string_view ServerRequest::header(const std::string& lower_case_name) const {
    const auto found = headers.find(lower_case_name);
    return found == headers.end() ? std::string_view() : found->second;
}

namespace {

namespace asio = boost::asio;
using asio::ip::tcp;
using boost::system::error_code;
using std::chrono_literals::operator""ms;

constexpr auto as_result = asio::as_tuple(asio::use_awaitable);
/// How often connections look at their deadlines.
constexpr auto tick_interval = 500ms;

/// Listens, keeps the connections, ends them.
class Server final : public HttpServer {
public:
    Server(asio::any_io_executor loop, Clock& clock, ServerSettings settings, Handler handler)
        : shared_{.loop = loop, .clock = clock, .settings = std::move(settings), .handler = std::move(handler)},
          acceptor_(loop),
          tasks_(loop) {}
    ~Server() override { shared_.clock.cancel(tick_); }
    Server(const Server&) = delete;
    Server& operator=(const Server&) = delete;

    Result<void> open() {
        const auto& settings = shared_.settings;
        if (settings.tls) {
            auto context = make_server_context(*settings.tls);
            if (!context) return std::move(context).error();
            shared_.tls = *std::move(context);
        }
        const std::string place = settings.address + ":" + std::to_string(settings.port);
        error_code error;
        const auto address = asio::ip::make_address(settings.address, error);
        if (error) return Error{ErrorClass::invalid, place + ": not an IP address"};
        const tcp::endpoint endpoint(address, settings.port);
        acceptor_.open(endpoint.protocol(), error);
        if (!error) acceptor_.set_option(tcp::acceptor::reuse_address(true), error);
        if (!error) acceptor_.bind(endpoint, error);
        if (!error) acceptor_.listen(asio::socket_base::max_listen_connections, error);
        if (error == asio::error::address_in_use)
            return Error{ErrorClass::conflict, place + " is taken by another program"};
        if (error) return Error{ErrorClass::invalid, place + ": " + error.message()};
        port_ = acceptor_.local_endpoint().port();
        tasks_.spawn("http accept", accept());
        tick();
        return {};
    }

    std::uint16_t port() const override { return port_; }

    Result<void> renew(const TlsSettings& tls) override {
        auto context = make_server_context(tls);
        if (!context) return std::move(context).error();
        shared_.tls = *std::move(context);  // open connections hold the old one
        return {};
    }

    awaitable<void> stop(Instant deadline) override {
        shared_.stopping = true;
        error_code ignored;
        acceptor_.close(ignored);
        co_await tasks_.stop();
        const auto all = connections_;
        for (const auto& connection : all) connection->stop_if_idle();
        bool in_time = true;
        while (in_time && !connections_.empty()) {
            auto ended = emptied_.wait_until(shared_.clock, deadline);
            in_time = co_await std::move(ended);
        }
        const auto late = connections_;
        for (const auto& connection : late) connection->cancel();
        while (!connections_.empty()) {
            auto ended = emptied_.wait();
            co_await std::move(ended);
        }
    }

private:
    awaitable<void> accept() {
        while (acceptor_.is_open()) {
            auto [error, socket] = co_await acceptor_.async_accept(as_result);
            if (error == asio::error::operation_aborted) co_return;
            if (error) {
                // Out of file descriptors: what ends meanwhile makes room.
                log::warning("cannot accept a connection", {{"error", error.message()}});
                co_await shared_.clock.sleep(Duration(100));
                continue;
            }
            admit(std::move(socket));
        }
    }

    void admit(tcp::socket socket) {
        if (connections_.size() >= shared_.settings.connections_max) {
            ++refused_;
            return;  // closes it; tick() says how many
        }
        const auto connection = make_connection(shared_, std::move(socket));
        connections_.insert(connection);
        auto on_end = [this, connection](const std::exception_ptr& error) { ended(connection, error); };
        asio::co_spawn(shared_.loop, connection->run(),
                       asio::bind_cancellation_slot(connection->slot(), std::move(on_end)));
    }

    void ended(const std::shared_ptr<ServerConnection>& connection, const std::exception_ptr& error) {
        connection->ended();
        connections_.erase(connection);
        if (connections_.empty()) emptied_.notify();
        try {
            if (error) std::rethrow_exception(error);
        } catch (const boost::system::system_error& e) {
            if (e.code() != asio::error::operation_aborted)
                log::error("a connection ended by an exception", {{"error", e.what()}});
        } catch (const std::exception& e) { log::error("a connection ended by an exception", {{"error", e.what()}}); }
    }

    void tick() {
        const auto now = shared_.clock.now();
        const auto all = connections_;  // one that is cut may end at once
        for (const auto& connection : all) connection->tick(now);
        if (refused_ > 0)
            log::warning("connections refused: as many as allowed are open",
                         {{"refused", std::to_string(std::exchange(refused_, 0))},
                          {"limit", std::to_string(shared_.settings.connections_max)}});
        tick_ = shared_.clock.call_at(now + tick_interval, [this] { tick(); });
    }

    ServerShared shared_;
    tcp::acceptor acceptor_;
    std::uint16_t port_ = 0;
    TaskGroup tasks_;
    std::set<std::shared_ptr<ServerConnection>> connections_;  // shared with a read that ends after its connection
    Signal emptied_;
    std::size_t refused_ = 0;
    Clock::TimerId tick_ = 0;
};

}  // namespace

Result<std::unique_ptr<HttpServer>> serve(asio::any_io_executor loop, Clock& clock, ServerSettings settings,
                                          Handler handler) {
    auto server = std::make_unique<Server>(std::move(loop), clock, std::move(settings), std::move(handler));
    if (auto opened = server->open(); !opened) return std::move(opened).error();
    return std::unique_ptr<HttpServer>(std::move(server));
}

}  // namespace ocim::net
