#pragma once

#include "base/random.hpp"
#include "runtime/manager.hpp"
#include "store/store.hpp"
#include "support/sim_system.hpp"

#include <cstdint>
#include <memory>
#include <optional>
#include <ostream>
#include <string>
#include <vector>

namespace ocim::simulation {

/// What happened, as one number: two runs of one seed must agree on it.
class Trace {
public:
    void add(std::string_view what) {
        for (const char c : what) hash_ = (hash_ ^ static_cast<unsigned char>(c)) * 1099511628211ULL;
        hash_ = (hash_ ^ 10U) * 1099511628211ULL;
        if (out_) *out_ << what << '\n';
    }
    void add(Instant when, std::string_view what) {
        add(std::to_string(when.time_since_epoch() / std::chrono::milliseconds(1)) + " " + std::string(what));
    }
    std::uint64_t hash() const { return hash_; }
    void print_to(std::ostream& out) { out_ = &out; }

private:
    std::uint64_t hash_ = 14695981039346656037ULL;
    std::ostream* out_ = nullptr;
};

/// All that outlives a run of the program, but for the backends: the disk, time, and chance itself.
struct Universe {
    explicit Universe(std::uint64_t seed_) : seed(seed_), chance(make_seeded_random(seed_)) {}

    std::uint64_t seed;
    std::unique_ptr<Random> chance;  ///< decides the schedule; programs have their own
    std::shared_ptr<store::MemoryDisk> disk = store::make_memory_disk();
    unsigned disk_fails = 0;  ///< of a thousand commits
    Trace trace;
    unsigned boots = 0;
    std::uint64_t boundaries = 0;          ///< so many times a call has met the outside, before or after its effect
    std::optional<std::uint64_t> dies_at;  ///< the program dies at this one
    bool dead = false;                     ///< nothing that the program does from now on has an effect
    Instant now{std::chrono::hours(1)};
    WallTime wall{std::chrono::sys_days(std::chrono::year(2026) / 1 / 1)};

    /// A call meets the outside. True: whoever calls is dead.
    bool boundary() {
        if (dead) return true;
        ++boundaries;
        if (dies_at != boundaries) return false;
        dies_at.reset();
        trace.add("dies");
        dead = true;
        return true;
    }
    /// In every other life orphans are swept; in the others a leak stays and is seen.
    bool sweeps_orphans() const { return seed % 2 == 0; }
    bool happens(unsigned in_a_hundred) { return chance->below(100) < in_a_hundred; }
    Duration moment(Duration at_most) {
        return Duration(static_cast<Duration::rep>(chance->below(static_cast<std::uint64_t>(at_most.count()) + 1)));
    }
    std::string number(std::uint64_t below) { return std::to_string(chance->below(below)); }
};

/// A System of kind A over `world` that writes down what it does.
template <class A, class World, class Effect, class Keys>
std::unique_ptr<runtime::System<typename A::Key, typename A::Thing, typename A::Action>> simulated(
    World& world, Universe& universe, const runtime::Services& services, Effect effect, Keys keys) {
    using Map = std::map<typename A::Key, typename A::Thing>;
    using Sim = test::SimSystem<typename A::Key, typename A::Thing, typename A::Action>;
    // no clock in here: an effect may land after its program is gone
    auto traced = [&universe, effect](Map& things, const typename A::Action& action) {
        const auto result = effect(things, action);
        universe.trace.add(A::describe(action) + (result ? "" : " refused"));
        return result;
    };
    world.dies = [&universe] { return universe.boundary(); };
    return std::make_unique<Sim>(world, typename Sim::Rules{std::move(traced), std::move(keys)}, services.clock,
                                 services.random);
}

}  // namespace ocim::simulation
