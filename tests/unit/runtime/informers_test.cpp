#include "driver_test.hpp"

/// What is known of the objects stays true whatever becomes of a watch.
namespace ocim::test {
namespace {

class InformersTest : public DriverTest {};

TEST_F(InformersTest, AnExpiredWatchIsListedAgain) {
    shelf();
    start();
    wait(5s);
    server_.expire_watches();
    book("dune");
    wait(5s);
    EXPECT_EQ(stands("dune"), "True Shelved");
}

TEST_F(InformersTest, WhatAWatchLeftOutIsFoundByTheNextList) {
    shelf();
    book("emma");
    book("dune");
    start();
    wait(5s);
    server_.leave_out = [](const client::Event& event) { return api::find_text(event.object, {"kind"}) == "Book"; };
    patch("dune", "{'spec':{'text':'twice'}}");
    server_.remove("Book", "ns", "emma");
    book("ulysses");
    wait(5s);
    server_.leave_out = nullptr;
    wait(40min);
    EXPECT_EQ(text("dune"), "once") << "nobody was told";
    EXPECT_EQ(text("emma"), "once");
    EXPECT_EQ(text("ulysses"), "nothing");
    wait(21min);
    EXPECT_EQ(text("dune"), "twice");
    EXPECT_EQ(stands("emma"), "gone");
    EXPECT_EQ(text("emma"), "nothing");
    EXPECT_EQ(stands("ulysses"), "True Shelved");
}

TEST_F(InformersTest, AServerThatSaysWhenIsNotAskedBefore) {
    std::vector<Instant> asked;
    server_.refuse_reading = [&](const std::string& verb, const api::Kind& kind) -> std::optional<Error> {
        if (verb != "list" || kind.name != "Book") return std::nullopt;
        asked.push_back(loop_.clock().now());
        if (asked.size() > 2) return std::nullopt;
        return Error{ErrorClass::rate_limited, "too many requests", asked.size() == 1 ? 40s : 17s};
    };
    start();
    wait(5min);
    ASSERT_EQ(asked.size(), 3U);
    EXPECT_GE(asked[1] - asked[0], 40s);
    EXPECT_LT(asked[1] - asked[0], 80s);
    EXPECT_GE(asked[2] - asked[1], 17s);
    EXPECT_LT(asked[2] - asked[1], 34s) << "nor much later";
}

TEST_F(InformersTest, AWriteThatIsToWaitIsNotTriedBefore) {
    shelf();
    book("emma");
    start();
    wait(5s);
    std::vector<Instant> tried;
    server_.refuse = [&](const std::string&, const api::Json& body) -> std::optional<Error> {
        if (api::find_text(body, {"metadata", "name"}) != "dune" && !api::find(body, {"metadata", "finalizers"}))
            return std::nullopt;
        tried.push_back(loop_.clock().now());
        if (tried.size() > 1) return std::nullopt;
        return Error{ErrorClass::rate_limited, "too many requests", 40s};
    };
    book("dune");
    wait(2min);
    ASSERT_GE(tried.size(), 2U);
    EXPECT_GE(tried[1] - tried[0], 40s);
    EXPECT_LT(tried[1] - tried[0], 80s);
    EXPECT_EQ(stands("dune"), "True Shelved");
}

TEST_F(InformersTest, AListOfWhatIsKnownWakesNobody) {
    shelf("{'driftInterval':'24h'}");
    for (int i = 0; i < 20; ++i) book("book" + std::to_string(i));
    start();
    wait(5s);
    std::size_t lists = 0;
    server_.refuse_reading = [&](const std::string& verb, const api::Kind& kind) -> std::optional<Error> {
        lists += verb == "list" && kind.name == "Book";
        return std::nullopt;
    };
    const auto visits = metric("controller_runtime_reconcile_total", R"(controller="book",result="success")");
    wait(3h);
    EXPECT_TRUE(lists == 3 || lists == 4) << lists << ", each between 45 and 60 minutes after the one before";
    EXPECT_EQ(metric("controller_runtime_reconcile_total", R"(controller="book",result="success")"), visits);
}

}  // namespace
}  // namespace ocim::test
