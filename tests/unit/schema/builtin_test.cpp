#include "schema/builtin.hpp"

#include "crd/schemas.hpp"
#include "schema/column.hpp"
#include "schema/schema.hpp"
#include "support.hpp"

#include <gtest/gtest.h>
#include <boost/json/parse.hpp>
#include <boost/json/value_to.hpp>
#include <set>
#include <string>

namespace ocim::schema {
namespace {

namespace json = boost::json;

TEST(Builtin, HoldsEveryKindThatTheServerBringsItself) {
    std::set<std::string> kinds;
    for (const auto text : builtin_schemas()) {
        const auto spec = json::parse(text).at("spec");
        const auto group = json::value_to<std::string>(spec.at("group"));
        kinds.insert((group.empty() ? "" : group + "/") + json::value_to<std::string>(spec.at("names").at("kind")));
    }
    EXPECT_EQ(kinds,
              (std::set<std::string>{"Namespace", "Secret", "ConfigMap", "ServiceAccount", "ResourceQuota", "Event",
                                     "events.k8s.io/Event", "coordination.k8s.io/Lease",
                                     "apiextensions.k8s.io/CustomResourceDefinition", "rbac.authorization.k8s.io/Role",
                                     "rbac.authorization.k8s.io/ClusterRole", "rbac.authorization.k8s.io/RoleBinding",
                                     "rbac.authorization.k8s.io/ClusterRoleBinding"}));
}

/// kubectl explain shows these.
void expect_described(const json::object& schema, const std::string& path) {
    if (const auto* properties = schema.if_contains("properties"))
        for (const auto& [name, field] : properties->as_object()) {
            const auto here = path + "." + std::string(name);
            EXPECT_TRUE(field.as_object().contains("description")) << here;
            expect_described(field.as_object(), here);
        }
    if (const auto* items = schema.if_contains("items")) expect_described(items->as_object(), path + "[]");
}

TEST(Builtin, DescribesEveryField) {
    for (const auto text : builtin_schemas()) {
        const auto crd = json::parse(text);
        const auto& schema = crd.at_pointer("/spec/versions/0/schema/openAPIV3Schema").as_object();
        const auto name = json::value_to<std::string>(crd.at_pointer("/metadata/name"));
        EXPECT_TRUE(schema.contains("description")) << name;
        expect_described(schema, name);
    }
}

TEST(Builtin, CompilesWithItsColumns) {
    for (const auto text : builtin_schemas()) {
        const auto crd = json::parse(text);
        const auto schema = Schema::compile(crd.at_pointer("/spec/versions/0/schema/openAPIV3Schema"), "schema");
        EXPECT_TRUE(schema) << schema.error().message;
        for (const auto& column : crd.at_pointer("/spec/versions/0/additionalPrinterColumns").as_array())
            EXPECT_TRUE(JsonPath::parse(json::value_to<std::string>(column.at("jsonPath")))) << column;
    }
}

/// What is in force with the tool's fragment would stay behind.
TEST(OurKinds, ALoadBalancerStaysWithItsFragmentOfTheTool) {
    for (const auto text : crd::schemas()) {
        const auto crd = json::parse(text);
        if (crd.at_pointer("/spec/names/kind") != "LoadBalancer") continue;
        const auto schema = Schema::compile(crd.at_pointer("/spec/versions/0/schema/openAPIV3Schema"), "loadbalancers");
        ASSERT_TRUE(schema) << schema.error().message;
        const auto balancer = [](const char* compatible) {
            auto haproxy = json::object{{"local", json::object{}}, {"fragmentPrefix", "ocim-"}};
            if (compatible) haproxy["compatible"] = json::parse(compatible);
            return api::Json(json::object{{"spec", json::object{{"domain", "lb.example.com"}, {"haproxy", haproxy}}}});
        };
        const auto* ours = R"({"fragment":"ours","command":"haproxy-config","directory":"/etc/haproxy"})";
        const struct {
            const char *reason, *before, *after, *field;
        } rows[] = {
            {"nothing is new", ours, ours, ""},
            {"the tool is elsewhere", ours, R"({"fragment":"ours","command":"/opt/tool","directory":"/etc/haproxy"})",
             ""},
            {"another fragment", ours, R"({"fragment":"b","command":"haproxy-config","directory":"/etc/haproxy"})",
             "spec.haproxy.compatible.fragment"},
            {"another directory", ours, R"({"fragment":"ours","command":"haproxy-config","directory":"/etc/other"})",
             "spec.haproxy.compatible.directory"},
            {"it is taken away", ours, nullptr, "spec.haproxy"},
            {"it is added", nullptr, ours, "spec.haproxy"},
            {"there never was one", nullptr, nullptr, ""},
        };
        for (const auto& row : rows) {
            const auto old = balancer(row.before);
            std::string fields;
            for (const auto& cause : schema->validate(balancer(row.after), &old)) {
                fields += cause.field;
                EXPECT_NE(cause.message.find("make a new LoadBalancer instead"), std::string::npos) << cause.message;
            }
            EXPECT_EQ(fields, row.field) << row.reason;
        }
        return;
    }
    FAIL() << "there is no LoadBalancer";
}

TEST(OurKinds, ALoadBalancerStaysInItsDirectory) {
    std::optional<Schema> schema;
    for (const auto text : crd::schemas()) {
        const auto crd = json::parse(text);
        if (crd.at_pointer("/spec/names/kind") == "LoadBalancer")
            schema = compiled(crd.at_pointer("/spec/versions/0/schema/openAPIV3Schema"));
    }
    ASSERT_TRUE(schema);
    const std::string one = "directory: /etc/haproxy/ocim, local: {}";
    const std::string two = "directory: /d, hosts: [{name: a, local: {}}, {name: b, local: {}, directory: /b}]";
    const struct {
        const char* reason;
        std::string before, after, field;
    } rows[] = {
        {"nothing is new", one, one, ""},
        {"another directory", one, "directory: /etc/haproxy/else, local: {}", "spec.haproxy.directory"},
        {"nothing is new on two hosts", two, two, ""},
        {"another one of a host", two,
         "directory: /d, hosts: [{name: a, local: {}}, {name: b, local: {}, directory: /c}]", "spec.haproxy.hosts[1]"},
        {"one of its own", two,
         "directory: /d, hosts: [{name: a, local: {}, directory: /a}, {name: b, local: {}, directory: /b}]",
         "spec.haproxy.hosts[0]"},
        {"none of its own", two, "directory: /d, hosts: [{name: a, local: {}}, {name: b, local: {}}]",
         "spec.haproxy.hosts[1]"},
        {"a host goes and another comes", two, "directory: /d, hosts: [{name: c, local: {}, directory: /c}]", ""},
    };
    for (const auto& row : rows) {
        const auto old = yaml("{spec: {domain: lb.example.com, haproxy: {" + row.before + "}}}");
        std::string fields;
        for (const auto& cause :
             schema->validate(yaml("{spec: {domain: lb.example.com, haproxy: {" + row.after + "}}}"), &old)) {
            fields += cause.field;
            EXPECT_NE(cause.message.find("would stay behind"), std::string::npos) << cause.message;
        }
        EXPECT_EQ(fields, row.field) << row.reason;
    }
}

/// What was made at the former place would stay behind.
TEST(OurKinds, AMonitoringServiceStaysWhereItIs) {
    std::optional<Schema> schema;
    for (const auto text : crd::schemas()) {
        const auto crd = json::parse(text);
        if (crd.at_pointer("/spec/names/kind") == "MonitoringService")
            schema = compiled(crd.at_pointer("/spec/versions/0/schema/openAPIV3Schema"));
    }
    ASSERT_TRUE(schema);
    const std::string new_relic = "credentialsRef: {name: key}, newRelic: {accountID: 1, region: US}";
    const std::string local = "prometheus: {url: 'http://a:9090', directory: /etc/ocim, local: {}}";
    const auto ssh = [](const std::string& host) {
        return "prometheus: {url: 'http://a:9090', directory: /etc/ocim, ssh: {host: " + host +
               ", user: u, keyRef: {name: k}, hostKey: 'ssh-ed25519 AAAA'}}";
    };
    const struct {
        const char* reason;
        std::string before, after, field;
    } rows[] = {
        {"nothing is new", new_relic, new_relic, ""},
        {"another key", new_relic, "credentialsRef: {name: other}, newRelic: {accountID: 1, region: US}", ""},
        {"another account", new_relic, "credentialsRef: {name: key}, newRelic: {accountID: 2, region: US}",
         "spec.newRelic.accountID"},
        {"another region", new_relic, "credentialsRef: {name: key}, newRelic: {accountID: 1, region: EU}",
         "spec.newRelic.region"},
        {"another provider", new_relic, "prober: {}", "spec"},
        {"another provider yet", local, "prober: {}", "spec"},
        {"from the prober", "prober: {}", local, "spec"},
        {"more probes at a time", "prober: {maxConcurrentProbes: 1}", "prober: {maxConcurrentProbes: 2}", ""},
        {"another address of the same", local, "prometheus: {url: 'http://b:9090', directory: /etc/ocim, local: {}}",
         ""},
        {"another directory", local, "prometheus: {url: 'http://a:9090', directory: /etc/else, local: {}}",
         "spec.prometheus.directory"},
        {"another host", ssh("one"), ssh("two"), "spec.prometheus.ssh.host"},
        {"the same host", ssh("one"), ssh("one"), ""},
        {"the host by SSH now", local, ssh("one"), "spec.prometheus"},
    };
    for (const auto& row : rows) {
        const auto old = yaml("{spec: {" + row.before + "}}");
        std::string fields;
        for (const auto& cause : schema->validate(yaml("{spec: {" + row.after + "}}"), &old)) {
            fields += cause.field;
            EXPECT_NE(cause.message.find("make a new MonitoringService instead"), std::string::npos) << cause.message;
        }
        EXPECT_EQ(fields, row.field) << row.reason;
    }
}

TEST(OurKinds, CompileWithTheirColumns) {
    for (const auto text : crd::schemas()) {
        const auto crd = json::parse(text);
        for (const auto& version : crd.at_pointer("/spec/versions").as_array()) {
            const auto name = json::value_to<std::string>(crd.at_pointer("/metadata/name"));
            const auto schema = Schema::compile(version.at("schema").at("openAPIV3Schema"), name);
            EXPECT_TRUE(schema) << schema.error().message;
            for (const auto& column : version.at("additionalPrinterColumns").as_array())
                EXPECT_TRUE(JsonPath::parse(json::value_to<std::string>(column.at("jsonPath")))) << name << column;
        }
    }
}

TEST(OurKinds, AMonitorWatchesOneThing) {
    std::optional<Schema> schema;
    for (const auto text : crd::schemas()) {
        const auto crd = json::parse(text);
        if (crd.at_pointer("/metadata/name") == "monitors.ocim.opencraft.com")
            schema = compiled(crd.at_pointer("/spec/versions/0/schema/openAPIV3Schema"));
    }
    ASSERT_TRUE(schema);
    const struct {
        const char *spec, *says;  // says "": it may be
    } cases[] = {
        {"url: 'https://demo.example.org'", ""},
        {"dns: {name: example.org, servers: [192.0.2.53, '[2001:db8::1]:53']}", ""},
        {"tcp: {address: 'db.example.org:5432'}", ""},
        {"tcp: {address: 'db.example.org'}", "spec.tcp.address"},
        {"dns: {name: example.org, servers: []}", "spec.dns.servers"},
        {"enabled: true", "exactly one of url, dns and tcp is needed"},
        {"url: 'https://demo.example.org', tcp: {address: 'db.example.org:5432'}",
         "exactly one of url, dns and tcp is needed"},
        {"tcp: {address: 'db.example.org:5432'}, expectedStatus: 200", "go with url only"},
        {"dns: {name: example.org, servers: [ns1], expect: {rcode: NXDOMAIN, values: [192.0.2.1]}}",
         "go with the rcode NOERROR only"},
        {"url: 'https://x.example.org', basicAuth: {username: a, passwordSecretRef: {name: b, key: c}}, headers: "
         "[{name: X-Plain, value: yes-please}]",
         ""},
        {"url: 'https://x.example.org', basicAuth: {username: a, passwordSecretRef: {name: b, key: c}}, headers: "
         "[{name: AUTHORIZATION, value: yes-please}]",
         "only one of both is possible"},
    };
    for (const auto& c : cases) {
        auto object =
            yaml(std::string("{apiVersion: v, kind: Monitor, metadata: {name: m}, spec: {serviceRef: {name: s}, ") +
                 c.spec + "}}");
        schema->apply_defaults(object);
        std::string said;
        for (const auto& text : texts(schema->validate(object, nullptr))) said += text + "\n";
        EXPECT_EQ(said.empty(), *c.says == 0) << c.spec << "\n" << said;
        EXPECT_NE(said.find(c.says), std::string::npos) << c.spec << "\n" << said;
    }
}

}  // namespace
}  // namespace ocim::schema
