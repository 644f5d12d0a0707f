#include "fixture.hpp"

namespace ocim::registry {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using namespace std::chrono_literals;

class UpdateTest : public RegistryTest {
protected:
    UpdateTest() {
        auto object = widget("a", "{'color':'red','ports':[{'name':'p','port':1}]}");
        object.at("metadata").as_object()["labels"] = json_of("{'x':'1'}");
        const auto made = create(widgets(), object);
        EXPECT_TRUE(made) << made.error().message;
        world.loop.advance(10s);
    }
    std::string at(std::initializer_list<std::string_view> path) { return text(now(widgets(), "a"), path); }
};

TEST_F(UpdateTest, GenerationCountsChangesOfWhatIsWantedOnly) {
    const struct {
        const char* reason;
        const char* patch;
        const char* subresource;
        const char* generation;
    } steps[] = {
        {"the spec changed", "{'spec':{'color':'blue'}}", "", "2"},
        {"nothing changed", "{'spec':{'color':'blue'}}", "", "2"},
        {"a label only", "{'metadata':{'labels':{'x':'2'}}}", "", "2"},
        {"the status", "{'status':{'phase':'Done'}}", "status", "2"},
        {"the status through the main resource is ignored", "{'status':{'phase':'No'}}", "", "2"},
        {"the spec through the status is ignored", "{'spec':{'color':'green'}}", "status", "2"},
        {"the client's own number is ignored", "{'metadata':{'generation':9},'spec':{'size':3}}", "", "3"},
    };
    for (const auto& step : steps) {
        const auto done = merge(widgets(), "a", step.patch, options("test", step.subresource));
        ASSERT_TRUE(done) << step.reason << ": " << done.error().message;
        EXPECT_EQ(at({"metadata", "generation"}), step.generation) << step.reason;
    }
    EXPECT_EQ(at({"status"}), R"({"phase":"Done"})");
    EXPECT_EQ(at({"spec", "color"}), "blue");
    ASSERT_TRUE(create(resource("gadgets"), json_of("{'apiVersion':'lab.example.com/v1','kind':'Gadget',"
                                                    "'metadata':{'name':'g'},'status':{'x':1}}")));
    ASSERT_TRUE(merge(resource("gadgets"), "g", "{'status':{'x':2}}"));
    EXPECT_EQ(text(now(resource("gadgets"), "g"), {"metadata", "generation"}), "2")
        << "without the sub-resource the status counts";
}

TEST_F(UpdateTest, AWriteThatChangesNothingKeepsTheResourceVersion) {
    const auto before = get(widgets(), "a");
    const auto revision = world.registry().revision();
    ASSERT_TRUE(merge(widgets(), "a", "{'spec':{'color':'red'}}", options("another")));
    ASSERT_TRUE(update(widgets(), now(widgets(), "a"), options("another")));
    EXPECT_EQ(world.registry().revision(), revision);
    EXPECT_EQ(*get(widgets(), "a")->bytes, *before->bytes);
}

TEST_F(UpdateTest, PutReplacesAndKeepsWhatTheServerDecides) {
    const auto old = now(widgets(), "a");
    auto object = widget("a", "{'color':'green'}");
    object.at("metadata").as_object()["resourceVersion"] = text(old, {"metadata", "resourceVersion"});
    const auto done = update(widgets(), object);
    ASSERT_TRUE(done) << done.error().message;
    for (const char* field : {"uid", "creationTimestamp"})
        EXPECT_EQ(at({"metadata", field}), text(old, {"metadata", field})) << field;
    EXPECT_EQ(at({"metadata", "labels"}), "(absent)");
    EXPECT_EQ(at({"spec"}), R"({"color":"green","size":1})");
}

TEST_F(UpdateTest, RefusalTable) {
    const auto revision = at({"metadata", "resourceVersion"});
    const auto uid = at({"metadata", "uid"});
    const auto with = [&](const std::string& name, const std::string& metadata) {
        auto out = widget(name);
        const auto more = json_of(metadata);
        for (const auto& [key, value] : more.as_object()) out.at("metadata").as_object()[key] = value;
        return out;
    };
    const struct {
        const char* reason;
        Json object;
        int code;
        std::string message;
    } cases[] = {
        {"no such object", with("nope", "{'resourceVersion':'1'}"), 404, "widgets.lab.example.com \"nope\" not found"},
        {"no resourceVersion", with("a", "{}"), 422,
         "Widget.lab.example.com \"a\" is invalid: metadata.resourceVersion: Invalid value: 0: must be specified for "
         "an "
         "update"},
        {"a stale resourceVersion", with("a", "{'resourceVersion':'1'}"), 409,
         "Operation cannot be fulfilled on widgets.lab.example.com \"a\": the object has been modified; please apply "
         "your changes to the latest version and try again"},
        {"another uid", with("a", "{'uid':'other','resourceVersion':'" + revision + "'}"), 409,
         "Operation cannot be fulfilled on widgets.lab.example.com \"a\": Precondition failed: UID in precondition: "
         "other, UID in object meta: " +
             uid},
        {"a deletion timestamp",
         with("a", "{'deletionTimestamp':'2026-01-01T00:00:00Z','resourceVersion':'" + revision + "'}"), 422,
         "Widget.lab.example.com \"a\" is invalid: metadata.deletionTimestamp: Invalid value: "
         "\"2026-01-01T00:00:00Z\": field is immutable"},
    };
    for (const auto& c : cases) {
        const auto done = update(widgets(), c.object);
        ASSERT_FALSE(done) << c.reason;
        EXPECT_EQ(done.error().code, c.code) << c.reason;
        EXPECT_EQ(done.error().message, c.message) << c.reason;
    }
    EXPECT_EQ(at({"metadata", "resourceVersion"}), revision) << "nothing was changed";
}

TEST_F(UpdateTest, BuiltInKindsMayBeReplacedBlindly) {
    const auto& maps = resource("configmaps", "");
    ASSERT_TRUE(create(maps, json_of("{'metadata':{'name':'m'},'data':{'a':'1'}}")));
    ASSERT_TRUE(update(maps, json_of("{'metadata':{'name':'m'},'data':{'b':'2'}}")));
    EXPECT_EQ(text(now(maps, "m"), {"data"}), R"({"b":"2"})");
    ASSERT_TRUE(merge(maps, "m", "{'immutable':true}"));
    const auto refused = merge(maps, "m", "{'data':{'b':'3'}}");
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().message,
              "ConfigMap \"m\" is invalid: data: Forbidden: field is immutable when `immutable` is set");
}

TEST_F(UpdateTest, APutMakesWhatIsNotThereForTheKindsThatAllowIt) {
    const struct {
        const char *reason, *group, *plural, *object;
        unsigned code;  ///< 0: made
    } cases[] = {
        {"a lease", "coordination.k8s.io", "leases", "{'metadata':{'name':'a'}}", 0},
        {"whatever version it had", "coordination.k8s.io", "leases", "{'metadata':{'name':'b','resourceVersion':'7'}}",
         0},
        {"not that very one", "coordination.k8s.io", "leases", "{'metadata':{'name':'c','uid':'u'}}", 409},
        {"a role", "rbac.authorization.k8s.io", "roles", "{'metadata':{'name':'a'},'rules':[]}", 0},
        {"an event", "", "events",
         "{'metadata':{'name':'a'},'involvedObject':{'namespace':'default'},'reason':'R','message':'m'}", 0},
        {"a config map", "", "configmaps", "{'metadata':{'name':'a'}}", 404},
        {"a secret", "", "secrets", "{'metadata':{'name':'a'}}", 404},
        {"a kind of a CRD", "lab.example.com", "widgets",
         "{'apiVersion':'lab.example.com/v1','kind':'Widget','metadata':{'name':'none'}}", 404},
    };
    for (const auto& c : cases) {
        const auto put = update(resource(c.plural, c.group), json_of(c.object));
        EXPECT_EQ(put ? 0 : put.error().code, c.code) << c.reason << (put ? "" : ": " + put.error().message);
        if (put) EXPECT_TRUE(put->created) << c.reason;
    }
    // who may create is another question than who may update: the guard is told
    bool told = false;
    world.registry().set_guard([&](const Intent& intent) {
        told = intent.applied && !intent.old;
        return std::nullopt;
    });
    ASSERT_TRUE(update(resource("leases", "coordination.k8s.io"), json_of("{'metadata':{'name':'d'}}")));
    EXPECT_TRUE(told);
}

TEST_F(UpdateTest, AStricterSchemaDoesNotStandInTheWayOfOtherChanges) {
    ASSERT_TRUE(create(widgets(), widget("old", "{'color':'red','note':'long'}")));
    auto crd = json_of(widget_crd);
    auto& schema = crd.at_pointer("/spec/versions/0/schema/openAPIV3Schema").as_object();
    schema.at("properties").at_pointer("/spec/properties/note").as_object()["maxLength"] = 1;
    schema.at("properties").as_object()["more"] = json_of("{'type':'string'}");
    schema["required"] = json_of("['more']");
    ASSERT_TRUE(world.loop.run(world.registry().install(crd)));
    ASSERT_TRUE(merge(widgets(), "old", "{'status':{'phase':'x'}}", options("t", "status")))
        << "who writes a status need not mend the rest";
    EXPECT_FALSE(merge(widgets(), "old", "{'spec':{'color':'blue'}}")) << "what is required now is";
    const auto put = merge(widgets(), "old", "{'spec':{'color':'blue'},'more':'x'}");
    EXPECT_TRUE(put) << put.error().message;
    EXPECT_THAT(merge(widgets(), "old", "{'spec':{'note':'other'}}").error().message, HasSubstr("spec.note: Too long"));
}

TEST_F(UpdateTest, PatchTable) {
    const auto revision = at({"metadata", "resourceVersion"});
    const struct {
        const char* reason;
        PatchType type;
        std::string patch;
        int code;  ///< 200: done
        std::string expected;
    } cases[] = {
        {"merge", PatchType::merge, "{'spec':{'note':'x','color':null}}", 200,
         R"({"size":1,"ports":[{"name":"p","port":1}],"note":"x"})"},
        {"json", PatchType::json, "[{'op':'replace','path':'/spec/note','value':'y'}]", 200,
         R"({"size":1,"ports":[{"name":"p","port":1}],"note":"y"})"},
        {"a json test that fails", PatchType::json, "[{'op':'test','path':'/spec/note','value':'z'}]", 422,
         "the server rejected our request due to an error in our request"},
        {"a stale resourceVersion", PatchType::merge, "{'metadata':{'resourceVersion':'" + revision + "'}}", 409,
         "Operation cannot be fulfilled on widgets.lab.example.com \"a\": the object has been modified; please apply "
         "your changes to the latest version and try again"},
        {"a result that is invalid", PatchType::merge, "{'spec':{'size':-1}}", 422,
         "Widget.lab.example.com \"a\" is invalid: spec.size: Invalid value: -1: spec.size in body should be greater "
         "than or equal to 0"},
        {"not an object", PatchType::merge, "[1]", 400, "a merge patch must be a JSON object"},
        {"another name", PatchType::merge, "{'metadata':{'name':'b'}}", 400,
         "the name of the object (b) does not match the name on the URL (a)"},
    };
    for (const auto& c : cases) {
        const auto done = world.loop.run(
            world.registry().patch(widgets(), "default", "a", c.type, parsed(json_of(c.patch)), options()));
        EXPECT_EQ(done ? 200 : done.error().code, c.code) << c.reason;
        if (done)
            EXPECT_EQ(json_of(text(done->object.parsed(), {"spec"})), json_of(c.expected)) << c.reason;
        else
            EXPECT_EQ(done.error().message, c.expected) << c.reason;
    }
    EXPECT_EQ(merge(widgets(), "nope", "{}").error().message, "widgets.lab.example.com \"nope\" not found");
}

TEST_F(UpdateTest, AStrictPatchNamesTheUnknownField) {
    auto strict = options();
    strict.field_validation = FieldValidation::strict;
    const auto done = merge(widgets(), "a", "{'spec':{'bogus':1}}", strict);
    ASSERT_FALSE(done);
    EXPECT_EQ(done.error().code, 422);
    ASSERT_EQ(done.error().causes.size(), 1u);
    EXPECT_EQ(done.error().causes[0].field, "patch");
    EXPECT_THAT(done.error().causes[0].message, HasSubstr("strict decoding error: unknown field \"spec.bogus\""));
    EXPECT_THAT(merge(widgets(), "a", "{'spec':{'bogus':1}}")->warnings, ElementsAre("unknown field \"spec.bogus\""));
}

TEST_F(UpdateTest, DryRunShowsTheResultAndKeepsTheObject) {
    auto dry = options();
    dry.dry_run = true;
    const auto done = merge(widgets(), "a", "{'spec':{'color':'blue'}}", dry);
    ASSERT_TRUE(done);
    EXPECT_EQ(text(done->object.parsed(), {"spec", "color"}), "blue");
    EXPECT_EQ(at({"spec", "color"}), "red");
}

TEST_F(UpdateTest, WritesAtTheSameTimeLoseNothing) {
    TaskGroup tasks(world.loop.executor());
    int done = 0;
    const auto patch = [&](int number) -> awaitable<void> {
        const auto name = std::to_string(number);
        auto body = parsed(json_of("{'spec':{'tags':{'t" + name + "':'" + name + "'}}}"));
        auto written =
            co_await world.registry().patch(widgets(), "default", "a", PatchType::merge, std::move(body), options());
        done += written ? 1 : 0;
    };
    for (int i = 0; i < 20; ++i) tasks.spawn("patch", patch(i));
    world.loop.run(tasks.join());
    EXPECT_EQ(done, 20);
    EXPECT_EQ(now(widgets(), "a").at("spec").at("tags").as_object().size(), 20u);
}

// --- server-side apply

TEST_F(UpdateTest, ApplyCreatesMergesAndLetsGo) {
    auto applied = widget("b", "{'color':'red','ports':[{'name':'x','port':1}]}");
    const auto made = apply(widgets(), applied, "one");
    ASSERT_TRUE(made) << made.error().message;
    EXPECT_TRUE(made->created);
    const auto first = now(widgets(), "b");
    EXPECT_EQ(text(first, {"spec", "size"}), "1") << "defaults belong to nobody but are there";
    ASSERT_TRUE(apply(widgets(), widget("b", "{'ports':[{'name':'y','port':2}]}"), "two"));
    world.loop.advance(5s);
    const auto revision = world.registry().revision();
    const auto again = apply(widgets(), applied, "one");
    ASSERT_TRUE(again);
    EXPECT_FALSE(again->created);
    EXPECT_EQ(world.registry().revision(), revision) << "the same again changes nothing at all";
    ASSERT_TRUE(apply(widgets(), widget("b", "{'color':'red'}"), "one"));
    EXPECT_EQ(text(now(widgets(), "b"), {"spec", "ports"}), R"([{"name":"y","port":2}])") << "only its own item went";
}

TEST_F(UpdateTest, ApplyConflictsUnlessForced) {
    ASSERT_TRUE(apply(widgets(), widget("b", "{'color':'red'}"), "one"));
    const auto refused = apply(widgets(), widget("b", "{'color':'blue'}"), "two");
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code, 409);
    EXPECT_EQ(refused.error().message, "Apply failed with 1 conflict: conflict with \"one\": .spec.color");
    EXPECT_EQ(text(now(widgets(), "b"), {"spec", "color"}), "red");
    ASSERT_TRUE(apply(widgets(), widget("b", "{'color':'blue'}"), "two", true));
    EXPECT_EQ(text(now(widgets(), "b"), {"spec", "color"}), "blue");
}

TEST_F(UpdateTest, ApplyOfAStatusTouchesTheStatusOnly) {
    auto object = widget("a", "{'color':'blue'}");
    object.as_object()["status"] = json_of("{'phase':'Done'}");
    const auto done = apply(widgets(), object, "controller", true, "status");
    ASSERT_TRUE(done) << done.error().message;
    EXPECT_EQ(at({"status", "phase"}), "Done");
    EXPECT_EQ(at({"spec", "color"}), "red");
    EXPECT_EQ(at({"metadata", "generation"}), "1");
    const auto managed = now(widgets(), "a").at("metadata").at("managedFields").as_array();
    EXPECT_EQ(std::ranges::count_if(managed, [](const Json& m) { return text(m, {"subresource"}) == "status"; }), 1);
    EXPECT_EQ(apply(widgets(), widget("nope"), "controller", true, "status").error().code, 404);
}

TEST_F(UpdateTest, ApplyRefusalTable) {
    const struct {
        const char* reason;
        Json object;
        const char* manager;
        int code;
        const char* message;
    } cases[] = {
        {"no manager", widget("b"), "", 422,
         "PatchOptions.meta.k8s.io \"\" is invalid: fieldManager: Required value: is required for apply patch"},
        {"an undeclared field", widget("b", "{'bogus':1}"), "m", 500,
         "failed to create typed patch object (default/b; lab.example.com/v1, Kind=Widget): .spec.bogus: field not "
         "declared in schema"},
        {"managedFields",
         json_of("{'apiVersion':'lab.example.com/v1','kind':'Widget','metadata':{'name':'b','managedFields':[]}}"), "m",
         400, "metadata.managedFields must be nil"},
        {"not valid", widget("b", "{'color':'pink'}"), "m", 422,
         "Widget.lab.example.com \"b\" is invalid: spec.color: Unsupported value: \"pink\": supported values: \"red\", "
         "\"green\", \"blue\""},
    };
    for (const auto& c : cases) {
        const auto done = apply(widgets(), c.object, c.manager);
        ASSERT_FALSE(done) << c.reason;
        EXPECT_EQ(done.error().code, c.code) << c.reason;
        EXPECT_EQ(done.error().message, c.message) << c.reason;
    }
    auto nameless = widget("b");
    nameless.at("metadata").as_object().erase("name");
    const auto done =
        world.loop.run(world.registry().apply(widgets(), "default", "b", parsed(nameless), false, options("m")));
    ASSERT_FALSE(done);
    EXPECT_EQ(done.error().message, "name must be provided");
}

TEST_F(UpdateTest, AppliedSecretsKeepPlainTextOut) {
    const auto& secrets = resource("secrets", "");
    const auto body = json_of("{'apiVersion':'v1','kind':'Secret','metadata':{'name':'s'},'stringData':{'a':'x'}}");
    ASSERT_TRUE(apply(secrets, body, "m"));
    const auto revision = world.registry().revision();
    ASSERT_TRUE(apply(secrets, body, "m"));
    EXPECT_EQ(world.registry().revision(), revision);
    EXPECT_EQ(text(now(secrets, "s"), {"data"}), R"({"a":"eA=="})");
}

TEST_F(UpdateTest, TakesTimesInAnyZoneAsTheSameTime) {
    ASSERT_TRUE(create(resource("configmaps", ""), json_of("{'metadata':{'name':'c'},'data':{'a':'1'}}")));
    auto object = now(resource("configmaps", ""), "c");
    auto& metadata = object.at("metadata").as_object();
    const std::string created = text(object, {"metadata", "creationTimestamp"});
    // as Python prints it
    const auto shifted = created.substr(0, created.size() - 1) + "+00:00";
    metadata["creationTimestamp"] = shifted;
    metadata["managedFields"].as_array()[0].as_object()["time"] = shifted;
    const auto before = text(object, {"metadata", "resourceVersion"});
    const auto same = update(resource("configmaps", ""), object);
    ASSERT_TRUE(same) << same.error().message;
    EXPECT_EQ(text(same->object.parsed(), {"metadata", "resourceVersion"}), before) << "nothing has changed";
    metadata["creationTimestamp"] = "yesterday";
    const auto refused = update(resource("configmaps", ""), object);
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code, 400);
    EXPECT_THAT(refused.error().message, HasSubstr("parsing time \"yesterday\""));
}

TEST_F(UpdateTest, WritesTimesOfBuiltInKindsInOneForm) {
    const auto& leases = resource("leases", "coordination.k8s.io");
    ASSERT_TRUE(
        create(leases, json_of("{'metadata':{'name':'l'},'spec':{'renewTime':'2026-01-01T03:00:00.5+02:00'}}")));
    EXPECT_EQ(text(now(leases, "l"), {"spec", "renewTime"}), "2026-01-01T01:00:00.500000Z");
    const auto applied = apply(leases,
                               json_of("{'apiVersion':'coordination.k8s.io/v1','kind':'Lease',"
                                       "'metadata':{'name':'l'},'spec':{'acquireTime':'2026-01-01T00:00:00+00:00'}}"),
                               "m");
    ASSERT_TRUE(applied) << applied.error().message;
    EXPECT_EQ(text(now(leases, "l"), {"spec", "acquireTime"}), "2026-01-01T00:00:00.000000Z");
}

}  // namespace
}  // namespace ocim::registry
