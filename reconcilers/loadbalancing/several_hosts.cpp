#include "loadbalancing/several_hosts.hpp"

#include "base/join.hpp"

#include <algorithm>
#include <optional>
#include <utility>

namespace ocim::loadbalancing {

namespace {

constexpr Duration look_limit{10'000};  // who hangs makes the others wait no longer
constexpr Duration probe_limit{4'000};  // less than the runtime waits for all of them together

/// The results of one host's actions, told as the whole's.
class HostResults final : public Results {
public:
    HostResults(Results& whole, std::string host) : whole_(whole), host_(std::move(host)) {}

    void add(std::size_t index) { indexes_.push_back(index); }
    void set(std::size_t action, Result<Done> result) override {
        if (!result) {
            auto error = std::move(result).error().within("host " + host_);
            // one host's trouble is not the load balancer's: the others go on
            if (error.error_class == ErrorClass::unreachable || error.error_class == ErrorClass::auth)
                error.error_class = ErrorClass::transient;
            whole_.set(indexes_.at(action), std::move(error));
            return;
        }
        for (auto& [key, thing] : result->now) key.host = host_;
        whole_.set(indexes_.at(action), std::move(result));
    }

private:
    Results& whole_;
    std::string host_;
    std::vector<std::size_t> indexes_;
};

/// What is wrong with each host, when it is with all of them.
class Troubles {
public:
    void add(const std::string& host, const Error& error) {
        if (!all_)
            all_ = error;
        else if (all_->error_class != error.error_class)
            all_->error_class = ErrorClass::unreachable;  // as a whole it is
        said_ += (said_.empty() ? "" : "; ") + host + ": " + error.message;
    }
    Error together(const std::string& what) && {
        auto out = all_.value_or(Error{ErrorClass::invalid, "it has no hosts"});
        if (!said_.empty()) out.message = std::move(said_);
        return std::move(out).within(what);
    }

private:
    std::optional<Error> all_;
    std::string said_;
};

class SeveralHosts final : public System {
public:
    SeveralHosts(std::vector<Member> members, boost::asio::any_io_executor loop, Clock& clock)
        : members_(std::move(members)), loop_(std::move(loop)), clock_(clock) {}

    awaitable<Result<Snapshot>> observe() override {
        std::vector<std::optional<Result<Snapshot>>> looks(members_.size());
        TaskGroup group(loop_);
        for (std::size_t i = 0; i < members_.size(); ++i) group.spawn("a look at a host", look(i, looks[i]));
        co_await join_or_stop(group);
        Snapshot out;
        bool known = false;
        Troubles troubles;
        for (std::size_t i = 0; i < members_.size(); ++i) {
            const auto& host = members_[i].name;
            if (!looks[i] || !*looks[i]) {
                const Error broken{ErrorClass::transient, "the look was broken off"};
                const auto& error = looks[i] ? looks[i]->error() : broken;
                out[unknown_host_key(host)].trouble = error.message;
                troubles.add(host, error);
                continue;
            }
            known = true;
            for (auto& [key, thing] : **looks[i]) {
                auto there = key;
                there.host = host;
                out[std::move(there)] = std::move(thing);
            }
        }
        if (!known) co_return std::move(troubles).together("no host of the load balancer can be looked at");
        co_return out;
    }

    awaitable<Result<void>> probe() override {
        std::vector<std::optional<Result<void>>> answers(members_.size());
        TaskGroup group(loop_);
        for (std::size_t i = 0; i < members_.size(); ++i) group.spawn("a probe of a host", ask(i, answers[i]));
        co_await join_or_stop(group);
        Troubles troubles;
        for (std::size_t i = 0; i < answers.size(); ++i) {
            if (answers[i] && *answers[i]) co_return Result<void>();
            const Error broken{ErrorClass::transient, "the probe was broken off"};
            troubles.add(members_[i].name, answers[i] ? answers[i]->error() : broken);
        }
        co_return std::move(troubles).together("no host of the load balancer answers");
    }

    awaitable<void> act(std::vector<Action> actions, Results& results) override {
        std::vector<HostResults> of_hosts;
        std::vector<std::vector<Action>> work(members_.size());
        of_hosts.reserve(members_.size());
        for (const auto& member : members_) of_hosts.emplace_back(results, member.name);
        for (std::size_t index = 0; index < actions.size(); ++index) {
            const auto found = std::ranges::find(members_, actions[index].host, &Member::name);
            if (found == members_.end()) {
                results.set(index, Error{ErrorClass::conflict, "the load balancer has no host " + actions[index].host});
                continue;
            }
            const auto host = static_cast<std::size_t>(found - members_.begin());
            of_hosts[host].add(index);
            work[host].push_back(std::move(actions[index]));
            work[host].back().host.clear();
        }
        TaskGroup group(loop_);
        for (std::size_t i = 0; i < members_.size(); ++i)
            if (!work[i].empty())
                group.spawn("actions on a host", members_[i].system->act(std::move(work[i]), of_hosts[i]));
        co_await join_or_stop(group);
    }

private:
    awaitable<void> look(std::size_t member, std::optional<Result<Snapshot>>& into) {
        auto work = members_[member].system->observe();
        auto seen = co_await with_deadline(clock_, look_limit, "a look at the host", std::move(work));
        into.emplace(std::move(seen));
    }
    awaitable<void> ask(std::size_t member, std::optional<Result<void>>& into) {
        auto work = members_[member].system->probe();
        auto answer = co_await with_deadline(clock_, probe_limit, "a probe of the host", std::move(work));
        into.emplace(std::move(answer));
    }
    std::vector<Member> members_;
    boost::asio::any_io_executor loop_;
    Clock& clock_;
};

}  // namespace

std::unique_ptr<System> open_several_hosts(std::vector<Member> members, boost::asio::any_io_executor loop,
                                           Clock& clock) {
    return std::make_unique<SeveralHosts>(std::move(members), std::move(loop), clock);
}

}  // namespace ocim::loadbalancing
