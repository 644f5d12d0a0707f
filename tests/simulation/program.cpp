#include "simulation/program.hpp"

#include "simulation/story.hpp"

#include <stdexcept>

namespace ocim::simulation {

using namespace std::chrono_literals;

/// A disk takes a moment; when its program dies, what was not written never will be.
class Program::DyingJournal final : public store::Journal {
public:
    DyingJournal(Universe& universe, Clock& clock, Random& random, std::shared_ptr<bool> alive)
        : universe_(universe),
          clock_(clock),
          random_(random),
          alive_(std::move(alive)),
          disk_(store::open_memory_journal(universe.disk)) {}

    awaitable<Result<Loaded>> load() override { co_return co_await disk_->load(); }
    awaitable<Result<void>> append(std::vector<store::Change> batch) override {
        co_await moment();
        if (!*alive_ || universe_.boundary()) co_return Error{ErrorClass::transient, "the program is dead"};
        if (random_.below(1'000) < universe_.disk_fails) co_return Error{ErrorClass::transient, "the disk is full"};
        CO_CHECK(co_await disk_->append(std::move(batch)));
        co_await moment();  // durable already, and nobody knows
        if (universe_.boundary()) co_return Error{ErrorClass::transient, "the program is dead"};
        co_return Result<void>();
    }
    awaitable<Result<void>> compact(store::Revision revision) override { co_return co_await disk_->compact(revision); }

private:
    awaitable<void> moment() {
        const Duration time(static_cast<Duration::rep>(random_.below(4)));
        co_await clock_.sleep(time);
    }

    Universe& universe_;
    Clock& clock_;
    Random& random_;
    std::shared_ptr<bool> alive_;
    std::unique_ptr<store::Journal> disk_;
};

namespace {

void require(const Result<void>& result, const char* what) {
    if (!result) throw std::runtime_error(std::string(what) + ": " + result.error().message);
}

}  // namespace

Program::Program(Universe& universe, Story& story)
    : universe_(universe),
      story_(story),
      loop_(test::TestLoop::Start{universe.now, universe.wall}),
      random_(make_seeded_random(universe.seed * 1'000 + ++universe.boots)),
      blocking_(loop_.executor(), "blocking", 1, 10),
      collectors_(loop_.executor()) {
    boot();
}

void Program::boot() {
    universe_.trace.add(universe_.now, "boot");
    auto& clock = loop_.clock();
    journal_ = std::make_unique<DyingJournal>(universe_, clock, *random_, alive_);
    store_ = std::make_unique<store::Store>(loop_.executor(), *journal_, clock, metrics_);
    // a program that cannot start is another story
    const auto disk_fails = std::exchange(universe_.disk_fails, 0);
    const auto dies_at = std::exchange(universe_.dies_at, std::nullopt);
    universe_.dead = false;
    require(loop_.run(store_->load()), "store");
    registry_ =
        std::make_unique<registry::Registry>(*store_, clock, *random_, metrics_, registry::Registry::Settings());
    require(loop_.run(registry_->start()), "registry");
    for (const auto& crd : story_.definitions()) {
        const auto installed = loop_.run(registry_->install(crd));
        if (!installed) throw std::runtime_error(installed.error().message);
    }
    client_ = client::make_local_client(*registry_, clock, "ocim");
    person_ = client::make_local_client(*registry_, clock, "person");
    runtime::Manager::Settings settings;
    settings.stop_limit = 0ms;  // calls in flight are cut off: the harder case
    manager_ =
        std::make_unique<runtime::Manager>(loop_.executor(), *client_, clock, *random_, metrics_, blocking_, settings);
    story_.register_kinds(*manager_);
    for (const auto& kind : manager_->kinds())
        registry_->set_admission(kind.group, kind.plural, [this, kind](const api::Json& object, const api::Json* old) {
            return manager_->admit(kind, object, old);
        });
    collectors_.spawn("collectors", registry_->run_collectors());
    require(loop_.run(manager_->start()), "controllers");
    universe_.disk_fails = disk_fails;
    universe_.dies_at = dies_at;
}

void Program::crash() {
    universe_.trace.add(clock().now(), "crash");
    *alive_ = false;
    end();
}

void Program::stop() {
    universe_.trace.add(clock().now(), "stop");
    end();
}

void Program::end() {
    if (!manager_) return;
    universe_.now = clock().now();
    universe_.wall = clock().wall();
    loop_.run(manager_->stop());
    loop_.run(collectors_.stop());
    loop_.run(store_->stop());
    manager_.reset();
    person_.reset();
    client_.reset();
    registry_.reset();
    store_.reset();
    universe_.now = std::max(universe_.now, clock().now());
    universe_.wall = std::max(universe_.wall, clock().wall());
}

Program::~Program() { end(); }

void Program::run_for(Duration time) {
    // whoever starts it anew after its death does so at once
    loop_.advance(time, [this] { return universe_.dead; });
}

Result<api::Json> Program::create(api::Json object) {
    for (const auto& kind : story_.kinds())
        if (kind.name == api::find_text(object, {"kind"})) {
            universe_.trace.add("a person creates " + std::string(kind.name) + " " +
                                std::string(api::find_text(object, {"metadata", "name"})));
            return loop_.run(person_->create(kind, std::move(object)));
        }
    throw std::logic_error("an object of an unknown kind");
}

Result<api::Json> Program::patch(const api::Kind& kind, const std::string& namespace_, const std::string& name,
                                 api::Json patch) {
    universe_.trace.add("a person patches " + std::string(kind.name) + " " + name + " " + api::to_text(patch));
    return loop_.run(person_->merge_patch(kind, namespace_, name, std::move(patch), ""));
}

Result<void> Program::remove(const api::Kind& kind, const std::string& namespace_, const std::string& name) {
    universe_.trace.add("a person deletes " + std::string(kind.name) + " " + name);
    return loop_.run(person_->remove(kind, namespace_, name, ""));
}

std::vector<api::Json> Program::list(const api::Kind& kind) {
    auto out = loop_.run(person_->list(kind, ""));
    if (!out) throw std::runtime_error(out.error().message);
    return std::move(out->items);
}

std::string Program::still_life(const std::vector<api::Kind>& kinds) {
    std::string out;
    for (const auto& kind : kinds)
        for (const auto& object : list(kind))
            out += std::string(kind.name) + " " + std::string(api::find_text(object, {"metadata", "name"})) + " " +
                   std::string(api::find_text(object, {"metadata", "resourceVersion"})) + "\n";
    return out;
}

std::string Program::installation() {
    const auto found = loop_.run(person_->get(api::config_map_kind, "ocim-system", "ocim-installation"));
    if (!found) throw std::runtime_error(found.error().message);
    return std::string(api::find_text(*found, {"data", "id"}));
}

}  // namespace ocim::simulation
