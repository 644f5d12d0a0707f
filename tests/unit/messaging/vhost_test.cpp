#include "messaging/text.hpp"
#include "unit/messaging/sample.hpp"

#include <gtest/gtest.h>
#include <functional>

namespace ocim::messaging {
namespace {

using test::inputs;
using test::vhost;
using Kind = Key::Kind;
using Object = crd::RabbitMQVhost;
using runtime::Mark;
using runtime::Verdict;
using Texts = std::vector<std::string>;

const Mark ours{"lab", "campus/demo", "uid-1", false};
const Key host{Kind::vhost, "/demo", ""}, provider{Kind::user, "", "demo-provider"},
    consumer{Kind::user, "", "demo-consumer"}, provider_rights{Kind::permission, "/demo", "demo-provider"},
    consumer_rights{Kind::permission, "/demo", "demo-consumer"}, connections{Kind::limit, "/demo", "max-connections"};

Thing marked() {
    Thing out;
    out.mark = ours;
    return out;
}
Thing user(const std::string& password) {
    auto out = marked();
    out.algorithm = hash_algorithm;
    out.hash = hash_of(Secret(password), "salt");
    return out;
}
Thing rights(const char* configure, const char* write, const char* read) {
    Thing out;
    out.permission = {configure, write, read};
    return out;
}
Thing limit(std::int64_t value) {
    Thing out;
    out.limit = value;
    return out;
}
/// A broker on which vhost() is as declared.
Snapshot in_sync() {
    return {{host, marked()},
            {provider, user("p'\"\\ä 日本")},
            {consumer, user("second")},
            {provider_rights, rights(".*", ".*", ".*")},
            {consumer_rights, rights("^$", "^$", "^celery")},
            {{Kind::permission, "/demo", "admin"}, rights(".*", ".*", ".*")},  // who made the vhost
            {connections, limit(100)}};
}
Texts texts(const std::vector<Action>& actions) {
    Texts out;
    for (const auto& action : actions) out.push_back(Vhost::describe(action));
    return out;
}

TEST(RabbitMQVhost, DiffTable) {
    const struct {
        const char* reason;
        std::function<void(Object&, Snapshot&)> change;
        Texts actions;
    } cases[] = {
        {"as declared", [](Object&, Snapshot&) {}, {}},
        {"nothing there",
         [](Object&, Snapshot& s) { s.clear(); },
         {"create vhost /demo", "create limit max-connections of /demo: 100", "create user demo-provider",
          "create permission of demo-provider on /demo: .* .* .*", "create user demo-consumer",
          "create permission of demo-consumer on /demo: ^$ ^$ ^celery"}},
        {"another password",
         [](Object&, Snapshot& s) { s[consumer] = user("else"); },
         {"update user demo-consumer: password"}},
        {"the password was removed",
         [](Object&, Snapshot& s) { s[consumer].hash = ""; },
         {"update user demo-consumer: password"}},
        {"somebody made it an administrator",
         [](Object&, Snapshot& s) { s[consumer].tags = {"administrator"}; },
         {"update user demo-consumer"}},
        {"tags that are asked for",
         [](Object& o, Snapshot& s) {
             o.spec.users[1].tags = {Object::Spec::User::Tag::monitoring};
             s[consumer].tags = {"monitoring"};
         },
         {}},
        {"permissions were widened",
         [](Object&, Snapshot& s) { s[consumer_rights].permission.write = ".*"; },
         {"update permission of demo-consumer on /demo: ^$ ^$ ^celery"}},
        {"permissions elsewhere",
         [](Object&, Snapshot& s) { s[{Kind::permission, "/", "demo-consumer"}] = rights(".*", ".*", ".*"); },
         {"delete permission of demo-consumer on /"}},
        {"another limit",
         [](Object&, Snapshot& s) { s[connections].limit = 5; },
         {"update limit max-connections of /demo: 100"}},
        {"a limit that nobody wants",
         [](Object&, Snapshot& s) { s[{Kind::limit, "/demo", "max-queues"}] = limit(0); },
         {"delete limit max-queues of /demo"}},
        {"limits of another vhost", [](Object&, Snapshot& s) { s[{Kind::limit, "/x", "max-queues"}] = limit(0); }, {}},
        {"a user was taken out of the list",
         [](Object& o, Snapshot&) { o.spec.users.pop_back(); },
         {"delete user demo-consumer"}},
        {"the same, and data is kept: a log-in is no data",
         [](Object& o, Snapshot& s) {
             o.spec.users.pop_back();
             o.spec.deletion_policy = Object::Spec::DeletionPolicy::retain;
             for (auto& [key, thing] : s)
                 if (thing.mark) thing.mark->retained = true;
         },
         {"delete user demo-consumer"}},
        {"from now on it stays: it says so while there is time",
         [](Object& o, Snapshot&) { o.spec.deletion_policy = Object::Spec::DeletionPolicy::retain; },
         {"update vhost /demo", "update user demo-provider", "update user demo-consumer"}},
        {"retained by a former object of this name",
         [](Object&, Snapshot& s) {
             s[host].mark = Mark{"lab", "campus/demo", "uid-0", true};
             s[provider].mark = s[host].mark;
         },
         {"update vhost /demo", "update user demo-provider"}},
        {"the description was wiped: it is nobody's now", [](Object&, Snapshot& s) { s[host].mark.reset(); }, {}},
        {"the same, and it may be adopted",
         [](Object& o, Snapshot& s) {
             o.spec.adoption_policy = Object::Spec::AdoptionPolicy::adopt;
             s[host].mark.reset();
         },
         {"update vhost /demo"}},
        {"another object's user",
         [](Object&, Snapshot& s) { s[consumer].mark = Mark{"lab", "x/y", "uid-9", false}; },
         {}},
        {"the account we use is nobody's to adopt",
         [](Object& o, Snapshot& s) {
             o.spec.adoption_policy = Object::Spec::AdoptionPolicy::adopt;
             s[consumer].mark.reset();
             s[consumer].reserved = true;
         },
         {}},
    };
    for (const auto& c : cases) {
        auto object = vhost();
        auto seen = in_sync();
        c.change(object, seen);
        EXPECT_EQ(texts(Vhost::diff(object, inputs(), seen)), c.actions) << c.reason;
    }
}

TEST(RabbitMQVhost, RemoveTable) {
    const struct {
        const char* reason;
        std::function<void(Object&, Snapshot&)> change;
        Texts actions;
    } cases[] = {
        {"users before the vhost",
         [](Object&, Snapshot&) {},
         {"delete user demo-consumer", "delete user demo-provider", "delete vhost /demo"}},
        {"kept",
         [](Object& o, Snapshot&) { o.spec.deletion_policy = Object::Spec::DeletionPolicy::retain; },
         {"update user demo-consumer", "update user demo-provider", "update vhost /demo"}},
        {"kept, and marked so already",
         [](Object& o, Snapshot& s) {
             o.spec.deletion_policy = Object::Spec::DeletionPolicy::retain;
             for (auto& [key, thing] : s)
                 if (thing.mark) thing.mark->retained = true;
         },
         {}},
        {"no longer to be kept, and nobody has said so yet",
         [](Object&, Snapshot& s) {
             for (auto& [key, thing] : s)
                 if (thing.mark) thing.mark->retained = true;
         },
         {"delete user demo-consumer", "delete user demo-provider", "delete vhost /demo"}},
        {"retained by a former object of this name",
         [](Object&, Snapshot& s) {
             for (auto& [key, thing] : s)
                 if (thing.mark) thing.mark = Mark{"lab", "campus/demo", "uid-0", true};
         },
         {}},
        {"strangers' things",
         [](Object&, Snapshot& s) {
             for (auto& [key, thing] : s) thing.mark.reset();
         },
         {}},
    };
    for (const auto& c : cases) {
        auto object = vhost();
        auto seen = in_sync();
        c.change(object, seen);
        const auto actions = Vhost::remove(object, "lab", seen);
        EXPECT_EQ(texts(actions), c.actions) << c.reason;
        for (const auto& action : actions) {
            if (action.verb == Action::Verb::put) EXPECT_TRUE(action.thing.mark->retained) << c.reason;
            EXPECT_FALSE(action.password) << "its hash stays";
        }
    }
    const auto gone = Vhost::remove(vhost(), "lab", in_sync()).back().gone_too;
    EXPECT_EQ(gone.size(), 4u) << "permissions and limits go with the vhost";
}

TEST(RabbitMQVhost, ReportTable) {
    const struct {
        const char* reason;
        std::function<void(Object&, Snapshot&)> change;
        Verdict::State state;
        std::string said;
    } cases[] = {
        {"as declared", [](Object&, Snapshot&) {}, Verdict::State::ready, "InSync"},
        {"on its way", [](Object&, Snapshot& s) { s.clear(); }, Verdict::State::progressing, "OutOfSync"},
        {"not on every node yet", [](Object&, Snapshot& s) { s[host].running = false; }, Verdict::State::progressing,
         "Starting"},
        {"not ours", [](Object&, Snapshot& s) { s[host].mark.reset(); }, Verdict::State::stalled, "NotOwned"},
        {"no password", [](Object& o, Snapshot&) { o.spec.users[0].password_ref->key = "nothing"; },
         Verdict::State::progressing, "PasswordMissing"},
        {"the broker's own", [](Object& o, Snapshot&) { o.spec.vhost = "/"; }, Verdict::State::stalled, "InvalidSpec"},
    };
    for (const auto& c : cases) {
        auto object = vhost();
        auto seen = in_sync();
        c.change(object, seen);
        const auto verdict = Vhost::report(object, inputs(), seen).verdict;
        EXPECT_EQ(verdict.state, c.state) << c.reason;
        EXPECT_EQ(verdict.reason, c.said) << c.reason;
    }
    const auto said = Vhost::report(vhost(), inputs(), in_sync()).status;
    EXPECT_EQ(said.vhost, "/demo");
    EXPECT_EQ(said.users, (Texts{"demo-consumer", "demo-provider"}));
    EXPECT_EQ(said.password_secrets,
              (Texts{"demo-provider: demo-rabbit/provider", "demo-consumer: demo-rabbit/consumer"}));
    EXPECT_EQ(said.retained, false);
    auto kept = vhost();
    kept.spec.deletion_policy = Object::Spec::DeletionPolicy::retain;
    EXPECT_EQ(Vhost::report(kept, inputs(), in_sync()).status.retained, false) << "the marks do not say so yet";
    auto seen = in_sync();
    for (auto& [key, thing] : seen)
        if (thing.mark) thing.mark->retained = true;
    EXPECT_EQ(Vhost::report(kept, inputs(), seen).status.retained, true);
}

TEST(RabbitMQVhost, RefusesAtWriteTimeAndSaysWhatItNeeds) {
    auto object = vhost();
    EXPECT_TRUE(Vhost::admit(object, nullptr, inputs()).empty());
    EXPECT_EQ(Vhost::needs(object), (std::vector<runtime::Reference>{{api::secret_kind, "campus", "demo-rabbit"}}));
    EXPECT_EQ(Vhost::generates(object).size(), 2u);
    EXPECT_EQ(Vhost::claims(object),
              (std::vector<runtime::Claim>{{"messaging/rabbit1/vhost//demo", "spec.vhost"},
                                           {"messaging/rabbit1/user/demo-provider", "spec.users[0].name"},
                                           {"messaging/rabbit1/user/demo-consumer", "spec.users[1].name"}}));
    object.spec.users[1].name = "demo-provider";
    object.spec.vhost = "/";
    EXPECT_EQ(Vhost::admit(object, nullptr, inputs()),
              (std::vector<api::Cause>{
                  {"FieldValueInvalid", "Invalid value: \"/\": is the broker's own", "spec.vhost"},
                  {"FieldValueInvalid", "Invalid value: \"demo-provider\": comes twice", "spec.users[1].name"}}));
    for (const auto& item : Vhost::marked(in_sync())) EXPECT_FALSE(item.sweepable) << "messages are data";
}

}  // namespace
}  // namespace ocim::messaging
