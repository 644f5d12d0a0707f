#include "apiserver/server.hpp"

#include "base/limits.hpp"
#include "store/store.hpp"
#include "support/test_loop.hpp"

#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdio>
#include <fstream>

using namespace ocim;
using namespace std::chrono_literals;

namespace {

/// Keeps what a handler says.
struct FakeResponder : net::Responder {
    awaitable<void> reply(net::ServerReply given) override {
        said = std::move(given);
        co_return;
    }
    awaitable<void> start_stream(unsigned status, std::multimap<std::string, std::string> headers) override {
        said.status = status;
        said.headers = std::move(headers);
        streamed = true;
        co_return;
    }
    awaitable<bool> write(std::string chunk) override {
        said.body += chunk;
        co_return reads;
    }
    awaitable<void> finish() override {
        finished = true;
        co_return;
    }

    net::ServerReply said{0, {}, {}};
    bool streamed = false, finished = false, reads = true;
};

constexpr auto widgets_crd = R"({
  "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
  "metadata": {"name": "widgets.shop.example.org"},
  "spec": {"group": "shop.example.org", "scope": "Namespaced",
    "names": {"kind": "Widget", "listKind": "WidgetList", "plural": "widgets", "singular": "widget"},
    "versions": [{"name": "v1", "served": true, "storage": true, "subresources": {"status": {}},
      "additionalPrinterColumns": [{"name": "Color", "type": "string", "jsonPath": ".spec.color"}],
      "schema": {"openAPIV3Schema": {"type": "object", "properties": {
        "spec": {"type": "object", "properties": {"color": {"type": "string"}}},
        "status": {"type": "object", "properties": {"seen": {"type": "string"}}}}}}}]}})";

constexpr auto widgets = "/apis/shop.example.org/v1/namespaces/default/widgets";

std::string widget(const std::string& name, const std::string& color) {
    return R"({"apiVersion":"shop.example.org/v1","kind":"Widget","metadata":{"name":")" + name +
           R"("},"spec":{"color":")" + color + "\"}}";
}

class ServerTest : public testing::Test {
protected:
    using Headers = std::multimap<std::string, std::string>;

    ServerTest() {
        loop.run(start());
        health.add("startup", [this]() -> std::optional<std::string> {
            if (ready) return std::nullopt;
            return "starting";
        });
    }
    ~ServerTest() override {
        loop.run(store.stop());
        std::remove(audit_path.c_str());
    }

    awaitable<void> start() {
        const auto loaded = co_await store.load();
        EXPECT_TRUE(loaded);
        const auto started = co_await registry.start();
        EXPECT_TRUE(started);
        const auto roles = co_await apiserver::install_policy(registry);
        EXPECT_TRUE(roles);
        registry.set_guard(apiserver::escalation_guard(*authorizer));
        const auto crd = api::parse_json(widgets_crd);
        const auto installed = co_await registry.install(crd->value);
        EXPECT_TRUE(installed);
    }

    net::ServerRequest request(const std::string& method, const std::string& target, const std::string& body,
                               Headers headers) {
        net::ServerRequest out;
        out.method = method;
        const auto mark = target.find('?');
        out.path = target.substr(0, mark);
        if (mark != target.npos) out.query = target.substr(mark + 1);
        out.body = body;
        out.headers = std::move(headers);
        out.peer = peer;
        out.remote_address = "127.0.0.1";
        return out;
    }

    FakeResponder talk(const std::string& method, const std::string& target, const std::string& body = "",
                       Headers headers = {}) {
        FakeResponder responder;
        loop.run(server.handler()(request(method, target, body, std::move(headers)), responder));
        return responder;
    }
    net::ServerReply send(const std::string& method, const std::string& target, const std::string& body = "",
                          Headers headers = {}) {
        return talk(method, target, body, std::move(headers)).said;
    }
    /// "code reason message" of a refusal.
    std::string refusal(const std::string& method, const std::string& target, const std::string& body = "",
                        Headers headers = {}) {
        const auto reply = send(method, target, body, std::move(headers));
        const auto status = api::parse_json(reply.body);
        if (!status) return std::to_string(reply.status) + " " + reply.body;
        return std::to_string(reply.status) + " " + std::string(api::find_text(status->value, {"reason"})) + " " +
               std::string(api::find_text(status->value, {"message"}));
    }
    static std::string header(const net::ServerReply& reply, const std::string& name) {
        const auto found = reply.headers.find(name);
        return found == reply.headers.end() ? "" : found->second;
    }

    test::TestLoop loop;
    Metrics metrics;
    std::unique_ptr<Random> random = make_seeded_random(1);
    std::unique_ptr<store::Journal> journal = store::open_memory_journal(store::make_memory_disk());
    store::Store store{loop.executor(), *journal, loop.clock(), metrics};
    registry::Registry registry{store, loop.clock(), *random, metrics, {}};
    BlockingPool pool{loop.executor(), "test", 1, 8};
    std::unique_ptr<apiserver::Authorizer> authorizer = apiserver::make_rbac_authorizer(registry);
    std::string audit_path = testing::TempDir() + "ocim-server-test-audit-" + std::to_string(::getpid());
    apiserver::AuditLog audit{loop.executor(), metrics, *apiserver::AuditFile::open(audit_path, {})};
    apiserver::Health health;
    bool ready = true;
    std::optional<net::PeerCertificate> peer = net::PeerCertificate{"admin", {"system:masters"}};
    apiserver::Server server{{registry,
                              loop.clock(),
                              *random,
                              metrics,
                              pool,
                              *authorizer,
                              audit,
                              health,
                              "0.0.0",
                              {{"shop.example.org", "v1", "widgets", "diary", read_diary}}}};

    /// Somebody beside the store who knows more of a widget: in one piece, or as a stream when it is followed.
    static awaitable<std::optional<net::ServerReply>> read_diary(apiserver::SubresourceRequest asked,
                                                                 net::Responder& responder) {
        std::string text = "the " + std::string(api::find_text(asked.object, {"spec", "color"})) + " one\n";
        if (!asked.query.flag("follow")) co_return net::ServerReply{200, {{"Content-Type", "text/plain"}}, text};
        std::multimap<std::string, std::string> headers;
        co_await responder.start_stream(200, std::move(headers));
        text += asked.draining() ? "draining" : "serving";
        (void)co_await responder.write(std::move(text));
        co_await responder.finish();
        co_return std::nullopt;
    }
};

TEST_F(ServerTest, AnswersWithCodesHeadersAndObjects) {
    auto reply = send("POST", widgets, widget("a", "red"));
    EXPECT_EQ(reply.status, 201U) << reply.body;
    EXPECT_EQ(header(reply, "Content-Type"), "application/json");
    EXPECT_EQ(header(reply, "Cache-Control"), "no-cache, private");
    EXPECT_EQ(header(reply, "Audit-Id").size(), 36U);
    EXPECT_TRUE(reply.body.ends_with("}\n"));

    reply = send("GET", std::string(widgets) + "/a");
    EXPECT_EQ(reply.status, 200U);
    EXPECT_EQ(api::find_text(api::parse_json(reply.body)->value, {"spec", "color"}), "red");

    reply = send("DELETE", std::string(widgets) + "/a");
    EXPECT_EQ(reply.status, 200U);
    const auto status = api::parse_json(reply.body)->value;
    EXPECT_EQ(api::find_text(status, {"status"}), "Success");
    EXPECT_EQ(api::find_text(status, {"details", "kind"}), "widgets");
    EXPECT_EQ(api::find_text(status, {"details", "name"}), "a");
}

TEST_F(ServerTest, RefusesInKubernetesWords) {
    const std::string base = widgets;
    const struct {
        const char* reason;
        std::string method, target, body;
        Headers headers;
        std::string expected;
    } cases[] = {
        {"absent", "GET", base + "/nope", "", {}, "404 NotFound widgets.shop.example.org \"nope\" not found"},
        {"unknown kind", "GET", "/apis/shop.example.org/v1/gizmos", "", {}, "404 404 page not found\n"},
        {"unknown sub-resource", "GET", base + "/a/log", "", {}, "404 404 page not found\n"},
        {"a namespaced object without its namespace",
         "GET",
         "/apis/shop.example.org/v1/widgets/a",
         "",
         {},
         "404 404 page not found\n"},
        {"update without a name", "PUT", base, widget("a", "red"), {}, "400 BadRequest name must be provided"},
        {"create everywhere",
         "POST",
         "/apis/shop.example.org/v1/widgets",
         widget("a", "red"),
         {},
         "405 MethodNotAllowed the server does not allow this method on the requested resource"},
        {"delete a status",
         "DELETE",
         base + "/a/status",
         "",
         {},
         "405 MethodNotAllowed the server does not allow this method on the requested resource"},
        {"strategic merge on a custom kind",
         "PATCH",
         base + "/a",
         "{}",
         {{"content-type", "application/strategic-merge-patch+json"}},
         "415 UnsupportedMediaType the body of the request was in an unknown format - accepted media types include: "
         "application/json-patch+json, application/merge-patch+json, application/apply-patch+yaml"},
        {"protobuf for a custom kind",
         "POST",
         base,
         "k8s",
         {{"content-type", "application/vnd.kubernetes.protobuf"}},
         "415 UnsupportedMediaType the body of the request was in an unknown format - accepted media types include: "
         "application/json, application/yaml"},
        {"nothing to accept",
         "GET",
         base,
         "",
         {{"accept", "image/png"}},
         "406 NotAcceptable only the following media types are accepted: application/json"},
        {"no kind",
         "POST",
         base,
         R"({"apiVersion":"shop.example.org/v1"})",
         {},
         "400 BadRequest Object 'Kind' is missing in the object of kind Widget"},
        {"another version",
         "POST",
         base,
         R"({"apiVersion":"shop.example.org/v2","kind":"Widget"})",
         {},
         "400 BadRequest the API version in the data (shop.example.org/v2) does not match the expected API version "
         "(shop.example.org/v1)"},
        {"bad option",
         "POST",
         base + "?dryRun=Some",
         widget("a", "red"),
         {},
         "422 Invalid CreateOptions.meta.k8s.io \"\" is invalid: dryRun: Unsupported value: \"Some\": supported "
         "values: \"All\""},
        {"apply without a manager",
         "PATCH",
         base + "/a",
         widget("a", "red"),
         {{"content-type", "application/apply-patch+yaml"}},
         "422 Invalid PatchOptions.meta.k8s.io \"\" is invalid: fieldManager: Required value: is required for apply "
         "patch"},
        {"bad selector", "GET", base + "?labelSelector=a%20b", "", {}, "400 BadRequest unable to parse requirement: "},
        {"match without a version",
         "GET",
         base + "?resourceVersionMatch=Exact",
         "",
         {},
         "422 Invalid ListOptions.meta.k8s.io \"\" is invalid: resourceVersionMatch: Forbidden: resourceVersionMatch "
         "is forbidden unless resourceVersion is provided"},
        {"initial events without the match",
         "GET",
         base + "?watch=1&sendInitialEvents=true",
         "",
         {},
         "422 Invalid ListOptions.meta.k8s.io \"\" is invalid: resourceVersionMatch: Forbidden: sendInitialEvents "
         "requires setting resourceVersionMatch to NotOlderThan"},
        {"options of another kind",
         "DELETE",
         base + "/a",
         R"({"kind":"Widget"})",
         {},
         "400 BadRequest the body of a delete must be DeleteOptions, not Widget"},
        {"an unknown policy in the URL",
         "DELETE",
         base + "/a?propagationPolicy=Later",
         "",
         {},
         "422 Invalid DeleteOptions.meta.k8s.io \"\" is invalid: propagationPolicy: Unsupported value: \"Later\""},
        {"two policies",
         "DELETE",
         base + "/a",
         R"({"propagationPolicy":"Orphan","orphanDependents":true})",
         {},
         "422 Invalid DeleteOptions.meta.k8s.io \"\" is invalid: propagationPolicy: Invalid value: \"Orphan\": "
         "orphanDependents and deletionPropagation cannot be both set"},
        {"a dry run of an unknown sort",
         "DELETE",
         base + "/a",
         R"({"dryRun":["Some"]})",
         {},
         "422 Invalid DeleteOptions.meta.k8s.io \"\" is invalid: dryRun: Unsupported value: \"Some\""},
        {"a dry run that is no list",
         "DELETE",
         base + "/a",
         R"({"dryRun":"All"})",
         {},
         "400 BadRequest DeleteOptions in version \"v1\" cannot be handled as a DeleteOptions: a field is of the wrong "
         "type in {\"dryRun\":\"All\"}"},
        {"a precondition that is no text",
         "DELETE",
         base + "/a",
         R"({"preconditions":{"uid":7}})",
         {},
         "400 BadRequest DeleteOptions in version \"v1\" cannot be handled as a DeleteOptions: a field is of the wrong "
         "type in "},
        {"an unknown policy",
         "DELETE",
         base + "/a",
         R"({"propagationPolicy":"Later"})",
         {},
         "422 Invalid DeleteOptions.meta.k8s.io \"\" is invalid: propagationPolicy: Unsupported value: \"Later\""},
    };
    for (const auto& c : cases) {
        const auto said = refusal(c.method, c.target, c.body, c.headers);
        EXPECT_TRUE(said.starts_with(c.expected)) << c.reason << "\nsaid:     " << said << "\nexpected: " << c.expected;
    }
}

TEST_F(ServerTest, KnowsWhoAsks) {
    peer.reset();
    EXPECT_EQ(refusal("GET", "/api"), "401 Unauthorized Unauthorized");
    EXPECT_EQ(send("GET", "/readyz").body, "ok") << "health is for everybody";
    EXPECT_EQ(send("GET", "/healthz/").body, "ok");
    peer = net::PeerCertificate{"alice", {"visitors"}};
    EXPECT_EQ(send("GET", "/api").status, 200U) << "discovery is for whoever is known";
    EXPECT_EQ(send("GET", "/version").status, 200U);
    EXPECT_EQ(refusal("GET", widgets),
              "403 Forbidden widgets.shop.example.org is forbidden: User \"alice\" cannot list resource \"widgets\" in "
              "API group \"shop.example.org\" in the namespace \"default\"");
    EXPECT_EQ(
        refusal("DELETE", "/api/v1/namespaces/x"),
        "403 Forbidden namespaces \"x\" is forbidden: User \"alice\" cannot delete resource \"namespaces\" in API "
        "group \"\" in the namespace \"x\"");
    EXPECT_EQ(refusal("GET", "/metrics"), "403 Forbidden forbidden: User \"alice\" cannot get path \"/metrics\"");
    const auto reply = send("POST", "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews",
                            R"({"spec":{"resourceAttributes":{"verb":"get","resource":"secrets"}}})");
    EXPECT_EQ(reply.status, 201U);
    EXPECT_NE(reply.body.find(R"("status":{"allowed":false})"), std::string::npos) << reply.body;
}

TEST_F(ServerTest, SelectorsInAQuestionAreReadAndChangeNoAnswer) {
    const auto ask = [&](const std::string& selectors) {
        return send(
            "POST", "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews",
            R"({"kind":"SelfSubjectAccessReview","spec":{"resourceAttributes":{"verb":"list","resource":"secrets")" +
                selectors + "}}}");
    };
    const struct {
        const char *reason, *selectors;
        unsigned code;
        const char* said;
    } cases[] = {
        {"a selector", R"(,"labelSelector":{"rawSelector":"a=b"})", 201, R"("status":{"allowed":true}})"},
        {"its requirements", R"(,"fieldSelector":{"requirements":[{"key":"a","operator":"In","values":["b"]}]})", 201,
         R"("status":{"allowed":true}})"},
        {"an operator of the future", R"(,"labelSelector":{"requirements":[{"key":"a","operator":"Near"}]})", 201,
         R"("status":{"allowed":true}})"},
        {"one that cannot be read", R"(,"labelSelector":{"rawSelector":"a in"})", 201,
         R"("allowed":true,"evaluationError":"spec.resourceAttributes.labelSelector ignored due to parse error")"},
        {"both", R"(,"fieldSelector":{"rawSelector":"a=b","requirements":[{"key":"a","operator":"Exists"}]})", 422,
         "spec.resourceAttributes.fieldSelector.rawSelector: Invalid value: \\\"a=b\\\": may not specified at the same "
         "time as requirements"},
        {"neither", R"(,"labelSelector":{})", 422,
         "spec.resourceAttributes.labelSelector.requirements: Required value"},
        {"of nothing", R"(,"labelSelector":{"requirements":[{"operator":"Exists"}]})", 422,
         "spec.resourceAttributes.labelSelector.requirements[0].key: Required value"},
    };
    for (const auto& c : cases) {
        const auto reply = ask(c.selectors);
        EXPECT_EQ(reply.status, c.code) << c.reason << reply.body;
        EXPECT_NE(reply.body.find(c.said), std::string::npos) << c.reason << reply.body;
    }
}

TEST_F(ServerTest, AWatchEndsWithTheCredentialsItBeganWith) {
    peer->not_after = loop.clock().wall() + std::chrono::seconds(90);
    FakeResponder responder;
    loop.set_limit(std::chrono::hours(1));
    const auto begin = loop.clock().now();
    loop.run(
        server.handler()(request("GET", std::string(widgets) + "?watch=true&timeoutSeconds=600", "", {}), responder));
    EXPECT_TRUE(responder.streamed && responder.finished);
    EXPECT_LE(loop.clock().now() - begin, std::chrono::seconds(92));
    EXPECT_GE(loop.clock().now() - begin, std::chrono::seconds(89));
}

TEST_F(ServerTest, FewOfThoseWhoAreNotKnownAreWrittenDown) {
    peer.reset();
    for (int i = 0; i < 100; ++i)
        EXPECT_EQ(send("GET", "/api/v1/secrets?token=hush", "", {{"authorization", "Bearer s3cr3t"}}).status, 401U);
    const auto text = metrics.text();
    EXPECT_NE(text.find("ocim_audit_unauthenticated_left_out_total 40"), std::string::npos);
    loop.advance(std::chrono::seconds(1));
    send("GET", "/" + std::string(5000, 'a'), "", {{"user-agent", std::string(5000, '\xff')}});
    loop.run(audit.flush());
    std::ifstream file(audit_path);
    std::vector<api::Json> lines;
    for (std::string line; std::getline(file, line);) {
        EXPECT_LT(line.size(), 1200U);
        const auto read = api::parse_json(line);
        ASSERT_TRUE(read) << line;
        EXPECT_EQ(line.find("s3cr3t"), std::string::npos);
        EXPECT_EQ(line.find("hush"), std::string::npos);
        lines.push_back(read->value);
    }
    ASSERT_EQ(lines.size(), 61U);
    EXPECT_EQ(api::find_text(lines[0], {"path"}), "/api/v1/secrets");
    EXPECT_EQ(api::find_text(lines[0], {"attempted"}), "bearer");
    EXPECT_EQ(api::find_text(lines[0], {"outcome"}), "unauthenticated");
    EXPECT_EQ(lines[60].at("leftOut").as_int64(), 40);
    EXPECT_EQ(api::find_text(lines[60], {"attempted"}), "none");
}

TEST_F(ServerTest, SaysWhyItIsNotReady) {
    ready = false;
    const auto reply = send("GET", "/readyz");
    EXPECT_EQ(reply.status, 500U);
    EXPECT_EQ(reply.body, "[+]ping ok\n[-]startup failed: starting\nreadyz check failed\n");
    EXPECT_EQ(send("GET", "/livez").body, "ok") << "alive it is";
}

TEST_F(ServerTest, ListsInThreeShapes) {
    send("POST", widgets, widget("a", "red"));
    send("POST", widgets, widget("b", "green"));
    const auto plain = api::parse_json(send("GET", widgets).body)->value;
    EXPECT_EQ(api::find_text(plain, {"kind"}), "WidgetList");
    EXPECT_EQ(plain.at("items").as_array().size(), 2U);

    const auto table =
        api::parse_json(send("GET", widgets, "", {{"accept", "application/json;as=Table;v=v1;g=meta.k8s.io"}}).body)
            ->value;
    EXPECT_EQ(api::find_text(table, {"kind"}), "Table");
    EXPECT_EQ(api::to_text(table.at("rows").at(1).at("cells").at(1)), "\"green\"");
    EXPECT_EQ(api::find_text(table.at("columnDefinitions").at(0), {"format"}), "name");
    EXPECT_EQ(api::find_text(table.at("rows").at(0).at("object"), {"metadata", "name"}), "a");
    EXPECT_FALSE(table.at("rows").at(0).at("object").as_object().contains("spec"));

    const auto partial =
        api::parse_json(
            send("GET", widgets, "", {{"accept", "application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io"}})
                .body)
            ->value;
    EXPECT_EQ(api::find_text(partial, {"kind"}), "PartialObjectMetadataList");
    EXPECT_FALSE(partial.at("items").at(0).as_object().contains("spec"));
}

TEST_F(ServerTest, WarnsOfUnknownFields) {
    const auto reply = send("POST", widgets,
                            R"({"apiVersion":"shop.example.org/v1","kind":"Widget","metadata":{"name":"a"},)"
                            R"("spec":{"color":"red","bogus":1}})");
    EXPECT_EQ(reply.status, 201U);
    EXPECT_EQ(header(reply, "Warning"), "299 - \"unknown field \\\"spec.bogus\\\"\"");
}

TEST_F(ServerTest, WatchesUntilTheTimeIsOver) {
    send("POST", widgets, widget("a", "red"));
    const auto watch = talk("GET", std::string(widgets) + "?watch=1&timeoutSeconds=30&allowWatchBookmarks=true");
    EXPECT_TRUE(watch.streamed && watch.finished);
    EXPECT_EQ(watch.said.status, 200U);
    EXPECT_TRUE(watch.said.body.starts_with(R"({"type":"ADDED","object":{)")) << watch.said.body;
    EXPECT_EQ(std::ranges::count(watch.said.body, '\n'), 1) << "nothing happened, so no bookmark: " << watch.said.body;
}

TEST_F(ServerTest, EndsAWatchWithABookmark) {
    FakeResponder responder;
    TaskGroup tasks(loop.executor());
    auto asked = request("GET", std::string(widgets) + "?watch=1&timeoutSeconds=30&allowWatchBookmarks=true", "", {});
    tasks.spawn("watch", server.handler()(std::move(asked), responder));
    loop.settle();
    EXPECT_TRUE(responder.streamed) << "the headers are sent at once";
    EXPECT_EQ(responder.said.body, "");
    send("POST", "/apis/shop.example.org/v1/namespaces/kube-system/widgets", widget("elsewhere", "red"));
    const auto revision = registry.revision();
    loop.run(tasks.join());
    EXPECT_EQ(responder.said.body,
              "{\"type\":\"BOOKMARK\",\"object\":{\"kind\":\"Widget\",\"apiVersion\":\"shop.example.org/v1\","
              "\"metadata\":{\"resourceVersion\":\"" +
                  std::to_string(revision) + "\",\"creationTimestamp\":null}}}\n");
}

TEST_F(ServerTest, SaysWhatIsNoLongerKept) {
    send("POST", widgets, widget("a", "red"));
    send("POST", widgets, widget("b", "red"));
    const auto old = std::to_string(registry.revision());
    const std::string base = widgets;
    const auto first = api::parse_json(send("GET", base + "?limit=1").body)->value;
    const std::string token(api::find_text(first, {"metadata", "continue"}));
    send("POST", widgets, widget("c", "red"));
    loop.advance(limits::history_age_max + 1s);
    send("POST", widgets, widget("d", "red"));

    const auto expired = send("GET", base + "?limit=1&continue=" + token);
    EXPECT_EQ(expired.status, 410U) << expired.body;
    const auto status = api::parse_json(expired.body)->value;
    EXPECT_EQ(api::find_text(status, {"reason"}), "Expired");
    const std::string onward(api::find_text(status, {"metadata", "continue"}));
    const auto rest = api::parse_json(send("GET", base + "?continue=" + onward).body)->value;
    ASSERT_EQ(rest.at("items").as_array().size(), 3U) << "it goes on after the first, with what is there now";
    EXPECT_EQ(api::find_text(rest.at("items").at(0), {"metadata", "name"}), "b");
    EXPECT_EQ(send("GET", base + "?resourceVersionMatch=Exact&resourceVersion=" + old).status, 410U);

    const auto watch = talk("GET", base + "?watch=1&resourceVersion=" + old);
    EXPECT_EQ(watch.said.status, 200U);
    EXPECT_TRUE(watch.finished);
    const auto event = api::parse_json(watch.said.body)->value;
    EXPECT_EQ(api::find_text(event, {"type"}), "ERROR");
    EXPECT_EQ(api::find_text(event, {"object", "reason"}), "Expired");
}

TEST_F(ServerTest, DrainEndsWatches) {
    FakeResponder responder;
    TaskGroup tasks(loop.executor());
    auto asked = request("GET", std::string(widgets) + "?watch=1", "", {});
    tasks.spawn("watch", server.handler()(std::move(asked), responder));
    loop.settle();
    server.drain();
    loop.advance(2s);
    EXPECT_TRUE(responder.finished);
    loop.run(tasks.join());
    EXPECT_EQ(refusal("GET", std::string(widgets) + "?watch=1"), "503 ServiceUnavailable the server is shutting down");
}

TEST_F(ServerTest, AsksOthersForTheirSubresources) {
    const std::string one = std::string(widgets) + "/a";
    EXPECT_EQ(refusal("GET", one + "/diary"), "404 NotFound widgets.shop.example.org \"a\" not found");
    send("POST", widgets, widget("a", "red"));
    const auto whole = send("GET", one + "/diary");
    EXPECT_EQ(whole.status, 200U);
    EXPECT_EQ(whole.body, "the red one\n");
    EXPECT_EQ(header(whole, "Audit-Id").size(), 36U);
    const auto stream = talk("GET", one + "/diary?follow=true");
    EXPECT_TRUE(stream.streamed && stream.finished);
    EXPECT_EQ(stream.said.body, "the red one\nserving");
    EXPECT_EQ(refusal("DELETE", one + "/diary"),
              "405 MethodNotAllowed the server does not allow this method on the requested resource");
    EXPECT_EQ(refusal("GET", "/apis/shop.example.org/v1/widgets/a/diary"), "404 404 page not found\n");
    peer = net::PeerCertificate{"guest", {}};
    EXPECT_TRUE(refusal("GET", one + "/diary").starts_with("403 Forbidden")) << "as for any other resource";
    peer = net::PeerCertificate{"admin", {"system:masters"}};
    const auto listed = send("GET", "/apis/shop.example.org/v1").body;
    EXPECT_NE(listed.find(R"("name":"widgets/diary")"), std::string::npos) << listed;
    const auto aggregated = send("GET", "/apis", "",
                                 {{"accept",
                                   "application/json;g=apidiscovery.k8s.io;v=v2;as="
                                   "APIGroupDiscoveryList"}});
    EXPECT_NE(aggregated.body.find(R"("subresource":"diary")"), std::string::npos) << aggregated.body;
}

TEST_F(ServerTest, TakesBuiltInKindsWithoutTheirType) {
    const auto reply = send("POST", "/api/v1/namespaces/default/configmaps", R"({"metadata":{"name":"c"}})");
    EXPECT_EQ(reply.status, 201U) << reply.body;
    EXPECT_EQ(api::find_text(api::parse_json(reply.body)->value, {"kind"}), "ConfigMap");
}

TEST_F(ServerTest, GivesOpenApi2InTheFormThatIsAskedFor) {
    const std::string protobuf = "application/com.github.proto-openapi.spec.v2.v1.0+protobuf";
    const struct {
        const char *reason, *accept;
        unsigned status;
        std::string content_type;
    } cases[] = {
        {"what kubectl asks for", "application/com.github.proto-openapi.spec.v2@v1.0+protobuf", 200, protobuf},
        {"its newer name", "application/com.github.proto-openapi.spec.v2.v1.0+protobuf", 200, protobuf},
        {"nothing in particular", "", 200, "application/json"},
        {"what is wanted most", "application/json;q=0.5, application/com.github.proto-openapi.spec.v2@v1.0+protobuf",
         200, protobuf},
        {"version 3", "application/com.github.proto-openapi.spec.v3@v1.0+protobuf", 406, "application/json"},
    };
    for (const auto& c : cases) {
        const auto reply = send("GET", "/openapi/v2", "", {{"accept", c.accept}});
        EXPECT_EQ(reply.status, c.status) << c.reason;
        EXPECT_EQ(header(reply, "Content-Type"), c.content_type) << c.reason;
        if (c.status != 200) continue;
        const auto again =
            send("GET", "/openapi/v2", "", {{"accept", c.accept}, {"if-none-match", header(reply, "ETag")}});
        EXPECT_EQ(again.status, 304U) << c.reason;
        EXPECT_EQ(again.body, "") << c.reason;
    }
    EXPECT_EQ(send("GET", "/openapi/v2/apis").status, 404U);
    EXPECT_EQ(send("GET", "/openapi/v3/apis/none.example.org/v1").status, 404U);
}

TEST_F(ServerTest, MakesOpenApiOnceForAllWhoAskTogether) {
    constexpr std::size_t many = 40;  // more than the pool would take
    std::vector<FakeResponder> responders(many);
    TaskGroup tasks(loop.executor());
    for (auto& responder : responders) {
        auto asked = request("GET", "/openapi/v3", "", {});
        tasks.spawn("openapi", server.handler()(std::move(asked), responder));
    }
    loop.run(tasks.join());
    for (const auto& responder : responders) {
        EXPECT_EQ(responder.said.status, 200U);
        EXPECT_EQ(responder.said.body, responders.front().said.body);
    }
}

TEST_F(ServerTest, CountsRequests) {
    send("GET", widgets);
    send("GET", std::string(widgets) + "/nope");
    send("GET", "/apis/unknown.example.org/v1/things");
    const auto text = metrics.text();
    for (const auto* expected : {R"(apiserver_request_total{code="200",resource="widgets",verb="LIST"} 1)",
                                 R"(apiserver_request_total{code="404",resource="widgets",verb="GET"} 1)",
                                 R"(apiserver_request_total{code="404",resource="",verb="LIST"} 1)"})
        EXPECT_NE(text.find(expected), std::string::npos) << expected << "\n" << text;
}

TEST(Discovery, PrefersVersionsAsKubernetesDoes) {
    std::vector<std::string> versions{"v1alpha1", "foo", "v1", "v1beta2", "v10", "v1beta1", "v2"};
    std::ranges::sort(versions, apiserver::version_before);
    EXPECT_EQ(versions, (std::vector<std::string>{"v10", "v2", "v1", "v1beta2", "v1beta1", "v1alpha1", "foo"}));
}

}  // namespace
