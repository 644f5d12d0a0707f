#include "api/apply.hpp"

#include "api/patch.hpp"
#include "api/typed_value.hpp"
#include "base/random.hpp"
#include "support/test_type.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace ocim::api {
namespace {

using testing::HasSubstr;

Json parsed(std::string_view text) {
    auto value = parse_json(text);
    EXPECT_TRUE(value) << text;
    return value ? std::move(value->value) : Json();
}

/// A Widget with that spec.
Json widget(std::string_view spec) {
    Json out = parsed(R"({"apiVersion":"lab.example.com/v1","kind":"Widget","metadata":{"name":"a"}})");
    out.get_object()["spec"] = parsed(spec);
    return out;
}

constexpr const char* first = "2026-01-01T00:00:00Z";
constexpr const char* second = "2026-01-01T00:00:01Z";

Manager applier(std::string name, std::string time = first) {
    return {std::move(name), true, "lab.example.com/v1", "", std::move(time)};
}
Manager updater(std::string name, std::string time = first) {
    return {std::move(name), false, "lab.example.com/v1", "", std::move(time)};
}

/// What each manager owns: "m1 Apply {...}" a line.
std::string owners(const Json& object) {
    std::string out;
    if (const auto* entries = find(object, {"metadata", "managedFields"}))
        for (const auto& entry : entries->get_array()) {
            out += std::string(find_text(entry, {"manager"})) + " " + std::string(find_text(entry, {"operation"}));
            if (const auto sub = find_text(entry, {"subresource"}); !sub.empty()) out += "/" + std::string(sub);
            out += " " + to_text(*find(entry, {"fieldsV1"})) + "\n";
        }
    return out;
}
std::string spec_of(const Json& object) {
    const auto* spec = find(object, {"spec"});
    return spec ? to_text(*spec) : "";
}

Json applied(const Json& current, std::string_view spec, const Manager& manager, bool force = false) {
    auto done = apply(current, widget(spec), test::widget_type(), manager, force);
    EXPECT_TRUE(done) << (done ? "" : done.error().message);
    return done ? *std::move(done) : Json();
}
/// A plain write of that spec over `current`.
Json updated(const Json& current, std::string_view spec, const Manager& manager) {
    auto out = current.is_object() ? current : widget("{}");
    out.get_object()["spec"] = parsed(spec);
    if (!current.is_object()) out.get_object()["metadata"].get_object().erase("managedFields");
    track_update(current, out, test::widget_type(), manager);
    return out;
}

TEST(Apply, CreatesWithOneOwner) {
    const auto made = applied({}, R"({"color":"red","sub":{"a":"1"},"words":{"k":"v"},"selector":{"x":"y"},
        "list":["l"],"tags":["t","s"],"ports":[{"port":80,"x":1}],"free":{"any":{"deep":[1]}}})",
                              applier("m1"));
    EXPECT_EQ(to_text(*find(made, {"metadata", "managedFields"})),
              R"([{"manager":"m1","operation":"Apply","apiVersion":"lab.example.com/v1","time":"2026-01-01T00:00:00Z",)"
              R"("fieldsType":"FieldsV1","fieldsV1":{"f:spec":{"f:color":{},"f:free":{"f:any":{".":{},"f:deep":{}}},)"
              R"("f:list":{},"f:ports":{"k:{\"port\":80,\"protocol\":\"TCP\"}":{".":{},"f:port":{},"f:x":{}}},)"
              R"("f:selector":{},"f:sub":{"f:a":{}},"f:tags":{"v:\"s\"":{},"v:\"t\"":{}},"f:words":{"f:k":{}}}}}])");
    EXPECT_EQ(find_text(made, {"metadata", "name"}), "a");
}

TEST(Apply, TheSameAgainChangesNothingAtAll) {
    const auto spec = R"({"color":"red","ports":[{"port":80}],"tags":["t"],"sub":{},"words":{"k":"v"}})";
    const auto made = applied({}, spec, applier("m1"));
    EXPECT_EQ(to_text(applied(made, spec, applier("m1", second))), to_text(made));
}

TEST(Apply, Table) {
    const struct {
        const char* reason;
        const char* m1;      ///< what m1 applies first
        const char* m2;      ///< what m2 applies then, by force; "" when it does not
        const char* m1_now;  ///< what m1 applies last
        const char* spec;
        const char* owners;
    } cases[] = {
        {"what is left out goes", R"({"color":"red","size":1})", "", R"({"color":"red"})", R"({"color":"red"})",
         "m1 Apply {\"f:spec\":{\"f:color\":{}}}\n"},
        {"what another owns stays", R"({"color":"red","size":1})", R"({"size":1})", R"({"color":"red"})",
         R"({"color":"red","size":1})",
         "m2 Apply {\"f:spec\":{\"f:size\":{}}}\nm1 Apply {\"f:spec\":{\"f:color\":{}}}\n"},
        {"what another took by force is its own", R"({"color":"red"})", R"({"color":"blue"})", R"({"size":1})",
         R"({"color":"blue","size":1})",
         "m2 Apply {\"f:spec\":{\"f:color\":{}}}\nm1 Apply {\"f:spec\":{\"f:size\":{}}}\n"},
        {"an object that held only ours goes", R"({"color":"red","sub":{"a":"1"}})", "", R"({"color":"red"})",
         R"({"color":"red"})", "m1 Apply {\"f:spec\":{\"f:color\":{}}}\n"},
        {"an object that holds another's stays", R"({"sub":{"a":"1"}})", R"({"sub":{"b":"2"}})", R"({"color":"red"})",
         R"({"sub":{"b":"2"},"color":"red"})",
         "m2 Apply {\"f:spec\":{\"f:sub\":{\"f:b\":{}}}}\nm1 Apply {\"f:spec\":{\"f:color\":{}}}\n"},
        {"items of a set come and go", R"({"tags":["a","b"]})", R"({"tags":["c","b"]})", R"({"tags":["a"]})",
         R"({"tags":["a","c","b"]})",
         "m2 Apply {\"f:spec\":{\"f:tags\":{\"v:\\\"b\\\"\":{},\"v:\\\"c\\\"\":{}}}}\n"
         "m1 Apply {\"f:spec\":{\"f:tags\":{\"v:\\\"a\\\"\":{}}}}\n"},
        {"items of a keyed list merge by key, defaults of keys count", R"({"ports":[{"port":80,"x":1}]})",
         R"({"ports":[{"port":80,"protocol":"TCP","name":"web"},{"port":80,"protocol":"UDP"}]})",
         R"({"ports":[{"port":80,"x":2}]})",
         R"({"ports":[{"port":80,"x":2,"protocol":"TCP","name":"web"},{"port":80,"protocol":"UDP"}]})",
         "m2 Apply {\"f:spec\":{\"f:ports\":{\"k:{\\\"port\\\":80,\\\"protocol\\\":\\\"TCP\\\"}\":"
         "{\".\":{},\"f:name\":{},\"f:port\":{},\"f:protocol\":{}},"
         "\"k:{\\\"port\\\":80,\\\"protocol\\\":\\\"UDP\\\"}\":{\".\":{},\"f:port\":{},\"f:protocol\":{}}}}}\n"
         "m1 Apply {\"f:spec\":{\"f:ports\":{\"k:{\\\"port\\\":80,\\\"protocol\\\":\\\"TCP\\\"}\":"
         "{\".\":{},\"f:port\":{},\"f:x\":{}}}}}\n"},
        {"an item that nobody owns goes", R"({"ports":[{"port":80},{"port":81}]})", "", R"({"ports":[{"port":81}]})",
         R"({"ports":[{"port":81}]})",
         "m1 Apply {\"f:spec\":{\"f:ports\":{\"k:{\\\"port\\\":81,\\\"protocol\\\":\\\"TCP\\\"}\":"
         "{\".\":{},\"f:port\":{}}}}}\n"},
        {"the last item takes the list with it", R"({"color":"red","ports":[{"port":80}]})", "", R"({"color":"red"})",
         R"({"color":"red"})", "m1 Apply {\"f:spec\":{\"f:color\":{}}}\n"},
        {"atomic lists are one thing", R"({"list":["a","b"]})", "", R"({"list":["c"]})", R"({"list":["c"]})",
         "m1 Apply {\"f:spec\":{\"f:list\":{}}}\n"},
        {"atomic maps are one thing", R"({"selector":{"a":"1"}})", "", R"({"selector":{"b":"2"}})",
         R"({"selector":{"b":"2"}})", "m1 Apply {\"f:spec\":{\"f:selector\":{}}}\n"},
        {"maps are owned key by key", R"({"words":{"a":"1","b":"2"}})", R"({"words":{"c":"3"}})",
         R"({"words":{"a":"1"}})", R"({"words":{"a":"1","c":"3"}})",
         "m2 Apply {\"f:spec\":{\"f:words\":{\"f:c\":{}}}}\nm1 Apply {\"f:spec\":{\"f:words\":{\"f:a\":{}}}}\n"},
        {"an empty object is owned as it is", R"({"sub":{}})", "", R"({"sub":{}})", R"({"sub":{}})",
         "m1 Apply {\"f:spec\":{\"f:sub\":{}}}\n"},
        {"an empty list stays, its items go", R"({"ports":[{"port":80}]})", "", R"({"ports":[]})", R"({"ports":[]})",
         "m1 Apply {\"f:spec\":{\"f:ports\":{}}}\n"},
        {"who applies an empty object owns that alone", R"({"color":"red"})", R"({"size":1})", R"({})", R"({"size":1})",
         "m2 Apply {\"f:spec\":{\"f:size\":{}}}\nm1 Apply {\"f:spec\":{}}\n"},
    };
    for (const auto& c : cases) {
        auto object = applied({}, c.m1, applier("m1"));
        if (*c.m2) object = applied(object, c.m2, applier("m2"), true);
        object = applied(object, c.m1_now, applier("m1", second), true);
        EXPECT_EQ(spec_of(object), c.spec) << c.reason;
        EXPECT_EQ(owners(object), c.owners) << c.reason;
        EXPECT_EQ(to_text(applied(object, c.m1_now, applier("m1", "2026-01-01T00:00:09Z"), true)), to_text(object))
            << c.reason << ": applying it again changes nothing";
    }
}

TEST(Apply, AMergedListTakesTheOrderOfWhoApplies) {
    const struct {
        const char* reason;
        const char* before;
        const char* applied;
        const char* after;
    } cases[] = {
        {"shared items in the new order", R"(["a","b","c"])", R"(["c","a"])", R"(["c","b","a"])"},
        {"nothing moves without need", R"(["a","b","c"])", R"(["a","c"])", R"(["a","b","c"])"},
        {"new ones stand where they are written", R"(["a","c"])", R"(["a","b","c"])", R"(["a","b","c"])"},
        {"new ones at the end", R"(["a"])", R"(["a","z","y"])", R"(["a","z","y"])"},
        {"nothing in common", R"(["a"])", R"(["b"])", R"(["a","b"])"},
    };
    for (const auto& c : cases) {
        const auto tags = [](std::string list) { return R"({"tags":)" + list + "}"; };
        const auto before = updated({}, tags(c.before), updater("u"));
        EXPECT_EQ(spec_of(applied(before, tags(c.applied), applier("m"))), tags(c.after)) << c.reason;
    }
}

TEST(Apply, ConflictsNameFieldsAndManagers) {
    const struct {
        const char* reason;
        Json current;
        const char* spec;
        const char* message;
    } cases[] = {
        {"one field", applied({}, R"({"color":"red"})", applier("m1")), R"({"color":"blue"})",
         "Apply failed with 1 conflict: conflict with \"m1\": .spec.color"},
        {"two fields of one", applied({}, R"({"size":1,"color":"red"})", applier("m1")), R"({"color":"blue","size":2})",
         "Apply failed with 2 conflicts: conflicts with \"m1\":\n- .spec.color\n- .spec.size"},
        {"two managers", applied(applied({}, R"({"color":"red"})", applier("m2")), R"({"size":1})", applier("m1")),
         R"({"color":"blue","size":2})",
         "Apply failed with 2 conflicts: conflicts with \"m1\":\n- .spec.size\nconflicts with \"m2\":\n- .spec.color"},
        {"a plain write", updated({}, R"({"color":"red"})", updater("ed")), R"({"color":"blue"})",
         "Apply failed with 1 conflict: conflict with \"ed\" using lab.example.com/v1: .spec.color"},
        {"in a keyed item", applied({}, R"({"ports":[{"port":80,"x":1}]})", applier("m1")),
         R"({"ports":[{"port":80,"x":2}]})",
         "Apply failed with 1 conflict: conflict with \"m1\": .spec.ports[port=80,protocol=\"TCP\"].x"},
        {"an atomic list", applied({}, R"({"list":["a"]})", applier("m1")), R"({"list":["a","b"]})",
         "Apply failed with 1 conflict: conflict with \"m1\": .spec.list"},
        {"the same manager by a plain write is another owner", updated({}, R"({"color":"red"})", updater("m2")),
         R"({"color":"blue"})",
         "Apply failed with 1 conflict: conflict with \"m2\" using lab.example.com/v1: .spec.color"},
    };
    for (const auto& c : cases) {
        const auto done = apply(c.current, widget(c.spec), test::widget_type(), applier("m2-other"), false);
        ASSERT_FALSE(done) << c.reason;
        EXPECT_EQ(done.error().message, c.message) << c.reason;
        EXPECT_EQ(done.error().code, 409) << c.reason;
        EXPECT_EQ(done.error().reason, "Conflict") << c.reason;
        ASSERT_FALSE(done.error().causes.empty());
        EXPECT_EQ(done.error().causes[0].reason, "FieldManagerConflict");
        EXPECT_TRUE(apply(c.current, widget(c.spec), test::widget_type(), applier("m2-other"), true)) << c.reason;
    }
    const auto current = applied({}, R"({"color":"red"})", applier("m1"));
    const auto done = apply(current, widget(R"({"color":"blue"})"), test::widget_type(), applier("m2"), false);
    EXPECT_EQ(done.error().causes,
              (std::vector<Cause>{{"FieldManagerConflict", "conflict with \"m1\"", ".spec.color"}}));
}

TEST(Apply, TheSameValueIsSharedAndNoConflict) {
    const auto both =
        applied(applied({}, R"({"color":"red"})", applier("m1")), R"({"color":"red"})", applier("m2", second));
    EXPECT_EQ(owners(both), "m1 Apply {\"f:spec\":{\"f:color\":{}}}\nm2 Apply {\"f:spec\":{\"f:color\":{}}}\n");
    const auto one = applied(both, "{}", applier("m1", second));
    EXPECT_EQ(spec_of(one), R"({"color":"red"})") << "the other still owns it";
    EXPECT_EQ(spec_of(applied(one, "{}", applier("m2", second))), "{}") << "now nobody does";
}

TEST(Apply, AFieldThatAPlainWriteOwnsTooStays) {
    const auto made = updated({}, R"({"color":"red"})", updater("ed"));
    const auto both = applied(made, R"({"color":"red","size":1})", applier("m1"));
    const auto left = applied(both, R"({"size":1})", applier("m1", second));
    EXPECT_EQ(spec_of(left), R"({"color":"red","size":1})");
}

TEST(Apply, DefaultsBelongToNobodyUntilApplied) {
    auto made = applied({}, R"({"color":"red"})", applier("m1"));
    make_object(made, {"spec"})["size"] = 7;  // as the schema would
    const auto again = applied(made, R"({"color":"red"})", applier("m1", second));
    EXPECT_EQ(to_text(again), to_text(made)) << "identical re-apply changes nothing";
    const auto taken = applied(made, R"({"size":8})", applier("m2"));
    EXPECT_EQ(spec_of(taken), R"({"color":"red","size":8})") << "no conflict: nobody owned it";
}

TEST(Apply, WhatWasMadeBeforeAnybodyKeptTrackHasAnOwner) {
    auto old = widget(R"({"color":"red","size":1})");
    const auto now = applied(old, R"({"color":"red"})", applier("m1"));
    EXPECT_EQ(owners(now),
              "m1 Apply {\"f:spec\":{\"f:color\":{}}}\n"
              "before-first-apply Update {\"f:spec\":{\".\":{},\"f:color\":{},\"f:size\":{}}}\n");
    const auto clash = apply(old, widget(R"({"color":"blue"})"), test::widget_type(), applier("m1"), false);
    ASSERT_FALSE(clash);
    EXPECT_THAT(clash.error().message, HasSubstr("\"before-first-apply\" using lab.example.com/v1"));
}

TEST(Apply, Refuses) {
    const struct {
        const char* reason;
        const char* object;
        int code;
        const char* message;
    } cases[] = {
        {"an unknown field",
         R"({"apiVersion":"lab.example.com/v1","kind":"Widget","metadata":{"name":"s"},"spec":{"bogus":1}})", 500,
         "failed to create typed patch object (/s; lab.example.com/v1, Kind=Widget): .spec.bogus: field not declared "
         "in schema"},
        {"two of them",
         R"({"apiVersion":"v1","kind":"W","metadata":{"name":"s","namespace":"n","foo":1},"spec":{"sub":{"c":1}}})",
         500,
         "failed to create typed patch object (n/s; v1, Kind=W): errors:\n  .metadata.foo: field not declared in "
         "schema\n  .spec.sub.c: field not declared in schema"},
        {"twice the same item", R"({"apiVersion":"v1","kind":"W","spec":{"ports":[{"port":1},{"port":1,"x":2}]}})", 500,
         "failed to create typed patch object (/; v1, Kind=W): .spec.ports: duplicate entries for key "
         "[port=1,protocol=\"TCP\"]"},
        {"twice the same value", R"({"apiVersion":"v1","kind":"W","spec":{"tags":["a","a"]}})", 500,
         "failed to create typed patch object (/; v1, Kind=W): .spec.tags: duplicate entries for key [=\"a\"]"},
        {"an item without its key", R"({"apiVersion":"v1","kind":"W","spec":{"ports":[{"x":1}]}})", 500,
         "failed to create typed patch object (/; v1, Kind=W): .spec.ports: element 0: associative list with keys has "
         "an element that omits key field \"port\" (and doesn't have default value)"},
        {"managed fields", R"({"metadata":{"managedFields":[]}})", 400, "metadata.managedFields must be nil"},
        {"not an object", "[]", 400, "an applied object is a JSON object"},
    };
    for (const auto& c : cases) {
        const auto done = apply({}, parsed(c.object), test::widget_type(), applier("m1"), true);
        ASSERT_FALSE(done) << c.reason;
        EXPECT_EQ(done.error().code, c.code) << c.reason;
        EXPECT_EQ(done.error().message, c.message) << c.reason;
    }
}

TEST(Apply, MetadataIsMergedButIdentityIsNobodys) {
    const auto object =
        parsed(R"({"apiVersion":"lab.example.com/v1","kind":"Widget","metadata":{"name":"a","namespace":"n",
        "uid":"u","resourceVersion":"1","labels":{"l":"1"},"finalizers":["f"]}})");
    const auto made = *apply({}, object, test::widget_type(), applier("m1"), false);
    EXPECT_EQ(owners(made),
              "m1 Apply {\"f:metadata\":{\"f:finalizers\":{\"v:\\\"f\\\"\":{}},\"f:labels\":{\"f:l\":{}}}}\n");
    EXPECT_EQ(find(made, {"metadata", "resourceVersion"}), nullptr);
    auto label = widget("{}");
    const auto without = *apply(made, label, test::widget_type(), applier("m1"), false);
    EXPECT_EQ(find(without, {"metadata", "labels"}), nullptr);
    EXPECT_EQ(find(without, {"metadata", "finalizers"}), nullptr);
}

TEST(Apply, LeavingOutAllMetadataThatOneOwnedKeepsTheIdentity) {
    const auto labelled = parsed(R"({"apiVersion":"lab.example.com/v1","kind":"Widget",
        "metadata":{"name":"a","namespace":"n","annotations":{"x":"y"}},"spec":{"color":"red"}})");
    const auto plain = parsed(R"({"apiVersion":"lab.example.com/v1","kind":"Widget",
        "metadata":{"name":"a","namespace":"n"},"spec":{"color":"red"}})");
    auto made = apply({}, labelled, test::widget_type(), applier("m1"), false);
    ASSERT_TRUE(made);
    // kubectl, when it takes over from a client-side apply, has it all owned by whoever applies now
    auto& entry = made->at("metadata").at("managedFields").at(0).as_object();
    entry["fieldsV1"] = parsed(R"({"f:metadata":{"f:annotations":{".":{},"f:x":{}}},"f:spec":{"f:color":{}}})");
    made->at("metadata").as_object()["uid"] = "u";
    const auto again = apply(*made, plain, test::widget_type(), applier("m1", second), true);
    ASSERT_TRUE(again);
    EXPECT_EQ(find_text(*again, {"metadata", "name"}), "a");
    EXPECT_EQ(find_text(*again, {"metadata", "uid"}), "u");
    EXPECT_EQ(find(*again, {"metadata", "annotations"}), nullptr);
}

TEST(Apply, WhatAClientWroteAsOwnedDoesNotTakeTheKindAway) {
    const auto object = parsed(R"({"apiVersion":"lab.example.com/v1","kind":"Widget","metadata":{"name":"a"},
        "spec":{"color":"red"}})");
    auto made = apply({}, object, test::widget_type(), applier("m1"), false);
    ASSERT_TRUE(made);
    auto& entry = made->at("metadata").at("managedFields").at(0).as_object();
    entry["fieldsV1"] = parsed(R"({"f:kind":{"f:x":{}},"f:metadata":{"f:name":{}},"f:spec":{"f:color":{}}})");
    const auto again = apply(*made, object, test::widget_type(), applier("m1", second), false);
    ASSERT_TRUE(again);
    EXPECT_EQ(find_text(*again, {"kind"}), "Widget");
    EXPECT_EQ(find_text(*again, {"metadata", "name"}), "a");
}

TEST(Apply, StatusIsASeparateThing) {
    auto object = widget(R"({"color":"red"})");
    object.get_object()["status"] = parsed(R"({"phase":"Up"})");
    const auto made = *apply({}, object, test::widget_type(), applier("m1"), false);
    EXPECT_EQ(owners(made), "m1 Apply {\"f:spec\":{\"f:color\":{}}}\n") << "the main resource does not own the status";
    EXPECT_EQ(find(made, {"status"}), nullptr);

    auto to_status = applier("m1", second);
    to_status.subresource = "status";
    object.get_object()["spec"] = parsed(R"({"color":"blue"})");
    const auto with = *apply(made, object, test::widget_type(), to_status, false);
    EXPECT_EQ(spec_of(with), R"({"color":"red"})") << "nor does the status touch the spec";
    EXPECT_EQ(owners(with),
              "m1 Apply {\"f:spec\":{\"f:color\":{}}}\nm1 Apply/status {\"f:status\":{\"f:phase\":{}}}\n");
    EXPECT_EQ(to_text(*find(with, {"status"})), R"({"phase":"Up"})");

    auto other = applier("m2");
    other.subresource = "status";
    object.get_object()["status"] = parsed(R"({"phase":"Down"})");
    const auto clash = apply(with, object, test::widget_type(), other, false);
    ASSERT_FALSE(clash);
    EXPECT_EQ(clash.error().message,
              "Apply failed with 1 conflict: conflict with \"m1\" with subresource \"status\": .status.phase");

    auto plain = applier("m1");
    plain.has_status_subresource = false;
    EXPECT_EQ(owners(*apply({}, object, test::widget_type(), plain, false)),
              "m1 Apply {\"f:spec\":{\"f:color\":{}},\"f:status\":{\"f:phase\":{}}}\n")
        << "without the sub-resource it is a field like others";
}

TEST(TrackUpdate, Table) {
    const struct {
        const char* reason;
        const char* before;  ///< what u1 created
        const char* after;   ///< what u2 wrote
        const char* owners;
    } cases[] = {
        {"what it changes is its own", R"({"color":"red","size":1})", R"({"color":"blue","size":1})",
         "u1 Update {\"f:spec\":{\".\":{},\"f:size\":{}}}\nu2 Update {\"f:spec\":{\"f:color\":{}}}\n"},
        {"what it adds is its own", R"({"color":"red"})", R"({"color":"red","sub":{"a":"1"}})",
         "u1 Update {\"f:spec\":{\".\":{},\"f:color\":{}}}\n"
         "u2 Update {\"f:spec\":{\"f:sub\":{\".\":{},\"f:a\":{}}}}\n"},
        {"what it removes is nobody's", R"({"color":"red","sub":{"a":"1"}})", R"({"color":"red"})",
         "u1 Update {\"f:spec\":{\".\":{},\"f:color\":{}}}\n"},
        {"an item of a keyed list", R"({"ports":[{"port":80,"x":1}]})", R"({"ports":[{"port":81},{"port":80,"x":2}]})",
         "u1 Update {\"f:spec\":{\".\":{},\"f:ports\":{\".\":{},\"k:{\\\"port\\\":80,\\\"protocol\\\":\\\"TCP\\\"}\":"
         "{\".\":{},\"f:port\":{}}}}}\n"
         "u2 Update {\"f:spec\":{\"f:ports\":{\"k:{\\\"port\\\":80,\\\"protocol\\\":\\\"TCP\\\"}\":{\"f:x\":{}},"
         "\"k:{\\\"port\\\":81,\\\"protocol\\\":\\\"TCP\\\"}\":{\".\":{},\"f:port\":{}}}}}\n"},
        {"an item of a set", R"({"tags":["a"]})", R"({"tags":["b"]})",
         "u1 Update {\"f:spec\":{\".\":{},\"f:tags\":{}}}\n"
         "u2 Update {\"f:spec\":{\"f:tags\":{\"v:\\\"b\\\"\":{}}}}\n"},
        {"an atomic list", R"({"list":["a"]})", R"({"list":["a","b"]})",
         "u1 Update {\"f:spec\":{\".\":{}}}\nu2 Update {\"f:spec\":{\"f:list\":{}}}\n"},
        {"nothing changes, nothing is recorded", R"({"color":"red"})", R"({"color":"red"})",
         "u1 Update {\"f:spec\":{\".\":{},\"f:color\":{}}}\n"},
    };
    for (const auto& c : cases) {
        const auto before = updated({}, c.before, updater("u1"));
        const auto after = updated(before, c.after, updater("u2", second));
        auto expected = std::string(c.owners);
        // an entry whose only place is spec itself prints without the dot
        if (const auto at = expected.find("{\"f:spec\":{\".\":{}}}"); at != std::string::npos)
            expected.replace(at, 19, "{\"f:spec\":{}}");
        EXPECT_EQ(owners(after), expected) << c.reason;
    }
}

TEST(TrackUpdate, KeepsTheTimeOfAWriteThatTookNothing) {
    const auto before = updated({}, R"({"color":"red","size":1})", updater("u1", first));
    EXPECT_EQ(to_text(updated(before, R"({"color":"red","size":1})", updater("u1", second))), to_text(before));
    const auto after = updated(before, R"({"color":"blue","size":1})", updater("u1", second));
    EXPECT_THAT(to_text(after), HasSubstr(second));
    EXPECT_EQ(owners(after), "u1 Update {\"f:spec\":{\".\":{},\"f:color\":{},\"f:size\":{}}}\n");
}

TEST(TrackUpdate, AnEmptyListOrOneEmptyEntryStartsAnew) {
    for (const auto* sent : {"[]", "[{}]"}) {
        const auto before = updated({}, R"({"color":"red"})", updater("u1"));
        auto after = before;
        make_object(after, {"metadata"})["managedFields"] = parsed(sent);
        track_update(before, after, test::widget_type(), updater("u2"));
        EXPECT_EQ(find(after, {"metadata", "managedFields"}), nullptr) << sent;
    }
}

TEST(TrackUpdate, WhatTheClientSendsBackCounts) {
    const auto before = updated({}, R"({"color":"red"})", updater("u1"));
    auto after = before;
    auto& entry = make_object(after, {"metadata"})["managedFields"].get_array()[0].get_object();
    entry["manager"] = "renamed";
    track_update(before, after, test::widget_type(), updater("u2"));
    EXPECT_EQ(owners(after), "renamed Update {\"f:spec\":{\".\":{},\"f:color\":{}}}\n");
    make_object(after, {"metadata"})["managedFields"] = parsed(R"([{"manager":"x","operation":"Nonsense"}])");
    track_update(before, after, test::widget_type(), updater("u2"));
    EXPECT_EQ(owners(after), owners(before)) << "what cannot be read is as if it had not been sent";
}

TEST(TrackUpdate, StatusWritesOwnTheStatusOnly) {
    const auto before = updated({}, R"({"color":"red"})", updater("u1"));
    auto after = before;
    after.get_object()["status"] = parsed(R"({"phase":"Up","conditions":[{"type":"Ready","status":"True"}]})");
    make_object(after, {"spec"})["size"] = 1;  // the registry would not let it through; it is not owned either
    auto manager = updater("controller", second);
    manager.subresource = "status";
    track_update(before, after, test::widget_type(), manager);
    EXPECT_EQ(owners(after),
              "u1 Update {\"f:spec\":{\".\":{},\"f:color\":{}}}\n"
              "controller Update/status {\"f:status\":{\".\":{},\"f:conditions\":{\".\":{},"
              "\"k:{\\\"type\\\":\\\"Ready\\\"}\":{\".\":{},\"f:status\":{},\"f:type\":{}}},\"f:phase\":{}}}\n");
}

TEST(TrackUpdate, MergesTheOldestWritersWhenThereAreTooMany) {
    auto object = updated({}, R"({"words":{"k":"0"}})", updater("first"));
    for (int i = 10; i < 25; ++i) {
        auto next = object;
        make_object(next, {"spec", "words"})["k" + std::to_string(i)] = "v";
        track_update(object, next, test::widget_type(),
                     updater("u" + std::to_string(i), "2026-01-01T00:00:" + std::to_string(i) + "Z"));
        object = next;
    }
    const auto& entries = find(object, {"metadata", "managedFields"})->get_array();
    EXPECT_EQ(entries.size(), 10u);
    EXPECT_EQ(find_text(entries[0], {"manager"}), "ancient-changes");
    EXPECT_EQ(find_text(entries[9], {"manager"}), "u24");
    EXPECT_NE(find(entries[0], {"fieldsV1", "f:spec", "f:words", "f:k10"}), nullptr);
}

TEST(TrackUpdate, ASchemaThatBecameAtomicTakesTheWhole) {
    auto object = updated({}, R"({"list":["a"]})", updater("u1"));
    // as it was stored when the list was still a set
    make_object(object, {"metadata"})["managedFields"] = parsed(
        R"([{"manager":"old","operation":"Apply","apiVersion":"lab.example.com/v1","fieldsType":"FieldsV1",
             "fieldsV1":{"f:spec":{"f:list":{"v:\"a\"":{}}}}}])");
    const auto clash = apply(object, widget(R"({"list":["b"]})"), test::widget_type(), applier("m1"), false);
    ASSERT_FALSE(clash);
    EXPECT_EQ(clash.error().message, "Apply failed with 1 conflict: conflict with \"old\": .spec.list");
}

TEST(FieldSet, ReadsBackWhatItWrites) {
    const auto text = R"({"f:metadata":{"f:labels":{".":{},"f:a":{}}},"f:spec":{"k:{\"a\":1,\"b\":\"x\"}":{"f:y":{}},)"
                      R"("v:true":{},"i:3":{}}})";
    const auto set = FieldSet::from_json(parsed(text));
    ASSERT_TRUE(set);
    EXPECT_EQ(to_text(set->to_json()), text);
    EXPECT_EQ(FieldSet::from_json(parsed(R"({"k:{\"b\":2,\"a\":1}":{}})")),
              FieldSet::from_json(parsed(R"({"k:{\"a\":1,\"b\":2}":{}})")))
        << "keys have no order";
    for (const auto* bad : {"[]", R"({"x:a":{}})", R"({"f":{}})", R"({"k:[1]":{}})", R"({"v:{":{}})", R"({"i:-1":{}})",
                            R"({"i:x":{}})", R"({"f:a":1})", R"({"f:a":null})"})
        EXPECT_FALSE(FieldSet::from_json(parsed(bad))) << bad;
}

/// A spec of random parts, each of a shape of its own.
Json random_spec(Random& random) {
    json::object out;
    const auto some = [&] { return random.below(2) == 0; };
    const auto text = [&] { return std::string(1, static_cast<char>('a' + random.below(3))); };
    const auto texts = [&] {
        std::map<std::string, Json> all;
        for (auto n = random.below(4); n > 0; --n) all[text()] = text();
        return all;
    };
    if (some()) out["color"] = text();
    if (some()) out["size"] = static_cast<std::int64_t>(random.below(3));
    if (some()) out["sub"] = some() ? json::object{{"a", text()}} : json::object{{"b", text()}};
    for (const auto* name : {"words", "selector", "free"})
        if (some()) {
            auto& map = out[name].emplace_object();
            for (const auto& [key, value] : texts()) map[key] = value;
        }
    if (some()) {
        auto& tags = out["tags"].emplace_array();
        for (const auto& [key, value] : texts()) tags.push_back(json::string(key));
    }
    if (some()) {
        auto& ports = out["ports"].emplace_array();
        for (const auto& [key, value] : texts())
            ports.push_back(json::object{{"port", key[0] - 'a'}, {some() ? "name" : "x", text()}});
    }
    return out;
}

TEST(Apply, IsIdempotentAndKeepsWhatItWasToldWhateverHappenedBefore) {
    auto random = make_seeded_random(42);
    for (int run = 0; run < 100; ++run) {
        Json object;
        for (int step = 0; step < 8; ++step) {
            auto config = widget("{}");
            config.get_object()["spec"] = random_spec(*random);
            const std::string name = "m" + std::to_string(random->below(3));
            if (object.is_object() && random->below(3) == 0) {
                auto next = object;
                next.get_object()["spec"] = config.at("spec");
                track_update(object, next, test::widget_type(), updater(name));
                object = next;
                continue;
            }
            const auto done = apply(object, config, test::widget_type(), applier(name), true);
            ASSERT_TRUE(done) << done.error().message;
            const auto again = apply(*done, config, test::widget_type(), applier(name, second), true);
            ASSERT_TRUE(again);
            ASSERT_EQ(to_text(*again), to_text(*done)) << "config " << to_text(config);
            ASSERT_TRUE(apply(*done, config, test::widget_type(), applier(name, second), false)) << "no conflict";
            ASSERT_EQ(merge(*done, config, test::widget_type()), *done) << "all that was applied is there";
            ASSERT_TRUE(find(*done, {"spec"}) || config.at("spec").get_object().empty());
            object = *done;
        }
    }
}

/// A Widget that kubectl applied in the client: its manager owns the fields, the annotation says what was applied.
Json applied_in_client(std::string_view spec) {
    auto out = updated({}, spec, updater("kubectl-client-side-apply"));
    auto config = widget(spec);
    make_object(out, {"metadata", "annotations"})["kubectl.kubernetes.io/last-applied-configuration"] =
        to_text(config) + "\n";
    return out;
}

TEST(Apply, ByKubectlTakesOverWhatItAppliedInTheClient) {
    const struct {
        const char* reason;
        const char* manager;
        const char* last;      ///< applied in the client
        const char* since;     ///< what the object is now; "" when nobody changed it
        const char* now;       ///< applied in the server
        const char* conflict;  ///< "" when there is none
    } cases[] = {
        {"what only the client's apply has set is no conflict", "kubectl", R"({"color":"red","size":1})", "",
         R"({"color":"blue"})", ""},
        {"another name opts out", "me", R"({"color":"red"})", "", R"({"color":"blue"})",
         "conflict with \"kubectl-client-side-apply\" using lab.example.com/v1: .spec.color"},
        {"what somebody has changed since is one", "kubectl", R"({"color":"red","size":1})",
         R"({"color":"red","size":5})", R"({"color":"blue","size":6})",
         "conflict with \"ed\" using lab.example.com/v1: "
         ".spec.size"},
    };
    for (const auto& c : cases) {
        SCOPED_TRACE(c.reason);
        auto live = applied_in_client(c.last);
        if (*c.since) {
            auto changed = live;
            changed.get_object()["spec"] = parsed(c.since);
            track_update(live, changed, test::widget_type(), updater("ed", second));
            live = changed;
        }
        const auto done = apply(live, widget(c.now), test::widget_type(), applier(c.manager, second), false);
        if (*c.conflict) {
            ASSERT_FALSE(done);
            EXPECT_THAT(done.error().message, HasSubstr(c.conflict));
            EXPECT_EQ(done.error().causes.size(), 1u);
            continue;
        }
        ASSERT_TRUE(done) << done.error().message;
        EXPECT_EQ(find_text(*done, {"metadata", "annotations", "kubectl.kubernetes.io/last-applied-configuration"}),
                  to_text(widget(c.now)) + "\n")
            << "so that the client can go on applying";
        EXPECT_EQ(to_text(applied(*done, c.now, applier("kubectl", first))), to_text(*done)) << "and again is nothing";
    }
}

TEST(Apply, AnAnnotationThatIsNotOursGivesNoRights) {
    for (const auto* note : {"", "no JSON", "[]", R"({"apiVersion":"lab.example.com/v2","spec":{"color":"red"}})",
                             R"({"apiVersion":"lab.example.com/v1","spec":{"bogus":"red"}})"}) {
        SCOPED_TRACE(note);
        auto live = applied_in_client(R"({"color":"red"})");
        make_object(live, {"metadata", "annotations"})["kubectl.kubernetes.io/last-applied-configuration"] = note;
        const auto done = apply(live, widget(R"({"color":"blue"})"), test::widget_type(), applier("kubectl"), false);
        ASSERT_FALSE(done);
        EXPECT_EQ(done.error().reason, "Conflict");
    }
}

}  // namespace
}  // namespace ocim::api
