#include "gitops/manifest.hpp"

#include "gitops/limits.hpp"

#include <gtest/gtest.h>

namespace ocim::gitops {
namespace {

const std::map<KindName, Scope> served{{{"ocim.opencraft.com/v1alpha1", "Instance"}, {true}},
                                       {{"ocim.opencraft.com/v1alpha1", "InstanceClass"}, {false}},
                                       {{"v1", "Secret"}, {true}},
                                       {{"v1", "Namespace"}, {false}},
                                       {{"apiextensions.k8s.io/v1", "CustomResourceDefinition"}, {false}}};

std::string instance(const std::string& name, const std::string& more = "") {
    return "apiVersion: ocim.opencraft.com/v1alpha1\nkind: Instance\nmetadata: {name: " + name + more +
           "}\nspec: {className: sandbox}\n";
}

std::vector<std::string> names(const Manifests& manifests) {
    std::vector<std::string> out;
    for (const auto& one : manifests.items) out.push_back(one.id.text());
    return out;
}

using Texts = std::vector<std::string>;

TEST(Manifests, AreReadFromEveryDocumentAndPlaced) {
    const auto read =
        read_manifests({{"a/one.yaml", "---\n" + instance("demo") + "---\n" + instance("other", ", namespace: x")},
                        {"b.json", R"({"apiVersion":"v1","kind":"Namespace","metadata":{"name":"x"}})"}});
    ASSERT_TRUE(read.faults.empty()) << read.faults.front().text();
    const auto out = placed(read, served, "campus");
    ASSERT_TRUE(out.faults.empty());
    EXPECT_EQ(names(out), (Texts{"Namespace x", "Instance campus/demo", "Instance x/other"}))
        << "what others need is first";
    EXPECT_EQ(out.items[1].file, "a/one.yaml");
    EXPECT_EQ(out.items[2].document, 2U);
    EXPECT_EQ(api::find_text(out.items[1].object, {"metadata", "namespace"}), "campus");
}

TEST(Manifests, OfAListAreTakenApart) {
    const auto read =
        read_manifests({{"l.yaml",
                         "apiVersion: v1\nkind: List\nitems:\n- {apiVersion: v1, kind: Secret, metadata: {name: a}}\n"
                         "- {apiVersion: v1, kind: Secret, metadata: {name: b}}\n"}});
    EXPECT_TRUE(read.faults.empty());
    EXPECT_EQ(names(placed(read, served, "n")), (Texts{"Secret n/a", "Secret n/b"}));
}

TEST(Manifests, LoseWhatOnlyAServerWrites) {
    const auto read =
        read_manifests({{"x.yaml",
                         "apiVersion: v1\nkind: Secret\nmetadata: {name: a, uid: u, resourceVersion: '7', "
                         "creationTimestamp: null, generation: 3, managedFields: []}\nstatus: {phase: x}\n"}});
    ASSERT_EQ(read.items.size(), 1U);
    EXPECT_EQ(api::to_text(read.items[0].object), R"({"apiVersion":"v1","kind":"Secret","metadata":{"name":"a"}})");
}

TEST(Manifests, ThatAreNoneAreFaultsWithPlaceAndNextStep) {
    struct {
        const char* reason;
        File file;
        std::string text;
    } const cases[] = {
        {"no mapping",
         {"a.yaml", "- 1\n"},
         "a.yaml, document 1: is no object; a manifest has apiVersion, kind and metadata"},
        {"second document",
         {"a.yaml", instance("x") + "---\nkind: Instance\n"},
         "a.yaml, document 2, Instance, apiVersion: is missing; every manifest names one"},
        {"no kind",
         {"Chart.yaml", "apiVersion: v2\nname: x\n"},
         "Chart.yaml, document 1, kind: is missing; every manifest names one"},
        {"no name",
         {"a.yaml", "apiVersion: v1\nkind: Secret\nmetadata: {}\n"},
         "a.yaml, document 1, Secret, metadata.name: is missing; give it a name"},
        {"another one each time",
         {"a.yaml", "apiVersion: v1\nkind: Secret\nmetadata: {generateName: x-}\n"},
         "a.yaml, document 1, Secret, metadata.generateName: makes another object each time; give it a name"},
        {"Kustomize",
         {"kustomization.yaml",
          "apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\nresources: [a.yaml]\n"},
         "kustomization.yaml, document 1, Kustomization, kind: is for Kustomize, which is not run here; commit what it "
         "renders"},
        {"SOPS",
         {"s.yaml", "apiVersion: v1\nkind: Secret\nmetadata: {name: a}\ndata: {a: ENC}\nsops: {mac: x}\n"},
         "s.yaml, document 1, Secret, sops: is encrypted with SOPS, which is not supported; keep this Secret "
         "elsewhere"},
        {"a key twice",
         {"a.yaml", "apiVersion: v1\nkind: Secret\nmetadata: {name: a}\ndata: {}\ndata: {}\n"},
         "a.yaml, document 1, data: is there twice; leave one of them"},
        {"a number",
         {"a.yaml", "apiVersion: v1\nkind: Secret\nmetadata: {name: a, namespace: 7}\n"},
         "a.yaml, document 1, Secret a, metadata.namespace: is no text; quote it"},
        {"a version that ends the request's target",
         {"a.yaml", "apiVersion: \"v1 HTTP/1.1\\r\\nX: y\"\nkind: Secret\nmetadata: {name: a}\n"},
         "a.yaml, document 1, Secret, apiVersion: \"v1 HTTP/1.1  X: y\" is none; write it as v1 or apps/v1"},
        {"a version that is another path",
         {"a.yaml", "apiVersion: apps/v1/namespaces\nkind: Secret\nmetadata: {name: a}\n"},
         "a.yaml, document 1, Secret, apiVersion: \"apps/v1/namespaces\" is none; write it as v1 or apps/v1"},
        {"a version without a group",
         {"a.yaml", "apiVersion: /v1\nkind: Secret\nmetadata: {name: a}\n"},
         "a.yaml, document 1, Secret, apiVersion: \"/v1\" is none; write it as v1 or apps/v1"},
        {"a group without a version",
         {"a.yaml", "apiVersion: apps/\nkind: Secret\nmetadata: {name: a}\n"},
         "a.yaml, document 1, Secret, apiVersion: \"apps/\" is none; write it as v1 or apps/v1"},
        {"a kind that is a path",
         {"a.yaml", "apiVersion: v1\nkind: Secret/../x\nmetadata: {name: a}\n"},
         "a.yaml, document 1, kind: \"Secret/../x\" is none; it has letters and digits only, as ConfigMap"},
        {"a kind that is a number",
         {"a.yaml", "apiVersion: v1\nkind: '7'\nmetadata: {name: a}\n"},
         "a.yaml, document 1, kind: \"7\" is none; it has letters and digits only, as ConfigMap"},
    };
    for (const auto& c : cases) {
        const auto read = read_manifests({c.file});
        ASSERT_EQ(read.faults.size(), 1U) << c.reason;
        EXPECT_EQ(read.faults[0].text(), c.text) << c.reason;
    }
}

TEST(Manifests, ThatCannotBeParsedNameTheFileAndTheLineButNotTheText) {
    const auto read = read_manifests({{"good.yaml", instance("a")}, {"bad.yaml", "apiVersion: v1\nkey: [hunter2\n"}});
    EXPECT_EQ(read.items.size(), 1U);
    ASSERT_EQ(read.faults.size(), 1U);
    EXPECT_TRUE(read.faults[0].text().starts_with("bad.yaml: ")) << read.faults[0].text();
    EXPECT_NE(read.faults[0].message.find("line "), std::string::npos) << read.faults[0].text();
    EXPECT_EQ(read.faults[0].message.find("hunter2"), std::string::npos);
}

TEST(Faults, AreOneBoundedLine) {
    const Fault fault{"a.yaml", 1, "Secret a", "data", "first\nsecond" + std::string(5'000, 'x')};
    EXPECT_TRUE(fault.text().starts_with("a.yaml, document 1, Secret a, data: first second"));
    EXPECT_EQ(fault.text().size(), limits::fault_bytes_max);
}

TEST(Manifests, OfUnknownKindsAndTwiceTheSameAreFaults) {
    const auto read = read_manifests(
        {{"a.yaml", instance("demo")},
         {"b.yaml", instance("demo", ", namespace: campus")},
         {"c.yaml", "apiVersion: lab.example.com/v1\nkind: Widget\nmetadata: {name: w}\n"},
         {"d.yaml",
          "apiVersion: ocim.opencraft.com/v1alpha1\nkind: InstanceClass\nmetadata: {name: c, namespace: x}\n"}});
    const auto out = placed(read, served, "campus");
    Texts faults;
    for (const auto& fault : out.faults) faults.push_back(fault.text());
    EXPECT_EQ(
        faults,
        (Texts{
            "b.yaml, document 1, Instance campus/demo: is described in a.yaml, document 1 too; leave one of them",
            "c.yaml, document 1, Widget w, kind: the API serves no Widget of lab.example.com/v1; mend it, or add the "
            "CustomResourceDefinition to the repository",
            "d.yaml, document 1, InstanceClass x/c, metadata.namespace: InstanceClass is in no namespace; take the "
            "field out"}));
    EXPECT_EQ(names(out), (Texts{"Instance campus/demo"}));
}

TEST(Manifests, OfKindsThatTheCommitItselfDefinesStay) {
    const auto read = read_manifests(
        {{"a.yaml", "apiVersion: lab.example.com/v1\nkind: Widget\nmetadata: {name: w}\n"},
         {"crd.yaml",
          "apiVersion: apiextensions.k8s.io/v1\nkind: CustomResourceDefinition\nmetadata: {name: "
          "widgets.lab.example.com}\n"
          "spec: {group: lab.example.com, scope: Cluster, names: {kind: Widget}, versions: [{name: v1}]}\n"}});
    const auto out = placed(read, served, "campus");
    EXPECT_TRUE(out.faults.empty());
    EXPECT_EQ(names(out), (Texts{"CustomResourceDefinition widgets.lab.example.com", "Widget w"}));
}

TEST(Manifests, AreNoMoreThanTheInventoryHolds) {
    std::string text;
    for (std::size_t i = 0; i <= limits::manifests_max; ++i) text += "---\n" + instance("i" + std::to_string(i));
    const auto read = read_manifests({{"many.yaml", text}});
    EXPECT_EQ(read.items.size(), limits::manifests_max);
    ASSERT_EQ(read.faults.size(), 1U);
    EXPECT_NE(read.faults[0].message.find("one object too many"), std::string::npos);
}

TEST(Rank, PutsFirstWhatOthersNeed) {
    constexpr std::string_view ours = "ocim.opencraft.com";
    EXPECT_LT(rank("", "Namespace"), rank("", "Secret"));
    EXPECT_LT(rank("", "Secret"), rank(ours, "Cloud"));
    EXPECT_LT(rank(ours, "Cloud"), rank(ours, "InstanceClass"));
    EXPECT_LT(rank(ours, "InstanceClass"), rank(ours, "Instance"));
    EXPECT_LT(rank("apps", "Deployment"), rank("admissionregistration.k8s.io", "ValidatingWebhookConfiguration"));
}

}  // namespace
}  // namespace ocim::gitops
