#include "gitops/repository.hpp"

#include "base/random.hpp"
#include "support/memory_client.hpp"
#include "support/test_loop.hpp"

#include <gtest/gtest.h>
#include <map>
#include <set>

/// One GitSource, opened, before an API and a server that are as they are told to be.
namespace ocim::gitops {
namespace {

using client::ServedKind;

struct World {
    std::map<std::string, Json> objects;  // by name
    bool may_look = true;
    std::set<std::string> served{"v1"};
    std::vector<std::string> done;
    int fetches = 0;
    Result<std::shared_ptr<const Checkout>, Problem> commit{Problem{"FetchFailed", "nobody answers", true}};
};

class Account final : public client::Delegate {
public:
    explicit Account(World& world) : world_(world) {}
    awaitable<Result<std::optional<ServedKind>>> served(std::string api_version, std::string kind) override {
        std::optional<ServedKind> out;
        const auto slash = api_version.find('/');
        const auto version = slash == std::string::npos ? api_version : api_version.substr(slash + 1);
        if (world_.served.contains(version))
            out = ServedKind{std::string(group_of(api_version)), version, kind, "things", true};
        co_return Result<std::optional<ServedKind>>(std::move(out));
    }
    awaitable<Result<Json>> get(ServedKind, std::string, std::string name) override {
        if (!world_.may_look) co_return Error(ErrorClass::auth, "may not get things");
        const auto found = world_.objects.find(name);
        if (found == world_.objects.end()) co_return Error(ErrorClass::not_found, "no " + name);
        co_return found->second;
    }
    awaitable<Result<Json>> apply(ServedKind, Json object, std::string, bool) override { co_return object; }
    awaitable<Result<void>> remove(ServedKind, std::string, std::string name, std::string) override {
        world_.done.push_back("remove " + name);
        world_.objects.erase(name);
        co_return Result<void>();
    }

private:
    World& world_;
};

class Server final : public Fetcher {
public:
    explicit Server(World& world) : world_(world) {}
    awaitable<Result<std::shared_ptr<const Checkout>, Problem>> fetch() override {
        ++world_.fetches;
        co_return world_.commit;
    }

private:
    World& world_;
};

struct Kept final : Results {
    void set(std::size_t, Result<Done> result) override { got = std::move(result); }
    std::optional<Result<Done>> got;
};

class Opening : public testing::Test {
protected:
    static ObjectId id(const std::string& name, const std::string& group = "lab.example.com") {
        return {group, "Widget", "campus", name};
    }
    std::unique_ptr<Repository> open(Opened opened) {
        const runtime::Services services{loop.executor(), loop.clock(), *random, metrics, pool, "lab", ""};
        opened.namespace_ = "campus";
        opened.name = "fleet";
        opened.fetcher = std::make_unique<Server>(world);
        return open_repository(std::move(opened), std::make_unique<Account>(world), *client, services);
    }
    Snapshot look(Repository& repository) {
        auto seen = loop.run(repository.observe());
        EXPECT_TRUE(seen) << seen.error().message;
        return seen ? *std::move(seen) : Snapshot();
    }
    Json ours(const std::string& name) {
        api::json::object annotations{{mark_annotation, "campus/fleet"}};
        api::json::object metadata{{"name", name}, {"uid", "uid-" + name}, {"annotations", annotations}};
        return Json(api::json::object{{"kind", "Widget"}, {"metadata", metadata}});
    }
    Result<Done> act(Repository& repository, Action action) {
        Kept kept;
        std::vector<Action> actions{std::move(action)};
        loop.run(repository.act(std::move(actions), kept));
        return *std::move(kept.got);
    }

    World world;
    test::RealLoop loop;
    std::unique_ptr<Random> random = make_seeded_random(1);
    Metrics metrics;
    BlockingPool pool{loop.executor(), "blocking", 1, 16};
    test::MemoryServer api{loop.clock()};
    std::unique_ptr<client::Client> client = api.client();
};

TEST_F(Opening, AVersionThatIsNotServedIsNotTheEndOfItsObjects) {
    Opened opened;
    opened.tracked = {{id("a"), "lab.example.com/v1beta1"}, {id("b", "apps"), "apps/v1beta1"}};
    const auto repository = open(std::move(opened));
    auto defined = api::parse_json(
        R"({"apiVersion":"apiextensions.k8s.io/v1","kind":"CustomResourceDefinition",
            "metadata":{"name":"widgets.lab.example.com"},
            "spec":{"group":"lab.example.com","names":{"kind":"Widget"}}})");
    api.put(defined->value);
    auto seen = look(*repository);
    EXPECT_NE(seen.at(id("a")).unknown, "");
    EXPECT_NE(seen.at(id("b", "apps")).unknown, "") << "the API's own kinds have no definition";
    api.remove("CustomResourceDefinition", "", "widgets.lab.example.com");
    seen = look(*repository);
    EXPECT_EQ(seen.at(id("a")).unknown, "") << "its definition is gone, and it with it";
    EXPECT_FALSE(seen.at(id("a")).exists);
    EXPECT_NE(seen.at(id("b", "apps")).unknown, "");
}

TEST_F(Opening, WhoMayNotLookDeletesNothingAndSaysWhatToDo) {
    world.objects.emplace("a", ours("a"));
    world.may_look = false;
    Opened opened;
    opened.tracked = {{id("a"), "lab.example.com/v1"}};
    const auto repository = open(std::move(opened));
    EXPECT_EQ(look(*repository).at(id("a")).unknown, "may not get things");
    const Action action{Action::Verb::delete_, id("a"), "lab.example.com/v1", {}, "", true};
    const auto refused = act(*repository, action);
    ASSERT_FALSE(refused);
    EXPECT_NE(refused.error().message.find("ocim.opencraft.com/abandon=true"), std::string::npos)
        << refused.error().message;
    EXPECT_TRUE(world.done.empty());
    world.may_look = true;
    EXPECT_TRUE(act(*repository, action));
    EXPECT_EQ(world.done, std::vector<std::string>{"remove a"});
}

TEST_F(Opening, AWantedThingThatMayNotBeLookedAtIsUnknown) {
    Checkout checkout{"c1", "main at c1", {}};
    checkout.tree.files = {{"a.yaml", "apiVersion: lab.example.com/v1\nkind: Widget\nmetadata: {name: a}\n"}};
    world.commit = std::make_shared<const Checkout>(checkout);
    world.may_look = false;
    const auto repository = open({});
    const auto seen = look(*repository);
    EXPECT_EQ(seen.at(id("a")).unknown, "may not get things");
    EXPECT_EQ(seen.at(ObjectId{}).fetched->faults.size(), 1U);
}

TEST_F(Opening, TheServerIsAskedOnceAnIntervalHoweverOftenOneLooks) {
    struct {
        const char* why;
        Problem problem;
    } const cases[] = {{"it does not answer", {"FetchFailed", "nobody answers", true}},
                       {"the token is wrong", {"AuthenticationFailed", "mend it", false}}};
    for (const auto& c : cases) {
        world.fetches = 0;
        world.commit = c.problem;
        Opened opened;
        opened.interval = std::chrono::hours(1);
        const auto repository = open(std::move(opened));
        for (int i = 0; i < 3; ++i) EXPECT_EQ(look(*repository).at(ObjectId{}).fetched->reason, c.problem.reason);
        EXPECT_EQ(world.fetches, 1) << c.why;
    }
    world.fetches = 0;
    Opened opened;
    opened.interval = Duration(0);
    const auto repository = open(std::move(opened));
    for (int i = 0; i < 3; ++i) look(*repository);
    EXPECT_EQ(world.fetches, 3) << "the interval is over";
}

TEST_F(Opening, ASuspendedOneMakesNoAccount) {
    for (const bool suspended : {true, false}) {
        Opened opened;
        opened.suspended = suspended;
        opened.makes_account = true;
        const auto repository = open(std::move(opened));
        look(*repository);
        EXPECT_EQ(api.get("ServiceAccount", "campus", "ocim-gitops") == nullptr, suspended);
    }
}

}  // namespace
}  // namespace ocim::gitops
