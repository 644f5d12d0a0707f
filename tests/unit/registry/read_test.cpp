#include "fixture.hpp"

namespace ocim::registry {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using namespace std::chrono_literals;

class ReadTest : public RegistryTest {
protected:
    explicit ReadTest(store::Store::Settings history = {}) : RegistryTest(history) {
        EXPECT_TRUE(create(resource("namespaces", ""), json_of("{'metadata':{'name':'other'}}"), ""));
        add("b", "red", "x");
        add("a", "green", "y");
        add("c", "red", "y");
        EXPECT_TRUE(create(widgets(), widget("z"), "other"));
    }
    void add(const std::string& name, const std::string& color, const std::string& label) {
        auto object = widget(name, "{'color':'" + color + "'}");
        api::make_object(object, {"metadata", "labels"})["l"] = label;
        const auto made = create(widgets(), object);
        EXPECT_TRUE(made) << made.error().message;
    }
    static ListOptions where(std::string ns, const char* labels = "", const char* fields = "") {
        ListOptions out;
        out.namespace_ = std::move(ns);
        out.labels = *api::LabelSelector::parse(labels);
        out.fields = *api::FieldSelector::parse(fields);
        return out;
    }
    std::vector<std::string> names(const ListOptions& options) {
        const auto page = world.registry().list(widgets(), options);
        EXPECT_TRUE(page) << page.error().message;
        std::vector<std::string> out;
        if (page)
            for (const auto& item : page->items) out.push_back(item.namespace_ + "/" + item.name);
        return out;
    }
    std::string refusal(const ListOptions& options) {
        const auto page = world.registry().list(widgets(), options);
        return page ? "none" : std::to_string(page.error().code) + " " + page.error().message;
    }
    std::unique_ptr<Watch> watch(WatchOptions options) {
        auto opened = world.registry().watch(widgets(), options);
        EXPECT_TRUE(opened) << opened.error().message;
        return *std::move(opened);
    }
    /// What a watch has to say now: "+a" added, "~a" modified, "-a" deleted, "=" a bookmark, "=end" the initial one.
    std::vector<std::string> events(Watch& watch, Duration wait = Duration(0)) {
        std::vector<std::string> out;
        for (;;) {
            auto next = world.loop.run(watch.next(world.loop.clock().now() + wait));
            EXPECT_TRUE(next) << next.error().message;
            if (!next || next->empty()) return out;
            for (const auto& event : *next) {
                const char* sign = event.type == Event::Type::added      ? "+"
                                   : event.type == Event::Type::modified ? "~"
                                   : event.type == Event::Type::deleted  ? "-"
                                                                         : "=";
                out.push_back(sign + (event.initial_end ? "end" : event.object.name));
                if (event.type != Event::Type::bookmark)
                    EXPECT_EQ(text(event.object.parsed(), {"metadata", "resourceVersion"}),
                              std::to_string(event.object.revision));
            }
        }
    }
};

TEST_F(ReadTest, ListsAreInOrderAndSelected) {
    EXPECT_THAT(names(where("")), ElementsAre("default/a", "default/b", "default/c", "other/z"));
    EXPECT_THAT(names(where("default", "l=y")), ElementsAre("default/a", "default/c"));
    EXPECT_THAT(names(where("default", "l in (x,y),l!=y")), ElementsAre("default/b"));
    EXPECT_THAT(names(where("", "", "metadata.name=a")), ElementsAre("default/a"));
    EXPECT_THAT(names(where("", "", "metadata.namespace=other")), ElementsAre("other/z"));
    EXPECT_THAT(names(where("", "", "spec.color=red,metadata.name!=b")), ElementsAre("default/c"));
    EXPECT_THAT(names(where("", "!l")), ElementsAre("other/z"));
    EXPECT_THAT(names(where("nowhere")), ElementsAre());
    EXPECT_EQ(refusal(where("", "", "spec.size=1")), "400 field label not supported: spec.size");
}

TEST_F(ReadTest, PagesShowOneSnapshot) {
    auto options = where("");
    options.limit = 2;
    const auto first = world.registry().list(widgets(), options);
    ASSERT_TRUE(first);
    EXPECT_EQ(first->items.size(), 2u);
    EXPECT_EQ(first->remaining, 2u);
    add("aa", "red", "x");
    ASSERT_TRUE(remove(widgets(), "c"));
    ASSERT_TRUE(merge(widgets(), "a", "{'spec':{'note':'later'}}"));
    options.continue_token = first->continue_token;
    const auto second = world.registry().list(widgets(), options);
    ASSERT_TRUE(second) << second.error().message;
    ASSERT_EQ(second->items.size(), 2u);
    EXPECT_EQ(second->items[0].name, "c");
    EXPECT_EQ(second->revision, first->revision);
    EXPECT_EQ(second->continue_token, "");
    options.limit = 1;
    options.continue_token = "";
    options.labels = *api::LabelSelector::parse("l=y");
    const auto selected = world.registry().list(widgets(), options);
    EXPECT_EQ(selected->continue_token, "") << "nothing else matches";
    EXPECT_FALSE(selected->remaining);
}

TEST_F(ReadTest, EveryPageSaysHowManyMoreThereAre) {
    auto page = where("");
    page.limit = 1;
    std::vector<std::size_t> left;
    for (std::size_t pages = 0; pages < 9; ++pages) {
        const auto listed = world.registry().list(widgets(), page);
        ASSERT_TRUE(listed) << listed.error().message;
        left.push_back(listed->remaining.value_or(0));
        page.continue_token = listed->continue_token;
        // what is made meanwhile is no part of the snapshot
        ASSERT_TRUE(create(widgets(), widget("late-" + std::to_string(pages))));
        if (listed->continue_token.empty()) break;
    }
    EXPECT_THAT(left, ElementsAre(3u, 2u, 1u, 0u));
}

TEST_F(ReadTest, ResourceVersionTable) {
    const auto revision = std::to_string(world.registry().revision());
    const auto future = std::to_string(world.registry().revision() + 9);
    const struct {
        const char* reason;
        std::string revision, match, continued;
        std::string refusal;
    } cases[] = {
        {"current", "", "", "", "none"},
        {"any", "0", "", "", "none"},
        {"at least", revision, "NotOlderThan", "", "none"},
        {"exact", revision, "Exact", "", "none"},
        {"of the future", future, "", "",
         "504 Timeout: Too large resource version: " + future + ", current: " + revision},
        {"no number", "x", "", "",
         "400 resourceVersion: Invalid value: \"x\": strconv.ParseUint: parsing \"x\": invalid syntax"},
        {"a match without a version", "", "Exact", "",
         "422 ListOptions.meta.k8s.io \"\" is invalid: resourceVersionMatch: Forbidden: resourceVersionMatch is "
         "forbidden unless resourceVersion is provided"},
        {"an unknown match", "1", "Newer", "",
         "422 ListOptions.meta.k8s.io \"\" is invalid: resourceVersionMatch: Unsupported value: \"Newer\": supported "
         "values: \"Exact\", \"NotOlderThan\""},
        {"a bad token", "", "", "???", "400 continue key is not valid: illegal base64 data"},
        {"a token and a version", "5", "", "eyJ2IjoibWV0YS5rOHMuaW8vdjEiLCJydiI6MSwic3RhcnQiOiIvYSJ9",
         "400 specifying resource version is not allowed when using continue"},
    };
    for (const auto& c : cases) {
        auto options = where("");
        options.resource_version = c.revision;
        options.resource_version_match = c.match;
        options.continue_token = c.continued;
        EXPECT_EQ(refusal(options), c.refusal) << c.reason;
    }
}

TEST_F(ReadTest, AnExactListShowsThePast) {
    auto options = where("default");
    options.resource_version = std::to_string(world.registry().revision());
    options.resource_version_match = "Exact";
    ASSERT_TRUE(remove(widgets(), "a"));
    ASSERT_TRUE(merge(widgets(), "b", "{'spec':{'note':'new'}}"));
    const auto then = world.registry().list(widgets(), options);
    ASSERT_TRUE(then);
    ASSERT_EQ(then->items.size(), 3u);
    EXPECT_EQ(text(then->items[1].parsed(), {"spec", "note"}), "(absent)");
    EXPECT_EQ(std::to_string(then->revision), options.resource_version);
}

TEST_F(ReadTest, AWatchWithoutARevisionTellsWhatIsThereAndThenWhatHappens) {
    const auto all = watch({});
    EXPECT_THAT(events(*all), ElementsAre("+a", "+b", "+c", "+z"));
    ASSERT_TRUE(merge(widgets(), "a", "{'spec':{'note':'1'}}"));
    add("d", "red", "x");
    ASSERT_TRUE(remove(widgets(), "b"));
    EXPECT_THAT(events(*all), ElementsAre("~a", "+d", "-b"));
    EXPECT_EQ(all->seen(), world.registry().revision());
}

TEST_F(ReadTest, AWatchFromARevisionTellsWhatCameAfterIt) {
    WatchOptions from;
    from.namespace_ = "default";
    from.resource_version = std::to_string(world.registry().revision());
    ASSERT_TRUE(merge(widgets(), "a", "{'spec':{'note':'1'}}"));
    ASSERT_TRUE(create(widgets(), widget("elsewhere"), "other"));
    ASSERT_TRUE(merge(widgets(), "a", "{'spec':{'note':'2'}}"));
    EXPECT_THAT(events(*watch(from)), ElementsAre("~a", "~a"));
}

TEST_F(ReadTest, EnteringASelectionIsAddedAndLeavingItIsDeleted) {
    WatchOptions options;
    options.labels = *api::LabelSelector::parse("l=x");
    options.resource_version = std::to_string(world.registry().revision());
    const auto some = watch(options);
    ASSERT_TRUE(merge(widgets(), "a", "{'metadata':{'labels':{'l':'x'}}}"));
    ASSERT_TRUE(merge(widgets(), "a", "{'spec':{'note':'1'}}"));
    ASSERT_TRUE(merge(widgets(), "c", "{'spec':{'note':'not selected'}}"));
    ASSERT_TRUE(merge(widgets(), "a", "{'metadata':{'labels':{'l':'y'}}}"));
    ASSERT_TRUE(remove(widgets(), "a"));
    ASSERT_TRUE(remove(widgets(), "b"));
    EXPECT_THAT(events(*some), ElementsAre("+a", "~a", "-a", "-b"));
    options.labels = {};
    options.fields = *api::FieldSelector::parse("metadata.name=c");
    EXPECT_THAT(events(*watch(options)), ElementsAre("~c"));
}

TEST_F(ReadTest, InitialEventsEndWithABookmark) {
    WatchOptions options;
    options.send_initial_events = true;
    options.bookmarks = true;
    options.fields = *api::FieldSelector::parse("metadata.name=b");
    const auto one = watch(options);
    EXPECT_EQ(one->seen(), 0u);
    const auto first = world.loop.run(one->next(world.loop.clock().now()));
    ASSERT_TRUE(first);
    ASSERT_EQ(first->size(), 2u);
    EXPECT_EQ(first->at(0).object.name, "b");
    EXPECT_TRUE(first->at(1).initial_end);
    EXPECT_EQ(first->at(1).object.revision, world.registry().revision());
}

TEST_F(ReadTest, ABookmarkComesEachMinuteThatSomethingHappenedElsewhere) {
    WatchOptions options;
    options.namespace_ = "default";
    options.bookmarks = true;
    options.resource_version = std::to_string(world.registry().revision());
    const auto one = watch(options);
    EXPECT_THAT(events(*one, 90s), ElementsAre()) << "nothing happened anywhere";
    ASSERT_TRUE(create(widgets(), widget("elsewhere"), "other"));
    EXPECT_THAT(events(*one, 90s), ElementsAre("="));
    EXPECT_THAT(events(*one, 90s), ElementsAre()) << "told already";
}

TEST_F(ReadTest, AWatchIsWokenByAWrite) {
    WatchOptions options;
    options.resource_version = std::to_string(world.registry().revision());
    const auto one = watch(options);
    TaskGroup tasks(world.loop.executor());
    std::vector<Event> got;
    const auto read = [&](Watch& from) -> awaitable<void> {
        auto next = co_await from.next(world.loop.clock().now() + 1h);
        EXPECT_TRUE(next);
        if (next) got = *next;
    };
    tasks.spawn("read", read(*one));
    world.loop.settle();
    EXPECT_TRUE(got.empty());
    add("d", "red", "x");
    world.loop.run(tasks.join());
    ASSERT_EQ(got.size(), 1u);
    EXPECT_EQ(got[0].object.name, "d");
}

TEST_F(ReadTest, LongInitialListsComeInPieces) {
    for (int i = 0; i < 450; ++i) ASSERT_TRUE(create(widgets(), widget("n" + std::to_string(i)), "other"));
    WatchOptions options;
    options.labels = *api::LabelSelector::parse("l=y");
    EXPECT_THAT(events(*watch(options)), ElementsAre("+a", "+c")) << "whole pieces without a match are no end";
    const auto first = world.loop.run(watch({})->next(world.loop.clock().now()));
    ASSERT_TRUE(first);
    EXPECT_LE(first->size(), 200u);
}

class ShortHistory : public ReadTest {
protected:
    ShortHistory() : ReadTest({.history_changes_max = 5, .history_bytes_max = 1 << 20, .history_age_max = 1h}) {}
};

TEST_F(ShortHistory, WhatIsForgottenIsExpired) {
    WatchOptions options;
    options.resource_version = "1";
    const auto opened = world.registry().watch(widgets(), options);
    ASSERT_FALSE(opened);
    EXPECT_EQ(opened.error().code, 410);
    EXPECT_EQ(opened.error().reason, "Expired");
    EXPECT_THAT(opened.error().message, HasSubstr("too old resource version: 1 ("));

    options.resource_version = std::to_string(world.registry().revision());
    const auto slow = watch(options);
    auto paged = where("");
    paged.limit = 2;
    const auto first = world.registry().list(widgets(), paged);
    for (int i = 0; i < 9; ++i) ASSERT_TRUE(merge(widgets(), "a", "{'spec':{'size':" + std::to_string(i + 5) + "}}"));
    const auto next = world.loop.run(slow->next(world.loop.clock().now() + 1s));
    ASSERT_FALSE(next);
    EXPECT_EQ(next.error().code, 410);
    paged.continue_token = first->continue_token;
    const auto old = world.registry().list(widgets(), paged);
    ASSERT_FALSE(old);
    EXPECT_EQ(old.error().code, 410);
    EXPECT_THAT(old.error().message, HasSubstr("The provided continue parameter is too old"));
    paged.continue_token = old.error().continue_token;
    EXPECT_THAT(names(paged), ElementsAre("default/c", "other/z"))
        << "the token in the answer goes on with what is now";
    paged = where("");
    paged.resource_version = "1";
    paged.resource_version_match = "Exact";
    EXPECT_EQ(refusal(paged), "410 The resourceVersion for the provided list is too old.");
}

TEST_F(ReadTest, OneEventHasTwoShapes) {
    const auto& v1 = resource("events", "events.k8s.io");
    const auto& core = resource("events", "");
    const auto body = json_of(
        "{'metadata':{'name':'e'},'eventTime':'2026-01-01T00:00:00.000000Z','type':'Normal','reason':'Made',"
        "'action':'Create','note':'it was made','reportingController':'ocim.opencraft.com/x','reportingInstance':'i',"
        "'regarding':{'kind':'Widget','name':'a','namespace':'default'}}");
    const auto made = create(v1, body);
    ASSERT_TRUE(made) << made.error().message;
    EXPECT_EQ(text(made->object.parsed(), {"note"}), "it was made");
    EXPECT_EQ(text(made->object.parsed(), {"apiVersion"}), "events.k8s.io/v1");
    const auto seen = now(core, "e");
    EXPECT_EQ(text(seen, {"apiVersion"}), "v1");
    EXPECT_EQ(text(seen, {"message"}), "it was made");
    EXPECT_EQ(text(seen, {"involvedObject", "name"}), "a");
    EXPECT_EQ(text(seen, {"reportingComponent"}), "ocim.opencraft.com/x");
    EXPECT_EQ(text(seen, {"note"}), "(absent)");
    ListOptions which;
    which.fields = *api::FieldSelector::parse("involvedObject.name=a,involvedObject.kind=Widget");
    EXPECT_EQ(world.registry().list(core, which)->items.size(), 1u);
    which.fields = *api::FieldSelector::parse("regarding.name=a");
    EXPECT_EQ(world.registry().list(v1, which)->items.size(), 1u);
    ASSERT_TRUE(merge(v1, "e", "{'series':{'count':2,'lastObservedTime':'2026-01-01T00:01:00.000000Z'}}"));
    EXPECT_EQ(text(now(core, "e"), {"series", "count"}), "2");
    EXPECT_EQ(merge(v1, "e", "{'note':'other'}").error().code, 422);
    auto poor = body;
    poor.as_object().erase("reportingInstance");
    poor.at("metadata").as_object()["name"] = "f";
    EXPECT_THAT(create(v1, poor).error().message, HasSubstr("reportingInstance: Required value"));
}

}  // namespace
}  // namespace ocim::registry
