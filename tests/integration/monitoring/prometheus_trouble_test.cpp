#include "monitoring/register.hpp"

#include "net/tls.hpp"
#include "runtime/base64.hpp"
#include "support/faults.hpp"
#include "support/http_relay.hpp"
#include "support/prometheus.hpp"
#include "support/sshd.hpp"

#include <gtest/gtest.h>
#include <algorithm>

/// What Monitors say and do when their Prometheus is in trouble.
namespace ocim::monitoring {
namespace {

using ocim::test::Fault;
using ocim::test::json;
using ocim::test::PrometheusService;

std::string service_text(const std::string& name, const std::string& url, const std::string& directory,
                         const std::string& where = "'local':{}") {
    return "{'apiVersion':'ocim.opencraft.com/v1alpha1','kind':'MonitoringService','metadata':{'name':'" + name +
           "'},'spec':{'prometheus':{'url':'" + url + "','directory':'" + directory + "'," + where +
           "},'credentialsRef':{'name':'" + name + "-log-in'},'driftInterval':'60s'}}";
}
std::string monitor_text(const std::string& name, const std::string& service) {
    return "{'apiVersion':'ocim.opencraft.com/v1alpha1','kind':'Monitor','metadata':{'namespace':'campus','name':'" +
           name + "'},'spec':{'serviceRef':{'name':'" + service + "'},'url':'http://" + name + ".example.org/'}}";
}
void put_token(ocim::test::Running& running, const std::string& service, const std::string& token) {
    running.put_secret("ocim-system", service + "-log-in", "token", runtime::base64(token));
}
void put_password(ocim::test::Running& running, const std::string& service, const std::string& password) {
    running.server.put(json("{'apiVersion':'v1','kind':'Secret','metadata':{'namespace':'ocim-system','name':'" +
                            service + "-log-in'},'data':{'username':'" + runtime::base64("watch") + "','password':'" +
                            runtime::base64(password) + "'}}"));
}

class PrometheusFaults : public ocim::test::FaultTest {
protected:
    PrometheusFaults() : FaultTest(register_kinds) {
        put_password(running, "struck", "one");
        put_password(running, "well", "one");
        running.server.put(json(service_text("struck", front.url(), struck.directory())));
        running.server.put(json(service_text("well", well.url(), well.directory())));
    }
    void put(const std::string& name, const std::string& backend) override {
        running.server.put(json(monitor_text(name, backend)));
    }
    std::string stands(const std::string& name) override { return running.stands("Monitor", "campus", name); }
    void strike(Fault fault) override {
        if (fault == Fault::refuses_credentials)
            struck.want_password("two");
        else
            show(front, fault, ocim::test::http_garbage(fault));
    }
    void mend() override {
        if (GetParam() == Fault::refuses_credentials)
            put_password(running, "struck", "two");  // rotated, without a restart of anything
        else
            front.open();
    }
    ocim::test::Door& door() override { return front; }

    PrometheusService struck{PrometheusService::Exporter::none, "one"}, well{PrometheusService::Exporter::none, "one"};
    ocim::test::Door front{struck.port};
};

TEST_P(PrometheusFaults, AreSaidBoundedAndOverByThemselves) {
    suffers(usual_reasons(GetParam()));
    const auto password = GetParam() == Fault::refuses_credentials ? "two" : "one";
    EXPECT_NE(struck.ask("/api/v1/targets?state=active", password).find("later.example.org"), std::string::npos);
}

INSTANTIATE_TEST_SUITE_P(Prometheus, PrometheusFaults,
                         testing::Values(Fault::down, Fault::slow, Fault::refuses_credentials, Fault::wrong_protocol,
                                         Fault::html, Fault::truncated_json, Fault::cut_off, Fault::huge_body),
                         ocim::test::fault_name);

class PrometheusTrouble : public ::testing::Test {
protected:
    std::string stands(const std::string& name) { return running.stands("Monitor", "campus", name); }
    std::string message(const std::string& name) {
        const auto* object = running.server.get("Monitor", "campus", name);
        const auto* ready = object ? runtime::condition(*object, "Ready") : nullptr;
        return ready ? std::string(api::find_text(*ready, {"message"})) : "";
    }
    bool becomes(const std::string& name, const std::string& what) {
        return running.until([&] { return stands(name) == what; }, std::chrono::seconds(60));
    }
    void begin(const std::string& url, const std::string& where = "'local':{}") {
        put_password(running, "main", "one");
        running.server.put(json(service_text("main", url, server.directory(), where)));
        running.start();
    }

    PrometheusService server;
    ocim::test::HttpRelay relay{server.port};
    ocim::test::Door front{server.port};
    ocim::test::RealLoop loop;
    ocim::test::Running running{loop, register_kinds};
};

TEST_F(PrometheusTrouble, AReloadWhoseAnswerIsLostIsFoundToHaveHappened) {
    relay.expect({.what = ocim::test::Trouble::What::lose, .method = "POST", .path = "/-/reload"});
    front.say(relay.script());
    begin(front.url());
    running.server.put(json(monitor_text("one", "main")));
    EXPECT_TRUE(becomes("one", "True Monitored")) << stands("one") << ": " << message("one");
    EXPECT_NE(server.ask("/api/v1/rules?type=alert").find("http://one.example.org/ is down"), std::string::npos);
}

TEST_F(PrometheusTrouble, AConfigurationThatOthersBrokeIsSaidAndMendedByThem) {
    begin(server.url());
    running.server.put(json(monitor_text("one", "main")));
    ASSERT_TRUE(becomes("one", "True Monitored")) << stands("one") << ": " << message("one");
    server.write_config("nonsense: [\n");
    running.server.put(json(monitor_text("two", "main")));
    ASSERT_TRUE(
        running.until([&] { return message("two").find("reload") != std::string::npos; }, std::chrono::seconds(60)))
        << stands("two") << ": " << message("two");
    EXPECT_EQ(stands("one"), "True Monitored") << "what is in force stays";
    server.write_config("");
    EXPECT_TRUE(becomes("two", "True Monitored")) << stands("two") << ": " << message("two");
}

TEST_F(PrometheusTrouble, AReloadThatStallsEndsByItsDeadline) {
    begin(front.url());
    running.server.put(json(monitor_text("one", "main")));
    ASSERT_TRUE(becomes("one", "True Monitored"));
    relay.expect({.what = ocim::test::Trouble::What::keep, .method = "POST", .path = "/-/reload", .times = 100});
    front.say(relay.script());
    running.server.put(json(monitor_text("two", "main")));
    const auto ended = [&] { return message("two").find("reload") != std::string::npos; };
    EXPECT_TRUE(running.until(ended, std::chrono::seconds(60))) << stands("two") << ": " << message("two");
    front.open();
    EXPECT_TRUE(becomes("two", "True Monitored")) << stands("two") << ": " << message("two");
    EXPECT_EQ(stands("one"), "True Monitored");
}

TEST_F(PrometheusTrouble, ATokenGoesWithEveryRequestAndItsSuccessorToo) {
    put_token(running, "main", "one-token");
    running.server.put(json(service_text("main", front.url(), server.directory())));
    running.start();
    running.server.put(json(monitor_text("one", "main")));
    ASSERT_TRUE(becomes("one", "True Monitored")) << stands("one") << ": " << message("one");
    const auto all_say = [](const std::vector<std::string>& requests, const std::string& token) {
        return std::ranges::all_of(requests, [&](const std::string& request) {
            const auto at = request.find("\r\nAuthorization:");
            return at != std::string::npos && request.find("Bearer " + token + "\r\n", at) != std::string::npos;
        });
    };
    const auto first = front.heard();
    EXPECT_GE(first.size(), 5u) << "looks, a write and a reload";
    EXPECT_TRUE(all_say(first, "one-token")) << testing::PrintToString(first);
    put_token(running, "main", "two-token");
    running.server.put(json(monitor_text("two", "main")));
    ASSERT_TRUE(becomes("two", "True Monitored")) << stands("two") << ": " << message("two");
    (void)front.heard();
    running.server.put(json(monitor_text("three", "main")));
    ASSERT_TRUE(becomes("three", "True Monitored")) << stands("three") << ": " << message("three");
    const auto second = front.heard();
    EXPECT_FALSE(second.empty());
    EXPECT_TRUE(all_say(second, "two-token")) << testing::PrintToString(second);
}

TEST_F(PrometheusTrouble, OnlyTheAuthorityOfItsSecretCounts) {
    const auto now = loop.clock().wall();
    const auto ca = net::make_ca("the monitoring's CA", now), strangers = net::make_ca("another CA", now);
    ASSERT_TRUE(ca && strangers);
    net::CertificateRequest request;
    request.common_name = "prometheus";
    request.ip_addresses = {"127.0.0.1"};
    request.server = true;
    const auto pair = net::issue_certificate(*ca, request, now);
    ASSERT_TRUE(pair);
    const PrometheusService safe(PrometheusService::Exporter::none, "one",
                                 PrometheusService::Tls{pair->certificate, pair->private_key.reveal()});
    const auto authority = [&](const std::string& name, const net::KeyPair& which) {
        running.put_secret("ocim-system", name, "ca.crt", runtime::base64(which.certificate));
    };
    authority("safe-ca", *ca);
    authority("fooled-ca", *strangers);
    const auto put = [&](const std::string& name, const std::string& more) {
        put_password(running, name, "one");
        running.server.put(json(service_text(name, safe.url(), safe.directory(), "'local':{}" + more)));
        running.server.put(json(monitor_text("of-" + name, name)));
    };
    put("safe", ",'caRef':{'name':'safe-ca'}");
    put("fooled", ",'caRef':{'name':'fooled-ca'}");
    put("unknown", "");  // the system's authorities do not know it
    running.start();
    EXPECT_TRUE(becomes("of-safe", "True Monitored")) << stands("of-safe") << ": " << message("of-safe");
    for (const std::string name : {"of-fooled", "of-unknown"}) {
        EXPECT_TRUE(becomes(name, "False BackendUnreachable")) << stands(name);
        EXPECT_NE(message(name).find("TLS is refused"), std::string::npos) << message(name);
    }
    authority("fooled-ca", *ca);
    EXPECT_TRUE(becomes("of-fooled", "True Monitored")) << stands("of-fooled") << ": " << message("of-fooled");
    authority("safe-ca", *strangers);
    EXPECT_TRUE(becomes("of-safe", "False BackendUnreachable")) << "what it was known by counts no more";
}

TEST_F(PrometheusTrouble, FilesOnAnotherHostAreReachedBySsh) {
    ocim::test::Sshd sshd;
    running.put_secret("ocim-system", "key", "ssh-privatekey", runtime::base64(sshd.user_key()));
    begin(server.url(), "'ssh':{'host':'127.0.0.1','port':" + std::to_string(sshd.port()) + ",'user':'" + sshd.user() +
                            "','keyRef':{'name':'key'},'hostKey':'" + sshd.host_key() + "'}");
    running.server.put(json(monitor_text("one", "main")));
    EXPECT_TRUE(becomes("one", "True Monitored")) << stands("one") << ": " << message("one");
    EXPECT_EQ(sshd.connections(), 1u) << "over one connection";
}

TEST_F(PrometheusTrouble, ADirectoryThatIsNotThereIsSaid) {
    std::filesystem::remove_all(server.directory());
    begin(server.url());
    running.server.put(json(monitor_text("one", "main")));
    ASSERT_TRUE(
        running.until([&] { return message("one").find("create it") != std::string::npos; }, std::chrono::seconds(60)))
        << stands("one") << ": " << message("one");
    std::filesystem::create_directories(server.directory());
    EXPECT_TRUE(becomes("one", "True Monitored")) << stands("one") << ": " << message("one");
}

}  // namespace
}  // namespace ocim::monitoring
