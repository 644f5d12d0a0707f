#include "support/https_clients.hpp"

#include "support/service.hpp"

#include <netinet/tcp.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <sys/epoll.h>
#include <array>
#include <charconv>
#include <vector>

namespace ocim::test {

namespace {

constexpr std::size_t read_bytes = 64 * 1024;

struct FreeSsl {
    void operator()(SSL* ssl) const { SSL_free(ssl); }
    void operator()(SSL_CTX* context) const { SSL_CTX_free(context); }
};

[[noreturn]] void fail(const std::string& what) { throw std::runtime_error("HTTPS clients: " + what); }

/// Of the header, as our server writes it; "" when it is not there.
std::string_view field(std::string_view head, std::string_view name) {
    const auto at = head.find(name);
    if (at == std::string_view::npos) return "";
    const auto begin = at + name.size();
    return head.substr(begin, head.find('\r', begin) - begin);
}

std::size_t number(std::string_view text, int base) {
    std::size_t out = 0;
    std::from_chars(text.data(), text.data() + text.size(), out, base);
    return out;
}

struct Client {
    int socket = -1;
    std::unique_ptr<SSL, FreeSsl> ssl;
    std::string in, out;
    std::size_t sent = 0;
    bool in_flight = false;
    bool streaming = false;
    bool wants_room = false;
    std::string line;  ///< of a stream, unfinished
    HttpsClients::Time sent_at;
};

}  // namespace

Endpoint Endpoint::in(const std::string& data_directory) {
    Endpoint out;
    const auto config = read_file(data_directory + "/kubeconfig");
    const auto server = config.find("https://");
    if (server == std::string::npos) fail("no server in " + data_directory + "/kubeconfig");
    const auto colon = config.find(':', server + 8);
    out.port = static_cast<std::uint16_t>(number(std::string_view(config).substr(colon + 1), 10));
    out.ca_file = data_directory + "/pki/ca.crt";
    out.certificate_file = data_directory + "/pki/admin.crt";
    out.key_file = data_directory + "/pki/admin.key";
    return out;
}

std::string http_request(std::string_view method, std::string_view target, std::string_view body,
                         std::string_view content_type) {
    std::string out;
    out.reserve(256 + body.size());
    out.append(method).append(" ").append(target).append(" HTTP/1.1\r\nHost: localhost\r\nUser-Agent: load/1\r\n");
    out += "Accept: application/json\r\n";
    if (!body.empty()) {
        out.append("Content-Type: ").append(content_type);
        out.append("\r\nContent-Length: ").append(std::to_string(body.size())).append("\r\n");
    }
    return out.append("\r\n").append(body);
}

struct HttpsClients::State {
    State(Endpoint where, Listener& who) : endpoint(std::move(where)), listener(who) {
        std::signal(SIGPIPE, SIG_IGN);  // a server that was killed is found when it is read
        epoll = epoll_create1(EPOLL_CLOEXEC);
        context.reset(SSL_CTX_new(TLS_client_method()));
        SSL_CTX_set_mode(context.get(), SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
        SSL_CTX_set_verify(context.get(), SSL_VERIFY_PEER, nullptr);
        if (SSL_CTX_load_verify_locations(context.get(), endpoint.ca_file.c_str(), nullptr) != 1 ||
            SSL_CTX_use_certificate_file(context.get(), endpoint.certificate_file.c_str(), SSL_FILETYPE_PEM) != 1 ||
            SSL_CTX_use_PrivateKey_file(context.get(), endpoint.key_file.c_str(), SSL_FILETYPE_PEM) != 1)
            fail("cannot read " + endpoint.certificate_file);
    }
    ~State() {
        for (auto& client : clients)
            if (client.socket >= 0) ::close(client.socket);
        ::close(epoll);
    }

    const Endpoint endpoint;
    Listener& listener;
    int epoll = -1;
    std::unique_ptr<SSL_CTX, FreeSsl> context;
    std::vector<Client> clients;
    std::array<char, read_bytes> buffer{};

    void want(std::size_t id, bool room) {
        auto& client = clients[id];
        if (client.wants_room == room) return;
        client.wants_room = room;
        epoll_event event{};
        event.events = EPOLLIN | (room ? EPOLLOUT : 0U);
        event.data.u64 = id;
        epoll_ctl(epoll, EPOLL_CTL_MOD, client.socket, &event);
    }
    void close(std::size_t id) {
        auto& client = clients[id];
        if (client.socket < 0) return;
        client.ssl.reset();
        ::close(client.socket);
        client = Client();
    }
    void lose(std::size_t id) {
        const bool in_flight = clients[id].in_flight;
        close(id);
        listener.lost(id, in_flight);
    }
    void flush(std::size_t id);
    void fill(std::size_t id);
    bool take_reply(std::size_t id);
    bool take_chunk(std::size_t id);
    void take_lines(std::size_t id, std::string_view data);
};

HttpsClients::HttpsClients(Endpoint endpoint, Listener& listener)
    : state_(std::make_unique<State>(std::move(endpoint), listener)) {}
HttpsClients::~HttpsClients() = default;

std::size_t HttpsClients::size() const { return state_->clients.size(); }
std::size_t HttpsClients::add() {
    state_->clients.emplace_back();
    return state_->clients.size() - 1;
}
void HttpsClients::disconnect(std::size_t client) { state_->close(client); }
bool HttpsClients::connected(std::size_t client) const { return state_->clients[client].socket >= 0; }

bool HttpsClients::connect(std::size_t id) {
    auto& client = state_->clients[id];
    state_->close(id);
    const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0) fail("no socket: more file descriptors are needed");
    const timeval patience{10, 0};
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(state_->endpoint.port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    client.socket = fd;
    client.ssl.reset(SSL_new(state_->context.get()));
    SSL_set_fd(client.ssl.get(), fd);
    SSL_set_tlsext_host_name(client.ssl.get(), "localhost");
    if (::connect(fd, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0 ||
        SSL_connect(client.ssl.get()) != 1) {
        ERR_clear_error();
        state_->close(id);
        return false;
    }
    const int yes = 1;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
    fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
    epoll_event event{};
    event.events = EPOLLIN;
    event.data.u64 = id;
    epoll_ctl(state_->epoll, EPOLL_CTL_ADD, fd, &event);
    return true;
}

void HttpsClients::send(std::size_t id, std::string request) {
    auto& client = state_->clients[id];
    if (client.socket < 0 || client.in_flight) fail("a client can send one request at a time");
    client.out = std::move(request);
    client.sent = 0;
    client.in_flight = true;
    client.sent_at = std::chrono::steady_clock::now();
    state_->flush(id);
}

void HttpsClients::State::flush(std::size_t id) {
    auto& client = clients[id];
    while (client.sent < client.out.size()) {
        const auto left = static_cast<int>(client.out.size() - client.sent);
        const int wrote = SSL_write(client.ssl.get(), client.out.data() + client.sent, left);
        if (wrote > 0) {
            client.sent += static_cast<std::size_t>(wrote);
            continue;
        }
        ERR_clear_error();
        want(id, true);  // a connection that broke is found when it is read
        return;
    }
    want(id, false);
}

void HttpsClients::State::fill(std::size_t id) {
    for (;;) {
        auto& client = clients[id];
        if (client.socket < 0) return;
        const int got = SSL_read(client.ssl.get(), buffer.data(), static_cast<int>(buffer.size()));
        if (got <= 0) {
            const bool later = SSL_get_error(client.ssl.get(), got) == SSL_ERROR_WANT_READ;
            ERR_clear_error();
            if (!later) lose(id);
            return;
        }
        client.in.append(buffer.data(), static_cast<std::size_t>(got));
        while (clients[id].socket >= 0 && (clients[id].streaming ? take_chunk(id) : take_reply(id))) {}
    }
}

/// True when there may be more to take.
bool HttpsClients::State::take_reply(std::size_t id) {
    auto& client = clients[id];
    const auto end = client.in.find("\r\n\r\n");
    if (end == std::string::npos) return false;
    const auto head = std::string_view(client.in).substr(0, end + 2);
    if (head.find("Transfer-Encoding: chunked") != std::string_view::npos) {
        client.in.erase(0, end + 4);
        client.streaming = true;
        return true;
    }
    const auto length = number(field(head, "Content-Length: "), 10);
    if (client.in.size() < end + 4 + length) return false;
    const auto taken = std::exchange(client.in, client.in.substr(end + 4 + length));
    client.in_flight = false;
    const Reply reply{.status = static_cast<unsigned>(number(std::string_view(taken).substr(9), 10)),
                      .body = std::string_view(taken).substr(end + 4, length),
                      .sent = client.sent_at,
                      .received = std::chrono::steady_clock::now()};
    listener.answered(id, reply);
    return true;
}

bool HttpsClients::State::take_chunk(std::size_t id) {
    auto& client = clients[id];
    const auto end = client.in.find("\r\n");
    if (end == std::string::npos) return false;
    const auto length = number(client.in, 16);
    if (client.in.size() < end + 4 + length) return false;
    const auto taken = std::exchange(client.in, client.in.substr(end + 4 + length));
    if (length > 0) {
        take_lines(id, std::string_view(taken).substr(end + 2, length));
        return true;
    }
    client.streaming = false;
    client.in_flight = false;
    client.line.clear();
    listener.stream_ended(id);
    return true;
}

void HttpsClients::State::take_lines(std::size_t id, std::string_view data) {
    const auto now = std::chrono::steady_clock::now();
    while (!data.empty() && clients[id].socket >= 0) {
        const auto end = data.find('\n');
        if (end == std::string_view::npos) {
            clients[id].line += data;
            return;
        }
        auto line = std::exchange(clients[id].line, {});
        line += data.substr(0, end);
        data.remove_prefix(end + 1);
        listener.line(id, line, now);
    }
}

void HttpsClients::run(std::chrono::milliseconds most) {
    std::array<epoll_event, 256> events{};
    const int count =
        epoll_wait(state_->epoll, events.data(), static_cast<int>(events.size()), static_cast<int>(most.count()));
    for (int i = 0; i < count; ++i) {
        const auto& event = events[static_cast<std::size_t>(i)];
        const auto id = static_cast<std::size_t>(event.data.u64);
        if (state_->clients[id].socket < 0) continue;
        if ((event.events & EPOLLOUT) != 0) state_->flush(id);
        state_->fill(id);
    }
}

}  // namespace ocim::test
