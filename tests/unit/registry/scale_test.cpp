#include "registry/scale.hpp"
#include "fixture.hpp"

namespace ocim::registry {
namespace {

constexpr const char* fleet_crd = R"({
  "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
  "metadata": {"name": "fleets.lab.example.com"},
  "spec": {"group": "lab.example.com", "scope": "Namespaced", "names": {"kind": "Fleet", "plural": "fleets"},
    "versions": [{"name": "v1", "served": true, "storage": true,
      "subresources": {"status": {}, "scale": {"specReplicasPath": ".spec.size.wanted",
        "statusReplicasPath": ".status.size", "labelSelectorPath": ".status.selector"}},
      "schema": {"openAPIV3Schema": {"type": "object", "properties": {
        "spec": {"type": "object", "properties": {"size": {"type": "object", "properties": {
          "wanted": {"type": "integer", "maximum": 9}}}}},
        "status": {"type": "object", "properties": {"size": {"type": "integer"}, "selector": {"type": "string"}}}}}}}]}})";

class ScaleTest : public RegistryTest {
protected:
    ScaleTest() { install(fleet_crd); }
    const Resource& fleets() { return resource("fleets"); }
    void make(const std::string& spec) {
        auto fleet =
            json_of("{'apiVersion':'lab.example.com/v1','kind':'Fleet','metadata':{'name':'f'},'spec':" + spec + "}");
        ASSERT_TRUE(create(fleets(), std::move(fleet)));
    }
    std::string scale() {
        const auto scale = scale_of(fleets(), now(fleets(), "f"));
        if (!scale) return scale.error().message;
        return text(*scale, {"kind"}) + " " + text(*scale, {"spec", "replicas"}) + " " +
               text(*scale, {"status", "replicas"}) + " " + text(*scale, {"status", "selector"});
    }
    Outcome<Written> put(const std::string& body, WriteOptions o = options("test", "scale")) {
        return world.loop.run(world.registry().update(fleets(), "default", "f", parsed(json_of(body)), std::move(o)));
    }
};

TEST_F(ScaleTest, ShowsTheNumbersOfTheObject) {
    make("{'size':{'wanted':2}}");
    EXPECT_EQ(scale(), "Scale 2 0 (absent)");
    ASSERT_TRUE(merge(fleets(), "f", "{'status':{'size':1,'selector':'a=b'}}", options("test", "status")));
    EXPECT_EQ(scale(), "Scale 2 1 a=b");
    ASSERT_TRUE(merge(fleets(), "f", "{'spec':{'size':null}}"));
    EXPECT_EQ(scale(), "Internal error occurred: the spec replicas field \".spec.size.wanted\" does not exist");
}

TEST_F(ScaleTest, ChangesTheNumberAndNothingElse) {
    make("{'size':{'wanted':2}}");
    const auto before = now(fleets(), "f");
    ASSERT_TRUE(put("{'kind':'Scale','metadata':{'name':'f','labels':{'a':'b'}},'spec':{'replicas':3}}"));
    ASSERT_TRUE(merge(fleets(), "f", "{'spec':{'replicas':4},'status':{'replicas':7}}", options("test", "scale")));
    const auto after = now(fleets(), "f");
    EXPECT_EQ(text(after, {"spec"}), R"({"size":{"wanted":4}})");
    EXPECT_EQ(text(after, {"status"}), "(absent)");
    EXPECT_EQ(text(after, {"metadata", "labels"}), "(absent)");
    EXPECT_EQ(text(after, {"metadata", "generation"}), "3");
    EXPECT_EQ(text(after.at("metadata").at("managedFields").at(1), {"subresource"}), "scale");
    auto dry = options("test", "scale");
    dry.dry_run = true;
    ASSERT_TRUE(put("{'spec':{'replicas':5}}", dry));
    EXPECT_EQ(scale(), "Scale 4 0 (absent)");
}

TEST_F(ScaleTest, IsAppliedByOneManagerAtATime) {
    make("{'size':{'wanted':2}}");
    const auto apply_scale = [&](const std::string& fields, const std::string& manager, bool force = false) {
        auto body = json_of("{'apiVersion':'autoscaling/v1','kind':'Scale'" + fields + "}");
        const auto done = world.loop.run(world.registry().apply(fleets(), "default", "f", parsed(std::move(body)),
                                                                force, options(manager, "scale")));
        return done ? "applied" : std::to_string(done.error().code) + " " + done.error().message;
    };
    EXPECT_EQ(apply_scale(",'spec':{'replicas':2}", "first"), "applied") << "what it is already is shared";
    EXPECT_EQ(apply_scale(",'spec':{'replicas':3}", "first", true), "applied");
    const auto owner = now(fleets(), "f").at("metadata").at("managedFields").at(0);
    EXPECT_EQ(api::to_text(owner.at("fieldsV1")), R"({"f:spec":{"f:size":{"f:wanted":{}}}})");
    EXPECT_EQ(text(owner, {"manager"}) + text(owner, {"operation"}) + text(owner, {"subresource"}), "firstApplyscale");
    EXPECT_EQ(apply_scale(",'spec':{'replicas':4}", "second"),
              "409 Apply failed with 1 conflict: conflict with \"first\" with subresource \"scale\": "
              ".spec.size.wanted");
    EXPECT_EQ(scale(), "Scale 3 0 (absent)");
    EXPECT_EQ(apply_scale(",'spec':{'replicas':4}", "second", true), "applied");
    EXPECT_EQ(scale(), "Scale 4 0 (absent)");
    const struct {
        const char *reason, *fields, *expected;
    } refused[] = {
        {"no number", "", "422 Scale.autoscaling \"f\" is invalid: spec.replicas: Required value"},
        {"fewer than none", ",'spec':{'replicas':-1}",
         "422 Scale.autoscaling \"f\" is invalid: spec.replicas: Invalid value: -1: must be greater than or equal to "
         "0"},
        {"another state", ",'metadata':{'resourceVersion':'1'},'spec':{'replicas':3}",
         "409 Operation cannot be fulfilled on fleets.lab.example.com \"f\": the object has been modified; please "
         "apply "
         "your changes to the latest version and try again"},
        {"another object", ",'metadata':{'name':'g'},'spec':{'replicas':3}",
         "400 the name of the object (g) does not match the name on the URL (f)"},
        {"fields that are managed", ",'metadata':{'managedFields':[{}]},'spec':{'replicas':3}",
         "400 metadata.managedFields must be nil"},
    };
    for (const auto& c : refused) EXPECT_EQ(apply_scale(c.fields, "first"), c.expected) << c.reason;
    EXPECT_EQ(scale(), "Scale 4 0 (absent)");
}

TEST_F(ScaleTest, RefusesInKubernetesWords) {
    make("{'size':{'wanted':2}}");
    const struct {
        const char *reason, *body, *expected;
    } cases[] = {
        {"fewer than none", "{'spec':{'replicas':-1}}",
         "422 Scale.autoscaling \"f\" is invalid: spec.replicas: Invalid value: -1: must be greater than or equal to "
         "0"},
        {"a text", "{'spec':{'replicas':'3'}}",
         "400 Scale in version \"v1\" cannot be handled as a Scale: spec.replicas is no 32-bit number"},
        {"beyond 32 bits", "{'spec':{'replicas':3000000000}}",
         "400 Scale in version \"v1\" cannot be handled as a Scale: spec.replicas is no 32-bit number"},
        {"what the schema refuses", "{'spec':{'replicas':10}}",
         "422 Fleet.lab.example.com \"f\" is invalid: spec.size.wanted: Invalid value: 10: spec.size.wanted in body "
         "should be less than or equal to 9"},
        {"an older state", "{'metadata':{'resourceVersion':'1'},'spec':{'replicas':3}}",
         "409 Operation cannot be fulfilled on fleets.lab.example.com \"f\": the object has been modified; please "
         "apply "
         "your changes to the latest version and try again"},
        {"another object", "{'metadata':{'name':'g'},'spec':{'replicas':3}}",
         "400 the name of the object (g) does not match the name on the URL (f)"},
        {"another kind", "{'kind':'Fleet','spec':{'replicas':3}}",
         "400 the body of a scale must be of kind Scale, not Fleet"},
    };
    for (const auto& c : cases) {
        const auto refused = put(c.body);
        ASSERT_FALSE(refused) << c.reason;
        EXPECT_EQ(std::to_string(refused.error().code) + " " + refused.error().message, c.expected) << c.reason;
    }
    EXPECT_EQ(scale(), "Scale 2 0 (absent)");
    const auto none = merge(widgets(), "f", "{'spec':{'replicas':3}}", options("test", "scale"));
    ASSERT_FALSE(none);
    EXPECT_EQ(none.error().code, 404) << "a kind without the sub-resource";
}

TEST(ScalePaths, AreBelowSpecAndStatus) {
    const struct {
        const char *reason, *scale, *expected;
    } cases[] = {
        {"as it should be", "{'specReplicasPath':'.spec.a','statusReplicasPath':'.status.b'}", ""},
        {"wrong side", "{'specReplicasPath':'.status.a','statusReplicasPath':'.status.b'}",
         "specReplicasPath: Invalid value: \".status.a\": should be a json path under .spec"},
        {"missing", "{'specReplicasPath':'.spec.a'}", "statusReplicasPath: Required value"},
        {"the whole status", "{'specReplicasPath':'.spec.a','statusReplicasPath':'.status'}",
         "statusReplicasPath: Invalid value: \".status\": should be a json path under .status"},
        {"an array", "{'specReplicasPath':'.spec.a[0]','statusReplicasPath':'.status.b'}",
         "specReplicasPath: Invalid value: \".spec.a[0]\": is not a simple path of field names, such as "
         ".spec.replicas"},
        {"a selector elsewhere",
         "{'specReplicasPath':'.spec.a','statusReplicasPath':'.status.b','labelSelectorPath':'.metadata.c'}",
         "labelSelectorPath: Invalid value: \".metadata.c\": should be a json path under either .status or .spec"},
    };
    for (const auto& c : cases) {
        std::string said;
        for (const auto& cause : validate_scale_paths(json_of(c.scale), "scale"))
            said += cause.field.substr(6) + ": " + cause.message;
        EXPECT_EQ(said, c.expected) << c.reason;
    }
}

TEST_F(RegistryTest, WatchesOneNameWithoutLookingAtAll) {
    ASSERT_TRUE(create(widgets(), widget("a")));
    ASSERT_TRUE(create(widgets(), widget("ab")));
    WatchOptions options;
    options.namespace_ = "default";
    options.fields = *api::FieldSelector::parse("metadata.name=a");
    auto watch = world.registry().watch(widgets(), options);
    ASSERT_TRUE(watch);
    const auto events = world.loop.run((*watch)->next(world.loop.clock().now()));
    ASSERT_TRUE(events);
    ASSERT_EQ(events->size(), 1U);
    EXPECT_EQ(events->front().object.name, "a");
}

TEST_F(RegistryTest, WatchesOnlyWhatComesWhenToldSo) {
    ASSERT_TRUE(create(widgets(), widget("a")));
    WatchOptions options;
    options.only_changes = true;
    auto watch = world.registry().watch(widgets(), options);
    ASSERT_TRUE(watch);
    ASSERT_TRUE(create(widgets(), widget("b")));
    const auto events = world.loop.run((*watch)->next(world.loop.clock().now()));
    ASSERT_TRUE(events);
    ASSERT_EQ(events->size(), 1U);
    EXPECT_EQ(events->front().object.name, "b");
}

}  // namespace
}  // namespace ocim::registry
