#include "client/remote.hpp"

#include "cli/kubeconfig.hpp"
#include "support/door.hpp"
#include "support/memory_client.hpp"
#include "support/service.hpp"
#include "support/test_loop.hpp"

#include <gtest/gtest.h>

/// The client over the network, at `ocim serve` as a process, through a door that can break.
namespace ocim::client {
namespace {

using api::Json;
using test::json;
using test::TempDir;

class Served {
public:
    Served() { wait(); }
    Access access() const {
        auto read = cli::read_kubeconfig(data_ + "/kubeconfig");
        if (!read) throw std::runtime_error(read.error().message);
        return *std::move(read);
    }
    std::uint16_t port() const { return port_; }
    void stop() { service_.stop(); }
    void kill() { service_.kill(); }
    void start() {
        service_.start();
        wait();
    }

private:
    void wait() {
        service_.wait_for_port(port_).wait_until([this] {
            const auto log = test::read_file(directory_.file("log"));
            return log.rfind("ocim is ready") != std::string::npos && test::port_answers(port_);
        });
    }
    TempDir directory_;
    const std::string data_ = directory_.file("data");
    const std::uint16_t port_ = test::free_port();
    test::Service service_{
        {.command = {OCIM_BINARY_DIR "/ocim", "serve", "--no-controllers", "--data-dir", data_, "--listen",
                     "127.0.0.1:" + std::to_string(port_), "--metrics-listen", "127.0.0.1:0"},
         .log = directory_.file("log"),
         .environment = {},
         .stop_signal = SIGTERM}};
};

class RemoteTest : public testing::Test {
protected:
    RemoteTest() {
        access.server = "https://127.0.0.1:" + std::to_string(door.port());
        RemoteSettings settings;
        settings.access = [this]() -> Result<Access> {
            ++asked;
            return refused && asked < 2 ? *refused : access;
        };
        settings.user_agent = "remote-test/1";
        settings.may_write = [this] { return leads; };
        settings.watch_silence = Duration(1'500);
        client = make_remote_client(loop.executor(), loop.clock(), metrics, pool, std::move(settings));
    }
    static Json config_map(const std::string& name, const std::string& value = "a") {
        return json("{'apiVersion':'v1','kind':'ConfigMap','metadata':{'namespace':'default','name':'" + name +
                    "'},'data':{'value':'" + value + "'}}");
    }
    Json must(awaitable<Result<Json>> work) {
        auto done = loop.run(std::move(work));
        EXPECT_TRUE(done) << (done ? "" : done.error().message);
        return done ? *std::move(done) : Json();
    }
    Error refusal(awaitable<Result<Json>> work) {
        auto done = loop.run(std::move(work));
        EXPECT_FALSE(done);
        return done ? Error{} : std::move(done).error();
    }
    Json create(const std::string& name) { return must(client->create(api::config_map_kind, config_map(name))); }
    /// The names that the next events tell of, with a sign before each.
    std::string heard(Watch& watch, std::size_t count) {
        std::string out;
        while (count > 0) {
            const auto events = loop.run(watch.next(loop.clock().now() + std::chrono::seconds(50)));
            if (!events) return out + " error: " + events.error().message;
            if (events->empty()) return out + " nothing";
            for (const auto& event : *events) {
                if (event.type == Event::Type::bookmark) continue;
                const auto sign = event.type == Event::Type::added     ? "+"
                                  : event.type == Event::Type::deleted ? "-"
                                                                       : "~";
                out += sign + std::string(api::find_text(event.object, {"metadata", "name"}));
                --count;
            }
        }
        return out;
    }

    Served server;
    test::Door door{server.port()};
    test::RealLoop loop;
    Metrics metrics;
    BlockingPool pool{loop.executor(), "blocking", 1, 16};
    Access access = server.access();
    std::optional<Access> refused;  ///< what the first look finds
    int asked = 0;
    bool leads = true;
    std::unique_ptr<Client> client;
};

TEST_F(RemoteTest, DoesWhatAClientDoes) {
    const auto made = create("one");
    EXPECT_EQ(api::find_text(made, {"kind"}), "ConfigMap");
    EXPECT_EQ(api::find_text(made, {"metadata", "managedFields"}), "");
    EXPECT_EQ(refusal(client->create(api::config_map_kind, config_map("one"))).error_class, ErrorClass::conflict);

    auto changed = made;
    api::make_object(changed, {"data"})["value"] = "b";
    const auto updated = must(client->update(api::config_map_kind, changed));
    const auto stale = refusal(client->update(api::config_map_kind, changed));
    EXPECT_EQ(stale.error_class, ErrorClass::conflict);
    EXPECT_NE(stale.message.find("the object has been modified"), std::string::npos) << stale.message;

    must(client->merge_patch(api::config_map_kind, "default", "one", json("{'data':{'more':'c'}}"), ""));
    const auto applied = must(client->apply(api::config_map_kind, config_map("one", "d"), "tester", ""));
    EXPECT_EQ(applied.at("data"), json("{'more':'c','value':'d'}"));
    EXPECT_EQ(must(client->get(api::config_map_kind, "default", "one")), applied);

    const std::string uid(api::find_text(made, {"metadata", "uid"}));
    EXPECT_TRUE(loop.run(client->remove(api::config_map_kind, "default", "one", "another")))
        << "another object of that name is not ours to remove, and ours is gone";
    must(client->get(api::config_map_kind, "default", "one"));
    EXPECT_TRUE(loop.run(client->remove(api::config_map_kind, "default", "one", uid)));
    EXPECT_EQ(refusal(client->get(api::config_map_kind, "default", "one")).error_class, ErrorClass::not_found);
    EXPECT_TRUE(loop.run(client->remove(api::config_map_kind, "default", "one", uid))) << "gone already";
}

TEST_F(RemoteTest, TellsWhatTheServerSays) {
    auto odd = config_map("odd");
    odd.as_object()["dta"] = "typo";
    const auto unknown = refusal(client->create(api::config_map_kind, odd));
    EXPECT_EQ(unknown.error_class, ErrorClass::invalid);
    EXPECT_NE(unknown.message.find("unknown field \"dta\""), std::string::npos) << unknown.message;
    const api::Kind none{"lab.example.com", "v1", "Gizmo", "gizmos"};
    const auto listed = loop.run(client->list(none, ""));
    ASSERT_FALSE(listed);
    EXPECT_EQ(listed.error().error_class, ErrorClass::transient) << "it may be installed later";
    EXPECT_NE(listed.error().message.find("install its CustomResourceDefinition"), std::string::npos);
}

TEST_F(RemoteTest, ReadsListsPageByPage) {
    for (int n = 0; n < 501; ++n) create("c" + std::to_string(n));
    const auto before = door.turns();
    const auto listed = loop.run(client->list(api::config_map_kind, "default"));
    ASSERT_TRUE(listed);
    EXPECT_EQ(listed->items.size(), 501U);
    EXPECT_EQ(api::find_text(listed->items[0], {"kind"}), "ConfigMap") << "items say what they are";
    EXPECT_EQ(door.turns() - before, 2);
}

TEST_F(RemoteTest, AWatchGoesOnThroughRestartsAndTellsEverythingOnce) {
    create("before");
    auto listed = loop.run(client->list(api::config_map_kind, "default"));
    ASSERT_TRUE(listed);
    auto watch = loop.run(client->watch(api::config_map_kind, "default", listed->resource_version));
    ASSERT_TRUE(watch) << watch.error().message;
    create("one");
    create("two");
    EXPECT_EQ(heard(**watch, 2), "+one+two");
    for (const bool in_order : {true, false}) {
        in_order ? server.stop() : server.kill();
        server.start();
        must(client->merge_patch(api::config_map_kind, "default", "one",
                                 json(in_order ? "{'data':{'value':'y'}}" : "{'data':{'value':'z'}}"), ""));
        auto told = heard(**watch, 1);
        // what broke is told once; the next turn goes on where it was
        if (told.starts_with(" error")) told = heard(**watch, 1);
        EXPECT_EQ(told, "~one") << (in_order ? "ended in order" : "killed");
    }
    door.open();  // breaks the connection
    EXPECT_TRUE(loop.run(client->remove(api::config_map_kind, "default", "two", "")));
    auto told = heard(**watch, 1);
    if (told.starts_with(" error")) told = heard(**watch, 1);
    EXPECT_EQ(told, "-two");
}

TEST_F(RemoteTest, AWatchThatSaysNothingGoesOnWithoutAWordAndIsToldWhenItIsDead) {
    auto listed = loop.run(client->list(api::config_map_kind, "default"));
    ASSERT_TRUE(listed);
    auto watch = loop.run(client->watch(api::config_map_kind, "default", listed->resource_version));
    ASSERT_TRUE(watch) << watch.error().message;
    (void)door.heard();
    const auto quiet = loop.run((*watch)->next(loop.clock().now() + std::chrono::seconds(4)));
    ASSERT_TRUE(quiet) << "a kind to which nothing happens is no trouble: " << quiet.error().message;
    EXPECT_TRUE(quiet->empty());
    const auto said = door.heard();
    EXPECT_GE(said.size(), 2U) << "it was opened anew";
    create("one");
    EXPECT_EQ(heard(**watch, 1), "+one");
    door.stand_still();
    const auto dead = loop.run((*watch)->next(loop.clock().now() + std::chrono::seconds(59)));
    EXPECT_FALSE(dead) << "nobody answers";
}

TEST_F(RemoteTest, ADeadConnectionIsSeenByReadsAndToldByWrites) {
    create("one");
    door.open();  // what was kept is broken, as by a server that was replaced
    must(client->get(api::config_map_kind, "default", "one"));
    door.open();
    const auto lost = loop.run(client->create(api::config_map_kind, config_map("two")));
    if (!lost) {
        EXPECT_EQ(lost.error().error_class, ErrorClass::unreachable);
        EXPECT_TRUE(lost.error().outcome_unknown) << lost.error().message;
    }
    create("three");
}

TEST_F(RemoteTest, WhoWeAreIsReadAnewWhenItIsRefused) {
    refused = access;
    refused->certificate.clear();
    refused->private_key = {};
    refused->token = Secret("ended-yesterday");
    must(client->get(api::namespace_kind, "", "default"));
    EXPECT_EQ(asked, 2) << "a second look, and not another for each call";
    must(client->get(api::namespace_kind, "", "default"));
    EXPECT_EQ(asked, 2);
}

TEST_F(RemoteTest, WhoStrangersAreIsTold) {
    access.certificate.clear();
    access.private_key = {};
    access.token = Secret("stolen-and-revoked");
    const auto told = refusal(client->get(api::namespace_kind, "", "default"));
    EXPECT_EQ(told.error_class, ErrorClass::auth);
    EXPECT_EQ(told.message.find("stolen"), std::string::npos) << "the token is not told";
}

TEST_F(RemoteTest, AStrangersCertificateIsRefused) {
    Served another;
    access.ca_certificate = another.access().ca_certificate;
    const auto told = refusal(client->get(api::namespace_kind, "", "default"));
    EXPECT_EQ(told.error_class, ErrorClass::unreachable);
    EXPECT_NE(told.message.find("TLS is refused"), std::string::npos) << told.message;
}

TEST_F(RemoteTest, WhoDoesNotLeadWritesNothing) {
    create("one");
    leads = false;
    const auto before = door.turns();
    EXPECT_EQ(refusal(client->create(api::config_map_kind, config_map("two"))).error_class, ErrorClass::transient);
    EXPECT_FALSE(loop.run(client->remove(api::config_map_kind, "default", "one", "")));
    EXPECT_EQ(door.turns(), before) << "nothing is sent";
    must(client->get(api::config_map_kind, "default", "one"));
}

TEST_F(RemoteTest, InThePlaceOfAServiceAccountTheServerSaysWhatItMay) {
    RemoteSettings settings;
    settings.access = [this]() -> Result<Access> { return access; };
    settings.user_agent = "remote-test/1";
    const auto delegates = make_remote_delegates(loop.executor(), loop.clock(), metrics, pool, std::move(settings));
    const auto fleet = delegates("default", "fleet");
    const auto kind = loop.run(fleet->served("v1", "ConfigMap"));
    ASSERT_TRUE(kind && *kind);
    EXPECT_EQ(**kind, (ServedKind{"", "v1", "ConfigMap", "configmaps", true}));
    const auto nothing = loop.run(fleet->served("lab.example.com/v1", "Widget"));
    ASSERT_TRUE(nothing);
    EXPECT_FALSE(*nothing);
    const auto refused = refusal(fleet->apply(**kind, config_map("one"), "tester", true));
    EXPECT_EQ(refused.error_class, ErrorClass::auth);
    EXPECT_NE(refused.message.find("system:serviceaccount:default:fleet"), std::string::npos) << refused.message;

    const auto before = door.turns();
    for (const auto* version :
         {"v1 HTTP/1.1\r\nHost: x\r\n\r\nGET /version HTTP/1.1\r\nX: ", "../version", "a/b/c", ""}) {
        const auto none = loop.run(fleet->served(version, "A"));
        EXPECT_TRUE(none && !*none) << version;
    }
    const auto crooked = delegates("default", "fleet\r\nImpersonate-Group: system:masters");
    EXPECT_EQ(refusal(crooked->apply(**kind, config_map("one"), "tester", true)).error_class, ErrorClass::invalid);
    EXPECT_EQ(door.turns(), before) << "nothing of it is sent";

    constexpr auto rbac = "rbac.authorization.k8s.io";
    must(client->create(
        Kind{rbac, "v1", "Role", "roles"},
        json("{'metadata':{'namespace':'default','name':'fleet'},'rules':[{'apiGroups':[''],'resources':["
             "'configmaps'],'verbs':['get','create','patch','delete']}]}")));
    must(client->create(Kind{rbac, "v1", "RoleBinding", "rolebindings"},
                        json("{'metadata':{'namespace':'default','name':'fleet'},'roleRef':{'apiGroup':'"
                             "rbac.authorization.k8s.io','kind':'Role','name':'fleet'},'subjects':[{'kind':'"
                             "ServiceAccount','name':'fleet','namespace':'default'}]}")));
    must(fleet->apply(**kind, config_map("one"), "tester", true));
    EXPECT_EQ(refusal(fleet->get(**kind, "default", "one")).error_class, ErrorClass::not_found) << "a dry run";
    const auto made = must(fleet->apply(**kind, config_map("one"), "tester", false));
    EXPECT_EQ(must(fleet->get(**kind, "default", "one")), made);
    EXPECT_TRUE(loop.run(fleet->remove(**kind, "default", "one", "another")));
    must(fleet->get(**kind, "default", "one"));
    EXPECT_TRUE(loop.run(fleet->remove(**kind, "default", "one", "")));
    EXPECT_EQ(refusal(fleet->get(**kind, "default", "one")).error_class, ErrorClass::not_found);
    EXPECT_EQ(refusal(fleet->get(ServedKind{"", "v1", "Secret", "secrets", true}, "default", "x")).error_class,
              ErrorClass::auth);
}

}  // namespace
}  // namespace ocim::client
