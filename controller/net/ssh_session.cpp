#include "net/ssh_session.hpp"

#include "base/limits.hpp"
#include "net/lookup.hpp"

#include <fcntl.h>
#include <netdb.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <condition_variable>
#include <cstring>
#include <memory>
#include <mutex>

namespace ocim::net {

namespace {

using Steady = std::chrono::steady_clock;
using std::chrono_literals::operator""ms;
using std::chrono_literals::operator""s;

/// Waiting happens in slices, to notice that nobody waits for us any more.
constexpr auto slice = 100ms;

Error unreachable(std::string what) { return {ErrorClass::unreachable, std::move(what)}; }
Error refused(std::string what) { return {ErrorClass::auth, std::move(what)}; }
Error lost(std::string what) {
    Error error{ErrorClass::transient, std::move(what)};
    error.outcome_unknown = true;
    return error;
}

struct FreeKey {
    void operator()(ssh_key key) const { ssh_key_free(key); }
};
using Key = std::unique_ptr<ssh_key_struct, FreeKey>;
struct FreeText {
    void operator()(char* text) const { ssh_string_free_char(text); }
};

/// "ssh-ed25519 AAAA…" without the comment a person may have left behind it.
std::string key_and_type(const std::string& line) {
    const auto space = line.find(' ');
    if (space == std::string::npos) return line;
    return line.substr(0, line.find_first_of(" \t\r\n", space + 1));
}

/// Algorithms by which a host can show a key of this type.
std::string algorithms_for(const std::string& key) {
    const std::string type = key.substr(0, key.find(' '));
    return type == "ssh-rsa" ? "rsa-sha2-512,rsa-sha2-256" : type;
}
std::string algorithms_for(const SshSettings& settings) {
    auto out = algorithms_for(settings.host_key);
    for (const auto& key : settings.more_host_keys) out += "," + algorithms_for(key);
    return out;
}

bool is_known_by(const SshSettings& settings, const std::string& shown) {
    const auto is_it = [&](const std::string& key) { return key_and_type(key) == shown; };
    return is_it(settings.host_key) || std::ranges::any_of(settings.more_host_keys, is_it);
}

int no_passphrase(const char*, char*, std::size_t, int, int, void*) { return -1; }

/// True when the socket is ready for `events`, false at the deadline or when the call is given up.
bool poll_until(int fd, short events, const Patience& patience) {
    for (;;) {
        const auto left = std::chrono::ceil<std::chrono::milliseconds>(patience.deadline - Steady::now());
        if (left.count() <= 0 || patience.hurry) return false;
        pollfd one{fd, events, 0};
        if (::poll(&one, 1, static_cast<int>(std::min<std::chrono::milliseconds>(left, slice).count())) > 0)
            return true;
    }
}

using Addresses = std::vector<std::pair<sockaddr_storage, socklen_t>>;

/// The host's addresses. A name server that does not answer is waited for no longer than anything else.
Result<Addresses> find(const SshSettings& settings, const Patience& patience) {
    struct Found {
        std::mutex mutex;
        std::condition_variable changed;
        std::optional<Result<Addresses>> addresses;
    };
    const auto found = std::make_shared<Found>();  // shared with the thread that answers, maybe after we have gone
    look_up(settings.host, std::to_string(settings.port), [found](Result<const addrinfo*> list) {
        Result<Addresses> out{Addresses()};
        if (!list) out = list.error();
        for (const addrinfo* one = list ? *list : nullptr; one != nullptr; one = one->ai_next) {
            out->emplace_back();
            std::memcpy(&out->back().first, one->ai_addr, one->ai_addrlen);
            out->back().second = one->ai_addrlen;
        }
        const std::lock_guard lock(found->mutex);
        found->addresses = std::move(out);
        found->changed.notify_all();
    });
    std::unique_lock lock(found->mutex);
    while (!found->addresses) {
        if (patience.hurry || Steady::now() >= patience.deadline) return unreachable("its name was not found in time");
        found->changed.wait_for(lock, slice);
    }
    return *std::move(found->addresses);
}

int signal_number(const std::string& name) {
    constexpr std::array<std::pair<const char*, int>, 13> known{{{"ABRT", SIGABRT},
                                                                 {"ALRM", SIGALRM},
                                                                 {"FPE", SIGFPE},
                                                                 {"HUP", SIGHUP},
                                                                 {"ILL", SIGILL},
                                                                 {"INT", SIGINT},
                                                                 {"KILL", SIGKILL},
                                                                 {"PIPE", SIGPIPE},
                                                                 {"QUIT", SIGQUIT},
                                                                 {"SEGV", SIGSEGV},
                                                                 {"TERM", SIGTERM},
                                                                 {"USR1", SIGUSR1},
                                                                 {"USR2", SIGUSR2}}};
    const auto* found = std::ranges::find_if(known, [&](const auto& entry) { return name == entry.first; });
    return found == known.end() ? 0 : found->second;
}

}  // namespace

/// What the far end says about the command's end, by libssh's callbacks.
struct SshSession::Exit {
    std::optional<int> code;

    static void on_status(ssh_session, ssh_channel, int status, void* self) { static_cast<Exit*>(self)->code = status; }
    static void on_signal(ssh_session, ssh_channel, const char* signal, int, const char*, const char*, void* self) {
        static_cast<Exit*>(self)->code = 128 + signal_number(signal);
    }
};

class SshSession::Channel {
public:
    explicit Channel(ssh_session session) : channel_(ssh_channel_new(session)) {
        callbacks_.userdata = &exit_;
        callbacks_.channel_exit_status_function = &Exit::on_status;
        callbacks_.channel_exit_signal_function = &Exit::on_signal;
        ssh_callbacks_init(&callbacks_);
        if (channel_ != nullptr) ssh_set_channel_callbacks(channel_, &callbacks_);
    }
    ~Channel() {
        if (channel_ == nullptr) return;
        ssh_remove_channel_callbacks(channel_, &callbacks_);
        ssh_channel_free(channel_);
    }
    Channel(const Channel&) = delete;
    Channel& operator=(const Channel&) = delete;

    ssh_channel get() const { return channel_; }
    std::optional<int> exit_code() const { return exit_.code; }

private:
    ssh_channel channel_;
    Exit exit_;
    ssh_channel_callbacks_struct callbacks_{};
};

void SshSession::close() {
    ready_ = false;
    if (session_ == nullptr) return;
    // The socket goes with it. Closing it here too would close what another thread has opened under its number since.
    ssh_free(std::exchange(session_, nullptr));
}

std::string SshSession::reason() const { return ssh_get_error(session_); }

bool SshSession::wait(const Patience& patience) const {
    const int flags = ssh_get_poll_flags(session_);
    auto events = static_cast<short>(POLLIN);
    if ((flags & SSH_WRITE_PENDING) != 0) events = POLLIN | POLLOUT;
    return poll_until(ssh_get_fd(session_), events, patience);
}

Result<int> SshSession::connect_socket(const Patience& patience) const {
    const auto addresses = find(settings_, patience);
    if (!addresses) return addresses.error();
    std::string why = "it has no address";
    for (const auto& [address, length] : *addresses) {
        const int fd = ::socket(address.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        if (fd < 0) continue;
        int error = ::connect(fd, reinterpret_cast<const sockaddr*>(&address), length) == 0 ? 0 : errno;
        if (error == EINPROGRESS) {
            socklen_t size = sizeof error;
            if (!poll_until(fd, POLLOUT, patience))
                error = ETIMEDOUT;
            else
                ::getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size);
        }
        if (error == 0) {
            const int on = 1;
            ::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
            return fd;
        }
        why = std::strerror(error);
        ::close(fd);
    }
    return unreachable("cannot connect: " + why);
}

Result<void> SshSession::open(const Patience& patience) {
    if (auto met = meet(patience); !met) return met;
    if (auto known = authenticate(patience); !known) return known;
    ready_ = true;
    return {};
}

Result<std::string> SshSession::greet(const Patience& patience) {
    auto met = meet(patience);
    close();
    if (!met) return std::move(met).error();
    return host_key_;
}

/// Up to where it is known who the host is.
Result<void> SshSession::meet(const Patience& patience) {
    close();
    const auto fd = connect_socket(patience);
    if (!fd) return fd.error();
    session_ = ssh_new();
    if (session_ == nullptr) {
        ::close(*fd);
        return Error{ErrorClass::transient, "no memory for an SSH session"};
    }
    const int off = 0;
    const auto set = [this](ssh_options_e option, const void* value) { ssh_options_set(session_, option, value); };
    set(SSH_OPTIONS_PROCESS_CONFIG, &off);  // what ~/.ssh says is not about us
    set(SSH_OPTIONS_HOST, settings_.host.c_str());
    set(SSH_OPTIONS_USER, settings_.user.c_str());
    set(SSH_OPTIONS_KNOWNHOSTS, "/dev/null");
    set(SSH_OPTIONS_GLOBAL_KNOWNHOSTS, "/dev/null");
    set(SSH_OPTIONS_IDENTITY_AGENT, "none");
    set(SSH_OPTIONS_FD, &*fd);
    if (!settings_.host_key.empty()) set(SSH_OPTIONS_HOSTKEYS, algorithms_for(settings_).c_str());
    ssh_set_blocking(session_, 0);
    int state = SSH_AGAIN;
    while ((state = ssh_connect(session_)) == SSH_AGAIN)
        if (!wait(patience)) return unreachable("no SSH connection in time");
    if (state != SSH_OK) {
        // A host that cannot show the one key we know shows another: that is a refusal, not an outage.
        const bool other_key = reason().find("server host key algo") != std::string::npos;
        if (other_key) return refused("the host does not show a key it is known by");
        return unreachable("no SSH connection: " + reason());
    }
    return check_host();
}

Result<void> SshSession::check_host() {
    ssh_key raw = nullptr;
    if (ssh_get_server_publickey(session_, &raw) != SSH_OK) return unreachable("the host shows no key");
    const Key key(raw);
    char* text = nullptr;
    if (ssh_pki_export_pubkey_base64(key.get(), &text) != SSH_OK) return unreachable("the host shows no key");
    const std::unique_ptr<char, FreeText> owner(text);
    host_key_ = std::string(ssh_key_type_to_char(ssh_key_type(key.get()))) + " " + text;
    if (settings_.host_key.empty() || is_known_by(settings_, host_key_)) return {};
    return refused("the host's key is not the one it is known by");
}

Result<void> SshSession::authenticate(const Patience& patience) {
    ssh_key raw = nullptr;
    if (ssh_pki_import_privkey_base64(settings_.private_key.reveal().c_str(), nullptr, no_passphrase, nullptr, &raw) !=
        SSH_OK)
        return refused("the private key cannot be read; it must have no passphrase");
    const Key key(raw);
    int state = SSH_AUTH_AGAIN;
    while ((state = ssh_userauth_publickey(session_, nullptr, key.get())) == SSH_AUTH_AGAIN)
        if (!wait(patience)) return unreachable("no answer to our key in time");
    if (state == SSH_AUTH_SUCCESS) return {};
    if (state == SSH_AUTH_DENIED || state == SSH_AUTH_PARTIAL)
        return refused("the key is refused for the user " + settings_.user);
    return unreachable("lost while showing our key: " + reason());
}

/// Nothing of the command has been sent when this fails.
Result<void> SshSession::open_channel(Channel& channel, const Patience& patience) {
    int state = SSH_AGAIN;
    while ((state = ssh_channel_open_session(channel.get())) == SSH_AGAIN)
        if (!wait(patience)) return unreachable("no answer in time");
    if (state == SSH_OK) return {};
    return unreachable("no channel: " + reason());
}

Result<CommandResult> SshSession::execute(const std::string& line, const std::string& input, const Patience& patience) {
    std::optional<Channel> channel;
    // A connection that was kept may have died unnoticed: once more with a new one, since nothing was sent.
    for (int attempt = 0; !channel; ++attempt) {
        const auto connecting = patience.at_most(settings_.connect_timeout);
        const bool kept = ready_ && ssh_is_connected(session_) != 0;
        if (!kept)
            if (auto opened = open(connecting); !opened) {
                close();
                return std::move(opened).error();
            }
        channel.emplace(session_);
        auto opened = open_channel(*channel, connecting);
        if (opened) break;
        channel.reset();
        close();
        if (!kept || attempt > 0) return std::move(opened).error();
    }
    int state = SSH_AGAIN;
    while ((state = ssh_channel_request_exec(channel->get(), line.c_str())) == SSH_AGAIN)
        if (!wait(patience)) break;
    Result<CommandResult> result =
        state == SSH_OK ? converse(*channel, input, patience) : Result<CommandResult>(lost("lost: " + reason()));
    const bool broken = !result;
    if (broken) (void)ssh_channel_request_send_signal(channel->get(), "KILL");
    channel.reset();
    if (broken) close();
    return result;
}

Result<CommandResult> SshSession::converse(Channel& channel, const std::string& input, const Patience& patience) {
    CommandResult result;
    std::size_t written = 0;
    bool told_end = false;
    std::optional<Steady::time_point> exited;
    std::array<char, 32 * 1024> buffer{};
    const auto handle = channel.get();
    for (;;) {
        bool moved = false;
        for (const int is_errors : {0, 1}) {
            const int count = ssh_channel_read_nonblocking(handle, buffer.data(), buffer.size(), is_errors);
            if (count == SSH_ERROR) return lost("the connection was lost: " + reason());
            if (count <= 0) continue;
            moved = true;
            auto& to = is_errors != 0 ? result.errors : result.output;
            to.append(buffer.data(), static_cast<std::size_t>(count));
        }
        // Reading stops taking in messages at the end of the output, but the exit status may come after it.
        if (ssh_channel_is_eof(handle) != 0) (void)ssh_channel_get_exit_status(handle);
        constexpr auto most = limits::error_output_bytes_max;
        if (result.errors.size() > 2 * most) result.errors.erase(0, result.errors.size() - most);
        if (result.output.size() > limits::reply_bytes_max) {
            Error error{ErrorClass::invalid,
                        "the command wrote more than " + std::to_string(limits::reply_bytes_max >> 20U) + " MiB"};
            error.outcome_unknown = true;
            return error;
        }
        const auto window = std::min<std::size_t>(ssh_channel_window_size(handle), buffer.size());
        if (written < input.size() && window > 0 && ssh_channel_is_open(handle) != 0) {
            const auto size = static_cast<std::uint32_t>(std::min(window, input.size() - written));
            const int count = ssh_channel_write(handle, input.data() + written, size);
            if (count > 0) written += static_cast<std::size_t>(count);
            moved = moved || count > 0;
        }
        if (written == input.size() && !told_end && ssh_channel_is_open(handle) != 0)
            told_end = moved = ssh_channel_send_eof(handle) == SSH_OK;
        if (!moved && channel.exit_code()) {
            // Something it started may hold its output open for ever: that is not waited for.
            if (!exited) exited = Steady::now();
            const bool silent = ssh_channel_is_eof(handle) != 0 || ssh_channel_is_closed(handle) != 0;
            if (silent || Steady::now() - *exited > 1s) break;
        }
        if (!moved && !channel.exit_code() && (ssh_channel_is_closed(handle) != 0 || ssh_is_connected(session_) == 0))
            return lost("the connection was lost while the command ran");
        if (moved) continue;
        const bool ready = wait(exited ? patience.at_most(slice) : patience);
        if (!ready && (patience.hurry || Steady::now() >= patience.deadline)) return lost("the command took too long");
    }
    result.exit_code = *channel.exit_code();
    if (result.errors.size() > limits::error_output_bytes_max)
        result.errors.erase(0, result.errors.size() - limits::error_output_bytes_max);
    return result;
}

}  // namespace ocim::net
