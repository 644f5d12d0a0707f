#include "fixture.hpp"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <sqlite3.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <csignal>
#include <filesystem>
#include <fstream>

namespace ocim::store {
namespace {

using testing::HasSubstr;
namespace fs = std::filesystem;

/// A private directory that goes with the test.
class Folder {
public:
    Folder() {
        std::string name = (fs::temp_directory_path() / "ocim-store-XXXXXX").string();
        path_ = mkdtemp(name.data());
    }
    ~Folder() { fs::remove_all(path_); }
    std::string file() const { return (path_ / "ocim.db").string(); }
    const fs::path& path() const { return path_; }

private:
    fs::path path_;
};

Change change(Revision revision, std::string key, std::string value, bool deleted = false) {
    Change out;
    out.revision = revision;
    out.key = std::move(key);
    out.value = bytes(std::move(value));
    out.deleted = deleted;
    out.time_ms = static_cast<std::int64_t>(revision) * 1000;
    return out;
}

class SqliteTest : public testing::Test {
protected:
    std::unique_ptr<Journal> open() {
        auto opened = open_sqlite_journal(loop_.executor(), folder_.file());
        EXPECT_TRUE(opened) << (opened ? "" : opened.error().message);
        return opened ? *std::move(opened) : nullptr;
    }
    Result<void> append(Journal& journal, std::vector<Change> batch) {
        return loop_.run(journal.append(std::move(batch)));
    }
    Journal::Loaded load(Journal& journal) {
        auto loaded = loop_.run(journal.load());
        EXPECT_TRUE(loaded) << (loaded ? "" : loaded.error().message);
        return loaded ? *std::move(loaded) : Journal::Loaded{};
    }
    test::TestLoop loop_;
    Folder folder_;
};

TEST_F(SqliteTest, WhatWasAppendedIsThereAfterReopening) {
    {
        const auto journal = open();
        ASSERT_TRUE(append(*journal, {change(1, "a", "one"), change(2, "b", std::string("\0\xff'\";--", 7))}));
        ASSERT_TRUE(append(*journal, {change(3, "a", "two"), change(4, "b", "gone", true)}));
    }
    const auto journal = open();
    const auto loaded = load(*journal);
    EXPECT_EQ(loaded.revision, 4u);
    EXPECT_EQ(loaded.compacted, 0u);
    ASSERT_EQ(loaded.state.size(), 1u);
    EXPECT_EQ(loaded.state[0].first, "a");
    EXPECT_EQ(*loaded.state[0].second.value, "two");
    ASSERT_EQ(loaded.history.size(), 4u);
    EXPECT_EQ(loaded.history[1].value->size(), 7u);
    EXPECT_EQ(*loaded.history[2].previous, "one");
    EXPECT_EQ(loaded.history[2].previous_revision, 1u);
    EXPECT_EQ(loaded.history[2].time_ms, 3000);
    EXPECT_TRUE(loaded.history[3].deleted);
}

TEST_F(SqliteTest, CompactionKeepsTheStateAndTheHistoryAfterIt) {
    {
        const auto journal = open();
        ASSERT_TRUE(append(*journal, {change(1, "a", "1"), change(2, "b", "2"), change(3, "a", "3"),
                                      change(4, "b", "4", true), change(5, "a", "5"), change(6, "c", "6", true)}));
        ASSERT_TRUE(loop_.run(journal->compact(4)));
    }
    {
        const auto journal = open();
        const auto loaded = load(*journal);
        EXPECT_EQ(loaded.compacted, 4u);
        ASSERT_EQ(loaded.history.size(), 2u);
        EXPECT_EQ(*loaded.history[0].previous, "3") << "what a kept change replaced is kept";
        ASSERT_EQ(loaded.state.size(), 1u);
        ASSERT_TRUE(loop_.run(journal->compact(6)));
    }
    const auto journal = open();
    const auto loaded = load(*journal);
    EXPECT_EQ(loaded.revision, 6u) << "though no change of that revision is left";
    ASSERT_EQ(loaded.state.size(), 1u);
    EXPECT_EQ(*loaded.state[0].second.value, "5");
    EXPECT_TRUE(loaded.history.empty());
}

TEST_F(SqliteTest, FilesAreForTheirOwnerOnly) {
    const auto journal = open();
    ASSERT_TRUE(append(*journal, {change(1, "a", "secret")}));
    for (const auto& entry : fs::directory_iterator(folder_.path())) {
        struct stat status = {};
        ASSERT_EQ(stat(entry.path().c_str(), &status), 0);
        EXPECT_EQ(status.st_mode & 0777u, 0600u) << entry.path();
    }
}

TEST_F(SqliteTest, ASecondHolderIsRefusedByNameOfFileAndProcess) {
    const auto journal = open();
    const auto second = open_sqlite_journal(loop_.executor(), folder_.file());
    ASSERT_FALSE(second);
    EXPECT_EQ(second.error().error_class, ErrorClass::conflict);
    EXPECT_THAT(second.error().message, HasSubstr(folder_.file() + ".lock"));
    EXPECT_THAT(second.error().message, HasSubstr(std::to_string(getpid())));
}

TEST_F(SqliteTest, AFileThatIsNotOursIsRefusedAndLeftAlone) {
    const auto refuse = [&](const char* reason, const char* says) {
        const auto opened = open_sqlite_journal(loop_.executor(), folder_.file());
        ASSERT_FALSE(opened) << reason;
        EXPECT_EQ(opened.error().error_class, ErrorClass::invalid) << reason;
        EXPECT_THAT(opened.error().message, HasSubstr(says)) << reason;
    };
    std::ofstream(folder_.file()) << std::string(4096, 'x');
    refuse("no database", "not a database");
    EXPECT_EQ(fs::file_size(folder_.file()), 4096u);
    const auto run = [&](const char* sql) {
        sqlite3* raw = nullptr;
        ASSERT_EQ(sqlite3_open(folder_.file().c_str(), &raw), SQLITE_OK);
        EXPECT_EQ(sqlite3_exec(raw, sql, nullptr, nullptr, nullptr), SQLITE_OK);
        sqlite3_close(raw);
    };
    fs::remove(folder_.file());
    run("CREATE TABLE other (x)");
    refuse("another program's", "not one of ours");
    fs::remove(folder_.file());
    { (void)open(); }
    run("PRAGMA user_version=2");
    refuse("a newer format", "newer version");
}

/// The process dies at once after an acknowledged write, without closing anything.
TEST_F(SqliteTest, AnAcknowledgedWriteSurvivesASuddenDeath) {
    const auto child = fork();
    ASSERT_GE(child, 0);
    if (child == 0) {
        test::TestLoop loop;
        auto journal = open_sqlite_journal(loop.executor(), folder_.file());
        const bool stored = journal && loop.run((*journal)->append({change(1, "a", "1"), change(2, "b", "2")})) &&
                            loop.run((*journal)->append({change(3, "a", "3")}));
        kill(getpid(), stored ? SIGKILL : SIGTERM);
    }
    int status = 0;
    ASSERT_EQ(waitpid(child, &status, 0), child);
    ASSERT_EQ(WTERMSIG(status), SIGKILL);
    const auto journal = open();
    ASSERT_TRUE(journal) << "the lock went with its holder";
    const auto loaded = load(*journal);
    EXPECT_EQ(loaded.revision, 3u);
    EXPECT_EQ(loaded.state.size(), 2u);
}

/// A limit on file sizes is a disk that is full.
TEST_F(SqliteTest, AFailedAppendStoresNothingAndLaterOnesWorkAgain) {
    const auto journal = open();
    ASSERT_TRUE(append(*journal, {change(1, "a", "1")}));
    const auto before = std::signal(SIGXFSZ, SIG_IGN);
    rlimit old = {};
    ASSERT_EQ(getrlimit(RLIMIT_FSIZE, &old), 0);
    const rlimit small{fs::file_size(folder_.file() + "-wal") + 10'000, old.rlim_max};
    ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &small), 0);
    const auto failed = append(*journal, {change(2, "b", "2"), change(3, "c", std::string(200'000, 'x'))});
    ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &old), 0);
    std::signal(SIGXFSZ, before);
    ASSERT_FALSE(failed);
    EXPECT_THAT(failed.error().message, HasSubstr(folder_.file()));
    ASSERT_TRUE(append(*journal, {change(2, "d", "4")})) << "the same revision, given again";
    const auto loaded = load(*journal);
    EXPECT_EQ(loaded.revision, 2u);
    ASSERT_EQ(loaded.state.size(), 2u);
    EXPECT_EQ(loaded.state[1].first, "d");
}

TEST_F(SqliteTest, ABatchOfAnySizeIsOneTransaction) {
    const auto journal = open();
    std::vector<Change> batch;
    for (Revision i = 1; i <= 1000; ++i) batch.push_back(change(i, "k" + std::to_string(i), std::string(500, 'v')));
    batch.push_back(change(1000, "the same revision twice", "x"));
    EXPECT_FALSE(append(*journal, batch));
    EXPECT_EQ(load(*journal).state.size(), 0u);
    batch.pop_back();
    EXPECT_TRUE(append(*journal, batch));
    EXPECT_EQ(load(*journal).state.size(), 1000u);
}

}  // namespace
}  // namespace ocim::store
