#include "net/http_request.hpp"

#include <gtest/gtest.h>

namespace ocim::net::wire {
namespace {

TEST(HttpRequest, IsSentOnlyAsItWasMeant) {
    const struct {
        const char *method, *target;
        bool fits;
    } cases[] = {{"GET", "/api?a=%20b", true},
                 {"GET", "", true},
                 {"PATCH", "?x", true},
                 {"GET", "api", false},
                 {"GET", "//elsewhere/", false},
                 {"GET", "/a b", false},
                 {"GET", "/a\r\nDELETE /b", false},
                 {"GET", "/\xc3\xa4", false},
                 {"GET /x HTTP/1.1\r\nX:", "/", false},
                 {"", "/", false}};
    for (const auto& c : cases) EXPECT_EQ(bool(check_request(c.method, c.target)), c.fits) << c.method << c.target;
}

TEST(HttpRequest, AHeaderHoldsNoLineEndAndIsNotShown) {
    EXPECT_TRUE(check_header("X-Key", "a \xc3\xa4\tb"));
    EXPECT_FALSE(check_header("X Key", "a"));
    EXPECT_FALSE(check_header("", "a"));
    const auto refused = check_header("X-Key", "sesame\r\nX-Other: b");
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().error_class, ErrorClass::invalid);
    EXPECT_EQ(refused.error().message.find("sesame"), std::string::npos) << refused.error().message;
}

}  // namespace
}  // namespace ocim::net::wire
