#include "api/json.hpp"
#include "monitoring/monitor.hpp"
#include "monitoring/prometheus_files.hpp"
#include "monitoring/prometheus_live.hpp"
#include "support/service.hpp"

#include <gtest/gtest.h>

/// What the alerts and the question for what was found come to as hours go by, by Prometheus' own test of rules.
namespace ocim::monitoring::prometheus {
namespace {

namespace json = api::json;

crd::Monitor monitor(std::int32_t interval_seconds, const std::string& url) {
    crd::Monitor out;
    out.metadata.name = "lms";
    out.metadata.namespace_ = "campus";
    out.metadata.uid = "uid-1";
    out.spec.service_ref.name = "main";
    out.spec.url = url;
    out.spec.interval_seconds = interval_seconds;
    return out;
}

Entry entry(const crd::Monitor& object) {
    runtime::Inputs inputs;
    inputs.installation = "lab";
    crd::MonitoringService service;
    service.metadata.name = "main";
    service.spec.prometheus.emplace().url = "http://localhost:9090";
    inputs.add(api::encode_object(service));
    return Monitor::diff(object, inputs, {}).at(0).prometheus->entry;
}

std::string seconds(std::int64_t value) { return std::to_string(value) + "s"; }

class Rules {
public:
    explicit Rules(std::int32_t interval_seconds)
        : interval(interval_seconds), now(entry(monitor(interval, "http://demo.example.org/"))) {
        auto files = *Files::read("", "", "lab");
        files.put({"campus/lms"}, now);
        test::write_file(directory_.file("rules.yml"), files.rules());
        Thing thing;
        thing.entry = now;
        question = query("lab", {{{"campus/lms"}, thing}});
    }
    /// The series of a target as it is once it was scraped.
    static std::string series(const Entry& of, const std::string& url) {
        return "probe_success{instance=\"" + url +
               "\",monitor=\"lms\",namespace=\"campus\",ocim=\"lab\",ocim_probe=\"" + of.group.labels.at(probe_label) +
               "\"}";
    }
    /// `values` are one each interval.
    void scraped(const std::string& name, const std::string& values) {
        series_.push_back(json::object{{"series", name}, {"values", values}});
    }
    void fires(std::int64_t at, bool whether) {
        json::array alerts;
        if (whether) {
            json::object labels{{"severity", "critical"},
                                {"monitor", "lms"},
                                {"namespace", "campus"},
                                {"ocim", "lab"},
                                {"instance", "http://demo.example.org/"},
                                {probe_label, now.group.labels.at(probe_label)}};
            json::object annotations;
            for (const auto& [name, value] : now.rule->annotations) annotations[name] = value;
            alerts.push_back(
                json::object{{"exp_labels", std::move(labels)}, {"exp_annotations", std::move(annotations)}});
        }
        alerts_.push_back(json::object{
            {"eval_time", seconds(at)}, {"alertname", "OcimMonitorDown"}, {"exp_alerts", std::move(alerts)}});
    }
    void finds(std::int64_t at, const std::string& name, int value) {
        json::array samples{json::object{{"labels", name}, {"value", value}}};
        questions_.push_back(
            json::object{{"expr", question}, {"eval_time", seconds(at)}, {"exp_samples", std::move(samples)}});
    }
    test::Ran run() const {
        json::object test{{"interval", seconds(interval)},
                          {"input_series", series_},
                          {"alert_rule_test", alerts_},
                          {"promql_expr_test", questions_}};
        json::object all{{"rule_files", json::array{"rules.yml"}},
                         {"evaluation_interval", seconds(std::min(interval, 60))},
                         {"tests", json::array{std::move(test)}}};
        test::write_file(directory_.file("test.yml"), api::to_text(all));
        return test::run_program({"promtool", "test", "rules", directory_.file("test.yml")});
    }

    const std::int32_t interval;
    const Entry now;
    std::string question;

private:
    test::TempDir directory_;
    json::array series_, alerts_, questions_;
};

TEST(PrometheusAlert, FiresWithTheLastOfSoManyProbesWhateverTheInterval) {
    for (const std::int32_t interval : {15, 60, 300, 420, 3600, 86400}) {
        Rules rules(interval);
        const auto of = Rules::series(rules.now, "http://demo.example.org/");
        rules.scraped(of, "1 0 0 0 1");
        const auto probe = [&](int number) { return std::int64_t{interval} * number; };
        rules.fires(probe(3) - 5, false);
        rules.fires(probe(3), true);
        rules.fires(probe(4) - 1, true);
        rules.fires(probe(4) + 60, false);
        rules.finds(probe(1) - 1, of, 1);
        rules.finds(probe(2) - 1, of, 0);
        const auto result = rules.run();
        EXPECT_EQ(result.exit_code, 0) << interval << ": " << result.output;
    }
}

TEST(PrometheusAlert, WhatAFormerTargetSaidDoesNotCount) {
    Rules rules(3600);
    const auto former = entry(monitor(3600, "http://former.example.org/"));
    const auto of = Rules::series(rules.now, "http://demo.example.org/");
    rules.scraped(Rules::series(former, "http://former.example.org/"), "0 0 _ _ _");
    rules.scraped(of, "_ _ 1 1 1");
    rules.fires(2 * 3600, false);
    rules.fires(3 * 3600, false);
    const auto result = rules.run();
    EXPECT_EQ(result.exit_code, 0) << result.output;
}

}  // namespace
}  // namespace ocim::monitoring::prometheus
