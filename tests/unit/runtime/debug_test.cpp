#include "driver_test.hpp"

#include "runtime/debug.hpp"
#include "runtime/last_errors.hpp"

namespace ocim::test {
namespace {

using runtime::DebugQuery;
using runtime::LastErrors;

class DebugTest : public DriverTest {
protected:
    api::Json page(std::string_view name, const DebugQuery& query = {}) {
        auto made = runtime::debug_page(*manager_, name, query);
        EXPECT_TRUE(made) << made.error().message;
        return made ? api::Json(*std::move(made)) : api::Json();
    }
    /// The only row that is asked for.
    api::Json row(std::string_view name, const DebugQuery& query) {
        const auto items = page(name, query).at("items").as_array();
        EXPECT_EQ(items.size(), 1) << api::to_text(items);
        return items.empty() ? api::Json() : items.at(0);
    }
    api::Json of_book(const std::string& name) {
        return row("objects", {.kind = "Book", .namespace_ = "ns", .name = name});
    }
    api::Json oak_row() { return row("backends", {.kind = "Shelf", .name = "oak"}); }
    Duration from_now(const api::Json& row, std::initializer_list<std::string_view> path) {
        const auto when = parse_rfc3339(api::find_text(row, path));
        EXPECT_TRUE(when) << api::to_text(row);
        return when ? std::chrono::duration_cast<Duration>(*when - loop_.clock().wall()) : Duration(-1);
    }
    std::string text_at(const api::Json& row, std::initializer_list<std::string_view> path) {
        return std::string(api::find_text(row, path));
    }
};

TEST_F(DebugTest, AnObjectThatFailsSaysWhatCameOfItAndItsNextTryComesAbout) {
    shelf();
    book("dune");
    start();
    wait(5s);
    oak().faults.fails_before = 1'000;
    patch("dune", "{'spec':{'text':'twice'}}");
    wait(1'500ms);
    const auto dune = of_book("dune");
    EXPECT_EQ(text_at(dune, {"lastCall", "call"}), "shelve dune");
    EXPECT_EQ(text_at(dune, {"lastCall", "result"}), "transient");
    EXPECT_EQ(text_at(dune, {"lastCall", "message"}), "internal server error");
    EXPECT_EQ(text_at(dune, {"backend", "name"}), "oak");
    EXPECT_EQ(text_at(dune, {"state"}), "Waiting");
    EXPECT_GE(dune.at("failures").to_number<int>(), 1);
    const auto error = row("errors", {.kind = "Book"});
    EXPECT_EQ(text_at(error, {"of"}) + " " + text_at(error, {"class"}) + " " + text_at(error, {"call"}),
              "Object transient shelve dune");
    const auto calls = oak().calls["act"];
    const auto next = from_now(dune, {"nextTry"});
    ASSERT_GT(next, 0ms);
    wait(next - 20ms);
    EXPECT_EQ(oak().calls["act"], calls) << "not before " << text_at(dune, {"nextTry"});
    wait(200ms);
    EXPECT_EQ(oak().calls["act"], calls + 1);
}

TEST_F(DebugTest, WhatIsInSyncOrRefusedIsIdleUntilTheNextLook) {
    shelf();
    book("dune");
    book("taboo");
    start();
    wait(5s);
    const auto taboo = of_book("taboo");
    EXPECT_EQ(text_at(taboo, {"lastCall", "result"}), "invalid");
    EXPECT_EQ(text_at(taboo, {"lastCall", "message"}), "the shelf refuses that title");
    EXPECT_EQ(text_at(taboo, {"state"}), "Idle") << "refused for good: nothing is due";
    const auto dune = of_book("dune");
    EXPECT_EQ(text_at(dune, {"lastCall", "result"}), "success");
    EXPECT_EQ(text_at(dune, {"state"}), "Idle");
    const auto next = from_now(dune, {"nextLook"});
    EXPECT_GT(next, 0ms);
    EXPECT_LE(next, 60s);
    const auto looks = oak().calls["observe"];
    wait(next - 100ms);
    EXPECT_EQ(oak().calls["observe"], looks);
    wait(300ms);
    EXPECT_EQ(oak().calls["observe"], looks + 1);
}

TEST_F(DebugTest, ABackendShowsItsCacheItsBreakerAndItsPace) {
    shelf();
    book("dune");
    book("emma");
    start();
    wait(5s);
    auto oak_now = oak_row();
    EXPECT_EQ(text_at(oak_now, {"breaker", "state"}), "Closed");
    EXPECT_EQ(oak_now.at("objects").to_number<int>(), 2);
    EXPECT_EQ(oak_now.at("cache").at("entries").to_number<int>(), 2);
    EXPECT_GT(oak_now.at("cache").at("bytesAtLeast").to_number<std::size_t>(), 2 * sizeof(Volume));
    EXPECT_EQ(text_at(oak_now, {"lastCalls", "observe", "result"}), "success");
    oak().down = true;
    wait(30s);
    oak_now = oak_row();
    EXPECT_EQ(text_at(oak_now, {"breaker", "state"}), "Open");
    EXPECT_EQ(text_at(oak_now, {"trouble", "reason"}), "BackendUnreachable");
    EXPECT_EQ(text_at(oak_now, {"lastCalls", "probe", "message"}), "connection refused");
    EXPECT_GE(oak_now.at("cache").at("ageSeconds").to_number<double>(), 10);
    const auto dune = of_book("dune");
    EXPECT_EQ(text_at(dune, {"blockedBy"}), "BackendUnreachable");
    EXPECT_LE(from_now(dune, {"nextProbe"}), 4s);
    const auto error = row("errors", {.kind = "Shelf"});
    EXPECT_EQ(text_at(error, {"of"}) + " " + text_at(error, {"class"}) + " " + text_at(error, {"call"}),
              "Backend unreachable probe");
    EXPECT_GT(error.at("times").to_number<int>(), 1);
}

TEST_F(DebugTest, ABackendThatAsksForPatienceIsCalledMoreSlowly) {
    shelf();
    start();
    wait(5s);
    oak().faults.rate_limited = 1'000;
    book("dune");
    wait(1s);
    const auto limits = oak_row().at("limits");
    EXPECT_LT(limits.at("requestsPerSecondNow").to_number<double>(),
              limits.at("requestsPerSecond").to_number<double>());
    EXPECT_GT(from_now(limits, {"retryAfter"}), 0ms);
}

TEST_F(DebugTest, PagesTogetherHaveEveryObjectOnce) {
    constexpr int count = 25;
    shelf();
    for (int i = 0; i < count; ++i) book("b" + std::to_string(i), "", i % 2 ? "ns" : "other");
    start();
    wait(5s);
    std::set<std::string> seen;
    DebugQuery query{.limit = 7};
    int pages = 0;
    do {
        const auto one = page("objects", query);
        EXPECT_LE(one.at("items").as_array().size(), 7);
        for (const auto& item : one.at("items").as_array())
            EXPECT_TRUE(
                seen.insert(text_at(item, {"kind"}) + text_at(item, {"namespace"}) + text_at(item, {"name"})).second)
                << api::to_text(item);
        query.after = text_at(one, {"metadata", "continue"});
    } while (!query.after.empty() && ++pages < 20);
    EXPECT_EQ(pages, 3);
    EXPECT_EQ(seen.size(), count);
    EXPECT_EQ(page("objects", {.namespace_ = "other"}).at("items").as_array().size(), (count + 1) / 2);
}

TEST_F(DebugTest, QueuesAndCachesAreCounted) {
    shelf();
    for (const auto* name : {"dune", "emma", "ulysses"}) book(name, "'lookAgainSeconds':30");
    start();
    wait(5s);
    const auto queue = row("queues", {.kind = "Book"});
    EXPECT_EQ(queue.at("objects").to_number<int>(), 3);
    EXPECT_EQ(queue.at("waiting").to_number<int>(), 3) << "for their next look";
    EXPECT_EQ(queue.at("due").to_number<int>(), 0);
    ASSERT_EQ(queue.at("next").as_array().size(), 3);
    EXPECT_GT(from_now(queue.at("next").as_array().at(0), {"nextTry"}), 0ms);
    const auto cache = row("caches", {.kind = "Book"});
    EXPECT_EQ(cache.at("entries").to_number<int>(), 3);
    EXPECT_TRUE(cache.at("synced").as_bool());
}

TEST_F(DebugTest, NoSecretIsInIt) {
    server_.put(
        json("{'apiVersion':'v1','kind':'Secret','metadata':{'namespace':'ocim-system','name':'key'},"
             "'data':{'password':'b3Blbi1zZXNhbWU='}}"));
    oak().password = "open-sesame";
    shelf("{'secretName':'key'}");
    book("dune", "'keySecret':'dune-key'");
    start();
    wait(5s);
    ASSERT_EQ(stands("dune"), "True Shelved");
    const auto* drawn = server_.get("Secret", "ns", "dune-key");
    ASSERT_TRUE(drawn);
    const auto key = text_at(*drawn, {"data", "key"});
    ASSERT_FALSE(key.empty());
    for (const auto name : runtime::debug_pages) {
        const auto text = api::to_text(page(name));
        for (const auto& secret : {std::string("open-sesame"), std::string("b3Blbi1zZXNhbWU="), key})
            EXPECT_EQ(text.find(secret), std::string::npos) << name << " has " << secret;
    }
}

TEST_F(DebugTest, WhatIsGoneIsForgotten) {
    shelf();
    book("taboo");
    start();
    wait(5s);
    EXPECT_EQ(page("errors", {.kind = "Book"}).at("items").as_array().size(), 1);
    server_.remove("Book", "ns", "taboo");
    wait(15s);
    ASSERT_EQ(stands("taboo"), "gone");
    EXPECT_EQ(page("errors", {.kind = "Book"}).at("items").as_array().size(), 0);
    EXPECT_EQ(page("objects", {.kind = "Book"}).at("items").as_array().size(), 0);
}

TEST(LastErrorsTest, TheOldestMakePlace) {
    LastErrors errors;
    const auto failure = [](const std::string& text) {
        return runtime::Outcome::of(WallTime{}, "act", Error{ErrorClass::transient, text});
    };
    for (std::size_t i = 0; i < LastErrors::places_max + 10; ++i)
        errors.note({"book", "Book", {"ns", std::to_string(i)}}, failure("no"));
    EXPECT_EQ(errors.size(), LastErrors::places_max);
    errors.note({"book", "Book", {"ns", "20"}}, failure("no"));
    const auto newest = errors.before(~std::uint64_t{0}, 2);
    ASSERT_EQ(newest.size(), 2);
    EXPECT_EQ(newest[0].place.key.name, "20") << "told again, it is the newest";
    EXPECT_EQ(newest[0].times, 2);
    EXPECT_EQ(newest[1].place.key.name, std::to_string(LastErrors::places_max + 9));
    EXPECT_EQ(failure(std::string(5'000, 'x')).message.size(), LastErrors::message_bytes_max);
}

}  // namespace
}  // namespace ocim::test
