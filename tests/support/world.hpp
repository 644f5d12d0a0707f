#pragma once

#include "api/json.hpp"
#include "base/async.hpp"
#include "base/random.hpp"
#include "registry/registry.hpp"
#include "store/store.hpp"
#include "support/test_loop.hpp"

#include <functional>
#include <memory>
#include <stdexcept>
#include <string>

namespace ocim::test {

/// A registry on a journal (in memory unless told otherwise), and what it needs. restart() is what a crash and a new
/// process are.
class World {
public:
    using OpenJournal = std::function<std::unique_ptr<store::Journal>(TestLoop&)>;

    explicit World(store::Store::Settings history = {}, OpenJournal open = nullptr)
        : open_(std::move(open)), history_(history) {
        const auto disk = store::make_memory_disk();
        if (!open_) open_ = [disk](TestLoop&) { return store::open_memory_journal(disk); };
        restart();
    }
    ~World() { stop(); }
    World(const World&) = delete;
    World& operator=(const World&) = delete;

    void restart() {
        stop();
        journal_.reset();
        journal_ = open_(loop);
        store_ = std::make_unique<store::Store>(loop.executor(), *journal_, loop.clock(), metrics, history_);
        const auto loaded = loop.run(store_->load());
        if (!loaded) throw std::runtime_error(loaded.error().message);
        registry_ = std::make_unique<registry::Registry>(*store_, loop.clock(), *random, metrics,
                                                         registry::Registry::Settings{});
        const auto started = loop.run(registry_->start());
        if (!started) throw std::runtime_error(started.error().message);
    }
    /// Garbage collection and the like, from now until stop() or restart().
    void collect() { tasks_->spawn("collectors", registry_->run_collectors()); }

    registry::Registry& registry() { return *registry_; }
    store::Store& store() { return *store_; }

    TestLoop loop;
    Metrics metrics;
    std::unique_ptr<Random> random = make_seeded_random(7);

private:
    void stop() {
        if (!store_) return;
        loop.run(tasks_->stop());
        registry_.reset();
        loop.run(store_->stop());
        store_.reset();
    }

    OpenJournal open_;
    store::Store::Settings history_;
    std::unique_ptr<store::Journal> journal_;
    std::unique_ptr<store::Store> store_;
    std::unique_ptr<registry::Registry> registry_;
    std::unique_ptr<TaskGroup> tasks_ = std::make_unique<TaskGroup>(loop.executor());
};

/// JSON from text that a test wrote; single quotes may stand for double ones.
inline api::Json json_of(std::string text) {
    if (text.find('"') == std::string::npos)
        for (auto& c : text)
            if (c == '\'') c = '"';
    auto parsed = api::parse_json(text);
    if (!parsed) throw std::runtime_error(parsed.error().message + " in " + text);
    return std::move(parsed->value);
}

}  // namespace ocim::test
