#include "api/object.hpp"

#include "api/conditions.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace ocim::api {
namespace {

enum class Colour { red, blue };
constexpr std::array<std::pair<Colour, std::string_view>, 2> enum_names(Colour) {
    return {std::pair(Colour::red, std::string_view("Red")), std::pair(Colour::blue, std::string_view("Blue"))};
}

struct Spec {
    std::string name;
    std::int64_t size = 7;
    std::int32_t port = 0;
    bool on = false;
    Colour colour = Colour::red;
    std::optional<std::string> note;
    std::vector<LocalRef> refs;
    std::map<std::string, std::string> words;
    Json extra;
    bool operator==(const Spec&) const = default;
    static constexpr std::array wire_names{
        std::string_view("name"), std::string_view("size"),   std::string_view("port"),
        std::string_view("on"),   std::string_view("colour"), std::string_view("note"),
        std::string_view("refs"), std::string_view("words"),  std::string_view("extra")};
    BOOST_DESCRIBE_CLASS(Spec, (), (name, size, port, on, colour, note, refs, words, extra), (), ())
};
struct Nothing {
    bool operator==(const Nothing&) const = default;
    static constexpr std::array<std::string_view, 0> wire_names{};
    BOOST_DESCRIBE_CLASS(Nothing, (), (), (), ())
};
struct Widget {
    static constexpr Kind kind{"lab.example.com", "v1", "Widget", "widgets"};
    Metadata metadata;
    Spec spec;
    Nothing status;
    bool operator==(const Widget&) const = default;
};

Json parsed(std::string_view text) { return parse_json(text)->value; }

TEST(Codec, WritesWhatIsThereAndLeavesOutWhatIsNot) {
    Widget widget;
    widget.metadata.name = "a";
    widget.metadata.labels["x"] = "y";
    widget.spec.name = "n";
    widget.spec.refs = {{"r"}};
    EXPECT_EQ(to_text(encode_object(widget)),
              R"({"apiVersion":"lab.example.com/v1","kind":"Widget","metadata":{"name":"a","labels":{"x":"y"}},)"
              R"("spec":{"name":"n","size":7,"port":0,"on":false,"colour":"Red","refs":[{"name":"r"}]}})");
}

TEST(Codec, ReadsBackWhatItWrote) {
    Widget widget;
    widget.metadata = {"a", "ns", "u-1", "12", 3, "2026-01-01T00:00:00Z", "", {{"l", "1"}}, {{"a", "2"}}, {"f"}, {}};
    widget.metadata.owner_references = {{"v1", "Owner", "o", "u-2", true, std::nullopt}};
    widget.spec = {"n", -5, 8080, true, Colour::blue, "", {{"r"}, {"s"}}, {{"k", ""}}, parsed(R"({"free":[1]})")};
    const auto again = decode_object<Widget>(encode_object(widget));
    ASSERT_TRUE(again) << again.error().message;
    EXPECT_EQ(*again, widget);
    EXPECT_EQ(again->metadata.key(), "ns/a");
}

TEST(Codec, ErrorsNameThePath) {
    const struct {
        const char* reason;
        const char* text;
        const char* message;  ///< "" when it decodes
    } cases[] = {
        {"a wrong type", R"({"spec":{"name":1}})", "spec.name: not a string: 1"},
        {"deep in a list", R"({"spec":{"refs":[{"name":"a"},{"name":{}}]}})", "spec.refs[1].name: not a string: {}"},
        {"in a map", R"({"spec":{"words":{"k":true}}})", "spec.words.k: not a string: true"},
        {"not a list", R"({"spec":{"refs":{}}})", "spec.refs: not an array"},
        {"not a map", R"({"spec":{"words":[]}})", "spec.words: not an object"},
        {"not an object", R"({"spec":[]})", "spec: not an object"},
        {"a fraction", R"({"spec":{"size":1.5}})", "spec.size: not an integer: 1.5"},
        {"a number in a string", R"({"spec":{"size":"1"}})", "spec.size: not an integer: \"1\""},
        {"beyond 32 bits", R"({"spec":{"port":2147483648}})", "spec.port: not an integer of 32 bits: 2147483648"},
        {"an unknown word", R"({"spec":{"colour":"Green"}})", "spec.colour: unknown value \"Green\""},
        {"a word of another type", R"({"spec":{"colour":1}})", "spec.colour: unknown value 1"},
        {"metadata", R"({"metadata":{"labels":{"a":1}}})", "metadata.labels.a: not a string: 1"},
        {"null is absent", R"({"spec":{"name":null,"size":null,"refs":null,"note":null}})", ""},
        {"unknown fields are no concern of the codec", R"({"spec":{"other":1}})", ""},
        {"a whole float is an integer", R"({"spec":{"size":2.0}})", ""},
    };
    for (const auto& c : cases) {
        const auto widget = decode_object<Widget>(parsed(c.text));
        EXPECT_EQ(widget ? "" : widget.error().message, c.message) << c.reason;
    }
}

TEST(Codec, ReadsASizeThatOurOwnCodeWrote) {
    Json object(json::object{{"spec", json::object{{"size", std::size_t{3}}, {"port", std::size_t{80}}}}});
    const auto widget = decode_object<Widget>(object);
    ASSERT_TRUE(widget) << widget.error().message;
    EXPECT_EQ(widget->spec.size, 3);
    EXPECT_EQ(widget->spec.port, 80);
    object.as_object()["spec"].as_object()["size"] = std::uint64_t(-1);
    EXPECT_FALSE(decode_object<Widget>(object)) << "more than fits";
}

TEST(Conditions, TheTransitionTimeMovesWithTheStatusOnly) {
    const auto at = [](int second) { return *parse_rfc3339("2026-01-01T00:00:0" + std::to_string(second) + "Z"); };
    std::vector<Condition> conditions;
    EXPECT_TRUE(set_condition(conditions, {"Ready", "False", "Waiting", "for x", "ignored", 1}, at(1)));
    EXPECT_FALSE(set_condition(conditions, {"Ready", "False", "Waiting", "for x", "", 1}, at(2))) << "nothing new";
    EXPECT_TRUE(set_condition(conditions, {"Ready", "False", "Failed", "for y", "", 2}, at(3)));
    EXPECT_EQ(conditions[0], (Condition{"Ready", "False", "Failed", "for y", "2026-01-01T00:00:01Z", 2}));
    EXPECT_FALSE(is_true(conditions, "Ready"));
    EXPECT_TRUE(set_condition(conditions, {"Ready", "True", "Done", "", "", 2}, at(4)));
    EXPECT_TRUE(set_condition(conditions, {"Stalled", "True", "X", "", "", 2}, at(5)));
    EXPECT_EQ(conditions[0], (Condition{"Ready", "True", "Done", "", "2026-01-01T00:00:04Z", 2}));
    EXPECT_TRUE(is_true(conditions, "Ready"));
    EXPECT_TRUE(remove_condition(conditions, "Stalled"));
    EXPECT_FALSE(remove_condition(conditions, "Stalled"));
    EXPECT_EQ(find_condition(conditions, "Stalled"), nullptr);
}

}  // namespace
}  // namespace ocim::api
