#include "apiserver/authenticator.hpp"
#include "apiserver/authorizer.hpp"
#include "support/world.hpp"

#include <benchmark/benchmark.h>

/// What a decision of RBAC and the check of a token cost.
namespace {

using namespace ocim;
using namespace ocim::apiserver;

/// `count` RoleBindings in each of 10 namespaces, of users of their own; one user has `own` of them.
struct Installation {
    Installation(int count, int own) {
        const auto installed = world.loop.run(install_policy(world.registry()));
        if (!installed) throw std::runtime_error(installed.error().message);
        for (int i = 0; i < count; ++i) bind("b" + std::to_string(i), i < own ? "ann" : "user" + std::to_string(i));
    }
    void bind(const std::string& name, const std::string& user) {
        const auto* resource = world.registry().resource("rbac.authorization.k8s.io", "v1", "rolebindings");
        registry::WriteOptions options;
        options.caller.groups = {"system:masters"};
        auto body = test::json_of("{'metadata':{'name':'" + name +
                                  "'},'roleRef':{'apiGroup':'rbac.authorization.k8s.io','kind':'ClusterRole','name':"
                                  "'ocim-viewer'},'subjects':[{'kind':'User','name':'" +
                                  user + "'}]}");
        auto made = world.loop.run(
            world.registry().create(*resource, "default", "", api::Parsed{std::move(body), {}}, options));
        if (!made) throw std::runtime_error(made.error().message);
    }
    test::World world;
    std::unique_ptr<Authorizer> authorizer = make_rbac_authorizer(world.registry());
};

Attributes question(const std::string& verb) {
    Attributes out;
    out.caller.user = "ann";
    out.caller.groups = {"dev", "ops", "system:authenticated"};
    out.verb = verb;
    out.group = "ocim.opencraft.com";
    out.version = "v1alpha1";
    out.plural = "instances";
    out.namespace_ = "default";
    return out;
}

void Decision(benchmark::State& state) {
    Installation installation(1000, static_cast<int>(state.range(0)));
    const auto asked = question(state.range(1) != 0 ? "get" : "delete");
    for (auto _ : state) benchmark::DoNotOptimize(installation.authorizer->allows(asked));
}
BENCHMARK(Decision)
    ->ArgNames({"own bindings", "allowed"})
    ->Args({1, 1})
    ->Args({1, 0})
    ->Args({1000, 1})
    ->Args({1000, 0});

void CheckOfAToken(benchmark::State& state) {
    test::World world;
    const auto* accounts = world.registry().resource("", "v1", "serviceaccounts");
    auto body = test::json_of("{'metadata':{'name':'robot'}}");
    auto made = world.loop.run(world.registry().create(*accounts, "default", "", api::Parsed{std::move(body), {}}, {}));
    ServiceAccountTokens tokens(world.registry(), world.loop.clock(), *world.random, *TokenKeys::make(), {});
    const auto issued = tokens.issue("default", "robot", api::json::object());
    const std::string token(api::find_text(*issued, {"status", "token"}));
    for (auto _ : state) benchmark::DoNotOptimize(tokens.check(token, tokens.audiences()));
}
BENCHMARK(CheckOfAToken);

}  // namespace

BENCHMARK_MAIN();
