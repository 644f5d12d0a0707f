#pragma once

#include "client/client.hpp"
#include "registry/registry.hpp"
#include "runtime/manager.hpp"
#include "simulation/universe.hpp"
#include "support/test_loop.hpp"

#include <memory>
#include <string>
#include <vector>

namespace ocim::simulation {

class Story;

/// One run of Ocim in a universe: store, registry, client and controllers, all of them the real ones.
class Program {
public:
    /// Starts it. Throws when it does not start.
    Program(Universe& universe, Story& story);
    /// Like kill -9: nothing more becomes durable and nothing more is sent.
    void crash();
    /// Like SIGTERM.
    void stop();
    ~Program();

    void run_for(Duration time);
    Clock& clock() { return loop_.clock(); }
    /// What a person does with kubectl; refusals are part of life.
    Result<api::Json> create(api::Json object);
    Result<api::Json> patch(const api::Kind& kind, const std::string& namespace_, const std::string& name,
                            api::Json patch);
    Result<void> remove(const api::Kind& kind, const std::string& namespace_, const std::string& name);
    std::vector<api::Json> list(const api::Kind& kind);
    /// Every object but events and the given kinds, by kind, name and version: it stays the same while nobody writes.
    std::string still_life(const std::vector<api::Kind>& kinds);
    std::string installation();

private:
    class DyingJournal;
    void boot();
    void end();

    Universe& universe_;
    Story& story_;
    test::TestLoop loop_;
    std::unique_ptr<Random> random_;
    Metrics metrics_;
    std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);  // shared with the journal
    BlockingPool blocking_;
    std::unique_ptr<store::Journal> journal_;
    std::unique_ptr<store::Store> store_;
    std::unique_ptr<registry::Registry> registry_;
    std::unique_ptr<client::Client> client_, person_;
    std::unique_ptr<runtime::Manager> manager_;
    TaskGroup collectors_;
};

}  // namespace ocim::simulation
