#include "monitoring/prometheus.hpp"

#include "api/json.hpp"
#include "monitoring/monitor.hpp"
#include "monitoring/prometheus_files.hpp"
#include "support/contract.hpp"
#include "support/prometheus.hpp"

#include <gtest/gtest.h>

/// Monitors in files of a real Prometheus, by hand.
namespace ocim::monitoring {
namespace {

using namespace std::chrono_literals;
using ocim::test::Visitor;
using Object = crd::Monitor;
using Verdict = runtime::Verdict;
using prometheus::Loaded;
using Snapshot = std::map<Key, Thing>;

/// Counts what runs where the files are.
class CountingHost final : public hosts::Host {
public:
    CountingHost(std::unique_ptr<hosts::Host> host, int& runs) : host_(std::move(host)), runs_(runs) {}
    awaitable<Result<net::CommandResult>> run(std::vector<std::string> command, std::string input,
                                              Duration limit) override {
        ++runs_;
        co_return co_await host_->run(std::move(command), std::move(input), limit);
    }

private:
    std::unique_ptr<hosts::Host> host_;
    int& runs_;
};

class CountingHttp final : public net::HttpClient {
public:
    CountingHttp(std::unique_ptr<net::HttpClient> http, int& calls) : http_(std::move(http)), calls_(calls) {}
    awaitable<Result<net::HttpReply>> send(net::HttpRequest request) override {
        ++calls_;
        co_return co_await http_->send(std::move(request));
    }

private:
    std::unique_ptr<net::HttpClient> http_;
    int& calls_;
};

class PrometheusTest : public ::testing::Test {
protected:
    explicit PrometheusTest(test::PrometheusService::Exporter exporter = test::PrometheusService::Exporter::none)
        : server(exporter) {
        inputs.installation = "lab";
        given.metadata.name = "main";
        given.spec.prober.reset();
        auto& spec = given.spec.prometheus.emplace();
        spec.url = server.url();
        spec.directory = server.directory();
        spec.local.emplace();
        inputs.add(api::encode_object(given));
        auto http = net::make_http_client(loop.executor(), loop.clock(), metrics, {.base_url = server.url()});
        EXPECT_TRUE(http);
        watch = prometheus::open(std::make_unique<CountingHost>(hosts::make_local_host(blocking), runs),
                                 std::make_unique<CountingHttp>(*std::move(http), calls), services,
                                 {server.directory(), name, {}});
    }
    Object monitor(int n) {
        Object out;
        out.metadata.name = "m" + std::to_string(n);
        out.metadata.namespace_ = "campus";
        out.metadata.uid = "uid-" + std::to_string(n);
        out.spec.service_ref.name = "main";
        out.spec.url = "http://demo" + std::to_string(n) + ".example.org/";
        out.spec.alert_emails = {"ops@example.org"};
        return out;
    }
    /// Waits until Prometheus has every target of ours.
    void settle(Visitor<Monitor>& visit) {
        for (int i = 0; i < 300; ++i) {
            bool whole = true;
            for (const auto& [key, thing] : visit.see())
                whole = whole && (!thing.mark || thing.loaded != Loaded::not_yet);
            if (whole) return;
            loop.run(loop.clock().sleep(100ms));
        }
        ADD_FAILURE() << "Prometheus does not take its targets";
    }
    std::string targets() const { return test::read_file(server.targets_file(name)); }
    std::string rules() const { return test::read_file(server.rules_file(name)); }
    /// Puts this into the file of targets by other means than ours.
    void add_group(const std::string& text) {
        auto all = targets().empty() ? api::json::array() : api::parse_json(targets())->value.as_array();
        all.push_back(api::parse_json(text)->value);
        test::write_file(server.targets_file(name), api::to_text(all));
    }
    void stranger(int n) {
        add_group(R"({"targets":["http://stranger.example.org/"],"labels":{"namespace":"campus","monitor":"m)" +
                  std::to_string(n) + "\"}}");
    }
    Verdict verdict(Visitor<Monitor>& visit, const Object& object) { return visit.report(object).verdict; }

    const std::string name = "ocim.lab.main";
    test::PrometheusService server;
    test::RealLoop loop;
    std::unique_ptr<Random> random = make_seeded_random(1);
    Metrics metrics;
    BlockingPool blocking{loop.executor(), "test", 2, 10};
    runtime::Services services{loop.executor(), loop.clock(), *random, metrics, blocking, "lab", ""};
    crd::MonitoringService given;
    runtime::Inputs inputs;
    int runs = 0, calls = 0;
    std::unique_ptr<Watch> watch;
};

TEST_F(PrometheusTest, KeepsTheContract) {
    Visitor<Monitor> visit(loop, *watch, inputs);
    test::ContractCase<Monitor> contract;
    contract.object = [&](int n) { return monitor(n); };
    contract.changed = [](Object object) {
        object.spec.interval_seconds = 120;
        return object;
    };
    contract.stranger = [&](int n) { stranger(n); };
    contract.adopting = [](Object object) {
        object.spec.adoption_policy = Object::Spec::AdoptionPolicy::adopt;
        return object;
    };
    contract.refused = [&] {
        auto action = Monitor::diff(monitor(20), inputs, {}).at(0);
        action.prometheus->entry.rule->expression = "probe_success ===";
        return action;
    };
    contract.settle = [&] { settle(visit); };
    test::run_contract<Monitor>(visit, contract);
    EXPECT_NE(targets().find("stranger.example.org"), std::string::npos) << "what others put there is still there";
}

TEST_F(PrometheusTest, WhatIsReadyIsInForce) {
    Visitor<Monitor> visit(loop, *watch, inputs);
    auto object = monitor(1);
    object.spec.url = "http://demo1.example.org/{{x}}";  // no template of Prometheus'
    visit.succeed(visit.wanted(object));
    EXPECT_EQ(verdict(visit, object).state, Verdict::State::progressing);
    settle(visit);
    EXPECT_EQ(verdict(visit, object).reason, "Monitored") << verdict(visit, object).message;
    const auto active = server.ask("/api/v1/targets?state=active"), alerts = server.ask("/api/v1/rules?type=alert");
    for (const auto* text : {R"("namespace":"campus")", R"("monitor":"m1")", R"("scrapeInterval":"60s")",
                             R"("scrapeTimeout":"10s")", "module=http_2xx"})
        EXPECT_NE(active.find(text), std::string::npos) << text << " in " << active;
    for (const auto* text : {R"("name":"OcimMonitorDown")", R"("duration":120)", R"("severity":"critical")",
                             R"("alert_emails":"ops@example.org")"})
        EXPECT_NE(alerts.find(text), std::string::npos) << text << " in " << alerts;

    object.spec.enabled = false;
    visit.succeed(visit.wanted(object));
    EXPECT_EQ(verdict(visit, object).reason, "Disabled");
    EXPECT_EQ(server.ask("/api/v1/rules?type=alert").find("OcimMonitorDown"), std::string::npos);
}

TEST_F(PrometheusTest, WhatOthersChangedIsFoundAndPutRight) {
    Visitor<Monitor> visit(loop, *watch, inputs);
    const std::vector<Object> objects{monitor(1), monitor(2)};
    visit.succeed(visit.wanted(objects));
    settle(visit);
    const auto good_targets = targets(), good_rules = rules();
    const auto replaced = [](std::string text, const std::string& what, const std::string& with) {
        EXPECT_NE(text.find(what), std::string::npos) << what;
        return text.replace(text.find(what), what.size(), with);
    };
    const struct {
        const char* reason;
        std::string targets, rules;
        std::size_t actions;
    } cases[] = {
        {"another target", replaced(good_targets, "http://demo1", "http://demo9"), good_rules, 1},
        {"another label", replaced(good_targets, "\"60s\"", "\"30s\""), good_rules, 1},
        {"another condition", good_targets, replaced(good_rules, "== 0", "== 1"), 1},
        {"an alert that waits longer", good_targets, replaced(good_rules, "\"120s\"", "\"1h\""), 1},
        {"no alerts", good_targets, "", 2},
        {"no targets", "[]", good_rules, 2},
        {"everything twice", good_targets.substr(0, good_targets.size() - 2) + "," + good_targets.substr(1), good_rules,
         2},
    };
    for (const auto& c : cases) {
        test::write_file(server.targets_file(name), c.targets);
        test::write_file(server.rules_file(name), c.rules);
        const auto actions = visit.wanted(objects);
        EXPECT_EQ(actions.size(), c.actions) << c.reason;
        visit.succeed(actions);
        EXPECT_EQ(targets(), good_targets) << c.reason;
        EXPECT_EQ(rules(), good_rules) << c.reason;
        EXPECT_TRUE(visit.wanted(objects).empty()) << c.reason;
    }
    // a file that cannot be read is neither taken for empty nor overwritten
    test::write_file(server.targets_file(name), "- targets: [a]\n");
    const auto seen = visit.look();
    ASSERT_FALSE(seen);
    EXPECT_EQ(seen.error().error_class, ErrorClass::transient) << "no Monitor is to blame";
    EXPECT_NE(seen.error().message.find("move it away"), std::string::npos) << seen.error().message;
    EXPECT_EQ(targets(), "- targets: [a]\n");
}

TEST_F(PrometheusTest, WhatOthersPutThereStays) {
    Visitor<Monitor> visit(loop, *watch, inputs);
    add_group(R"({"targets":["http://other.example.org/"],"labels":{"team":"web"}})");
    stranger(7);
    stranger(7);
    test::write_file(server.rules_file(name),
                     R"({"groups":[{"name":"theirs","interval":"30s","rules":[{"record":"a","expr":"1"}]},)"
                     R"({"name":"ocim lab","rules":[{"record":"b","expr":"2"}]}]})");
    const auto others = api::parse_json(targets())->value.as_array();
    visit.succeed(visit.wanted(monitor(1)));
    visit.succeed(visit.wanted(monitor(1), true));
    EXPECT_EQ(api::parse_json(targets())->value.as_array(), others);
    for (const auto* text : {R"("interval":"30s")", R"("record":"a")", R"("record":"b")"})
        EXPECT_NE(rules().find(text), std::string::npos) << text;
}

TEST_F(PrometheusTest, WhatIsRetainedStaysAndIsTakenUpAgain) {
    Visitor<Monitor> visit(loop, *watch, inputs);
    auto object = monitor(1);
    object.spec.deletion_policy = Object::Spec::DeletionPolicy::retain;
    visit.succeed(visit.wanted(object));
    settle(visit);
    visit.succeed(visit.wanted(object, true));
    EXPECT_TRUE(visit.wanted(object, true).empty()) << "done";
    settle(visit);
    const auto marked = Monitor::marked(visit.see());
    ASSERT_EQ(marked.size(), 1u);
    EXPECT_TRUE(marked[0].mark.retained);
    EXPECT_NE(server.ask("/api/v1/rules?type=alert").find("OcimMonitorDown"), std::string::npos) << "it still alerts";
    auto again = monitor(1);
    again.metadata.uid = "uid-new";
    visit.succeed(visit.wanted(again));
    settle(visit);
    EXPECT_TRUE(visit.ready(again));
    visit.succeed(visit.wanted(again, true));
    EXPECT_TRUE(visit.see().empty());
}

TEST_F(PrometheusTest, WhatHalfHappenedIsFinished) {
    Visitor<Monitor> visit(loop, *watch, inputs);
    const auto object = monitor(1);
    // the files were written, and the reload was lost
    const auto actions = visit.wanted(object);
    prometheus::Files files = *prometheus::Files::read("", "", "lab");
    files.put(actions[0].key, actions[0].prometheus->entry);
    test::write_file(server.targets_file(name), files.targets());
    test::write_file(server.rules_file(name), files.rules());
    const auto more = visit.wanted(object);
    ASSERT_EQ(more.size(), 1u) << "the rule is not in force";
    visit.succeed(more);
    settle(visit);
    EXPECT_TRUE(visit.ready(object));
    // the same when it goes
    test::write_file(server.targets_file(name), "[]");
    test::write_file(server.rules_file(name), "");
    const auto removal = visit.wanted(object, true);
    ASSERT_EQ(removal.size(), 1u) << "Prometheus still goes by it";
    visit.succeed(removal);
    EXPECT_TRUE(visit.see().empty());
    EXPECT_EQ(server.ask("/api/v1/rules?type=alert").find("OcimMonitorDown"), std::string::npos);
}

TEST_F(PrometheusTest, AMonitorThatNoTargetCanSayIsRefusedAndSaysWhatWould) {
    auto object = monitor(1);
    object.spec.expected_status = 204;
    auto said = Monitor::report(object, inputs, {});
    EXPECT_EQ(said.verdict.reason, "InvalidSpec");
    EXPECT_NE(said.verdict.message.find("spec.module"), std::string::npos) << said.verdict.message;
    EXPECT_EQ(Monitor::admit(object, nullptr, inputs).at(0).field, "spec.expectedStatus");
    EXPECT_TRUE(Monitor::diff(object, inputs, {}).empty());
    object.spec.module = "http_204";
    EXPECT_TRUE(Monitor::admit(object, nullptr, inputs).empty());
    const auto actions = Monitor::diff(object, inputs, {});
    ASSERT_EQ(actions.size(), 1u);
    EXPECT_EQ(actions[0].prometheus->entry.group.labels.at("__param_module"), "http_204");
}

TEST_F(PrometheusTest, AThousandAreAFewCalls) {
    Visitor<Monitor> visit(loop, *watch, inputs);
    std::vector<Object> objects;
    for (int n = 0; n < 1000; ++n) objects.push_back(monitor(n));
    const auto actions = visit.wanted(objects);
    ASSERT_EQ(actions.size(), 1000u);
    const auto cost = [&](const std::string& what, const auto& work) {
        runs = calls = 0;
        work();
        std::cout << "1,000 monitors, " << what << ": " << runs << " commands, " << calls << " HTTP requests\n";
        EXPECT_LE(runs, 2) << what;
        EXPECT_LE(calls, 3) << what;
    };
    cost("create", [&] { visit.succeed(actions); });
    settle(visit);
    cost("sweep", [&] { EXPECT_EQ(visit.see().size(), 1000u); });
    for (const auto& object : objects) ASSERT_TRUE(Monitor::diff(object, inputs, {}).size() == 1);
    EXPECT_TRUE(visit.wanted(objects).empty());
    const auto removal = visit.wanted(objects, true);
    cost("delete", [&] { visit.succeed(removal); });
    EXPECT_TRUE(visit.see().empty());
}

/// With a blackbox exporter beside it, what is found comes into the status.
class BlackboxTest : public PrometheusTest {
protected:
    BlackboxTest() : PrometheusTest(test::PrometheusService::Exporter::blackbox) {}
    bool comes(Visitor<Monitor>& visit, const Object& object, bool up) {
        for (int i = 0; i < 300; ++i) {
            if (visit.report(object).status.up == up) return true;
            loop.run(loop.clock().sleep(100ms));
        }
        return false;
    }
};

TEST_F(BlackboxTest, WhatTheExporterFindsIsInTheStatusAndAlerts) {
    Visitor<Monitor> visit(loop, *watch, inputs);
    auto up = monitor(1), down = monitor(2), elsewhere = monitor(3), port = monitor(4);
    up.spec.url = server.url() + "/-/healthy";
    down.spec.url = server.url() + "/nowhere";
    elsewhere.spec.url = "http://demo.example.org/-/healthy";
    elsewhere.spec.connect_to = "127.0.0.1:" + std::to_string(server.port);
    port.spec.url.reset();
    port.spec.tcp.emplace().address = "127.0.0.1:" + std::to_string(server.port);
    std::vector<Object> objects{up, down, elsewhere, port};
    for (auto& object : objects) {
        object.spec.interval_seconds = 1;
        object.spec.alert_after_failures = 2;
    }
    visit.succeed(visit.wanted(objects));
    EXPECT_TRUE(comes(visit, objects[0], true)) << visit.report(objects[0]).verdict.message;
    EXPECT_TRUE(comes(visit, objects[1], false));
    EXPECT_TRUE(comes(visit, objects[2], true)) << "the host is asked for at another address";
    EXPECT_TRUE(comes(visit, objects[3], true));
    const auto said = visit.report(objects[1]);
    EXPECT_EQ(said.status.status_code, 404);
    EXPECT_EQ(said.verdict.reason, "Monitored");
    EXPECT_EQ(said.notes.at(0).reason, "ProbeFailed");
    const auto fires = [&] {
        const auto alerts = server.ask("/api/v1/alerts");
        return alerts.find(R"("state":"firing")") != std::string::npos &&
               alerts.find(R"("monitor":"m2")") != std::string::npos;
    };
    EXPECT_TRUE(test::wait_for(fires, 30s)) << server.ask("/api/v1/alerts");
    EXPECT_EQ(server.ask("/api/v1/alerts").find(R"("monitor":"m1")"), std::string::npos);
}

}  // namespace
}  // namespace ocim::monitoring
