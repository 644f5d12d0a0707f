#include "storage/provider.hpp"

#include "base/async.hpp"
#include "base/join.hpp"
#include "storage/rounds.hpp"

#include <algorithm>
#include <utility>

namespace ocim::storage {

namespace {

constexpr std::size_t again_max = 20;  // containers a look that are asked for only because it is their turn
constexpr std::size_t unseen_max =
    10;  // containers a look that cannot be looked at; with more it is the account's trouble
constexpr Duration turn_max{60'000};  // the rest of a batch comes in the next: one is cut off after 90 s

class ProviderStore final : public Store {
public:
    ProviderStore(std::unique_ptr<Provider> provider, const runtime::Services& services, std::size_t in_flight)
        : provider_(std::move(provider)), loop_(services.loop), clock_(services.clock), in_flight_(in_flight) {}

    awaitable<Result<Snapshot>> observe() override {
        CO_TRY(const auto listed, co_await provider_->list());
        Round round{.names = rounds_.due(listed)};
        const auto lanes = std::min(in_flight_, round.names.size());
        TaskGroup group(loop_);
        for (std::size_t lane = 0; lane < lanes; ++lane) group.spawn("a look at containers", look_on(round));
        co_await join_or_stop(group);
        if (!round.failed) co_return std::move(round.failed).error();
        co_return rounds_.all();
    }

    awaitable<void> act(std::vector<Action> actions, Results& results) override {
        Work work{actions, results, {}, 0, {}, clock_.now() + turn_max};
        std::map<Key, std::vector<std::size_t>> by_key;
        for (std::size_t i = 0; i < actions.size(); ++i) by_key[actions[i].key].push_back(i);
        for (auto& [key, indices] : by_key) work.todo.push_back(std::move(indices));
        const auto lanes = std::min(in_flight_, work.todo.size());
        TaskGroup group(loop_);
        for (std::size_t lane = 0; lane < lanes; ++lane) group.spawn("actions on containers", act_on(work));
        co_await join_or_stop(group);
    }

    awaitable<Result<void>> probe() override { co_return co_await provider_->probe(); }

private:
    struct Round {
        std::vector<std::string> names;
        std::size_t next = 0, unseen = 0;
        Result<void> failed = Result<void>();  // success, or the first error
    };
    struct Work {
        const std::vector<Action>& actions;
        Results& results;
        std::vector<std::vector<std::size_t>> todo;  // by container
        std::size_t next = 0;
        std::optional<Error> broken;  // why nothing more is sent
        Instant until;
    };

    awaitable<void> look_on(Round& round) {
        while (round.failed && round.next < round.names.size()) {
            const auto name = round.names[round.next++];
            const auto began = rounds_.now();
            auto found = co_await provider_->look(name);
            if (found)
                rounds_.looked(name, *std::move(found), began);
            else if (found.error().error_class == ErrorClass::transient && ++round.unseen <= unseen_max)
                rounds_.unseen(name, found.error().message, began);  // the others are none the worse for it
            else if (round.failed)
                round.failed = std::move(found).error();
        }
    }

    awaitable<void> act_on(Work& work) {
        while (work.next < work.todo.size()) {
            const auto indices = work.todo[work.next++];
            for (const auto index : indices) {
                auto done = co_await take_turn(work, index);
                work.results.set(index, std::move(done));
            }
        }
    }

    awaitable<Result<Done>> take_turn(Work& work, std::size_t index) {
        if (work.broken) co_return *work.broken;
        if (clock_.now() > work.until)
            co_return Error(Error{ErrorClass::rate_limited, "the rest of the changes follows", Duration(1'000)});
        const auto& action = work.actions[index];
        rounds_.touch(action.key.container);
        auto done = co_await perform(action, work.until);
        if (done) {
            rounds_.made(action.key.container, done->now.front().second);
            co_return done;
        }
        rounds_.touch(action.key.container);
        const auto why = done.error().error_class;
        if (!work.broken && (why == ErrorClass::unreachable || why == ErrorClass::auth)) {
            work.broken = done.error();
            work.broken->outcome_unknown = false;  // what was not sent has no effect
        }
        co_return done;
    }

    awaitable<Result<Done>> perform(Action action, Instant until) {
        const auto& name = action.key.container;
        auto looked = co_await provider_->look(name);
        if (!looked) {
            auto error = std::move(looked).error();
            error.outcome_unknown = false;  // it was only a look
            co_return error;
        }
        const auto& found = *looked;
        if (found && found->locked && rounds_.listed(name))
            co_return Error(Error{ErrorClass::transient, "container " + name + ": " + locked_here});
        if (action.verb == Action::Verb::look) co_return Done{{{action.key, found}}};
        CO_TRY(const bool wanted, still_wanted(action, found ? &*found : nullptr));
        const bool deleting = action.verb == Action::Verb::delete_;
        Done done;
        done.now.emplace_back(action.key, deleting ? std::nullopt : std::optional(action.thing));
        if (!wanted) co_return done;
        if (deleting) {
            if (action.empty) { CO_CHECK(co_await provider_->empty(name, until)); }
            CO_CHECK(co_await provider_->remove(name));
        } else if (found) {
            CO_CHECK(co_await provider_->change(name, *found, action.thing));
        } else {
            CO_CHECK(co_await provider_->create(name, action.thing));
        }
        co_return done;
    }

    std::unique_ptr<Provider> provider_;
    boost::asio::any_io_executor loop_;
    Clock& clock_;
    std::size_t in_flight_;
    Rounds rounds_{again_max};
};

}  // namespace

std::unique_ptr<Store> make_store(std::unique_ptr<Provider> provider, const runtime::Services& services,
                                  std::size_t in_flight) {
    return std::make_unique<ProviderStore>(std::move(provider), services, in_flight);
}

}  // namespace ocim::storage
