#include "net/ssh_greeting.hpp"

#include "net/ssh_session.hpp"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>

namespace ocim::net {
namespace {

using Steady = std::chrono::steady_clock;

/// A connection that is being made; -1 when there can be none.
int begin(const SshDoor& door) {
    sockaddr_in v4{};
    sockaddr_in6 v6{};
    const bool is_v4 = inet_pton(AF_INET, door.address.c_str(), &v4.sin_addr) == 1;
    if (!is_v4 && inet_pton(AF_INET6, door.address.c_str(), &v6.sin6_addr) != 1) return -1;
    v4.sin_family = AF_INET;
    v6.sin6_family = AF_INET6;
    v4.sin_port = v6.sin6_port = htons(door.port);
    const int fd = ::socket(is_v4 ? AF_INET : AF_INET6, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0) return -1;
    const auto* address = is_v4 ? reinterpret_cast<const sockaddr*>(&v4) : reinterpret_cast<const sockaddr*>(&v6);
    const socklen_t length = is_v4 ? sizeof v4 : sizeof v6;
    if (::connect(fd, address, length) == 0 || errno == EINPROGRESS) return fd;
    ::close(fd);
    return -1;
}

bool connected(int fd) {
    int error = 0;
    socklen_t size = sizeof error;
    return ::getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size) == 0 && error == 0;
}

/// Those that take a connection before `deadline`.
std::vector<SshDoor> open_ones(const std::vector<SshDoor>& doors, Steady::time_point deadline) {
    std::vector<pollfd> waiting;
    for (const auto& door : doors) waiting.push_back({begin(door), POLLOUT, 0});
    std::vector<SshDoor> out;
    for (;;) {
        const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - Steady::now()).count();
        bool any = false;
        for (const auto& one : waiting) any = any || one.fd >= 0;
        if (!any || left <= 0 || ::poll(waiting.data(), waiting.size(), static_cast<int>(left)) <= 0) break;
        for (std::size_t i = 0; i < waiting.size(); ++i) {
            if (waiting[i].fd < 0 || waiting[i].revents == 0) continue;
            if (connected(waiting[i].fd)) out.push_back(doors[i]);
            ::close(std::exchange(waiting[i].fd, -1));
        }
    }
    for (const auto& one : waiting)
        if (one.fd >= 0) ::close(one.fd);
    return out;
}

std::map<SshDoor, std::string> greet_all(const std::vector<SshDoor>& doors, Duration limit) {
    const auto deadline = Steady::now() + limit;
    const std::atomic<bool> hurry = false;
    std::map<SshDoor, std::string> out;
    for (const auto& door : open_ones(doors, Steady::now() + limit / 2)) {
        SshSettings settings;
        settings.host = door.address;
        settings.port = door.port;
        SshSession session(settings);
        const auto key = session.greet(Patience{deadline, hurry});
        if (key) out.emplace(door, *key);
    }
    return out;
}

}  // namespace

awaitable<Result<std::map<SshDoor, std::string>>> greet_ssh_hosts(BlockingPool& blocking, std::vector<SshDoor> doors,
                                                                  Duration limit) {
    auto work = [doors = std::move(doors), limit] {
        return Result<std::map<SshDoor, std::string>>(greet_all(doors, limit));
    };
    co_return co_await blocking.call(std::move(work));
}

}  // namespace ocim::net
