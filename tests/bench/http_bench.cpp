#include "base/async.hpp"
#include "net/http_server.hpp"
#include "net/tls.hpp"
#include "support/raw_socket.hpp"

#include <openssl/ssl.h>
#include <pthread.h>

#include <benchmark/benchmark.h>
#include <boost/asio/io_context.hpp>
#include <ctime>
#include <thread>

/// What a request costs the server: keep-alive GETs of a small JSON object over several connections, each with one
/// request on its way. server_us is the server thread's CPU time a request.
namespace ocim::net {
namespace {

constexpr int connections = 16;

double seconds_of(clockid_t clock) {
    timespec time{};
    ::clock_gettime(clock, &time);
    return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_nsec) / 1e9;
}

/// A server on a loop and a thread of its own.
class Background {
public:
    explicit Background(std::optional<TlsSettings> tls) : clock_(make_system_clock(loop_)) {
        auto handler = [](ServerRequest, Responder& responder) -> awaitable<void> {
            ServerReply reply;
            reply.headers.emplace("Content-Type", "application/json");
            reply.body = R"({"kind":"ConfigMap","apiVersion":"v1","metadata":{"name":"x","namespace":"y"},"data":{}})";
            co_await responder.reply(std::move(reply));
        };
        server_ = *serve(loop_.get_executor(), *clock_, {.tls = std::move(tls)}, std::move(handler));
        thread_ = std::thread([this] { loop_.run(); });
        ::pthread_getcpuclockid(thread_.native_handle(), &cpu_);
    }
    ~Background() {
        loop_.stop();
        thread_.join();
    }
    std::uint16_t port() const { return server_->port(); }
    double cpu_seconds() const { return seconds_of(cpu_); }

private:
    boost::asio::io_context loop_{1};
    std::unique_ptr<Clock> clock_;
    std::unique_ptr<HttpServer> server_;
    std::thread thread_;
    clockid_t cpu_{};
};

class Peer {
public:
    Peer(std::uint16_t port, SSL_CTX* context) : socket_(test::RawSocket::connect(port)) {
        if (context == nullptr) return;
        tls_ = SSL_new(context);
        SSL_set_fd(tls_, socket_.descriptor());
        if (SSL_connect(tls_) != 1) throw std::runtime_error("no TLS");
    }
    Peer(Peer&& other) noexcept : socket_(std::move(other.socket_)), tls_(std::exchange(other.tls_, nullptr)) {}
    Peer& operator=(Peer&&) = delete;
    ~Peer() { SSL_free(tls_); }

    void ask(const std::string& request) {
        if (tls_ != nullptr)
            SSL_write(tls_, request.data(), static_cast<int>(request.size()));
        else
            socket_.send(request);
    }
    void hear() {
        char buffer[4096];
        if (tls_ == nullptr ? socket_.read_some().empty() : SSL_read(tls_, buffer, sizeof buffer) <= 0)
            throw std::runtime_error("no reply");
    }

private:
    test::RawSocket socket_;
    SSL* tls_ = nullptr;
};

void keep_alive_gets(benchmark::State& state) {
    std::optional<TlsSettings> tls;
    SSL_CTX* context = nullptr;
    if (state.range(0) != 0) {
        const WallTime now = std::chrono::time_point_cast<std::chrono::microseconds>(std::chrono::system_clock::now());
        const auto ca = *make_ca("CA", now);
        const auto own =
            *issue_certificate(ca, {.common_name = "server", .dns_names = {"localhost"}, .server = true}, now);
        tls = TlsSettings{own.certificate, own.private_key};
        context = SSL_CTX_new(TLS_client_method());
    }
    const Background server(std::move(tls));
    std::vector<Peer> peers;
    for (int i = 0; i < connections; ++i) peers.emplace_back(server.port(), context);
    const std::string request =
        "GET /api/v1/namespaces/y/configmaps/x HTTP/1.1\r\nHost: localhost:6443\r\nUser-Agent: kubectl/v1.35.0\r\n"
        "Accept: application/json\r\nAccept-Encoding: gzip\r\nAuthorization: Bearer 0123456789abcdef\r\n\r\n";
    const double before = server.cpu_seconds();
    for (auto _ : state) {
        for (auto& peer : peers) peer.ask(request);
        for (auto& peer : peers) peer.hear();
    }
    const auto requests = static_cast<double>(state.iterations() * connections);
    state.SetItemsProcessed(state.iterations() * connections);
    state.counters["server_us"] = (server.cpu_seconds() - before) * 1e6 / requests;
    peers.clear();
    SSL_CTX_free(context);
}

void new_tls_connections(benchmark::State& state) {
    const WallTime now = std::chrono::time_point_cast<std::chrono::microseconds>(std::chrono::system_clock::now());
    const auto ca = *make_ca("CA", now);
    const auto own = *issue_certificate(ca, {.common_name = "server", .dns_names = {"localhost"}, .server = true}, now);
    const Background server(TlsSettings{own.certificate, own.private_key});
    SSL_CTX* const context = SSL_CTX_new(TLS_client_method());
    const double before = server.cpu_seconds();
    for (auto _ : state) {
        Peer peer(server.port(), context);
        peer.ask("GET / HTTP/1.1\r\nHost: x\r\n\r\n");
        peer.hear();
    }
    state.counters["server_us"] = (server.cpu_seconds() - before) * 1e6 / static_cast<double>(state.iterations());
    SSL_CTX_free(context);
}

BENCHMARK(keep_alive_gets)->ArgName("tls")->Arg(0)->Arg(1)->UseRealTime();
BENCHMARK(new_tls_connections)->UseRealTime();

}  // namespace
}  // namespace ocim::net

BENCHMARK_MAIN();
