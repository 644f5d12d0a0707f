#include "apiserver/audit.hpp"

#include "support/test_loop.hpp"

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>

using namespace ocim;

namespace {

namespace fs = std::filesystem;

struct Directory {
    Directory() {
        std::string name = fs::temp_directory_path() / "ocim-audit-XXXXXX";
        path = ::mkdtemp(name.data());
    }
    ~Directory() { fs::remove_all(path); }
    fs::path path;
};

std::string text_of(const fs::path& path) {
    std::ifstream file(path);
    return {std::istreambuf_iterator<char>(file), {}};
}

TEST(AuditRecord, SaysWhoDidWhatAndNeverTheData) {
    apiserver::AuditRecord record;
    record.time = "2026-01-01T00:00:00.000000Z";
    record.audit_id = "id";
    record.user = "admin";
    record.groups = {"ops"};
    record.verb = "create";
    record.plural = "secrets";
    record.namespace_ = "default";
    record.name = "s";
    record.code = 201;
    record.latency_ms = 3;
    EXPECT_EQ(
        apiserver::to_line(record),
        R"({"time":"2026-01-01T00:00:00.000000Z","auditID":"id","user":"admin","groups":["ops"],"verb":"create",)"
        R"("resource":"secrets","namespace":"default","name":"s","code":201,"outcome":"done","latencyMilliseconds":3})"
        "\n");
}

TEST(Allowance, IsSoManyAtOnceAndAgainEachMinute) {
    using namespace std::chrono_literals;
    apiserver::Allowance allowance(60);
    Instant now{};
    const auto taken = [&](int tries) {
        int out = 0;
        for (int i = 0; i < tries; ++i) out += allowance.take(now) ? 1 : 0;
        return out;
    };
    EXPECT_EQ(taken(1000), 60);
    now += 10s;
    EXPECT_EQ(allowance.take(now), 940U) << "who comes next says how many were left out";
    EXPECT_EQ(allowance.take(now), 0U);
    EXPECT_EQ(taken(100), 8);
    now += 24h;
    EXPECT_EQ(taken(1000), 60) << "what was not used is not saved up";
}

TEST(AuditRecord, SaysByWhatSomebodyUnknownTriedToBe) {
    apiserver::AuditRecord record;
    record.time = "T";
    record.audit_id = "id";
    record.verb = "list";
    record.path = "/api/v1/secrets";
    record.attempted = "bearer";
    record.left_out = 7;
    record.code = 401;
    EXPECT_EQ(apiserver::to_line(record),
              R"({"time":"T","auditID":"id","user":"","verb":"list","path":"/api/v1/secrets","attempted":"bearer",)"
              R"("leftOut":7,"code":401,"outcome":"unauthenticated","latencyMilliseconds":0})"
              "\n");
}

TEST(AuditFile, IsPrivateAndGoesOnAfterARestart) {
    const Directory directory;
    const auto path = directory.path / "audit.log";
    ASSERT_TRUE((*apiserver::AuditFile::open(path, {}))->append("one\n"));
    ASSERT_TRUE((*apiserver::AuditFile::open(path, {}))->append("two\n"));
    EXPECT_EQ(text_of(path), "one\ntwo\n");
    EXPECT_EQ(fs::status(path).permissions(), fs::perms::owner_read | fs::perms::owner_write);
}

TEST(AuditFile, KeepsTheNewestFilesOnly) {
    const Directory directory;
    const auto path = directory.path / "audit.log";
    const auto file = *apiserver::AuditFile::open(path, {.bytes_max = 8, .old_files_max = 2});
    for (const auto* line : {"1111\n", "2222\n", "3333\n", "4444\n", "5555555555\n"}) ASSERT_TRUE(file->append(line));
    EXPECT_EQ(text_of(path), "5555555555\n") << "a line that is longer than a file has one of its own";
    EXPECT_EQ(text_of(path.string() + ".1"), "4444\n");
    EXPECT_EQ(text_of(path.string() + ".2"), "3333\n");
    EXPECT_FALSE(fs::exists(path.string() + ".3"));
}

TEST(AuditFile, SaysWhyItCannotBeOpened) {
    const auto file = apiserver::AuditFile::open("/proc/nowhere/audit.log", {});
    ASSERT_FALSE(file);
    EXPECT_EQ(file.error().message, "audit log /proc/nowhere/audit.log: No such file or directory");
}

TEST(AuditLog, DropsAndCountsWhatADiskCannotTake) {
    const Directory directory;
    const auto path = directory.path / "audit.log";
    test::TestLoop loop;
    Metrics metrics;
    apiserver::AuditLog log(loop.executor(), metrics, *apiserver::AuditFile::open(path, {}));
    apiserver::AuditRecord record;
    record.name = std::string(limits::audit_pending_bytes_max / 2, 'x');
    log.write(record);
    log.write(record);
    loop.run(log.flush());
    EXPECT_EQ(fs::file_size(path), apiserver::to_line(record).size());
    EXPECT_NE(metrics.text().find("ocim_audit_dropped_total 1"), std::string::npos);
}

}  // namespace
