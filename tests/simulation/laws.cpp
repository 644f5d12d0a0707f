#include "simulation/laws.hpp"

#include "runtime/conditions.hpp"

#include <set>

namespace ocim::simulation {

using api::Json;

namespace {

std::string called(const Json& object) {
    return std::string(api::find_text(object, {"kind"})) + " " +
           std::string(api::find_text(object, {"metadata", "name"}));
}

std::string reason(const Json& object, std::string_view type) {
    const auto* found = runtime::condition(object, type);
    return found ? std::string(api::find_text(*found, {"reason"})) : std::string();
}

class Judge {
public:
    explicit Judge(Program& program) : installation_(program.installation()) {}

    /// Every object stands firm, and what it declares is there.
    template <class A, class Map>
    void objects(const std::vector<Json>& objects, const std::vector<Json>& others, const Map& things) {
        std::set<std::string> uids;
        for (const auto& object : objects) {
            const auto decoded = *api::decode_object<typename A::Object>(object);
            uids.insert(decoded.metadata.uid);
            firm(object);
            runtime::Inputs inputs;
            inputs.installation = installation_;
            for (const auto& other : others) inputs.add(other);
            if (reason(object, "Stalled") == "Claimed") continue;
            if (const auto plan = A::diff(decoded, inputs, things); !plan.empty())
                broken(called(object) + " is not as declared: " + A::describe(plan.front()));
            const bool ready = runtime::is_ready(object);
            if (ready != (A::report(decoded, inputs, things).verdict.state == runtime::Verdict::State::ready))
                broken(called(object) + " says something else than what is there: " + reason(object, "Ready"));
        }
        for (const auto& marked : A::marked(things)) {
            const bool ours = marked.mark.installation == installation_ && !marked.mark.retained;
            if (ours && !uids.contains(marked.mark.uid))
                broken("leaked: something of " + marked.mark.namespace_name + ", whose object is gone");
        }
    }
    void firm(const Json& object) {
        if (!api::find_text(object, {"metadata", "deletionTimestamp"}).empty())
            broken(called(object) + " is still being deleted: " + reason(object, "Ready"));
        else if (runtime::condition(object, "Reconciling"))
            broken(called(object) + " is still being worked on: " + reason(object, "Ready"));
        else if (!runtime::condition(object, "Ready"))
            broken(called(object) + " says nothing");
    }
    template <class Map>
    void untouched(const Map& theirs, const Map& things) {
        for (const auto& [key, thing] : theirs)
            if (const auto found = things.find(key); found == things.end() || !(found->second == thing))
                broken("a stranger's thing was touched");
    }
    void broken(std::string law) { laws_.push_back(std::move(law)); }
    std::vector<std::string> take() { return std::move(laws_); }

private:
    std::string installation_;
    std::vector<std::string> laws_;
};

}  // namespace

Strangers strangers(Universe& universe) {
    Strangers out;
    for (const auto& [key, set] : universe.zone.things(universe.now))
        if (!set.mark) out.records.emplace(key, set);
    for (const auto& [key, volume] : universe.shelves["oak"].things(universe.now))
        if (!volume.mark) out.books.emplace(key, volume);
    return out;
}

std::vector<std::string> broken_laws(Universe& universe, Program& program, const Strangers& strangers) {
    Judge judge(program);
    const auto now = program.clock().now();
    const auto& records = universe.zone.things(now);
    const auto& books = universe.shelves["oak"].things(now);
    judge.objects<dns::Record>(program.list(crd::DNSRecord::kind), program.list(crd::DNSZone::kind), records);
    judge.objects<test::BookKind>(program.list(test::Book::kind), {}, books);
    for (const auto& kind : {crd::DNSZone::kind, test::Shelf::kind})
        for (const auto& object : program.list(kind)) judge.firm(object);
    judge.untouched(strangers.records, records);
    judge.untouched(strangers.books, books);
    const auto all = program.list(test::Book::kind);
    for (const auto& library : program.list(test::Library::kind)) {
        const auto decoded = *api::decode_object<test::Library>(library);
        std::set<std::string> wanted, there;
        for (const auto& title : decoded.spec.titles) wanted.insert(decoded.metadata.name + "-" + title);
        bool all_ready = true;  // a book whose place a stranger has keeps its library waiting
        for (const auto& book : all) {
            const auto name = std::string(api::find_text(book, {"metadata", "name"}));
            if (!name.starts_with(decoded.metadata.name + "-")) continue;
            there.insert(name);
            all_ready = all_ready && runtime::is_ready(book);
        }
        if (wanted != there) judge.broken(called(library) + " has other books than it wants");
        if (all_ready || decoded.metadata.deleting()) judge.firm(library);
    }
    return judge.take();
}

std::string still_life(Universe& universe, Program& program) {
    std::string out;
    for (const auto& kind : {crd::DNSRecord::kind, test::Book::kind, test::Library::kind, api::secret_kind})
        for (const auto& object : program.list(kind))
            out += called(object) + " " + std::string(api::find_text(object, {"metadata", "resourceVersion"})) + "\n";
    int actions = universe.zone.calls["action"];
    for (auto& [name, shelf] : universe.shelves) actions += shelf.calls["action"];
    return out + "actions " + std::to_string(actions);
}

}  // namespace ocim::simulation
