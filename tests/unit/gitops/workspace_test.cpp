#include "gitops/workspace.hpp"

#include "gitops/workshop.hpp"
#include "support/service.hpp"
#include "support/test_loop.hpp"

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>
#include <atomic>
#include <filesystem>
#include <thread>

namespace ocim::gitops {
namespace {

namespace fs = std::filesystem;

/// A process that works in a directory until it is killed.
class Other {
public:
    explicit Other(const std::string& parent) {
        int ends[2];
        EXPECT_EQ(::pipe(ends), 0);
        pid_ = ::fork();
        if (pid_ == 0) {
            const auto made = Workspace::make(parent);
            const bool good = made && (*made)->write("pack-1.pack", "bytes");
            (void)!::write(ends[1], good ? "y" : "n", 1);
            for (;;) ::pause();
        }
        char said = 'n';
        EXPECT_EQ(::read(ends[0], &said, 1), 1);
        EXPECT_EQ(said, 'y');
        ::close(ends[0]);
        ::close(ends[1]);
    }
    ~Other() { kill(); }
    Other(const Other&) = delete;
    Other& operator=(const Other&) = delete;
    void kill() {
        if (pid_ <= 0) return;
        ::kill(pid_, SIGKILL);
        ::waitpid(pid_, nullptr, 0);
        pid_ = 0;
    }

private:
    pid_t pid_ = 0;
};

std::size_t count(const std::string& parent) {
    return static_cast<std::size_t>(std::distance(fs::directory_iterator(parent), fs::directory_iterator()));
}

TEST(Workspace, OfAKilledProcessIsSweptAndNoLivingOnes) {
    const test::TempDir directory;
    const auto parent = directory.path() + "/git";
    EXPECT_EQ(Workspace::sweep(parent), 0U) << "there is none";
    Other other(parent);
    const auto ours = Workspace::make(parent);
    ASSERT_TRUE(ours);
    test::write_file(parent + "/notes", "somebody else's");
    fs::create_directory(parent + "/other");
    EXPECT_EQ(Workspace::sweep(parent), 0U) << "both are worked in";
    EXPECT_EQ(count(parent), 4U);
    other.kill();
    EXPECT_EQ(Workspace::sweep(parent), 1U);
    EXPECT_TRUE((*ours)->write("text", "still ours"));
    EXPECT_EQ(count(parent), 3U);
    EXPECT_EQ(Workspace::sweep(parent), 0U);
}

TEST(Workspace, IsNoLinkThatSomebodyPutThere) {
    const test::TempDir directory;
    const auto parent = directory.path() + "/git";
    fs::create_directories(parent);
    fs::create_directory(directory.path() + "/valuable");
    fs::create_directory_symlink(directory.path() + "/valuable", parent + "/work-abcdef");
    EXPECT_EQ(Workspace::sweep(parent), 0U);
    EXPECT_TRUE(fs::exists(directory.path() + "/valuable"));
}

TEST(Workspace, IsMadeWhileOthersSweep) {
    const test::TempDir directory;
    const auto parent = directory.path() + "/git";
    std::atomic<bool> over{false};
    std::thread sweeper([&] {
        while (!over) (void)Workspace::sweep(parent);
    });
    for (int i = 0; i < 2'000; ++i) {
        const auto made = Workspace::make(parent);
        const bool stays = made && (*made)->write("text", "bytes");
        EXPECT_TRUE(stays) << "somebody took it away: " << i;
        if (!stays) break;
    }
    over = true;
    sweeper.join();
    EXPECT_EQ(count(parent), 0U);
}

TEST(Workshop, IsTidiedAtTheStartAndEveryHour) {
    const test::TempDir directory;
    const auto parent = folder_of_fetches(directory.path());
    const auto leftover = parent + "/work-abcdef";
    test::TestLoop loop;
    Workshop workshop(loop.executor());
    TaskGroup tasks(loop.executor());
    fs::create_directories(leftover);
    tasks.spawn("tidy", workshop.keep_tidy(loop.clock(), directory.path()));
    const auto after = [&](Duration time) { loop.run(loop.clock().sleep(time)); };
    after(Duration(60'000));
    EXPECT_FALSE(fs::exists(leftover));
    fs::create_directories(leftover);
    after(Duration(3'000'000));
    EXPECT_TRUE(fs::exists(leftover));
    after(Duration(3'600'000));
    EXPECT_FALSE(fs::exists(leftover));
    loop.run(tasks.stop());
}

}  // namespace
}  // namespace ocim::gitops
