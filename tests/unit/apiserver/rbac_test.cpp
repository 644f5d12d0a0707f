#include "apiserver/rbac.hpp"

#include <gtest/gtest.h>

using namespace ocim;
using namespace ocim::apiserver;

namespace {

using Words = std::vector<std::string>;

PolicyRule on(Words verbs, Words groups, Words resources, Words names = {}) {
    return {std::move(verbs), std::move(groups), std::move(resources), std::move(names), {}};
}
PolicyRule paths(Words verbs, Words list) { return {std::move(verbs), {}, {}, {}, std::move(list)}; }

/// "verb group/plural[/sub] name", or "verb /path".
Attributes asked(const std::string& verb, const std::string& group, const std::string& plural,
                 const std::string& subresource = "", const std::string& name = "") {
    Attributes out;
    out.verb = verb;
    out.group = group;
    out.plural = plural;
    out.subresource = subresource;
    out.name = name;
    return out;
}
Attributes path(const std::string& verb, const std::string& text) {
    Attributes out;
    out.verb = verb;
    out.path = text;
    return out;
}

TEST(Rbac, WhatARuleAllows) {
    const struct {
        const char* reason;
        PolicyRule rule;
        Attributes asked;
        bool allowed;
    } cases[] = {
        {"just that", on({"get"}, {""}, {"secrets"}), asked("get", "", "secrets"), true},
        {"another verb", on({"get"}, {""}, {"secrets"}), asked("list", "", "secrets"), false},
        {"another group", on({"get"}, {""}, {"secrets"}), asked("get", "x.org", "secrets"), false},
        {"another resource", on({"get"}, {""}, {"secrets"}), asked("get", "", "configmaps"), false},
        {"one of several", on({"get", "list"}, {"", "x.org"}, {"a", "b"}), asked("list", "x.org", "b"), true},
        {"every verb", on({"*"}, {""}, {"secrets"}), asked("escalate", "", "secrets"), true},
        {"every group", on({"get"}, {"*"}, {"secrets"}), asked("get", "x.org", "secrets"), true},
        {"every resource", on({"get"}, {""}, {"*"}), asked("get", "", "secrets"), true},
        {"every resource is every sub-resource too", on({"get"}, {""}, {"*"}), asked("get", "", "a", "status"), true},
        {"a resource is not its sub-resources", on({"update"}, {"x"}, {"a"}), asked("update", "x", "a", "status"),
         false},
        {"a sub-resource is not its resource", on({"update"}, {"x"}, {"a/status"}), asked("update", "x", "a"), false},
        {"a sub-resource", on({"update"}, {"x"}, {"a/status"}), asked("update", "x", "a", "status"), true},
        {"that of another", on({"update"}, {"x"}, {"b/status"}), asked("update", "x", "a", "status"), false},
        {"that of all", on({"update"}, {"x"}, {"*/status"}), asked("update", "x", "a", "status"), true},
        {"that of all is not all", on({"update"}, {"x"}, {"*/status"}), asked("update", "x", "a"), false},
        {"another of all", on({"update"}, {"x"}, {"*/scale"}), asked("update", "x", "a", "status"), false},
        {"all of one is nothing Kubernetes knows", on({"get"}, {"x"}, {"a/*"}), asked("get", "x", "a", "status"),
         false},
        {"one by name", on({"get"}, {""}, {"secrets"}, {"mine"}), asked("get", "", "secrets", "", "mine"), true},
        {"another name", on({"get"}, {""}, {"secrets"}, {"mine"}), asked("get", "", "secrets", "", "yours"), false},
        {"names and a list", on({"list"}, {""}, {"secrets"}, {"mine"}), asked("list", "", "secrets"), false},
        {"no star among names", on({"get"}, {""}, {"secrets"}, {"*"}), asked("get", "", "secrets", "", "a"), false},
        {"a path", paths({"get"}, {"/metrics"}), path("get", "/metrics"), true},
        {"below a path", paths({"get"}, {"/metrics"}), path("get", "/metrics/slis"), false},
        {"below a path with a star", paths({"get"}, {"/healthz/*"}), path("get", "/healthz/etcd"), true},
        {"the path itself is not below it", paths({"get"}, {"/healthz/*"}), path("get", "/healthz"), false},
        {"every path", paths({"*"}, {"*"}), path("post", "/anything"), true},
        {"a star in the middle means itself", paths({"get"}, {"/a/*/b"}), path("get", "/a/x/b"), false},
        {"a path by another verb", paths({"get"}, {"/metrics"}), path("post", "/metrics"), false},
        {"all resources are no paths", on({"*"}, {"*"}, {"*"}), path("get", "/metrics"), false},
        {"all paths are no resources", paths({"*"}, {"*"}), asked("get", "", "secrets"), false},
        {"no verbs", on({}, {"*"}, {"*"}), asked("get", "", "secrets"), false},
        {"case counts", on({"GET"}, {""}, {"secrets"}), asked("get", "", "secrets"), false},
    };
    for (const auto& c : cases) EXPECT_EQ(allows(c.rule, c.asked), c.allowed) << c.reason;
}

std::string lacking(const PolicyRules& held, const PolicyRules& wanted) {
    std::string out;
    for (const auto& rule : missing(held, wanted)) out += rule.compact();
    return out;
}

TEST(Rbac, WhatOneHasNot) {
    const struct {
        const char* reason;
        PolicyRules held, wanted;
        const char* lacking;
    } cases[] = {
        {"nothing is wanted", {}, {}, ""},
        {"nothing is held", {}, {on({"get"}, {""}, {"a"})}, R"({APIGroups:[""], Resources:["a"], Verbs:["get"]})"},
        {"the same", {on({"get"}, {""}, {"a"})}, {on({"get"}, {""}, {"a"})}, ""},
        {"held in pieces",
         {on({"get"}, {""}, {"a"}), on({"list"}, {""}, {"a"}), on({"get", "list"}, {""}, {"b"})},
         {on({"get", "list"}, {""}, {"a", "b"})},
         ""},
        {"one piece is missing",
         {on({"get"}, {""}, {"a"}), on({"get", "list"}, {""}, {"b"})},
         {on({"get", "list"}, {""}, {"a", "b"})},
         R"({APIGroups:[""], Resources:["a"], Verbs:["list"]})"},
        {"everything holds all", {on({"*"}, {"*"}, {"*"})}, {on({"get"}, {"x"}, {"a/status"}, {"n"})}, ""},
        {"all verbs are more than each",
         {on({"get", "list"}, {""}, {"a"})},
         {on({"*"}, {""}, {"a"})},
         R"({APIGroups:[""], Resources:["a"], Verbs:["*"]})"},
        {"all resources are more than one",
         {on({"get"}, {""}, {"a"})},
         {on({"get"}, {""}, {"*"})},
         R"({APIGroups:[""], Resources:["*"], Verbs:["get"]})"},
        {"a sub-resource of all", {on({"get"}, {"x"}, {"*/status"})}, {on({"get"}, {"x"}, {"a/status"})}, ""},
        {"names within all", {on({"get"}, {""}, {"a"})}, {on({"get"}, {""}, {"a"}, {"n"})}, ""},
        {"all beyond names",
         {on({"get"}, {""}, {"a"}, {"n"})},
         {on({"get"}, {""}, {"a"})},
         R"({APIGroups:[""], Resources:["a"], Verbs:["get"]})"},
        {"one of two names",
         {on({"get"}, {""}, {"a"}, {"n"})},
         {on({"get"}, {""}, {"a"}, {"n", "m"})},
         R"({APIGroups:[""], Resources:["a"], ResourceNames:["m"], Verbs:["get"]})"},
        {"a path",
         {paths({"get"}, {"/healthz/*"})},
         {paths({"get"}, {"/healthz/x", "/metrics"})},
         R"({NonResourceURLs:["/metrics"], Verbs:["get"]})"},
        {"a path with a star", {paths({"get"}, {"*"})}, {paths({"get"}, {"/api/*"})}, ""},
        {"all resources are no paths",
         {on({"*"}, {"*"}, {"*"})},
         {paths({"get"}, {"/metrics"})},
         R"({NonResourceURLs:["/metrics"], Verbs:["get"]})"},
    };
    for (const auto& c : cases) EXPECT_EQ(lacking(c.held, c.wanted), c.lacking) << c.reason;
}

TEST(Rbac, ARuleOfVeryManyPartsIsNotHeld) {
    PolicyRule huge = on({}, {}, {});
    for (int i = 0; i < 1000; ++i) {
        const auto word = std::to_string(i);
        huge.verbs.push_back(word), huge.groups.push_back(word), huge.resources.push_back(word);
    }
    EXPECT_EQ(missing({on({"get"}, {""}, {"a"})}, {huge}).size(), 1U) << "and it is told at once";
    EXPECT_TRUE(missing({on({"*"}, {"*"}, {"*"})}, {huge}).empty()) << "unless one rule covers it all";
}

}  // namespace
