#include "fixture.hpp"

namespace ocim::registry {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::MatchesRegex;

using CreateTest = RegistryTest;

TEST_F(CreateTest, FillsInWhatTheServerDecides) {
    const auto made = create(widgets(), widget("a", "{'color':'red','bogus':1}"));
    ASSERT_TRUE(made) << made.error().message;
    EXPECT_TRUE(made->created);
    EXPECT_THAT(made->warnings, ElementsAre("unknown field \"spec.bogus\""));
    const auto object = made->object.parsed();
    EXPECT_EQ(text(object, {"metadata", "namespace"}), "default");
    EXPECT_THAT(text(object, {"metadata", "uid"}), MatchesRegex("[0-9a-f-]{36}"));
    EXPECT_EQ(text(object, {"metadata", "generation"}), "1");
    EXPECT_EQ(text(object, {"metadata", "creationTimestamp"}), rfc3339(world.loop.clock().wall()));
    EXPECT_EQ(text(object, {"metadata", "resourceVersion"}), std::to_string(world.registry().revision()));
    EXPECT_EQ(text(object, {"spec"}), R"({"color":"red","size":1})");
    EXPECT_EQ(text(*api::find(object, {"metadata", "managedFields"}), {}),
              R"([{"manager":"test","operation":"Update","apiVersion":"lab.example.com/v1","time":")" +
                  rfc3339(world.loop.clock().wall()) +
                  R"(","fieldsType":"FieldsV1","fieldsV1":{"f:spec":{".":{},"f:color":{},"f:size":{}}}}])");
    EXPECT_EQ(now(widgets(), "a"), object) << "what is returned is what is stored";
}

TEST_F(CreateTest, IgnoresWhatTheClientMayNotDecide) {
    auto object = widget("a");
    object.as_object()["metadata"] = json_of(
        "{'name':'a','uid':'mine','generation':7,'creationTimestamp':'2001-01-01T00:00:00Z',"
        "'deletionTimestamp':'2001-01-01T00:00:00Z','labels':null,'annotations':{}}");
    object.as_object()["status"] = json_of("{'phase':'Done'}");
    const auto made = create(widgets(), object);
    ASSERT_TRUE(made) << made.error().message;
    const auto stored = made->object.parsed();
    EXPECT_NE(text(stored, {"metadata", "uid"}), "mine");
    EXPECT_EQ(text(stored, {"metadata", "generation"}), "1");
    EXPECT_NE(text(stored, {"metadata", "creationTimestamp"}), "2001-01-01T00:00:00Z");
    for (const char* field : {"deletionTimestamp", "labels", "annotations"})
        EXPECT_EQ(text(stored, {"metadata", field}), "(absent)") << field;
    EXPECT_EQ(text(stored, {"status"}), "(absent)");
}

TEST_F(CreateTest, RefusalTable) {
    ASSERT_TRUE(create(widgets(), widget("taken")));
    const struct {
        const char* reason;
        const char* plural;
        const char* object;
        const char* ns;
        int code;
        const char* status_reason;
        const char* message;
    } cases[] = {
        {"no kind", "widgets", "{'apiVersion':'lab.example.com/v1','metadata':{'name':'a'}}", "default", 400,
         "BadRequest",
         "Object 'Kind' is missing in '{\"apiVersion\":\"lab.example.com/v1\","
         "\"metadata\":{\"name\":\"a\"}}'"},
        {"another kind", "widgets", "{'apiVersion':'lab.example.com/v1','kind':'Gizmo','metadata':{'name':'a'}}",
         "default", 422, "Invalid",
         "Widget.lab.example.com \"a\" is invalid: kind: Invalid value: \"Gizmo\": must be Widget"},
        {"another version", "widgets", "{'apiVersion':'lab.example.com/v2','kind':'Widget','metadata':{'name':'a'}}",
         "default", 400, "BadRequest",
         "the API version in the data (lab.example.com/v2) does not match the expected API version "
         "(lab.example.com/v1)"},
        {"another namespace", "widgets",
         "{'apiVersion':'lab.example.com/v1','kind':'Widget','metadata':{'name':'a','namespace':'x'}}", "default", 400,
         "BadRequest", "the namespace of the provided object does not match the namespace sent on the request"},
        {"no such namespace", "widgets", "{'apiVersion':'lab.example.com/v1','kind':'Widget','metadata':{'name':'a'}}",
         "x", 404, "NotFound", "namespaces \"x\" not found"},
        {"taken", "widgets", "{'apiVersion':'lab.example.com/v1','kind':'Widget','metadata':{'name':'taken'}}",
         "default", 409, "AlreadyExists", "widgets.lab.example.com \"taken\" already exists"},
        {"a resourceVersion", "widgets",
         "{'apiVersion':'lab.example.com/v1','kind':'Widget','metadata':{'name':'a','resourceVersion':'3'}}", "default",
         500, "", "resourceVersion should not be set on objects to be created"},
        {"no name", "widgets", "{'apiVersion':'lab.example.com/v1','kind':'Widget','metadata':{}}", "default", 422,
         "Invalid",
         "Widget.lab.example.com \"\" is invalid: metadata.name: Required value: name or generateName is required"},
        {"a bad name", "widgets", "{'apiVersion':'lab.example.com/v1','kind':'Widget','metadata':{'name':'A_b'}}",
         "default", 422, "Invalid",
         "Widget.lab.example.com \"A_b\" is invalid: metadata.name: Invalid value: \"A_b\": a lowercase RFC 1123 "
         "subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an "
         "alphanumeric character (e.g. 'example.com', regex used for validation is "
         "'[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')"},
        {"a label of the wrong type", "widgets",
         "{'apiVersion':'lab.example.com/v1','kind':'Widget','metadata':{'name':'a','labels':{'x':1}}}", "default", 400,
         "BadRequest",
         "Widget in version \"v1\" cannot be handled as a Widget: json: cannot unmarshal number into Go struct field "
         "ObjectMeta.metadata.labels of type string"},
        {"a namespace's name is a label", "namespaces", "{'metadata':{'name':'a.b'}}", "", 422, "Invalid",
         "Namespace \"a.b\" is invalid: metadata.name: Invalid value: \"a.b\": a lowercase RFC 1123 label must consist "
         "of lower case alphanumeric characters or '-', and must start and end with an alphanumeric character (e.g. "
         "'my-name',  or '123-abc', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?')"},
        {"a secret's key", "secrets", "{'metadata':{'name':'a'},'stringData':{'a b':'x'}}", "default", 422, "Invalid",
         "Secret \"a\" is invalid: data[a b]: Invalid value: \"a b\": a valid config key must consist of alphanumeric "
         "characters, '-', '_' or '.' (e.g. 'key.name',  or 'KEY_NAME',  or 'key-name', regex used for validation is "
         "'[-._a-zA-Z0-9]+')"},
    };
    for (const auto& c : cases) {
        const bool core = std::string_view(c.plural) != "widgets";
        const auto made = create(resource(c.plural, core ? "" : "lab.example.com"), json_of(c.object), c.ns);
        ASSERT_FALSE(made) << c.reason;
        EXPECT_EQ(made.error().message, c.message) << c.reason;
        EXPECT_EQ(made.error().code, c.code) << c.reason;
        EXPECT_EQ(made.error().reason, c.status_reason) << c.reason;
    }
}

TEST_F(CreateTest, EverythingWrongIsSaidAtOnceWithItsField) {
    auto object = widget("a", "{'color':'pink','size':-1}");
    object.at("metadata").as_object()["labels"] = json_of("{'a b':'c d'}");
    object.at("metadata").as_object()["finalizers"] = json_of("['x y']");
    const auto made = create(widgets(), object);
    ASSERT_FALSE(made);
    std::vector<std::string> causes;
    for (const auto& cause : made.error().causes) causes.push_back(cause.reason + " " + cause.field);
    EXPECT_THAT(causes,
                testing::UnorderedElementsAre("FieldValueInvalid metadata.labels", "FieldValueInvalid metadata.labels",
                                              "FieldValueInvalid metadata.finalizers",
                                              "FieldValueNotSupported spec.color", "FieldValueInvalid spec.size"));
    EXPECT_FALSE(exists(widgets(), "a"));
}

TEST_F(CreateTest, FieldValidationDecidesAboutUnknownAndDuplicateFields) {
    auto body = parsed(widget("a", "{'bogus':1,'color':'red'}"));
    body.value.at("metadata").as_object()["odd"] = 1;
    body.duplicates = {"spec.color"};
    auto strict = options();
    strict.field_validation = FieldValidation::strict;
    const auto refused = world.loop.run(world.registry().create(widgets(), "default", "", body, strict));
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code, 400);
    EXPECT_EQ(refused.error().message,
              "Widget in version \"v1\" cannot be handled as a Widget: strict decoding error: duplicate field "
              "\"spec.color\", unknown field \"metadata.odd\", unknown field \"spec.bogus\"");
    auto ignore = options();
    ignore.field_validation = FieldValidation::ignore;
    const auto made = world.loop.run(world.registry().create(widgets(), "default", "", body, ignore));
    ASSERT_TRUE(made);
    EXPECT_TRUE(made->warnings.empty());
    EXPECT_EQ(text(made->object.parsed(), {"metadata", "odd"}), "(absent)");
}

TEST_F(CreateTest, GenerateNameDrawsOne) {
    auto object = widget("");
    object.at("metadata") = json_of("{'generateName':'web-'}");
    const auto one = create(widgets(), object), two = create(widgets(), object);
    ASSERT_TRUE(one && two);
    EXPECT_THAT(one->object.name, MatchesRegex("web-[bcdfghjklmnpqrstvwxz2456789]{5}"));
    EXPECT_NE(one->object.name, two->object.name);
    object.at("metadata").as_object()["generateName"] = std::string(80, 'x');
    EXPECT_EQ(create(widgets(), object)->object.name.size(), 63u);
}

TEST_F(CreateTest, DryRunStoresNothing) {
    auto dry = options();
    dry.dry_run = true;
    const auto before = world.registry().revision();
    const auto made = create(widgets(), widget("a"), "default", dry);
    ASSERT_TRUE(made) << made.error().message;
    EXPECT_EQ(text(made->object.parsed(), {"spec", "size"}), "1");
    EXPECT_EQ(text(made->object.parsed(), {"metadata", "resourceVersion"}), "(absent)");
    EXPECT_EQ(world.registry().revision(), before);
    EXPECT_FALSE(exists(widgets(), "a"));
    ASSERT_TRUE(create(widgets(), widget("a")));
    EXPECT_EQ(create(widgets(), widget("a"), "default", dry).error().reason, "AlreadyExists");
}

TEST_F(CreateTest, AdmissionMayRefuse) {
    std::string seen;
    world.registry().set_admission("lab.example.com", "widgets", [&](const Json& object, const Json* old) {
        seen += text(object, {"metadata", "name"}) + (old ? " updated" : " created") + ";";
        std::vector<api::Cause> causes;
        if (text(object, {"spec", "note"}) == "taken")
            causes.push_back({"FieldValueInvalid", "Invalid value: \"taken\": another has it", "spec.note"});
        return causes;
    });
    const auto refused = create(widgets(), widget("a", "{'note':'taken'}"));
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().message,
              "Widget.lab.example.com \"a\" is invalid: spec.note: Invalid value: \"taken\": another has it");
    ASSERT_TRUE(create(widgets(), widget("a", "{'note':'free'}")));
    EXPECT_EQ(merge(widgets(), "a", "{'spec':{'note':'taken'}}").error().code, 422);
    EXPECT_TRUE(merge(widgets(), "a", "{'status':{'phase':'x'}}", options("test", "status")));
    EXPECT_EQ(seen, "a created;a created;a updated;") << "a status is not asked about";
}

TEST_F(CreateTest, TheManagerComesFromTheUserAgentIfNotNamed) {
    auto who = options("");
    who.caller.user_agent = "kubectl/v1.35 (linux)";
    const auto made = create(widgets(), widget("a"), "default", who);
    ASSERT_TRUE(made);
    EXPECT_EQ(text(made->object.parsed().at("metadata").at("managedFields").at(0), {"manager"}), "kubectl");
    who.field_manager = std::string(129, 'x');
    const auto refused = create(widgets(), widget("b"), "default", who);
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().message,
              "CreateOptions.meta.k8s.io \"\" is invalid: fieldManager: Too long: may not be more than 128 bytes");
}

TEST_F(CreateTest, AnObjectBeyondTheLimitIsRefused) {
    const auto made = create(widgets(), widget("a", "{'note':'" + std::string(1600 * 1024, 'x') + "'}"));
    ASSERT_FALSE(made);
    EXPECT_EQ(made.error().message, "etcdserver: request is too large");
    auto annotated = widget("a");
    api::make_object(annotated, {"metadata", "annotations"})["a"] = std::string(300 * 1024, 'x');
    EXPECT_THAT(create(widgets(), annotated).error().message,
                HasSubstr("metadata.annotations: Too long: may not be more than 262144 bytes"));
}

TEST_F(CreateTest, SecretsTakePlainTextAndANamespaceItsLabel) {
    const auto secret =
        create(resource("secrets", ""), json_of("{'metadata':{'name':'s'},'data':{'a':'eA==','b':'eA=='},"
                                                "'stringData':{'b':'hello','c':''}}"));
    ASSERT_TRUE(secret) << secret.error().message;
    EXPECT_EQ(text(secret->object.parsed(), {"data"}), R"({"a":"eA==","b":"aGVsbG8=","c":""})");
    EXPECT_EQ(text(secret->object.parsed(), {"type"}), "Opaque");
    EXPECT_EQ(text(secret->object.parsed(), {"stringData"}), "(absent)");
    EXPECT_EQ(text(secret->object.parsed(), {"metadata", "generation"}), "(absent)");
    const auto made = create(resource("namespaces", ""), json_of("{'metadata':{'name':'n'}}"), "");
    ASSERT_TRUE(made) << made.error().message;
    EXPECT_EQ(text(made->object.parsed(), {"metadata", "labels"}), R"({"kubernetes.io/metadata.name":"n"})");
    EXPECT_EQ(text(made->object.parsed(), {"spec", "finalizers"}), R"(["kubernetes"])");
    EXPECT_EQ(text(made->object.parsed(), {"status", "phase"}), "Active");
}

}  // namespace
}  // namespace ocim::registry
