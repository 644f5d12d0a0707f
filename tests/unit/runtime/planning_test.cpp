#include "driver_test.hpp"

#include "runtime/planning.hpp"

#include <algorithm>
#include <set>

namespace ocim::test {
namespace {

/// Asks about books of these names, and remembers what would be done.
class Asking final : public runtime::Planning {
public:
    explicit Asking(std::set<std::string> names) : names_(std::move(names)) {}

    bool concerns(const api::Kind&, const api::Json& object,
                  const std::vector<runtime::Reference>& references) override {
        for (const auto& one : references)
            if (one.kind.name == "Shelf") shelves.insert(one.name);
        return names_.contains(std::string(api::find_text(object, {"metadata", "name"})));
    }
    void planned(std::vector<runtime::Planned> actions) override {
        for (const auto& one : actions)
            told.push_back(one.verb + ": " + one.description + " for " + one.object.text() + " at " +
                           one.backend.text());
    }

    std::vector<std::string> told;
    std::set<std::string> shelves;

private:
    std::set<std::string> names_;
};

class PlanningTest : public DriverTest {
protected:
    /// What a manager would do that is asked about these, when it has come to rest.
    std::vector<std::string> plan(std::set<std::string> names) {
        stop();
        Asking asking(std::move(names));
        runtime::Manager::Settings settings;
        settings.planning = &asking;
        start(settings);
        const auto deadline = loop_.clock().now() + 60s;
        EXPECT_TRUE(loop_.run(manager_->settle(deadline)));
        wait(600s);  // nor later
        stop();
        asked_ = asking.shelves;
        return asking.told;
    }
    std::set<std::string> asked_;
};

TEST_F(PlanningTest, SaysWhatIsThenDoneAndDoesNothing) {
    shelf("{'deleteOrphans':true,'orphanMinAgeSeconds':1}");
    for (const auto* name : {"dune", "emma", "ulysses"}) book(name);
    start();
    wait(5s);
    stop();
    // an orphan that a server would sweep
    auto lost = *volumes()["dune"].mark;
    lost.namespace_name = "ns/lost";
    lost.uid = "gone";
    volumes()["lost"] = {"lost", lost};
    patch("ulysses", "{'spec':{'text':'twice'}}");
    patch("dune", "{'spec':{'text':'thrice'}}");
    book("ilium");
    server_.remove("Book", "ns", "emma");
    const auto before = volumes();
    const int acts = oak().calls["act"];
    const std::vector<std::string> expected{"update: shelve dune for ns/dune at oak",
                                            "delete: take away emma for ns/emma at oak",
                                            "create: shelve ilium for ns/ilium at oak"};
    auto told = plan({"dune", "emma", "ilium"});
    std::ranges::sort(told, {}, [](const std::string& one) { return one.substr(one.find(" for ")); });
    EXPECT_EQ(told, expected) << "and nothing of ulysses, which nobody asks about";
    EXPECT_EQ(volumes(), before);
    EXPECT_EQ(oak().calls["act"], acts);
    EXPECT_EQ(asked_, std::set<std::string>{"oak"});
    start();
    wait(20s);
    EXPECT_EQ(text("dune"), "thrice");
    EXPECT_EQ(text("ilium"), "once");
}

TEST_F(PlanningTest, WhatIsAsDeclaredNeedsNothing) {
    shelf();
    book("dune");
    start();
    wait(5s);
    EXPECT_EQ(plan({"dune"}), std::vector<std::string>());
}

TEST_F(PlanningTest, OfWhatNobodyAsksAboutNoBackendIsLookedAt) {
    shelf();
    book("dune");
    start();
    wait(5s);
    const int looks = oak().calls["observe"];
    EXPECT_EQ(plan({"nobody"}), std::vector<std::string>());
    EXPECT_EQ(oak().calls["observe"], looks);
}

TEST_F(PlanningTest, WhatAnEarlierRunMadeIsNotWaitedFor) {
    server_.put(
        json("{'apiVersion':'test.opencraft.com/v1','kind':'Shelf','metadata':{'name':'oak','labels':"
             "{'creates-twice':'yes'}},'spec':{}}"));
    book("dune");
    start();
    wait(300s);
    volumes().erase("dune");
    EXPECT_EQ(plan({"dune"}), std::vector<std::string>{"create: shelve dune for ns/dune at oak"});
}

}  // namespace
}  // namespace ocim::test
