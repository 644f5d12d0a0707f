#include "monitoring/monitor.hpp"
#include "monitoring/prometheus_files.hpp"
#include "monitoring/prometheus_live.hpp"

#include <gtest/gtest.h>
#include <algorithm>
#include <functional>

namespace ocim::monitoring::prometheus {
namespace {

using Object = crd::Monitor;

Object monitor() {
    Object out;
    out.metadata.name = "lms";
    out.metadata.namespace_ = "campus";
    out.metadata.uid = "uid-1";
    out.spec.service_ref.name = "main";
    out.spec.url = "https://demo.example.org:8443/heartbeat?a=b";
    return out;
}

runtime::Inputs inputs() {
    runtime::Inputs out;
    out.installation = "lab";
    crd::MonitoringService service;
    service.metadata.name = "main";
    service.spec.prometheus.emplace().url = "http://localhost:9090";
    out.add(api::encode_object(service));
    return out;
}

Entry entry(const Object& object) { return Monitor::diff(object, inputs(), {}).at(0).prometheus->entry; }

TEST(Prometheus, WhatIsWatchedAsATarget) {
    using Spec = Object::Spec;
    const struct {
        const char* reason;
        std::function<void(Spec&)> change;
        std::vector<std::string> targets;
        std::string module, hostname;
    } cases[] = {
        {"a page", [](Spec&) {}, {"https://demo.example.org:8443/heartbeat?a=b"}, "http_2xx", ""},
        {"a page at another address",
         [](Spec& s) { s.connect_to = "192.0.2.1:443"; },
         {"https://192.0.2.1:443/heartbeat?a=b"},
         "http_2xx",
         "demo.example.org"},
        {"a page whose host is an address, at another one",
         [](Spec& s) {
             s.url = "http://[2001:db8::1]:80";
             s.connect_to = "[2001:db8::2]:80";
         },
         {"http://[2001:db8::2]:80"},
         "http_2xx",
         "[2001:db8::1]"},
        {"a connection",
         [](Spec& s) {
             s.url.reset();
             s.tcp.emplace().address = "db.example.org:5432";
         },
         {"db.example.org:5432"},
         "tcp_connect",
         ""},
        {"a connection with TLS",
         [](Spec& s) {
             s.url.reset();
             s.tcp.emplace().address = "mail.example.org:465";
             s.tcp->tls = true;
         },
         {"mail.example.org:465"},
         "tcp_connect_tls",
         ""},
        {"name servers",
         [](Spec& s) {
             s.url.reset();
             s.dns.emplace().name = "example.org";
             s.dns->servers = {"192.0.2.53", "[2001:db8::53]", "ns1:5353"};
             s.module = "dns_example_org";
         },
         {"192.0.2.53:53", "[2001:db8::53]:53", "ns1:5353"},
         "dns_example_org",
         ""},
        {"one name server, spelled twice",
         [](Spec& s) {
             s.url.reset();
             s.dns.emplace().name = "example.org";
             s.dns->servers = {"192.0.2.53", "192.0.2.53:53"};
             s.module = "dns_example_org";
         },
         {"192.0.2.53:53"},
         "dns_example_org",
         ""},
        {"nothing for now", [](Spec& s) { s.enabled = false; }, {}, "http_2xx", ""},
    };
    for (const auto& c : cases) {
        auto object = monitor();
        c.change(object.spec);
        const auto made = entry(object);
        EXPECT_EQ(made.group.targets, c.targets) << c.reason;
        EXPECT_EQ(made.group.labels.at("__param_module"), c.module) << c.reason;
        const auto host = made.group.labels.find("__param_hostname");
        EXPECT_EQ(host == made.group.labels.end() ? "" : host->second, c.hostname) << c.reason;
        EXPECT_EQ(made.rule.has_value(), object.spec.enabled) << c.reason;
    }
    auto object = monitor();
    object.spec.interval_seconds = 5;
    EXPECT_EQ(entry(object).group.labels.at("__scrape_timeout__"), "5s") << "it may not take longer than its interval";
    EXPECT_NE(entry(object).group.labels.at(entry_label), entry(monitor()).group.labels.at(entry_label));
}

TEST(Prometheus, AnAlertIsThatOfSoManyProbes) {
    auto object = monitor();
    object.spec.alert_emails = {"a@example.org", "b@example.org"};
    object.spec.alert_after_failures = 4;
    const auto rule = *entry(object).rule;
    const auto probe = entry(object).group.labels.at(probe_label);
    EXPECT_TRUE(probe.starts_with("60s-")) << probe;
    EXPECT_EQ(rule.expression,
              R"(last_over_time(probe_success{monitor="lms",namespace="campus",ocim="lab",ocim_probe=")" + probe +
                  R"("}[2m30s]) == 0)");
    EXPECT_EQ(rule.lasts, "180s");
    EXPECT_EQ(rule.labels, (Labels{{"alert_emails", "a@example.org, b@example.org"}, {"severity", "critical"}}));
    object.spec.alert_after_failures = 1;
    object.spec.alert_emails.clear();
    EXPECT_EQ(entry(object).rule->lasts, "0s");
    EXPECT_FALSE(entry(object).rule->labels.contains("alert_emails"));
}

TEST(Prometheus, WhatWasScrapedLastIsSpelledAsPrometheusDoes) {
    const struct {
        std::int64_t interval;
        const char* text;
    } cases[] = {{15, "last_over_time(x[1m])"},
                 {60, "last_over_time(x[2m30s])"},
                 {3'585, "last_over_time(x[2h])"},
                 {3'600, "last_over_time(x[2h30s])"},
                 {86'400, "last_over_time(x[2d30s])"}};
    for (const auto& c : cases) EXPECT_EQ(last_scraped("x", c.interval), c.text);
}

Thing thing_of(const Object& object) {
    Thing out;
    out.mark = runtime::Mark{"lab", object.metadata.key(), object.metadata.uid, false};
    out.entry = entry(object);
    return out;
}

TEST(Prometheus, EachIntervalIsAskedForWithItsOwnWindow) {
    auto often = monitor(), seldom = monitor(), same = monitor(), off = monitor(), broken = monitor();
    seldom.spec.interval_seconds = 3600;
    off.spec.interval_seconds = 7;
    off.spec.enabled = false;
    Snapshot files{{{"campus/a"}, thing_of(often)},
                   {{"campus/b"}, thing_of(seldom)},
                   {{"campus/c"}, thing_of(same)},
                   {{"campus/d"}, thing_of(off)},
                   {{"campus/e"}, thing_of(broken)}};
    files.at({"campus/e"}).entry->group.labels[probe_label] = "9\"}) or vector(1";
    const auto term = [](const std::string& interval, const std::string& window) {
        return "last_over_time({__name__=~\"probe_success|probe_http_status_code|probe_ssl_earliest_cert_expiry\","
               "ocim=\"lab\",ocim_probe=~\"" +
               interval + "s-.*\"}[" + window + "])";
    };
    EXPECT_EQ(query("lab", files), term("60", "2m30s") + " or " + term("3600", "2h30s"));
    EXPECT_EQ(query("lab", {}), "");
}

TEST(Prometheus, ATargetThatIsNotTakenIsLookedForLaterAndLater) {
    auto object = monitor();
    Snapshot files{{{"campus/lms"}, thing_of(object)}};
    auto& thing = files.at({"campus/lms"});
    thing.loaded = Loaded::not_yet;
    auto known = inputs();
    known.now = *parse_rfc3339("2026-11-22T12:01:00Z");
    const auto look = [&] { return Monitor::report(object, known, files).look_again; };
    EXPECT_EQ(Monitor::report(object, known, files).verdict.reason, "NotLoaded");
    EXPECT_EQ(look(), Duration(2'000));
    auto& ready = object.status.conditions.emplace_back();
    ready.type = "Ready";
    ready.status = "False";
    ready.reason = "NotLoaded";
    const struct {
        const char* since;
        std::optional<Duration> look;
    } cases[] = {{"2026-11-22T12:01:00Z", Duration(2'000)},
                 {"2026-11-22T12:00:50Z", Duration(10'000)},
                 {"2026-11-22T12:00:00Z", std::nullopt}};  // the drift interval: a look comes by itself
    for (const auto& c : cases) {
        ready.last_transition_time = c.since;
        EXPECT_EQ(look(), c.look) << c.since;
    }
    ready.reason = "OutOfSync";
    EXPECT_EQ(look(), Duration(2'000)) << "it has only just been written";
    thing.loaded = Loaded::yes;
    EXPECT_EQ(look(), std::nullopt);
}

TEST(Prometheus, WhatAnotherServiceWatchedIsNoEntry) {
    auto object = monitor();
    object.spec.alert_emails = {"a@example.org"};
    Snapshot seen{{{"campus/lms"}, thing_of(object)}};
    seen.at({"campus/lms"}).entry.reset();
    const auto said = Monitor::report(object, inputs(), seen);
    EXPECT_EQ(said.verdict.reason, "OutOfSync");
    const runtime::Finding alerting{"Alerting", "False", "OutOfSync", "Prometheus has no alert for it"};
    EXPECT_NE(std::ranges::find(said.findings, alerting), said.findings.end());
    EXPECT_EQ(Monitor::diff(object, inputs(), seen).size(), 1u);
}

TEST(Prometheus, TextIsNeitherATemplateNorAQuery) {
    EXPECT_EQ(plain_text("plain { {x} }} text"), "plain { {x} }} text");
    EXPECT_EQ(plain_text("{{ .Labels }}"), "{{ \"{{\" }} .Labels }}");
    EXPECT_EQ(plain_text("{{{"), "{{ \"{{\" }}{");
    EXPECT_EQ(promql_string("a\"b\\c\nd"), "\"a\\\"b\\\\c\\nd\"");
}

TEST(Prometheus, FilesAreReadAsTheyWereWritten) {
    const Key key{"campus/lms"};
    auto files = *Files::read("", " \n", "lab");
    EXPECT_TRUE(files.snapshot().empty());
    files.put(key, entry(monitor()));
    const auto again = Files::read(files.targets(), files.rules(), "lab");
    ASSERT_TRUE(again);
    const auto seen = again->snapshot();
    ASSERT_EQ(seen.size(), 1u);
    EXPECT_EQ(seen.at(key).entry, entry(monitor()));
    EXPECT_EQ(seen.at(key).mark, (runtime::Mark{"lab", "campus/lms", "uid-1", false}));
    EXPECT_EQ(again->targets(), files.targets());
    for (const auto& [targets, rules] : std::vector<std::pair<std::string, std::string>>{
             {"- targets: []", ""}, {"{}", ""}, {"", "[]"}, {"[{\"targets\"", ""}, {"", "groups: []"}})
        EXPECT_FALSE(Files::read(targets, rules, "lab")) << targets << rules;
}

TEST(Prometheus, OnlyItsOwnWordCounts) {
    const std::string rules =
        R"({"status":"success","data":{"groups":[{"name":"ocim lab","file":"/etc/x/ocim.lab.main.rules.yml","rules":[)"
        R"({"name":"OcimMonitorDown","query":"q","duration":120,"labels":{"severity":"critical"},)"
        R"("annotations":{"ocim_mark":"i=lab o=campus/lms u=1"}},{"name":"other","query":"q"}]}]}})";
    const auto found = rules_in_force(rules, "ocim.lab.main.rules.yml");
    ASSERT_TRUE(found);
    const Key key{"campus/lms"};
    const Rule rule{
        "OcimMonitorDown", "q", "120s", {{"severity", "critical"}}, {{"ocim_mark", "i=lab o=campus/lms u=1"}}};
    EXPECT_TRUE(in_force(*found, key, rule));
    auto other = rule;
    other.lasts = "60s";
    EXPECT_FALSE(in_force(*found, key, other));
    EXPECT_FALSE(in_force(*found, key, std::nullopt));
    EXPECT_TRUE(in_force(*rules_in_force(rules, "ocim.lab.second.rules.yml"), key, std::nullopt));
    for (const auto* reply : {"", "<html>", "{}", "[]", R"({"status":"error"})", R"({"status":"success","data":{}})"}) {
        EXPECT_FALSE(rules_in_force(reply, "f")) << reply;
        EXPECT_FALSE(targets_in_force(reply)) << reply;
        EXPECT_FALSE(findings(reply, WallTime())) << reply;
    }
}

TEST(Prometheus, WhatWasFound) {
    const auto sample = [](const std::string& name, const std::string& monitor, const std::string& value) {
        return R"({"metric":{"__name__":")" + name + R"(","namespace":"campus","monitor":")" + monitor +
               R"(","ocim_probe":")" + (monitor == "e" ? "60s-former" : "60s-now") + R"("},"value":[1790000000.1,")" +
               value + "\"]}";
    };
    const auto reply = R"({"status":"success","data":{"resultType":"vector","result":[)" +
                       sample("probe_success", "a", "1") + "," + sample("probe_http_status_code", "a", "204") + "," +
                       sample("probe_ssl_earliest_cert_expiry", "a", "1.8e+09") + "," +
                       sample("probe_success", "b", "1") + "," + sample("probe_success", "b", "0") + "," +
                       sample("probe_http_status_code", "c", "200") + "," + sample("probe_success", "d", "NaN") + "," +
                       sample("probe_success", "e", "0") + "]}}";
    const auto now = *parse_rfc3339("2026-11-22T12:00:42Z");
    const auto found = findings(reply, now);
    ASSERT_TRUE(found);
    ASSERT_EQ(found->size(), 3u);
    const auto at = [&](const std::string& monitor) { return found->at({Key{monitor}, "60s-now"}); };
    const auto a = at("campus/a");
    EXPECT_TRUE(a.up);
    EXPECT_EQ(a.status, 204u);
    EXPECT_EQ(a.certificate_expires, WallTime(std::chrono::seconds(1'800'000'000)));
    EXPECT_EQ(a.at, *parse_rfc3339("2026-11-22T12:00:00Z")) << "by the minute";
    EXPECT_TRUE(found->contains({Key{"campus/e"}, "60s-former"})) << "of what was watched before";
    EXPECT_FALSE(at("campus/b").up) << "of several targets all must be up";
}

}  // namespace
}  // namespace ocim::monitoring::prometheus
