#include "loadbalancing/traffic.hpp"

#include <algorithm>
#include <functional>
#include <limits>
#include <set>
#include <tuple>
#include <utility>

namespace ocim::loadbalancing {

namespace {

using Status = crd::LoadBalancer::Status;

constexpr Duration interval_min{60'000};
constexpr Duration interval_of_each{100};

/// The keys of one part of a snapshot: they stand together.
template <class Map>
auto part_of(Map& seen, Key::Part part) {
    const auto next = static_cast<Key::Part>(static_cast<int>(part) + 1);
    return std::pair{seen.lower_bound(Key{part, {}, {}}), seen.lower_bound(Key{next, {}, {}})};
}

/// Of several hosts each fragment counts once.
std::size_t count_of_fragments(const Snapshot& seen) {
    std::size_t out = 0;
    const std::string* before = nullptr;
    const auto [first, last] = part_of(seen, Key::Part::fragment);
    for (auto it = first; it != last; ++it) {
        if (!before || *before != it->first.name) ++out;
        before = &it->first.name;
    }
    return out;
}

void add(std::int64_t& to, std::uint64_t more) {
    constexpr std::uint64_t most = std::numeric_limits<std::int64_t>::max();
    to = static_cast<std::int64_t>(std::min(most, static_cast<std::uint64_t>(to) + std::min(more, most)));
}

void add(Status::Traffic& to, const Traffic& more) {
    add(to.requests, more.requests());
    add(to.responses.informational, more.answers[0]);
    add(to.responses.successful, more.answers[1]);
    add(to.responses.redirections, more.answers[2]);
    add(to.responses.client_errors, more.answers[3]);
    add(to.responses.server_errors, more.answers[4]);
    add(to.bytes_in, more.bytes_in);
    add(to.bytes_out, more.bytes_out);
    add(to.sessions, more.sessions);
}

/// What `seen` holds of each fragment of `installation` under `part`, in one pass: both are in the same order.
template <class Each>
void for_each_of(const std::string& installation, const Snapshot& seen, Key::Part part, Each each) {
    auto [fragment, fragments_end] = part_of(seen, Key::Part::fragment);
    const auto [first, last] = part_of(seen, part);
    for (auto it = first; it != last; ++it) {
        const auto of = [&it](const Key& key) {
            return std::tie(key.name, key.host) <=> std::tie(it->first.name, it->first.host);
        };
        while (fragment != fragments_end && of(fragment->first) < 0) ++fragment;
        if (fragment == fragments_end) return;
        const auto& mark = fragment->second.mark;
        if (of(fragment->first) == 0 && mark && mark->installation == installation) each(*it);
    }
}

/// Whether nothing is known of what visitors do on a host: a sum without it would look like a fall.
bool anybody_is_silent(const std::string& installation, const Snapshot& seen) {
    const auto [unknown, no_more] = part_of(seen, Key::Part::unknown_host);
    if (unknown != no_more) return true;
    std::set<std::string> silent;
    for_each_of(installation, seen, Key::Part::fragment, [&](const auto& one) { silent.insert(one.first.host); });
    for_each_of(installation, seen, Key::Part::traffic, [&](const auto& one) { silent.erase(one.first.host); });
    return !silent.empty();
}

class Seldom final : public System {
public:
    Seldom(std::unique_ptr<System> system, Clock& clock) : system_(std::move(system)), clock_(clock) {}

    awaitable<Result<Snapshot>> observe() override {
        CO_TRY(auto seen, co_await system_->observe());
        traffic_.apply(seen, clock_.now());
        co_return seen;
    }
    awaitable<Result<void>> probe() override { co_return co_await system_->probe(); }
    awaitable<void> act(std::vector<Action> actions, Results& results) override {
        co_await system_->act(std::move(actions), results);
    }
    awaitable<Result<void>> retire() override { co_return co_await system_->retire(); }

private:
    std::unique_ptr<System> system_;
    Clock& clock_;
    SeldomTraffic traffic_;
};

}  // namespace

Duration traffic_interval(std::size_t fragments) {
    return std::max(interval_min, interval_of_each * static_cast<Duration::rep>(fragments));
}

void SeldomTraffic::apply(Snapshot& seen, Instant now) {
    const auto interval = traffic_interval(count_of_fragments(seen));
    // each has a moment of its own in the interval, the same on all hosts
    const auto turn = [interval](const Key& key, Instant when) {
        const auto own = std::hash<std::string>()(key.name) % static_cast<std::size_t>(interval.count());
        return (when.time_since_epoch() + Duration(static_cast<Duration::rep>(own))) / interval;
    };
    const auto [first, last] = part_of(seen, Key::Part::traffic);
    for (auto it = first; it != last; ++it) {
        auto [told, fresh] = told_.try_emplace(it->first, Told{it->second.traffic, now});
        if (!fresh && turn(it->first, told->second.at) != turn(it->first, now))
            told->second = {it->second.traffic, now};
    }
    // a master that is away for a moment tells of nobody, and what it told stays
    std::erase_if(told_,
                  [&seen](const auto& one) { return !seen.contains(fragment_key(one.first.name, one.first.host)); });
    for (const auto& [key, told] : told_) seen[key].traffic = told.traffic;
}

std::unique_ptr<System> with_seldom_traffic(std::unique_ptr<System> system, Clock& clock) {
    return std::make_unique<Seldom>(std::move(system), clock);
}

Totals totals(const std::string& installation, const Snapshot& seen) {
    Totals out;
    if (!anybody_is_silent(installation, seen))
        for_each_of(installation, seen, Key::Part::traffic, [&out](const auto& one) {
            if (!out.traffic) out.traffic.emplace();
            add(*out.traffic, one.second.traffic);
        });
    // a server that two hosts look at is one, and down when one of them says so
    std::string fragment;
    std::map<std::string, Check::State> servers;
    const auto count = [&] {
        if (servers.empty()) return;
        if (!out.servers) out.servers.emplace();
        for (const auto& [name, state] : servers)
            ++(state == Check::State::failed ? out.servers->down : out.servers->up);
        servers.clear();
    };
    for_each_of(installation, seen, Key::Part::checks, [&](const auto& one) {
        if (one.first.name != fragment) count();
        fragment = one.first.name;
        for (const auto& [server, check] : one.second.checks) {
            if (check.state == Check::State::unknown) continue;
            auto& state = servers[server];
            if (state != Check::State::failed) state = check.state;
        }
    });
    count();
    return out;
}

}  // namespace ocim::loadbalancing
