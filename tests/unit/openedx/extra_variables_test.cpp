#include "campus.hpp"
#include "runtime/base64.hpp"

#include <gtest/gtest.h>

namespace ocim::openedx::test {
namespace {

TEST(ExtraVariables, OfTheClassComeFirstThenTheInstancesThenThoseOfSecretsInOrder) {
    Campus campus;
    campus.of_class.spec.configuration.extra_vars = {
        {"A", "class"},
        {"B", "class"},
        {"C", "class"},
        {"D", "class"},
        {"EDXAPP_PLATFORM_NAME", "class"},
        {"EDXAPP_FEATURES", {{"OF_CLASS", 1}, {"CERTIFICATES_ENABLED", false}}}};
    auto& own = campus.instance.spec.configuration.emplace();
    own.extra_vars = {{"B", "own"}, {"C", "own"}, {"D", "own"}, {"EDXAPP_FEATURES", {{"OWN", 2}}}};
    own.extra_vars_from.push_back({{"one"}});
    own.extra_vars_from.push_back({{"two"}});
    campus.others.push_back(secret("campus", "one", {{"a", "C: one\nD: one\n"}}));
    campus.others.push_back(secret("campus", "two", {{"a", "D: two\n"}}));
    campus.settle();
    const auto document =
        runtime::from_base64(api::find_text(*campus.child("Secret", "demo-configuration"), {"data", "variables.yml"}));
    ASSERT_TRUE(document);
    for (const auto* line : {"\"A\": \"class\"\n", "\"B\": \"own\"\n", "\"C\": \"one\"\n", "\"D\": \"two\"\n",
                             "\"EDXAPP_PLATFORM_NAME\": \"class\"\n", "\"OF_CLASS\": 1", "\"OWN\": 2",
                             "\"CERTIFICATES_ENABLED\": false", "\"CERTIFICATES_HTML_VIEW\": true"})
        EXPECT_NE(document->find(line), std::string::npos) << line;
}

}  // namespace
}  // namespace ocim::openedx::test
