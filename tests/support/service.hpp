#pragma once

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>
#include <chrono>
#include <csignal>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <random>
#include <set>
#include <sstream>
#include <stdexcept>
#include <string>
#include <string_view>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>

/// Real servers for tests: each in a private directory on free loopback ports, gone with the test that started it.
/// Everything here throws when the machine refuses, which fails the test.
namespace ocim::test {

/// A directory of the test's own, removed with all that is in it.
class TempDir {
public:
    TempDir() {
        std::string pattern = (std::filesystem::temp_directory_path() / "ocim-test-XXXXXX").string();
        if (!::mkdtemp(pattern.data())) throw std::runtime_error("mkdtemp failed");
        path_ = pattern;
    }
    ~TempDir() {
        std::error_code ignored;
        std::filesystem::remove_all(path_, ignored);
    }
    TempDir(const TempDir&) = delete;
    TempDir& operator=(const TempDir&) = delete;
    const std::string& path() const { return path_; }
    std::string file(const std::string& name) const { return path_ + "/" + name; }

private:
    std::string path_;
};

inline void write_file(const std::string& path, const std::string& text) {
    std::ofstream out(path, std::ios::binary | std::ios::trunc);
    out << text;
    if (!out.flush()) throw std::runtime_error("cannot write " + path);
}

/// "" when there is no such file.
inline std::string read_file(const std::string& path) {
    std::ifstream in(path, std::ios::binary);
    std::ostringstream out;
    out << in.rdbuf();
    return out.str();
}

/// A loopback TCP port that nobody has now and that this process was not given before, below those that Linux gives to
/// whoever connects: none of them takes it before its server does.
inline std::uint16_t free_port() {
    static std::set<std::uint16_t> given;
    std::random_device random;
    std::uniform_int_distribution<std::uint16_t> any(10'000, 32'767);
    for (int attempt = 0; attempt < 1000; ++attempt) {
        const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        sockaddr_in address{};
        address.sin_family = AF_INET;
        address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        const auto port = any(random);
        address.sin_port = htons(port);
        const bool ok = ::bind(fd, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0;
        ::close(fd);
        if (ok && given.insert(port).second) return port;
    }
    throw std::runtime_error("no free port");
}

/// Whether no thread of the process runs, after SIGSTOP; one that is gone runs none either.
inline bool stands_still(pid_t pid) {
    std::error_code none;
    for (const auto& thread : std::filesystem::directory_iterator("/proc/" + std::to_string(pid) + "/task", none)) {
        std::ifstream in(thread.path() / "stat");
        const std::string stat{std::istreambuf_iterator<char>(in), {}};
        const auto name_end = stat.rfind(')');  // proc(5): then a blank and the state
        if (name_end != std::string::npos &&
            std::string_view("TtZX").find(stat[name_end + 2]) == std::string_view::npos)
            return false;
    }
    return true;
}

/// Polls until `condition` holds; false when `limit` came first.
template <class Condition>
bool wait_for(Condition condition, std::chrono::milliseconds limit = std::chrono::seconds(20)) {
    const auto deadline = std::chrono::steady_clock::now() + limit;
    while (!condition()) {
        if (std::chrono::steady_clock::now() > deadline) return false;
        std::this_thread::sleep_for(std::chrono::milliseconds(10));
    }
    return true;
}

inline bool port_answers(std::uint16_t port) {
    const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    const bool ok = ::connect(fd, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0;
    ::close(fd);
    return ok;
}

inline bool unix_socket_answers(const std::string& path) {
    const int fd = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    path.copy(address.sun_path, sizeof address.sun_path - 1);
    const bool ok = ::connect(fd, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0;
    ::close(fd);
    return ok;
}

/// A child process in a process group of its own; the group is killed when this goes, or when the test dies.
class Service {
public:
    struct Settings {
        std::vector<std::string> command;      ///< program and arguments; found on PATH
        std::string log;                       ///< stdout and stderr go here; "" discards them
        std::vector<std::string> environment;  ///< additions, "NAME=value"
        int stop_signal = SIGTERM;
    };
    explicit Service(Settings settings) : settings_(std::move(settings)) { start(); }
    ~Service() { stop(); }
    Service(const Service&) = delete;
    Service& operator=(const Service&) = delete;

    /// Starts it again after stop() or kill().
    void start() {
        if (pid_ > 0) throw std::logic_error("already running");
        std::vector<char*> words;
        for (auto& word : settings_.command) words.push_back(word.data());
        words.push_back(nullptr);
        const auto parent = ::getpid();
        pid_ = ::fork();
        if (pid_ < 0) throw std::runtime_error("fork failed");
        if (pid_ == 0) {
            ::setpgid(0, 0);
            ::prctl(PR_SET_PDEATHSIG, SIGKILL);
            if (::getppid() != parent) ::_exit(126);
            const auto* log = settings_.log.empty() ? "/dev/null" : settings_.log.c_str();
            const int out = ::open(log, O_WRONLY | O_CREAT | O_APPEND, 0600);
            const int in = ::open("/dev/null", O_RDONLY);
            ::dup2(in, 0);
            ::dup2(out, 1);
            ::dup2(out, 2);
            for (auto& item : settings_.environment) ::putenv(item.data());
            ::execvp(words[0], words.data());
            ::_exit(127);
        }
        ::setpgid(pid_, pid_);
    }

    /// Waits until `ready()` holds; throws with the end of the log when it does not within `limit` or the process
    /// ends before.
    template <class Ready>
    Service& wait_until(Ready ready, std::chrono::milliseconds limit = std::chrono::seconds(60)) {
        bool ended = false;
        const bool ok = wait_for(
            [&] {
                ended = !running();
                return ended || ready();
            },
            limit);
        if (ended || !ok) throw std::runtime_error(settings_.command[0] + " did not become ready: " + log_tail());
        return *this;
    }
    Service& wait_for_port(std::uint16_t port) {
        return wait_until([port] { return port_answers(port); });
    }

    bool running() {
        if (pid_ > 0 && ::waitpid(pid_, &status_, WNOHANG) == pid_) {
            ::kill(-pid_, SIGKILL);  // what it left behind in its group
            pid_ = -1;
        }
        return pid_ > 0;
    }
    pid_t pid() const { return pid_; }
    void signal(int number) {
        if (pid_ > 0) ::kill(pid_, number);
    }
    /// Asks it to end, and makes it when it does not within five seconds.
    void stop() {
        if (!running()) return;
        ::kill(pid_, settings_.stop_signal);
        if (!wait_for([this] { return !running(); }, std::chrono::seconds(5))) kill();
    }
    /// As a power cut: nothing is flushed.
    void kill() {
        if (pid_ <= 0) return;
        ::kill(-pid_, SIGKILL);
        ::waitpid(pid_, &status_, 0);
        pid_ = -1;
    }
    /// A process that hangs: connections are accepted by the kernel and never answered.
    void freeze() {
        ::kill(-pid_, SIGSTOP);
        if (!wait_for([this] { return stands_still(pid_); })) throw std::runtime_error("it does not stop");
    }
    void thaw() { ::kill(-pid_, SIGCONT); }
    std::string log_tail() const {
        const auto text = settings_.log.empty() ? std::string() : read_file(settings_.log);
        return text.size() > 2000 ? text.substr(text.size() - 2000) : text;
    }

private:
    Settings settings_;
    pid_t pid_ = -1;
    int status_ = 0;
};

struct Ran {
    int exit_code = 0;
    std::string output;  ///< stdout and stderr
};

/// Runs a program to its end, killed after `limit`.
inline Ran run_program(std::vector<std::string> command, const std::string& input = {},
                       std::chrono::milliseconds limit = std::chrono::seconds(60)) {
    TempDir directory;
    write_file(directory.file("in"), input);
    std::vector<std::string> words{"/bin/sh", "-c", "exec \"$@\" <\"$0\"", directory.file("in")};
    words.insert(words.end(), command.begin(), command.end());
    std::vector<char*> argv;
    for (auto& word : words) argv.push_back(word.data());
    argv.push_back(nullptr);
    int pipe[2];
    if (::pipe2(pipe, O_CLOEXEC) != 0) throw std::runtime_error("pipe failed");
    const pid_t pid = ::fork();
    if (pid == 0) {
        ::setpgid(0, 0);
        ::dup2(pipe[1], 1);
        ::dup2(pipe[1], 2);
        ::execv(argv[0], argv.data());
        ::_exit(127);
    }
    ::close(pipe[1]);
    Ran out;
    const auto deadline = std::chrono::steady_clock::now() + limit;
    for (;;) {
        const auto left =
            std::chrono::duration_cast<std::chrono::milliseconds>(deadline - std::chrono::steady_clock::now());
        pollfd poll{pipe[0], POLLIN, 0};
        if (left.count() <= 0 || ::poll(&poll, 1, static_cast<int>(left.count())) <= 0) {
            ::kill(-pid, SIGKILL);
            break;
        }
        char buffer[65536];
        const auto count = ::read(pipe[0], buffer, sizeof buffer);
        if (count <= 0) break;
        out.output.append(buffer, static_cast<std::size_t>(count));
    }
    ::close(pipe[0]);
    int status = 0;
    ::waitpid(pid, &status, 0);
    out.exit_code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
    return out;
}

}  // namespace ocim::test
