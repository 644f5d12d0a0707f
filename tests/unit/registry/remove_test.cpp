#include "fixture.hpp"

namespace ocim::registry {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using namespace std::chrono_literals;

class RemoveTest : public RegistryTest {
protected:
    Json make(const std::string& name, const std::string& metadata = "{}") {
        auto object = widget(name);
        const auto more = json_of(metadata);
        for (const auto& [key, value] : more.as_object()) object.at("metadata").as_object()[key] = value;
        const auto made = create(widgets(), object);
        EXPECT_TRUE(made) << made.error().message;
        return made ? made->object.parsed() : Json();
    }
    static std::string owned_by(const Json& owner, bool blocks = false) {
        return "{'ownerReferences':[{'apiVersion':'" + text(owner, {"apiVersion"}) + "','kind':'" +
               text(owner, {"kind"}) + "','name':'" + text(owner, {"metadata", "name"}) + "','uid':'" +
               text(owner, {"metadata", "uid"}) + "','blockOwnerDeletion':" + (blocks ? "true" : "false") + "}]}";
    }
    DeleteOptions how(Propagation propagation) {
        DeleteOptions out;
        out.propagation = propagation;
        return out;
    }
};

TEST_F(RemoveTest, AnObjectWithoutFinalizersIsGoneAtOnce) {
    make("a");
    const auto gone = remove(widgets(), "a");
    ASSERT_TRUE(gone) << gone.error().message;
    EXPECT_TRUE(gone->deleted);
    EXPECT_EQ(gone->object.revision, world.registry().revision());
    EXPECT_EQ(text(gone->object.parsed(), {"metadata", "resourceVersion"}), std::to_string(gone->object.revision));
    EXPECT_FALSE(exists(widgets(), "a"));
    EXPECT_EQ(remove(widgets(), "a").error().message, "widgets.lab.example.com \"a\" not found");
}

TEST_F(RemoveTest, FinalizersHoldAnObjectUntilTheLastIsTakenAway) {
    make("a", "{'finalizers':['x.example.com/one','x.example.com/two']}");
    const auto asked = remove(widgets(), "a");
    ASSERT_TRUE(asked);
    EXPECT_FALSE(asked->deleted);
    const auto object = asked->object.parsed();
    EXPECT_EQ(text(object, {"metadata", "deletionTimestamp"}), rfc3339(world.loop.clock().wall()));
    EXPECT_EQ(text(object, {"metadata", "deletionGracePeriodSeconds"}), "0");
    EXPECT_EQ(text(object, {"metadata", "generation"}), "2") << "the deletion counts as a change";
    world.loop.advance(9s);
    const auto revision = world.registry().revision();
    ASSERT_TRUE(remove(widgets(), "a")) << "asking twice is asking once";
    EXPECT_EQ(world.registry().revision(), revision);

    const auto added = merge(widgets(), "a", "{'metadata':{'finalizers':['x.example.com/one','y.example.com/new']}}");
    ASSERT_FALSE(added);
    EXPECT_THAT(added.error().message,
                HasSubstr("metadata.finalizers: Forbidden: no new finalizers can be added if the object is being "
                          "deleted, found new finalizers []string{\"y.example.com/new\"}"));
    ASSERT_TRUE(merge(widgets(), "a", "{'metadata':{'finalizers':['x.example.com/one']}}"));
    EXPECT_TRUE(exists(widgets(), "a"));
    const auto last = merge(widgets(), "a", "{'metadata':{'finalizers':null}}");
    ASSERT_TRUE(last);
    EXPECT_TRUE(last->deleted);
    EXPECT_FALSE(exists(widgets(), "a"));
}

TEST_F(RemoveTest, PreconditionsMustHold) {
    const auto object = make("a");
    DeleteOptions uid;
    uid.uid = "other";
    EXPECT_EQ(
        remove(widgets(), "a", uid).error().message,
        "Operation cannot be fulfilled on widgets.lab.example.com \"a\": the UID in the precondition (other) does "
        "not match the UID in record (" +
            text(object, {"metadata", "uid"}) + "). The object might have been deleted and then recreated");
    DeleteOptions revision;
    revision.resource_version = "1";
    EXPECT_EQ(remove(widgets(), "a", revision).error().code, 409);
    uid.uid = text(object, {"metadata", "uid"});
    uid.resource_version = text(object, {"metadata", "resourceVersion"});
    EXPECT_TRUE(remove(widgets(), "a", uid));
}

TEST_F(RemoveTest, DryRunKeepsTheObject) {
    make("a");
    DeleteOptions dry;
    dry.write.dry_run = true;
    EXPECT_TRUE(remove(widgets(), "a", dry));
    EXPECT_TRUE(exists(widgets(), "a"));
}

TEST_F(RemoveTest, ACollectionGoesByItsSelector) {
    make("a", "{'labels':{'x':'1'}}");
    make("b", "{'labels':{'x':'2'}}");
    make("c", "{'labels':{'x':'1'},'finalizers':['x.example.com/f']}");
    ListOptions which;
    which.namespace_ = "default";
    which.labels = *api::LabelSelector::parse("x=1");
    const auto removed = world.loop.run(world.registry().remove_collection(widgets(), which, {}));
    ASSERT_TRUE(removed);
    std::vector<std::string> names;
    for (const auto& one : *removed) names.push_back(one.name);
    EXPECT_THAT(names, ElementsAre("a", "c"));
    EXPECT_FALSE(exists(widgets(), "a"));
    EXPECT_TRUE(exists(widgets(), "b"));
    EXPECT_TRUE(exists(widgets(), "c")) << "its finalizer holds it";
}

// --- what nobody owns any more

TEST_F(RemoveTest, DependentsGoWithTheirLastOwner) {
    world.collect();
    const auto owner = make("owner"), second = make("second");
    make("child", owned_by(owner));
    auto shared = json_of(owned_by(owner));
    shared.at("ownerReferences").as_array().push_back(json_of(owned_by(second)).at("ownerReferences").at(0));
    make("shared", api::to_text(shared));
    make("grandchild", owned_by(now(widgets(), "child")));
    make("stranger");
    settle();
    EXPECT_TRUE(exists(widgets(), "child"));
    ASSERT_TRUE(remove(widgets(), "owner", how(Propagation::background)));
    settle();
    EXPECT_FALSE(exists(widgets(), "child"));
    EXPECT_FALSE(exists(widgets(), "grandchild"));
    EXPECT_TRUE(exists(widgets(), "stranger"));
    ASSERT_TRUE(exists(widgets(), "shared")) << "it has another owner";
    EXPECT_EQ(now(widgets(), "shared").at("metadata").at("ownerReferences").as_array().size(), 1u)
        << "the reference to what is gone was dropped";
}

TEST_F(RemoveTest, AnOwnerOfAnotherUidOrOfAKindThatIsNotServedIsJudgedWithCare) {
    world.collect();
    auto owner = make("owner");
    owner.at("metadata").as_object()["uid"] = "another";
    make("orphan", owned_by(owner));
    owner.as_object()["kind"] = "Unheard";
    make("unknown", owned_by(owner));
    settle();
    EXPECT_FALSE(exists(widgets(), "orphan")) << "an owner of that name and another uid is absent";
    EXPECT_TRUE(exists(widgets(), "unknown")) << "unknown is not absent";
}

TEST_F(RemoveTest, ForegroundKeepsTheOwnerUntilItsDependentsAreGone) {
    world.collect();
    const auto owner = make("owner");
    auto held = json_of(owned_by(owner, true));
    held.as_object()["finalizers"] = json_of("['x.example.com/f']");
    make("held", api::to_text(held));
    make("free", owned_by(owner, false));
    ASSERT_TRUE(remove(widgets(), "owner", how(Propagation::foreground)));
    settle();
    EXPECT_TRUE(exists(widgets(), "owner")) << "it waits for the one that blocks";
    EXPECT_FALSE(exists(widgets(), "free"));
    EXPECT_TRUE(exists(widgets(), "held"));
    ASSERT_TRUE(merge(widgets(), "held", "{'metadata':{'finalizers':null}}"));
    settle();
    EXPECT_FALSE(exists(widgets(), "held"));
    EXPECT_FALSE(exists(widgets(), "owner"));
}

TEST_F(RemoveTest, OrphaningLeavesTheDependentsWithoutTheReference) {
    world.collect();
    const auto owner = make("owner");
    make("child", owned_by(owner));
    ASSERT_TRUE(remove(widgets(), "owner", how(Propagation::orphan)));
    settle();
    EXPECT_FALSE(exists(widgets(), "owner"));
    ASSERT_TRUE(exists(widgets(), "child"));
    EXPECT_EQ(text(now(widgets(), "child"), {"metadata", "ownerReferences"}), "(absent)");
}

TEST_F(RemoveTest, TheCollectorGoesOnWhereItWasAfterARestart) {
    const auto owner = make("owner");
    make("child", owned_by(owner));
    ASSERT_TRUE(remove(widgets(), "owner"));
    settle();
    EXPECT_TRUE(exists(widgets(), "child")) << "nobody collects yet";
    world.restart();
    world.collect();
    settle();
    EXPECT_FALSE(exists(widgets(), "child"));
}

// --- namespaces

TEST_F(RemoveTest, ANamespaceIsEmptiedAndThenGoes) {
    world.collect();
    ASSERT_TRUE(create(resource("namespaces", ""), json_of("{'metadata':{'name':'n'}}"), ""));
    ASSERT_TRUE(create(widgets(), widget("a"), "n"));
    auto held = widget("b");
    held.at("metadata").as_object()["finalizers"] = json_of("['x.example.com/f']");
    ASSERT_TRUE(create(widgets(), held, "n"));
    ASSERT_TRUE(create(resource("secrets", ""), json_of("{'metadata':{'name':'s'}}"), "n"));
    ASSERT_TRUE(create(widgets(), widget("elsewhere")));
    const auto asked = remove(resource("namespaces", ""), "n");
    ASSERT_TRUE(asked);
    EXPECT_FALSE(asked->deleted);
    EXPECT_EQ(text(asked->object.parsed(), {"status", "phase"}), "Terminating");
    const auto late = create(widgets(), widget("late"), "n");
    ASSERT_FALSE(late);
    EXPECT_EQ(late.error().message,
              "widgets.lab.example.com \"late\" is forbidden: unable to create new content in namespace n because it "
              "is being terminated");
    EXPECT_EQ(late.error().causes.at(0).reason, "NamespaceTerminating");
    settle();
    EXPECT_FALSE(exists(widgets(), "a", "n"));
    EXPECT_FALSE(exists(resource("secrets", ""), "s", "n"));
    const auto waiting = now(resource("namespaces", ""), "n");
    EXPECT_THAT(text(waiting, {"status", "conditions"}),
                HasSubstr("Some content in the namespace has finalizers remaining: x.example.com/f in 1 resource "
                          "instances"));
    std::vector<std::string> types;
    for (const auto& condition : waiting.at_pointer("/status/conditions").as_array())
        types.push_back(text(condition, {"type"}) + "=" + text(condition, {"status"}));
    EXPECT_THAT(types, testing::UnorderedElementsAre(
                           "NamespaceDeletionDiscoveryFailure=False", "NamespaceDeletionContentFailure=False",
                           "NamespaceDeletionGroupVersionParsingFailure=False", "NamespaceContentRemaining=True",
                           "NamespaceFinalizersRemaining=True"));
    ASSERT_TRUE(world.loop.run(world.registry().patch(widgets(), "n", "b", PatchType::merge,
                                                      parsed(json_of("{'metadata':{'finalizers':null}}")), options())));
    settle();
    EXPECT_FALSE(exists(resource("namespaces", ""), "n"));
    EXPECT_TRUE(exists(widgets(), "elsewhere"));
    EXPECT_EQ(remove(resource("namespaces", ""), "default").error().message,
              "namespaces \"default\" is forbidden: this namespace may not be deleted");
}

// --- events

TEST_F(RemoveTest, NamespacesAndDefinitionsGoWhateverBecomesOfWhatTheyOwn) {
    world.collect();
    const auto& namespaces = resource("namespaces", "");
    for (const auto how_to : {Propagation::background, Propagation::foreground, Propagation::orphan}) {
        const auto name = "n" + std::to_string(static_cast<int>(how_to));
        ASSERT_TRUE(create(namespaces, json_of("{'metadata':{'name':'" + name + "'}}"), ""));
        ASSERT_TRUE(create(widgets(), widget("a"), name));
        ASSERT_TRUE(remove(namespaces, name, how(how_to)));
        settle();
        EXPECT_FALSE(exists(namespaces, name)) << name;
        EXPECT_FALSE(exists(widgets(), "a", name)) << name;
    }
    const auto& definitions = resource("customresourcedefinitions", "apiextensions.k8s.io");
    ASSERT_TRUE(remove(definitions, "gadgets.lab.example.com", how(Propagation::foreground)));
    settle();
    EXPECT_FALSE(exists(definitions, "gadgets.lab.example.com"));
}

TEST_F(RemoveTest, EventsExpireAnHourAfterTheirLastWrite) {
    world.collect();
    const auto& events = resource("events", "");
    const auto event = [](const char* name) {
        return json_of("{'metadata':{'name':'" + std::string(name) + "'},'involvedObject':{'namespace':'default'}}");
    };
    ASSERT_TRUE(create(events, event("old")));
    ASSERT_TRUE(create(events, event("renewed")));
    settle(40min);
    ASSERT_TRUE(merge(events, "renewed", "{'count':2}"));
    settle(30min);
    EXPECT_FALSE(exists(events, "old"));
    EXPECT_TRUE(exists(events, "renewed"));
    world.restart();
    world.collect();
    settle(10min);
    EXPECT_TRUE(exists(resource("events", ""), "renewed"));
    settle(60min);
    EXPECT_FALSE(exists(resource("events", ""), "renewed"));
}

}  // namespace
}  // namespace ocim::registry
