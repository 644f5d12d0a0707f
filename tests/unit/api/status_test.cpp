#include "api/status.hpp"

#include <gtest/gtest.h>

namespace ocim::api {
namespace {

constexpr std::string_view group = "lab.example.com";

TEST(Status, SaysWhatKubernetesSays) {
    Status retry = bad_request("x");
    retry.retry_after_seconds = 1;
    const struct {
        const char* reason;
        Status status;
        const char* json;
    } cases
        [] =
            {
                {"not found", not_found("widgets", group, "nope"),
                 R"({"kind":"Status","apiVersion":"v1","metadata":{},"status":"Failure","message":"widgets.lab.example.com \"nope\" not found","reason":"NotFound","details":{"name":"nope","group":"lab.example.com","kind":"widgets"},"code":404})"},
                {"of the core group", not_found("namespaces", "", "x"),
                 R"({"kind":"Status","apiVersion":"v1","metadata":{},"status":"Failure","message":"namespaces \"x\" not found","reason":"NotFound","details":{"name":"x","kind":"namespaces"},"code":404})"},
                {"exists", already_exists("widgets", group, "a"),
                 R"({"kind":"Status","apiVersion":"v1","metadata":{},"status":"Failure","message":"widgets.lab.example.com \"a\" already exists","reason":"AlreadyExists","details":{"name":"a","group":"lab.example.com","kind":"widgets"},"code":409})"},
                {"a stale write",
                 conflict(
                     "widgets", group, "a",
                     "the object has been modified; please apply your changes to the latest version and try again"),
                 R"({"kind":"Status","apiVersion":"v1","metadata":{},"status":"Failure","message":"Operation cannot be fulfilled on widgets.lab.example.com \"a\": the object has been modified; please apply your changes to the latest version and try again","reason":"Conflict","details":{"name":"a","group":"lab.example.com","kind":"widgets"},"code":409})"},
                {"one cause", invalid("Widget", group, "a", {{"FieldValueRequired", "Required value", "spec.x"}}),
                 R"({"kind":"Status","apiVersion":"v1","metadata":{},"status":"Failure","message":"Widget.lab.example.com \"a\" is invalid: spec.x: Required value","reason":"Invalid","details":{"name":"a","group":"lab.example.com","kind":"Widget","causes":[{"reason":"FieldValueRequired","message":"Required value","field":"spec.x"}]},"code":422})"},
                {"many causes, each said once",
                 invalid("Widget", group, "a", {{"R", "m", "spec.x"}, {"R", "n", "spec.y"}, {"R", "m", "spec.x"}}),
                 R"({"kind":"Status","apiVersion":"v1","metadata":{},"status":"Failure","message":"Widget.lab.example.com \"a\" is invalid: [spec.x: m, spec.y: n]","reason":"Invalid","details":{"name":"a","group":"lab.example.com","kind":"Widget","causes":[{"reason":"R","message":"m","field":"spec.x"},{"reason":"R","message":"n","field":"spec.y"},{"reason":"R","message":"m","field":"spec.x"}]},"code":422})"},
                {"without a name",
                 invalid("PatchOptions", "meta.k8s.io", "",
                         {{"FieldValueRequired", "Required value: is required for apply patch", "fieldManager"}}),
                 R"({"kind":"Status","apiVersion":"v1","metadata":{},"status":"Failure","message":"PatchOptions.meta.k8s.io \"\" is invalid: fieldManager: Required value: is required for apply patch","reason":"Invalid","details":{"group":"meta.k8s.io","kind":"PatchOptions","causes":[{"reason":"FieldValueRequired","message":"Required value: is required for apply patch","field":"fieldManager"}]},"code":422})"},
                {"forbidden as a whole", forbidden("widgets", group, "", "User \"alice\" cannot list"),
                 R"({"kind":"Status","apiVersion":"v1","metadata":{},"status":"Failure","message":"widgets.lab.example.com is forbidden: User \"alice\" cannot list","reason":"Forbidden","details":{"group":"lab.example.com","kind":"widgets"},"code":403})"},
                {"a name with quotes stays in its quotes", forbidden("widgets", group, "a\"b", "no"),
                 R"({"kind":"Status","apiVersion":"v1","metadata":{},"status":"Failure","message":"widgets.lab.example.com \"a\\\"b\" is forbidden: no","reason":"Forbidden","details":{"name":"a\"b","group":"lab.example.com","kind":"widgets"},"code":403})"},
                {"no details where there are none", bad_request("name must be provided"),
                 R"({"kind":"Status","apiVersion":"v1","metadata":{},"status":"Failure","message":"name must be provided","reason":"BadRequest","code":400})"},
                {"wait", retry,
                 R"({"kind":"Status","apiVersion":"v1","metadata":{},"status":"Failure","message":"x","reason":"BadRequest","details":{"retryAfterSeconds":1},"code":400})"},
                {"ours", internal_error("disk is full"),
                 R"({"kind":"Status","apiVersion":"v1","metadata":{},"status":"Failure","message":"Internal error occurred: disk is full","reason":"InternalError","details":{"causes":[{"message":"disk is full"}]},"code":500})"},
            };
    for (const auto& c : cases) EXPECT_EQ(to_text(c.status.to_json()), c.json) << c.reason;
}

TEST(Status, TheClassSaysWhatToDo) {
    auto terminating = forbidden("widgets", group, "a", "it is being terminated");
    terminating.causes.push_back({"NamespaceTerminating", "namespace x is being terminated", "metadata.namespace"});
    const auto coded = [](int code) {
        Status out;
        out.code = code;
        return out;
    };
    const struct {
        const char* reason;
        Status status;
        ErrorClass error_class;
    } cases[] = {
        {"look anew", not_found("widgets", group, "a"), ErrorClass::not_found},
        {"exists: look anew, decide again", already_exists("widgets", group, "a"), ErrorClass::conflict},
        {"modified", conflict("widgets", group, "a", "x"), ErrorClass::conflict},
        {"only the author can help", invalid("Widget", group, "a", {}), ErrorClass::invalid},
        {"credentials", coded(401), ErrorClass::auth},
        {"rights", forbidden("widgets", group, "a", "no"), ErrorClass::auth},
        {"a namespace that goes is no refusal of credentials", terminating, ErrorClass::not_found},
        {"history is gone", coded(410), ErrorClass::not_found},
        {"slower", coded(429), ErrorClass::rate_limited},
        {"its fault, it may pass", internal_error("x"), ErrorClass::transient},
        {"a gateway", coded(504), ErrorClass::transient},
    };
    for (const auto& c : cases) EXPECT_EQ(to_error(c.status).error_class, c.error_class) << c.reason;
    auto wait = coded(429);
    wait.retry_after_seconds = 2;
    EXPECT_EQ(to_error(wait).retry_after, std::chrono::seconds(2));
}

}  // namespace
}  // namespace ocim::api
