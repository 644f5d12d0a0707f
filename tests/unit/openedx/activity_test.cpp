#include "openedx/activity.hpp"

#include <gtest/gtest.h>

namespace ocim::openedx {
namespace {

api::Json list(std::string items) {
    std::ranges::replace(items, '\'', '"');
    return api::parse_json("{\"items\":[" + items + "]}")->value;
}

ListedObjects campus() {
    return {
        list("{'metadata':{'namespace':'campus','name':'new','creationTimestamp':'2026-11-20T10:00:00Z'},'spec':{"
             "'className':'sandbox','displayName':'A \\\"new\\\", one','email':'new@example.org'},'status':{"
             "'domains':{'lms':'new.example.org'}}},"
             "{'metadata':{'namespace':'campus','name':'old','creationTimestamp':'2026-01-01T00:00:00Z'},'spec':{"
             "'className':'sandbox'},'status':{'domains':{'lms':'old.example.org'}}}"),
        list("{'metadata':{'name':'sandbox'},'spec':{'email':'contact@example.org'}}"),
        list("{'metadata':{'namespace':'campus','name':'new-2'},'spec':{'instanceName':'new','active':true},"
             "'status':{'addresses':['192.0.2.2']}},"
             "{'metadata':{'namespace':'campus','name':'new-1'},'spec':{'instanceName':'new','active':false},"
             "'status':{'addresses':['192.0.2.1']}},"
             "{'metadata':{'namespace':'campus','name':'new-3'},'spec':{'instanceName':'new','active':true}},"
             "{'metadata':{'namespace':'campus','name':'lost-1'},'spec':{'instanceName':'lost','active':true},"
             "'status':{'addresses':['192.0.2.9']}},"
             "{'metadata':{'namespace':'campus','name':'old-1'},'spec':{'instanceName':'old','active':true},"
             "'status':{'addresses':['192.0.2.3']}}"),
        list("{'metadata':{'namespace':'campus','name':'new-2'},'spec':{'sshUser':'ubuntu','sshKeyRef':{'name':'k'}},"
             "'status':{'sshHostKey':'ssh-ed25519 AAAA'}}")};
}

TEST(Activity, WhoIsAskedAreTheActiveOnesOldestFirst) {
    const auto servers = active_servers(campus(), *parse_rfc3339("2026-11-22T09:59:59Z"));
    ASSERT_EQ(servers.size(), 2u);
    EXPECT_EQ(servers[0].appserver, "campus/old-1");
    EXPECT_EQ(servers[0].email, "contact@example.org") << "of its class";
    EXPECT_EQ(servers[0].name, "old");
    EXPECT_EQ(servers[0].host_key, "") << "its machine is not there";
    EXPECT_EQ(servers[1].appserver, "campus/new-2");
    EXPECT_EQ(servers[1].age_days, 1) << "whole days";
    EXPECT_EQ(servers[1].ssh_user, "ubuntu");
    EXPECT_EQ(servers[1].ssh_key_secret, "k");
    EXPECT_EQ(servers[1].host_key, "ssh-ed25519 AAAA");
    EXPECT_TRUE(active_servers({}, WallTime()).empty());
}

TEST(Activity, ReadTable) {
    const struct {
        const char* reason;
        std::string output;
        Activity wanted;
    } cases[] = {
        {"all of it", "hits 3\nusers 20\ncourses 1\n", {3, 20, 1}},
        {"nothing", "", {}},
        {"only the logs", "hits 0\n", {0, {}, {}}},
        {"what Django prints besides", "WARNING: users many\nusers 7\n", {{}, 7, {}}},
        {"no number", "hits x\nusers -1\ncourses 99999999999999999999\n", {}},
        {"no end of line", "hits 12", {12, {}, {}}},
    };
    for (const auto& c : cases) EXPECT_EQ(read_activity(c.output), c.wanted) << c.reason;
}

TEST(Activity, CsvQuotesWhatIsNoNumber) {
    const auto servers = active_servers(campus(), *parse_rfc3339("2026-11-22T10:00:00Z"));
    EXPECT_EQ(activity_csv(servers, {{}, {3, 20, std::nullopt}}),
              "\"Appserver IP\",\"Internal LMS Domain\",\"Name\",\"Contact Email\",\"Unique Hits\",\"Total Users\","
              "\"Total Courses\",\"Age (Days)\"\r\n"
              "\"192.0.2.3\",\"old.example.org\",\"old\",\"contact@example.org\",\"N/A\",\"N/A\",\"N/A\",325\r\n"
              "\"192.0.2.2\",\"new.example.org\",\"A \"\"new\"\", one\",\"new@example.org\",3,20,\"N/A\",2\r\n");
}

TEST(Activity, ThatOfRootNeedsNoSudo) {
    EXPECT_EQ(activity_command("root", "/edx").at(0), "sh");
    const auto words = activity_command("ubuntu", "/edx");
    EXPECT_EQ(words.at(0), "sudo");
    EXPECT_EQ(words.back(), "/edx");
}

}  // namespace
}  // namespace ocim::openedx
