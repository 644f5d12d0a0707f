#pragma once

#include "support/raw_socket.hpp"

#include <poll.h>
#include <sys/un.h>
#include <atomic>
#include <cstring>
#include <functional>
#include <mutex>
#include <set>
#include <string>
#include <thread>
#include <vector>

namespace ocim::test {

/// A door in front of a real server, which a test shuts, blocks, or lets somebody else speak at. It counts who comes,
/// so that what a program claims about its calls can be held against the wire. TCP on loopback, or a Unix socket.
class Door {
public:
    /// What is said instead of the server, on a thread of its own; the socket closes when it returns. It must end once
    /// its peer closes.
    using Script = std::function<void(RawSocket& socket)>;

    explicit Door(std::uint16_t target) : to_port_(target), holder_(bound(0)), port_(port_of(holder_)) { open(); }
    /// A socket at `path` in front of the one at `target`.
    Door(std::string path, std::string target) : path_(std::move(path)), to_path_(std::move(target)) { open(); }
    ~Door() {
        leave();
        if (holder_ >= 0) ::close(holder_);
    }
    Door(const Door&) = delete;
    Door& operator=(const Door&) = delete;

    std::uint16_t port() const { return port_; }
    std::string url() const { return "http://127.0.0.1:" + std::to_string(port_); }

    // Each of these first breaks every connection that there is.
    /// Whoever comes is led to the server.
    void open() {
        enter([this](RawSocket& socket) { relay(socket); });
    }
    /// Connections are refused. The port stays ours.
    void shut() { leave(); }
    /// Connections are taken, and nothing more happens.
    void stand_still() {
        enter([this](RawSocket& socket) { listen_to(socket); });
    }
    void say(Script script) { enter(std::move(script)); }

    int connections() const { return connections_; }
    /// How often a client began to speak: requests of HTTP, statements of SQL.
    int turns() const { return turns_; }
    /// What came first in a turn, of each turn since the last call: for tests that look closer.
    std::vector<std::string> heard() {
        const std::lock_guard lock(mutex_);
        return std::exchange(heard_, {});
    }

private:
    static int bound(std::uint16_t port) {
        const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        const int yes = 1;
        ::setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
        ::setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &yes, sizeof yes);
        sockaddr_in address{};
        address.sin_family = AF_INET;
        address.sin_port = htons(port);
        address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        if (::bind(fd, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0)
            throw std::runtime_error("cannot bind");
        return fd;
    }
    static std::uint16_t port_of(int fd) {
        sockaddr_in address{};
        socklen_t length = sizeof address;
        ::getsockname(fd, reinterpret_cast<sockaddr*>(&address), &length);
        return ntohs(address.sin_port);
    }
    static sockaddr_un named(const std::string& path) {
        sockaddr_un address{};
        address.sun_family = AF_UNIX;
        path.copy(address.sun_path, sizeof address.sun_path - 1);
        return address;
    }
    int make_listener() const {
        if (path_.empty()) return bound(port_);
        ::unlink(path_.c_str());
        const int fd = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
        const auto address = named(path_);
        if (::bind(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0)
            throw std::runtime_error("cannot bind " + path_);
        return fd;
    }
    int reach_server() const {
        const int fd = ::socket(path_.empty() ? AF_INET : AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
        sockaddr_in address{};
        address.sin_family = AF_INET;
        address.sin_port = htons(to_port_);
        address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        const auto unix_address = named(to_path_);
        const int failed = path_.empty()
                               ? ::connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address)
                               : ::connect(fd, reinterpret_cast<const sockaddr*>(&unix_address), sizeof unix_address);
        if (failed == 0) return fd;
        ::close(fd);
        return -1;
    }

    void enter(Script script) {
        leave();
        script_ = std::move(script);
        listener_ = make_listener();
        if (::listen(listener_, 64) != 0) throw std::runtime_error("cannot listen");
        acceptor_ = std::thread([this] { accept(); });
    }
    void leave() {
        if (listener_ < 0) return;
        ::shutdown(listener_, SHUT_RDWR);  // accept() fails from now on
        acceptor_.join();
        ::close(std::exchange(listener_, -1));
        {
            const std::lock_guard lock(mutex_);
            for (const int fd : live_) ::shutdown(fd, SHUT_RDWR);
        }
        for (auto& visitor : visitors_) visitor.join();
        visitors_.clear();
        if (!path_.empty()) ::unlink(path_.c_str());
    }
    void accept() {
        for (;;) {
            const int fd = ::accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
            if (fd < 0) return;
            ++connections_;
            const std::lock_guard lock(mutex_);
            live_.insert(fd);
            visitors_.emplace_back([this, fd] { serve(fd); });
        }
    }
    void serve(int fd) {
        RawSocket socket(fd);
        script_(socket);
        const std::lock_guard lock(mutex_);  // nobody shuts a number that is given to another meanwhile
        live_.erase(fd);
        socket.close();
    }
    void begins(std::string_view text) {
        ++turns_;
        const std::lock_guard lock(mutex_);
        if (heard_.size() < 10'000) heard_.emplace_back(text.substr(0, 200));
    }
    void listen_to(RawSocket& socket) {
        for (bool first = true;; first = false) {
            char buffer[4096];
            const auto count = ::recv(socket.descriptor(), buffer, sizeof buffer, 0);
            if (count <= 0) return;
            if (first) begins({buffer, static_cast<std::size_t>(count)});
        }
    }
    void relay(RawSocket& client) {
        RawSocket server(reach_server());
        if (!server.open()) return;
        {
            const std::lock_guard lock(mutex_);
            live_.insert(server.descriptor());
        }
        bool client_speaks = false;
        for (;;) {
            pollfd ends[] = {{client.descriptor(), POLLIN, 0}, {server.descriptor(), POLLIN, 0}};
            if (::poll(ends, 2, -1) <= 0) break;
            const bool from_client = ends[0].revents != 0;
            auto& from = from_client ? client : server;
            char buffer[65536];
            const auto count = ::recv(from.descriptor(), buffer, sizeof buffer, 0);
            if (count < 0) break;
            if (count == 0) {
                // one side has said all; the other may still answer
                ::shutdown((from_client ? server : client).descriptor(), SHUT_WR);
                if (!from_client) break;
                drain(server, client);
                break;
            }
            const std::string_view text(buffer, static_cast<std::size_t>(count));
            if (from_client && !client_speaks) begins(text);
            client_speaks = from_client;
            if (!(from_client ? server : client).send(text)) break;
        }
        const std::lock_guard lock(mutex_);
        live_.erase(server.descriptor());
        server.close();
    }
    static void drain(RawSocket& from, RawSocket& to) {
        char buffer[65536];
        for (;;) {
            const auto count = ::recv(from.descriptor(), buffer, sizeof buffer, 0);
            if (count <= 0 || !to.send({buffer, static_cast<std::size_t>(count)})) return;
        }
    }

    std::uint16_t to_port_ = 0;
    std::string path_, to_path_;
    int holder_ = -1;  // bound and never listening: nobody else gets the port while the door is shut
    std::uint16_t port_ = 0;
    int listener_ = -1;
    Script script_;
    std::atomic<int> connections_ = 0, turns_ = 0;
    std::mutex mutex_;
    std::set<int> live_;
    std::vector<std::string> heard_;
    std::vector<std::thread> visitors_;
    std::thread acceptor_;
};

}  // namespace ocim::test
