#include "fixture.hpp"

namespace ocim::registry {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using namespace std::chrono_literals;

class DefinitionTest : public RegistryTest {
protected:
    const Resource& definitions() { return resource("customresourcedefinitions", "apiextensions.k8s.io"); }
    /// The CRD of Widget with one place changed.
    static Json changed(std::initializer_list<std::string_view> path, std::string_view field, const Json& value) {
        auto out = json_of(widget_crd);
        auto& target = api::make_object(out, path);
        if (value.is_null())
            target.erase(field);
        else
            target[field] = value;
        return out;
    }
};

TEST_F(DefinitionTest, IsServedAtOnceAndSaysSo) {
    const auto stored = now(definitions(), "widgets.lab.example.com");
    EXPECT_EQ(text(stored, {"status", "acceptedNames", "singular"}), "widget");
    EXPECT_EQ(text(stored, {"status", "acceptedNames", "listKind"}), "WidgetList");
    EXPECT_EQ(text(stored, {"status", "storedVersions"}), R"(["v1"])");
    EXPECT_THAT(text(stored, {"status", "conditions"}),
                testing::AllOf(HasSubstr(R"("type":"NamesAccepted")"), HasSubstr(R"("type":"Established")"),
                               HasSubstr("the initial names have been accepted")));
    EXPECT_EQ(widgets().short_names, std::vector<std::string>{"wd"});
    EXPECT_EQ(widgets().list_kind, "WidgetList");
    ASSERT_EQ(widgets().columns.size(), 1u);
    EXPECT_EQ(widgets().columns[0].name, "Age");
    EXPECT_FALSE(resource("gadgets").namespaced);
    EXPECT_EQ(world.registry().resource_of_kind("lab.example.com", "v1", "Widget"), &widgets());
    EXPECT_EQ(world.registry().resource("lab.example.com", "v2", "widgets"), nullptr);
}

TEST_F(DefinitionTest, ARestartServesWhatIsStored) {
    ASSERT_TRUE(create(widgets(), widget("a")));
    world.restart();
    EXPECT_TRUE(exists(widgets(), "a"));
    const auto revision = world.registry().revision();
    install(widget_crd);
    EXPECT_EQ(world.registry().revision(), revision) << "installing the same again writes nothing";
}

TEST_F(DefinitionTest, AChangedSchemaHoldsForOldObjectsToo) {
    ASSERT_TRUE(create(widgets(), widget("a", "{'note':'x'}")));
    const auto before = get(widgets(), "a");
    const auto discovery = world.registry().discovery();
    auto crd = json_of(widget_crd);
    auto& properties = crd.at_pointer("/spec/versions/0/schema/openAPIV3Schema/properties/spec/properties").as_object();
    properties["weight"] = json_of("{'type':'integer','default':7}");
    properties.erase("note");
    const auto installed = world.loop.run(world.registry().install(crd));
    ASSERT_TRUE(installed) << installed.error().message;
    EXPECT_GT(world.registry().discovery(), discovery);
    EXPECT_EQ(json_of(text(now(widgets(), "a"), {"spec"})), json_of("{'size':1,'weight':7}"));
    EXPECT_EQ(get(widgets(), "a")->revision, before->revision) << "reading does not write";
    world.restart();
    EXPECT_EQ(text(now(widgets(), "a"), {"spec", "weight"}), "7");
    ListOptions all;
    EXPECT_EQ(text(world.registry().list(widgets(), all)->items.at(0).parsed(), {"spec", "weight"}), "7");
}

TEST_F(DefinitionTest, RefusalTable) {
    const struct {
        const char* reason;
        Json crd;
        const char* message;
    } cases[] = {
        {"its name", changed({"metadata"}, "name", "x.lab.example.com"),
         "metadata.name: Invalid value: \"x.lab.example.com\": must be spec.names.plural+\".\"+spec.group"},
        {"a group without a dot", changed({"spec"}, "group", "lab"),
         "spec.group: Invalid value: \"lab\": should be a domain with at least one dot"},
        {"a group of Kubernetes", changed({"spec"}, "group", "x.k8s.io"),
         "metadata.annotations[api-approved.kubernetes.io]: Required value: protected groups must have approval "
         "annotation \"api-approved.kubernetes.io\""},
        {"scope", changed({"spec"}, "scope", "Galaxy"),
         "spec.scope: Unsupported value: \"Galaxy\": supported values: \"Cluster\", \"Namespaced\""},
        {"no versions", changed({"spec"}, "versions", json_of("[]")),
         "spec.versions: Required value: must have exactly one version marked as storage version"},
        {"no schema", changed({"spec"}, "versions", json_of("[{'name':'v1','served':true,'storage':true}]")),
         "spec.versions[0].schema.openAPIV3Schema: Required value: schemas are required"},
        {"no storage version",
         changed(
             {"spec"}, "versions",
             json_of("[{'name':'v1','served':true,'storage':false,'schema':{'openAPIV3Schema':{'type':'object'}}}]")),
         "spec.versions: Invalid value: [\"v1\"]: must have exactly one version marked as storage version"},
        {"a webhook", changed({"spec", "conversion"}, "strategy", "Webhook"),
         "spec.conversion.strategy: Unsupported value: \"Webhook\": supported values: \"None\""},
        {"all unknown fields kept", changed({"spec"}, "preserveUnknownFields", true),
         "spec.preserveUnknownFields: Invalid value: true: cannot set to true, set "
         "x-kubernetes-preserve-unknown-fields to true in spec.versions[*].schema instead"},
        {"a webhook for nothing",
         changed({"spec", "conversion"}, "webhook", json_of("{'conversionReviewVersions':['v1']}")),
         "spec.conversion.webhook: Forbidden: should not be set when strategy is not set to Webhook"},
        {"a plural with capitals", changed({"spec", "names"}, "plural", "Widgets"),
         "spec.names.plural: Invalid value: \"Widgets\": a DNS-1035 label must consist of"},
    };
    const auto revision = world.registry().revision();
    for (const auto& c : cases) {
        auto crd = c.crd;
        const auto made = create(definitions(), crd, "");
        ASSERT_FALSE(made) << c.reason;
        EXPECT_THAT(made.error().message, HasSubstr(c.message)) << c.reason;
        EXPECT_EQ(made.error().code, 422) << c.reason;
    }
    EXPECT_EQ(world.registry().revision(), revision);
}

TEST_F(DefinitionTest, RefusalsOfAVersion) {
    const struct {
        const char *reason, *version;  ///< what is put over the version of Widget
        std::vector<std::string> causes;
    } cases[] = {
        {"a warning without deprecation",
         "{'deprecationWarning':'x'}",
         {"deprecationWarning: Invalid value: \"x\": can only be set for deprecated versions"}},
        {"an empty warning",
         "{'deprecated':true,'deprecationWarning':''}",
         {"deprecationWarning: Invalid value: \"\": must not be an empty string"}},
        {"a column's type",
         "{'additionalPrinterColumns':[{'name':'A','type':'text','jsonPath':'.spec.note'}]}",
         {"additionalPrinterColumns[0].type: Invalid value: \"text\": must be one of "
          "boolean,date,integer,number,string"}},
        {"a column's format",
         "{'additionalPrinterColumns':[{'name':'A','type':'string','format':'uri','jsonPath':'.spec.note'}]}",
         {"additionalPrinterColumns[0].format: Invalid value: \"uri\": must be one of "
          "byte,date,date-time,double,float,int32,int64,password"}},
        {"a column's path",
         "{'additionalPrinterColumns':[{'name':'A','type':'string','jsonPath':'spec.note'}]}",
         {"additionalPrinterColumns[0].jsonPath: Invalid value: \"spec.note\": must be a simple json path starting "
          "with ."}},
        {"a field that does not exist",
         "{'selectableFields':[{'jsonPath':'.spec.colour'}]}",
         {"selectableFields[0].jsonPath: Invalid value: \".spec.colour\": is an invalid path: does not refer to a "
          "valid field"}},
        {"a field of a list",
         "{'selectableFields':[{'jsonPath':'.spec.ports'}]}",
         {"selectableFields[0].jsonPath: Invalid value: \".spec.ports\": must point to a field of type string, "
          "boolean or integer. Enum string fields and strings with formats are allowed."}},
        {"the same field twice",
         "{'selectableFields':[{'jsonPath':'.spec.color'},{'jsonPath':'.spec.color'}]}",
         {"selectableFields[1].jsonPath: Duplicate value: \".spec.color\""}},
        {"a root that a status alone would not satisfy",
         "{'schema':{'openAPIV3Schema':{'type':'object','properties':{'spec':{'type':'object'}},"
         "'oneOf':[{'required':['spec']}]}},'selectableFields':null}",
         {"schema.openAPIV3Schema.oneOf: Forbidden: must not be used at the root of the schema if the status "
          "subresource is enabled"}},
        {"a scale beside its place",
         "{'subresources':{'scale':{'specReplicasPath':'.status.n','statusReplicasPath':'.status.n'}}}",
         {"subresources.scale.specReplicasPath: Invalid value: \".status.n\": should be a json path under .spec"}},
    };
    for (const auto& c : cases) {
        auto crd = json_of(widget_crd);
        auto& version = crd.at_pointer("/spec/versions/0").as_object();
        const auto over = json_of(c.version);
        for (const auto& [name, value] : over.as_object()) version[name] = value;
        std::vector<std::string> causes;
        const auto put = world.loop.run(world.registry().install(crd));
        if (!put)
            for (const auto& cause : put.error().causes) causes.push_back(cause.field + ": " + cause.message);
        for (auto& cause : causes) {
            EXPECT_TRUE(cause.starts_with("spec.versions[0].")) << cause;
            cause.erase(0, std::string_view("spec.versions[0].").size());
        }
        EXPECT_EQ(causes, c.causes) << c.reason;
    }
}

TEST_F(DefinitionTest, KeywordsThatNobodyKnowsAreUnknownFields) {
    const auto crd = [](const char* name) {
        auto out = json_of(widget_crd);
        out.at("metadata").as_object()["name"] = std::string(name) + "s.lab.example.com";
        out.at("spec").at("names").as_object() =
            json_of("{'plural':'" + std::string(name) + "s','kind':'" + name + "x'}").as_object();
        auto& color =
            out.at_pointer("/spec/versions/0/schema/openAPIV3Schema/properties/spec/properties/color").as_object();
        color["readOnly"] = true;
        color["default"] = nullptr;
        color["x-kubernetes-validations"] = json_of("[{'rule':'true','severity':'high'}]");
        return out;
    };
    auto strict = options();
    strict.field_validation = FieldValidation::strict;
    EXPECT_THAT(create(definitions(), crd("strict"), "", strict).error().message,
                HasSubstr("unknown field \"spec.versions[0].schema.openAPIV3Schema.properties.spec.properties.color."
                          "readOnly\", unknown field \"spec.versions[0].schema.openAPIV3Schema.properties.spec."
                          "properties.color.x-kubernetes-validations[0].severity\""));
    const auto made = create(definitions(), crd("warned"), "");
    ASSERT_TRUE(made) << made.error().message;
    EXPECT_EQ(made->warnings.size(), 2u);
    EXPECT_EQ(text(made->object.parsed().at_pointer(
                       "/spec/versions/0/schema/openAPIV3Schema/properties/spec/properties/color"),
                   {}),
              R"({"type":"string","enum":["red","green","blue"],"x-kubernetes-validations":[{"rule":"true"}]})");
}

TEST_F(DefinitionTest, AVersionStaysUntilNothingIsStoredInIt) {
    auto crd = json_of(widget_crd);
    auto& versions = crd.at("spec").at("versions").as_array();
    versions.at(0).as_object()["name"] = "v2";
    const auto refused = world.loop.run(world.registry().install(crd));
    ASSERT_FALSE(refused);
    EXPECT_THAT(refused.error().message, HasSubstr("status.storedVersions[0]: Invalid value: \"v1\": missing from "
                                                   "spec.versions; v1 was previously a storage version"));
    versions.push_back(json_of(widget_crd).at_pointer("/spec/versions/0"));
    versions.at(1).as_object()["storage"] = false;
    ASSERT_TRUE(world.loop.run(world.registry().install(crd)));
    // everything was written again by then
    ASSERT_TRUE(merge(definitions(), "widgets.lab.example.com", "{'status':{'storedVersions':['v2']}}",
                      options("migrator", "status")));
    versions.pop_back();
    const auto removed = world.loop.run(world.registry().install(crd));
    EXPECT_TRUE(removed) << removed.error().message;
    EXPECT_EQ(world.registry().resource("lab.example.com", "v1", "widgets"), nullptr);
}

TEST_F(DefinitionTest, AShortNameThatAnotherHoldsIsNotGiven) {
    auto crd = json_of(gadget_crd);
    crd.at("spec").at("names").as_object()["shortNames"] = json_of("['gd','wd']");
    crd.at("spec").at("names").as_object()["categories"] = json_of("['tools']");
    ASSERT_TRUE(world.loop.run(world.registry().install(crd)));
    const auto stored = now(definitions(), "gadgets.lab.example.com");
    EXPECT_THAT(text(stored, {"status", "conditions"}),
                testing::AllOf(HasSubstr("ShortNamesConflict"), HasSubstr("\\\"wd\\\" is already in use")));
    EXPECT_EQ(text(stored, {"status", "acceptedNames", "shortNames"}), "(absent)");
    EXPECT_EQ(text(stored, {"status", "acceptedNames", "categories"}), "[\"tools\"]");
    const auto* gadgets = world.registry().resource("lab.example.com", "v1", "gadgets");
    ASSERT_NE(gadgets, nullptr) << "it stays Established";
    EXPECT_TRUE(gadgets->short_names.empty());
    EXPECT_EQ(gadgets->categories, std::vector<std::string>{"tools"});
}

TEST_F(DefinitionTest, ASchemaThatIsNotStructuralIsRefusedWithItsPlace) {
    auto crd = json_of(widget_crd);
    crd.at_pointer("/spec/versions/0/schema/openAPIV3Schema/properties/spec").as_object().erase("type");
    crd.at("metadata").as_object()["name"] = "others.lab.example.com";
    crd.at("spec").at("names").as_object() = json_of("{'plural':'others','kind':'Other'}").as_object();
    const auto made = create(definitions(), crd, "");
    ASSERT_FALSE(made);
    ASSERT_EQ(made.error().causes.size(), 1u);
    EXPECT_THAT(made.error().causes[0].field,
                HasSubstr("spec.versions[0].schema.openAPIV3Schema.properties[spec].type"));
}

TEST_F(DefinitionTest, ImmutableOnceEstablished) {
    const auto with = [&](std::initializer_list<std::string_view> path, std::string_view field, const Json& value) {
        auto crd = now(definitions(), "widgets.lab.example.com");
        api::make_object(crd, path)[field] = value;
        return update(definitions(), crd);
    };
    EXPECT_THAT(with({"spec"}, "scope", "Cluster").error().message,
                HasSubstr("spec.scope: Invalid value: \"Cluster\": field is immutable"));
    EXPECT_THAT(with({"spec", "names"}, "kind", "Other").error().message,
                HasSubstr("spec.names.kind: Invalid value: \"Other\": field is immutable"));
}

TEST_F(DefinitionTest, NamesAreGivenOutOnceAndFreedByDeletion) {
    world.collect();
    auto rival = json_of(widget_crd);
    rival.at("metadata").as_object()["name"] = "rivals.lab.example.com";
    rival.at("spec").at("names").as_object() = json_of("{'plural':'rivals','kind':'Widget'}").as_object();
    ASSERT_TRUE(create(definitions(), rival, ""));
    EXPECT_EQ(world.registry().resource("lab.example.com", "v1", "rivals"), nullptr);
    const auto waiting = now(definitions(), "rivals.lab.example.com");
    EXPECT_THAT(text(waiting, {"status", "conditions"}),
                testing::AllOf(HasSubstr("ListKindConflict"), HasSubstr("\\\"WidgetList\\\" is already in use")));
    ASSERT_TRUE(remove(definitions(), "widgets.lab.example.com"));
    settle();
    EXPECT_NE(world.registry().resource("lab.example.com", "v1", "rivals"), nullptr);
}

TEST_F(DefinitionTest, DeletionRemovesItsObjectsFirst) {
    world.collect();
    auto held = widget("held");
    held.at("metadata").as_object()["finalizers"] = json_of("['x.example.com/f']");
    ASSERT_TRUE(create(widgets(), held));
    ASSERT_TRUE(create(widgets(), widget("free")));
    auto watch = *world.registry().watch(widgets(), {});
    const auto asked = remove(definitions(), "widgets.lab.example.com");
    ASSERT_TRUE(asked) << asked.error().message;
    EXPECT_FALSE(asked->deleted);
    EXPECT_EQ(create(widgets(), widget("late")).error().code, 405);
    settle();
    EXPECT_FALSE(exists(widgets(), "free"));
    ASSERT_TRUE(exists(widgets(), "held"));
    ASSERT_TRUE(merge(widgets(), "held", "{'metadata':{'finalizers':null}}"));
    settle();
    EXPECT_EQ(world.registry().resource("lab.example.com", "v1", "widgets"), nullptr);
    EXPECT_FALSE(exists(definitions(), "widgets.lab.example.com"));
    std::size_t told = 0;
    for (;;) {
        const auto next = world.loop.run(watch->next(world.loop.clock().now() + 1s));
        if (!next) break;
        ASSERT_FALSE(next->empty()) << "a watch of what is no longer served ends";
        told += next->size();
    }
    EXPECT_EQ(told, 5u) << "two added, one modified, two deleted";
    install(widget_crd);
    EXPECT_FALSE(exists(widgets(), "free")) << "it starts empty again";
}

TEST_F(DefinitionTest, AnotherStorageVersionShowsOldObjectsInItsOwn) {
    ASSERT_TRUE(create(widgets(), widget("a")));
    auto crd = json_of(widget_crd);
    auto& versions = crd.at("spec").at("versions").as_array();
    auto second = versions.at(0);
    second.as_object()["name"] = "v2";
    second.as_object()["deprecated"] = true;
    versions.at(0).as_object()["storage"] = false;
    versions.push_back(second);
    ASSERT_TRUE(world.loop.run(world.registry().install(crd)));
    const auto* v2 = world.registry().resource("lab.example.com", "v2", "widgets");
    ASSERT_NE(v2, nullptr);
    EXPECT_EQ(v2->deprecation, "lab.example.com/v2 Widget is deprecated");
    EXPECT_EQ(text(now(*v2, "a"), {"apiVersion"}), "lab.example.com/v2");
    EXPECT_EQ(text(now(widgets(), "a"), {"apiVersion"}), "lab.example.com/v1");
    EXPECT_EQ(text(now(definitions(), "widgets.lab.example.com"), {"status", "storedVersions"}), R"(["v1","v2"])");
}

TEST_F(DefinitionTest, OldObjectsAreWarmedUpInSlices) {
    for (int i = 0; i < 120; ++i) ASSERT_TRUE(create(widgets(), widget("w" + std::to_string(i))));
    auto crd = json_of(widget_crd);
    crd.at_pointer("/spec/versions/0/schema/openAPIV3Schema/properties/spec/properties").as_object()["weight"] =
        json_of("{'type':'integer','default':7}");
    ASSERT_TRUE(world.loop.run(world.registry().install(crd)));
    world.collect();
    settle();
    const auto page = world.registry().list(widgets(), {});
    ASSERT_TRUE(page);
    for (const auto& item : page->items) EXPECT_EQ(text(item.parsed(), {"spec", "weight"}), "7");
}

TEST_F(DefinitionTest, ASecondVersionShowsTheSameObjects) {
    auto crd = json_of(widget_crd);
    auto second = crd.at("spec").at("versions").at(0);
    second.as_object()["name"] = "v1beta1";
    second.as_object()["storage"] = false;
    crd.at("spec").at("versions").as_array().push_back(second);
    ASSERT_TRUE(world.loop.run(world.registry().install(crd)));
    ASSERT_TRUE(create(widgets(), widget("a")));
    const auto* old = world.registry().resource("lab.example.com", "v1beta1", "widgets");
    ASSERT_NE(old, nullptr);
    const auto seen = now(*old, "a");
    EXPECT_EQ(text(seen, {"apiVersion"}), "lab.example.com/v1beta1");
    auto body = seen;
    body.at("spec").as_object()["note"] = "written in the other version";
    ASSERT_TRUE(update(*old, body));
    EXPECT_EQ(text(now(widgets(), "a"), {"apiVersion"}), "lab.example.com/v1");
    EXPECT_EQ(text(now(widgets(), "a"), {"spec", "note"}), "written in the other version");
}

}  // namespace
}  // namespace ocim::registry
