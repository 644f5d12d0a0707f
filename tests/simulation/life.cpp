#include "simulation/life.hpp"

#include "base/log.hpp"

#include <gtest/gtest.h>
#include <cstdlib>
#include <iostream>

namespace ocim::simulation {

using namespace std::chrono_literals;

namespace {

class Life {
public:
    Life(std::uint64_t seed, const MakeStory& make_story, const Liveliness& liveliness)
        : universe_(seed), liveliness_(liveliness), story_(make_story(universe_)) {
        if (std::getenv("OCIM_TRACE")) universe_.trace.print_to(std::cerr);
        program_ = std::make_unique<Program>(universe_, *story_);
        story_->prepare(*program_);
        installation_ = program_->installation();
    }

    Outcome lived() {
        story_->set_faults(some_faults());
        universe_.disk_fails = static_cast<unsigned>(universe_.chance->below(20));
        const auto steps = liveliness_.steps_min + universe_.chance->below(liveliness_.steps_more);
        for (std::uint64_t i = 0; i < steps; ++i) step();
        return outcome(calm());
    }

    Outcome cycle(std::uint64_t dies_at) {
        pass(1min);
        universe_.boundaries = 0;
        if (dies_at > 0) universe_.dies_at = dies_at;
        std::vector<std::string> broken;
        const bool made = until([this] {
            story_->declare_one(*program_);
            return story_->one_is_ready(*program_);
        });
        if (!made) broken.push_back("it never became ready");
        // what lives in the program, it has to make again after a death
        if (!until([this] { return story_->broken_laws(*program_).empty(); }))
            for (auto& law : story_->broken_laws(*program_)) broken.push_back("ready, but " + std::move(law));
        const bool gone = until([this] {
            story_->delete_one(*program_);
            return story_->remains_of_one(*program_).empty();
        });
        if (!gone)
            for (auto& one : story_->remains_of_one(*program_)) broken.push_back("left: " + std::move(one));
        const auto boundaries = universe_.boundaries;
        for (auto& law : calm()) broken.push_back(std::move(law));
        auto out = outcome(std::move(broken));
        out.boundaries = boundaries;
        return out;
    }

private:
    test::Faults some_faults() {
        const auto up_to = [&](std::uint64_t most) { return static_cast<unsigned>(universe_.chance->below(most)); };
        test::Faults faults;
        faults.fails_before = up_to(200);
        faults.lost_reply = up_to(200);
        faults.late_landing = up_to(200);
        faults.stalls = up_to(60);
        faults.truncated = up_to(150);
        faults.rate_limited = up_to(100);
        faults.auth_refused = up_to(20);
        faults.unreachable = up_to(60);
        return faults;
    }

    /// Time goes by; a program that dies meanwhile is started anew.
    void pass(Duration time) {
        program_->run_for(time);
        universe_.now = program_->clock().now();
        if (!universe_.dead) return;
        program_->crash();
        start_anew();
    }
    void start_anew() {
        program_.reset();
        program_ = std::make_unique<Program>(universe_, *story_);
        universe_.now = program_->clock().now();
    }

    void step() {
        pass(universe_.moment(universe_.happens(20) ? liveliness_.pause_long : liveliness_.pause_short));
        const auto dice = universe_.chance->below(100);
        if (dice < 63)
            story_->somebody_acts(*program_);
        else if (dice < 78)
            story_->stranger_acts(installation_);
        else if (dice < 84)
            story_->set_faults(some_faults());
        else if (dice < 88)
            story_->set_down(universe_.happens(50));
        else if (dice < 92)
            universe_.dies_at = universe_.boundaries + 1 + universe_.chance->below(60);
        else
            restart();
    }
    void restart() {
        if (universe_.happens(75))
            program_->crash();
        else
            program_->stop();
        program_.reset();
        if (universe_.happens(30)) {
            const auto away = universe_.moment(60s);
            universe_.now += away;
            universe_.wall += away;
        }
        start_anew();
    }

    template <class Condition>
    bool until(Condition condition) {
        constexpr int seconds_max = 1'200;
        for (int i = 0; i < seconds_max; ++i) {
            if (condition()) return true;
            pass(1s);
        }
        return false;
    }

    std::vector<std::string> calm() {
        story_->set_faults({});
        story_->set_down(false);
        universe_.disk_fails = 0;
        universe_.dies_at.reset();
        std::vector<std::string> broken{"it was never calm"};
        for (int minutes = 0; minutes < liveliness_.calm_minutes_max && !broken.empty(); ++minutes) {
            pass(1min);
            broken = story_->broken_laws(*program_);
        }
        if (!broken.empty()) return broken;
        pass(2min);  // the last conditions and reports
        const auto before = still_life();
        pass(5min);
        const auto after = still_life();
        if (before != after) broken.push_back("something still moves:\n" + before + "\n---\n" + after);
        for (auto& law : story_->broken_laws(*program_)) broken.push_back("in the end " + std::move(law));
        return broken;
    }
    std::string still_life() {
        std::vector<api::Kind> kinds;  // backends report the time of their last look
        for (const auto& kind : story_->kinds())
            if (kind.namespaced) kinds.push_back(kind);
        return program_->still_life(kinds) + "actions " + std::to_string(story_->actions());
    }
    Outcome outcome(std::vector<std::string> broken) {
        Outcome out;
        out.broken = std::move(broken);
        universe_.trace.add(program_->still_life(story_->kinds()));
        out.trace = universe_.trace.hash();
        out.boots = universe_.boots;
        out.actions = story_->actions();
        return out;
    }

    Universe universe_;
    const Liveliness& liveliness_;
    std::unique_ptr<Story> story_;
    std::unique_ptr<Program> program_;
    std::string installation_;
};

void quiet_log() {
    log::configure(log::Format::text, std::getenv("OCIM_TRACE") ? log::Level::debug : log::Level::error);
}

/// The part of 1 to `count`, or of "first-last" of OCIM_SEEDS, as the first and the one after the last.
std::pair<std::uint64_t, std::uint64_t> seeds(std::uint64_t count, Part part) {
    std::uint64_t first = 1;
    if (const auto* range = std::getenv("OCIM_SEEDS")) {
        const std::string text(range);
        first = std::stoull(text);
        count = std::stoull(text.substr(text.find('-') + 1)) - first + 1;
    }
    return {first + count * part.number / part.of, first + count * (part.number + 1) / part.of};
}

}  // namespace

Outcome life_of(std::uint64_t seed, const MakeStory& make_story, const Liveliness& liveliness) {
    Life life(seed, make_story, liveliness);
    return life.lived();
}

Outcome cycle(const MakeStory& make_story, std::uint64_t dies_at) {
    const Liveliness liveliness;
    Life life(1, make_story, liveliness);
    return life.cycle(dies_at);
}

void expect_lawful(std::uint64_t count, Part part, const MakeStory& make_story, const Liveliness& liveliness) {
    quiet_log();
    auto [seed, end] = seeds(count, part);
    if (const auto* one = std::getenv("OCIM_SEED")) {
        seed = std::stoull(one);
        end = part.number == 0 ? seed + 1 : seed;
    }
    unsigned boots = 0, lives = 0;
    int actions = 0;
    for (; seed < end; ++seed) {
        const auto out = life_of(seed, make_story, liveliness);
        ++lives;
        boots += out.boots;
        actions += out.actions;
        for (const auto& law : out.broken)
            ADD_FAILURE() << "seed " << seed << " (OCIM_SEED=" << seed << " lives it alone): " << law;
    }
    EXPECT_GE(boots, lives);
    EXPECT_GE(actions, static_cast<int>(lives)) << "programs have acted";
    std::cout << lives << " lives, " << boots - lives << " restarts, " << actions << " actions\n";
}

void expect_replay(std::vector<std::uint64_t> seeds, const MakeStory& make_story, const Liveliness& liveliness) {
    quiet_log();
    std::uint64_t last = 0;
    for (const auto seed : seeds) {
        const auto first = life_of(seed, make_story, liveliness), second = life_of(seed, make_story, liveliness);
        EXPECT_EQ(first.trace, second.trace) << "seed " << seed;
        EXPECT_EQ(first.actions, second.actions) << "seed " << seed;
        EXPECT_NE(first.trace, last) << "another seed is another life";
        last = first.trace;
    }
}

void expect_no_crash_matters(std::uint64_t points, Part part, const MakeStory& make_story) {
    quiet_log();
    const auto dies = [&](std::uint64_t at) {
        const auto out = cycle(make_story, at);
        for (const auto& law : out.broken)
            ADD_FAILURE() << "boundary " << at << " (OCIM_BOUNDARY=" << at << " dies there alone): " << law;
        return out;
    };
    if (const auto* at = std::getenv("OCIM_BOUNDARY")) {
        if (part.number == 0) dies(std::stoull(at));
        return;
    }
    const auto whole = dies(0);
    ASSERT_GT(whole.boundaries, 20U);
    const auto stride = points == 0 ? 1 : std::max<std::uint64_t>(1, whole.boundaries / points);
    std::uint64_t deaths = 0, tried = 0;
    for (auto at = 1 + part.number * stride; at <= whole.boundaries; at += stride * part.of) {
        ++tried;
        if (dies(at).boots > whole.boots) ++deaths;
    }
    EXPECT_EQ(deaths, tried) << "it did die at each of them";
    std::cout << deaths << " deaths at " << whole.boundaries << " boundaries\n";
}

std::uint64_t scaled(std::uint64_t few, std::uint64_t many) {
    const auto* scale = std::getenv("OCIM_SCALE");
    return scale && std::string_view(scale) == "full" ? many : few;
}

}  // namespace ocim::simulation
