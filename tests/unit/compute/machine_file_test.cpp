#include "compute/machine_file.hpp"

#include <gtest/gtest.h>

#include <unistd.h>
#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>

namespace ocim::compute {
namespace {

namespace fs = std::filesystem;

class MachineFoldersTest : public testing::Test {
protected:
    MachineFoldersTest() {
        std::string name = (fs::temp_directory_path() / "ocim-machines-XXXXXX").string();
        home_ = ::mkdtemp(name.data());
        fs::permissions(home_, readable_);
        for (const auto* machine : {"a", "b", "c", "d", "e", "f"}) {
            fs::create_directory(home_ / machine);
            fs::permissions(home_ / machine, readable_);
            std::ofstream(home_ / machine / "machine.json") << "{}";
        }
    }
    ~MachineFoldersTest() override { fs::remove_all(home_); }
    /// 0: an error, 1: an answer. As somebody whom permissions bind.
    [[noreturn]] void look_as_nobody() const {
        constexpr uid_t nobody = 65534;
        if (::geteuid() == 0 && ::setuid(nobody) != 0) std::_Exit(2);
        std::_Exit(machine_folders(home_.string()) ? 1 : 0);
    }

    static constexpr auto readable_ = static_cast<fs::perms>(0755);
    fs::path home_;
};

TEST_F(MachineFoldersTest, AreThoseThatHoldSomething) {
    fs::create_directory(home_ / "empty");
    fs::create_directory(home_ / ".new-g");
    std::ofstream(home_ / ".new-g/machine.json") << "{}";
    std::ofstream(home_ / ".bridge") << "ocb1";
    std::ofstream(home_ / "file") << "";
    auto found = machine_folders(home_.string());
    ASSERT_TRUE(found) << found.error().message;
    std::ranges::sort(*found);
    std::string names;
    for (const auto& path : *found) names += fs::path(path).filename().string();
    EXPECT_EQ(names, "abcdef");
    EXPECT_FALSE(machine_folders(home_.string() + "/nowhere")) << "unknown is not absent";
}

TEST_F(MachineFoldersTest, OneThatCannotBeLookedIntoIsUnknownWhicheverItIs) {
    EXPECT_EXIT(look_as_nobody(), testing::ExitedWithCode(1), "");
    for (const auto* machine : {"a", "b", "c", "d", "e", "f"}) {
        fs::permissions(home_ / machine, fs::perms::none);
        EXPECT_EXIT(look_as_nobody(), testing::ExitedWithCode(0), "") << machine;
        fs::permissions(home_ / machine, readable_);
    }
}

}  // namespace
}  // namespace ocim::compute
