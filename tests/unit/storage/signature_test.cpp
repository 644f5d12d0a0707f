#include "storage/signature.hpp"

#include <gtest/gtest.h>

namespace ocim::storage {
namespace {

/// The examples of "Authenticating Requests: Using the Authorization Header" in Amazon S3's API reference.
TEST(Signature, IsWhatAmazonsExamplesSay) {
    const AwsKey key{"AKIAIOSFODNN7EXAMPLE", Secret("wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"), "us-east-1", "s3"};
    const auto now = parse_rfc3339("2013-05-24T00:00:00Z");
    ASSERT_TRUE(now);
    const struct {
        const char *reason, *method, *target;
        std::map<std::string, std::string> headers;
        const char *body, *names, *signature;
    } cases[] = {
        {"GET object",
         "GET",
         "/test.txt",
         {{"Range", "bytes=0-9"}},
         "",
         "host;range;x-amz-content-sha256;x-amz-date",
         "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41"},
        {"PUT object",
         "PUT",
         "/test%24file.text",
         {{"Date", "Fri, 24 May 2013 00:00:00 GMT"}, {"x-amz-storage-class", "REDUCED_REDUNDANCY"}},
         "Welcome to Amazon S3.",
         "date;host;x-amz-content-sha256;x-amz-date;x-amz-storage-class",
         "98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd"},
        {"GET bucket lifecycle: a query without a value",
         "GET",
         "/?lifecycle",
         {},
         "",
         "host;x-amz-content-sha256;x-amz-date",
         "fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543"},
        {"GET bucket: a query out of order",
         "GET",
         "/?prefix=J&max-keys=2",
         {},
         "",
         "host;x-amz-content-sha256;x-amz-date",
         "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7"},
    };
    for (const auto& c : cases) {
        SCOPED_TRACE(c.reason);
        net::HttpRequest request;
        request.method = c.method;
        request.target = c.target;
        request.headers = c.headers;
        request.body = c.body;
        sign(request, "examplebucket.s3.amazonaws.com", key, *now);
        EXPECT_EQ(request.headers["x-amz-date"], "20130524T000000Z");
        EXPECT_EQ(request.secret_headers["Authorization"].reveal(),
                  std::string("AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request,") +
                      "SignedHeaders=" + c.names + ",Signature=" + c.signature);
    }
}

TEST(Signature, DigestsAreThoseOfTheStandards) {
    EXPECT_EQ(sha256_hex(""), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    EXPECT_EQ(md5_base64(""), "1B2M2Y8AsgTpgAmY7PhCfg==");
}

}  // namespace
}  // namespace ocim::storage
