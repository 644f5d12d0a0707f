#include "client/watch_lines.hpp"

#include <gtest/gtest.h>

namespace ocim::client {
namespace {

std::string line(const std::string& type, const std::string& name, int version) {
    return R"({"type":")" + type + R"(","object":{"metadata":{"name":")" + name + R"(","resourceVersion":")" +
           std::to_string(version) + "\"}}}\n";
}

/// "+a ~b -c", or the error's class and message.
std::string taken(WatchLines& lines) {
    const auto events = lines.take();
    if (!events)
        return (events.error().error_class == ErrorClass::conflict ? "conflict: " : "transient: ") +
               events.error().message;
    std::string out;
    for (const auto& event : *events) {
        const auto sign = event.type == Event::Type::added      ? "+"
                          : event.type == Event::Type::deleted  ? "-"
                          : event.type == Event::Type::bookmark ? "."
                                                                : "~";
        out += (out.empty() ? "" : " ") + std::string(sign) +
               std::string(api::find_text(event.object, {"metadata", "name"}));
    }
    return out;
}

TEST(WatchLines, AreTakenWhole) {
    WatchLines lines(api::secret_kind, "3");
    EXPECT_EQ(taken(lines), "");
    const auto two = line("ADDED", "a", 4) + line("MODIFIED", "b", 5);
    lines.add(two.substr(0, 20));
    EXPECT_EQ(taken(lines), "");
    EXPECT_EQ(lines.resource_version(), "3");
    lines.add(two.substr(20, two.size() - 30));
    EXPECT_EQ(taken(lines), "+a");
    lines.add(two.substr(two.size() - 10) + line("DELETED", "a", 6) + line("BOOKMARK", "", 9));
    EXPECT_EQ(taken(lines), "~b -a .");
    EXPECT_EQ(lines.resource_version(), "9");
}

TEST(WatchLines, WhatCannotBeReadHidesNothingThatCameBefore) {
    const struct {
        const char *reason, *line, *error;
    } cases[] = {
        {"no JSON", "{\"type\":\"ADD\n", "transient: the watch is no JSON: "},
        {"no object", "{\"type\":\"ADDED\"}\n", "transient: the watch told of a change without its object"},
        {"no change", "{\"type\":\"SUNG\",\"object\":{}}\n",
         "transient: the watch told of something that is no change"},
        {"no version", "{\"type\":\"ADDED\",\"object\":{}}\n",
         "transient: the watch told of a change without its resourceVersion"},
        {"an error that is none", "{\"type\":\"ERROR\",\"object\":{}}\n",
         "transient: the watch ended with an error that cannot be read"},
        {"the history is gone",
         "{\"type\":\"ERROR\",\"object\":{\"kind\":\"Status\",\"status\":\"Failure\",\"code\":410,\"reason\":"
         "\"Expired\",\"message\":\"too old\"}}\n",
         "conflict: too old"},
    };
    for (const auto& c : cases) {
        WatchLines lines(api::secret_kind, "3");
        lines.add(line("ADDED", "a", 4) + c.line + line("ADDED", "b", 5));
        EXPECT_EQ(taken(lines), "+a") << c.reason;
        EXPECT_EQ(lines.resource_version(), "4") << c.reason;
        EXPECT_EQ(taken(lines).substr(0, std::string(c.error).size()), c.error) << c.reason;
        EXPECT_EQ(lines.resource_version(), "4") << c.reason;
        lines.restart();
        lines.add(line("ADDED", "b", 5));
        EXPECT_EQ(taken(lines), "+b") << c.reason;
    }
}

TEST(WatchLines, SayWhatTheyAreOf) {
    WatchLines lines(api::secret_kind, "3");
    lines.add(line("ADDED", "a", 4));
    const auto events = lines.take();
    ASSERT_TRUE(events && events->size() == 1);
    EXPECT_EQ(api::find_text(events->front().object, {"kind"}), "Secret");
    EXPECT_EQ(api::find_text(events->front().object, {"apiVersion"}), "v1");
}

}  // namespace
}  // namespace ocim::client
