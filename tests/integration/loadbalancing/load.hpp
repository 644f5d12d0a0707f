#pragma once

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>
#include <algorithm>
#include <atomic>
#include <cerrno>
#include <chrono>
#include <cstdint>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

namespace ocim::test {

/// Visitors who ask for one page at a given rate over connections that they keep, and never ask twice: whatever is not
/// answered with status 200 is lost. They begin at once, and end with stop(), which waits for answers no longer than
/// `patience`.
class Load {
public:
    struct Settings {
        std::uint16_t port = 0;
        std::string host;
        int per_second = 0;
        std::size_t connections = 100;
    };
    explicit Load(Settings settings) : settings_(std::move(settings)), thread_([this] { run(); }) {}
    ~Load() { stop(); }
    Load(const Load&) = delete;
    Load& operator=(const Load&) = delete;

    void stop() {
        stopped_ = true;
        if (thread_.joinable()) thread_.join();
    }
    std::uint64_t answered() const { return answered_; }
    std::uint64_t lost() const { return lost_; }
    /// What the first lost one got.
    const std::string& first_loss() const { return first_loss_; }
    /// In the second that had the fewest answers, the first and the last left out.
    std::uint64_t worst_second() const {
        if (by_second_.size() < 3) return 0;
        return *std::min_element(by_second_.begin() + 1, by_second_.end() - 1);
    }
    double seconds() const { return seconds_; }
    double mean_rate() const { return seconds_ > 0 ? static_cast<double>(answered_) / seconds_ : 0; }

private:
    using Clock = std::chrono::steady_clock;
    struct Connection {
        int fd = -1;
        bool waiting = false;
        std::string answer;
    };

    static constexpr std::chrono::seconds patience{30};

    void run() {
        epoll_ = ::epoll_create1(EPOLL_CLOEXEC);
        connections_.resize(settings_.connections);
        for (auto& connection : connections_) connect(connection);
        request_ = "GET / HTTP/1.1\r\nHost: " + settings_.host + "\r\n\r\n";
        const auto began = Clock::now();
        std::uint64_t sent = 0;
        std::size_t next = 0, waiting = 0;
        std::optional<Clock::time_point> gives_up;
        for (;;) {
            const auto passed = std::chrono::duration<double>(Clock::now() - began).count();
            if (stopped_ && !gives_up) gives_up = Clock::now() + patience;
            if (stopped_ && (waiting == 0 || Clock::now() > *gives_up)) break;
            const auto due = static_cast<std::uint64_t>(passed * settings_.per_second);
            for (std::size_t tried = 0; !stopped_ && sent < due && tried < connections_.size(); ++tried) {
                auto& connection = connections_[next];
                next = (next + 1) % connections_.size();
                if (connection.waiting) continue;
                ask(connection);
                ++sent;
            }
            epoll_event events[64];
            const int ready = ::epoll_wait(epoll_, events, 64, 1);
            const auto second = static_cast<std::size_t>(passed);
            if (by_second_.size() <= second) by_second_.resize(second + 1);
            for (int i = 0; i < ready; ++i) {
                const auto before = answered_.load();
                hear(connections_[events[i].data.u64]);
                by_second_[second] += answered_ - before;
            }
            waiting = static_cast<std::size_t>(std::ranges::count(connections_, true, &Connection::waiting));
        }
        seconds_ = std::chrono::duration<double>(Clock::now() - began).count();
        for (auto& connection : connections_)
            if (connection.waiting) lose(connection, "no answer after the end");
        for (auto& connection : connections_) ::close(connection.fd);
        ::close(epoll_);
    }

    void connect(Connection& connection) {
        connection.fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        sockaddr_in address{};
        address.sin_family = AF_INET;
        address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        address.sin_port = htons(settings_.port);
        if (::connect(connection.fd, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0)
            lose(connection, "no connection: " + std::to_string(errno));
        const int yes = 1;
        ::setsockopt(connection.fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
        ::fcntl(connection.fd, F_SETFL, O_NONBLOCK);
        epoll_event event{};
        event.events = EPOLLIN | EPOLLRDHUP;
        event.data.u64 = static_cast<std::uint64_t>(&connection - connections_.data());
        ::epoll_ctl(epoll_, EPOLL_CTL_ADD, connection.fd, &event);
    }
    void reconnect(Connection& connection) {
        ::close(connection.fd);
        connection.answer.clear();
        connection.waiting = false;
        connect(connection);
    }
    void ask(Connection& connection) {
        connection.waiting = true;
        if (::send(connection.fd, request_.data(), request_.size(), MSG_NOSIGNAL) !=
            static_cast<ssize_t>(request_.size())) {
            lose(connection, "cannot be sent: " + std::to_string(errno));
            reconnect(connection);
        }
    }
    void hear(Connection& connection) {
        char buffer[4096];
        const auto got = ::recv(connection.fd, buffer, sizeof buffer, 0);
        if (got < 0 && (errno == EAGAIN || errno == EINTR)) return;
        if (got <= 0) {
            if (connection.waiting) lose(connection, "cut off after \"" + connection.answer + "\"");
            reconnect(connection);
            return;
        }
        connection.answer.append(buffer, static_cast<std::size_t>(got));
        const auto end = connection.answer.find("\r\n\r\n");
        if (end == std::string::npos) return;
        const auto head = std::string_view(connection.answer).substr(0, end);
        const auto at = head.find("content-length: ");
        const auto length = at == std::string_view::npos ? 0UL : std::strtoul(head.data() + at + 16, nullptr, 10);
        if (connection.answer.size() < end + 4 + length) return;
        if (head.starts_with("HTTP/1.1 200"))
            ++answered_;
        else
            lose(connection, std::string(head));
        const bool last = head.find("connection: close") != std::string_view::npos;
        connection.answer.clear();
        connection.waiting = false;
        if (last) reconnect(connection);
    }
    void lose(Connection&, const std::string& why) {
        if (lost_++ == 0) first_loss_ = why;
    }

    const Settings settings_;
    std::string request_;
    int epoll_ = -1;
    std::vector<Connection> connections_;
    std::vector<std::uint64_t> by_second_;
    double seconds_ = 0;
    std::string first_loss_;
    std::atomic<std::uint64_t> answered_ = 0, lost_ = 0;
    std::atomic<bool> stopped_ = false;
    std::thread thread_;  // last: it uses all else
};

}  // namespace ocim::test
