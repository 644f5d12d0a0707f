#pragma once

#include "base/random.hpp"
#include "dns/record.hpp"
#include "store/store.hpp"
#include "support/library_kinds.hpp"

#include <cstdint>
#include <memory>
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

using Zone = test::SimWorld<dns::Key, dns::RecordSet>;

/// All that outlives a run of the program: the disk, the outside world, time, and chance itself.
struct Universe {
    explicit Universe(std::uint64_t seed_) : seed(seed_), chance(make_seeded_random(seed_)) {}

    std::uint64_t seed;
    std::unique_ptr<Random> chance;  ///< decides the schedule; programs have their own
    std::shared_ptr<store::MemoryDisk> disk = store::make_memory_disk();
    unsigned disk_fails = 0;  ///< of a thousand commits
    Zone zone;
    test::Shelves shelves;
    Trace trace;
    std::vector<std::string> crimes;  ///< what was done to what is not ours, when it happened
    unsigned boots = 0;
    Instant now{std::chrono::hours(1)};
    WallTime wall{std::chrono::sys_days(std::chrono::year(2026) / 1 / 1)};

    bool happens(unsigned in_a_hundred) { return chance->below(100) < in_a_hundred; }
    Duration moment(Duration at_most) {
        return Duration(static_cast<Duration::rep>(chance->below(static_cast<std::uint64_t>(at_most.count()) + 1)));
    }
};

}  // namespace ocim::simulation
