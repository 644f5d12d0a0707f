#include "server.hpp"

namespace ocim::bench {

namespace fs = std::filesystem;

std::chrono::duration<double> Server::start() {
    const auto data = directory_.file("data");
    const auto log = directory_.file("log");
    int pipe[2];
    if (::pipe2(pipe, O_CLOEXEC) != 0) throw std::runtime_error("pipe failed");
    const auto began = std::chrono::steady_clock::now();
    pid_ = ::fork();
    if (pid_ < 0) throw std::runtime_error("fork failed");
    if (pid_ == 0) {
        ::prctl(PR_SET_PDEATHSIG, SIGKILL);
        ::dup2(pipe[1], 1);
        ::dup2(::open(log.c_str(), O_WRONLY | O_CREAT | O_APPEND, 0600), 2);
        ::execl(program_.c_str(), program_.c_str(), "serve", "--no-controllers", "--data-dir", data.c_str(), "--listen",
                "127.0.0.1:0", "--metrics-listen", "127.0.0.1:0", nullptr);
        ::_exit(127);
    }
    ::close(pipe[1]);
    output_ = pipe[0];
    std::string said;
    while (said.find('\n') == std::string::npos) {
        char buffer[256];
        const auto got = ::read(output_, buffer, sizeof buffer);
        if (got <= 0) throw std::runtime_error(program_ + " did not start: " + test::read_file(log));
        said.append(buffer, static_cast<std::size_t>(got));
    }
    return std::chrono::steady_clock::now() - began;
}

void Server::stop() {
    if (pid_ < 0) return;
    ::kill(pid_, SIGTERM);
    ::waitpid(pid_, nullptr, 0);
    ::close(output_);
    pid_ = -1;
}

double Server::resident_mib() const {
    const auto status = test::read_file("/proc/" + std::to_string(pid_) + "/status");
    const auto at = status.find("VmRSS:");
    return at == std::string::npos ? 0 : std::stod(status.substr(at + 6)) / 1024;
}

double Server::cpu_seconds() const {
    double nanoseconds = 0;
    for (const auto& thread : fs::directory_iterator("/proc/" + std::to_string(pid_) + "/task")) {
        const auto text = test::read_file(thread.path().string() + "/schedstat");
        if (!text.empty()) nanoseconds += std::stod(text);
    }
    return nanoseconds * 1e-9;
}

}  // namespace ocim::bench
