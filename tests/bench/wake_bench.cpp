#include "runtime/index.hpp"

#include <benchmark/benchmark.h>

/// What a change of one site's server costs when there are many sites: who is woken, and what each is given.
namespace ocim::runtime {
namespace {

constexpr api::Kind server_kind{"test.opencraft.com", "v1", "Server", "servers"};
constexpr int servers_of_each = 3;

api::Json server(int site, int number, int revision) {
    const auto name = "site-" + std::to_string(site);
    api::json::object metadata{{"namespace", "campus"},
                               {"name", name + "-" + std::to_string(number)},
                               {"resourceVersion", std::to_string(revision)}};
    return api::json::object{{"kind", "Server"},
                             {"apiVersion", "test.opencraft.com/v1"},
                             {"metadata", std::move(metadata)},
                             {"spec", api::json::object{{"instanceName", name}}}};
}

void change_of_one(benchmark::State& state) {
    const auto sites = static_cast<int>(state.range(0));
    const bool narrowed = state.range(1) == 1;
    Cache cache;
    ReferenceIndex index;
    std::map<std::string, Reference> needs;
    std::set<std::string> woken;
    cache.track(server_kind);
    for (int site = 0; site < sites; ++site) {
        const auto name = "site-" + std::to_string(site);
        Reference reference{server_kind, "campus", "", true};
        if (narrowed) {
            reference.field = "spec.instanceName";
            reference.value = name;
        }
        index.set("campus/" + name, {reference});
        needs["campus/" + name] = std::move(reference);
        for (int number = 0; number < servers_of_each; ++number)
            cache.event(server_kind, {client::Event::Type::added, server(site, number, 1)});
    }
    cache.listen([&](const Change& change) { woken = index.dependents(change); });
    int revision = 1;
    double visits = 0, given = 0;
    for (auto _ : state) {
        cache.event(server_kind, {client::Event::Type::modified, server(0, 0, ++revision)});
        for (const auto& who : woken) {
            const auto objects = cache.all(needs.at(who));
            given += static_cast<double>(objects.size());
            benchmark::DoNotOptimize(objects.data());
        }
        visits += static_cast<double>(woken.size());
    }
    state.counters["visits"] = benchmark::Counter(visits, benchmark::Counter::kAvgIterations);
    state.counters["given"] = benchmark::Counter(given, benchmark::Counter::kAvgIterations);
}

BENCHMARK(change_of_one)->ArgNames({"sites", "narrowed"})->ArgsProduct({{10, 200, 2000}, {0, 1}});

}  // namespace
}  // namespace ocim::runtime

BENCHMARK_MAIN();
