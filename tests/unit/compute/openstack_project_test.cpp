#include "base/metrics.hpp"
#include "compute/openstack.hpp"
#include "support/test_loop.hpp"

#include <gtest/gtest.h>

/// A project between two looks: what Nova's lists do not tell yet.
namespace ocim::compute::openstack {
namespace {

/// A cloud that has nothing, and says yes to a server.
class Empty final : public net::HttpClient {
public:
    explicit Empty(std::vector<std::string>& asked) : asked_(asked) {}
    awaitable<Result<net::HttpReply>> send(net::HttpRequest request) override {
        asked_.push_back(request.method + " " + request.target.substr(0, request.target.find('?')));
        const std::map<std::string, std::string> answers{
            {"GET /", R"({"version":{"version":"2.90"}})"},  {"GET /servers/detail", R"({"servers":[]})"},
            {"POST /servers", R"({"server":{"id":"new"}})"}, {"GET /flavors/detail", R"({"flavors":[]})"},
            {"GET /v2/images", R"({"images":[]})"},          {"GET /images", R"({"images":[]})"},
            {"GET /networks", R"({"networks":[]})"},         {"GET /security-groups", R"({"security_groups":[]})"},
            {"GET /os-keypairs", R"({"keypairs":[]})"},
        };
        net::HttpReply out;
        out.headers["date"] = "Sun, 22 Nov 2026 17:51:05 GMT";
        if (request.target == "/auth/tokens") {
            out.status = 201;
            out.headers["x-subject-token"] = "token";
            out.body =
                R"({"token":{"issued_at":"2026-11-22T17:00:00Z","expires_at":"2026-11-22T19:00:00Z","project":{"id":"p"},"catalog":[)"
                R"({"type":"compute","endpoints":[{"interface":"public","region_id":"r","region":"r","url":"http://nova"}]},)"
                R"({"type":"image","endpoints":[{"interface":"public","region_id":"r","region":"r","url":"http://glance"}]},)"
                R"({"type":"network","endpoints":[{"interface":"public","region_id":"r","region":"r","url":"http://neutron"}]}]}})";
            co_return out;
        }
        const auto found = answers.find(asked_.back());
        out.status = found == answers.end() ? 404 : 200;
        if (found != answers.end()) out.body = found->second;
        co_return out;
    }

private:
    std::vector<std::string>& asked_;
};

class Taken final : public runtime::Results<Key, Machine> {
public:
    void set(std::size_t, Result<runtime::Done<Key, Machine>> result) override { results.push_back(std::move(result)); }
    std::vector<Result<runtime::Done<Key, Machine>>> results;
};

TEST(OpenStackProject, KnowsWhatItHasMadeBeforeNovaTellsOfIt) {
    ocim::test::TestLoop loop;
    const auto random = make_seeded_random(1);
    Metrics metrics;
    BlockingPool blocking(loop.executor(), "test", 1, 8);
    const runtime::Services services{loop.executor(), loop.clock(), *random, metrics, blocking, "here", ""};
    Credentials credentials;
    credentials.auth_url = "https://id.example.com/v3";
    credentials.user.name = credentials.project.name = "campus";
    std::vector<std::string> asked;
    auto session = std::make_unique<Session>(credentials, loop.clock(), [&](const std::string&) {
        return Result<std::unique_ptr<net::HttpClient>>(std::make_unique<Empty>(asked));
    });
    const auto project = open_project(std::move(session), services, {Duration(600'000), false, false, 4});
    const auto first = loop.run(project->observe());
    ASSERT_TRUE(first) << first.error().message;
    Action create;
    create.verb = Action::Verb::create;
    create.key = "demo-1-12345678";
    create.mark = {"here", "campus/demo-1", "12345678", false};
    Taken taken;
    loop.run(project->act({create}, taken));
    ASSERT_TRUE(taken.results.at(0)) << taken.results[0].error().message;
    const auto second = loop.run(project->observe());
    ASSERT_TRUE(second) << second.error().message;
    ASSERT_TRUE(second->contains(create.key)) << "else it would be made once more";
    EXPECT_EQ(second->at(create.key).id, "new");
    EXPECT_EQ(second->at(create.key).state, Machine::State::building);
    loop.run(loop.clock().sleep(std::chrono::minutes(11)));
    const auto whole = loop.run(project->observe());
    ASSERT_TRUE(whole) << whole.error().message;
    EXPECT_FALSE(whole->contains(create.key)) << "a whole list knows better";
}

}  // namespace
}  // namespace ocim::compute::openstack
