#include "net/ssh.hpp"

#include "base/async.hpp"
#include "base/utf8.hpp"
#include "net/ssh_session.hpp"
#include "net/when_cancelled.hpp"

#include <algorithm>
#include <array>
#include <charconv>

namespace ocim::net {

namespace {

using std::chrono_literals::operator""s;

/// How many calls may wait for their turn on one host.
constexpr std::size_t calls_waiting_max = 64;

/// The far end kills the command by itself soon after we stop waiting: a connection that is cut ends nothing there,
/// and what "may still have its effect" must end some time.
Result<std::string> shell_line(const std::vector<std::string>& command, Duration limit) {
    const auto seconds = std::chrono::ceil<std::chrono::seconds>(limit + 2s).count();
    std::string line = "exec timeout -s KILL " + std::to_string(seconds);
    if (command.empty()) return Error{ErrorClass::invalid, "there is no command"};
    for (const auto& word : command) {
        auto quoted = shell_word(word);
        if (!quoted) return std::move(quoted).error();
        line += " " + *quoted;
    }
    return line;
}

/// "git-upload-pack '/fleet.git'"
Result<std::string> known_command_line(const std::vector<std::string>& command) {
    const auto plain = [](char c) { return (c >= 'a' && c <= 'z') || c == '-'; };
    if (command.empty() || command[0].empty() || !std::ranges::all_of(command[0], plain))
        return Error{ErrorClass::invalid, "not a command's name"};
    auto line = command[0];
    for (std::size_t i = 1; i < command.size(); ++i) {
        auto quoted = shell_word(command[i]);
        if (!quoted) return std::move(quoted).error();
        line += " " + *quoted;
    }
    return line;
}

/// A script for the far end's sh: $1 the path, $2 the mode, $3 the size. What came short is not put in place.
constexpr const char* put_script = R"sh(set -eu
umask 077
if [ -d "$1" ]; then echo "is a directory" >&2; exit 73; fi
t=$(mktemp "$1.XXXXXX")
trap 'rm -f "$t"' EXIT
cat >"$t"
if [ "$(wc -c <"$t")" -ne "$3" ]; then echo "came short" >&2; exit 74; fi
chmod "$2" "$t"
sync "$t" 2>/dev/null || :
mv -f "$t" "$1"
trap - EXIT
)sh";

Result<void> check(const SshSettings& settings) {
    const auto plain = [](const std::string& text) {
        return !text.empty() && text.front() != '-' && std::ranges::all_of(text, [](char c) {
            return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '.' || c == '-' ||
                   c == '_' || c == ':';
        });
    };
    if (!plain(settings.host)) return Error{ErrorClass::invalid, "not a host name or an address"};
    if (!plain(settings.user)) return Error{ErrorClass::invalid, "not a user name"};
    return {};
}

class Host final : public SshHost {
public:
    Host(boost::asio::any_io_executor loop, SshSettings settings)
        : settings_(std::move(settings)),
          place_(settings_.host + ":" + std::to_string(settings_.port)),
          session_(settings_),
          pool_(std::move(loop), "ssh", 1, calls_waiting_max) {}
    ~Host() override {
        closing_ = true;
        for (const auto& weak : calls_)
            if (const auto call = weak.lock()) call->hurry = true;
    }
    Host(const Host&) = delete;
    Host& operator=(const Host&) = delete;

    awaitable<Result<CommandResult>> run(std::vector<std::string> command, std::string input, Duration limit) override {
        auto line = settings_.commands_only ? known_command_line(command) : shell_line(command, limit);
        if (!line) co_return std::move(line).error().within(place_);
        auto result = co_await execute(*std::move(line), std::move(input), limit);
        if (!result) co_return std::move(result).error().within(place_);
        co_return result;
    }

    awaitable<Result<void>> put(std::string path, std::string content, unsigned mode, Duration limit) override {
        if (path.empty() || path.front() != '/')
            co_return Error(Error{ErrorClass::invalid, place_ + ": a file's path must be absolute"});
        std::array<char, 8> octal{};
        const auto end = std::to_chars(octal.data(), octal.data() + octal.size(), mode & 07777U, 8).ptr;
        std::vector<std::string> command{
            "sh", "-c", put_script, "put", path, std::string(octal.data(), end), std::to_string(content.size())};
        auto result = co_await run(std::move(command), std::move(content), limit);
        if (!result) co_return std::move(result).error();
        if (result->exit_code == 0) co_return Result<void>();
        const auto why = one_line(result->errors, 300);
        co_return Error(Error{ErrorClass::transient, place_ + ": cannot write " + path + ": " + why});
    }

    std::string host_key() const override { return host_key_; }

private:
    /// What the thread and the coroutine share.
    struct Call {
        std::string line, input;
        std::chrono::steady_clock::time_point deadline;
        std::atomic<bool> hurry = false;
        std::string host_key;
    };

    awaitable<Result<CommandResult>> execute(std::string line, std::string input, Duration limit) {
        CO_CHECK(check(settings_));
        const auto call = std::make_shared<Call>();
        call->line = std::move(line);
        call->input = std::move(input);
        call->deadline = std::chrono::steady_clock::now() + limit;
        calls_.push_back(call);
        std::erase_if(calls_, [](const auto& weak) { return weak.expired(); });
        std::function<void()> tell = [call] { call->hurry = true; };
        co_await when_cancelled(std::move(tell));
        auto work = [this, call]() -> Result<CommandResult> {
            if (call->hurry || closing_ || std::chrono::steady_clock::now() > call->deadline)
                return Error{ErrorClass::transient, "the calls before this one took all of its time"};
            const Patience patience{call->deadline, call->hurry};
            auto result = session_.execute(call->line, call->input, patience);
            call->host_key = session_.host_key();
            return result;
        };
        auto result = co_await pool_.call(std::move(work));
        if (!call->host_key.empty()) host_key_ = call->host_key;
        co_return result;
    }

    SshSettings settings_;
    std::string place_;
    std::string host_key_;
    std::atomic<bool> closing_ = false;
    std::vector<std::weak_ptr<Call>> calls_;
    SshSession session_;  // used on the pool's thread only, and after it has ended
    BlockingPool pool_;   // last: its thread ends before what it uses
};

}  // namespace

std::unique_ptr<SshHost> make_ssh_host(boost::asio::any_io_executor loop, SshSettings settings) {
    return std::make_unique<Host>(std::move(loop), std::move(settings));
}

}  // namespace ocim::net
