#include "driver_test.hpp"

/// What stays goes without its backend only on the word of a status that tells of what is there.
namespace ocim::test {
namespace {

class RetainedTest : public DriverTest {
protected:
    /// A book that stays and says so, and whose shelf is gone.
    void kept(const std::string& name) {
        shelf();
        book(name, "'deletionPolicy':'Retain'");
        start();
        wait(5s);
        server_.merge("Book", "ns", name, R"({"status":{"retained":true}})", true);
        wait(1s);
        oak().down = true;
        wait(60s);
        ASSERT_EQ(stands(name), "False Reconciling BackendUnreachable");
        ASSERT_NE(api::find(*found(name), {"status", "retained"}), nullptr) << "trouble changes nothing of it";
    }
};

TEST_F(RetainedTest, WhatWasSaidOfAnotherSpecLetsNobodyGo) {
    kept("dune");
    // for a while it was to be deleted, and what stands there may have been marked so
    patch("dune", "{'spec':{'deletionPolicy':'Delete'}}");
    wait(60s);
    EXPECT_EQ(api::find(*found("dune"), {"status", "retained"}), nullptr) << "nobody knows";
    patch("dune", "{'spec':{'deletionPolicy':'Retain'}}");
    server_.remove("Book", "ns", "dune");
    wait(60s);
    EXPECT_EQ(stands("dune"), "False Reconciling BackendUnreachable");
    EXPECT_EQ(events("Retained"), 0);
}

TEST_F(RetainedTest, ASpecThatWasNotYetSeenLetsNobodyGo) {
    kept("dune");
    patch("dune", "{'spec':{'deletionPolicy':'Delete'}}");
    patch("dune", "{'spec':{'deletionPolicy':'Retain'}}");
    server_.remove("Book", "ns", "dune");
    wait(60s);
    EXPECT_EQ(stands("dune"), "False Reconciling BackendUnreachable");
    EXPECT_EQ(events("Retained"), 0);
}

TEST_F(RetainedTest, ACopyThatIsOldLetsNobodyGo) {
    kept("dune");
    bool once = true;
    server_.refuse = [&](const std::string& verb, const api::Json&) -> std::optional<Error> {
        if (verb == "merge_patch" && std::exchange(once, false))  // decided already, and then this came
            server_.merge("Book", "ns", "dune", R"({"status":{"retained":false}})", true);
        return std::nullopt;
    };
    server_.remove("Book", "ns", "dune");
    wait(60s);
    EXPECT_FALSE(once);
    EXPECT_EQ(stands("dune"), "False Reconciling BackendUnreachable");
}

TEST_F(RetainedTest, NobodyGoesWhileACallIsUnderWay) {
    kept("dune");
    stop();
    start();  // of an earlier run something may still land
    wait(5s);
    server_.remove("Book", "ns", "dune");
    wait(4s);
    EXPECT_EQ(stands("dune"), "False Reconciling BackendUnreachable");
    wait(5s);
    EXPECT_EQ(stands("dune"), "gone") << "it has landed by now";
    EXPECT_EQ(events("Retained"), 1);
}

}  // namespace
}  // namespace ocim::test
