#include "openedx/run_place.hpp"

#include "support/test_loop.hpp"

#include <gtest/gtest.h>
#include <unistd.h>
#include <filesystem>
#include <fstream>

namespace ocim::openedx {
namespace {

namespace fs = std::filesystem;

/// Root reads every folder, so what cannot be seen is made of what is no folder at all.
TEST(RunPlace, WhatCannotBeSeenIsNotTakenForUnused) {
    const auto folder = fs::path(testing::TempDir()) / ("ocim-run-place-" + std::to_string(::getpid()));
    fs::create_directories(folder / "used/runner/campus");
    fs::create_directories(folder / "unused");
    fs::create_directories(folder / "broken");
    fs::create_directories(folder / "file/runner");
    fs::create_symlink("runner", folder / "broken/runner");
    std::ofstream(folder / "file/runner/campus") << "x";
    const struct {
        const char *reason, *data;
        std::optional<bool> used;  ///< none: not known
    } cases[] = {{"its folder is there", "used", true},
                 {"it is not", "unused", false},
                 {"it cannot be reached", "broken", std::nullopt},
                 {"it is something else", "file", std::nullopt}};
    ocim::test::TestLoop loop;
    BlockingPool blocking(loop.executor(), "test", 1, 1);
    for (const auto& c : cases) {
        const auto place = make_controller_place(blocking, folder / c.data, "campus", "uid-1");
        const auto used = place->used();
        ASSERT_EQ(static_cast<bool>(used), c.used.has_value()) << c.reason;
        if (c.used)
            EXPECT_EQ(*used, *c.used) << c.reason;
        else
            EXPECT_EQ(used.error().error_class, ErrorClass::transient) << c.reason;
    }
    fs::remove_all(folder);
}

}  // namespace
}  // namespace ocim::openedx
