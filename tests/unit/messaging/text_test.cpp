#include "messaging/text.hpp"

#include <gtest/gtest.h>

namespace ocim::messaging {
namespace {

using Kind = Key::Kind;
const runtime::Mark ours{"lab", "campus/demo", "uid-1", false};

TEST(RabbitMQText, EncodesEverySegmentOfAPath) {
    const struct {
        Key key;
        const char* path;
    } cases[] = {
        {{Kind::vhost, "/demo", ""}, "/api/vhosts/%2Fdemo"},
        {{Kind::vhost, "a/../b?c#d%2F e", ""}, "/api/vhosts/a%2F..%2Fb%3Fc%23d%252F%20e"},
        {{Kind::user, "", "us&er"}, "/api/users/us%26er"},
        {{Kind::permission, "/", "a"}, "/api/permissions/%2F/a"},
        {{Kind::limit, "/demo", "max-queues"}, "/api/vhost-limits/%2Fdemo/max-queues"},
        {{Kind::topic, "/demo", "a"}, "/api/topic-permissions/%2Fdemo/a"},
        {{Kind::user_limit, "", "a/b", "max-channels"}, "/api/user-limits/a%2Fb/max-channels"},
        {{Kind::policy, "/demo", "a b"}, "/api/policies/%2Fdemo/a%20b"},
    };
    for (const auto& c : cases) EXPECT_EQ(path_of(c.key), c.path);
}

TEST(RabbitMQText, MarksSurviveTheWayThroughTags) {
    auto retained = ours;
    retained.retained = true;
    const std::string long_name(253, 'n');
    for (const auto& mark : {ours, retained, runtime::Mark{"lab", "ns/" + long_name, "u", false},
                             runtime::Mark{"lab", "clusterwide", "u", false}}) {
        auto tags = tags_of(mark);
        for (const auto& tag : tags) EXPECT_LE(tag.size(), 255u) << "the broker's atoms are no longer";
        tags.insert("management");
        EXPECT_EQ(take_mark(tags), mark);
        EXPECT_EQ(tags, std::set<std::string>{"management"});
    }
    std::set<std::string> foreign{"i=lab", "u=uid-1", "n=demo", "administrator"};
    EXPECT_EQ(take_mark(foreign), std::nullopt) << "without our word it is somebody else's";
    EXPECT_EQ(foreign.size(), 4u) << "and stays as it is";
    std::set<std::string> half{"ocim", "i=lab"};
    EXPECT_EQ(take_mark(half), std::nullopt);
}

TEST(RabbitMQText, HashesAsTheBrokerDoes) {
    // made by a broker for the password "x"
    Thing user;
    user.algorithm = hash_algorithm;
    user.hash = "gorcczAgQs60dVDaFI1x5sKCira/hx5ops6Q7ipRqv2tD69d";
    EXPECT_TRUE(fits(user, Secret("x")));
    EXPECT_FALSE(fits(user, Secret("X")));
    EXPECT_FALSE(fits(user, Secret("")));
    user.hash = hash_of(Secret("p'\"ä"), "salt");
    EXPECT_TRUE(fits(user, Secret("p'\"ä")));
    user.algorithm = "rabbit_password_hashing_md5";
    EXPECT_FALSE(fits(user, Secret("p'\"ä"))) << "an old method is replaced";
    for (const auto* hash : {"", "not base64!", "AAAA"}) {
        user = {};
        user.algorithm = hash_algorithm;
        user.hash = hash;
        EXPECT_FALSE(fits(user, Secret(""))) << hash;
    }
}

TEST(RabbitMQText, KnowsAHash) {
    const auto of = [](const std::string& text) { return read_hash(Secret(text)); };
    const std::string hash = "gorcczAgQs60dVDaFI1x5sKCira/hx5ops6Q7ipRqv2tD69d";
    EXPECT_EQ(of(hash), (PasswordHash{hash, std::string(hash_algorithm)}));
    EXPECT_EQ(of(hash + "\n"), of(hash)) << "as a file has it";
    const std::string longer(92, 'A');  // of 4 + 64 bytes
    EXPECT_EQ(of(longer.substr(0, 91) + "="),
              (PasswordHash{longer.substr(0, 91) + "=", "rabbit_password_hashing_sha512"}));
    for (const auto* text : {"", "secret", "AAAA", "not base64!"}) EXPECT_EQ(of(text), std::nullopt) << text;
}

TEST(RabbitMQText, TakesOnlyTheBrokersWordForAbsence) {
    EXPECT_TRUE(says_not_there(R"({"error":"Object Not Found","reason":"Not Found"})"));
    EXPECT_TRUE(says_not_there(R"({"error":"not_found","reason":"vhost_not_found"})"));
    for (const auto* body : {"", "<html>404</html>", "{}", R"({"error":"x"})", "404 page not found"})
        EXPECT_FALSE(says_not_there(body)) << body;
}

TEST(RabbitMQText, NeverWritesWithoutWhatAPutWouldWipe) {
    Thing vhost;
    vhost.mark = ours;
    EXPECT_EQ(api::to_text(body_of({Kind::vhost, "/demo", ""}, vhost)),
              R"({"description":"i=lab o=campus/demo u=uid-1","tags":"ocim"})");
    Thing user;
    user.mark = ours;
    user.tags = {"management"};
    user.hash = "aGFzaA==";
    user.algorithm = hash_algorithm;
    const auto body = body_of({Kind::user, "", "demo"}, user);
    EXPECT_EQ(api::find_text(body, {"password_hash"}), "aGFzaA==") << "without it the password is removed";
    EXPECT_EQ(api::find_text(body, {"tags"}), "i=lab,management,n=demo,ocim,s=campus,u=uid-1");
    EXPECT_EQ(api::find(body, {"password"}), nullptr);
}

TEST(RabbitMQText, ReadsTheLists) {
    Snapshot seen;
    const std::string bodies[] = {
        R"([{"name":"/","description":"Default virtual host","tags":[],"cluster_state":{"a@b":"running"}},
            {"name":"/demo","description":"i=lab o=campus/demo u=uid-1","tags":["ocim"],
             "cluster_state":{"a@b":"running","c@d":"nodedown"}}])",
        R"([{"name":"guest","password_hash":"x","hashing_algorithm":"a","tags":["administrator"],"limits":{}},
            {"name":"boss","password_hash":"","tags":["administrator"]},
            {"name":"demo","password_hash":"h","hashing_algorithm":"a","tags":["ocim","i=lab","u=uid-1","s=campus","n=demo"],
             "limits":{"max-channels":5,"max-connections":-1}}])",
        R"([{"user":"demo","vhost":"/demo","configure":"","write":"w","read":"^a\"b$"}])",
        R"([{"vhost":"/demo","value":{"max-connections":7,"max-queues":-1}},{"vhost":"/","value":[]}])",
        R"([{"user":"demo","vhost":"/demo","exchange":"amq.topic","write":"^a","read":"^b"},
            {"user":"demo","vhost":"/demo","exchange":"","write":".*","read":""}])",
        R"([{"vhost":"/demo","name":"p","pattern":"^a","apply-to":"queues","priority":3,
             "definition":{"overflow":"reject-publish","max-length":100}}])"};
    static_assert(std::size(bodies) == lists.size());
    for (std::size_t i = 0; i < lists.size(); ++i) ASSERT_TRUE(read_list(lists[i].first, bodies[i], "boss", seen));
    EXPECT_EQ(seen.at({Kind::vhost, "/demo", ""}).mark, ours);
    EXPECT_FALSE(seen.at({Kind::vhost, "/demo", ""}).running) << "one node does not run it";
    EXPECT_TRUE(seen.at({Kind::vhost, "/", ""}).reserved);
    EXPECT_TRUE(seen.at({Kind::user, "", "boss"}).reserved) << "the account we use";
    EXPECT_TRUE(seen.at({Kind::user, "", "guest"}).reserved);
    EXPECT_EQ(seen.at({Kind::user, "", "demo"}).mark, ours);
    EXPECT_EQ(seen.at({Kind::permission, "/demo", "demo"}).permission, (Permission{"", "w", "^a\"b$"}));
    EXPECT_EQ(seen.at({Kind::limit, "/demo", "max-connections"}).limit, 7);
    EXPECT_FALSE(seen.contains({Kind::limit, "/demo", "max-queues"})) << "-1 means none";
    EXPECT_EQ(seen.at({Kind::user_limit, "", "demo", "max-channels"}).limit, 5);
    EXPECT_FALSE(seen.contains({Kind::user_limit, "", "demo", "max-connections"})) << "-1 means none";
    EXPECT_EQ(seen.at({Kind::topic, "/demo", "demo"}).topics,
              (std::map<std::string, TopicPermission>{{"amq.topic", {"^a", "^b"}}, {"", {".*", ""}}}));
    const auto& policy = seen.at({Kind::policy, "/demo", "p"}).policy;
    EXPECT_EQ(policy,
              (Policy{"^a", "queues", 3, api::json::object{{"max-length", 100}, {"overflow", "reject-publish"}}}))
        << "in whatever order";
    EXPECT_EQ(seen.size(), 10u);
}

TEST(RabbitMQText, TakesNothingForGranted) {
    for (const auto& [list, path] : lists)
        for (const auto* body : {"", "<html>", "{}", "[{}]", "[1]", "[[]]", "null", R"([{"name":5}])"}) {
            Snapshot seen;
            const auto read = read_list(list, body, "boss", seen);
            ASSERT_FALSE(read) << path << ": " << body;
            EXPECT_EQ(read.error().error_class, ErrorClass::unreachable);
        }
    EXPECT_FALSE(read_one({Kind::user, "", "a"}, R"({"name":"b"})", "boss")) << "it answers for another";
}

TEST(RabbitMQText, KnowsAnAdministrator) {
    const struct {
        const char *reason, *body;
        std::optional<ErrorClass> fails;
    } cases[] = {
        {"as it is", R"({"name":"ocim","tags":["administrator","x"]})", {}},
        {"as it was before 3.9", R"({"name":"ocim","tags":"x,administrator"})", {}},
        {"the word elsewhere", R"({"name":"ocim","tags":["management"],"vhost":"administrator"})", ErrorClass::auth},
        {"part of a word", R"({"name":"ocim","tags":"administrators"})", ErrorClass::auth},
        {"no tags", R"({"name":"ocim"})", ErrorClass::auth},
        {"somebody else", R"({"name":"guest","tags":["administrator"]})", ErrorClass::unreachable},
        {"a page", "<html>", ErrorClass::unreachable},
    };
    for (const auto& c : cases) {
        const auto checked = check_whoami(c.body, "ocim");
        EXPECT_EQ(checked ? std::nullopt : std::optional(checked.error().error_class), c.fails) << c.reason;
    }
}

TEST(RabbitMQText, PutsRefusalsInWords) {
    const struct {
        const char *body, *reason;
    } cases[] = {
        {R"({"error":"bad_request","reason":"vhost_or_user_not_found"})", "vhost_or_user_not_found"},
        {R"({"error":"bad_request","reason":["invalid_regexp",[40],[[109,105],1]]})",
         "a permission is not a regular expression"},
        {R"({"error":"x"})", "without a reason"},
        {"<html>", "without a reason"},
        {"{\"reason\":\"a\\u0007b\\n\"}", "ab"},
        {R"({"reason":"Validation failed\n\n-1 is not a valid maximum length\npattern is none\n"})",
         "Validation failed; -1 is not a valid maximum length; pattern is none"},
    };
    for (const auto& c : cases) EXPECT_EQ(reason_of(c.body), c.reason);
}

}  // namespace
}  // namespace ocim::messaging
