#include "gitops/trial.hpp"

#include <gtest/gtest.h>

/// Whose an object is, and whose trouble a refusal.
namespace ocim::gitops {
namespace {

Json live(const std::string& metadata) {
    return api::parse_json(R"({"kind":"Deployment","metadata":)" + metadata + "}")->value;
}

std::string written_by(const std::string& manager, const std::string& fields, const std::string& subresource = "") {
    return R"({"managedFields":[{"manager":"kubectl","operation":"Update","fieldsV1":{"f:spec":{}}},{"manager":")" +
           manager + R"(","operation":"Apply",)" +
           (subresource.empty() ? "" : R"("subresource":")" + subresource + "\",") +
           R"("fieldsType":"FieldsV1","fieldsV1":)" + fields + "}]}";
}

TEST(Taken, IsWhatSomebodyElseKeeps) {
    const std::string spec = R"({"f:metadata":{"f:labels":{}},"f:spec":{"f:replicas":{}}})";
    const struct {
        const char* reason;
        std::string metadata, keeper;
    } cases[] = {
        {"nobody's", "{}", ""},
        {"ours", R"({"annotations":{"ocim.opencraft.com/git-source":"campus/fleet"}})", ""},
        {"another GitSource's", R"({"annotations":{"ocim.opencraft.com/git-source":"lab/fleet"}})",
         "the GitSource lab/fleet;"},
        {"of a Kustomization of Flux", R"({"labels":{"kustomize.toolkit.fluxcd.io/name":"apps"}})",
         "Flux (it has kustomize.toolkit.fluxcd.io/name in metadata.labels)"},
        {"of a HelmRelease of Flux", R"({"labels":{"helm.toolkit.fluxcd.io/name":"apps"}})",
         "Flux (it has helm.toolkit.fluxcd.io/name in metadata.labels)"},
        {"of Argo CD, by a label of its own", R"({"labels":{"argocd.argoproj.io/instance":"apps"}})", "Argo CD ("},
        {"of Argo CD, by annotation",
         R"({"annotations":{"argocd.argoproj.io/tracking-id":"apps:apps/Deployment:campus/web"}})",
         "Argo CD (it has argocd.argoproj.io/tracking-id in metadata.annotations)"},
        {"of Argo CD by its usual label", R"({"labels":{"app.kubernetes.io/instance":"web"}})", ""},
        {"of Argo CD by that and as a field manager",
         R"({"labels":{"app.kubernetes.io/instance":"web"},)" + written_by("argocd-controller", spec).substr(1),
         "Argo CD (argocd-controller is among its field managers)"},
        {"written by Flux's kustomize-controller", written_by("kustomize-controller", spec),
         "Flux (kustomize-controller is among its field managers)"},
        {"written by Flux's helm-controller", written_by("helm-controller", R"({"f:data":{}})"),
         "Flux (helm-controller is among its field managers)"},
        {"written by Helm itself", written_by("helm", spec), ""},
        {"one of Flux' own kinds, of which it tells how it stands",
         written_by("kustomize-controller", R"({"f:status":{}})", "status"), ""},
        {"the same without a subresource", written_by("helm-controller", R"({"f:status":{}})"), ""},
        {"and which it holds up until it has cleaned up",
         written_by("kustomize-controller", R"({"f:metadata":{"f:finalizers":{}}})"), ""},
        {"field managers that are none", R"({"managedFields":[1,{},{"manager":"argocd-controller","fieldsV1":[]}]})",
         ""},
    };
    const Manifest manifest{"apps/v1", {"apps", "Deployment", "campus", "web"}, {}, "a.yaml", 1};
    for (const auto& c : cases) {
        const auto taken = taken_by(manifest, live(c.metadata), "campus/fleet");
        EXPECT_EQ(taken.has_value(), !c.keeper.empty()) << c.reason << ": " << (taken ? taken->message : "");
        if (taken)
            EXPECT_TRUE(taken->message.starts_with("is kept by " + c.keeper)) << c.reason << ": " << taken->message;
    }
}

TEST(Fault, SaysWhoCanHelp) {
    const Manifest manifest{"v1", {"", "Secret", "campus", "key"}, {}, "a.yaml", 1};
    const auto says = [&](ErrorClass error_class, const std::string& words) {
        return fault_of(manifest, {error_class, words}).message;
    };
    EXPECT_EQ(says(ErrorClass::auth, "secrets is forbidden"),
              "secrets is forbidden; give the ServiceAccount that right, or name another in spec.serviceAccountName");
    // as Kubernetes says it
    const auto ours =
        says(ErrorClass::auth,
             "serviceaccounts \"fleet\" is forbidden: User \"system:serviceaccount:ocim-system:ocim\" cannot "
             "impersonate resource \"serviceaccounts\" in API group \"\" in the namespace \"campus\"");
    EXPECT_NE(ours.find("whoever installed ocim has to allow: gitops.enabled=true of its chart"), std::string::npos)
        << ours;
    EXPECT_NE(ours.find("in the namespace \"campus\""), std::string::npos) << ours;
    EXPECT_EQ(ours.find("spec.serviceAccountName"), std::string::npos) << "its author can do nothing: " << ours;
    EXPECT_EQ(says(ErrorClass::invalid, "hunter2 is too short").find("hunter2"), std::string::npos);
}

}  // namespace
}  // namespace ocim::gitops
