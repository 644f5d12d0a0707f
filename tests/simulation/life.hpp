#pragma once

#include "simulation/story.hpp"

#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace ocim::simulation {

using MakeStory = std::function<std::unique_ptr<Story>(Universe&)>;

/// How lively a life is.
struct Liveliness {
    std::uint64_t steps_min = 20, steps_more = 40;
    Duration pause_short{2'000}, pause_long{30'000};
    int calm_minutes_max = 20;
};

struct Outcome {
    std::uint64_t trace = 0;
    std::vector<std::string> broken;
    unsigned boots = 0;
    int actions = 0;
    std::uint64_t boundaries = 0;
};

/// One life: people declare, strangers meddle, calls fail in every way, programs crash. Then all of that ends, and
/// the world must become what is declared, and stay so. OCIM_TRACE=1 prints what happens.
Outcome life_of(std::uint64_t seed, const MakeStory& make_story, const Liveliness& liveliness);

/// One thing is declared, becomes ready, is deleted and is gone; the program dies at the boundary `dies_at`, counted
/// from 1 (see Universe::boundary); 0: it does not.
Outcome cycle(const MakeStory& make_story, std::uint64_t dies_at);

/// A large test comes in equal parts, so that they can run side by side.
struct Part {
    std::uint64_t number = 0, of = 1;
};
/// Lives the part of `count` lives, from seed 1 on (OCIM_SEEDS=first-last: those instead), or the one that OCIM_SEED
/// names; fails the test for each broken law.
void expect_lawful(std::uint64_t count, Part part, const MakeStory& make_story, const Liveliness& liveliness);
/// A seed is lived twice, the same in every step.
void expect_replay(std::vector<std::uint64_t> seeds, const MakeStory& make_story, const Liveliness& liveliness);
/// Dies at about `points` boundaries of one cycle, evenly spread; 0: at each of them. OCIM_BOUNDARY=n: at that one.
void expect_no_crash_matters(std::uint64_t points, Part part, const MakeStory& make_story);
/// `few`, or `many` with OCIM_SCALE=full.
std::uint64_t scaled(std::uint64_t few, std::uint64_t many);

}  // namespace ocim::simulation
