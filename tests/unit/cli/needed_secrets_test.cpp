#include "cli/needed_secrets.hpp"

#include <gtest/gtest.h>

namespace ocim::cli {
namespace {

api::Json json(const char* text) { return api::parse_json(text)->value; }

TEST(NeededSecrets, AreNamedByAnObjectWhereverThatSaysSoOrCarryAMarkOfOurs) {
    const auto words =
        words_in({json(R"({"spec":{"credentialsRef":{"name":"dns"},"users":[{"passwordRef":{"name":"db"}}]}})"),
                  json(R"({"status":{"secrets":["drawn"]}})")});
    struct {
        const char* reason;
        const char* secret;
        bool needed;
    } const cases[] = {
        {"named", R"({"metadata":{"name":"dns"}})", true},
        {"named in a list", R"({"metadata":{"name":"db"}})", true},
        {"named in a status", R"({"metadata":{"name":"drawn"}})", true},
        {"a word that is a key only", R"({"metadata":{"name":"credentialsRef"}})", false},
        {"somebody else's", R"({"metadata":{"name":"helm.v1"}})", false},
        {"annotated by us", R"({"metadata":{"name":"x","annotations":{"ocim.opencraft.com/retained":"true"}}})", true},
        {"annotated by others", R"({"metadata":{"name":"x","annotations":{"example.org/a":"ocim.opencraft.com"}}})",
         false},
        {"held by us", R"({"metadata":{"name":"x","finalizers":["ocim.opencraft.com/in-use"]}})", true},
        {"owned by ours",
         R"({"metadata":{"name":"x","ownerReferences":[{"apiVersion":"ocim.opencraft.com/v1alpha1","kind":"Instance"}]}})",
         true},
        {"owned by another's",
         R"({"metadata":{"name":"x","ownerReferences":[{"apiVersion":"apps/v1","kind":"Deployment"}]}})", false},
    };
    for (const auto& c : cases) EXPECT_EQ(is_needed(json(c.secret), words), c.needed) << c.reason;
}

}  // namespace
}  // namespace ocim::cli
