#include "cli/log_targets.hpp"

#include "api/json.hpp"

#include <gtest/gtest.h>

namespace ocim::cli {
namespace {

api::Json appserver(const std::string& name, const std::string& instance, const std::string& created) {
    return api::json::object{{"metadata", api::json::object{{"name", name}, {"creationTimestamp", created}}},
                             {"spec", api::json::object{{"instanceName", instance}}}};
}

TEST(LogTargets, AnInstanceHasItsAppServersOldestFirst) {
    const std::vector<api::Json> all{
        appserver("demo-10", "demo", "2026-11-23T12:00:00Z"), appserver("demo-9", "demo", "2026-11-23T12:00:00Z"),
        appserver("demo-11", "demo", "2026-11-23T12:00:01Z"), appserver("hand-made", "demo", "2026-11-23T11:00:00Z"),
        appserver("demo-2-1", "demo-2", "2026-11-23T13:00:00Z")};
    EXPECT_EQ(appservers_of("demo", all), (std::vector<std::string>{"hand-made", "demo-9", "demo-10", "demo-11"}));
    EXPECT_EQ(appservers_of("demo-2", all), std::vector<std::string>{"demo-2-1"});
    EXPECT_TRUE(appservers_of("none", all).empty());
}

class LogArguments : public testing::Test {
protected:
    Result<Arguments> parse(std::vector<std::string> words) {
        static constexpr Flag flags[] = {{"since", "DURATION", ""}, {"all", "", ""}, {"namespace", "NAME", ""}};
        return Arguments::parse("", words, flags, Operands::taken);
    }
    std::string targets(std::vector<std::string> words) {
        client::Access access;
        access.namespace_ = "school";
        const auto parsed = parse(std::move(words));
        if (!parsed) return parsed.error().message;
        const auto owner = log_owner(*parsed);
        if (!owner) return owner.error().message;
        if (owner->is_instance) return "instance " + owner->name;
        const auto found = log_targets(*owner, *parsed, access);
        if (!found) return found.error().message;
        std::string out = found->namespace_;
        for (const auto& one : found->appservers) out += " " + one;
        return out;
    }
    std::string since(const std::string& text) {
        const auto parsed = parse({"--since", text});
        const auto found = since_parameter(*parsed);
        return found ? *found : found.error().message;
    }
};

TEST_F(LogArguments, NameWhoseLogItIs) {
    EXPECT_EQ(targets({"appserver/demo-1"}), "school demo-1");
    EXPECT_EQ(targets({"oas/demo-1", "--namespace", "campus"}), "campus demo-1");
    EXPECT_EQ(targets({"oi/demo", "--all"}), "instance demo");
    for (const auto& words : std::vector<std::vector<std::string>>{{}, {"demo-1"}, {"oas/"}, {"oas/a", "oas/b"}})
        EXPECT_TRUE(targets(words).starts_with("say whose log")) << words.size();
    EXPECT_EQ(targets({"dnsrecord/www"}), "\"dnsrecord/www\": only appservers have logs, and instances theirs");
    EXPECT_EQ(targets({"oas/demo-1", "--all"}), "--all: of an instance; give instance/NAME");
}

TEST_F(LogArguments, SinceIsADurationAsKubectlTakesIt) {
    EXPECT_EQ(since("5m"), "&sinceSeconds=300");
    EXPECT_EQ(since("1h30m"), "&sinceSeconds=5400");
    EXPECT_EQ(since("100ms"), "&sinceSeconds=1") << "never nothing";
    EXPECT_EQ(since("0s"), "--since 0s: give more than 0");
    EXPECT_TRUE(since("-5m").starts_with("--since -5m")) << since("-5m");
    EXPECT_TRUE(since("soon").starts_with("--since: \"soon\": give a duration")) << since("soon");
}

}  // namespace
}  // namespace ocim::cli
