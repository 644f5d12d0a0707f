#include "base/limits.hpp"
#include "net/http_client.hpp"

#include <gtest/gtest.h>

namespace ocim::net {
namespace {

using namespace std::chrono_literals;

// 2026-11-22 10:00:00 UTC
const WallTime now{std::chrono::sys_days{std::chrono::year{2026} / 11 / 22} + 10h};

TEST(ClassOf, SaysWhatTheCallerShouldDo) {
    struct {
        const char* reason;
        unsigned status;
        ErrorClass error_class;
    } const cases[] = {
        {"a malformed request stays malformed", 400, ErrorClass::invalid},
        {"nor does this path take that method later", 405, ErrorClass::invalid},
        {"understood and refused", 422, ErrorClass::invalid},
        {"no or wrong credentials", 401, ErrorClass::auth},
        {"credentials without the right", 403, ErrorClass::auth},
        {"what was addressed is not there", 404, ErrorClass::not_found},
        {"and never comes back", 410, ErrorClass::not_found},
        {"somebody was faster", 409, ErrorClass::conflict},
        {"a precondition no longer holds", 412, ErrorClass::conflict},
        {"too fast", 429, ErrorClass::rate_limited},
        {"its own trouble", 500, ErrorClass::transient},
        {"a proxy's trouble", 503, ErrorClass::transient},
        {"a redirect is not followed, and may go away", 301, ErrorClass::transient},
        {"unheard of: terminal must be argued for", 451, ErrorClass::transient},
    };
    for (const auto& c : cases) EXPECT_EQ(class_of(c.status), c.error_class) << c.reason;
}

TEST(RetryAfter, ReadsEveryForm) {
    struct {
        const char* reason;
        const char* header;
        std::optional<Duration> wait;
    } const cases[] = {
        {"seconds", "120", 120s},
        {"at once", "0", 0s},
        {"the date of today's servers", "Sun, 22 Nov 2026 10:00:30 GMT", 30s},
        {"RFC 850", "Sunday, 22-Nov-26 10:00:30 GMT", 30s},
        {"asctime", "Sun Nov 22 10:00:30 2026", 30s},
        {"a date gone by", "Sun, 22 Nov 2026 09:00:00 GMT", 0s},
        {"more than we would wait", "999999", limits::retry_after_max},
        {"more than fits a number", "99999999999999999999", limits::retry_after_max},
        {"a date far away", "Sun, 22 Nov 2099 10:00:30 GMT", limits::retry_after_max},
        {"not a time", "soon", std::nullopt},
        {"a negative number is not of the grammar", "-5", std::nullopt},
        {"rubbish behind a date", "Sun, 22 Nov 2026 10:00:30 GMT!", std::nullopt},
        {"nothing", "", std::nullopt},
    };
    for (const auto& c : cases) {
        HttpReply reply;
        reply.headers["retry-after"] = c.header;
        EXPECT_EQ(retry_after(reply, now), c.wait) << c.reason;
    }
    EXPECT_EQ(retry_after(HttpReply(), now), std::nullopt) << "no header";
}

TEST(ExpectSuccess, KeepsWhatAPersonNeeds) {
    const auto error_of = [](HttpReply reply) { return expect_success(reply, now).error(); };
    EXPECT_TRUE(expect_success({204, {}, ""}, now));

    EXPECT_EQ(error_of({404, {}, "no such zone"}), (Error{ErrorClass::not_found, "answered 404: no such zone"}));
    EXPECT_EQ(error_of({429, {{"retry-after", "7"}}, ""}), (Error{ErrorClass::rate_limited, "answered 429", 7s}));
    EXPECT_EQ(error_of({502, {}, "bad\r\n\tgateway\x7F"}),
              (Error{ErrorClass::transient, "answered 502: bad   gateway ", std::nullopt, true}))
        << "one line, and the work may have been done";
    EXPECT_EQ(error_of({301, {{"location", "https://elsewhere/"}}, ""}),
              (Error{ErrorClass::transient, "answered 301 (redirects are not followed: https://elsewhere/)"}));
    EXPECT_EQ(error_of({400, {}, std::string(400, 'x')}).message.size(), std::string("answered 400: ").size() + 300);
    EXPECT_EQ(error_of({400, {}, std::string(296, 'x') + "éxxxx"}).message,
              "answered 400: " + std::string(296, 'x') + "...")
        << "no half character";
    EXPECT_EQ(error_of({400, {}, "caf\xe9"}).message, "answered 400: caf\ufffd") << "no byte that is not UTF-8";
}

TEST(PercentEncode, LeavesOnlyUnreservedCharacters) {
    EXPECT_EQ(percent_encode("AZaz09-._~"), "AZaz09-._~");
    EXPECT_EQ(percent_encode("/a b?c=d&e%#"), "%2Fa%20b%3Fc%3Dd%26e%25%23");
    EXPECT_EQ(percent_encode("ü"), "%C3%BC");
    EXPECT_EQ(percent_encode(std::string("\0\n", 2)), "%00%0A");
}

}  // namespace
}  // namespace ocim::net
