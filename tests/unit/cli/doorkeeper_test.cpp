#include "cli/doorkeeper.hpp"

#include "api/json.hpp"
#include "support/test_loop.hpp"

#include <gtest/gtest.h>

#include <map>
#include <set>

using namespace ocim;
using namespace ocim::cli;
using namespace std::chrono_literals;

namespace {

const std::string log_path = "/apis/ocim.opencraft.com/v1alpha1/namespaces/campus/appservers/demo-1/log";

class FakeReviews final : public client::Reviews {
public:
    awaitable<Result<client::Person>> holder(Secret token) override {
        ++tokens_asked;
        if (trouble) co_return *trouble;
        const auto found = people.find(token.reveal());
        if (found == people.end()) co_return Error{ErrorClass::auth, "nobody"};
        co_return found->second;
    }
    awaitable<Result<bool>> may(client::Person person, client::Wish wish) override {
        ++rights_asked;
        last = wish;
        if (right_trouble) co_return *right_trouble;
        co_return rights.contains(person.user + " " + wish.verb + " " + wish.plural + "/" + wish.subresource + " " +
                                  wish.namespace_ + wish.path);
    }
    std::map<std::string, client::Person> people{{"good", {"ana", "u1", {"teachers"}, {}}}};
    std::set<std::string> rights{"ana get appservers/log campus" + log_path};
    std::optional<Error> trouble, right_trouble;
    client::Wish last;
    int tokens_asked = 0, rights_asked = 0;
};

struct DoorkeeperTest : testing::Test {
    /// The status of the refusal, or 0.
    unsigned ask(const std::string& authorization, const std::string& path = log_path,
                 std::multimap<std::string, std::string> more = {}) {
        net::ServerRequest request;
        request.method = "GET";
        request.path = path;
        request.headers = std::move(more);
        if (!authorization.empty()) request.headers.emplace("authorization", authorization);
        auto route = apiserver::parse_route("GET", path, apiserver::Query::parse(""));
        EXPECT_TRUE(route);
        const auto refused = loop.run(keeper.refusal(std::move(request), *std::move(route)));
        said = refused ? refused->body : "";
        return refused ? refused->status : 0;
    }
    test::TestLoop loop;
    FakeReviews reviews;
    Doorkeeper keeper{reviews, loop.clock()};
    std::string said;
};

TEST_F(DoorkeeperTest, LetsInWhomTheServerKnowsAndGrantsIt) {
    EXPECT_EQ(ask("Bearer good"), 0U) << said;
    EXPECT_EQ(ask("bearer  good "), 0U) << "the scheme in any case, blanks around the token";
    EXPECT_EQ(reviews.last.subresource, "log");
    EXPECT_EQ(reviews.last.name, "demo-1");
    EXPECT_EQ(ask("Bearer good", "/debug/queues"), 403U) << "another right";
    EXPECT_NE(said.find("cannot get path \\\"/debug/queues\\\""), std::string::npos) << said;
}

TEST_F(DoorkeeperTest, RefusesWhoeverIsNotKnown) {
    for (const auto* given : {"", "Bearer bad", "Bearer ", "Basic good", "good"}) EXPECT_EQ(ask(given), 401U) << given;
    EXPECT_EQ(ask("Bearer good", log_path, {{"authorization", "Bearer good"}}), 401U) << "two of them";
    EXPECT_EQ(said.find("good"), std::string::npos) << "no token in an answer";
    EXPECT_EQ(ask("Bearer good", log_path, {{"impersonate-user", "root"}}), 400U);
    EXPECT_EQ(ask("Bearer good", log_path, {{"impersonate-group", "system:masters"}}), 400U);
    EXPECT_EQ(reviews.rights_asked, 0) << "nobody's rights were asked for";
}

TEST_F(DoorkeeperTest, RemembersForTenSeconds) {
    for (int i = 0; i < 5; ++i) EXPECT_EQ(ask("Bearer good"), 0U);
    for (int i = 0; i < 5; ++i) EXPECT_EQ(ask("Bearer bad"), 401U);
    EXPECT_EQ(reviews.tokens_asked, 2);
    EXPECT_EQ(reviews.rights_asked, 1);
    reviews.rights.clear();
    reviews.people.emplace("bad", client::Person{"ben"});
    loop.advance(9s);
    EXPECT_EQ(ask("Bearer good"), 0U);
    loop.advance(2s);
    EXPECT_EQ(ask("Bearer good"), 403U) << "the right was taken back";
    EXPECT_EQ(ask("Bearer bad"), 403U) << "the token is known by now";
}

TEST_F(DoorkeeperTest, KeepsQuestionsOfDifferentPeopleApart) {
    reviews.people.emplace("other", client::Person{"ben", "u2", {"teachers"}, {}});
    EXPECT_EQ(ask("Bearer good"), 0U);
    EXPECT_EQ(ask("Bearer other"), 403U);
    EXPECT_EQ(ask("Bearer good", "/apis/ocim.opencraft.com/v1alpha1/namespaces/school/appservers/demo-1/log"), 403U);
}

TEST_F(DoorkeeperTest, LetsNobodyInWhenTheServerDoesNotTell) {
    reviews.trouble = Error{ErrorClass::unreachable, "no route"};
    EXPECT_EQ(ask("Bearer good"), 503U);
    EXPECT_NE(said.find("no route"), std::string::npos);
    reviews.trouble.reset();
    reviews.right_trouble = Error{ErrorClass::transient, "500"};
    EXPECT_EQ(ask("Bearer good"), 503U);
    reviews.right_trouble.reset();
    EXPECT_EQ(ask("Bearer good"), 0U) << "what was not told is not remembered";
}

TEST_F(DoorkeeperTest, AsksNoMoreThanSoManyAtATime) {
    struct Slow final : client::Reviews {
        explicit Slow(Clock& c) : clock(c) {}
        awaitable<Result<client::Person>> holder(Secret) override {
            most = std::max(most, ++now);
            co_await clock.sleep(5s);
            --now;
            co_return client::Person{"ana"};
        }
        awaitable<Result<bool>> may(client::Person, client::Wish) override { co_return true; }
        Clock& clock;
        int now = 0, most = 0;
    } slow(loop.clock());
    Doorkeeper busy(slow, loop.clock());
    std::map<unsigned, int> answers;
    TaskGroup tasks(loop.executor());
    for (int i = 0; i < 100; ++i)
        tasks.spawn("ask", [](Doorkeeper& keeper, int number, std::map<unsigned, int>& out) -> awaitable<void> {
            net::ServerRequest request;
            request.path = "/debug/queues";
            request.headers.emplace("authorization", "Bearer " + std::to_string(number));
            auto route = apiserver::parse_route("GET", request.path, apiserver::Query::parse(""));
            const auto refused = co_await keeper.refusal(std::move(request), *std::move(route));
            ++out[refused ? refused->status : 0];
        }(busy, i, answers));
    loop.run(tasks.join());
    EXPECT_EQ(slow.most, 32);
    EXPECT_EQ(answers, (std::map<unsigned, int>{{0, 32}, {429, 68}}));
}

}  // namespace
