#include "apiserver/negotiate.hpp"

#include <gtest/gtest.h>

using namespace ocim::apiserver;

namespace {

constexpr auto table =
    "application/json;as=Table;v=v1;g=meta.k8s.io,application/json;as=Table;v=v1beta1;g=meta.k8s.io,application/json";

std::string said(std::string_view accept) {
    const auto format = negotiate(accept);
    if (!format) return std::to_string(format.error().code);
    switch (format->shape) {
        case Format::Shape::object: return "object";
        case Format::Shape::table: return "table " + format->version;
        case Format::Shape::partial: return "partial " + format->version;
    }
    return "";
}

TEST(Negotiate, TakesTheFirstThatItCanMake) {
    const struct {
        const char *reason, *accept, *expected;
    } cases[] = {
        {"nothing said", "", "object"},
        {"anything", "*/*", "object"},
        {"kubectl get", table, "table v1"},
        {"an older kubectl", "application/json;as=Table;v=v1beta1;g=meta.k8s.io, application/json", "table v1beta1"},
        {"a version of tables that is not known", "application/json;as=Table;v=v9;g=meta.k8s.io,application/json",
         "object"},
        {"metadata informers", "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1", "partial v1"},
        {"protobuf if possible", "application/vnd.kubernetes.protobuf,application/json", "object"},
        {"protobuf only", "application/vnd.kubernetes.protobuf", "406"},
        {"quality decides", "application/json;q=0.5,application/json;as=Table;v=v1;g=meta.k8s.io;q=0.9", "table v1"},
        {"refused by quality", "application/json;q=0", "406"},
        {"upper case and blanks", " Application/JSON ; charset=utf-8", "object"},
    };
    for (const auto& c : cases) EXPECT_EQ(said(c.accept), c.expected) << c.reason;
}

TEST(Negotiate, FindsAggregatedDiscovery) {
    EXPECT_EQ(
        negotiate_discovery("application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList,application/json"),
        "v2");
    EXPECT_EQ(negotiate_discovery("application/json;g=apidiscovery.k8s.io;v=v2beta1;as=APIGroupDiscoveryList"),
              "v2beta1");
    EXPECT_EQ(negotiate_discovery("application/json"), "") << "an old client";
    EXPECT_EQ(negotiate_discovery(""), "");
}

TEST(Negotiate, ReadsContentTypes) {
    EXPECT_EQ(body_type(""), BodyType::json) << "kubectl 1.20 says nothing";
    EXPECT_EQ(body_type("application/json; charset=utf-8"), BodyType::json);
    EXPECT_EQ(body_type("application/apply-patch+yaml"), BodyType::apply_patch);
    EXPECT_EQ(body_type("text/html"), BodyType::other);
}

TEST(Negotiate, ReadsEncodings) {
    EXPECT_TRUE(accepts_gzip("gzip"));
    EXPECT_TRUE(accepts_gzip("br, gzip;q=0.5"));
    EXPECT_FALSE(accepts_gzip("br, gzip;q=0"));
    EXPECT_FALSE(accepts_gzip(""));
}

}  // namespace
