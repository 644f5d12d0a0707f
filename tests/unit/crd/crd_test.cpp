#include "widgets.hpp.expected"

#include "api/yaml.hpp"

#include <gtest/gtest.h>

namespace ocim::crd {
namespace {

api::Json yaml(std::string_view text) { return api::parse_yaml(text)->value; }

TEST(GeneratedType, DecodesWhatIsThereAndDefaultsTheRest) {
    const auto widget = api::decode_object<Widget>(yaml(R"(
apiVersion: test.example.com/v2
kind: Widget
metadata: {name: w}
spec:
  name: one
  secretRef: {name: s, key: k}
  size: 4
  rules: [{protocol: udp}]
  port: "80"
  empty: {}
)"));
    ASSERT_TRUE(widget) << widget.error().message;
    Widget expected;
    expected.metadata.name = "w";
    expected.spec.name = "one";
    expected.spec.secret_ref = {"s", "k"};
    expected.spec.size = 4;
    expected.spec.rules = {{Widget::Spec::Rule::Protocol::udp, std::nullopt}};
    expected.spec.port = "80";
    expected.spec.empty.emplace();
    EXPECT_EQ(*widget, expected);
    EXPECT_EQ(widget->spec.color, Widget::Spec::Color::dark_blue);
    EXPECT_EQ(widget->spec.ttl_seconds, 300);
    EXPECT_EQ(widget->spec.limits.requests_per_second, 10);
}

TEST(GeneratedType, ComesBackAsItWent) {
    Widget widget;
    widget.metadata.name = "w";
    widget.spec.name = "one";
    widget.spec.secret_ref = {"s", "k"};
    widget.spec.color = Widget::Spec::Color::_2_d;
    widget.spec.default_ = "x";
    widget.spec.limit_bytes = 1LL << 40;
    widget.spec.tags = {"a", "b"};
    widget.spec.labels = {{"k", "v"}};
    widget.spec.extra = yaml("{deep: [{er: 1}]}");
    const auto again = api::decode_object<Widget>(api::encode_object(widget));
    ASSERT_TRUE(again) << again.error().message;
    EXPECT_EQ(*again, widget);
}

TEST(GeneratedType, RefusesWithThePath) {
    const std::pair<const char*, const char*> cases[] = {
        {"{spec: {color: Green}}", "spec.color: unknown value \"Green\""},
        {"{spec: {rules: [{protocol: tcp}, {protocol: icmp}]}}", "spec.rules[1].protocol: unknown value \"icmp\""},
    };
    for (const auto& [text, refusal] : cases) {
        const auto widget = api::decode_object<Widget>(yaml(text));
        ASSERT_FALSE(widget) << text;
        EXPECT_EQ(widget.error().message, refusal);
        EXPECT_EQ(widget.error().error_class, ErrorClass::invalid);
    }
}

}  // namespace
}  // namespace ocim::crd
