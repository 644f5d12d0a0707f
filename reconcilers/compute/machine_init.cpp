#include "compute/machine_init.hpp"

#include "compute/machine_root.hpp"

#include <arpa/inet.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <net/if.h>
#include <netinet/in.h>
#include <poll.h>
#include <spawn.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <ctime>
#include <filesystem>
#include <vector>

namespace ocim::compute {
namespace {

/// Docker's default set without MKNOD: a machine makes no devices.
constexpr std::array kept_capabilities{
    CAP_CHOWN,   CAP_DAC_OVERRIDE, CAP_FSETID,           CAP_FOWNER,     CAP_NET_RAW, CAP_SETGID,     CAP_SETUID,
    CAP_SETFCAP, CAP_SETPCAP,      CAP_NET_BIND_SERVICE, CAP_SYS_CHROOT, CAP_KILL,    CAP_AUDIT_WRITE};

constexpr std::array environment{"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "HOME=/root",
                                 "LANG=C.UTF-8", "container=ocim"};

pid_t start(const std::vector<std::string>& command) {
    std::vector<char*> words, variables;
    for (const auto& word : command) words.push_back(const_cast<char*>(word.c_str()));
    words.push_back(nullptr);
    for (const auto* variable : environment) variables.push_back(const_cast<char*>(variable));
    variables.push_back(nullptr);
    posix_spawnattr_t attributes;
    ::posix_spawnattr_init(&attributes);
    sigset_t none;
    ::sigemptyset(&none);
    ::posix_spawnattr_setsigmask(&attributes, &none);
    ::posix_spawnattr_setpgroup(&attributes, 0);
    ::posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETPGROUP);
    pid_t child = 0;
    const int failed = ::posix_spawnp(&child, words[0], nullptr, &attributes, words.data(), variables.data());
    ::posix_spawnattr_destroy(&attributes);
    errno = failed;
    must(failed == 0, "cannot start " + command[0]);
    return child;
}

void drop_rights() {
    for (int capability = 0; capability <= CAP_LAST_CAP; ++capability) {
        bool keep = false;
        for (const int kept : kept_capabilities) keep = keep || kept == capability;
        if (!keep) ::prctl(PR_CAPBSET_DROP, capability, 0, 0, 0);  // EINVAL for one that this kernel does not know
    }
    std::uint64_t mask = 0;
    for (const int kept : kept_capabilities) mask |= 1ULL << kept;
    __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
    __user_cap_data_struct data[2]{};
    data[0].effective = data[0].permitted = static_cast<std::uint32_t>(mask);
    data[1].effective = data[1].permitted = static_cast<std::uint32_t>(mask >> 32);
    must(::syscall(SYS_capset, &header, data) == 0, "cannot drop capabilities");
    must(::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0, "cannot forbid new privileges");
}

void configure_network(const MachineFile& machine) {
    run_tool({"ip", "link", "set", "lo", "up"});
    run_tool({"ip", "address", "add", machine.address + "/" + std::to_string(machine.prefix_bits), "dev", "eth0"});
    run_tool({"ip", "link", "set", "eth0", "up"});
    run_tool({"ip", "route", "add", "default", "via", machine.gateway});
}

bool ssh_answers() {
    const int socket = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (socket < 0) return false;
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(22);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    const bool connected = ::connect(socket, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0;
    ::close(socket);
    return connected;
}

void wait_for_ssh() {
    // 20 s, in steps of 10 ms
    for (int tries = 0; !ssh_answers(); ++tries) {
        if (tries == 2000) throw MachineError{"the machine's SSH server did not answer within 20 s"};
        ::poll(nullptr, 0, 10);
    }
}

/// Ends everything in the machine: asked first, 3 s later killed with the namespace when we exit.
[[noreturn]] void shut_down() {
    ::kill(-1, SIGTERM);
    for (int tries = 0; tries < 300; ++tries) {
        while (::waitpid(-1, nullptr, WNOHANG) > 0) {}
        if (::waitpid(-1, nullptr, WNOHANG) < 0 && errno == ECHILD) break;
        ::poll(nullptr, 0, 10);
    }
    std::_Exit(0);
}

[[noreturn]] void reap_for_ever(pid_t ssh_server, const sigset_t& signals) {
    for (;;) {
        siginfo_t info{};
        if (::sigwaitinfo(&signals, &info) < 0) continue;
        if (info.si_signo == SIGTERM) shut_down();
        for (pid_t gone = 0; (gone = ::waitpid(-1, nullptr, WNOHANG)) > 0;) {
            if (gone != ssh_server) continue;
            ::poll(nullptr, 0, 1000);  // a server that dies at once is not started in a tight loop
            ssh_server = start({"/usr/sbin/sshd", "-D", "-e"});
        }
    }
}

}  // namespace

void run_tool(const std::vector<std::string>& command) {
    const auto child = start(command);
    int status = 0;
    while (::waitpid(child, &status, 0) < 0 && errno == EINTR) {}
    if (WIFEXITED(status) && WEXITSTATUS(status) == 0) return;
    std::string line;
    for (const auto& word : command) line += (line.empty() ? "" : " ") + word;
    throw MachineError{line + " failed"};
}

void run_machine_init(const std::string& directory, const MachineFile& machine, int network_pipe, int ready_pipe) {
    try {
        ::prctl(PR_SET_PDEATHSIG, SIGKILL);  // no machine outlives its supervisor
        sigset_t signals;
        ::sigemptyset(&signals);
        ::sigaddset(&signals, SIGCHLD);
        ::sigaddset(&signals, SIGTERM);
        ::sigprocmask(SIG_BLOCK, &signals, nullptr);
        char go = 0;
        must(::read(network_pipe, &go, 1) == 1, "the machine's network was not made");
        ::close(network_pipe);
        ::umask(022);
        enter_root(directory);
        must(::sethostname(machine.id.c_str(), machine.id.size()) == 0, "cannot set the host name");
        configure_network(machine);
        drop_rights();
        if (std::filesystem::exists("/etc/rc.local")) start({"/bin/sh", "/etc/rc.local"});
        const auto ssh_server = start({"/usr/sbin/sshd", "-D", "-e"});
        wait_for_ssh();
        must(::write(ready_pipe, "ready\n", 6) == 6, "nobody waits for the machine");
        ::close(ready_pipe);
        reap_for_ever(ssh_server, signals);
    } catch (const MachineError& error) {
        (void)!::write(ready_pipe, error.message.data(), error.message.size());
    } catch (const std::exception& error) { (void)!::write(ready_pipe, error.what(), std::strlen(error.what())); }
    std::_Exit(1);
}

}  // namespace ocim::compute
