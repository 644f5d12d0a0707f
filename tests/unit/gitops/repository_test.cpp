#include "gitops/repository.hpp"

#include "base/random.hpp"
#include "gitops/limits.hpp"
#include "gitops/trial.hpp"
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
    std::string refusal = "may not get things";
    std::set<std::string> served{"v1"};
    std::vector<std::string> done;
    std::set<std::string> silent;  // the API does not answer when they are asked for
    int fetches = 0, dry_runs = 0;
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
        if (world_.silent.contains(name)) co_return Error(ErrorClass::unreachable, "no answer");
        if (!world_.may_look) co_return Error(ErrorClass::auth, world_.refusal);
        const auto found = world_.objects.find(name);
        if (found == world_.objects.end()) co_return Error(ErrorClass::not_found, "no " + name);
        co_return found->second;
    }
    awaitable<Result<Json>> apply(ServedKind, Json object, std::string, bool dry_run) override {
        if (dry_run) ++world_.dry_runs;
        const auto found = world_.objects.find(std::string(api::find_text(object, {"metadata", "name"})));
        if (found == world_.objects.end()) co_return object;
        auto out = found->second;
        if (const auto* spec = object.get_object().if_contains("spec")) out.get_object()["spec"] = *spec;
        co_return out;
    }
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
    Json ours(const std::string& name, const std::string& spec) {
        auto out = ours(name);
        out.get_object()["spec"] = spec;
        return out;
    }
    /// The repository's newest has these, each with its spec.
    void commit(const std::map<std::string, std::string>& widgets) {
        auto checkout = std::make_shared<Checkout>();
        for (const auto& [name, spec] : widgets)
            checkout->tree.files.push_back(
                {name + ".yaml", "{apiVersion: lab.example.com/v1, kind: Widget, metadata: {name: " + name +
                                     "}, spec: \"" + spec + "\"}"});
        checkout->commit = checkout->words = "c" + std::to_string(++commits_);
        world.commit = std::shared_ptr<const Checkout>(std::move(checkout));
    }
    static std::vector<std::string> differing(const Snapshot& seen) {
        std::vector<std::string> out;
        for (const auto& [id, thing] : seen)
            if (thing.differs) out.push_back(id.name);
        return out;
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

private:
    int commits_ = 0;
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
    EXPECT_NE(metrics.text().find("\nocim_git_act_seconds_count 2\n"), std::string::npos);
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

TEST_F(Opening, WhoMayNotActAsTheAccountBlamesNoCommit) {
    commit({{"a", "1"}});
    world.may_look = false;
    world.refusal =
        "serviceaccounts \"fleet\" is forbidden: User \"ocim\" cannot impersonate resource \"serviceaccounts\"";
    for (const bool fetched : {true, false}) {
        if (!fetched) world.commit = Problem{"FetchFailed", "nobody answers", true};
        Opened opened;
        opened.tracked = {{id("old"), "lab.example.com/v1"}};
        const auto repository = open(std::move(opened));
        const auto seen = loop.run(repository->observe());
        ASSERT_FALSE(seen) << "nothing is known, neither of what is wanted nor of what was: " << fetched;
        EXPECT_EQ(seen.error().error_class, ErrorClass::auth);
        EXPECT_NE(seen.error().message.find("manifests/install/gitops.yaml"), std::string::npos)
            << seen.error().message;
        EXPECT_NE(seen.error().message.find(world.refusal), std::string::npos) << seen.error().message;
    }
    EXPECT_EQ(world.dry_runs, 0);
}

TEST_F(Opening, WhatChangedOnNeitherSideIsNotTriedAgain) {
    commit({{"a", "1"}, {"b", "1"}, {"c", "1"}});
    for (const auto* name : {"a", "b", "c"}) world.objects.emplace(name, ours(name, "1"));
    Opened opened;
    opened.interval = Duration(0);
    const auto repository = open(std::move(opened));
    const auto tried = [&] {
        const auto before = world.dry_runs;
        const auto seen = look(*repository);
        return std::pair(world.dry_runs - before, differing(seen));
    };
    using Tried = std::pair<int, std::vector<std::string>>;
    EXPECT_EQ(tried(), Tried(3, {}));
    EXPECT_EQ(tried(), Tried(0, {}));
    world.objects["b"].get_object()["status"] = "how it stands";
    api::make_object(world.objects["b"], {"metadata"})["resourceVersion"] = "17";
    EXPECT_EQ(tried(), Tried(0, {})) << "how it stands is nobody's manifest";
    world.objects["b"].get_object()["spec"] = "by hand";
    EXPECT_EQ(tried(), Tried(1, {"b"}));
    EXPECT_EQ(tried(), Tried(1, {"b"})) << "as long as it differs";
    world.objects["b"].get_object()["spec"] = "1";
    EXPECT_EQ(tried(), Tried(1, {}));
    commit({{"a", "1"}, {"b", "1"}, {"c", "2"}});
    EXPECT_EQ(tried(), Tried(1, {"c"})) << "of a new commit what is new";
    world.objects.erase("a");
    EXPECT_EQ(tried(), Tried(2, {"a", "c"}));
}

TEST_F(Opening, OneObjectThatCannotBeLookedAtConcernsItselfOnly) {
    commit({{"a", "1"}, {"b", "1"}, {"c", "1"}});
    for (const auto* name : {"a", "c", "old", "older"}) world.objects.emplace(name, ours(name, "1"));
    world.silent = {"b", "old"};
    Opened opened;
    opened.tracked = {{id("old"), "lab.example.com/v1"}, {id("older"), "lab.example.com/v1"}};
    const auto repository = open(std::move(opened));
    for (int i = 0; i < 2; ++i) {
        const auto seen = look(*repository);
        EXPECT_EQ(seen.at(id("b")).untried, "no answer");
        EXPECT_EQ(seen.at(id("b")).unknown, "no answer");
        EXPECT_TRUE(seen.at(id("b")).wanted);
        EXPECT_EQ(seen.at(id("old")).unknown, "no answer");
        EXPECT_TRUE(seen.at(id("a")).exists && seen.at(id("c")).exists && seen.at(id("older")).exists);
        EXPECT_TRUE(seen.at(ObjectId{}).fetched->faults.empty()) << "it is no fault of the commit";
    }
    world.silent.insert("older");
    const auto refused = loop.run(repository->observe());
    ASSERT_FALSE(refused) << "by now it is the API";
    EXPECT_EQ(refused.error().error_class, ErrorClass::unreachable);
    world.silent.clear();
    EXPECT_EQ(look(*repository).at(id("b")).untried, "");
}

TEST(Trials, AreBelievedForATime) {
    Trials trials;
    const ObjectId id{"", "ConfigMap", "campus", "a"};
    const Json one{{"data", "1"}}, other{{"data", "2"}};
    const Instant now{};
    EXPECT_FALSE(trials.hold(id, one, one, now));
    trials.note(id, one, other, now);
    EXPECT_TRUE(trials.hold(id, one, other, now));
    EXPECT_FALSE(trials.hold(id, other, other, now));
    EXPECT_FALSE(trials.hold(id, one, one, now));
    EXPECT_FALSE(trials.hold({"", "ConfigMap", "campus", "b"}, one, other, now));
    EXPECT_TRUE(trials.hold(id, one, other, now + limits::trial_holds - Duration(1)));
    EXPECT_FALSE(trials.hold(id, one, other, now + limits::trial_holds));
    trials.forget(id);
    EXPECT_FALSE(trials.hold(id, one, other, now));
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

TEST_F(Opening, WhoAsksForTheServerLosesNothingOfTheLastCommitThatCounts) {
    Checkout checkout{"c1", "main at c1", {}};
    checkout.tree.files = {{"a.yaml", "apiVersion: lab.example.com/v1\nkind: Widget\nmetadata: {name: a}\n"}};
    world.commit = std::make_shared<const Checkout>(checkout);
    const auto asked_at = [&](const std::string& when) {
        auto self = api::parse_json(R"({"apiVersion":"ocim.opencraft.com/v1alpha1","kind":"GitSource",
                                        "metadata":{"name":"fleet","namespace":"campus","annotations":{}}})");
        api::make_object(self->value, {"metadata", "annotations"})["ocim.opencraft.com/reconcile-at"] = when;
        api.put(self->value);
    };
    Opened opened;
    opened.interval = std::chrono::hours(1);
    const auto repository = open(std::move(opened));
    asked_at("09:00");
    look(*repository);
    look(*repository);
    EXPECT_EQ(world.fetches, 1) << "that was before it was opened";
    world.commit = Problem{"SignatureRefused", "mallory pushed it", false};
    asked_at("09:01");
    const auto seen = look(*repository);
    EXPECT_EQ(world.fetches, 2) << "at once";
    EXPECT_EQ(seen.at(ObjectId{}).fetched->reason, "SignatureRefused");
    EXPECT_EQ(seen.at(ObjectId{}).fetched->commit, "c1") << "what was applied is kept as it is there";
    EXPECT_TRUE(seen.at(id("a")).differs);
    look(*repository);
    EXPECT_EQ(world.fetches, 2) << "once";
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
