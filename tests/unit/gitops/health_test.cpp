#include "gitops/health.hpp"

#include <gtest/gtest.h>

namespace ocim::gitops {
namespace {

using State = Health::State;

TEST(Health, Table) {
    struct {
        const char* reason;
        const char* object;
        State state;
        const char* message;
    } const cases[] = {
        {"says nothing of itself", R"({"apiVersion":"v1","kind":"Secret"})", State::current, ""},
        {"ours, before its controller", R"({"apiVersion":"ocim.opencraft.com/v1alpha1","kind":"Instance"})",
         State::in_progress, "its controller has not seen it yet"},
        {"ready", R"({"status":{"conditions":[{"type":"Ready","status":"True"}]}})", State::current, ""},
        {"not ready",
         R"({"status":{"conditions":[{"type":"Ready","status":"False","reason":"Booting","message":"wait"}]}})",
         State::in_progress, "Booting: wait"},
        {"stalled",
         R"({"status":{"conditions":[{"type":"Ready","status":"False"},{"type":"Stalled","status":"True","reason":"Claimed"}]}})",
         State::failed, "Claimed"},
        {"of an older generation",
         R"({"metadata":{"generation":2},"status":{"observedGeneration":1,"conditions":[{"type":"Ready","status":"True"}]}})",
         State::in_progress, "its controller has not seen the newest version yet"},
        {"going", R"({"metadata":{"deletionTimestamp":"2026-01-01T00:00:00Z"}})", State::terminating,
         "it is being deleted"},
        {"too few", R"({"kind":"Deployment","spec":{"replicas":2},"status":{"readyReplicas":1,"updatedReplicas":2}})",
         State::in_progress, "1 of 2 replicas are ready"},
        {"enough", R"({"kind":"Deployment","spec":{"replicas":1},"status":{"readyReplicas":1,"updatedReplicas":1}})",
         State::current, ""},
        {"ended", R"({"kind":"Job","status":{"conditions":[{"type":"Complete","status":"True"}]}})", State::current,
         ""},
        {"failed",
         R"({"kind":"Job","status":{"conditions":[{"type":"Failed","status":"True","reason":"BackoffLimitExceeded"}]}})",
         State::failed, "BackoffLimitExceeded"},
        {"not a number", R"({"metadata":{"generation":"x"},"status":{"observedGeneration":{}}})", State::current, ""},
    };
    for (const auto& c : cases)
        EXPECT_EQ(health_of(api::parse_json(c.object)->value), (Health{c.state, c.message})) << c.reason;
}

}  // namespace
}  // namespace ocim::gitops
