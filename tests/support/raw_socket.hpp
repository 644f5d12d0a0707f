#pragma once

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>
#include <chrono>
#include <cstdint>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>

/// TCP as it is, for peers that misbehave. Blocking: for a thread of its own.
namespace ocim::test {

class RawSocket {
public:
    explicit RawSocket(int fd) : fd_(fd) {}
    ~RawSocket() { close(); }
    RawSocket(RawSocket&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
    RawSocket& operator=(RawSocket&&) = delete;

    static RawSocket connect(std::uint16_t port) {
        const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        sockaddr_in address{};
        address.sin_family = AF_INET;
        address.sin_port = htons(port);
        address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        RawSocket out(fd);
        if (::connect(fd, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0)
            throw std::runtime_error("cannot connect to port " + std::to_string(port));
        return out;
    }

    bool open() const { return fd_ >= 0; }
    int descriptor() const { return fd_; }
    /// False when the peer has closed.
    bool send(std::string_view data) {
        while (!data.empty()) {
            const auto sent = ::send(fd_, data.data(), data.size(), MSG_NOSIGNAL);
            if (sent <= 0) return false;
            data.remove_prefix(static_cast<std::size_t>(sent));
        }
        return true;
    }
    /// What arrives next; "" when the peer closes or `limit` passes.
    std::string read_some(std::chrono::milliseconds limit = std::chrono::seconds(20)) {
        const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(limit);
        const timeval wait{seconds.count(), (limit - seconds).count() * 1000};
        ::setsockopt(fd_, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof wait);
        std::string data(65536, '\0');
        const auto size = ::recv(fd_, data.data(), data.size(), 0);
        timed_out_ = size < 0 && (errno == EAGAIN || errno == EWOULDBLOCK);
        data.resize(size > 0 ? static_cast<std::size_t>(size) : 0);
        return data;
    }
    /// The last read ended because its limit passed, not because the peer closed.
    bool timed_out() const { return timed_out_; }
    std::string read_until(std::string_view mark) {
        std::string all;
        while (all.find(mark) == std::string::npos) {
            const auto more = read_some();
            if (more.empty()) break;
            all += more;
        }
        return all;
    }
    std::string read_all() {
        std::string all;
        for (;;) {
            const auto more = read_some();
            if (more.empty()) return all;
            all += more;
        }
    }
    /// True when the peer closes within `limit`; what it still says is dropped.
    bool closes_within(std::chrono::milliseconds limit) {
        const auto deadline = std::chrono::steady_clock::now() + limit;
        while (std::chrono::steady_clock::now() < deadline)
            if (read_some(std::chrono::milliseconds(100)).empty() && !timed_out_) return true;
        return false;
    }
    /// The next close() resets the connection instead of ending it.
    void reset_on_close() {
        const linger now{1, 0};
        ::setsockopt(fd_, SOL_SOCKET, SO_LINGER, &now, sizeof now);
    }
    void close() {
        if (fd_ >= 0) ::close(std::exchange(fd_, -1));
    }

private:
    int fd_;
    bool timed_out_ = false;
};

class RawListener {
public:
    RawListener() : fd_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
        sockaddr_in address{};
        address.sin_family = AF_INET;
        address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        socklen_t length = sizeof address;
        if (::bind(fd_, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0 || ::listen(fd_, 64) != 0 ||
            ::getsockname(fd_, reinterpret_cast<sockaddr*>(&address), &length) != 0)
            throw std::runtime_error("cannot listen");
        port_ = ntohs(address.sin_port);
    }
    ~RawListener() { stop(); }
    RawListener(const RawListener&) = delete;
    RawListener& operator=(const RawListener&) = delete;

    std::uint16_t port() const { return port_; }
    /// A socket with fd -1 once stopped.
    RawSocket accept() { return RawSocket(::accept4(fd_, nullptr, nullptr, SOCK_CLOEXEC)); }
    /// Whoever is in accept() goes on. Any thread.
    void stop() {
        if (fd_ < 0) return;
        ::shutdown(fd_, SHUT_RDWR);
        if (stopped_) ::close(std::exchange(fd_, -1));
        stopped_ = true;
    }

private:
    int fd_;
    bool stopped_ = false;
    std::uint16_t port_ = 0;
};

}  // namespace ocim::test
