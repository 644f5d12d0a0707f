#include "gitops/pack.hpp"

#include <gtest/gtest.h>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>

/// Packs as Git itself makes them.
namespace ocim::gitops {
namespace {

namespace fs = std::filesystem;

class Packs : public testing::Test {
protected:
    Packs() {
        auto pattern = (fs::temp_directory_path() / "ocim-pack-XXXXXX").string();
        if (!::mkdtemp(pattern.data())) throw std::runtime_error("no directory");
        at = pattern;
        run("git init -q");
    }
    ~Packs() override { fs::remove_all(at); }
    void run(const std::string& command) const {
        const auto whole = "cd " + at.string() + " && " + command + " >/dev/null 2>&1";
        if (std::system(whole.c_str()) != 0) throw std::runtime_error(command);
    }
    std::string text(const std::string& name) const {
        std::ifstream in(at / name, std::ios::binary);
        return {std::istreambuf_iterator<char>(in), {}};
    }
    /// Commits what is there, and takes it out by way of a pack.
    Result<Tree> read(std::chrono::steady_clock::duration most = limits::unpack_max) const {
        run("git add -A");
        run("git -c user.name=ada -c user.email=ada@example.com commit -q -m x");
        run("git rev-parse HEAD | tr -d '\\n' | tee .git/commit");
        run("git rev-list --objects --all | git pack-objects --stdout | dd of=.git/pack");
        const auto commit = text(".git/commit");
        return read_tree(text(".git/pack"), {commit, commit, ""}, ".", at.string() + "/.git/work", most);
    }
    fs::path at;
};

TEST_F(Packs, GiveTheirManifests) {
    run("mkdir a && echo 'kind: A' | tee a/one.yaml && echo x | tee a/other.txt");
    const auto tree = read();
    ASSERT_TRUE(tree) << tree.error().message;
    EXPECT_EQ(tree->files, (std::vector<File>{{"a/one.yaml", "kind: A\n"}}));
    EXPECT_TRUE(fs::is_empty(at / ".git/work"));
}

TEST_F(Packs, WithAnObjectThatFillsTheMemoryAreRefused) {
    // the second is kept as what differs from the first
    run("truncate -s " + std::to_string(limits::object_bytes_max + 1) + " a.bin && (cat a.bin; echo x) | dd of=b.bin");
    const auto tree = read();
    ASSERT_FALSE(tree);
    EXPECT_EQ(tree.error().error_class, ErrorClass::invalid);
    EXPECT_TRUE(tree.error().message.starts_with("the pack cannot be read")) << tree.error().message;
}

TEST_F(Packs, GiveTheThreadBackInTime) {
    run("echo 'kind: A' | tee one.yaml");
    const auto tree = read(std::chrono::seconds(0));
    ASSERT_FALSE(tree);
    EXPECT_EQ(tree.error().error_class, ErrorClass::invalid);
    EXPECT_NE(tree.error().message.find("takes longer"), std::string::npos) << tree.error().message;
}

}  // namespace
}  // namespace ocim::gitops
