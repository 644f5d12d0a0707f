#include "cli/encryption.hpp"

#include "cli/cli.hpp"
#include "support/test_loop.hpp"

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

using namespace ocim;
using namespace ocim::cli;
using namespace std::chrono_literals;
using store::KeyRing;

namespace {

namespace fs = std::filesystem;

/// One that holds nothing, and says how often it was encrypted anew, and with what.
class Journal final : public store::SealedJournal, public store::SharedJournal {
public:
    Journal(KeyRing ring, bool shared) : shared_(shared), ring_(std::move(ring)) {}

    awaitable<Result<Loaded>> load() override { co_return Loaded{}; }
    awaitable<Result<void>> append(std::vector<store::Change>) override { co_return Result<void>(); }
    awaitable<Result<void>> compact(store::Revision) override { co_return Result<void>(); }
    SharedJournal* shared() override { return shared_ ? this : nullptr; }
    awaitable<Result<News>> begin(store::Revision) override { co_return News{}; }
    awaitable<void> leave() override { co_return; }
    awaitable<Result<News>> tail(store::Revision) override { co_return News{}; }
    awaitable<Result<void>> wait() override { co_return Result<void>(); }
    awaitable<Result<void>> go_on_above(store::Revision) override { co_return Result<void>(); }
    void interrupt() override {}
    void use(KeyRing ring) override { ring_ = std::move(ring); }
    const KeyRing& ring() const override { return ring_; }
    awaitable<Result<std::size_t>> reseal() override {
        anew.push_back(ring_.first().id);
        co_return 0;
    }

    std::vector<std::string> anew;  ///< the key, each time

private:
    bool shared_;
    KeyRing ring_;
};

struct Encryption : testing::Test {
    Encryption() {
        std::string name = (fs::temp_directory_path() / "ocim-keys-XXXXXX").string();
        root = ::mkdtemp(name.data());
    }
    ~Encryption() override {
        loop.run(tasks.stop());
        fs::remove_all(root);
    }
    KeyFile file() const { return KeyFile::of(root, "", ""); }
    void follow(Journal& journal) {
        tasks.spawn("follow", follow_keys(loop.clock(), journal, file()));
        pass();
    }
    void pass() { loop.run(loop.clock().sleep(3s)); }
    std::string in_file() const { return (*read_keys(file()))->ids(); }

    std::string root;
    test::TestLoop loop;
    TaskGroup tasks{loop.executor()};
};

TEST_F(Encryption, AmongReplicasNoKeyIsForgottenByItself) {
    auto ring = *KeyRing::make();
    const auto old = ring.first().id;
    ASSERT_TRUE(ring.renew());
    ASSERT_TRUE(write_keys(file(), ring));
    Journal journal(ring, true);
    follow(journal);
    EXPECT_EQ(journal.anew, std::vector{ring.first().id});
    EXPECT_EQ(in_file(), ring.ids()) << "another may write with " << old;
    EXPECT_EQ(journal.ring().size(), 2U);
}

TEST_F(Encryption, AloneTheOldOnesAreForgotten) {
    auto ring = *KeyRing::make();
    ASSERT_TRUE(ring.renew());
    ASSERT_TRUE(write_keys(file(), ring));
    Journal journal(ring, false);
    follow(journal);
    EXPECT_EQ(in_file(), ring.first().id);
    EXPECT_EQ(journal.ring().size(), 1U);
}

TEST_F(Encryption, AFileWithoutTheKeyInUseIsTakenUpWithItAmongReplicasOnly) {
    for (const bool shared : {true, false}) {
        const auto ring = *KeyRing::make(), other = *KeyRing::make();
        ASSERT_TRUE(write_keys(file(), ring));
        Journal journal(ring, shared);
        follow(journal);
        ASSERT_TRUE(write_keys(file(), other));
        pass();
        EXPECT_EQ(journal.ring().first().id, shared ? other.first().id : ring.first().id);
        EXPECT_EQ(journal.ring().size(), shared ? 2U : 1U);
        EXPECT_TRUE(journal.ring().find(ring.first().id));
        loop.run(tasks.stop());
    }
}

TEST_F(Encryption, AKeyThatIsPutBehindOpensAndEncryptsNothing) {
    const auto ring = *KeyRing::make(), other = *KeyRing::make();
    ASSERT_TRUE(write_keys(file(), ring));
    Journal journal(ring, true);
    follow(journal);
    auto both = ring;
    both.keep(other);
    ASSERT_TRUE(write_keys(file(), both));
    pass();
    EXPECT_TRUE(journal.ring().find(other.first().id));
    EXPECT_EQ(journal.anew, std::vector{ring.first().id}) << "nothing is encrypted anew with it";
}

TEST_F(Encryption, WithoutADatabaseNoneIsMadeAndNoKeyForgotten) {
    const auto ring = *KeyRing::make();
    ASSERT_TRUE(write_keys(file(), ring));
    const std::vector<std::string> words{"secrets", "rotate-key", "--data-dir", root};
    testing::internal::CaptureStderr();
    EXPECT_EQ(cli::run(words), exit_failed);
    EXPECT_NE(testing::internal::GetCapturedStderr().find("--store"), std::string::npos);
    EXPECT_EQ(in_file(), ring.ids());
    EXPECT_FALSE(fs::exists(root + "/ocim.db"));
}

}  // namespace
