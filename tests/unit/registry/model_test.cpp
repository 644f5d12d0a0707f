#include "fixture.hpp"

#include <stdlib.h>
#include <filesystem>
#include <map>

/// Random requests against a plain map. Whatever happens, restarts included: the registry answers as the map says,
/// holds what the map holds, and a watch that goes on where it was sees each change once, in order.
namespace ocim::registry {
namespace {

using namespace std::chrono_literals;

struct Known {
    std::string uid, note;
    Revision revision = 0;
    std::int64_t generation = 1;
    bool held = false, deleting = false;
};

class Machine {
public:
    Machine(World& world, Random& random) : world_(world), random_(random) { open_watch(); }

    void step() {
        const auto name = "w" + std::to_string(random_.below(6));
        switch (random_.below(8)) {
            case 0:
            case 1: return create(name);
            case 2: return patch(name);
            case 3: return replace(name);
            case 4: return apply(name);
            case 5: return remove(name);
            case 6: return release(name);
            default: return read_watch();
        }
    }

    void restart() {
        read_watch();
        watch_.reset();
        world_.restart();
        open_watch();
    }

    void check() {
        read_watch();
        const auto page = world_.registry().list(widgets(), {});
        ASSERT_TRUE(page);
        std::map<std::string, Json> listed;
        for (const auto& item : page->items) listed[item.name] = item.parsed();
        ASSERT_EQ(listed.size(), model_.size());
        for (const auto& [name, known] : model_) {
            ASSERT_TRUE(listed.contains(name)) << name;
            const auto& object = listed[name];
            EXPECT_EQ(text(object, {"metadata", "uid"}), known.uid);
            EXPECT_EQ(text(object, {"metadata", "resourceVersion"}), std::to_string(known.revision));
            EXPECT_EQ(text(object, {"metadata", "generation"}), std::to_string(known.generation));
            EXPECT_EQ(text(object, {"spec", "note"}), known.note);
            EXPECT_EQ(api::find(object, {"metadata", "deletionTimestamp"}) != nullptr, known.deleting);
        }
        EXPECT_EQ(seen_, log_) << "the watch is the log";
        EXPECT_EQ(mirror_, versions()) << "and its sum the state";
    }

private:
    const Resource& widgets() { return *world_.registry().resource("lab.example.com", "v1", "widgets"); }
    static WriteOptions options() {
        WriteOptions out;
        out.field_manager = "model";
        return out;
    }
    static api::Parsed body(Json value) {
        api::Parsed out;
        out.value = std::move(value);
        return out;
    }
    Json object(const std::string& name, const std::string& note) {
        auto out = json_of("{'apiVersion':'lab.example.com/v1','kind':'Widget','metadata':{},'spec':{}}");
        out.at("metadata").as_object()["name"] = name;
        out.at("spec").as_object()["note"] = note;
        return out;
    }
    std::string draw() { return "note " + std::to_string(random_.below(3)); }

    void open_watch() {
        WatchOptions from;
        from.resource_version = std::to_string(watched_ == 0 ? world_.registry().revision() : watched_);
        auto opened = world_.registry().watch(widgets(), from);
        ASSERT_TRUE(opened) << opened.error().message;
        watch_ = *std::move(opened);
    }
    void read_watch() {
        for (;;) {
            const auto next = world_.loop.run(watch_->next(world_.loop.clock().now()));
            ASSERT_TRUE(next) << next.error().message;
            if (next->empty()) break;
            for (const auto& event : *next) {
                const bool gone = event.type == Event::Type::deleted;
                const char* sign = gone ? "-" : event.type == Event::Type::added ? "+" : "~";
                seen_.push_back(sign + event.object.name + "@" + std::to_string(event.object.revision));
                if (gone)
                    mirror_.erase(event.object.name);
                else
                    mirror_[event.object.name] = event.object.revision;
            }
        }
        watched_ = watch_->seen();
    }
    std::map<std::string, Revision> versions() const {
        std::map<std::string, Revision> out;
        for (const auto& [name, known] : model_) out[name] = known.revision;
        return out;
    }

    /// What a write must have done: `changed` as the model says, and then gone or there.
    void wrote(const std::string& name, const Outcome<Written>& written, bool changed, const char* sign) {
        ASSERT_TRUE(written) << written.error().message;
        auto& known = model_[name];
        if (!changed) {
            EXPECT_EQ(written->object.revision, known.revision) << "a write that changes nothing";
            return;
        }
        EXPECT_GT(written->object.revision, last_);
        last_ = known.revision = written->object.revision;
        log_.push_back(sign + name + "@" + std::to_string(last_));
        EXPECT_EQ(written->deleted, *sign == '-');
        if (written->deleted) model_.erase(name);
    }
    void create(const std::string& name) {
        const auto note = draw();
        auto wanted = object(name, note);
        const bool held = random_.below(3) == 0;
        if (held) wanted.at("metadata").as_object()["finalizers"] = json_of("['x.example.com/f']");
        const auto written =
            world_.loop.run(world_.registry().create(widgets(), "default", "", body(std::move(wanted)), options()));
        if (model_.contains(name)) {
            ASSERT_FALSE(written);
            EXPECT_EQ(written.error().reason, "AlreadyExists");
            return;
        }
        ASSERT_TRUE(written) << written.error().message;
        model_[name] = Known{text(written->object.parsed(), {"metadata", "uid"}), note, 0, 1, held, false};
        wrote(name, written, true, "+");
    }
    void note_changes(const std::string& name, const std::string& note, const Outcome<Written>& written) {
        if (!model_.contains(name)) {
            ASSERT_FALSE(written);
            EXPECT_EQ(written.error().code, 404);
            return;
        }
        auto& known = model_[name];
        const bool changed = known.note != note;
        known.note = note;
        known.generation += changed ? 1 : 0;
        wrote(name, written, changed, "~");
    }
    void patch(const std::string& name) {
        const auto note = draw();
        Json change = api::json::object();
        api::make_object(change, {"spec"})["note"] = note;
        note_changes(name, note,
                     world_.loop.run(world_.registry().patch(widgets(), "default", name, PatchType::merge,
                                                             body(std::move(change)), options())));
    }
    void replace(const std::string& name) {
        const auto found = world_.registry().get(widgets(), "default", name);
        ASSERT_EQ(static_cast<bool>(found), model_.contains(name));
        if (!found) return;
        const auto note = draw();
        auto wanted = found->parsed();
        wanted.at("spec").as_object()["note"] = note;
        const bool stale = random_.below(3) == 0;
        if (stale) wanted.at("metadata").as_object()["resourceVersion"] = std::to_string(model_[name].revision - 1);
        const auto written =
            world_.loop.run(world_.registry().update(widgets(), "default", name, body(std::move(wanted)), options()));
        if (!stale) return note_changes(name, note, written);
        ASSERT_FALSE(written);
        EXPECT_EQ(written.error().reason, "Conflict");
    }
    /// By the manager that already owns the note, forced: what it owns may move, so only the spec is compared.
    void apply(const std::string& name) {
        const auto note = draw();
        const auto written = world_.loop.run(
            world_.registry().apply(widgets(), "default", name, body(object(name, note)), true, options()));
        ASSERT_TRUE(written) << written.error().message;
        const bool made = !model_.contains(name);
        auto& known = model_[name];
        if (made) known = Known{text(written->object.parsed(), {"metadata", "uid"}), note, 0, 1, false, false};
        EXPECT_EQ(written->created, made);
        known.generation += !made && known.note != note ? 1 : 0;
        const bool changed = made || written->object.revision != known.revision;
        EXPECT_TRUE(changed || known.note == note);
        known.note = note;
        wrote(name, written, changed, made ? "+" : "~");
    }
    void remove(const std::string& name) {
        const auto written = world_.loop.run(world_.registry().remove(widgets(), "default", name, {}));
        if (!model_.contains(name)) {
            ASSERT_FALSE(written);
            EXPECT_EQ(written.error().code, 404);
            return;
        }
        auto& known = model_[name];
        const bool changed = !known.deleting;
        known.generation += known.held && changed ? 1 : 0;
        known.deleting = true;
        wrote(name, written, changed, known.held ? "~" : "-");
    }
    void release(const std::string& name) {
        Json change = api::json::object();
        api::make_object(change, {"metadata"})["finalizers"] = nullptr;
        const auto written = world_.loop.run(
            world_.registry().patch(widgets(), "default", name, PatchType::merge, body(std::move(change)), options()));
        if (!model_.contains(name)) return;
        auto& known = model_[name];
        const bool changed = known.held;
        known.held = false;
        wrote(name, written, changed, known.deleting ? "-" : "~");
    }

    World& world_;
    Random& random_;
    std::map<std::string, Known> model_;
    std::vector<std::string> log_, seen_;
    std::map<std::string, Revision> mirror_;
    std::unique_ptr<Watch> watch_;
    Revision watched_ = 0, last_ = 0;
};

void run_model(World& world, std::uint64_t seed, int steps) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    const auto installed = world.loop.run(world.registry().install(json_of(widget_crd)));
    ASSERT_TRUE(installed) << installed.error().message;
    const auto random = make_seeded_random(seed);
    Machine machine(world, *random);
    for (int step = 0; step < steps && !testing::Test::HasFatalFailure(); ++step) {
        machine.step();
        world.loop.advance(Duration(random->below(1500)));
        if (random->below(40) == 0) machine.restart();
        if (random->below(20) == 0) machine.check();
    }
    machine.check();
}

TEST(RegistryModel, HoldsOnTheMemoryJournal) {
    for (std::uint64_t seed = 1; seed <= 20 && !testing::Test::HasFailure(); ++seed) {
        World world;
        run_model(world, seed, 200);
    }
}

TEST(RegistryModel, HoldsOnTheSqliteJournal) {
    std::string folder = (std::filesystem::temp_directory_path() / "ocim-registry-XXXXXX").string();
    ASSERT_NE(mkdtemp(folder.data()), nullptr);
    const auto open = [&](test::TestLoop& loop) {
        auto opened = store::open_sqlite_journal(loop.executor(), folder + "/ocim.db");
        if (!opened) throw std::runtime_error(opened.error().message);
        return *std::move(opened);
    };
    {
        World world({}, open);
        run_model(world, 99, 150);
    }
    std::filesystem::remove_all(folder);
}

}  // namespace
}  // namespace ocim::registry
