#include "messaging/text.hpp"
#include "unit/messaging/sample.hpp"

#include <gtest/gtest.h>
#include <functional>

/// Topic permissions, limits of users, policies, and passwords given as a hash.
namespace ocim::messaging {
namespace {

using Kind = Key::Kind;
using Object = crd::RabbitMQVhost;
using Texts = std::vector<std::string>;

const std::string given_hash = "gorcczAgQs60dVDaFI1x5sKCira/hx5ops6Q7ipRqv2tD69d";

Object declared() {
    auto out = test::full(test::vhost());
    out.spec.users[1].password_ref.reset();
    out.spec.users[1].password_hash_ref = {"given", "hash"};
    return out;
}
runtime::Inputs inputs(const std::string& hash = given_hash) {
    auto out = test::inputs();
    out.add(test::secret("campus", "given", {{"hash", hash}}));
    return out;
}

/// What is there after these, if nothing fails.
void carry_out(Snapshot& things, const std::vector<Action>& actions) {
    for (const auto& action : actions) {
        if (action.verb == Action::Verb::delete_) {
            things.erase(action.key);
            for (const auto& key : action.gone_too) things.erase(key);
            continue;
        }
        auto& thing = things[action.key] = action.thing;
        if (!action.password) continue;
        thing.algorithm = hash_algorithm;
        thing.hash = hash_of(*action.password, "salt");
    }
}
Snapshot in_sync() {
    Snapshot out;
    carry_out(out, Vhost::diff(declared(), inputs(), out));
    return out;
}
Texts texts(const std::vector<Action>& actions) {
    Texts out;
    for (const auto& action : actions) out.push_back(Vhost::describe(action));
    return out;
}

const Key topic{Kind::topic, "/demo", "demo-consumer"}, channels{Kind::user_limit, "", "demo-provider", "max-channels"},
    policy{Kind::policy, "/demo", "bounded"}, host{Kind::vhost, "/demo", ""}, consumer{Kind::user, "", "demo-consumer"};

TEST(RabbitMQRights, AreMadeWithTheirUsers) {
    EXPECT_EQ(texts(Vhost::diff(declared(), inputs(), {})),
              (Texts{"create vhost /demo", "create limit max-connections of /demo: 100",
                     R"(create policy bounded of /demo: {"max-length":1000,"overflow":"reject-publish"})",
                     "create user demo-provider", "create limit max-connections of user demo-provider: 10",
                     "create limit max-channels of user demo-provider: 20",
                     "create permission of demo-provider on /demo: .* .* .*", "create user demo-consumer",
                     "create topic permissions of demo-consumer on /demo; amq.topic: ^$ ^course\\.",
                     "create permission of demo-consumer on /demo: ^$ ^$ ^celery"}));
    EXPECT_TRUE(Vhost::diff(declared(), inputs(), in_sync()).empty());
}

TEST(RabbitMQRights, DiffTable) {
    const struct {
        const char* reason;
        std::function<void(Object&, Snapshot&)> change;
        Texts actions;
    } cases[] = {
        {"topic permissions were widened",
         [](Object&, Snapshot& s) { s[topic].topics["amq.topic"].write = ".*"; },
         {"update topic permissions of demo-consumer on /demo; amq.topic: ^$ ^course\\."}},
        {"of an exchange that nobody named: the broker takes no single one, so it is opened, and nothing is cleared",
         [](Object&, Snapshot& s) { s[topic].topics["other"] = {"", ""}; },
         {"update topic permissions of demo-consumer on /demo; amq.topic: ^$ ^course\\.; other: .* .*"}},
        {"one that was opened so stays as it is",
         [](Object&, Snapshot& s) { s[topic].topics["other"] = {".*", ".*"}; },
         {}},
        {"they are gone",
         [](Object&, Snapshot& s) { s.erase(topic); },
         {"create topic permissions of demo-consumer on /demo; amq.topic: ^$ ^course\\."}},
        {"none are wanted any more",
         [](Object& o, Snapshot&) { o.spec.users[1].topic_permissions.clear(); },
         {"delete topic permissions of demo-consumer on /demo"}},
        {"in another vhost",
         [](Object&, Snapshot& s) { s[{Kind::topic, "/", "demo-consumer"}].topics["x"]; },
         {"delete topic permissions of demo-consumer on /"}},
        {"of another user: left alone",
         [](Object&, Snapshot& s) { s[{Kind::topic, "/demo", "boss"}].topics["x"]; },
         {}},
        {"another limit of a user",
         [](Object&, Snapshot& s) { s[channels].limit = 1; },
         {"update limit max-channels of user demo-provider: 20"}},
        {"no limit is wanted",
         [](Object& o, Snapshot&) { o.spec.users[0].limits.reset(); },
         {"delete limit max-connections of user demo-provider", "delete limit max-channels of user demo-provider"}},
        {"a policy was changed",
         [](Object&, Snapshot& s) { s[policy].policy.priority = 9; },
         {R"(update policy bounded of /demo: {"max-length":1000,"overflow":"reject-publish"})"}},
        {"a policy is gone",
         [](Object&, Snapshot& s) { s.erase(policy); },
         {R"(create policy bounded of /demo: {"max-length":1000,"overflow":"reject-publish"})"}},
        {"a policy of ours was taken out of the list",
         [](Object& o, Snapshot&) { o.spec.policies.clear(); },
         {"delete policy bounded of /demo"}},
        {"the same, and it is gone: its note goes",
         [](Object& o, Snapshot& s) {
             o.spec.policies.clear();
             s.erase(policy);
         },
         {"update vhost /demo"}},
        {"what the status remembers of a policy proves nothing",
         [](Object& o, Snapshot& s) {
             o.status.policies = {"theirs"};
             s[{Kind::policy, "/demo", "theirs"}];
         },
         {}},
        {"somebody else's policy of a wanted name: nothing at all is done",
         [](Object&, Snapshot& s) {
             s[host].policies.clear();
             s[policy].policy.priority = 9;
             s[channels].limit = 1;
         },
         {}},
        {"the same, and it may be taken over",
         [](Object& o, Snapshot& s) {
             o.spec.adoption_policy = Object::Spec::AdoptionPolicy::adopt;
             s[host].policies.clear();
             s[policy].policy.priority = 9;
         },
         {"update vhost /demo", R"(update policy bounded of /demo: {"max-length":1000,"overflow":"reject-publish"})"}},
        {"an earlier version named no policies at the vhost: what the status remembers and the spec wants is ours",
         [](Object& o, Snapshot& s) {
             o.status.policies = {"bounded", "theirs"};
             s[host].policies.clear();
             s[policy].policy.priority = 9;
             s[{Kind::policy, "/demo", "theirs"}];
         },
         {"update vhost /demo", R"(update policy bounded of /demo: {"max-length":1000,"overflow":"reject-publish"})"}},
        {"a vhost that names policies names all of them: nothing at all is done",
         [](Object& o, Snapshot& s) {
             o.status.policies = {"bounded"};
             s[host].policies = {"another"};
             s[channels].limit = 1;
         },
         {}},
        {"the vhost is a former object's, so the status is of another vhost: nothing at all is done",
         [](Object& o, Snapshot& s) {
             o.status.policies = {"bounded"};
             s[host].mark->uid = "uid-0";
             s[host].mark->retained = true;
             s[host].policies.clear();
         },
         {}},
        {"the policies of a vhost that may be taken over come with it",
         [](Object& o, Snapshot& s) {
             o.spec.adoption_policy = Object::Spec::AdoptionPolicy::adopt;
             o.spec.policies.clear();
             s[host].mark->uid = "uid-0";
         },
         {"update vhost /demo", "delete policy bounded of /demo"}},
        {"what names policies and is nobody's names none of ours",
         [](Object& o, Snapshot& s) {
             o.spec.adoption_policy = Object::Spec::AdoptionPolicy::adopt;
             o.spec.policies.clear();
             s[host].mark.reset();
         },
         {"update vhost /demo"}},
        {"one that is not there yet is noted before it is made",
         [](Object&, Snapshot& s) {
             s[host].policies.clear();
             s.erase(policy);
         },
         {"update vhost /demo", R"(create policy bounded of /demo: {"max-length":1000,"overflow":"reject-publish"})"}},
        {"somebody else's policy: left alone", [](Object&, Snapshot& s) { s[{Kind::policy, "/demo", "theirs"}]; }, {}},
        {"another hash", [](Object&, Snapshot& s) { s[consumer].hash = "AAAA"; }, {"update user demo-consumer"}},
        {"the same by another algorithm",
         [](Object&, Snapshot& s) { s[consumer].algorithm = "rabbit_password_hashing_sha512"; },
         {"update user demo-consumer"}},
    };
    for (const auto& c : cases) {
        auto object = declared();
        auto seen = in_sync();
        c.change(object, seen);
        const auto actions = Vhost::diff(object, inputs(), seen);
        EXPECT_EQ(texts(actions), c.actions) << c.reason;
        for (const auto& action : actions) EXPECT_FALSE(action.password) << "nobody knows it";
        carry_out(seen, actions);
        carry_out(seen, Vhost::diff(object, inputs(), seen));  // the note of what is gone goes last
        EXPECT_TRUE(Vhost::diff(object, inputs(), seen).empty()) << c.reason;
    }
}

TEST(RabbitMQRights, GoWithWhatTheyBelongTo) {
    const auto seen = in_sync();
    const auto actions = Vhost::remove(declared(), "lab", seen);
    ASSERT_EQ(actions.size(), 3u);
    Snapshot left = seen;
    carry_out(left, actions);
    EXPECT_TRUE(left.empty());
}

TEST(RabbitMQRights, AreTold) {
    auto object = declared();
    auto seen = in_sync();
    EXPECT_EQ(Vhost::report(object, inputs(), seen).status.policies, Texts{"bounded"});
    auto anothers = seen;
    anothers[host].policies.clear();
    const auto not_owned = Vhost::report(object, inputs(), anothers);
    EXPECT_EQ(not_owned.verdict.reason, "NotOwned");
    EXPECT_NE(not_owned.verdict.message.find("policy bounded"), std::string::npos) << not_owned.verdict.message;
    EXPECT_EQ(not_owned.status.policies, Texts{});
    object.status.policies = {"bounded"};
    const auto migrated = Vhost::report(object, inputs(), anothers);
    EXPECT_EQ(migrated.verdict.reason, "OutOfSync") << "made by an earlier version";
    EXPECT_EQ(migrated.status.policies, Texts{"bounded"}) << "still remembered, if naming it fails";
    object.spec.policies.clear();
    EXPECT_EQ(Vhost::report(object, inputs(), seen).status.policies, Texts{"bounded"}) << "until it is gone";
    seen.erase(policy);
    EXPECT_EQ(Vhost::report(object, inputs(), seen).status.policies, Texts{});
    const auto verdict = Vhost::report(declared(), inputs("no hash"), in_sync()).verdict;
    EXPECT_EQ(verdict.reason, "InvalidPasswordHash") << verdict.message;
    EXPECT_EQ(verdict.message.find("no hash"), std::string::npos) << "what a Secret holds is not shown";
    EXPECT_EQ(Vhost::generates(declared()).size(), 1u) << "a hash is not drawn";
    auto both = declared();
    both.spec.users[1].password_ref = {"a", "b"};
    both.spec.users[1].rotation.emplace();
    EXPECT_EQ(Vhost::admit(both, nullptr, inputs()).size(), 2u);
}

}  // namespace
}  // namespace ocim::messaging
