#include "monitoring/monitor.hpp"

#include "crd/mailrelays.hpp"
#include "crd/notifications.hpp"
#include "runtime/base64.hpp"

#include <gtest/gtest.h>
#include <algorithm>
#include <functional>

namespace ocim::monitoring {
namespace {

using namespace std::chrono_literals;
using Object = crd::Monitor;
using Texts = std::vector<std::string>;
using runtime::Mark;
using State = runtime::Verdict::State;

const Key key{"campus/lms"};

Object monitor() {
    Object out;
    out.metadata.name = "lms";
    out.metadata.namespace_ = "campus";
    out.metadata.uid = "uid-1";
    out.spec.service_ref.name = "builtin";
    out.spec.url = "https://demo.example.org/heartbeat";
    out.spec.headers = {{"Authorization", std::nullopt, api::SecretKeyRef{"auth", "header"}},
                        {"X-Plain", "yes", std::nullopt}};
    return out;
}

Object dns_monitor() {
    auto out = monitor();
    out.spec.url.reset();
    out.spec.headers.clear();
    auto& dns = out.spec.dns.emplace();
    dns.name = "example.org";
    dns.type = Object::Spec::Dns::Type::mx;
    dns.servers = {"192.0.2.53", "[2001:db8::53]:5353"};
    return out;
}
Object tcp_monitor() {
    auto out = monitor();
    out.spec.url.reset();
    out.spec.headers.clear();
    auto& tcp = out.spec.tcp.emplace();
    tcp.address = "mail.example.org:465";
    tcp.tls = true;
    return out;
}

runtime::Inputs inputs(const std::string& header = "Basic abc") {
    api::json::object data, metadata, secret;
    data["header"] = runtime::base64(header);
    metadata["namespace"] = "campus";
    metadata["name"] = "auth";
    secret["apiVersion"] = "v1";
    secret["kind"] = "Secret";
    secret["metadata"] = std::move(metadata);
    secret["data"] = std::move(data);
    runtime::Inputs out;
    out.installation = "lab";
    out.add(api::Json(std::move(secret)));
    return out;
}

/// What is watched once monitor() is as declared.
Snapshot watched(std::optional<Outcome> last = std::nullopt) {
    const auto actions = Monitor::diff(monitor(), inputs(), {});
    Thing thing;
    thing.mark = actions.at(0).mark;
    thing.probe = actions.at(0).probe;
    thing.last = std::move(last);
    return {{key, thing}};
}

Texts texts(const std::vector<Action>& actions) {
    Texts out;
    for (const auto& action : actions) out.push_back(Monitor::describe(action));
    return out;
}

TEST(Monitor, DiffTable) {
    const std::string update = "update monitor campus/lms of https://demo.example.org/heartbeat";
    const struct {
        const char* reason;
        std::function<void(Object&, Snapshot&)> change;
        Texts actions;
    } cases[] = {
        {"as declared", [](Object&, Snapshot&) {}, {}},
        {"we were started anew",
         [](Object&, Snapshot& s) { s.clear(); },
         {"create monitor campus/lms of https://demo.example.org/heartbeat"}},
        {"another URL",
         [](Object& o, Snapshot&) { o.spec.url = "http://x/"; },
         {"update monitor campus/lms of http://x/"}},
        {"another interval", [](Object& o, Snapshot&) { o.spec.interval_seconds = 5; }, {update}},
        {"another way there", [](Object& o, Snapshot&) { o.spec.connect_to = "192.0.2.1:80"; }, {update}},
        {"another header", [](Object& o, Snapshot&) { o.spec.headers[1].value = "no"; }, {update}},
        {"switched off", [](Object& o, Snapshot&) { o.spec.enabled = false; }, {update + ", disabled"}},
        {"of a former object of this name", [](Object&, Snapshot& s) { s[key].mark->uid = "uid-0"; }, {update}},
        {"a Secret without the key", [](Object& o, Snapshot&) { o.spec.headers[0].value_ref->key = "other"; }, {}},
        {"a name to ask for",
         [](Object& o, Snapshot&) { o = dns_monitor(); },
         {"update monitor campus/lms of DNS MX example.org"}},
        {"a server to connect to",
         [](Object& o, Snapshot&) { o = tcp_monitor(); },
         {"update monitor campus/lms of tls://mail.example.org:465"}},
        {"no URL", [](Object& o, Snapshot&) { o.spec.url = "ftp://x"; }, {}},
    };
    for (const auto& c : cases) {
        auto object = monitor();
        auto seen = watched();
        c.change(object, seen);
        EXPECT_EQ(texts(Monitor::diff(object, inputs(), seen)), c.actions) << c.reason;
    }
    EXPECT_EQ(texts(Monitor::diff(monitor(), inputs("Basic other"), watched())), Texts{update}) << "a rotated Secret";
    EXPECT_EQ(watched()[key].probe.headers.at("Authorization"), Secret("Basic abc"));
    EXPECT_TRUE(Monitor::diff(monitor(), inputs("a\r\nX-Evil: 1"), {}).empty()) << "a line break in a header";
}

TEST(Monitor, WhatIsFoundAtASiteIsNewsForItsOwnAlone) {
    auto seen = watched();
    EXPECT_EQ(Monitor::concerns(key, seen), "campus/lms");
    seen.at(key).mark.reset();
    EXPECT_EQ(Monitor::concerns(key, seen), std::nullopt) << "it may be in anybody's way";
    EXPECT_EQ(Monitor::concerns(key, {}), std::nullopt);
}

TEST(Monitor, RemovesItsOwnOnly) {
    EXPECT_EQ(texts(Monitor::remove(monitor(), "lab", watched())), Texts{"delete monitor campus/lms"});
    EXPECT_TRUE(Monitor::remove(monitor(), "lab", {}).empty());
    auto other = watched();
    other[key].mark->uid = "uid-2";
    EXPECT_TRUE(Monitor::remove(monitor(), "lab", other).empty());
    ASSERT_EQ(Monitor::marked(other).size(), 1u);
    EXPECT_EQ(texts(Monitor::sweep(key, other)), Texts{"delete monitor campus/lms"});
}

/// inputs() with a relay of that name.
runtime::Inputs with_relay(const std::string& name) {
    auto out = inputs();
    crd::MailRelay relay;
    relay.metadata.name = name;
    out.add(api::encode_object(relay));
    return out;
}

runtime::Finding alerting(const Object& object, const runtime::Inputs& given) {
    const auto said = Monitor::report(object, given, watched());
    return said.findings.size() == 2 ? said.findings[1] : runtime::Finding{};
}

TEST(Monitor, SaysWhetherPeopleAreToldByMail) {
    auto object = monitor();
    EXPECT_EQ(Monitor::report(object, inputs(), watched()).findings.size(), 1u) << "nobody is to be told";
    object.spec.alert_emails = {"ops@example.org"};
    auto said = Monitor::report(object, inputs(), watched());
    ASSERT_EQ(said.findings.size(), 2u);
    EXPECT_EQ(said.findings[1].status, "False");
    EXPECT_EQ(said.findings[1].reason, "NoMailRelay");
    ASSERT_EQ(said.notes.size(), 1u) << "and once as an event";
    EXPECT_TRUE(said.notes[0].warning);
    EXPECT_EQ(said.verdict.state, State::ready) << "it is watched all the same";
    api::Condition condition;
    condition.type = "Alerting";
    condition.status = "False";
    condition.reason = "NoMailRelay";
    object.status.conditions.push_back(condition);
    said = Monitor::report(object, inputs(), watched());
    EXPECT_EQ(said.findings.size(), 2u);
    EXPECT_TRUE(said.notes.empty());

    EXPECT_EQ(alerting(object, with_relay("default")).reason, "ByMail");
    EXPECT_EQ(alerting(object, with_relay("office")).reason, "NoMailRelay");
    crd::MonitoringService service;
    service.metadata.name = "builtin";
    service.spec.prober.emplace().mail_relay_ref = api::LocalRef{"office"};
    auto given = with_relay("office");
    given.add(api::encode_object(service));
    EXPECT_EQ(alerting(object, given).status, "True");

    auto& alert = object.status.alert.emplace();
    alert.name = "lms-down-1";
    crd::Notification notice;
    notice.metadata.name = "lms-down-1";
    notice.metadata.namespace_ = "campus";
    given = with_relay("default");
    given.add(api::encode_object(notice));
    EXPECT_EQ(alerting(object, given).reason, "NotSent") << "it is on its way, and not there";
    notice.status.sent_at = "2026-11-22T12:00:00Z";
    given = with_relay("default");
    auto known = api::encode_object(notice);
    known.as_object()["status"] = api::encode(notice.status);
    given.add(std::move(known));
    EXPECT_EQ(alerting(object, given).reason, "ByMail");
}

TEST(Monitor, AnAlertBeginsWithEnoughFailuresAndEndsWithASuccess) {
    const auto at = [](const char* time) { return *parse_rfc3339(time); };
    auto object = monitor();
    const auto after = [&](Outcome last) {
        object.status = Monitor::report(object, inputs(), watched(std::move(last))).status;
        return object.status.alert;
    };
    EXPECT_FALSE(after({false, 503, "answers 503", at("2026-11-22T12:00:00Z"), false})) << "not often enough";
    auto alert = after({false, 503, "answers 503", at("2026-11-22T12:02:00Z"), true});
    ASSERT_TRUE(alert);
    EXPECT_EQ(alert->name, "lms-down-20261122120200");
    EXPECT_EQ(alert->since, "2026-11-22T12:02:00Z");
    EXPECT_EQ(after({false, 502, "answers 502", at("2026-11-22T12:03:00Z"), true})->since, alert->since)
        << "the same one";
    EXPECT_EQ(Monitor::report(object, inputs(), watched()).status.alert->since, alert->since) << "we were started anew";
    EXPECT_FALSE(after({false, 502, "answers 502", at("2026-11-22T12:04:00Z"), false})->recovered_at)
        << "and count from the beginning";
    EXPECT_FALSE(after({false, 502, "answers 502", at("2026-11-22T12:05:00Z"), true})->recovered_at);
    EXPECT_EQ(object.status.alert->since, alert->since);
    EXPECT_EQ(after({true, 200, "answers 200", at("2026-11-22T12:06:00Z"), false})->recovered_at,
              "2026-11-22T12:06:00Z");
    EXPECT_EQ(after({true, 200, "answers 200", at("2026-11-22T12:07:00Z"), false})->recovered_at,
              "2026-11-22T12:06:00Z");
    EXPECT_EQ(after({false, 503, "answers 503", at("2026-11-22T12:08:00Z"), false})->name, alert->name);
    EXPECT_EQ(after({false, 503, "answers 503", at("2026-11-22T12:09:00Z"), true})->name, "lms-down-20261122120900");
    object.spec.enabled = false;
    EXPECT_FALSE(Monitor::report(object, inputs(), watched()).status.alert);
}

TEST(Monitor, ReportTable) {
    const WallTime noon = *parse_rfc3339("2026-11-22T12:00:00Z");
    const Outcome up{true, 200, "answers 200", noon}, down{false, 503, "answers 503, expected 200 to 399", noon};
    const struct {
        const char* reason;
        std::optional<bool> before;
        std::optional<Outcome> last;
        std::string up_status, note;
    } cases[] = {
        {"before the first probe", {}, {}, "Unknown", ""},
        {"the first finds it up: no news", {}, up, "True", ""},
        {"the first finds it down", {}, down, "False", "ProbeFailed"},
        {"it went down", true, down, "False", "ProbeFailed"},
        {"it is still down", false, down, "False", ""},
        {"it came up", false, up, "True", "ProbeSucceeded"},
    };
    for (const auto& c : cases) {
        auto object = monitor();
        object.status.up = c.before;
        const auto said = Monitor::report(object, inputs(), watched(c.last));
        EXPECT_EQ(said.verdict.state, State::ready) << c.reason << ": watched is ready, whatever is found";
        ASSERT_EQ(said.findings.size(), 1u);
        EXPECT_EQ(said.findings[0].status, c.up_status) << c.reason;
        EXPECT_EQ(said.notes.empty() ? "" : said.notes[0].reason, c.note) << c.reason;
        EXPECT_TRUE(said.look_again) << c.reason;
    }
    const auto said = Monitor::report(monitor(), inputs(), watched(down));
    EXPECT_EQ(said.status.up, false);
    EXPECT_EQ(said.status.status_code, 503);
    EXPECT_EQ(said.status.last_probe, "2026-11-22T12:00:00Z");
    EXPECT_TRUE(said.notes[0].warning);

    auto object = monitor();
    object.status = said.status;
    const auto restarted = Monitor::report(object, inputs(), watched());
    EXPECT_EQ(restarted.status.up, false) << "what was found before a restart holds until the next probe";
    object.spec.enabled = false;
    auto seen = watched(down);
    seen[key].probe.enabled = false;
    const auto off = Monitor::report(object, inputs(), seen);
    EXPECT_EQ(off.status.up, std::nullopt);
    EXPECT_EQ(off.verdict.reason, "Disabled");
    EXPECT_FALSE(off.look_again);

    object = monitor();
    object.spec.headers[0].value_ref->key = "other";
    EXPECT_EQ(Monitor::report(object, inputs(), {}).verdict.reason, "SecretMissing");
    EXPECT_EQ(Monitor::report(monitor(), inputs("a\nb"), {}).verdict.reason, "InvalidSpec");
    EXPECT_EQ(Monitor::report(monitor(), inputs(), {}).verdict.reason, "OutOfSync");
}

TEST(Monitor, WarnsWhileThereIsTimeToRenewACertificate) {
    const std::string ends = "2026-12-24T12:00:00Z";
    const struct {
        const char *reason, *now, *before, *said;
    } cases[] = {
        {"there is time", "2026-12-01T00:00:00Z", "336h", "False Valid"},
        {"two weeks before", "2026-12-10T12:00:00Z", "336h", "True ExpiresSoon"},
        {"as was asked for", "2026-12-10T12:00:00Z", "24h", "False Valid"},
        {"too late", "2026-12-24T12:00:00Z", "24h", "True Expired"},
    };
    for (const auto& c : cases) {
        auto object = monitor();
        object.spec.tls.warn_before = c.before;
        Outcome last{true, 200, "answers 200", *parse_rfc3339("2026-11-30T00:00:00Z")};
        last.certificate_expires = *parse_rfc3339(ends);
        auto now = inputs();
        now.now = *parse_rfc3339(c.now);
        auto said = Monitor::report(object, now, watched(last));
        EXPECT_EQ(said.status.certificate_expires, ends) << c.reason;
        const auto found = std::ranges::find(said.findings, "CertificateExpiring", &runtime::Finding::type);
        ASSERT_NE(found, said.findings.end()) << c.reason;
        EXPECT_EQ(found->status + " " + found->reason, c.said) << c.reason;
        const bool warned = std::ranges::count(said.notes, "CertificateExpiring", &runtime::Note::reason) == 1;
        EXPECT_EQ(warned, found->status == "True") << c.reason;
        object.status = said.status;
        api::Condition known;
        known.type = found->type;
        known.status = found->status;
        known.reason = found->reason;
        object.status.conditions = {known};
        said = Monitor::report(object, now, watched(last));
        EXPECT_EQ(std::ranges::count(said.notes, "CertificateExpiring", &runtime::Note::reason), 0) << "once";
        last = {false, std::nullopt, "no connection", last.at};
        EXPECT_EQ(Monitor::report(object, now, watched(last)).status.certificate_expires, ends)
            << "what is known of a site that is down holds";
        last = {true, 200, "answers 200", last.at};
        EXPECT_EQ(Monitor::report(object, now, watched(last)).status.certificate_expires, std::nullopt)
            << "a site without TLS has none";
    }
}

TEST(Monitor, RefusesAtWriteTime) {
    const struct {
        const char* url;
        std::optional<std::string> connect_to;
        const char* field;
    } cases[] = {
        {"https://demo.example.org", {}, ""},
        {"http://demo.example.org:8080/a?b#c", "[2001:db8::1]:80", ""},
        {"http://[2001:db8::1]/", "name:443", ""},
        {"ftp://x/", {}, "spec.url"},
        {"http://user@x/", {}, "spec.url"},
        {"http:///path", {}, "spec.url"},
        {"http://x:0/", {}, "spec.url"},
        {"http://x:65536/", {}, "spec.url"},
        {"http://x:8a/", {}, "spec.url"},
        {"http://x/ä", {}, "spec.url"},
        {"http://x/a\nb", {}, "spec.url"},
        {"http://[::1/", {}, "spec.url"},
        {"http://x/", "y:99999", "spec.connectTo"},
        {"http://x/", ":80", "spec.connectTo"},
    };
    for (const auto& c : cases) {
        auto object = monitor();
        object.spec.url = c.url;
        object.spec.connect_to = c.connect_to;
        const auto causes = Monitor::admit(object, nullptr, inputs());
        EXPECT_EQ(causes.empty() ? "" : causes[0].field, c.field) << c.url;
    }
    auto both = tcp_monitor();
    both.spec.url = "https://demo.example.org";
    EXPECT_EQ(Monitor::admit(both, nullptr, inputs()).at(0).field, "spec");
    EXPECT_EQ(Monitor::needs(monitor()),
              (std::vector<runtime::Reference>{{api::secret_kind, "campus", "auth"},
                                               {crd::MonitoringService::kind, "", "builtin", true}}));
}

TEST(Monitor, RefusesWhatNoNameServerCanBeAsked) {
    using Dns = Object::Spec::Dns;
    const struct {
        const char* reason;
        std::function<void(Dns&)> change;
        const char* field;
    } cases[] = {
        {"as it is", [](Dns&) {}, ""},
        {"a server by name", [](Dns& d) { d.servers = {"ns1.example.org"}; }, ""},
        {"a port that is none", [](Dns& d) { d.servers.push_back("192.0.2.1:0"); }, "spec.dns.servers[2]"},
        {"an empty label", [](Dns& d) { d.name = "www..example.org"; }, "spec.dns.name"},
        {"a value of MX", [](Dns& d) { d.expect = Dns::Expect{{}, {"10 mail.example.org."}, {}}; }, ""},
        {"a value of another type", [](Dns& d) { d.expect = Dns::Expect{{}, {"10 mail", "192.0.2.1"}, {}}; },
         "spec.dns.expect.values[1]"},
        {"among others", [](Dns& d) { d.expect = Dns::Expect{{}, {}, {"mail"}}; }, "spec.dns.expect.contains[0]"},
    };
    for (const auto& c : cases) {
        auto object = dns_monitor();
        c.change(*object.spec.dns);
        const auto causes = Monitor::admit(object, nullptr, inputs());
        EXPECT_EQ(causes.empty() ? "" : causes[0].field, c.field) << c.reason;
        EXPECT_EQ(Monitor::diff(object, inputs(), {}).empty(), *c.field != 0) << c.reason;
    }
    auto object = tcp_monitor();
    object.spec.tcp->address = "mail.example.org";
    EXPECT_EQ(Monitor::admit(object, nullptr, inputs()).at(0).field, "spec.tcp.address") << "a port is needed";
}

TEST(Monitor, WatchesServersAsItDoesPages) {
    for (const auto& object : {dns_monitor(), tcp_monitor()}) {
        const auto said = Monitor::report(object, inputs(), {});
        EXPECT_EQ(said.verdict.reason, "OutOfSync");
        const auto action = Monitor::diff(object, inputs(), {}).at(0);
        const Outcome down{false, std::nullopt, "no connection", *parse_rfc3339("2026-11-22T12:00:00Z")};
        const auto report = Monitor::report(object, inputs(), {{key, {action.mark, action.probe, down}}});
        EXPECT_EQ(report.status.up, false);
        EXPECT_EQ(report.status.target, target_of(action.probe));
        EXPECT_EQ(report.notes.at(0).message, *report.status.target + " no connection");
    }
}

TEST(Monitor, BasicAuthIsAHeader) {
    auto object = monitor();
    object.spec.headers.clear();
    object.spec.basic_auth = {"watch", {"auth", "header"}};
    EXPECT_EQ(Monitor::needs(object),
              (std::vector<runtime::Reference>{{api::secret_kind, "campus", "auth"},
                                               {crd::MonitoringService::kind, "", "builtin", true}}));
    const auto actions = Monitor::diff(object, inputs("pass:word"), {});
    ASSERT_EQ(actions.size(), 1u);
    EXPECT_EQ(actions[0].probe.headers.at("Authorization"), Secret("Basic " + runtime::base64("watch:pass:word")));
    object.spec.basic_auth->password_secret_ref.key = "other";
    EXPECT_EQ(Monitor::report(object, inputs(), {}).verdict.reason, "SecretMissing");
}

}  // namespace
}  // namespace ocim::monitoring
