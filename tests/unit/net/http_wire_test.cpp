#include "net/http_wire.hpp"

#include <gtest/gtest.h>

namespace ocim::net::wire {
namespace {

TEST(Wire, WritesAHead) {
    struct {
        const char* reason;
        Head head;
        std::string text;
    } const cases[] = {
        {"a plain reply", {.status = 200, .length = 5}, "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n"},
        {"the last one of its connection",
         {.status = 404, .keep_alive = false},
         "HTTP/1.1 404 Not Found\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"},
        {"an old client is told that it may stay",
         {.status = 200, .old_client = true},
         "HTTP/1.1 200 OK\r\nConnection: keep-alive\r\nContent-Length: 0\r\n\r\n"},
        {"chunks", {.framing = Framing::chunked}, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"},
        {"until the end", {.framing = Framing::until_end}, "HTTP/1.1 200 OK\r\n\r\n"},
        {"204 has no body", {.status = 204, .length = 7}, "HTTP/1.1 204 No Content\r\n\r\n"},
        {"304 has no body", {.status = 304, .framing = Framing::chunked}, "HTTP/1.1 304 Not Modified\r\n\r\n"},
        {"a status nobody knows", {.status = 299}, "HTTP/1.1 299 \r\nContent-Length: 0\r\n\r\n"},
        {"a date", {.date = "Sun"}, "HTTP/1.1 200 OK\r\nDate: Sun\r\nContent-Length: 0\r\n\r\n"},
        {"a value cannot end its line",
         {.headers = {{"Warning", "299 - \"a\r\nX: y\""}}},
         "HTTP/1.1 200 OK\r\nWarning: 299 - \"a  X: y\"\r\nContent-Length: 0\r\n\r\n"},
        {"what frames the body is ours alone",
         {.headers = {{"content-LENGTH", "9"}, {"Transfer-Encoding", "gzip"}, {"Connection", "upgrade"}}},
         "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"},
    };
    for (const auto& c : cases) EXPECT_EQ(head(c.head), c.text) << c.reason;
}

TEST(Wire, AnEmptyChunkIsNotTheEnd) {
    EXPECT_EQ(chunk(""), "");
    EXPECT_EQ(chunk("abc"), "3\r\nabc\r\n");
    EXPECT_EQ(chunk(std::string(255, 'x')), "ff\r\n" + std::string(255, 'x') + "\r\n");
}

TEST(Wire, TakesATargetApart) {
    struct {
        const char* reason;
        std::string target, path, query;
        bool served;
    } const cases[] = {
        {"a path", "/a/b", "/a/b", "", true},
        {"a query", "/a?b=c?d", "/a", "b=c?d", true},
        {"nothing is decoded", "/%2F%3f?%26", "/%2F%3f", "%26", true},
        {"absolute form", "http://host:80/a?b", "/a", "b", true},
        {"absolute form, other letters", "HTTPS://host/a", "/a", "", true},
        {"absolute form without a path", "http://host", "/", "", true},
        {"absolute form with a query alone", "http://host?b", "/", "b", true},
        {"a fragment never reaches a server", "/a#b", "/a#b", "", false},
        {"nor in a query", "/a?b#c", "/a", "b#c", false},
        {"asterisk form", "*", "*", "", false},
        {"authority form", "host:443", "host:443", "", false},
    };
    for (const auto& c : cases) {
        std::string path, query;
        EXPECT_EQ(split_target(c.target, path, query), c.served) << c.reason;
        EXPECT_EQ(path, c.path) << c.reason;
        EXPECT_EQ(query, c.query) << c.reason;
    }
}

TEST(Wire, WritesDatesAsServersDo) {
    using namespace std::chrono_literals;
    const WallTime time{std::chrono::sys_days{std::chrono::year{2026} / 11 / 2} + 3h + 4min + 5s};
    EXPECT_EQ(date(time), "Mon, 02 Nov 2026 03:04:05 GMT");
}

}  // namespace
}  // namespace ocim::net::wire
