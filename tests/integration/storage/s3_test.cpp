#include "base/async.hpp"
#include "integration/storage/visit.hpp"
#include "support/http_relay.hpp"

/// StorageContainers at an S3 service that holds us to its rules.
namespace ocim::storage {
namespace {

struct HasService {
    ocim::test::S3Service server;
};

class S3Store : HasService, public test::StoreTest {
protected:
    S3Store() : StoreTest(HasService::server.port) {}
    ~S3Store() override { EXPECT_EQ(server.violations(), "[]"); }
    using HasService::server;

    crd::ObjectStore declared() const override {
        crd::ObjectStore out;
        out.spec.s3.emplace().endpoint = front.url() + "/";
        out.spec.s3->region = "eu-test-1";
        return out;
    }
    std::map<std::string, std::string> credentials() const override {
        return {{"accessKey", "AKIAOURS"}, {"secretKey", "our/secret+key"}};
    }
    std::unique_ptr<Store> store = open();
    ocim::test::Visitor<Container> visit = visitor(*store);
};

TEST_F(S3Store, KeepsTheContract) {
    ocim::test::ContractCase<Container> given;
    given.object = full;
    given.changed = changed;
    given.adopting = adopting;
    given.stranger = [this](int n) { (void)server.order("{'make':['campus-site" + std::to_string(n) + "']}"); };
    given.refused = [] {
        Action out;
        out.key = {"Not_A_Bucket"};
        out.fresh = true;
        out.thing.mark = test::mark(99);
        return out;
    };
    ocim::test::run_contract(visit, given);
}

TEST_F(S3Store, GivesTheRightsThatAreDeclared) {
    auto object = test::container();
    object.spec.readers = {"arn:aws:iam::1:user/reader"};
    object.spec.writers = {"arn:aws:iam::1:user/site"};
    visit.must(visit.wanted(object));
    EXPECT_TRUE(visit.ready(object));
    EXPECT_EQ(server.of("campus-site1", "policy").find("\"*\""), std::string::npos) << "nobody else";
    visit.must(visit.wanted(changed(test::container())));
    EXPECT_EQ(server.of("campus-site1", "policy"), "null");
}

TEST_F(S3Store, PutsDriftRightAndKeepsTagsOfOthers) {
    const auto object = full(1);
    visit.must(visit.wanted(object));
    const struct {
        const char *reason, *order;
    } cases[] = {
        {"policy gone", "{'set':{'campus-site1':{'policy':null}}}"},
        {"policy widened",
         "{'set':{'campus-site1':{'policy':{'Version':'2012-10-17','Statement':[{'Effect':'Allow','Principal':'*',"
         "'Action':['s3:PutObject'],'Resource':['arn:aws:s3:::campus-site1/*']}]}}}}"},
        {"CORS gone", "{'set':{'campus-site1':{'cors':null}}}"},
        {"CORS changed", "{'set':{'campus-site1':{'cors':[['AllowedOrigin','*'],['AllowedMethod','GET']]}}}"},
        {"versioning suspended", "{'set':{'campus-site1':{'versioning':'Suspended'}}}"},
        {"bucket gone", "{'remove':['campus-site1']}"},
    };
    for (const auto& c : cases) {
        SCOPED_TRACE(c.reason);
        (void)server.order(c.order);
        const auto actions = visit.wanted(object);
        EXPECT_FALSE(actions.empty()) << "not seen";
        visit.must(actions);
        EXPECT_TRUE(visit.ready(object)) << visit.report(object).verdict.message;
    }
    auto tags = server.of("campus-site1", "tags");
    tags.pop_back();
    (void)server.order("{'set':{'campus-site1':{'tags':" + tags + ",'team':'blue'}}}}");
    auto retained = object;
    retained.spec.deletion_policy = Spec::DeletionPolicy::retain;
    visit.must(visit.wanted(retained, true));
    EXPECT_NE(server.of("campus-site1", "tags").find("blue"), std::string::npos);
    EXPECT_NE(server.of("campus-site1", "tags").find("ocim-retained"), std::string::npos);
    auto next = object;
    next.metadata.uid = "its-successor";
    visit.must(visit.wanted(next));
    EXPECT_TRUE(visit.ready(next)) << "the next of that name finds it again";
    EXPECT_EQ(server.of("campus-site1", "tags").find("ocim-retained"), std::string::npos);
}

TEST_F(S3Store, EmptiesOnRequestOnly) {
    auto object = full(1);
    visit.must(visit.wanted(object));
    (void)server.order(
        "{'page':2,'set':{'campus-site1':{'versions':[['a&<b>','v1',false],['a&<b>','v2',true],['ü','null',false],"
        "['c','v1',false],['d','v1',false]]}}}");
    auto answers = visit.act(visit.wanted(object, true));
    ASSERT_TRUE(answers.at(0) && !*answers[0]);
    EXPECT_EQ((*answers[0]).error().error_class, ErrorClass::conflict);
    EXPECT_NE((*answers[0]).error().message.find("emptyOnDelete"), std::string::npos);
    EXPECT_NE(server.of("campus-site1", "versions"), "[]") << "nothing was deleted";
    object.spec.empty_on_delete = true;
    visit.must(visit.wanted(object, true));
    EXPECT_EQ(server.of("campus-site1", "owner"), "");
}

TEST_F(S3Store, LooksAlikeAreLeftAlone) {
    (void)server.order(
        "{'make':['campus-site1','campus-site2','campus-site3'],'set':{"
        "'campus-site1':{'tags':{'ocim-installation':'other','ocim-namespace':'campus','ocim-name':"
        "'site1','ocim-uid':'uid-1'}},'campus-site2':{'tags':{'ocim-installation':'lab'}}}}");
    for (int n = 1; n <= 3; ++n) {
        EXPECT_TRUE(visit.wanted(test::container(n)).empty()) << n;
        EXPECT_EQ(visit.report(test::container(n)).verdict.reason, "NotOwned") << n;
        EXPECT_TRUE(visit.wanted(test::container(n), true).empty()) << n;
    }
}

TEST_F(S3Store, ALostReplyIsFoundAgain) {
    for (const std::string query : {"", "tagging", "policy", "cors", "versioning"}) {
        SCOPED_TRACE("after the effect of: " + query);
        (void)server.order("{'faults':[{'method':'PUT','query':'" + query + "','lose':true}]}");
        const auto object = full(1);
        const auto answers = visit.act(visit.wanted(object));
        // all but the making of the bucket may be repeated, and is, by who holds the connections
        EXPECT_TRUE(answers.at(0) && (!query.empty() || !*answers[0]));
        visit.must(visit.wanted(object));
        EXPECT_TRUE(visit.ready(object)) << visit.report(object).verdict.message;
        visit.must(visit.wanted(object, true));
        EXPECT_EQ(server.of("campus-site1", "owner"), "");
    }
}

TEST_F(S3Store, WhatWasMadeAndNotMarkedIsStillOurs) {
    for (const bool deleting : {false, true}) {
        SCOPED_TRACE(deleting ? "and then deleted" : "and then marked");
        (void)server.order("{'faults':[{'method':'PUT','query':'tagging','status':500}]}");
        const auto object = full(1);
        const auto answers = visit.act(visit.wanted(object));
        ASSERT_TRUE(answers.at(0) && !*answers[0]);
        ASSERT_EQ(server.of("campus-site1", "tags"), "{}");
        visit.must(visit.wanted(object, deleting));
        EXPECT_EQ(visit.ready(object), !deleting);
        visit.must(visit.wanted(object, true));
        EXPECT_EQ(server.of("campus-site1", "owner"), "") << "left behind without a mark";
    }
    (void)server.order("{'make':['campus-site1']}");
    EXPECT_EQ(visit.report(full(1)).verdict.reason, "NotOwned") << "what somebody makes there later is his";
}

awaitable<void> until_kept(const ocim::test::HttpRelay& relay, Clock& clock) {
    Signal never;
    while (relay.kept() == 0) co_await never.wait_until(clock, clock.now() + Duration(20));
}

TEST_F(S3Store, WhatWasBeingMadeWhenWeWereCutOffIsOurs) {
    struct Nobody final : Results {
        void set(std::size_t, Result<Done>) override {}
    } nobody;
    using ocim::test::Trouble;
    ocim::test::HttpRelay relay(server.port);
    front.say(relay.script());
    const auto object = full(1);
    auto actions = visit.wanted(object);
    relay.expect({Trouble::What::keep, "PUT", "campus-site1"});
    TaskGroup group(loop.executor());
    auto making = store->act(std::move(actions), nobody);
    group.spawn("making a bucket", std::move(making));
    loop.run(until_kept(relay, loop.clock()));
    loop.run(group.stop());
    ASSERT_EQ(server.of("campus-site1", "tags"), "{}") << "it was made, and not marked";
    visit.must(visit.wanted(object));
    EXPECT_TRUE(visit.ready(object)) << visit.report(object).verdict.message;
    (void)server.order("{'set':{'campus-site1':{'tags':{}}}}");
    EXPECT_EQ(visit.report(object).verdict.reason, "NotOwned") << "it was marked once: the tags alone count then";
    front.open();
}

TEST_F(S3Store, WhatIsRefusedIsNotOurs) {
    (void)server.order("{'faults':[{'method':'PUT','query':'','status':403,'code':'AccessDenied'}]}");
    const auto object = full(1);
    const auto answers = visit.act(visit.wanted(object));
    ASSERT_TRUE(answers.at(0) && !*answers[0]);
    (void)server.order("{'make':['campus-site1']}");
    EXPECT_EQ(visit.report(object).verdict.reason, "NotOwned") << "somebody else made it";
}

TEST_F(S3Store, OursThatMayNotBeLookedAtIsUnknown) {
    const auto object = full(1);
    visit.must(visit.wanted(object));
    const char* deny =
        "{'faults':[{'method':'GET','path':'/campus-site1','query':'tagging','status':403,'code':'AccessDenied',"
        "'times':999}]}";
    (void)server.order(deny);
    const auto fresh = open();  // remembers nothing
    auto later = visitor(*fresh);
    for (auto* who : {&visit, &later}) {
        SCOPED_TRACE(who == &later ? "after a restart" : "in the same run");
        EXPECT_EQ(who->report(object).verdict.reason, "Unknown");
        EXPECT_TRUE(who->wanted(object).empty());
        const auto removal = who->wanted(object, true);
        ASSERT_FALSE(removal.empty()) << "nothing to do would let the object go and leave the bucket";
        const auto answers = who->act(removal);
        ASSERT_TRUE(answers.at(0) && !*answers[0]);
        EXPECT_NE(answers[0]->error().message.find("may not look at it"), std::string::npos);
        EXPECT_FALSE(who->wanted(object, true).empty());
    }
    (void)server.order("{'clearFaults':true}");
    later.succeed(later.wanted(object, true));  // a look, and what it shows
    later.must(later.wanted(object, true));
    EXPECT_EQ(server.of("campus-site1", "owner"), "");
}

TEST_F(S3Store, TagsThatCannotBeReadAreNotReplaced) {
    auto object = full(1);
    visit.must(visit.wanted(object));
    auto tags = server.of("campus-site1", "tags");
    tags.pop_back();
    (void)server.order("{'set':{'campus-site1':{'tags':" + tags + ",'team':'blue'}}}}");
    object.spec.deletion_policy = Spec::DeletionPolicy::retain;
    const auto actions = visit.wanted(object, true);
    (void)server.order("{'faults':[{'method':'GET','query':'tagging','skip':1,'status':403,'code':'AccessDenied'}]}");
    const auto answers = visit.act(actions);
    ASSERT_TRUE(answers.at(0) && !*answers[0]) << "it came to be locked between the look and the write";
    EXPECT_EQ(answers[0]->error().error_class, ErrorClass::conflict) << answers[0]->error().message;
    EXPECT_NE(server.of("campus-site1", "tags").find("blue"), std::string::npos);
}

TEST_F(S3Store, AListThatIsNotWholeIsUnknown) {
    using ocim::test::Trouble;
    ocim::test::HttpRelay relay(server.port);
    front.say(relay.script());
    const std::string head = "<ListAllMyBucketsResult><Buckets><Bucket>",
                      tail = "</Bucket></Buckets></ListAllMyBucketsResult>";
    for (const std::string bucket : {"<Name/>", "<CreationDate>2026-01-01T00:00:01.000Z</CreationDate>"}) {
        SCOPED_TRACE(bucket);
        relay.expect({Trouble::What::answer, "GET", "/", ocim::test::http_reply("200 OK", "", head + bucket + tail)});
        const auto seen = visit.look();
        ASSERT_FALSE(seen) << "a bucket without a name";
        EXPECT_EQ(seen.error().error_class, ErrorClass::unreachable);
        EXPECT_NE(seen.error().message.find("without a name"), std::string::npos) << seen.error().message;
    }
    front.open();
}

TEST_F(S3Store, APolicyThatIsRefusedSaysWhy) {
    const struct {
        const char* code;
        ErrorClass error_class;
        bool is_public;
    } cases[] = {{"AccessDenied", ErrorClass::invalid, true}, {"SignatureDoesNotMatch", ErrorClass::auth, false}};
    int n = 1;
    for (const auto& c : cases) {
        SCOPED_TRACE(c.code);
        (void)server.order("{'faults':[{'method':'PUT','query':'policy','status':403,'code':'" + std::string(c.code) +
                           "'}]}");
        const auto answers = visit.act(visit.wanted(full(n++)));
        ASSERT_TRUE(answers.at(0) && !*answers[0]);
        EXPECT_EQ(answers[0]->error().error_class, c.error_class) << answers[0]->error().message;
        EXPECT_EQ(answers[0]->error().message.find("publicRead") != std::string::npos, c.is_public);
    }
}

TEST_F(S3Store, OneThatFailsLeavesTheOthersAlone) {
    const auto object = full(1), other = full(2);
    visit.must(visit.wanted(std::vector{object, other}));
    const auto fresh = open();  // remembers nothing
    auto later = visitor(*fresh);
    (void)server.order(
        "{'make':['campus-strange'],'faults':["
        "{'method':'GET','path':'/campus-site1','query':'tagging','status':500,'times':4},"
        "{'method':'GET','path':'/campus-strange','query':'tagging','status':500,'times':4}]}");
    EXPECT_TRUE(later.ready(other));
    EXPECT_EQ(later.report(object).verdict.reason, "Unknown");
    EXPECT_TRUE(later.wanted(object).empty()) << "unknown is not absent";
    const auto state = server.order("{}");
    for (const auto& fault : state.at("faults").get_array())
        EXPECT_EQ(fault.at("times").to_number<int>(), 1) << "each look meets each of them";
    (void)server.order("{'clearFaults':true}");
    EXPECT_TRUE(later.ready(object));
    (void)server.order("{'remove':['campus-strange']}");
    std::vector<crd::StorageContainer> many;
    for (int n = 10; n < 30; ++n) many.push_back(full(n));
    later.succeed(later.wanted(many));
    const auto third = open();
    (void)server.order("{'faults':[{'method':'GET','query':'tagging','status':500,'times':99}]}");
    const auto seen = loop.run(third->observe());
    ASSERT_FALSE(seen) << "all of them fail: it is the account's trouble";
    EXPECT_EQ(seen.error().error_class, ErrorClass::transient);
    (void)server.order("{'clearFaults':true}");
}

TEST_F(S3Store, RefusalsSayWhoCanHelp) {
    const struct {
        const char *reason, *order;
        std::map<std::string, std::string> key;
        ErrorClass error_class;
        const char* says;
    } cases[] = {
        {"unknown key",
         "{}",
         {{"accessKey", "AKIANOBODY"}, {"secretKey", "x"}},
         ErrorClass::auth,
         "InvalidAccessKeyId"},
        {"wrong secret",
         "{}",
         {{"accessKey", "AKIAOURS"}, {"secretKey", "x"}},
         ErrorClass::auth,
         "SignatureDoesNotMatch"},
        {"wrong clock", "{'skew':3600}", {}, ErrorClass::auth, "clock"},
        {"too fast",
         "{'skew':0,'faults':[{'status':503,'code':'SlowDown','headers':{'Retry-After':'7'}}]}",
         {},
         ErrorClass::rate_limited,
         "SlowDown"},
        {"broken", "{'faults':[{'status':500}]}", {}, ErrorClass::transient, "500"},
    };
    for (const auto& c : cases) {
        SCOPED_TRACE(c.reason);
        (void)server.order(c.order);
        given = c.key;
        const auto opened = open();
        const auto seen = loop.run(opened->observe());
        ASSERT_FALSE(seen);
        EXPECT_EQ(seen.error().error_class, c.error_class) << seen.error().message;
        EXPECT_NE(seen.error().message.find(c.says), std::string::npos) << seen.error().message;
        EXPECT_EQ(seen.error().message.find("our/secret"), std::string::npos);
    }
    (void)server.order("{'clearFaults':true,'owner':'AKIATHEIRS','make':['campus-site1']}");
    const auto answers = visit.act(visit.wanted(test::container(1)));
    ASSERT_TRUE(answers.at(0) && !*answers[0]) << "a name that another customer has";
    EXPECT_EQ((*answers[0]).error().error_class, ErrorClass::conflict) << "locked";
}

/// At full scale 1,000 of them.
TEST_F(S3Store, ManyTakeABoundedNumberOfCalls) {
    const auto count = static_cast<std::size_t>(test::scaled(100, 1000));
    std::vector<crd::StorageContainer> objects;
    for (int n = 0; n < static_cast<int>(count); ++n) objects.push_back(full(n));
    (void)server.calls();
    visit.succeed(visit.wanted(objects));
    const auto made = server.calls();
    (void)visit.see();
    const auto looked = server.calls();
    (void)visit.see();
    const auto again = server.calls();
    std::cout << count << " buckets: " << made << " calls to make, " << looked << " and " << again << " to look\n";
    EXPECT_LE(made, count * 6 + 2) << "a look, the bucket, its mark and three settings each";
    EXPECT_LE(again, 1U + 20 * 4) << "the list, and those whose turn it is";
    visit.succeed(visit.wanted(objects, true));
    const auto deleted = server.calls();
    std::cout << "and " << deleted << " to delete\n";
    EXPECT_LE(deleted, count * 5 + 1 + 80) << "a look of four calls and a DELETE each";
    EXPECT_TRUE(Container::marked(visit.see()).empty());
}

}  // namespace
}  // namespace ocim::storage
