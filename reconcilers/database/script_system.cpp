#include "base/async.hpp"
#include "database/mysql_script.hpp"

#include <utility>

namespace ocim::database {

namespace {

/// A server's connections are the tenants'.
constexpr std::size_t running_max = 2;

using mysql::Connection;
using mysql::ScriptProgress;

/// What runs, and what came of it. Shared with the tasks, which may outlive the system for as long as they take to end.
struct Known {
    struct One {
        ScriptRun run;
        std::shared_ptr<ScriptProgress> progress;
        std::shared_ptr<Connection> connection;  // while it runs
    };
    std::map<std::string, One> runs;

    std::size_t running() const {
        std::size_t out = 0;
        for (const auto& [key, one] : runs) out += one.connection ? 1 : 0;
        return out;
    }
};

/// A free function: it owns what it uses.
awaitable<void> follow(std::shared_ptr<Known> known, std::shared_ptr<BlockingPool> pool, ScriptAction script,
                       std::shared_ptr<Connection> connection, std::shared_ptr<ScriptProgress> progress) {
    auto work = [script, connection, progress]() -> Result<ScriptRun> {
        return mysql::run_script(*connection, script, *progress);
    };
    auto ended = co_await pool->call(std::move(work));
    const auto found = known->runs.find(script.key);
    if (found == known->runs.end() || found->second.progress != progress) co_return;
    found->second.connection.reset();
    found->second.run =
        ended ? *std::move(ended)
              : ScriptRun{ScriptRun::State::interrupted, script.round, progress->done, ended.error().message};
}

class Runner final : public ScriptSystem {
public:
    Runner(mysql::ConnectionSettings settings, const runtime::Services& services)
        : settings_(std::move(settings)), services_(services) {}
    ~Runner() override {
        for (auto& [key, one] : known_->runs) stop(one);
    }

    awaitable<Result<ScriptRuns>> observe() override {
        ScriptRuns out;
        for (const auto& [key, one] : known_->runs) {
            auto run = one.run;
            if (one.connection) run.done = one.progress->done;
            out[key] = std::move(run);
        }
        co_return out;
    }

    awaitable<void> act(std::vector<ScriptAction> actions, runtime::Results<std::string, ScriptRun>& results) override {
        for (std::size_t i = 0; i < actions.size(); ++i) {
            const auto key = actions[i].key;
            if (actions[i].verb == ScriptAction::Verb::forget) {
                if (const auto found = known_->runs.find(key); found != known_->runs.end()) stop(found->second);
                known_->runs.erase(key);
                results.set(i, Done{{{key, std::nullopt}}});
                continue;
            }
            auto begun = co_await begin(std::move(actions[i]));
            if (begun)
                results.set(i, Done{{{key, known_->runs[key].run}}});
            else
                results.set(i, std::move(begun).error());
        }
    }

    /// Nobody's password is at hand to ask with: the tenants' kind watches the server.
    awaitable<Result<void>> probe() override { co_return Result<void>(); }

private:
    using Done = runtime::Done<std::string, ScriptRun>;

    static void stop(Known::One& one) {
        if (one.progress) one.progress->stop = true;
        if (one.connection) one.connection->interrupt();
    }

    awaitable<Result<void>> begin(ScriptAction script) {
        if (const auto found = known_->runs.find(script.key); found != known_->runs.end() && found->second.connection)
            co_return Result<void>();
        if (known_->running() >= running_max)
            co_return Error{ErrorClass::transient, "other scripts are running on this server"};
        auto settings = settings_;
        settings.username = script.username;
        settings.password = script.password;
        auto open = [settings = std::move(settings), script]() mutable -> Result<std::shared_ptr<Connection>> {
            // first with the usual patience: whoever does not answer is not waited for as long as a statement may take
            if (auto tried = Connection::open(settings); !tried) return std::move(tried).error();
            settings.reply_seconds = static_cast<unsigned>(script.timeout_seconds);
            auto made = Connection::open(settings);
            if (!made) return std::move(made).error();
            std::shared_ptr<Connection> connection = *std::move(made);
            if (auto begun = mysql::begin_script(*connection, script); !begun) return std::move(begun).error();
            return connection;
        };
        // threads of our own: others are not kept waiting
        if (!pool_) pool_ = std::make_shared<BlockingPool>(services_.loop, "scripts", running_max, 2 * running_max);
        auto opened = co_await pool_->call(std::move(open));
        if (!opened) co_return for_its_object(std::move(opened).error());
        auto progress = std::make_shared<ScriptProgress>();
        known_->runs[script.key] = {{ScriptRun::State::running, script.round, 0, ""}, progress, *opened};
        auto task = follow(known_, pool_, std::move(script), *std::move(opened), std::move(progress));
        services_.tasks->spawn("database script", std::move(task));
        co_return Result<void>();
    }

    /// A tenant's password that is refused says nothing of the server.
    Error for_its_object(Error error) const {
        if (error.error_class == ErrorClass::auth) error.error_class = ErrorClass::transient;
        error.outcome_unknown = false;
        return std::move(error).within(settings_.host + ":" + std::to_string(settings_.port));
    }

    mysql::ConnectionSettings settings_;
    runtime::Services services_;
    std::shared_ptr<Known> known_ = std::make_shared<Known>();
    std::shared_ptr<BlockingPool> pool_;
};

}  // namespace

std::unique_ptr<ScriptSystem> open_scripts(mysql::ConnectionSettings settings, const runtime::Services& services) {
    return std::make_unique<Runner>(std::move(settings), services);
}

}  // namespace ocim::database
