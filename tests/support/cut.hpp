#pragma once

#include "support/door.hpp"

#include <arpa/inet.h>
#include <poll.h>
#include <sys/socket.h>
#include <atomic>
#include <cstdint>

namespace ocim::test {

/// Leads to the server, and hangs up instead of passing its `lost`-th answer on. Later connections are led in full.
class Cut {
public:
    Cut(std::uint16_t port, int lost) : port_(port), left_(lost), door_(port) {
        door_.say([this](RawSocket& client) { relay(client); });
    }
    std::uint16_t port() const { return door_.port(); }
    bool happened() const { return left_ <= 0; }

private:
    void relay(RawSocket& client) {
        const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        sockaddr_in address{};
        address.sin_family = AF_INET;
        address.sin_port = htons(port_);
        address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        RawSocket server(fd);
        if (::connect(fd, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0) return;
        for (;;) {
            pollfd ends[] = {{client.descriptor(), POLLIN, 0}, {fd, POLLIN, 0}};
            if (::poll(ends, 2, 20'000) <= 0) return;
            const bool from_client = ends[0].revents != 0;
            char buffer[65536];
            const auto count = ::recv(from_client ? client.descriptor() : fd, buffer, sizeof buffer, 0);
            if (count <= 0) return;
            if (!from_client && --left_ == 0) return;
            if (!(from_client ? server : client).send({buffer, static_cast<std::size_t>(count)})) return;
        }
    }
    std::uint16_t port_;
    std::atomic<int> left_;
    Door door_;
};

}  // namespace ocim::test
