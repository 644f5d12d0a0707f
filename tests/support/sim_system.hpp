#pragma once

#include "runtime/kinds.hpp"

#include <algorithm>
#include <functional>
#include <map>
#include <string>
#include <vector>

namespace ocim::test {

/// How often, in a thousand calls or actions, each fault happens.
struct Faults {
    unsigned fails_before = 0;  ///< transient, no effect
    unsigned lost_reply = 0;    ///< the effect, but no answer
    unsigned late_landing = 0;  ///< no answer, and the effect comes later, up to `landing_max`
    unsigned stalls = 0;        ///< never answers; the effect may have been
    unsigned truncated = 0;     ///< a bulk read ends early: an error, whatever had come
    unsigned rate_limited = 0;
    unsigned auth_refused = 0;
    unsigned unreachable = 0;
    Duration landing_max{8'000};
};

/// A backend as it is: outlives the programs that talk to it. Single-threaded; time is the loop's of now.
template <class Key, class Thing>
class SimWorld {
public:
    using Map = std::map<Key, Thing>;
    using Effect = std::function<void(Map&)>;

    std::map<std::string, int> calls;  ///< observe, act, probe, action
    Faults faults;
    std::function<bool()> out_of_reach;  ///< besides `down`
    /// Asked where a call meets the outside: true when whoever calls is dead, as of now or already.
    std::function<bool()> dies;
    bool down = false, refuses_us = false, hangs = false, garbage = false;
    std::string password;  ///< what it accepts

    /// What is there at `now`.
    Map& things(Instant now) {
        now_ = std::max(now_, now);
        for (auto it = landing_.begin(); it != landing_.end() && it->first <= now; it = landing_.erase(it))
            it->second(things_);
        return things_;
    }
    Instant now() const { return now_; }
    void land_later(Instant when, Effect effect) { landing_.emplace(when, std::move(effect)); }
    /// What an effect sets off there by itself, counted from the effect.
    void later(Duration delay, Effect effect) { land_later(now_ + delay, std::move(effect)); }
    std::size_t landing() const { return landing_.size(); }
    /// It was a part of the program, and died with it.
    void perish() {
        things_.clear();
        landing_.clear();
    }

    /// Something that nobody may touch from now on, if nothing is there yet.
    void plant(Instant now, const Key& key, Thing thing) {
        if (things(now).emplace(key, thing).second) planted_.emplace(key, std::move(thing));
    }
    const Map& planted() const { return planted_; }
    /// What was planted and is not as it was.
    std::vector<Key> touched(Instant now) {
        std::vector<Key> out;
        const auto& all = things(now);
        for (const auto& [key, thing] : planted_)
            if (const auto found = all.find(key); found == all.end() || !(found->second == thing)) out.push_back(key);
        return out;
    }

private:
    Instant now_{};
    Map things_, planted_;
    std::multimap<Instant, Effect> landing_;
};

/// A System over a SimWorld. `effect` is what an action does, or why the backend refuses it; keys are what it touches.
template <class Key, class Thing, class Action>
class SimSystem final : public runtime::System<Key, Thing, Action> {
public:
    using World = SimWorld<Key, Thing>;
    struct Rules {
        std::function<Result<void>(typename World::Map&, const Action&)> effect;
        /// What an action may have touched, looked at after it.
        std::function<std::vector<Key>(const Action&)> keys;
    };
    SimSystem(World& world, Rules rules, Clock& clock, Random& random, std::string password = {})
        : world_(world), rules_(std::move(rules)), clock_(clock), random_(random), password_(std::move(password)) {}

    awaitable<Result<std::map<Key, Thing>>> observe() override {
        ++world_.calls["observe"];
        co_await travel();
        auto seen = world_.things(clock_.now());  // what is there when the question arrives
        co_await unless_dead();
        co_await travel();
        CO_CHECK(co_await trouble());
        if (happens(world_.faults.truncated)) co_return Error{ErrorClass::transient, "its answer ends early"};
        co_return seen;
    }
    awaitable<void> act(std::vector<Action> actions, runtime::Results<Key, Thing>& results) override {
        ++world_.calls["act"];
        co_await travel();
        const auto refused = co_await trouble();
        for (std::size_t i = 0; i < actions.size(); ++i) {
            ++world_.calls["action"];
            if (!refused) {
                results.set(i, refused.error());
                continue;
            }
            auto result = co_await one(actions[i]);
            results.set(i, std::move(result));
        }
    }
    awaitable<Result<void>> probe() override {
        ++world_.calls["probe"];
        co_await travel();
        co_await unless_dead();
        co_return co_await trouble();
    }

private:
    using Done = runtime::Done<Key, Thing>;

    bool happens(unsigned in_a_thousand) { return in_a_thousand > 0 && random_.below(1'000) < in_a_thousand; }
    awaitable<void> travel() {
        const Duration time(1 + static_cast<Duration::rep>(random_.below(5)));
        co_await clock_.sleep(time);
    }
    /// Nothing goes on in a dead program.
    awaitable<void> unless_dead() {
        if (world_.dies && world_.dies()) co_await clock_.sleep(std::chrono::hours(100));
    }
    awaitable<Result<void>> trouble() {
        const auto& faults = world_.faults;
        if (world_.hangs || happens(faults.stalls / 4)) co_await clock_.sleep(std::chrono::hours(1));
        if (world_.down || (world_.out_of_reach && world_.out_of_reach()) || happens(faults.unreachable))
            co_return Error{ErrorClass::unreachable, "connection refused"};
        if (world_.refuses_us || password_ != world_.password || happens(faults.auth_refused))
            co_return Error{ErrorClass::auth, "it refuses our credentials"};
        if (world_.garbage) co_return Error{ErrorClass::transient, "its answer cannot be read"};
        if (happens(faults.rate_limited)) {
            Error error{ErrorClass::rate_limited, "too many requests"};
            error.retry_after = Duration(2'000);
            co_return error;
        }
        if (happens(faults.fails_before)) co_return Error{ErrorClass::transient, "internal server error"};
        co_return Result<void>();
    }
    awaitable<Result<Done>> one(Action action) {
        const auto& faults = world_.faults;
        if (happens(faults.fails_before)) co_return Error{ErrorClass::transient, "try again"};
        Error unknown{ErrorClass::transient, "the connection was closed before an answer came"};
        unknown.outcome_unknown = true;
        auto effect = rules_.effect;
        co_await unless_dead();
        if (happens(faults.late_landing)) {
            const Duration delay(
                static_cast<Duration::rep>(random_.below(static_cast<std::uint64_t>(faults.landing_max.count()))));
            world_.land_later(clock_.now() + delay, [effect, action](typename World::Map& things) {
                (void)effect(things, action);  // refused or not: nobody listens any more
            });
            co_return unknown;
        }
        auto done_there = effect(world_.things(clock_.now()), action);
        co_await unless_dead();
        if (!done_there) co_return std::move(done_there).error();
        if (happens(faults.stalls)) co_await clock_.sleep(std::chrono::hours(1));
        if (happens(faults.lost_reply)) co_return unknown;
        const auto& things = world_.things(clock_.now());
        Done done;
        for (const auto& key : rules_.keys(action)) {
            const auto found = things.find(key);
            done.now.emplace_back(key, found == things.end() ? std::nullopt : std::optional(found->second));
        }
        co_return done;
    }

    World& world_;
    Rules rules_;
    Clock& clock_;
    Random& random_;
    std::string password_;
};

}  // namespace ocim::test
