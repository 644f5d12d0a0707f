#pragma once

#include "base/async.hpp"
#include "base/limits.hpp"
#include "base/random.hpp"
#include "database/job.hpp"

#include <algorithm>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

/// The System of a database server, whatever its language: a few sessions, worked on threads of the blocking pool.
namespace ocim::database {

/// What a language brings: copied into the work of a thread, so it is values only.
///
///     using Connection = …;                          // one session; after an error of class unreachable it is dead
///     std::string place() const;                     // for messages
///     Result<std::unique_ptr<Connection>> connect(Patience) const;
///     Result<Snapshot> look(Connection&) const;      // the bulk read
///     Result<void> prepare(Connection&, std::vector<Job>&) const;  // what can be done for many; an error is
///                                                    // everybody's, but for invalid: then fewer are tried together
///     Result<Done> perform(Connection&, const Job&) const;
enum class Patience { usual, of_a_probe };

template <class Engine>
class EngineServer final : public Server {
    using Connection = typename Engine::Connection;
    /// A server has 100 or 151 connections by default and they are the tenants'.
    static constexpr std::size_t sessions_max = 2;
    /// An idle session is kept for a burst of work only: whether the server cut it off since shows at its next use.
    static constexpr Duration idle_max{10'000};
    /// Jobs between two returns to the loop, so that results show as they come.
    static constexpr std::size_t slice_max = 8;

public:
    EngineServer(Engine engine, const runtime::Services& services) : engine_(std::move(engine)), services_(services) {}

    awaitable<Result<Snapshot>> observe() override {
        Session session(*this);
        CO_CHECK(co_await take(session));
        auto work = [connection = session.connection, engine = engine_] { return engine.look(*connection); };
        co_return co_await call(session, std::move(work));
    }

    awaitable<void> act(std::vector<Action> actions, runtime::Results<Key, Thing>& results) override {
        auto jobs = queue(std::move(actions));
        Session session(*this);
        auto begun = co_await take(session);
        if (!begun && begun.error().error_class == ErrorClass::invalid)
            begun = Error{ErrorClass::transient, begun.error().message};  // of no object's spec
        if (begun) begun = co_await prepare(session, jobs);
        std::set<Key> failed;
        for (std::size_t next = 0; next < jobs.size();) {
            auto slice = take_slice(jobs, next, failed);
            std::vector<Job> tried = slice;
            Result<Outcomes> outcomes = begun ? Result<Outcomes>(Outcomes()) : Result<Outcomes>(begun.error());
            if (begun) outcomes = co_await perform(session, std::move(slice));
            for (std::size_t i = 0; i < tried.size(); ++i) {
                auto result = outcomes ? std::move((*outcomes)[i]) : Result<Done>(outcomes.error());
                if (!result) failed.insert(tried[i].action.key);
                if (!result && result.error().error_class == ErrorClass::unreachable)
                    begun = without_doubt(result.error());  // the session is gone; what was not begun has no effect
                results.set(tried[i].index, std::move(result));
            }
        }
    }

    awaitable<Result<void>> probe() override {
        auto work = [engine = engine_]() -> Result<void> {
            auto connection = engine.connect(Patience::of_a_probe);
            if (!connection) return std::move(connection).error();
            return {};
        };
        auto answer = co_await services_.blocking.call(std::move(work));
        co_return placed(std::move(answer));
    }

private:
    /// One of our few sessions, given back at the end unless it broke or was left in the middle of a call.
    struct Session {
        explicit Session(EngineServer& of) : owner(of) {}
        Session(const Session&) = delete;
        Session& operator=(const Session&) = delete;
        ~Session() {
            if (held) owner.give(usable ? std::move(connection) : nullptr);
        }
        EngineServer& owner;
        bool held = false, usable = false;
        std::shared_ptr<Connection> connection;  // shared with the thread that a cancelled caller may leave behind
    };

    awaitable<Result<void>> take(Session& session) {
        const auto deadline = services_.clock.now() + limits::external_call_max;
        while (busy_ >= sessions_max) {
            const bool in_time = co_await freed_.wait_until(services_.clock, deadline);
            if (!in_time) co_return Error{ErrorClass::transient, place() + ": our sessions there are all at work"};
        }
        ++busy_;
        session.held = true;
        std::erase_if(idle_, [&](const Idle& idle) { return services_.clock.now() - idle.since > idle_max; });
        if (!idle_.empty()) {
            session.connection = std::move(idle_.back().connection);
            idle_.pop_back();
            session.usable = true;
            co_return Result<void>();
        }
        auto work = [engine = engine_] { return engine.connect(Patience::usual); };
        auto opened = co_await services_.blocking.call(std::move(work));
        if (!opened) co_return placed(Result<void>(std::move(opened).error()));
        session.connection = *std::move(opened);
        session.usable = true;
        co_return Result<void>();
    }

    void give(std::shared_ptr<Connection> connection) {
        --busy_;
        if (connection) idle_.push_back({std::move(connection), services_.clock.now()});
        freed_.notify();
    }

    /// Runs `work`, which uses the session, on a thread.
    template <class F>
    auto call(Session& session, F work) -> awaitable<decltype(work())> {
        session.usable = false;  // until it has come back
        auto result = co_await services_.blocking.call(std::move(work));
        session.usable = result || result.error().error_class != ErrorClass::unreachable;
        co_return placed(std::move(result));
    }

    using Part = std::vector<std::size_t>;  // of the jobs

    /// What is refused for many is tried for half of the objects, and so on: nobody stands for what is another's fault.
    awaitable<Result<void>> prepare(Session& session, std::vector<Job>& jobs) {
        std::vector<Part> parts(1);
        for (std::size_t i = 0; i < jobs.size(); ++i) parts.front().push_back(i);
        while (!parts.empty()) {
            const auto part = std::move(parts.back());
            parts.pop_back();
            std::vector<Job> some;
            for (const auto i : part) some.push_back(jobs[i]);
            auto prepared = co_await prepare_together(session, std::move(some));
            if (!prepared && prepared.error().error_class != ErrorClass::invalid) co_return std::move(prepared).error();
            auto halves = prepared ? std::pair<Part, Part>() : halved(jobs, part);
            const bool alone = !prepared && halves.second.empty();
            for (std::size_t i = 0; i < part.size(); ++i) {
                if (prepared) jobs[part[i]] = std::move((*prepared)[i]);
                if (alone) jobs[part[i]].refused = prepared.error();
            }
            if (halves.second.empty()) continue;
            parts.push_back(std::move(halves.second));
            parts.push_back(std::move(halves.first));
        }
        co_return Result<void>();
    }

    awaitable<Result<std::vector<Job>>> prepare_together(Session& session, std::vector<Job> jobs) {
        auto work = [connection = session.connection, engine = engine_,
                     jobs = std::move(jobs)]() mutable -> Result<std::vector<Job>> {
            auto done = engine.prepare(*connection, jobs);
            if (!done) return std::move(done).error();
            return std::move(jobs);
        };
        co_return co_await call(session, std::move(work));
    }

    /// Each object's jobs stay together; the second half is empty when they are one object's.
    static std::pair<Part, Part> halved(const std::vector<Job>& jobs, const Part& part) {
        std::set<std::string> owners, first;
        for (const auto i : part) owners.insert(jobs[i].action.mark.namespace_name);
        for (const auto& owner : owners)
            if (first.size() < (owners.size() + 1) / 2) first.insert(owner);
        std::pair<Part, Part> out;
        for (const auto i : part)
            (first.contains(jobs[i].action.mark.namespace_name) ? out.first : out.second).push_back(i);
        return out;
    }

    using Outcomes = std::vector<Result<Done>>;
    /// The result of each; after the session broke, the same error for all that were not begun.
    awaitable<Result<Outcomes>> perform(Session& session, std::vector<Job> jobs) {
        auto work = [connection = session.connection, engine = engine_, jobs = std::move(jobs)]() -> Result<Outcomes> {
            Outcomes out;
            for (const auto& job : jobs) {
                const bool broken =
                    !out.empty() && !out.back() && out.back().error().error_class == ErrorClass::unreachable;
                auto done = broken ? Result<Done>(without_doubt(out.back().error())) : engine.perform(*connection, job);
                if (!done && !broken) done = std::move(done).error().within(engine.place());
                out.push_back(std::move(done));
            }
            return out;
        };
        auto outcomes = co_await call(session, std::move(work));
        if (outcomes && !outcomes->back() && outcomes->back().error().error_class == ErrorClass::unreachable)
            session.usable = false;
        co_return outcomes;
    }

    /// The next jobs of one rank, so that what stands on them is known to have failed before it is tried.
    static std::vector<Job> take_slice(std::vector<Job>& jobs, std::size_t& next, const std::set<Key>& failed) {
        std::vector<Job> out;
        const auto now = rank(jobs[next].action.verb);
        while (next < jobs.size() && out.size() < slice_max && rank(jobs[next].action.verb) == now) {
            auto& job = out.emplace_back(std::move(jobs[next++]));
            for (const auto& key : grounds(job.action))
                if (failed.contains(key) && !job.refused)
                    job.refused = Error{ErrorClass::conflict, thing_name(key) + " was not made"};
        }
        return out;
    }

    std::vector<Job> queue(std::vector<Action> actions) {
        std::vector<Job> jobs;
        for (std::size_t i = 0; i < actions.size(); ++i) {
            auto& job = jobs.emplace_back();
            job.index = i;
            job.action = std::move(actions[i]);
            if (!job.action.password.empty()) job.salt = services_.random.text(20, alphanumerics);
            if (job.action.second) job.second_salt = services_.random.text(20, alphanumerics);
        }
        std::ranges::sort(jobs, {}, [](const Job& job) { return std::pair(rank(job.action.verb), job.index); });
        return jobs;
    }

    static Error without_doubt(Error error) {
        error.outcome_unknown = false;
        return error;
    }
    std::string place() const { return engine_.place(); }
    template <class T>
    Result<T> placed(Result<T> result) const {
        if (result) return result;
        return std::move(result).error().within(place());
    }

    struct Idle {
        std::shared_ptr<Connection> connection;
        Instant since;
    };
    Engine engine_;
    runtime::Services services_;
    std::vector<Idle> idle_;
    std::size_t busy_ = 0;
    Signal freed_;
};

}  // namespace ocim::database
