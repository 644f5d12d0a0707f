#include "base/metrics.hpp"
#include "compute/openstack.hpp"
#include "support/test_loop.hpp"

#include <gtest/gtest.h>
#include <functional>
#include <utility>

/// A project between two looks: what Nova's lists do not tell yet.
namespace ocim::compute::openstack {
namespace {

/// A cloud that has nothing, and says yes to a server.
class Empty final : public net::HttpClient {
public:
    /// `meanwhile` happens once, while a list of servers that was asked for is on its way.
    Empty(std::vector<std::string>& asked, std::function<awaitable<void>()>& meanwhile)
        : asked_(asked), meanwhile_(meanwhile) {}
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
        if (asked_.back() == "GET /servers/detail") {
            const auto happens = std::exchange(meanwhile_, nullptr);
            if (happens) co_await happens();
        }
        out.status = found == answers.end() ? 404 : 200;
        if (found != answers.end()) out.body = found->second;
        co_return out;
    }

private:
    std::vector<std::string>& asked_;
    std::function<awaitable<void>()>& meanwhile_;
};

class Taken final : public runtime::Results<Key, Machine> {
public:
    void set(std::size_t, Result<runtime::Done<Key, Machine>> result) override { results.push_back(std::move(result)); }
    std::vector<Result<runtime::Done<Key, Machine>>> results;
};

class OpenStackProject : public testing::Test {
protected:
    OpenStackProject() {
        Credentials credentials;
        credentials.auth_url = "https://id.example.com/v3";
        credentials.user.name = credentials.project.name = "campus";
        auto session = std::make_unique<Session>(credentials, loop.clock(), [this](const std::string&) {
            return Result<std::unique_ptr<net::HttpClient>>(std::make_unique<Empty>(asked, meanwhile));
        });
        project = open_project(std::move(session), services, {Duration(600'000), false, false, 4});
        create.verb = Action::Verb::create;
        create.key = "demo-1-12345678";
        create.mark = {"here", "campus/demo-1", "12345678", false};
    }
    Snapshot look() {
        auto seen = loop.run(project->observe());
        EXPECT_TRUE(seen) << seen.error().message;
        return seen ? *std::move(seen) : Snapshot();
    }

    ocim::test::TestLoop loop;
    std::unique_ptr<Random> random = make_seeded_random(1);
    Metrics metrics;
    BlockingPool blocking{loop.executor(), "test", 1, 8};
    runtime::Services services{loop.executor(), loop.clock(), *random, metrics, blocking, "here", ""};
    std::vector<std::string> asked;
    std::function<awaitable<void>()> meanwhile;
    std::unique_ptr<System> project;
    Action create;
    Taken taken;
};

TEST_F(OpenStackProject, KnowsWhatItHasMadeBeforeNovaTellsOfIt) {
    look();
    loop.run(project->act({create}, taken));
    ASSERT_TRUE(taken.results.at(0)) << taken.results[0].error().message;
    const auto second = look();
    ASSERT_TRUE(second.contains(create.key)) << "else it would be made once more";
    EXPECT_EQ(second.at(create.key).id, "new");
    EXPECT_EQ(second.at(create.key).state, Machine::State::building);
    loop.run(loop.clock().sleep(std::chrono::minutes(11)));
    EXPECT_FALSE(look().contains(create.key)) << "a whole list knows better";
}

TEST_F(OpenStackProject, KnowsWhatItHasMadeWhileItLooked) {
    look();
    loop.run(loop.clock().sleep(std::chrono::minutes(11)));
    meanwhile = [this] { return project->act({create}, taken); };
    look();
    ASSERT_TRUE(taken.results.at(0)) << taken.results[0].error().message;
    EXPECT_TRUE(look().contains(create.key)) << "the whole list was on its way before it was there";
}

}  // namespace
}  // namespace ocim::compute::openstack
