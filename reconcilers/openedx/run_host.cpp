#include "api/yaml.hpp"
#include "base/utf8.hpp"
#include "net/fetch.hpp"
#include "net/ssh.hpp"
#include "openedx/keepsakes.hpp"
#include "openedx/run.hpp"
#include "openedx/run_init.hpp"
#include "openedx/run_log.hpp"
#include "openedx/run_look.hpp"
#include "openedx/run_place.hpp"
#include "openedx/run_reader.hpp"
#include "openedx/run_script.hpp"
#include "runtime/base64.hpp"

namespace ocim::openedx {
namespace {

constexpr Duration call_limit{20'000};
constexpr Duration check_limit{5'000};

// Constant programs; everything that varies comes as arguments.
constexpr auto write_file = R"(umask 077; mkdir -p "$1" && cat >"$1/$2.tmp" && mv -f "$1/$2.tmp" "$1/$2")";
constexpr auto start_run = R"(folder=$2 cache=$3
shift 3
setsid -f sh "$folder/run.sh" "$folder" "$cache" "$init" "$@" </dev/null >/dev/null 2>&1)";
constexpr auto read_piece = R"(tail -c "+$2" "$1/log" | head -c "$3")";
constexpr auto read_drawn = R"(head -c 262144 "$1/generated")";
constexpr auto remove_run = R"sh([ -d "$1" ] || exit 0
flock -n "$1/lock" true || pkill -KILL -g "$(cat "$1/group")"
[ ! -s "$1/stop.sh" ] || sh "$1/stop.sh" "$1" </dev/null >/dev/null 2>&1
rm -rf "$1")sh";

// A key for one run from the controller's host: it opens this run's machine only.
constexpr auto make_key = R"sh(umask 077; cd "$1" || exit
[ -s key.pub ] || { rm -f key; ssh-keygen -q -t ed25519 -N "" -C "$2" -f key; } && cat key.pub)sh";
constexpr auto admit_key = R"sh(home=$(getent passwd "$1" | cut -d : -f 6); file=$home/.ssh/authorized_keys
grep -qxF "$2" "$file" 2>/dev/null && exit 0
umask 077; mkdir -p "$home/.ssh" && printf '%s\n' "$2" >>"$file" && chown "$1" "$home/.ssh" "$file")sh";
constexpr auto forget_key = R"sh(file=$(getent passwd "$1" | cut -d : -f 6)/.ssh/authorized_keys
[ ! -e "$file" ] || sed -i "/ $2\$/d" "$file")sh";

/// How a run from the controller's host gets to the machine.
struct Address {
    std::string host, user, host_key;
};

class RunHost final : public RunSystem {
public:
    RunHost(std::unique_ptr<net::SshHost> host, std::unique_ptr<net::Fetcher> fetcher, Address address,
            std::unique_ptr<RunPlace> controller, const runtime::Services& services)
        : host_(std::move(host)),
          fetcher_(std::move(fetcher)),
          address_(std::move(address)),
          machine_(make_machine_place(*host_, address_.user == "root")),
          controller_(std::move(controller)),
          clock_(services.clock),
          blocking_(services.blocking),
          data_directory_(services.data_directory) {}

    awaitable<Result<RunSnapshot>> observe() override {
        CO_TRY(auto runs, co_await look(*machine_, init_program, ""));
        auto used = [this] { return controller_->used(); };
        CO_TRY(const bool controller, co_await blocking_.call(std::move(used)));
        if (controller) {
            CO_TRY(auto init, co_await machine_->run(init_program, Words(), ""));
            CO_TRY(auto more, co_await look(*controller_, "printf %s \"$2\"", std::move(init)));
            for (auto& [key, run] : more) {
                run.on_controller = true;
                runs.insert_or_assign(key, std::move(run));
            }
        }
        auto add = [runs = std::move(runs), directory = data_directory_]() mutable -> Result<RunSnapshot> {
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
    using Words = std::vector<std::string>;

    /// The folder of one run.
    struct Spot {
        RunPlace& place;
        std::string folder;
    };
    Spot spot(bool on_controller, const std::string& key) const {
        auto& place = on_controller ? *controller_ : *machine_;
        return {place, place.runs + "/" + key};
    }
    Spot spot(const RunAction& action) const { return spot(action.on_controller, action.key); }

    /// `init` prints what tells this start of the machine from others; it sees `told` as its second argument.
    static std::string with_init(std::string_view init, std::string_view program) {
        return "init=$(\n" + std::string(init) + ")\n" + std::string(program);
    }
    static awaitable<Result<RunSnapshot>> look(RunPlace& place, std::string init, std::string told) {
        auto arguments = words({place.runs, std::move(told)});
        auto program = with_init(init, look_program);
        CO_TRY(const auto output, co_await place.run(std::move(program), std::move(arguments), ""));
        co_return read_runs(output);
    }

    awaitable<Result<Done>> perform(RunAction action) {
        Done done;
        switch (action.verb) {
            case Verb::start: {
                CO_CHECK(co_await start(action));
                Run run;
                run.mark = action.mark;
                run.state = Run::State::running;
                run.on_controller = action.on_controller;
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
        const auto where = spot(action);
        switch (action.verb) {
            case Verb::keep: co_return co_await keep(std::move(action));
            case Verb::go_on: co_return co_await put_all(where, std::move(action.inputs));
            case Verb::restore: co_return co_await restore(std::move(action));
            case Verb::fetch_log: co_return co_await fetch(std::move(action));
            case Verb::start:
            case Verb::remove: break;
        }
        co_return Result<void>{};
    }

    awaitable<Result<api::json::object>> drawn(bool on_controller, std::string key) {
        const auto where = spot(on_controller, key);
        auto arguments = words({where.folder});
        CO_TRY(const auto text, co_await where.place.run(read_drawn, std::move(arguments), ""));
        auto parsed = api::parse_yaml(text);
        // the reader's own words could quote a secret
        if (!parsed || !parsed->value.is_object())
            co_return Error{ErrorClass::transient, "the settings that run " + key + " drew are not a YAML mapping"};
        co_return std::move(parsed->value.get_object());
    }
    awaitable<Result<void>> read_names(std::string key, Run& run) {
        CO_TRY(const auto settings, co_await drawn(run.on_controller, key));
        for (const auto& [name, value] : settings) run.drawn->emplace_back(name);
        co_return Result<void>{};
    }
    /// Hands over what was drawn to whoever keeps it.
    awaitable<Result<void>> keep(RunAction action) {
        CO_TRY(auto settings, co_await drawn(action.on_controller, action.key));
        for (const auto& name : action.keeping->but) settings.erase(name);
        const auto& whose = action.mark.namespace_name;
        Keepsake keepsake{whose.substr(0, whose.find('/')), action.keeping->secret, action.keeping->key,
                          std::move(settings)};
        auto hand_over = [directory = data_directory_, key = action.key, keepsake = std::move(keepsake)] {
            return write_keepsake(directory, key, keepsake);
        };
        co_return co_await blocking_.call(std::move(hand_over));
    }
    static awaitable<Result<void>> put_all(Spot where, std::map<std::string, Secret> files) {
        for (const auto& [name, content] : files) {
            auto text = content.reveal();
            CO_CHECK(co_await put(where, name, std::move(text)));
        }
        co_return Result<void>{};
    }

    /// Asks the machine's site, as a visitor would; an answer as it should be is written down beside the run.
    awaitable<Result<void>> check(std::string key, Run& run) {
        const auto& wanted = *run.unanswered;
        net::Fetch ask;
        const auto address = address_.host.find(':') == std::string::npos ? address_.host : "[" + address_.host + "]";
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
        auto where = spot(run.on_controller, key);
        auto when = run.verified_at + "\n";
        co_return co_await put(std::move(where), "verified", std::move(when));
    }

    awaitable<Result<void>> start(RunAction action) {
        const auto where = spot(action);
        CO_CHECK(co_await put(where, "mark", action.mark.text() + "\n"));
        CO_CHECK(co_await put_all(where, std::move(action.inputs)));
        CO_CHECK(co_await put_check(where, action));
        CO_CHECK(co_await put(where, "provision.sh", action.program));
        if (!action.stop_program.empty()) CO_CHECK(co_await put(where, "stop.sh", action.stop_program));
        CO_CHECK(co_await put(where, "run.sh", script_program));
        std::string init(init_program), told;
        if (action.on_controller) {
            CO_CHECK(co_await open_machine(where, action.key));
            CO_TRY(told, co_await machine_->run(init_program, Words(), ""));
            init = "printf %s \"$1\"";
        }
        auto arguments = words({told, where.folder, where.place.cache, std::to_string(action.line_timeout_seconds),
                                std::to_string(action.total_timeout_seconds)});
        for (auto& argument : action.arguments) arguments.push_back(std::move(argument));
        auto program = with_init(init, start_run);
        CO_TRY(const auto output, co_await where.place.run(std::move(program), std::move(arguments), ""));
        (void)output;
        co_return Result<void>{};
    }

    static std::string key_name(const std::string& run) { return "ocim-run-" + run; }

    /// Lets the run at `where` log in to the machine, whose own key is the only one that it accepts.
    awaitable<Result<void>> open_machine(Spot where, std::string run) {
        auto arguments = words({where.folder, key_name(run)});
        CO_TRY(auto key, co_await where.place.run(make_key, std::move(arguments), ""));
        while (key.ends_with('\n')) key.pop_back();
        arguments = words({address_.user, std::move(key)});
        CO_TRY(const auto output, co_await machine_->run(admit_key, std::move(arguments), ""));
        (void)output;
        api::json::object machine{{"ansible_host", address_.host},
                                  {"ansible_user", address_.user},
                                  {"ansible_become", address_.user != "root"},
                                  {"ansible_ssh_private_key_file", where.folder + "/key"}};
        api::json::object hosts{{address_.host, std::move(machine)}};
        api::json::object group{{"hosts", std::move(hosts)}}, inventory{{"app", std::move(group)}};
        auto text = api::to_text(inventory);
        CO_CHECK(co_await put(where, "known_hosts", address_.host + " " + address_.host_key + "\n"));
        co_return co_await put(std::move(where), "inventory.json", std::move(text));
    }

    static awaitable<Result<void>> put_check(Spot where, const RunAction& action) {
        if (!action.check) co_return Result<void>{};
        auto text = lines_of(*action.check);
        co_return co_await put(std::move(where), "check", std::move(text));
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
        const auto where = spot(action);
        CO_CHECK(co_await put(where, "mark", action.mark.text() + "\n"));
        // as of a start of the machine before this one: it need not reboot again to be asked
        CO_CHECK(co_await put(where, "init", "restored\n"));
        CO_CHECK(co_await put_check(where, action));
        for (const auto& [name, text] : action.files) CO_CHECK(co_await put(where, name, text + "\n"));
        co_return Result<void>{};
    }

    /// One piece, up to its last line end, so that no secret is cut in two.
    awaitable<Result<void>> fetch(RunAction action) {
        const auto where = spot(action);
        auto arguments =
            words({where.folder, std::to_string(action.fetched_bytes + 1), std::to_string(fetch_bytes_max)});
        CO_TRY(auto piece, co_await where.place.run(read_piece, std::move(arguments), ""));
        const bool last = action.to_the_end && static_cast<std::int64_t>(piece.size()) < fetch_bytes_max;
        if (const auto end = piece.rfind('\n'); end != std::string::npos && !last)
            piece.resize(end + 1);
        else if (!action.to_the_end && static_cast<std::int64_t>(piece.size()) < fetch_bytes_max)
            co_return Result<void>{};  // a line that is still being written
        const auto raw = static_cast<std::int64_t>(piece.size());
        auto append = [log = log_of(action), raw, began = action.fetched_bytes, now = clock_.wall(),
                       masked = mask(std::move(piece), action.masked)] { return log.append(began, raw, masked, now); };
        co_return co_await blocking_.call(std::move(append));
    }

    awaitable<Result<void>> remove(RunAction action) {
        const auto where = spot(action);
        auto arguments = words({where.folder});
        CO_TRY(const auto output, co_await where.place.run(remove_run, std::move(arguments), ""));
        (void)output;
        if (action.on_controller) {
            arguments = words({address_.user, key_name(action.key)});
            CO_TRY(const auto forgotten, co_await machine_->run(forget_key, std::move(arguments), ""));
            (void)forgotten;
        }
        auto forget = [log = log_of(action)]() -> Result<void> {
            log.remove();
            return {};
        };
        co_return co_await blocking_.call(std::move(forget));
    }

    RunLog log_of(const RunAction& action) const {
        return RunLog(log_folder(data_directory_, action.mark.namespace_name, action.key));
    }

    static awaitable<Result<void>> put(Spot where, std::string name, std::string content) {
        auto arguments = words({std::move(where.folder), std::move(name)});
        CO_TRY(const auto output, co_await where.place.run(write_file, std::move(arguments), std::move(content)));
        (void)output;
        co_return Result<void>{};
    }

    static std::vector<std::string> words(std::initializer_list<std::string> list) { return list; }

    std::unique_ptr<net::SshHost> host_;
    std::unique_ptr<net::Fetcher> fetcher_;
    Address address_;
    std::unique_ptr<RunPlace> machine_, controller_;
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
    Address address{settings.host, settings.user, settings.host_key};
    auto controller = make_controller_place(services.blocking, services.data_directory, machine.metadata.namespace_,
                                            machine.metadata.uid);
    return std::make_unique<RunHost>(net::make_ssh_host(services.loop, std::move(settings)),
                                     net::make_fetcher(services.loop, services.clock), std::move(address),
                                     std::move(controller), services);
}

}  // namespace ocim::openedx
