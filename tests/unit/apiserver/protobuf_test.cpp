#include "apiserver/protobuf.hpp"

#include <gtest/gtest.h>

using namespace ocim;

namespace {

std::string unhex(std::string_view text) {
    std::string out;
    for (std::size_t i = 0; i + 1 < text.size(); i += 2)
        out += static_cast<char>(std::stoi(std::string(text.substr(i, 2)), nullptr, 16));
    return out;
}

std::string said(std::string_view hex) {
    const auto decoded = apiserver::decode_protobuf(unhex(hex));
    return decoded ? api::to_text(*decoded) : "error: " + decoded.error().message;
}

// The bytes are those that kubectl 1.35 sends.
TEST(Protobuf, ReadsWhatKubectlSends) {
    const struct {
        const char *command, *hex, *expected;
    } cases[] = {
        {"create namespace lab",
         "6b3873000a0f0a02763112094e616d657370616365121b0a130a036c616212001a0022002a0032003800420012001a020a001a002200",
         R"({"metadata":{"name":"lab"},"spec":{},"status":{},"apiVersion":"v1","kind":"Namespace"})"},
        {"create secret generic s --from-literal=a=b --type=Opaque",
         "6b3873000a0c0a027631120653656372657412260a140a017312001a036c616222002a0032003800420012060a01611201621a064f706"
         "17175651a002200",
         R"({"metadata":{"name":"s","namespace":"lab"},"data":{"a":"Yg=="},"type":"Opaque","apiVersion":"v1","kind":"Secret"})"},
        {"create configmap c --from-literal=k=v",
         "6b3873000a0f0a0276311209436f6e6669674d6170121e0a140a016312001a036c616222002a0032003800420012060a016b1201761a0"
         "02200",
         R"({"metadata":{"name":"c","namespace":"lab"},"data":{"k":"v"},"apiVersion":"v1","kind":"ConfigMap"})"},
        {"create serviceaccount sa",
         "6b3873000a140a027631120e536572766963654163636f756e7412170a150a02736112001a036c616222002a003200380042001a00220"
         "0",
         R"({"metadata":{"name":"sa","namespace":"lab"},"apiVersion":"v1","kind":"ServiceAccount"})"},
        {"auth can-i get pods",
         "6b3873000a320a17617574686f72697a6174696f6e2e6b38732e696f2f7631121753656c665375626a656374416363657373526576696"
         "577123c0a100a0012001a0022002a00320038004200121e0a1c0a0764656661756c7412036765741a0022002a04706f647332003a001a"
         "08080012001a0020001a002200",
         R"({"metadata":{},"spec":{"resourceAttributes":{"namespace":"default","verb":"get","resource":"pods"}},"apiVersion":"authorization.k8s.io/v1","kind":"SelfSubjectAccessReview"})"},
        {"auth whoami",
         "6b3873000a2d0a1861757468656e7469636174696f6e2e6b38732e696f2f7631121153656c665375626a656374526576696577121a0a1"
         "00a0012001a0022002a0032003800420012060a040a0012001a002200",
         R"({"metadata":{},"apiVersion":"authentication.k8s.io/v1","kind":"SelfSubjectReview"})"},

    };
    for (const auto& c : cases) EXPECT_EQ(said(c.hex), c.expected) << c.command;
}

TEST(Protobuf, RefusesWhatItIsNot) {
    EXPECT_EQ(said(""), "error: the body is not a Kubernetes protobuf message");
    EXPECT_EQ(said("7b7d"), "error: the body is not a Kubernetes protobuf message") << "JSON";
    EXPECT_EQ(said("6b387300ffff"), "error: the body is not a Kubernetes protobuf message") << "cut off";
    EXPECT_EQ(said("6b3873000a090a0276311203506f64"),
              "error: no protobuf is known for kind \"Pod\" in \"v1\": send JSON");
}

TEST(Protobuf, ReadsOptionsOfADelete) {
    // {gracePeriodSeconds: 0, preconditions: {uid: "u"}, propagationPolicy: "Background"}, sent with any version
    EXPECT_EQ(said("6b3873000a130a02763112"
                   "0d44656c6574654f7074696f6e73"
                   "1213"
                   "0800"
                   "12030a0175"
                   "220a4261636b67726f756e64"),
              R"({"gracePeriodSeconds":0,"preconditions":{"uid":"u"},"propagationPolicy":"Background",)"
              R"("apiVersion":"v1","kind":"DeleteOptions"})");
}

}  // namespace
