#include "api/yaml.hpp"
#include "base/utf8.hpp"
#include "net/fetch.hpp"
#include "net/ssh.hpp"
#include "openedx/keepsakes.hpp"
#include "openedx/run.hpp"
#include "openedx/run_init.hpp"
#include "openedx/run_log.hpp"
#include "openedx/run_look.hpp"
#include "openedx/run_script.hpp"
#include "runtime/base64.hpp"

#include <charconv>

namespace ocim::openedx {
namespace {

constexpr auto folder_of_runs = "/var/lib/ocim/runs";
constexpr auto folder_of_cache = "/var/cache/ocim";
constexpr Duration call_limit{20'000};
constexpr Duration check_limit{5'000};

// Constant programs; everything that varies comes as arguments.
constexpr auto write_file = R"(umask 077; mkdir -p "$1" && cat >"$1/$2.tmp" && mv -f "$1/$2.tmp" "$1/$2")";
constexpr auto start_run = R"(folder=$1 cache=$2
shift 2
setsid -f sh "$folder/run.sh" "$folder" "$cache" "$init" "$@" </dev/null >/dev/null 2>&1)";
constexpr auto read_piece = R"(tail -c "+$2" "$1/log" | head -c "$3")";
constexpr auto read_drawn = R"(head -c 262144 "$1/generated")";
constexpr auto remove_run = R"sh([ -d "$1" ] || exit 0
flock -n "$1/lock" true || pkill -KILL -g "$(cat "$1/group")"
[ ! -s "$1/stop.sh" ] || sh "$1/stop.sh" "$1" </dev/null >/dev/null 2>&1
rm -rf "$1")sh";

/// Sets init to what tells this start of the machine from others, then goes on with `program`.
std::string with_init(std::string_view program) {
    return "init=$(\n" + std::string(init_program) + ")\n" + std::string(program);
}

/// One reader of the look script's words.
class LookReader {
public:
    explicit LookReader(std::string_view text) : rest_(text) {}

    Result<RunSnapshot> read() {
        RunSnapshot out;
        Run* run = nullptr;
        std::string word, value;
        bool alive = false, started = false;
        const auto close = [&] {
            if (run) run->state = state_of(*run, alive, started);
        };
        while (line(word, value)) {
            if (word == "run") {
                close();
                run = &out[value];
                alive = started = false;
            } else if (!run) {
                return Error{ErrorClass::transient, "the machine's list of runs begins with \"" + word + "\""};
            } else if (word == "tail") {
                auto tail = bytes(value);
                if (!tail) return std::move(tail).error();
                run->tail = valid_utf8(*tail);
            } else {
                note(*run, word, value);
                alive = alive || word == "alive";
                started = started || word == "started";
            }
        }
        close();
        return out;
    }

private:
    static Run::State state_of(const Run& run, bool alive, bool started) {
        if (run.exit_code) return Run::State::finished;
        if (alive) return Run::State::running;
        return started ? Run::State::lost : Run::State::prepared;
    }
    static void note(Run& run, const std::string& word, const std::string& value) {
        if (word == "mark") run.mark = runtime::Mark::parse(value);
        if (word == "commit") run.commit = value;
        if (word == "started") run.started_at = value;
        if (word == "finished") run.finished_at = value;
        if (word == "step") run.step = value;
        if (word == "gaveup") run.gave_up = value;
        if (word == "task") run.current_task = value;
        if (word == "failed") run.failed_task = value;
        if (word == "bytes") run.log_bytes = number(value);
        if (word == "asks") run.drawn.emplace();
        if (word == "lines") run.line_bytes = number(value);
        if (word == "verified") run.verified_at = value;
        if (word == "waited") {
            run.waited_seconds = number(value);
            run.unanswered.emplace();
        }
        if (run.unanswered) note_check(*run.unanswered, word, value);
        if (word == "exit") run.exit_code = static_cast<std::int32_t>(number(value));
    }
    static void note_check(RunCheck& check, const std::string& word, const std::string& value) {
        if (word == "check.port") check.port = static_cast<std::int32_t>(number(value));
        if (word == "check.path") check.path = value;
        if (word == "check.host") check.host = value;
        if (word == "check.expected") check.expected_status = value;
        if (word == "check.authorization") check.authorization = Secret(value);
    }
    static std::int64_t number(const std::string& text) {
        std::int64_t out = 0;
        std::from_chars(text.data(), text.data() + text.size(), out);
        return out;
    }
    bool line(std::string& word, std::string& value) {
        while (rest_.starts_with('\n')) rest_.remove_prefix(1);
        if (rest_.empty()) return false;
        const auto end = std::min(rest_.find('\n'), rest_.size());
        const auto text = rest_.substr(0, end);
        rest_.remove_prefix(std::min(end + 1, rest_.size()));
        const auto space = std::min(text.find(' '), text.size());
        word = text.substr(0, space);
        value = space < text.size() ? valid_utf8(text.substr(space + 1)) : "";
        return true;
    }
    Result<std::string> bytes(const std::string& length) {
        const auto count = static_cast<std::size_t>(number(length));
        if (count > rest_.size()) return Error{ErrorClass::transient, "the machine's list of runs was cut short"};
        std::string out(rest_.substr(0, count));
        rest_.remove_prefix(count);
        return out;
    }

    std::string_view rest_;
};

class RunHost final : public RunSystem {
public:
    RunHost(std::unique_ptr<net::SshHost> host, std::unique_ptr<net::Fetcher> fetcher, std::string address,
            bool as_root, const runtime::Services& services)
        : host_(std::move(host)),
          fetcher_(std::move(fetcher)),
          address_(std::move(address)),
          as_root_(as_root),
          clock_(services.clock),
          blocking_(services.blocking),
          data_directory_(services.data_directory) {}

    awaitable<Result<RunSnapshot>> observe() override {
        auto arguments = words({folder_of_runs});
        auto program = with_init(look_program);
        CO_TRY(const auto output, co_await script(std::move(program), std::move(arguments), ""));
        LookReader reader(output);
        auto runs = reader.read();
        if (!runs) co_return std::move(runs).error();
        auto add = [runs = *std::move(runs), directory = data_directory_]() mutable -> Result<RunSnapshot> {
            for (auto& [key, run] : runs)
                if (run.mark)
                    run.fetched_bytes = RunLog(log_folder(directory, run.mark->namespace_name, key)).position().fetched;
            return std::move(runs);
        };
        CO_TRY(auto found, co_await blocking_.call(std::move(add)));
        for (auto& [key, run] : found)
            if (run.unanswered) CO_CHECK(co_await check(key, run));
        for (auto& [key, run] : found)
            if (run.drawn) CO_CHECK(co_await read_names(key, run));
        co_return found;
    }

    awaitable<Result<void>> probe() override {
        auto command = words({"true"});
        CO_TRY(const auto result, co_await host_->run(std::move(command), "", call_limit));
        (void)result;
        co_return Result<void>{};
    }

    awaitable<void> act(std::vector<RunAction> actions, runtime::Results<std::string, Run>& results) override {
        for (std::size_t index = 0; index < actions.size(); ++index) {
            auto done = co_await perform(std::move(actions[index]));
            results.set(index, std::move(done));
        }
    }

private:
    using Done = runtime::Done<std::string, Run>;
    using Verb = RunAction::Verb;

    awaitable<Result<Done>> perform(RunAction action) {
        Done done;
        switch (action.verb) {
            case Verb::start: {
                CO_CHECK(co_await start(action));
                Run run;
                run.mark = action.mark;
                run.state = Run::State::running;
                done.now.emplace_back(action.key, std::move(run));
                break;
            }
            case Verb::keep:
            case Verb::go_on:
            case Verb::restore:
            case Verb::fetch_log: {
                const auto key = action.key;
                CO_CHECK(co_await advance(std::move(action)));
                CO_TRY(auto runs, co_await observe());
                if (auto found = runs.find(key); found != runs.end())
                    done.now.emplace_back(key, std::move(found->second));
                break;
            }
            case Verb::remove:
                CO_CHECK(co_await remove(action));
                done.now.emplace_back(action.key, std::nullopt);
                break;
        }
        co_return done;
    }

    awaitable<Result<void>> advance(RunAction action) {
        const auto folder = std::string(folder_of_runs) + "/" + action.key;
        switch (action.verb) {
            case Verb::keep: co_return co_await keep(std::move(action));
            case Verb::go_on: co_return co_await put_all(folder, std::move(action.inputs));
            case Verb::restore: co_return co_await restore(std::move(action));
            case Verb::fetch_log: co_return co_await fetch(std::move(action));
            case Verb::start:
            case Verb::remove: break;
        }
        co_return Result<void>{};
    }

    awaitable<Result<api::json::object>> drawn(std::string key) {
        auto arguments = words({std::string(folder_of_runs) + "/" + key});
        CO_TRY(const auto text, co_await script(read_drawn, std::move(arguments), ""));
        auto parsed = api::parse_yaml(text);
        // the reader's own words could quote a secret
        if (!parsed || !parsed->value.is_object())
            co_return Error{ErrorClass::transient, "the settings that run " + key + " drew are not a YAML mapping"};
        co_return std::move(parsed->value.get_object());
    }
    awaitable<Result<void>> read_names(std::string key, Run& run) {
        CO_TRY(const auto settings, co_await drawn(key));
        for (const auto& [name, value] : settings) run.drawn->emplace_back(name);
        co_return Result<void>{};
    }
    /// Hands over what was drawn to whoever keeps it.
    awaitable<Result<void>> keep(RunAction action) {
        CO_TRY(auto settings, co_await drawn(action.key));
        for (const auto& name : action.keeping->but) settings.erase(name);
        const auto& whose = action.mark.namespace_name;
        Keepsake keepsake{whose.substr(0, whose.find('/')), action.keeping->secret, action.keeping->key,
                          std::move(settings)};
        auto hand_over = [directory = data_directory_, key = action.key, keepsake = std::move(keepsake)] {
            return write_keepsake(directory, key, keepsake);
        };
        co_return co_await blocking_.call(std::move(hand_over));
    }
    awaitable<Result<void>> put_all(std::string folder, std::map<std::string, Secret> files) {
        for (const auto& [name, content] : files) {
            auto text = content.reveal();
            CO_CHECK(co_await put(folder, name, std::move(text)));
        }
        co_return Result<void>{};
    }

    /// Asks the machine's site, as a visitor would; an answer as it should be is written down beside the run.
    awaitable<Result<void>> check(std::string key, Run& run) {
        const auto& wanted = *run.unanswered;
        net::Fetch ask;
        const auto address = address_.find(':') == std::string::npos ? address_ : "[" + address_ + "]";
        ask.url = "http://" + (wanted.host.empty() ? address : wanted.host) + (wanted.path.empty() ? "/" : wanted.path);
        ask.connect_to = address + ":" + std::to_string(wanted.port);
        ask.timeout = check_limit;
        if (!wanted.authorization.reveal().empty())
            ask.headers.emplace("Authorization", Secret("Basic " + runtime::base64(wanted.authorization.reveal())));
        const auto answer = co_await fetcher_->fetch(std::move(ask));
        if (!answer) {
            run.answer = answer.error().message;
            co_return Result<void>{};
        }
        run.answer = "status " + std::to_string(answer->status);
        if (!wanted.path.empty() && !status_matches(wanted.expected_status, answer->status)) co_return Result<void>{};
        run.verified_at = rfc3339(clock_.wall());
        run.unanswered.reset();
        auto folder = std::string(folder_of_runs) + "/" + key;
        auto when = run.verified_at + "\n";
        co_return co_await put(std::move(folder), "verified", std::move(when));
    }

    awaitable<Result<void>> start(RunAction action) {
        const auto folder = std::string(folder_of_runs) + "/" + action.key;
        CO_CHECK(co_await put(folder, "mark", action.mark.text() + "\n"));
        CO_CHECK(co_await put_all(folder, std::move(action.inputs)));
        CO_CHECK(co_await put_check(folder, action));
        CO_CHECK(co_await put(folder, "provision.sh", action.program));
        if (!action.stop_program.empty()) CO_CHECK(co_await put(folder, "stop.sh", action.stop_program));
        CO_CHECK(co_await put(folder, "run.sh", script_program));
        auto arguments = words({folder, folder_of_cache, std::to_string(action.line_timeout_seconds),
                                std::to_string(action.total_timeout_seconds)});
        for (auto& argument : action.arguments) arguments.push_back(std::move(argument));
        auto program = with_init(start_run);
        CO_TRY(const auto output, co_await script(std::move(program), std::move(arguments), ""));
        (void)output;
        co_return Result<void>{};
    }

    awaitable<Result<void>> put_check(std::string folder, const RunAction& action) {
        if (!action.check) co_return Result<void>{};
        auto text = lines_of(*action.check);
        co_return co_await put(std::move(folder), "check", std::move(text));
    }

    static std::string lines_of(const RunCheck& check) {
        std::string out = "port " + std::to_string(check.port) + "\n";
        for (const auto& [word, value] : {std::pair{"path", check.path},
                                          {"host", check.host},
                                          {"expected", check.expected_status},
                                          {"authorization", check.authorization.reveal()}})
            if (!value.empty()) out += std::string(word) + " " + value + "\n";
        return out;
    }

    awaitable<Result<void>> restore(RunAction action) {
        const auto folder = std::string(folder_of_runs) + "/" + action.key;
        CO_CHECK(co_await put(folder, "mark", action.mark.text() + "\n"));
        // as of a start of the machine before this one: it need not reboot again to be asked
        CO_CHECK(co_await put(folder, "init", "restored\n"));
        CO_CHECK(co_await put_check(folder, action));
        for (const auto& [name, text] : action.files) CO_CHECK(co_await put(folder, name, text + "\n"));
        co_return Result<void>{};
    }

    /// One piece, up to its last line end, so that no secret is cut in two.
    awaitable<Result<void>> fetch(RunAction action) {
        const auto folder = std::string(folder_of_runs) + "/" + action.key;
        auto arguments = words({folder, std::to_string(action.fetched_bytes + 1), std::to_string(fetch_bytes_max)});
        CO_TRY(auto piece, co_await script(read_piece, std::move(arguments), ""));
        const bool last = action.to_the_end && static_cast<std::int64_t>(piece.size()) < fetch_bytes_max;
        if (const auto end = piece.rfind('\n'); end != std::string::npos && !last)
            piece.resize(end + 1);
        else if (!action.to_the_end && static_cast<std::int64_t>(piece.size()) < fetch_bytes_max)
            co_return Result<void>{};  // a line that is still being written
        const auto raw = static_cast<std::int64_t>(piece.size());
        auto append = [log = log_of(action), raw, began = action.fetched_bytes,
                       masked = mask(std::move(piece), action.masked)] { return log.append(began, raw, masked); };
        co_return co_await blocking_.call(std::move(append));
    }

    awaitable<Result<void>> remove(RunAction action) {
        auto arguments = words({std::string(folder_of_runs) + "/" + action.key});
        CO_TRY(const auto output, co_await script(remove_run, std::move(arguments), ""));
        (void)output;
        auto forget = [log = log_of(action)]() -> Result<void> {
            log.remove();
            return {};
        };
        co_return co_await blocking_.call(std::move(forget));
    }

    RunLog log_of(const RunAction& action) const {
        return RunLog(log_folder(data_directory_, action.mark.namespace_name, action.key));
    }

    awaitable<Result<void>> put(std::string folder, std::string name, std::string content) {
        auto arguments = words({std::move(folder), std::move(name)});
        CO_TRY(const auto output, co_await script(write_file, std::move(arguments), std::move(content)));
        (void)output;
        co_return Result<void>{};
    }

    /// Runs a constant program with arguments on the machine and returns what it printed.
    awaitable<Result<std::string>> script(std::string program, std::vector<std::string> arguments, std::string input) {
        std::vector<std::string> command;
        if (!as_root_) command = {"sudo", "-n"};
        for (const auto* word : {"sh", "-c"}) command.emplace_back(word);
        command.push_back(std::move(program));
        command.emplace_back("ocim");
        for (auto& argument : arguments) command.push_back(std::move(argument));
        CO_TRY(auto result, co_await host_->run(std::move(command), std::move(input), call_limit));
        if (result.exit_code != 0)
            co_return Error{ErrorClass::transient, "a command on the machine ended with exit code " +
                                                       std::to_string(result.exit_code) + ": " +
                                                       one_line(result.errors, 200)};
        co_return std::move(result.output);
    }
    static std::vector<std::string> words(std::initializer_list<std::string> list) { return list; }

    std::unique_ptr<net::SshHost> host_;
    std::unique_ptr<net::Fetcher> fetcher_;
    std::string address_;
    bool as_root_;
    Clock& clock_;
    BlockingPool& blocking_;
    std::string data_directory_;
};

}  // namespace

std::unique_ptr<RunSystem> open_run_host(const crd::VirtualMachine& machine, Secret private_key,
                                         const runtime::Services& services) {
    net::SshSettings settings;
    settings.host = machine.status.addresses.front();
    settings.user = machine.spec.ssh_user;
    settings.private_key = std::move(private_key);
    settings.host_key = *machine.status.ssh_host_key;
    return std::make_unique<RunHost>(net::make_ssh_host(services.loop, std::move(settings)),
                                     net::make_fetcher(services.loop, services.clock), machine.status.addresses.front(),
                                     machine.spec.ssh_user == "root", services);
}

}  // namespace ocim::openedx
