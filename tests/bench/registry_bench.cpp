#include "support/world.hpp"

#include <benchmark/benchmark.h>
#include <stdlib.h>
#include <cstdio>
#include <filesystem>

/// What the verbs cost on the loop thread, without a network. `cpu_per_op` is what counts: the loop has one thread.
namespace ocim::registry {
namespace {

using api::Json;
using test::World;

constexpr const char* crd = R"({
  "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
  "metadata": {"name": "records.bench.example.com"},
  "spec": {"group": "bench.example.com", "scope": "Namespaced", "names": {"kind": "Record", "plural": "records"},
    "versions": [{"name": "v1", "served": true, "storage": true, "subresources": {"status": {}},
      "schema": {"openAPIV3Schema": {"type": "object", "required": ["spec"], "properties": {
        "spec": {"type": "object", "required": ["name"], "properties": {
          "name": {"type": "string", "minLength": 1, "maxLength": 253},
          "type": {"type": "string", "enum": ["A", "AAAA", "CNAME", "TXT"]},
          "ttlSeconds": {"type": "integer", "minimum": 1, "default": 300},
          "values": {"type": "array", "maxItems": 100, "items": {"type": "string", "maxLength": 4096}}}},
        "status": {"type": "object", "properties": {
          "observedGeneration": {"type": "integer"},
          "conditions": {"type": "array", "x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["type"],
            "items": {"type": "object", "required": ["type", "status"], "properties": {
              "type": {"type": "string"}, "status": {"type": "string"}, "reason": {"type": "string"},
              "message": {"type": "string"}, "lastTransitionTime": {"type": "string"}}}}}}}}}}]}})";

Json record(int number) {
    auto out = test::json_of(
        "{'apiVersion':'bench.example.com/v1','kind':'Record','metadata':{'labels':{'app.kubernetes.io/part-of':'x'}},"
        "'spec':{'type':'A','values':['192.0.2.1','192.0.2.2']}}");
    const auto name = "record-" + std::to_string(number);
    out.at("metadata").as_object()["name"] = name;
    out.at("metadata").at("labels").as_object()["number"] = std::to_string(number % 10);
    out.at("spec").as_object()["name"] = name + ".example.org";
    return out;
}

struct Bench {
    explicit Bench(World::OpenJournal open = nullptr) : world({}, std::move(open)) {
        const auto installed = world.loop.run(world.registry().install(test::json_of(crd)));
        if (!installed) throw std::runtime_error(installed.error().message);
    }
    const Resource& records() { return *world.registry().resource("bench.example.com", "v1", "records"); }
    static WriteOptions options(std::string subresource = "") {
        WriteOptions out;
        out.field_manager = "bench";
        out.subresource = std::move(subresource);
        return out;
    }
    awaitable<void> create(int number) {
        api::Parsed body;
        body.value = record(number);
        auto made = co_await world.registry().create(records(), "default", "", std::move(body), options());
        if (!made) throw std::runtime_error(made.error().message);
    }
    awaitable<void> apply_status(int number, std::string message) {
        api::Parsed body;
        body.value = record(number);
        body.value.as_object()["status"] = test::json_of(
            "{'observedGeneration':1,'conditions':[{'type':'Ready','status':'True','reason':'InSync','message':'" +
            message + "','lastTransitionTime':'2026-01-01T00:00:00Z'}]}");
        auto name = "record-" + std::to_string(number);
        auto made = co_await world.registry().apply(records(), "default", std::move(name), std::move(body), true,
                                                    options("status"));
        if (!made) throw std::runtime_error(made.error().message);
    }
    void fill(int count) {
        for (int i = 0; i < count; ++i) world.loop.run(create(i));
    }
    World world;
};

void create(benchmark::State& state) {
    Bench bench;
    int number = 0;
    for (auto _ : state) bench.world.loop.run(bench.create(number++));
    state.SetItemsProcessed(state.iterations());
}
BENCHMARK(create);

void apply_status(benchmark::State& state) {
    Bench bench;
    bench.fill(100);
    int number = 0;
    for (auto _ : state) {
        bench.world.loop.run(bench.apply_status(number % 100, std::to_string(number)));
        ++number;
    }
    state.SetItemsProcessed(state.iterations());
}
BENCHMARK(apply_status);

/// The same status again: what most visits of a reconciler write.
void apply_same_status(benchmark::State& state) {
    Bench bench;
    bench.fill(100);
    for (int i = 0; i < 100; ++i) bench.world.loop.run(bench.apply_status(i, "same"));
    int number = 0;
    for (auto _ : state) bench.world.loop.run(bench.apply_status(number++ % 100, "same"));
    state.SetItemsProcessed(state.iterations());
}
BENCHMARK(apply_same_status);

void list(benchmark::State& state) {
    Bench bench;
    bench.fill(static_cast<int>(state.range(0)));
    for (auto _ : state) {
        const auto page = bench.world.registry().list(bench.records(), {});
        if (!page || page->items.size() != static_cast<std::size_t>(state.range(0))) state.SkipWithError("not all");
    }
    state.SetItemsProcessed(state.iterations() * state.range(0));
}
BENCHMARK(list)->Arg(500)->Arg(10'000);

void list_by_label(benchmark::State& state) {
    Bench bench;
    bench.fill(static_cast<int>(state.range(0)));
    ListOptions options;
    options.labels = *api::LabelSelector::parse("number=3");
    for (auto _ : state) benchmark::DoNotOptimize(bench.world.registry().list(bench.records(), options));
    state.SetItemsProcessed(state.iterations() * state.range(0));
}
BENCHMARK(list_by_label)->Arg(10'000);

/// One write, seen by many.
void watch_fan_out(benchmark::State& state) {
    Bench bench;
    bench.fill(1);
    std::vector<std::unique_ptr<Watch>> watches;
    for (int i = 0; i < state.range(0); ++i) watches.push_back(*bench.world.registry().watch(bench.records(), {}));
    const auto read = [&] {
        for (const auto& watch : watches) {
            const auto events = bench.world.loop.run(watch->next(bench.world.loop.clock().now()));
            if (!events || events->size() != 1) throw std::runtime_error("a watch missed an event");
        }
    };
    read();
    int number = 0;
    for (auto _ : state) {
        bench.world.loop.run(bench.apply_status(0, std::to_string(number++)));
        read();
    }
    state.SetItemsProcessed(state.iterations() * state.range(0));
}
BENCHMARK(watch_fan_out)->Arg(1)->Arg(100)->Arg(1000);

/// Writers at the same time share a commit: how many a second a disk takes.
void create_on_disk(benchmark::State& state) {
    std::string folder = (std::filesystem::temp_directory_path() / "ocim-bench-XXXXXX").string();
    if (mkdtemp(folder.data()) == nullptr) return state.SkipWithError("no folder");
    {
        Bench bench(
            [&](test::TestLoop& loop) { return *store::open_sqlite_journal(loop.executor(), folder + "/ocim.db"); });
        int number = 0;
        for (auto _ : state) {
            TaskGroup writers(bench.world.loop.executor());
            for (int i = 0; i < state.range(0); ++i) writers.spawn("create", bench.create(number++));
            bench.world.loop.run(writers.join());
        }
    }
    std::filesystem::remove_all(folder);
    state.SetItemsProcessed(state.iterations() * state.range(0));
}
BENCHMARK(create_on_disk)->Arg(1)->Arg(64)->UseRealTime();

}  // namespace
}  // namespace ocim::registry

BENCHMARK_MAIN();
