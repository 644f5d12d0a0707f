#include "database/mongodb.hpp"
#include "api/json.hpp"
#include "database/mongodb_commands.hpp"
#include "database/mongodb_read.hpp"
#include "database/script.hpp"

#include <gtest/gtest.h>
#include <algorithm>

namespace ocim::database::mongodb {
namespace {

const Ways ways{"ocim_meta", {"SCRAM-SHA-256"}, account_key("ocim", "admin")};
const runtime::Mark self{"lab", "tools/wiki", "uid-1", false};

Json json_of(std::string text) {
    std::ranges::replace(text, '\'', '"');
    auto parsed = api::parse_json(text);
    EXPECT_TRUE(parsed) << text;
    return parsed ? std::move(parsed->value) : Json();
}
std::string text(const api::json::object& command) { return api::to_text(Json(command)); }

TEST(MongoDBCommands, AreAsTheManualHasThem) {
    const Key user{Key::Kind::user, "wiki", "%", ""}, of_database{Key::Kind::user, "wiki", "wiki_db", ""};
    const Key right{Key::Kind::grant, "wiki", "%", "wiki\\_db"}, whole{Key::Kind::grant, "wiki", "%", "*"};
    EXPECT_EQ(home_of(user), "admin");
    EXPECT_EQ(home_of(of_database), "wiki_db");
    EXPECT_EQ(account_key("wiki", "admin"), user);
    EXPECT_EQ(account_key("wiki", "wiki_db"), of_database);
    Remark remark;
    remark.mark = self;
    const std::string concern = R"("writeConcern":{"w":"majority","wtimeout":15000},"maxTimeMS":20000})";
    const std::string data = R"("customData":{"ocim":{"mark":"i=lab o=tools/wiki u=uid-1"}})";
    const struct {
        api::json::object command;
        std::string text;
    } cases[] = {
        {read_users(), R"({"usersInfo":{"forAllDBs":true},"showCredentials":true,"maxTimeMS":20000})"},
        {read_these_users({user, of_database}),
         R"({"usersInfo":[{"user":"wiki","db":"admin"},{"user":"wiki","db":"wiki_db"}],"showCredentials":true,)"
         R"("maxTimeMS":20000})"},
        {read_databases(), R"({"listDatabases":1,"nameOnly":true,"authorizedDatabases":false,"maxTimeMS":20000})"},
        {create_account(user, remark, ways),
         R"({"createUser":"wiki","roles":[],)" + data + R"(,"mechanisms":["SCRAM-SHA-256"],)" + concern},
        {close_account(user, remark), R"({"updateUser":"wiki",)" + data + R"(,"roles":[],)" + concern},
        {read_more(7), R"({"getMore":7,"collection":"owned","batchSize":50000})"},
        {add_roles(right, {"read"}),
         R"({"grantRolesToUser":"wiki","roles":[{"role":"read","db":"wiki_db"}],)" + concern},
        {take_roles(whole, {"clusterMonitor"}),
         R"({"revokeRolesFromUser":"wiki","roles":[{"role":"clusterMonitor","db":"admin"}],)" + concern},
        {strike_note("wiki_db"), R"({"delete":"owned","deletes":[{"q":{"_id":"wiki_db"},"limit":1}],)" + concern},
        {settle_notes({"a", "b"}),
         R"({"update":"owned","updates":[{"q":{"_id":{"$in":["a","b"]},"pending":true},"u":{"$unset":{"pending":""}},)"
         R"("multi":true}],)" +
             concern},
        {replace_note("a", self, remark),
         R"({"update":"owned","updates":[{"q":{"_id":"a","mark":"i=lab o=tools/wiki u=uid-1"},"u":{"$set":)"
         R"({"mark":"i=lab o=tools/wiki u=uid-1"},"$unset":{"ends":"","pending":""}}}],)" +
             concern},
        {insert_notes({note("a", remark)}),
         R"({"insert":"owned","documents":[{"_id":"a","mark":"i=lab o=tools/wiki u=uid-1"}],"ordered":false,)" +
             concern},
        {read_users_between("a", ""),
         R"({"usersInfo":{"forAllDBs":true},"showCredentials":true,"maxTimeMS":20000,"filter":{"user":{"$gte":"a"}}})"},
    };
    for (const auto& c : cases) EXPECT_EQ(text(c.command), c.text);
}

TEST(MongoDBCommands, RememberWhatIsWrittenBesideAUser) {
    Remark remark;
    remark.mark = self;
    EXPECT_EQ(parse_note(Json(note("x", remark))), remark);
    remark.fingerprint = "f00";
    remark.ends = 9'000'000'000;
    remark.closed = remark.pending = true;
    EXPECT_EQ(parse_note(Json(note("x", remark))), remark);
    const Json user(api::json::object{{"customData", custom_data(remark)}});
    EXPECT_EQ(parse_custom_data(user), remark);
    for (const auto* text : {"{}", "{'customData':null}", "{'customData':{'ocim':7}}",
                             "{'customData':{'ocim':{'mark':"
                             "'theirs'}}}",
                             "{'customData':{'ocim':{'mark':'i=lab o=a/b u=c','ends':'soon'}}}"})
        EXPECT_EQ(parse_custom_data(json_of(text)), Remark{}) << text;
}

TEST(MongoDBCommands, TellWhetherAPasswordFits) {
    // RFC 7677, section 3: what a server stores for "pencil" with this salt and 4,096 rounds
    const auto user = json_of(
        "{'userId':'77','credentials':{'SCRAM-SHA-256':{'iterationCount':4096,'salt':'W22ZaJ0SNY7soEsUEjb6gQ==',"
        "'storedKey':'WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY=','serverKey':'x'}}}");
    EXPECT_EQ(fits(user, Secret("pencil")), std::optional(true));
    EXPECT_EQ(fits(user, Secret("Pencil")), std::optional(false));
    EXPECT_EQ(fits(user, Secret("bleistift\xc3\xa4")), std::nullopt) << "it is normalized first";
    EXPECT_EQ(fits(json_of("{'userId':'77'}"), Secret("pencil")), std::nullopt) << "not shown";
    EXPECT_EQ(credentials_text(json_of("{'userId':'77'}")), "id 77");
    EXPECT_NE(credentials_text(user).find("W22ZaJ0SNY7soEsUEjb6gQ=="), std::string::npos);
    EXPECT_TRUE(has_mechanisms(json_of("{'mechanisms':['SCRAM-SHA-256']}"), ways.mechanisms));
    EXPECT_FALSE(has_mechanisms(json_of("{'mechanisms':['SCRAM-SHA-1','SCRAM-SHA-256']}"), ways.mechanisms));
    EXPECT_TRUE(has_mechanisms(json_of("{}"), ways.mechanisms)) << "a server that does not say";
}

TEST(MongoDBReading, ReadsWhatIsThere) {
    Reading reading;
    reading.databases = {"admin", "half", "theirs", "wiki", "Forum"};
    reading.notes = {json_of("{'_id':'wiki','mark':'i=lab o=tools/wiki u=uid-1'}"),
                     json_of("{'_id':'empty','mark':'i=lab o=tools/wiki u=uid-1 retained','ends':77}"),
                     json_of("{'_id':'half','mark':'i=lab o=tools/wiki u=uid-1','pending':true}"),
                     json_of("{'_id':'broken','mark':'?'}")};
    reading.users = {
        json_of("{'user':'wiki','db':'admin','userId':'1','roles':[{'role':'read','db':'wiki'},{'role':'dbOwner','db':"
                "'a_b'},{'role':'clusterMonitor','db':'admin'}],'customData':{'ocim':{'mark':"
                "'i=lab o=tools/wiki u=uid-1','print':'p','closed':true}},'mechanisms':['SCRAM-SHA-256']}"),
        json_of("{'user':'wiki','db':'wiki','userId':'2','roles':[],'customData':{'ocim':{'mark':"
                "'i=lab o=tools/wiki u=uid-1 retained','ends':77,'closed':true}}}"),
        json_of("{'user':'ocim','db':'admin','userId':'3','roles':[]}")};
    const auto seen = snapshot_of(reading, ways);
    const auto schema = [&](const std::string& name) { return seen.at({Key::Kind::schema, name, "", ""}); };
    EXPECT_EQ(engine_of(seen), Engine::mongodb);
    EXPECT_TRUE(schema("admin").reserved);
    EXPECT_EQ(schema("theirs").mark, std::nullopt);
    EXPECT_TRUE(schema("wiki").exists);
    EXPECT_FALSE(schema("wiki").reserved);
    EXPECT_TRUE(schema("forum").reserved) << "to the server it is the same as Forum, and nobody can adopt it";
    EXPECT_TRUE(schema("empty").exists) << "a database without content is not listed";
    EXPECT_EQ(schema("empty").ends, std::optional<std::int64_t>(77));
    EXPECT_FALSE(schema("half").exists);
    EXPECT_EQ(schema("broken").mark, std::nullopt) << "not ours to touch";
    const auto& account = seen.at({Key::Kind::user, "wiki", "%", ""});
    EXPECT_FALSE(account.locked) << "it has rights";
    EXPECT_EQ(account.fingerprint, "p");
    EXPECT_EQ(account.login, Thing::Login::salted);
    EXPECT_TRUE(seen.at({Key::Kind::user, "wiki", "wiki", ""}).locked);
    EXPECT_TRUE(seen.at({Key::Kind::user, "ocim", "%", ""}).reserved);
    EXPECT_EQ(seen.at({Key::Kind::grant, "wiki", "%", "a\\_b"}).privileges, std::set<std::string>{"dbOwner"});
    EXPECT_EQ(seen.at({Key::Kind::grant, "wiki", "%", "*"}).privileges, std::set<std::string>{"clusterMonitor"});
}

TEST(MongoDBReading, HalvesNamesUntilTheyAreApart) {
    const struct {
        std::string from, below;
    } cases[] = {{"", ""}, {"", "a"}, {"a", "b"}, {"sandbox_1", "sandbox_2"}, {"zz", ""}, {"\xc3\xa4", ""}};
    for (const auto& c : cases) {
        const auto middle = between(c.from, c.below);
        if (middle.empty()) continue;
        EXPECT_LT(c.from, middle);
        if (!c.below.empty()) EXPECT_LT(middle, c.below);
    }
    EXPECT_NE(between("", ""), "");
    EXPECT_NE(between("a", "b"), "");
    std::string from = "a", below = "b";  // every halving is one: none goes on for ever
    int halvings = 0;
    for (auto middle = between(from, below); !middle.empty() && halvings < 100; middle = between(from, below)) {
        from = middle;
        ++halvings;
    }
    EXPECT_GT(halvings, 20);
    EXPECT_LT(halvings, 100);
}

TEST(MongoDBSettings, AreEncryptedUnlessAllIsOnThisMachine) {
    using Tls = ConnectionSettings::Tls;
    using Mode = crd::DatabaseServer::Spec::Mongodb::Tls::Mode;
    const struct {
        std::vector<std::string> hosts;
        std::optional<std::string> replica_set;
        std::optional<Mode> mode;
        Tls tls;
    } cases[] = {
        {{"127.0.0.1"}, {}, {}, Tls::disabled},
        {{"127.8.9.1:27018", "localhost", "[::1]:27017", "[::1]"}, {}, {}, Tls::disabled},
        {{"127.0.0.1"}, "rs0", {}, Tls::verify_identity},
        {{"127.0.0.1"}, "rs0", Mode::disabled, Tls::disabled},
        {{"127.0.0.1", "192.0.2.1"}, {}, {}, Tls::verify_identity},
        {{"127.0.0.1.example.org"}, {}, {}, Tls::verify_identity},
        {{"127.example.org:27017"}, {}, {}, Tls::verify_identity},
        {{"[2001:db8::1]:27017"}, {}, {}, Tls::verify_identity},
        {{"mongo.example.org"}, {}, Mode::required, Tls::required},
    };
    for (const auto& c : cases) {
        crd::DatabaseServer server;
        auto& at = server.spec.mongodb.emplace();
        at.hosts = c.hosts;
        at.replica_set = c.replica_set;
        at.tls.mode = c.mode;
        const auto settings = mongodb_settings(server, {}, "");
        ASSERT_TRUE(settings);
        EXPECT_EQ(settings->tls, c.tls) << c.hosts.front() << " " << c.replica_set.value_or("");
    }
    crd::DatabaseServer mysql;
    for (const std::string host : {"127.0.0.1", "localhost", "::1", "127.example.org", "db"}) {
        mysql.spec.mysql.emplace().host = host;
        const auto settings = server_settings(mysql, {}, "");
        ASSERT_TRUE(settings);
        EXPECT_EQ(settings->tls == mysql::ConnectionSettings::Tls::disabled, host != "127.example.org" && host != "db")
            << host;
    }
}

TEST(MongoDBErrors, AreClassedOnce) {
    using enum ErrorClass;
    const struct {
        int code;
        ErrorClass is;
        bool unknown;
    } cases[] = {{13, auth, false},          {18, auth, false},        {16500, rate_limited, false},
                 {462, rate_limited, false}, {2, invalid, false},      {31, invalid, false},
                 {11, not_found, false},     {51003, conflict, false}, {10107, transient, false},
                 {64, transient, true},      {11600, transient, true}, {50, transient, true},
                 {112, transient, false},    {215, transient, false},  {99999, transient, false}};
    for (const auto& c : cases) {
        EXPECT_EQ(class_of(c.code), c.is) << c.code;
        EXPECT_EQ(effect_unknown(c.code), c.unknown) << c.code;
    }
}

}  // namespace
}  // namespace ocim::database::mongodb
