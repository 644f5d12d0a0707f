#include "database/mongodb_commands.hpp"
#include "integration/database/mongodb.hpp"
#include "net/tls.hpp"
#include "support/cut.hpp"
#include "support/scripted_peer.hpp"

#include <chrono>
#include <iostream>

/// A MongoDB in trouble, a replica set, one that is held to its certificate, and one with many tenants.
namespace ocim::database {
namespace {

using namespace std::chrono_literals;
using ocim::test::Visitor;
using test::mongodb_object;
using test::mongodb_tenant;
using test::Object;

class MongoDBInTrouble : public test::WithMongoDB {
protected:
    explicit MongoDBInTrouble(ocim::test::MongoDB::Settings settings = {.password = "admin's"})
        : WithMongoDB(settings) {}
};

TEST_F(MongoDBInTrouble, IsSaidByItsClass) {
    auto system = open();
    auto visit = visitor(*system);
    const auto object = mongodb_tenant(1);
    ASSERT_TRUE(loop.run(system->probe()));
    const auto actions = visit.wanted(object);

    server.service->stop();
    EXPECT_EQ(visit.look().error().error_class, ErrorClass::unreachable);
    EXPECT_EQ(loop.run(system->probe()).error().error_class, ErrorClass::unreachable);
    for (const auto& answer : visit.act(actions)) EXPECT_EQ(answer->error().error_class, ErrorClass::unreachable);
    server.start();
    ASSERT_TRUE(loop.run(system->probe())) << "recovery is automatic";
    visit.must(visit.wanted(object));

    server.service->freeze();
    const auto began = loop.clock().now();
    EXPECT_EQ(loop.run(system->probe()).error().error_class, ErrorClass::unreachable);
    EXPECT_LT(loop.clock().now() - began, 50s) << "promised are 5 s, the runtime's limit for a probe";
    server.service->thaw();

    server.run("admin", "{'updateUser':'ocim','pwd':'new'}");
    const auto refused = loop.run(system->probe());
    EXPECT_EQ(refused.error().error_class, ErrorClass::auth) << refused.error().message;
    EXPECT_EQ(refused.error().message.find("admin's"), std::string::npos) << "no password in a message";
    runtime::Inputs changed;
    changed.add(test::secret("ocim-system", "admin", {{"username", "ocim"}, {"password", "new"}}));
    auto renewed = Tenant::open(mongodb_object(server.port()), changed, services);
    ASSERT_TRUE(renewed);
    EXPECT_TRUE(loop.run((*renewed)->probe())) << "the Secret's new password is used";
}

TEST_F(MongoDBInTrouble, TakesNoAnswerOfTheServersForAbsence) {
    auto system = open();
    auto visit = visitor(*system);
    const auto object = mongodb_tenant(1);
    visit.must(visit.wanted(object));
    const auto actions = visit.wanted(object, true);
    const struct {
        const char* reason;
        const char* fault;
        ErrorClass is;
    } cases[] = {
        {"it may not see users", "{'match':'usersInfo','code':13,'times':9}", ErrorClass::auth},
        {"it may not see databases", "{'match':'listDatabases','code':13,'times':9}", ErrorClass::auth},
        {"it may not see our notes", "{'match':'find','code':13,'times':9}", ErrorClass::auth},
        {"too many requests", "{'match':'usersInfo','code':16500,'times':9}", ErrorClass::rate_limited},
        {"too many requests, as newer ones say", "{'match':'find','code':462,'times':9}", ErrorClass::rate_limited},
        {"no primary", "{'match':'listDatabases','code':10107,'times':9}", ErrorClass::transient},
        {"it is shutting down", "{'match':'usersInfo','code':11600,'times':9}", ErrorClass::transient},
        {"it took too long", "{'match':'find','code':50,'times':9}", ErrorClass::transient},
        {"it hangs up", "{'match':'usersInfo','kind':'drop','times':9}", ErrorClass::unreachable},
    };
    for (const auto& c : cases) {
        SCOPED_TRACE(c.reason);
        server.fault(c.fault);
        const auto seen = visit.look();
        ASSERT_FALSE(seen) << "what is not known is not absent";
        EXPECT_EQ(seen.error().error_class, c.is) << seen.error().message;
        server.no_faults();
        EXPECT_TRUE(visit.ready(object));
    }
    server.run("admin", "{'updateUser':'ocim','roles':[{'role':'readWrite','db':'ocim_meta'}]}");
    const auto seen = visit.look();
    ASSERT_FALSE(seen) << "an account that sees nothing must not say that nothing is there";
    EXPECT_EQ(seen.error().error_class, ErrorClass::auth) << seen.error().message;
    for (const auto& answer : visit.act(actions)) EXPECT_EQ(answer->error().error_class, ErrorClass::auth);
}

TEST_F(MongoDBInTrouble, DoesNotRepeatWhatItSent) {
    auto system = open();
    runtime::Inputs secret;
    secret.installation = "lab";
    secret.add(test::secret("tools", "passwords", {{"owner", "verysecretindeed"}, {"reader", "second"}}));
    Visitor<Tenant> again{loop, *system, secret};
    const auto object = mongodb_tenant(1);
    for (const std::string words :
         {"Unknown field in command { createUser: x, pwd: verysecretindeed }", "wrong password verysecretindeed"}) {
        server.fault("{'match':'createUser','code':9,'errmsg':\"" + words + "\"}");
        for (const auto& answer : again.act(again.wanted(object)))
            if (!*answer) EXPECT_EQ(answer->error().message.find("verysecret"), std::string::npos);
        server.no_faults();
    }
    again.must(again.wanted(object));
}

TEST_F(MongoDBInTrouble, SaysWhatIsDoneButNotConfirmed) {
    auto system = open();
    auto visit = visitor(*system);
    const auto object = mongodb_tenant(1);
    server.fault("{'match':'createUser','kind':'concern','after':true}");
    const auto answers = visit.act(visit.wanted(object));
    EXPECT_EQ(
        std::ranges::count_if(answers, [](const auto& answer) { return !*answer && answer->error().outcome_unknown; }),
        1);
    visit.must(visit.wanted(object));
    EXPECT_TRUE(visit.ready(object));
}

TEST_F(MongoDBInTrouble, EndsACallThatIsNotAnswered) {
    auto system = open();
    auto visit = visitor(*system);
    mongodb::ConnectionSettings settings = client("ocim", "admin", "admin's");
    settings.reply_seconds = 1;
    auto opened = mongodb::Connection::open(settings);
    ASSERT_TRUE(opened);
    server.fault("{'match':'listDatabases','kind':'stall'}");
    const auto began = std::chrono::steady_clock::now();
    const auto answer = (*opened)->run("admin", mongodb::read_databases());
    ASSERT_FALSE(answer);
    EXPECT_EQ(answer.error().error_class, ErrorClass::unreachable) << answer.error().message;
    EXPECT_TRUE(answer.error().outcome_unknown);
    EXPECT_LT(std::chrono::steady_clock::now() - began, 30s) << "promised is 1 s";
    server.no_faults();
}

TEST_F(MongoDBInTrouble, TakesNobodyElseForAServer) {
    const struct {
        const char* reason;
        std::string text;
    } cases[] = {{"another protocol", "SSH-2.0-OpenSSH_9.2\r\n"},
                 {"zeros", std::string(4096, '\0')},
                 {"a message of 2 GB that never comes", "\xff\xff\xff\x7f" + std::string(12, '\1')},
                 {"half a header", std::string("\x40\0\0\0", 4)},
                 {"silence", ""}};
    for (const auto& c : cases) {
        ocim::test::ScriptedPeer peer([&](ocim::test::RawSocket& socket, int) {
            socket.send(c.text);
            socket.closes_within(2s);
        });
        auto system = open(mongodb_object(peer.port()));
        ASSERT_TRUE(system);
        const auto began = loop.clock().now();
        const auto probed = loop.run((*system)->probe());
        ASSERT_FALSE(probed) << c.reason;
        EXPECT_EQ(probed.error().error_class, ErrorClass::unreachable) << c.reason << ": " << probed.error().message;
        EXPECT_LT(loop.clock().now() - began, 50s) << c.reason << ": promised are 5 s";
    }
}

TEST_F(MongoDBInTrouble, ConvergesWhicheverAnswerIsLost) {
    const auto object = mongodb_tenant(1);
    auto direct = open();
    auto look = visitor(*direct);
    const auto sweep = [&](bool deleting) {
        bool cut_one = true;
        int lost = 1;
        for (; cut_one && lost < 200; ++lost) {
            SCOPED_TRACE((deleting ? "deleting, answer " : "creating, answer ") + std::to_string(lost));
            if (deleting) look.must(look.wanted(object));
            const auto actions = look.wanted(object, deleting);
            ocim::test::Cut cut(server.port(), lost);
            auto opened = open(mongodb_object(cut.port()));
            auto through = visitor(**opened);
            for (const auto& answer : through.act(actions)) ASSERT_TRUE(answer);
            cut_one = cut.happened();
            for (int visits = 0; visits < 3; ++visits) look.act(look.wanted(object, deleting));
            EXPECT_TRUE(look.wanted(object, deleting).empty());
            if (!deleting) EXPECT_TRUE(look.ready(object)) << look.report(object).verdict.message;
            if (!deleting) look.must(look.wanted(object, true));
            EXPECT_TRUE(Tenant::marked(look.see()).empty()) << "something is left";
            EXPECT_EQ(server.users(), "");
        }
        EXPECT_GT(lost, 10);
        EXPECT_FALSE(cut_one) << "there are more answers than were lost";
    };
    sweep(false);
    sweep(true);
}

TEST_F(MongoDBInTrouble, DoesNotTakeADatabaseThatSomebodyMadeMeanwhile) {
    auto system = open();
    auto visit = visitor(*system);
    const auto object = mongodb_tenant(1);
    server.fault("{'match':'update','kind':'drop'}");  // noted, and nothing said yet
    visit.act(visit.wanted(object));
    server.no_faults();
    server.run("sb_1", "{'insert':'t','documents':[{'_id':'theirs'}]}");
    visit.act(visit.wanted(object));
    EXPECT_EQ(visit.report(object).verdict.reason, "NotOwned");
    for (const auto& action : visit.wanted(object, true))
        EXPECT_NE(action.key.kind, Key::Kind::schema) << "it is not dropped with the object";
    EXPECT_EQ(server.users(), "sb_1@admin") << "nobody of ours belongs to what is another's";
    EXPECT_TRUE(server.order("{}").at("data").get_object().contains("sb_1"));
}

TEST_F(MongoDBInTrouble, ReadsInPartsWhatDoesNotFitIntoAnAnswer) {
    auto system = open();
    auto visit = visitor(*system);
    std::vector<Object> objects;
    for (int n = 0; n < 20; ++n) objects.push_back(mongodb_tenant(n));
    visit.must(visit.wanted(objects));
    const auto whole = visit.see();
    server.set("{'reply_max':6000}");
    const auto before = server.commands();
    EXPECT_TRUE(visit.see() == whole) << "nobody is lost and nobody comes twice";
    EXPECT_GT(server.commands() - before, 5) << "it came in parts";
    server.set("{'batch_max':3}");
    EXPECT_TRUE(visit.see() == whole) << "the notes, too";
    const auto removal = visit.wanted(objects[0], true);
    visit.must(removal);
    server.set("{'reply_max':1500}");
    std::vector<Action> removals;
    for (std::size_t n = 1; n < objects.size(); ++n)
        for (auto& action : Tenant::remove(objects[n], "lab", whole)) removals.push_back(std::move(action));
    for (const auto& answer : visit.act(removals)) ASSERT_TRUE(answer && *answer) << answer->error().message;
    EXPECT_EQ(server.users(), "") << "also where a few are looked up";
    visit.must(visit.wanted(objects));
    server.set("{'reply_max':10}");
    const auto seen = visit.look();
    ASSERT_FALSE(seen);
    EXPECT_EQ(seen.error().error_class, ErrorClass::transient) << seen.error().message;
}

TEST_F(MongoDBInTrouble, NobodyStandsForWhatIsAnothersFault) {
    auto system = open();
    auto visit = visitor(*system);
    std::vector<Object> objects;
    for (int n = 0; n < 8; ++n) objects.push_back(mongodb_tenant(n));
    server.fault("{'match':'insert','about':'sb_5','code':9,'times':99}");
    const auto actions = visit.wanted(objects);
    const auto answers = visit.act(actions);
    for (std::size_t i = 0; i < actions.size(); ++i) {
        ASSERT_TRUE(answers[i]);
        const bool culprit = actions[i].mark.namespace_name == "tools/wiki5";
        EXPECT_EQ(!*answers[i], culprit) << Tenant::describe(actions[i]);
        if (!*answers[i]) EXPECT_EQ(answers[i]->error().error_class, ErrorClass::invalid);
    }
    server.no_faults();
    visit.must(visit.wanted(objects));
}

TEST_F(MongoDBInTrouble, WhatIsWrittenInPartIsNotDone) {
    auto system = open();
    auto visit = visitor(*system);
    const auto object = mongodb_tenant(1);
    server.fault("{'match':'update','kind':'write_error','code':11602}");
    int failed = 0;
    for (const auto& answer : visit.act(visit.wanted(object))) failed += *answer ? 0 : 1;
    EXPECT_GE(failed, 1) << "the note was not settled";
    server.no_faults();
    visit.must(visit.wanted(object));
    EXPECT_TRUE(visit.ready(object));
    server.fault("{'match':'delete','kind':'write_error','code':11602}");
    failed = 0;
    for (const auto& answer : visit.act(visit.wanted(object, true))) failed += *answer ? 0 : 1;
    EXPECT_EQ(failed, 1) << "the note is still there";
    EXPECT_FALSE(Tenant::marked(visit.see()).empty());
    visit.must(visit.wanted(object, true));
    EXPECT_TRUE(Tenant::marked(visit.see()).empty());
}

TEST_F(MongoDBInTrouble, TakesAFewCommandsForManyTenants) {
    constexpr int count = 50;
    auto system = open();
    auto visit = visitor(*system);
    std::vector<Object> objects;
    for (int n = 0; n < count; ++n) objects.push_back(mongodb_tenant(n));
    const auto actions = visit.wanted(objects);
    EXPECT_EQ(actions.size(), 5u * count) << "a database, two accounts, two rights each";
    auto before = server.commands();
    visit.act(actions);
    const auto created = server.commands() - before;
    before = server.commands();
    const auto seen = visit.see();
    const auto looked = server.commands() - before;
    EXPECT_EQ(looked, 3) << "one look, whatever the number";
    for (const auto& object : objects)
        ASSERT_TRUE(Tenant::diff(object, visit.inputs(), seen).empty()) << object.metadata.name;
    const auto removal = visit.wanted(objects, true);
    before = server.commands();
    visit.act(removal);
    const auto removed = server.commands() - before;
    std::cout << "per 1,000 tenants: create " << created * 1000 / count << ", look " << looked << ", delete "
              << removed * 1000 / count << " commands\n";
    EXPECT_GE(created, 5 * count) << "the count counts";
    EXPECT_LE(created, 8 * count + 8) << "three an account, one a right";
    EXPECT_LE(removed, 7 * count + 8);
    EXPECT_TRUE(Tenant::marked(visit.see()).empty());
}

class MongoDBReplicaSet : public MongoDBInTrouble {
protected:
    MongoDBReplicaSet() : MongoDBInTrouble({.password = "admin's", .replica_set = "rs0", .members = 3}) {}
};

TEST_F(MongoDBReplicaSet, IsFollowedToItsPrimary) {
    auto object = mongodb_object(server.ports[2]);  // of three members one is known, which is not the primary
    object.spec.mongodb->replica_set = "rs0";
    object.spec.mongodb->tls.mode = crd::DatabaseServer::Spec::Mongodb::Tls::Mode::disabled;
    auto system = *open(object);
    auto visit = visitor(*system);
    visit.must(visit.wanted(mongodb_tenant(1)));
    EXPECT_TRUE(visit.ready(mongodb_tenant(1)));

    server.set("{'primary':1}");
    for (int tries = 0; tries < 5 && !visit.look(); ++tries) {}
    visit.must(visit.wanted(mongodb_tenant(2)));
    EXPECT_TRUE(visit.ready(mongodb_tenant(2))) << "the set has elected another";

    object.spec.mongodb->replica_set = "another";
    auto wrong = *open(object);
    EXPECT_EQ(loop.run(wrong->probe()).error().error_class, ErrorClass::unreachable);
    object.spec.mongodb->replica_set.reset();
    auto secondary = *open(object);
    const auto seen = loop.run(secondary->observe());
    ASSERT_FALSE(seen) << "who is not the primary may be behind";
}

class MongoDBWithTls : public MongoDBInTrouble {
protected:
    MongoDBWithTls() : MongoDBInTrouble(certificates()) {}
    static ocim::test::MongoDB::Settings certificates() {
        ca = *net::make_ca("test", now());
        net::CertificateRequest request;
        request.common_name = "localhost";
        request.dns_names = {"localhost"};
        request.server = true;
        const auto own = net::issue_certificate(ca, request, now());
        ocim::test::write_file(files.file("cert"), own->certificate);
        ocim::test::write_file(files.file("key"), own->private_key.reveal());
        return {.password = "admin's", .certificate = files.file("cert"), .key = files.file("key")};
    }
    static WallTime now() { return ocim::test::RealLoop().clock().wall(); }
    inline static net::KeyPair ca;
    inline static ocim::test::TempDir files;
};

TEST_F(MongoDBWithTls, IsHeldToItsCertificate) {
    using Mode = crd::DatabaseServer::Spec::Mongodb::Tls::Mode;
    inputs.add(test::secret("ocim-system", "authorities", {{"ca.crt", ca.certificate}}));
    const auto other = net::make_ca("other", now());
    inputs.add(test::secret("ocim-system", "others", {{"ca.crt", other->certificate}}));
    const struct {
        const char* reason;
        const char* host;
        std::optional<Mode> mode;
        const char* authorities;
        std::optional<ErrorClass> fails;
    } cases[] = {
        {"as it should be", "localhost", Mode::verify_identity, "authorities", {}},
        {"a certificate for another name", "127.0.0.1", Mode::verify_identity, "authorities", ErrorClass::unreachable},
        {"another authority", "localhost", Mode::verify_identity, "others", ErrorClass::unreachable},
        {"the system's authorities", "localhost", Mode::verify_identity, "", ErrorClass::unreachable},
        {"encrypted only", "127.0.0.1", Mode::required, "", {}},
        {"in the clear", "127.0.0.1", Mode::disabled, "", ErrorClass::unreachable},
        {"the default of a loopback address", "127.0.0.1", {}, "", ErrorClass::unreachable},
    };
    for (const auto& c : cases) {
        auto object = mongodb_object(server.port());
        object.spec.mongodb->hosts = {std::string(c.host) + ":" + std::to_string(server.port())};
        object.spec.mongodb->tls.mode = c.mode;
        if (*c.authorities != '\0') object.spec.mongodb->tls.ca_ref = api::LocalRef{c.authorities};
        auto opened = open(object);
        ASSERT_TRUE(opened) << c.reason << ": " << opened.error().message;
        const auto seen = loop.run((*opened)->observe());
        EXPECT_EQ(seen ? std::nullopt : std::optional(seen.error().error_class), c.fails)
            << c.reason << ": " << (seen ? "it works" : seen.error().message);
    }
}

}  // namespace
}  // namespace ocim::database
