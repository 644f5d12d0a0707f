#include "integration/storage/swift_store.hpp"

/// StorageContainers in a real Swift.
namespace ocim::storage {
namespace {

using test::SwiftStore;

TEST_F(SwiftStore, KeepsTheContract) {
    ocim::test::ContractCase<Container> given;
    given.object = full;
    given.changed = changed;
    given.adopting = adopting;
    given.stranger = [this](int n) { (void)server.call("PUT", "/campus-site" + std::to_string(n)); };
    ocim::test::run_contract(visit, given);
}

TEST_F(SwiftStore, GivesTheRightsThatAreDeclared) {
    auto object = test::container();
    visit.must(visit.wanted(object));
    const auto put = [&](const std::string& user, const std::string& key) {
        return server.call_as(user, key, "PUT", "/campus-site1/x", {}, "text");
    };
    EXPECT_TRUE(answers(put("tester", "testing"), "201"));
    EXPECT_TRUE(answers(put("tenant", "tenant"), "403"));
    EXPECT_TRUE(answers(server.call_as_anybody("GET", "/campus-site1/x"), "401"));
    object.spec.writers = {server.user("tenant")};
    visit.must(visit.wanted(object));
    EXPECT_TRUE(answers(put("tenant", "tenant"), "201"));
    EXPECT_TRUE(answers(server.call_as("tenant", "tenant", "GET", "/campus-site1"), "200"));
    object.spec.writers.clear();
    object.spec.public_read = Spec::PublicRead::objects;
    visit.must(visit.wanted(object));
    EXPECT_TRUE(answers(put("tenant", "tenant"), "403"));
    EXPECT_TRUE(answers(server.call_as_anybody("GET", "/campus-site1/x"), "200"));
    EXPECT_TRUE(answers(server.call_as_anybody("GET", "/campus-site1"), "401")) << "no listing";
    object.spec.public_read = Spec::PublicRead::objects_and_listing;
    visit.must(visit.wanted(object));
    EXPECT_TRUE(answers(server.call_as_anybody("GET", "/campus-site1"), "200"));
}

TEST_F(SwiftStore, PutsDriftRight) {
    const auto object = full(1);
    visit.must(visit.wanted(object));
    const struct {
        const char *reason, *method, *header;
    } cases[] = {
        {"ACL gone", "POST", "X-Remove-Container-Read: x"},
        {"ACL widened", "POST", "X-Container-Read: .r:*,.rlistings"},
        {"somebody else may write", "POST", "X-Container-Write: other:tester"},
        {"CORS gone", "POST", "X-Remove-Container-Meta-Access-Control-Allow-Origin: x"},
        {"versioning suspended", "POST", "X-Versions-Enabled: false"},
        {"container gone", "DELETE", "X-Nothing: x"},
    };
    for (const auto& c : cases) {
        SCOPED_TRACE(c.reason);
        const auto reply = server.call(c.method, "/campus-site1", {c.header});
        ASSERT_TRUE(answers(reply, "204")) << reply;
        const auto actions = visit.wanted(object);
        EXPECT_FALSE(actions.empty()) << "not seen";
        visit.must(actions);
        EXPECT_TRUE(visit.ready(object)) << visit.report(object).verdict.message;
    }
    auto retained = object;
    retained.spec.deletion_policy = Spec::DeletionPolicy::retain;
    visit.must(visit.wanted(retained, true));
    EXPECT_TRUE(visit.wanted(retained, true).empty());
    auto next = object;
    next.metadata.uid = "its-successor";
    visit.must(visit.wanted(next));
    EXPECT_TRUE(visit.ready(next)) << "the next of that name finds it again";
}

TEST_F(SwiftStore, LooksAlikeAreLeftAlone) {
    const std::string meta = "X-Container-Meta-Ocim-";
    const std::vector<std::vector<std::string>> cases{
        {meta + "Installation: other", meta + "Namespace: campus", meta + "Name: site1", meta + "Uid: uid-1"},
        {meta + "Installation: lab"},
        {meta + "Installation: lab", meta + "Namespace: campus", meta + "Name: site1", meta + "Uid: uid-1"}};
    for (int n = 1; n <= 3; ++n) {
        SCOPED_TRACE(n == 1 ? "another installation's" : n == 2 ? "half a mark" : "another object's");
        ASSERT_TRUE(answers(server.call("PUT", "/campus-site" + std::to_string(n), cases[static_cast<unsigned>(n) - 1]),
                            "201"));
        EXPECT_TRUE(visit.wanted(test::container(n)).empty());
        EXPECT_EQ(visit.report(test::container(n)).verdict.reason, "NotOwned");
        EXPECT_TRUE(visit.wanted(test::container(n), true).empty());
    }
}

TEST_F(SwiftStore, EmptiesOnRequestOnly) {
    for (const bool versioning : {false, true}) {
        SCOPED_TRACE(versioning ? "with versions" : "without");
        auto object = test::container();
        object.spec.versioning = versioning;
        visit.must(visit.wanted(object));
        for (const std::string name : {"a", "b/c%3Fd", "a"})
            ASSERT_TRUE(answers(server.call("PUT", "/campus-site1/" + name, {}, "text"), "201"));
        const auto refused = visit.act(visit.wanted(object, true));
        ASSERT_TRUE(refused.at(0) && !*refused[0]);
        EXPECT_EQ((*refused[0]).error().error_class, ErrorClass::conflict);
        EXPECT_TRUE(answers(server.call("GET", "/campus-site1/a"), "200")) << "nothing was deleted";
        object.spec.empty_on_delete = true;
        visit.must(visit.wanted(object, true));
        EXPECT_TRUE(answers(server.call("HEAD", "/campus-site1"), "404"));
    }
}

TEST_F(SwiftStore, WrongCredentialsAreAuth) {
    given = {{"username", server.user()}, {"password", "wrong-password"}};
    const auto opened = open();
    const auto seen = loop.run(opened->observe());
    ASSERT_FALSE(seen);
    EXPECT_EQ(seen.error().error_class, ErrorClass::auth) << seen.error().message;
    EXPECT_EQ(seen.error().message.find("wrong-password"), std::string::npos);
}

/// At full scale 1,000 of them.
TEST_F(SwiftStore, ManyTakeABoundedNumberOfCalls) {
    const int count = test::scaled(25, 1000);
    loop.set_limit(std::chrono::hours(1));
    std::vector<crd::StorageContainer> objects;
    for (int n = 0; n < count; ++n) objects.push_back(full(n));
    auto counted = [this, before = 0]() mutable { return front.turns() - std::exchange(before, front.turns()); };
    (void)counted();
    visit.succeed(visit.wanted(objects));
    const auto made = counted();
    (void)visit.see();
    const auto again = counted();
    std::cout << count << " containers: " << made << " calls to make, " << again << " to look";
    EXPECT_LE(made, count * 2 + 8) << "a look and a PUT each";
    EXPECT_LE(again, 2 + 20) << "two pages, and those whose turn it is";
    visit.succeed(visit.wanted(objects, true));
    const auto deleted = counted();
    std::cout << ", " << deleted << " to delete\n";
    EXPECT_LE(deleted, count * 2 + 22) << "a look and a DELETE each";
}

}  // namespace
}  // namespace ocim::storage
