#pragma once

#include "support/service.hpp"

#include <pwd.h>
#include <sys/stat.h>
#include <algorithm>
#include <optional>

/// OpenSSH's own server for tests: on a loopback port, for the user who runs the test, with keys of its own.
namespace ocim::test {

class Sshd {
public:
    Sshd() : port_(free_port()) {
        // sshd wants this when it is started by root; it is empty, and the package's own service makes it too.
        if (::geteuid() == 0) ::mkdir("/run/sshd", 0755);
        make_key("host");
        make_key("user");
        admit_user();
        write_file(directory_.file("sshd_config"), "ListenAddress 127.0.0.1:" + std::to_string(port_) + "\nHostKey " +
                                                       directory_.file("host") + "\nAuthorizedKeysFile " +
                                                       directory_.file("authorized_keys") +
                                                       "\nPidFile none\nStrictModes no\nUsePAM no\n"
                                                       "PasswordAuthentication no\nPermitRootLogin yes\n"
                                                       "MaxStartups 100\n");
        sshd_.emplace(Service::Settings{.command = {"/usr/sbin/sshd", "-D", "-e", "-f", directory_.file("sshd_config")},
                                        .log = directory_.file("log"),
                                        .environment = {}});
        sshd_->wait_for_port(port_);
    }
    ~Sshd() { stop(); }
    Sshd(const Sshd&) = delete;
    Sshd& operator=(const Sshd&) = delete;

    std::uint16_t port() const { return port_; }
    std::string user() const { return ::getpwuid(::geteuid())->pw_name; }
    /// The user's private key, in OpenSSH's form.
    std::string user_key() const { return read_file(directory_.file("user")); }
    /// "ssh-ed25519 AAAA…"
    std::string host_key() const {
        const auto line = read_file(directory_.file("host.pub"));
        return line.substr(0, line.find_last_of(' '));
    }
    std::string log() const { return read_file(directory_.file("log")); }

    /// Who logs in from now on; sessions that there are go on.
    void admit_user() const { write_file(directory_.file("authorized_keys"), read_file(directory_.file("user.pub"))); }
    /// Another key for the user; whoever has the former one is let in until admit_user().
    void new_user_key() {
        for (const auto* name : {"user", "user.pub"}) std::filesystem::remove(directory_.file(name));
        make_key("user");
    }
    void admit_nobody() const { write_file(directory_.file("authorized_keys"), ""); }

    /// Ends every connection as if the network had; new ones are welcome.
    void drop_connections() {
        for (const auto pid : children(sshd_->pid())) ::kill(pid, SIGKILL);
    }
    std::size_t connections() { return children(sshd_->pid()).size(); }
    void stop() {
        drop_connections();
        sshd_->stop();
    }
    void start() {
        sshd_->start();
        sshd_->wait_for_port(port_);
    }
    void freeze() {
        signal_all(SIGSTOP);
        const auto all_stand = [this] {
            return stands_still(sshd_->pid()) && std::ranges::all_of(children(sshd_->pid()), stands_still);
        };
        if (!wait_for(all_stand)) throw std::runtime_error("it does not stop");
    }
    void thaw() { signal_all(SIGCONT); }

private:
    void make_key(const std::string& name) {
        const auto made =
            run_program({"ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "test", "-f", directory_.file(name)});
        if (made.exit_code != 0) throw std::runtime_error("ssh-keygen: " + made.output);
    }
    void signal_all(int number) {
        for (const auto pid : children(sshd_->pid())) ::kill(pid, number);
        sshd_->signal(number);
    }
    static std::vector<pid_t> children(pid_t parent) {
        std::vector<pid_t> out;
        for (const auto& entry : std::filesystem::directory_iterator("/proc")) {
            const auto name = entry.path().filename().string();
            if (!std::all_of(name.begin(), name.end(), [](char c) { return c >= '0' && c <= '9'; })) continue;
            const auto stat = read_file(entry.path() / "stat");
            const auto end = stat.rfind(')');
            if (end == std::string::npos) continue;
            char state = 0;
            pid_t its_parent = 0;
            std::istringstream(stat.substr(end + 1)) >> state >> its_parent;
            if (its_parent == parent && state != 'Z') out.push_back(static_cast<pid_t>(std::stol(name)));
        }
        return out;
    }

    TempDir directory_;
    std::uint16_t port_;
    std::optional<Service> sshd_;
};

}  // namespace ocim::test
