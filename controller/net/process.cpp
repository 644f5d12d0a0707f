#include "net/process.hpp"

#include "base/limits.hpp"
#include "net/when_cancelled.hpp"

#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <csignal>
#include <cstring>

namespace ocim::net {

namespace {

using Steady = std::chrono::steady_clock;  // on a thread of the pool there is no Clock, and a deadline is needed

Error errno_error(ErrorClass error_class, const std::string& what, int number) {
    return {error_class, what + ": " + std::strerror(number)};
}

class Descriptor {
public:
    Descriptor() = default;
    explicit Descriptor(int fd) : fd_(fd) {}
    Descriptor(Descriptor&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
    Descriptor& operator=(Descriptor&& other) noexcept {
        close();
        fd_ = std::exchange(other.fd_, -1);
        return *this;
    }
    ~Descriptor() { close(); }
    int get() const { return fd_; }
    bool open() const { return fd_ >= 0; }
    void close() {
        if (fd_ >= 0) ::close(std::exchange(fd_, -1));
    }

private:
    int fd_ = -1;
};

struct Pipe {
    Descriptor read, write;

    Result<void> make() {
        std::array<int, 2> ends{};
        if (::pipe2(ends.data(), O_CLOEXEC) != 0)
            return errno_error(ErrorClass::transient, "cannot make a pipe", errno);
        read = Descriptor(ends[0]);
        write = Descriptor(ends[1]);
        return {};
    }
};

/// A write to a child that does not read must be an error, not a signal to us.
class NoSigpipe {
public:
    NoSigpipe() {
        sigemptyset(&pipe_);
        sigaddset(&pipe_, SIGPIPE);
        ::pthread_sigmask(SIG_BLOCK, &pipe_, &before_);
    }
    NoSigpipe(const NoSigpipe&) = delete;
    NoSigpipe& operator=(const NoSigpipe&) = delete;
    ~NoSigpipe() {
        const timespec at_once{};
        if (sigismember(&before_, SIGPIPE) == 0) (void)::sigtimedwait(&pipe_, nullptr, &at_once);
        ::pthread_sigmask(SIG_SETMASK, &before_, nullptr);
    }

private:
    sigset_t pipe_{}, before_{};
};

/// The program's path, looked for in the PATH that the child will have, not in ours.
Result<std::string> find_program(const ProcessSettings& settings) {
    const std::string& name = settings.command.front();
    const Error missing{ErrorClass::not_found, name + ": no such program"};
    if (name.find('/') != std::string::npos) {
        if (::access(name.c_str(), X_OK) == 0) return name;
        return errno == EACCES ? Error{ErrorClass::invalid, name + ": may not be executed"} : missing;
    }
    for (const auto& variable : settings.environment) {
        if (!variable.starts_with("PATH=")) continue;
        for (std::size_t begin = 5; begin <= variable.size();) {
            const auto end = std::min(variable.find(':', begin), variable.size());
            std::string path = variable.substr(begin, end - begin) + "/" + name;
            if (::access(path.c_str(), X_OK) == 0) return path;
            begin = end + 1;
        }
    }
    return missing;
}

Result<void> check(const ProcessSettings& settings) {
    if (settings.command.empty() || settings.command.front().empty())
        return Error{ErrorClass::invalid, "there is no command"};
    for (const auto& list : {settings.command, settings.environment})
        for (const auto& word : list)
            if (word.find('\0') != std::string::npos) return Error{ErrorClass::invalid, "a word holds a NUL"};
    return {};
}

std::vector<char*> pointers(std::vector<std::string>& words) {
    std::vector<char*> out;
    for (auto& word : words) out.push_back(word.data());
    out.push_back(nullptr);
    return out;
}

/// One child from its start to its end. On one thread.
class Child {
public:
    Child(ProcessSettings settings, std::shared_ptr<std::atomic<bool>> hurry)
        : settings_(std::move(settings)), hurry_(std::move(hurry)), deadline_(Steady::now() + settings_.limit) {}

    Result<CommandResult> run() {
        if (auto ok = check(settings_); !ok) return std::move(ok).error();
        if (auto started = start(); !started) return std::move(started).error();
        const NoSigpipe no_sigpipe;
        auto ended = talk();
        end_group();
        if (!ended) return std::move(ended).error();
        drain(out_.read, result_.output);
        drain(err_.read, result_.errors);
        trim_errors();
        return std::move(result_);
    }

private:
    Result<void> start() {
        const auto program = find_program(settings_);
        if (!program) return program.error();
        for (Pipe* pipe : {&in_, &out_, &err_})
            if (auto made = pipe->make(); !made) return made;
        posix_spawn_file_actions_t files;
        posix_spawn_file_actions_init(&files);
        posix_spawn_file_actions_adddup2(&files, in_.read.get(), STDIN_FILENO);
        posix_spawn_file_actions_adddup2(&files, out_.write.get(), STDOUT_FILENO);
        posix_spawn_file_actions_adddup2(&files, err_.write.get(), STDERR_FILENO);
        posix_spawn_file_actions_addclosefrom_np(&files, STDERR_FILENO + 1);
        posix_spawnattr_t attributes;
        posix_spawnattr_init(&attributes);
        sigset_t none, all;
        sigemptyset(&none);
        sigfillset(&all);
        posix_spawnattr_setsigmask(&attributes, &none);
        posix_spawnattr_setsigdefault(&attributes, &all);
        posix_spawnattr_setpgroup(&attributes, 0);
        posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
        const auto arguments = pointers(settings_.command);
        const auto environment = pointers(settings_.environment);
        const int failed =
            ::posix_spawn(&pid_, program->c_str(), &files, &attributes, arguments.data(), environment.data());
        posix_spawn_file_actions_destroy(&files);
        posix_spawnattr_destroy(&attributes);
        if (failed == ENOENT) return Error{ErrorClass::not_found, *program + ": its interpreter is missing"};
        if (failed == E2BIG || failed == ENOEXEC || failed == EACCES)
            return errno_error(ErrorClass::invalid, *program, failed);
        if (failed != 0) return errno_error(ErrorClass::transient, *program, failed);
        in_.read.close();
        out_.write.close();
        err_.write.close();
        for (const auto* end : {&in_.write, &out_.read, &err_.read}) ::fcntl(end->get(), F_SETFL, O_NONBLOCK);
        exit_ = Descriptor(static_cast<int>(::syscall(SYS_pidfd_open, pid_, 0)));
        if (exit_.open()) return {};
        const Error error = errno_error(ErrorClass::transient, "cannot watch the child", errno);
        end_group();
        return error;
    }

    /// Feeds and listens until the child itself has ended; what it left running may still hold its output.
    Result<void> talk() {
        for (;;) {
            const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline_ - Steady::now());
            if (*hurry_) return lost("was cancelled");
            if (left.count() <= 0) return lost("took longer than " + std::to_string(settings_.limit.count()) + " ms");
            if (settings_.input.size() == written_) in_.write.close();
            std::array<pollfd, 4> fds{{{in_.write.get(), POLLOUT, 0},
                                       {out_.read.get(), POLLIN, 0},
                                       {err_.read.get(), POLLIN, 0},
                                       {exit_.get(), POLLIN, 0}}};
            // Short enough to notice that we are to hurry.
            ::poll(fds.data(), fds.size(), static_cast<int>(std::min<std::int64_t>(left.count(), 100)));
            if (fds[0].revents != 0) feed();
            if (fds[1].revents != 0) take(out_.read, result_.output);
            if (fds[2].revents != 0) take(err_.read, result_.errors);
            trim_errors();
            if (result_.output.size() > limits::reply_bytes_max) {
                Error error{ErrorClass::invalid, settings_.command.front() + ": wrote more than " +
                                                     std::to_string(limits::reply_bytes_max >> 20U) + " MiB"};
                error.outcome_unknown = true;
                return error;
            }
            if (fds[3].revents != 0) return {};
        }
    }

    Error lost(const std::string& how) const {
        Error error{ErrorClass::transient, settings_.command.front() + ": " + how};
        error.outcome_unknown = true;
        return error;
    }

    void feed() {
        const auto count =
            ::write(in_.write.get(), settings_.input.data() + written_, settings_.input.size() - written_);
        if (count > 0) written_ += static_cast<std::size_t>(count);
        if (count < 0 && errno != EAGAIN && errno != EINTR) in_.write.close();  // it does not want the rest
    }

    /// False when there is no more for now.
    static bool take(Descriptor& from, std::string& to) {
        std::array<char, 64 * 1024> buffer;
        const auto count = ::read(from.get(), buffer.data(), buffer.size());
        if (count > 0) to.append(buffer.data(), static_cast<std::size_t>(count));
        if (count == 0 || (count < 0 && errno != EAGAIN && errno != EINTR)) from.close();
        return count > 0;
    }
    static void drain(Descriptor& from, std::string& to) {
        while (from.open() && to.size() <= limits::reply_bytes_max && take(from, to)) {}
    }
    void trim_errors() {
        constexpr auto most = limits::error_output_bytes_max;
        if (result_.errors.size() > most) result_.errors.erase(0, result_.errors.size() - most);
    }

    /// Ends what is left of the group. The leader is reaped last: until then its number, which is the group's, is
    /// nobody else's.
    void end_group() {
        siginfo_t info{};
        const bool ended =
            ::waitid(P_PID, static_cast<id_t>(pid_), &info, WEXITED | WNOHANG | WNOWAIT) == 0 && info.si_pid == pid_;
        ::kill(-pid_, SIGKILL);
        if (!ended) ::kill(pid_, SIGKILL);
        int status = 0;
        while (::waitpid(pid_, &status, 0) < 0 && errno == EINTR) {}
        result_.exit_code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
    }

    ProcessSettings settings_;
    std::shared_ptr<std::atomic<bool>> hurry_;  // shared with the coroutine that waits
    Steady::time_point deadline_;
    Pipe in_, out_, err_;
    Descriptor exit_;
    pid_t pid_ = -1;
    std::size_t written_ = 0;
    CommandResult result_;
};

}  // namespace

awaitable<Result<CommandResult>> run_process(BlockingPool& pool, ProcessSettings settings) {
    const auto hurry = std::make_shared<std::atomic<bool>>(false);
    const auto child = std::make_shared<Child>(std::move(settings), hurry);  // shared: std::function wants to copy
    std::function<void()> tell = [hurry] { *hurry = true; };
    co_await when_cancelled(std::move(tell));
    auto work = [child] { return child->run(); };
    co_return co_await pool.call(std::move(work));
}

}  // namespace ocim::net
