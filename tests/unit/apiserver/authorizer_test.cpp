#include "apiserver/authorizer.hpp"

#include "support/world.hpp"

#include <gtest/gtest.h>

using namespace ocim;
using namespace ocim::apiserver;
using test::json_of;

namespace {

constexpr auto group = "rbac.authorization.k8s.io";

class AuthorizerTest : public testing::Test {
protected:
    AuthorizerTest() {
        world.registry().set_guard(escalation_guard(*authorizer));
        const auto installed = world.loop.run(install_policy(world.registry()));
        EXPECT_TRUE(installed) << installed.error().message;
    }

    static registry::Caller who(const std::string& user, std::vector<std::string> groups = {}) {
        registry::Caller out;
        out.user = user;
        out.groups = std::move(groups);
        out.groups.emplace_back("system:authenticated");
        return out;
    }
    registry::WriteOptions as(const registry::Caller& caller) {
        registry::WriteOptions out;
        out.caller = caller;
        return out;
    }
    std::string put(const std::string& plural, const std::string& namespace_, const std::string& object,
                    const registry::Caller& caller) {
        const auto* resource = world.registry().resource(group, "v1", plural);
        auto made = world.loop.run(
            world.registry().create(*resource, namespace_, "", api::Parsed{json_of(object), {}}, as(caller)));
        return made ? "" : made.error().message;
    }
    std::string put(const std::string& plural, const std::string& namespace_, const std::string& object) {
        return put(plural, namespace_, object, root);
    }
    void remove(const std::string& plural, const std::string& namespace_, const std::string& name) {
        const auto* resource = world.registry().resource(group, "v1", plural);
        ASSERT_TRUE(world.loop.run(world.registry().remove(*resource, namespace_, name, {})));
    }
    bool may(const registry::Caller& caller, const std::string& verb, const std::string& plural,
             const std::string& namespace_ = "", const std::string& of = "") {
        Attributes asked;
        asked.caller = caller;
        asked.verb = verb;
        asked.group = of;
        asked.plural = plural;
        asked.namespace_ = namespace_;
        return authorizer->allows(asked);
    }
    bool may_get(const registry::Caller& caller, const std::string& path) {
        Attributes asked;
        asked.caller = caller;
        asked.verb = "get";
        asked.path = path;
        return authorizer->allows(asked);
    }

    test::World world;
    std::unique_ptr<Authorizer> authorizer = make_rbac_authorizer(world.registry());
    const registry::Caller root = who("root", {"system:masters"});
};

constexpr auto reader =
    "{'metadata':{'name':'reader'},'rules':[{'apiGroups':[''],'resources':['secrets'],'verbs':['get']}]}";

std::string binding(const std::string& name, const std::string& kind, const std::string& role,
                    const std::string& subjects) {
    return "{'metadata':{'name':'" + name + "'},'roleRef':{'apiGroup':'rbac.authorization.k8s.io','kind':'" + kind +
           "','name':'" + role + "'},'subjects':[" + subjects + "]}";
}

TEST_F(AuthorizerTest, NothingIsAllowedButWhatIsGiven) {
    EXPECT_TRUE(may(root, "delete", "anything", "anywhere", "x.org"));
    EXPECT_FALSE(may(who("ann"), "get", "secrets", "default"));
    EXPECT_TRUE(may_get(who("ann"), "/apis/x")) << "discovery is for everybody who is known";
    EXPECT_TRUE(may(who("ann"), "create", "selfsubjectaccessreviews", "", "authorization.k8s.io"));
    EXPECT_FALSE(may_get(who("ann"), "/metrics"));
    registry::Caller nobody;
    nobody.groups = {"system:unauthenticated"};
    EXPECT_TRUE(may_get(nobody, "/healthz"));
    EXPECT_FALSE(may_get(nobody, "/apis"));
}

TEST_F(AuthorizerTest, FollowsEveryChange) {
    ASSERT_EQ(put("roles", "default", reader), "");
    EXPECT_FALSE(may(who("ann"), "get", "secrets", "default"));
    ASSERT_EQ(put("rolebindings", "default",
                  binding("b", "Role", "reader",
                          "{'kind':'User','name':'ann'},{'kind':'Group','name':'g'},"
                          "{'kind':'ServiceAccount','name':'bot'},{'kind':'User','name':'ann'}")),
              "");
    EXPECT_TRUE(may(who("ann"), "get", "secrets", "default"));
    EXPECT_TRUE(may(who("x", {"g"}), "get", "secrets", "default"));
    EXPECT_TRUE(may(who("system:serviceaccount:default:bot"), "get", "secrets", "default"));
    EXPECT_FALSE(may(who("bot"), "get", "secrets", "default"));
    EXPECT_FALSE(may(who("ann"), "get", "secrets", "kube-system")) << "in its namespace only";
    EXPECT_FALSE(may(who("ann"), "get", "secrets"));
    EXPECT_FALSE(may(who("g"), "get", "secrets", "default")) << "a group is no user";

    remove("roles", "default", "reader");
    EXPECT_FALSE(may(who("ann"), "get", "secrets", "default")) << "a binding of a role that is gone gives nothing";
    ASSERT_EQ(put("roles", "default", reader), "");
    EXPECT_TRUE(may(who("ann"), "get", "secrets", "default")) << "and again when it is back";
    remove("rolebindings", "default", "b");
    EXPECT_FALSE(may(who("ann"), "get", "secrets", "default"));
    EXPECT_FALSE(may(who("x", {"g"}), "get", "secrets", "default"));
}

TEST_F(AuthorizerTest, AClusterRoleHoldsWhereItIsBound) {
    ASSERT_EQ(put("clusterroles", "", reader), "");
    ASSERT_EQ(put("rolebindings", "default", binding("here", "ClusterRole", "reader", "{'kind':'User','name':'ann'}")),
              "");
    ASSERT_EQ(put("clusterrolebindings", "", binding("all", "ClusterRole", "reader", "{'kind':'User','name':'eve'}")),
              "");
    EXPECT_TRUE(may(who("ann"), "get", "secrets", "default"));
    EXPECT_FALSE(may(who("ann"), "get", "secrets", "kube-system"));
    EXPECT_TRUE(may(who("eve"), "get", "secrets", "kube-system"));
    EXPECT_TRUE(may(who("eve"), "get", "secrets"));
}

TEST_F(AuthorizerTest, CatchesUpAfterFallingBehind) {
    EXPECT_FALSE(may(who("ann"), "get", "secrets", "default"));
    ASSERT_EQ(put("clusterroles", "", reader), "");
    ASSERT_EQ(put("clusterrolebindings", "", binding("all", "ClusterRole", "reader", "{'kind':'User','name':'ann'}")),
              "");
    world.loop.advance(std::chrono::hours(1));
    ASSERT_TRUE(world.loop.run(world.store().compact()));  // forgets the changes that it has not read
    EXPECT_TRUE(may(who("ann"), "get", "secrets", "default"));
}

TEST_F(AuthorizerTest, NobodyGivesAwayWhatHeHasNot) {
    ASSERT_EQ(put("clusterroles", "",
                  "{'metadata':{'name':'writer'},'rules':[{'apiGroups':['rbac.authorization.k8s.io'],"
                  "'resources':['roles','rolebindings'],'verbs':['*']}]}"),
              "");
    ASSERT_EQ(put("rolebindings", "default", binding("w", "ClusterRole", "writer", "{'kind':'User','name':'ann'}")),
              "");
    const auto ann = who("ann");
    // all verbs: escalate and bind are among them
    EXPECT_EQ(put("roles", "default", reader, ann), "");
    const auto eve = who("eve");
    EXPECT_EQ(
        put("roles", "kube-system", reader, eve),
        "roles.rbac.authorization.k8s.io \"reader\" is forbidden: user \"eve\" (groups=[\"system:authenticated\"]) is "
        "attempting to grant RBAC permissions not currently held:\n{APIGroups:[\"\"], Resources:[\"secrets\"], "
        "Verbs:[\"get\"]}");
    EXPECT_NE(put("rolebindings", "default", binding("x", "Role", "reader", "{'kind':'User','name':'eve'}"), eve), "");
    ASSERT_EQ(put("rolebindings", "default", binding("e", "Role", "reader", "{'kind':'User','name':'eve'}")), "");
    EXPECT_EQ(put("rolebindings", "default", binding("y", "Role", "reader", "{'kind':'User','name':'fay'}"), eve), "")
        << "what one has one may give";
    EXPECT_EQ(
        put("clusterroles", "",
            "{'metadata':{'name':'agg'},'rules':[],'aggregationRule':{'clusterRoleSelectors':[{}]}}", eve),
        "clusterroles.rbac.authorization.k8s.io \"agg\" is forbidden: must have cluster-admin privileges to use the "
        "aggregationRule");
}

TEST_F(AuthorizerTest, RolesThatSomebodyChangedAreKept) {
    const auto* resource = world.registry().resource(group, "v1", "clusterroles");
    const auto patch = [&](const std::string& name, const std::string& with) {
        auto done = world.loop.run(world.registry().patch(*resource, "", name, registry::PatchType::merge,
                                                          api::Parsed{json_of(with), {}}, as(root)));
        ASSERT_TRUE(done) << done.error().message;
    };
    patch("ocim-viewer", "{'rules':[]}");
    patch("ocim-admin",
          "{'rules':[],'metadata':{'annotations':{'rbac.authorization.kubernetes.io/autoupdate':'false'}}}");
    ASSERT_TRUE(world.loop.run(install_policy(world.registry())));
    EXPECT_FALSE(authorizer->rules_of_role("ClusterRole", "", "ocim-viewer")->empty()) << "what it lacks is added";
    EXPECT_TRUE(authorizer->rules_of_role("ClusterRole", "", "ocim-admin")->empty()) << "unless it says otherwise";
    const auto before = world.registry().revision();
    ASSERT_TRUE(world.loop.run(install_policy(world.registry())));
    EXPECT_EQ(world.registry().revision(), before) << "nothing to do, nothing written";
}

}  // namespace
