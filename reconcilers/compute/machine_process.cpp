#include "compute/machine_process.hpp"

#include "compute/machine_cgroup.hpp"
#include "compute/machine_init.hpp"
#include "compute/machine_root.hpp"

#include <arpa/inet.h>
#include <fcntl.h>
#include <ifaddrs.h>
#include <linux/sched.h>
#include <netinet/in.h>
#include <poll.h>
#include <sched.h>
#include <sys/file.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <functional>

namespace ocim::compute {
namespace {

namespace fs = std::filesystem;

constexpr auto ready_ms_max = 30'000;  ///< from fork to an answering SSH server; a second on an idle host
constexpr auto stop_ms_max = 5'000;    ///< for processes to end when asked

MachineFile load(const std::string& directory) {
    auto machine = read_machine_file(directory);
    if (!machine) throw MachineError{machine.error().message};
    return *std::move(machine);
}

/// Host end of a machine's cable; interface names have 15 characters at most.
std::string cable_of(const std::string& directory) {
    char text[16];
    std::snprintf(text, sizeof text, "ocv%08zx", std::hash<std::string>{}(directory) & 0xffffffffU);
    return text;
}

bool interface_exists(const std::string& name) { return fs::exists("/sys/class/net/" + name); }

/// The same after every start: neighbours remember it with the address, and would talk past a new one for a while.
/// Locally administered, the last four bytes are the IPv4 address.
std::string hardware_address(const std::string& address) {
    in_addr parsed{};
    must(::inet_pton(AF_INET, address.c_str(), &parsed) == 1, "the machine's address is none: " + address);
    const auto number = ntohl(parsed.s_addr);
    char text[18];
    std::snprintf(text, sizeof text, "02:00:%02x:%02x:%02x:%02x", number >> 24, (number >> 16) & 255,
                  (number >> 8) & 255, number & 255);
    return text;
}

/// Gone afterwards, whoever took it away: a machine's cable goes by itself some time after its last process.
void remove_interface(const std::string& name) {
    if (!interface_exists(name)) return;
    try {
        run_tool({"ip", "link", "delete", name});
    } catch (const MachineError&) {
        if (interface_exists(name)) throw;
    }
}

void make_host_key(const std::string& directory) {
    const auto key = directory + "/rootfs/etc/ssh/ssh_host_ed25519_key";
    if (fs::exists(key + ".pub")) return;
    fs::remove(key);
    run_tool({"ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "", "-f", key});
}

/// Runs the machine until it ends; the lock that it holds is how everybody knows that it lives.
[[noreturn]] void supervise(const std::string& directory, const MachineFile& machine, int ready_pipe) {
    try {
        const int lock = ::open((directory + "/lock").c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
        struct flock whole{};
        whole.l_type = F_WRLCK;
        must(lock >= 0 && ::fcntl(lock, F_SETLK, &whole) == 0, "the machine runs already");
        const MachineCgroup cgroup(machine.id);
        cgroup.enter(machine.memory_bytes, machine.processes);

        int network_pipe[2];
        must(::pipe2(network_pipe, O_CLOEXEC) == 0, "cannot make a pipe");
        constexpr unsigned long flags =
            CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWIPC | CLONE_NEWUTS | CLONE_NEWNET | CLONE_NEWCGROUP | SIGCHLD;
        sigset_t signals;
        ::sigemptyset(&signals);
        ::sigaddset(&signals, SIGTERM);
        ::sigaddset(&signals, SIGCHLD);
        ::sigprocmask(SIG_BLOCK, &signals, nullptr);
        const auto child = static_cast<pid_t>(::syscall(SYS_clone, flags, nullptr, nullptr, nullptr, nullptr));
        must(child >= 0, "cannot make the machine's namespaces");
        if (child == 0) {
            ::close(network_pipe[1]);
            run_machine_init(directory, machine, network_pipe[0], ready_pipe);
        }
        ::close(ready_pipe);
        ::close(network_pipe[0]);
        const auto cable = cable_of(directory);
        remove_interface(cable);
        run_tool({"ip", "link", "add", cable, "type", "veth", "peer", "name", "eth0", "address",
                  hardware_address(machine.address), "netns", std::to_string(child)});
        run_tool({"ip", "link", "set", cable, "master", machine.bridge, "up"});
        must(::write(network_pipe[1], "1", 1) == 1, "the machine died while it started");
        ::close(network_pipe[1]);

        bool asked = false;
        for (;;) {
            const timespec limit{stop_ms_max / 1000, 0};
            siginfo_t info{};
            const int signal = asked ? ::sigtimedwait(&signals, &info, &limit) : ::sigwaitinfo(&signals, &info);
            if (signal == SIGTERM) ::kill(child, SIGTERM);
            if (signal < 0 && asked) ::kill(child, SIGKILL);
            asked = asked || signal == SIGTERM;
            if (::waitpid(child, nullptr, WNOHANG) == child) break;
        }
    } catch (const MachineError& error) {
        (void)!::write(ready_pipe, error.message.data(), error.message.size());
        std::_Exit(1);
    }
    std::_Exit(0);
}

/// Detaches from the controller for good: own session, no inherited files but the pipe, output to the console log.
void detach(const std::string& directory, int ready_pipe) {
    ::setsid();
    const int console = ::open((directory + "/console.log").c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    const int null = ::open("/dev/null", O_RDONLY | O_CLOEXEC);
    ::dup2(null, 0);
    ::dup2(console, 1);
    ::dup2(console, 2);
    const auto pipe_fd = static_cast<unsigned>(ready_pipe);
    if (pipe_fd > 3) ::syscall(SYS_close_range, 3U, pipe_fd - 1, 0U);
    ::syscall(SYS_close_range, pipe_fd + 1, ~0U, 0U);
    ::prctl(PR_SET_NAME, "ocim-machine");
}

/// What the pipe says until it closes.
std::string hear(int pipe) {
    std::string said;
    for (;;) {
        pollfd wait{pipe, POLLIN, 0};
        if (::poll(&wait, 1, ready_ms_max) == 0) return "it did not come up within 30 s";
        char buffer[512];
        const auto count = ::read(pipe, buffer, sizeof buffer);
        if (count < 0 && errno == EINTR) continue;
        if (count <= 0) return said.empty() ? "it died while it started" : said;
        said.append(buffer, static_cast<std::size_t>(count));
        if (said == "ready\n") return "";
    }
}

void take_down(const std::string& directory, int signal) {
    if (const int supervisor = supervisor_of(directory); supervisor > 0) {
        const int process = static_cast<int>(::syscall(SYS_pidfd_open, supervisor, 0));
        if (process >= 0) {
            ::kill(supervisor, signal);
            pollfd wait{process, POLLIN, 0};
            if (::poll(&wait, 1, 2 * stop_ms_max) == 0) ::kill(supervisor, SIGKILL);
            ::poll(&wait, 1, stop_ms_max);
            ::close(process);
        }
    }
    MachineCgroup(fs::path(directory).filename()).remove();
    remove_interface(cable_of(directory));
}

void start_machine(const std::string& directory) {
    const auto machine = load(directory);
    if (supervisor_of(directory) > 0) return;
    take_down(directory, SIGKILL);  // what a crash may have left
    make_root_directories(directory, machine);
    make_host_key(directory);
    int ready_pipe[2];
    must(::pipe2(ready_pipe, O_CLOEXEC) == 0, "cannot make a pipe");
    const auto first = ::fork();
    must(first >= 0, "cannot fork");
    if (first == 0) {
        if (::fork() != 0) std::_Exit(0);
        detach(directory, ready_pipe[1]);
        supervise(directory, machine, ready_pipe[1]);
    }
    ::close(ready_pipe[1]);
    ::waitpid(first, nullptr, 0);
    const auto refusal = hear(ready_pipe[0]);
    if (refusal.empty()) return;
    take_down(directory, SIGKILL);
    throw MachineError{"machine " + machine.id + ": " + refusal};
}

/// One program of this host at a time makes networks; released when this process ends.
void lock_networks() {
    const int lock = ::open("/run/ocim-networks.lock", O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    must(lock >= 0, "cannot open /run/ocim-networks.lock");
    must(::flock(lock, LOCK_EX) == 0, "cannot lock /run/ocim-networks.lock");
}

struct Network {
    std::uint32_t base = 0, mask = 0;
    bool overlaps(const Network& other) const { return ((base ^ other.base) & mask & other.mask) == 0; }
};

/// "10.213.0.1/24"
Network network_of(const std::string& address) {
    const auto slash = address.find('/');
    in_addr parsed{};
    must(slash != std::string::npos && ::inet_pton(AF_INET, address.substr(0, slash).c_str(), &parsed) == 1,
         "the bridge's address is none: " + address);
    const auto bits = static_cast<unsigned>(std::atoi(address.c_str() + slash + 1));
    must(bits >= 1 && bits <= 32, "the bridge's address is none: " + address);
    return {ntohl(parsed.s_addr), ~std::uint32_t{0} << (32 - bits)};
}

/// Which other interface of this host has an address in `network`; "" when none has.
std::string holder_of(const Network& network, const std::string& but) {
    ifaddrs* all = nullptr;
    must(::getifaddrs(&all) == 0, "cannot list this host's addresses");
    std::string out;
    for (const auto* at = all; at && out.empty(); at = at->ifa_next) {
        if (!at->ifa_addr || at->ifa_addr->sa_family != AF_INET || !at->ifa_netmask || but == at->ifa_name) continue;
        sockaddr_in address{}, mask{};
        std::memcpy(&address, at->ifa_addr, sizeof address);
        std::memcpy(&mask, at->ifa_netmask, sizeof mask);
        if (network.overlaps({ntohl(address.sin_addr.s_addr), ntohl(mask.sin_addr.s_addr)})) out = at->ifa_name;
    }
    ::freeifaddrs(all);
    return out;
}

/// Of two programs that want one network the first has it: looking and making are one step.
void make_bridge(const std::string& name, const std::string& address) {
    lock_networks();
    const auto holder = holder_of(network_of(address), name);
    must(holder.empty(), "the network of " + address + " is taken on this host, by " + holder +
                             "; give the Cloud another spec.local.subnet");
    if (!interface_exists(name)) run_tool({"ip", "link", "add", name, "type", "bridge"});
    run_tool({"ip", "address", "replace", address, "dev", name});
    run_tool({"ip", "link", "set", name, "up"});
}

}  // namespace

int supervisor_of(const std::string& directory) {
    const int lock = ::open((directory + "/lock").c_str(), O_RDWR | O_CLOEXEC);
    if (lock < 0) return 0;
    struct flock whole{};
    whole.l_type = F_WRLCK;
    const int asked = ::fcntl(lock, F_GETLK, &whole);
    ::close(lock);
    return asked == 0 && whole.l_type != F_UNLCK ? whole.l_pid : 0;
}

std::string unsupported_reason() {
    if (::geteuid() != 0) return "a local cloud needs \"ocim serve\" as root";
    if (!fs::is_symlink("/bin")) return "a local cloud needs a host whose /bin is a link to /usr/bin";
    if (!fs::exists("/usr/sbin/sshd")) return "a local cloud needs openssh-server on this host";
    if (!fs::exists("/usr/sbin/ip") && !fs::exists("/usr/bin/ip")) return "a local cloud needs iproute2 on this host";
    return MachineCgroup::unsupported_reason();
}

int machine_main(const std::vector<std::string>& arguments) {
    const auto verb = arguments.empty() ? "" : arguments[0];
    try {
        if (arguments.size() == 2 && verb == "start") {
            start_machine(arguments[1]);
        } else if (arguments.size() == 2 && verb == "stop") {
            take_down(arguments[1], SIGTERM);
        } else if (arguments.size() == 2 && verb == "remove") {
            take_down(arguments[1], SIGKILL);
            fs::remove_all(arguments[1]);
        } else if (arguments.size() == 3 && verb == "bridge") {
            make_bridge(arguments[1], arguments[2]);
        } else if (arguments.size() == 2 && verb == "unbridge") {
            remove_interface(arguments[1]);
        } else {
            std::fprintf(stderr, "machine: this is a part of the local cloud, not for people\n");
            return 2;
        }
    } catch (const MachineError& error) {
        std::fprintf(stderr, "%s\n", error.message.c_str());
        return 1;
    } catch (const std::exception& error) {
        std::fprintf(stderr, "%s\n", error.what());
        return 1;
    }
    return 0;
}

}  // namespace ocim::compute
