#include "monitoring/prober.hpp"

#include "base/async.hpp"
#include "support/test_loop.hpp"

#include <gtest/gtest.h>
#include <algorithm>
#include <deque>
#include <map>

namespace ocim::monitoring {
namespace {

using namespace std::chrono_literals;

/// Answers from a script, each after a time of its own; the last answer stays.
class ScriptedFetcher final : public net::Fetcher {
public:
    explicit ScriptedFetcher(Clock& clock) : clock_(clock) {}
    awaitable<Result<net::Fetched>> fetch(net::Fetch what) override {
        asked.push_back(what.url);
        asked_at.push_back(clock_.now());
        body_max = what.body_max;
        ++running;
        most = std::max(most, running);
        const auto answer = answers.front();
        if (answers.size() > 1) answers.pop_front();
        const Leave leave{*this};
        co_await clock_.sleep(takes);
        co_return answer;
    }
    std::deque<Result<net::Fetched>> answers{net::Fetched{200, 5ms}};
    Duration takes{10};
    std::vector<std::string> asked;
    std::vector<Instant> asked_at;
    std::size_t body_max = 0;
    int running = 0, most = 0;

private:
    struct Leave {
        ScriptedFetcher& of;
        ~Leave() { --of.running; }
    };
    Clock& clock_;
};

/// Has two name servers: one knows the address 192.0.2.1 of every name, the other answers nothing.
class ScriptedTalker final : public net::Talker {
public:
    explicit ScriptedTalker(Clock& clock) : clock_(clock) {}
    awaitable<Result<net::Talked>> talk(net::Talk what) override {
        talks.push_back(std::move(what));
        co_return talked;
    }
    awaitable<Result<std::string>> ask(net::Datagram what) override {
        asked.push_back(what.address);
        if (what.address == "silent") co_await clock_.sleep(std::chrono::hours(1));
        if (truncates && !what.over_tcp) {
            what.message[2] = static_cast<char>(0x83);
            co_return what.message;
        }
        auto answer = what.message;
        answer[2] = static_cast<char>(0x81);
        answer[7] = 1;  // one answer, about the name of the question
        co_return answer + std::string("\xc0\x0c\0\x01\0\x01\0\0\0\x3c\0\x04\xc0\0\x02\x01", 16);
    }
    Result<net::Talked> talked = net::Talked{};
    std::vector<net::Talk> talks;
    std::vector<std::string> asked;
    bool truncates = false;

private:
    Clock& clock_;
};

class Prober : public ::testing::Test {
protected:
    Prober() { open(); }
    ~Prober() override {
        watch.reset();
        loop.run(tasks.stop());
    }
    void open(std::size_t concurrent = 2) { watch = open_prober({fetcher, talker}, concurrent, services); }

    struct Collected final : runtime::Results<Key, Thing> {
        void set(std::size_t, Result<runtime::Done<Key, Thing>> result) override { all.push_back(std::move(result)); }
        std::vector<Result<runtime::Done<Key, Thing>>> all;
    };
    void act(std::vector<Action> actions) {
        Collected collected;
        const auto count = actions.size();
        loop.run(watch->act(std::move(actions), collected));
        EXPECT_EQ(collected.all.size(), count);
        for (const auto& result : collected.all) EXPECT_TRUE(result);
    }
    static Action put(const std::string& name, Probe probe = {}) {
        if (probe.url.empty() && !probe.dns && !probe.tcp) probe.url = "http://" + name + ".example.org/";
        return {Action::Verb::create, {"campus/" + name}, {"lab", "campus/" + name, "uid-" + name, false}, probe};
    }
    static Action erase(const std::string& name) { return {Action::Verb::delete_, {"campus/" + name}, {}, {}}; }
    Snapshot seen() { return *loop.run(watch->observe()); }
    std::optional<Outcome> last(const std::string& name) { return seen().at({"campus/" + name}).last; }

    test::TestLoop loop;
    Metrics metrics;
    std::unique_ptr<Random> random = make_seeded_random(1);
    BlockingPool blocking{loop.executor(), "test", 1, 1};
    TaskGroup tasks{loop.executor()};
    runtime::Services services{loop.executor(), loop.clock(), *random, metrics, blocking, "lab", "", &tasks};
    std::shared_ptr<ScriptedFetcher> fetcher = std::make_shared<ScriptedFetcher>(loop.clock());
    std::shared_ptr<ScriptedTalker> talker = std::make_shared<ScriptedTalker>(loop.clock());
    std::unique_ptr<Watch> watch;
};

TEST_F(Prober, AsksAtOnceAndThenAtItsInterval) {
    Probe probe;
    probe.interval = 30s;
    act({put("a", probe)});
    EXPECT_EQ(last("a"), std::nullopt) << "nothing is known before the first answer";
    loop.advance(1s);
    ASSERT_TRUE(last("a"));
    EXPECT_TRUE(last("a")->up);
    EXPECT_EQ(last("a")->status, 200u);
    loop.advance(29s);
    EXPECT_GE(fetcher->asked.size(), 2u) << "the second comes early by any part of the interval";
    loop.advance(300s);
    EXPECT_GE(fetcher->asked.size(), 12u);
    EXPECT_LE(fetcher->asked.size(), 13u);
    EXPECT_NE(metrics.text().find("ocim_probe_success{name=\"a\",namespace=\"campus\"} 1"), std::string::npos)
        << metrics.text();
}

TEST_F(Prober, TellsNewsAtOnceAndTheSameOnceAMinute) {
    Probe probe;
    probe.interval = 10s;
    act({put("a", probe)});
    loop.advance(5s);
    const auto first = last("a");
    loop.advance(50s);
    EXPECT_EQ(last("a"), first) << "five answers say the same";
    loop.advance(20s);
    EXPECT_GT(last("a")->at, first->at) << "a minute is over";
    fetcher->answers = {Error{ErrorClass::unreachable, "no connection: refused"}};
    loop.advance(10s);
    EXPECT_FALSE(last("a")->up);
    EXPECT_EQ(last("a")->message, "no connection: refused");
    EXPECT_NE(metrics.text().find("ocim_probe_success{name=\"a\",namespace=\"campus\"} 0"), std::string::npos);
    fetcher->answers = {net::Fetched{503, 1ms}};
    loop.advance(10s);
    EXPECT_EQ(last("a")->message, "answers 503, expected 200 to 399");
}

TEST_F(Prober, JudgesByWhatIsExpected) {
    const struct {
        unsigned status;
        std::optional<unsigned> expected;
        bool up;
    } cases[] = {{200, {}, true},  {302, {}, true},  {399, {}, true},  {400, {}, false},
                 {199, {}, false}, {401, 401, true}, {200, 401, false}};
    for (const auto& c : cases) {
        fetcher->answers = {net::Fetched{c.status, 1ms}};
        Probe probe;
        probe.expected_status = c.expected;
        act({put("a", probe)});
        loop.advance(1s);
        EXPECT_EQ(last("a")->up, c.up) << c.status;
        act({erase("a")});
    }
}

TEST_F(Prober, LooksIntoTheBodyWhenAskedTo) {
    const struct {
        const char *reason, *contains, *excludes, *body;
        bool up;
    } cases[] = {
        {"it is there", "Welcome", "", "<h1>Welcome</h1>", true},
        {"it is not there", "Welcome", "", "<h1>Bad gateway</h1>", false},
        {"letters count as they are", "Welcome", "", "welcome", false},
        {"what must not be there", "", "maintenance", "down for maintenance", false},
        {"both", "Welcome", "maintenance", "Welcome", true},
        {"one of both", "Welcome", "maintenance", "Welcome to maintenance", false},
    };
    for (const auto& c : cases) {
        fetcher->answers = {net::Fetched{200, 1ms, c.body}};
        Probe probe;
        probe.body_contains = c.contains;
        probe.body_excludes = c.excludes;
        act({put("a", probe)});
        loop.advance(1s);
        EXPECT_EQ(last("a")->up, c.up) << c.reason << ": " << last("a")->message;
        EXPECT_EQ(last("a")->message.find("<h1>"), std::string::npos) << "what a stranger wrote is not shown";
        EXPECT_GT(fetcher->body_max, 0u);
        act({erase("a")});
    }
    fetcher->answers = {net::Fetched{503, 1ms, "Welcome"}};
    Probe probe;
    probe.body_contains = "Welcome";
    act({put("a", probe)});
    loop.advance(1s);
    EXPECT_EQ(last("a")->message, "answers 503, expected 200 to 399");
    act({put("b")});
    loop.advance(1s);
    EXPECT_EQ(fetcher->body_max, 0u) << "else none of it is read";
}

TEST_F(Prober, TellsWhenTheCertificateEnds) {
    net::Fetched answer{200, 1ms};
    answer.certificate_expires = WallTime(std::chrono::seconds(1'800'000'000));
    fetcher->answers = {answer};
    act({put("a")});
    loop.advance(1s);
    EXPECT_EQ(last("a")->certificate_expires, answer.certificate_expires);
    const std::string series =
        "ocim_probe_certificate_expiry_timestamp_seconds{name=\"a\",namespace=\"campus\"} 1800000000";
    EXPECT_NE(metrics.text().find(series), std::string::npos) << metrics.text();
    fetcher->answers = {Error{ErrorClass::unreachable, "no connection: refused"}};
    loop.advance(60s);
    EXPECT_NE(metrics.text().find(series), std::string::npos) << "what is known of a site that is down holds";
    answer.certificate_expires = WallTime(std::chrono::seconds(1'900'000'000));
    fetcher->answers = {answer};
    loop.advance(60s);
    EXPECT_EQ(last("a")->certificate_expires, answer.certificate_expires) << "it was renewed";
    act({erase("a")});
    EXPECT_EQ(metrics.text().find("ocim_probe_certificate_expiry_timestamp_seconds{"), std::string::npos);
}

TEST_F(Prober, ThousandsAreAskedInTheirIntervalAndNotInStep) {
    constexpr int count = 5'000, at_once = 50;
    open(at_once);
    fetcher->takes = 100ms;
    std::vector<Action> actions;
    for (int n = 0; n < count; ++n) actions.push_back(put("m" + std::to_string(n)));
    act(std::move(actions));
    std::map<std::string, Instant> before;
    Duration longest{0};
    std::size_t busiest = 0, asked = 0;
    for (int second = 0; second < 600; ++second) {
        loop.advance(1s);
        for (; asked < fetcher->asked.size(); ++asked) {
            const auto now = fetcher->asked_at[asked];
            const auto [known, fresh] = before.try_emplace(fetcher->asked[asked], now);
            if (fresh) continue;
            longest = std::max(longest, std::chrono::duration_cast<Duration>(now - known->second));
            known->second = now;
        }
        if (second < 540) continue;
        const auto in_a_second =
            std::ranges::count_if(fetcher->asked_at, [now = loop.clock().now()](Instant at) { return at > now - 1s; });
        busiest = std::max(busiest, static_cast<std::size_t>(in_a_second));
    }
    EXPECT_EQ(before.size(), static_cast<std::size_t>(count)) << "all of them";
    EXPECT_LE(fetcher->most, at_once);
    EXPECT_LE(longest, Duration(70'000)) << "every minute, and a little when many are due";
    EXPECT_LE(busiest, 200u) << "5,000 in a minute are 83 a second; they do not come all at once";
    EXPECT_LE(fetcher->asked.size(), 12u * count) << "early by a twentieth at most, but for the second";
}

TEST_F(Prober, RunsOnlySoManyAtOnceAndForgetsNone) {
    fetcher->takes = 3s;
    std::vector<Action> actions;
    for (int i = 0; i < 7; ++i) actions.push_back(put("m" + std::to_string(i)));
    act(actions);
    loop.advance(13s);
    EXPECT_EQ(fetcher->most, 2);
    for (const auto& [key, thing] : seen()) EXPECT_TRUE(thing.last) << key.monitor;
}

TEST_F(Prober, AnswersToAnEarlierQuestionAreNotAnswers) {
    fetcher->takes = 2s;
    act({put("a")});
    loop.advance(1s);
    Probe other;
    other.url = "http://elsewhere.example.org/";
    act({put("a", other)});
    loop.advance(1500ms);
    EXPECT_EQ(last("a"), std::nullopt) << "what came was of the old URL";
    loop.advance(2s);
    EXPECT_TRUE(last("a"));
    act({erase("a")});
    const auto asked = fetcher->asked.size();
    EXPECT_TRUE(seen().empty());
    EXPECT_EQ(metrics.text().find("ocim_probe_success{"), std::string::npos) << "its series went with it";
    loop.advance(120s);
    EXPECT_EQ(fetcher->asked.size(), asked);
}

TEST_F(Prober, TheSameWishAgainChangesNothing) {
    act({put("a")});
    loop.advance(1s);
    const auto before = seen();
    act({put("a")});
    loop.advance(1s);
    EXPECT_TRUE(seen() == before);
    EXPECT_EQ(fetcher->asked.size(), 1u);
}

TEST_F(Prober, ADisabledProbeAsksNothing) {
    act({put("a")});
    loop.advance(1s);
    Probe probe;
    probe.enabled = false;
    act({put("a", probe)});
    loop.advance(600s);
    EXPECT_EQ(fetcher->asked.size(), 1u);
    EXPECT_EQ(last("a"), std::nullopt);
}

TEST_F(Prober, MayGoWhileItsProbesAreUnderWay) {
    fetcher->takes = 60s;
    act({put("a"), put("b"), put("c")});
    loop.advance(1s);
    EXPECT_EQ(tasks.running(), 2u);
    watch.reset();
    loop.advance(120s);
    EXPECT_EQ(tasks.running(), 0u);
    EXPECT_EQ(fetcher->asked.size(), 2u) << "what waited was not asked any more";
}

Probe dns_probe(std::vector<std::string> servers, std::vector<std::string> values = {}) {
    Probe out;
    auto& dns = out.dns.emplace();
    dns.name = "www.example.org";
    dns.type = "A";
    dns.servers = std::move(servers);
    dns.values = std::move(values);
    return out;
}

TEST_F(Prober, EachNameServerMustAnswerAsExpectedInTime) {
    const struct {
        const char* reason;
        Probe probe;
        std::string says;
    } cases[] = {
        {"one that does", dns_probe({"one"}), "answers as expected"},
        {"two that do", dns_probe({"one", "two"}, {"192.0.2.1"}), "2 servers answer as expected"},
        {"one that does not", dns_probe({"one", "two"}, {"192.0.2.2"}), "one: answers 192.0.2.1, expected 192.0.2.2"},
        {"one that is silent", dns_probe({"one", "silent"}), "the answer took longer than 10000 ms"},
    };
    for (const auto& c : cases) {
        act({put("a", c.probe)});
        loop.advance(15s);
        ASSERT_TRUE(last("a")) << c.reason;
        EXPECT_EQ(last("a")->message, c.says) << c.reason;
        EXPECT_EQ(last("a")->up, c.says.find("as expected") != std::string::npos) << c.reason;
        EXPECT_EQ(last("a")->status, std::nullopt);
        act({erase("a")});
    }
    EXPECT_TRUE(fetcher->asked.empty());
}

TEST_F(Prober, AsksByTcpWhatADatagramIsTooShortFor) {
    talker->truncates = true;
    act({put("a", dns_probe({"one"}, {"192.0.2.1"}))});
    loop.advance(1s);
    EXPECT_TRUE(last("a")->up) << last("a")->message;
    EXPECT_EQ(talker->asked, (std::vector<std::string>{"one", "one"}));
}

TEST_F(Prober, AConnectionIsJudgedAlertedAndMeasuredLikeAPage) {
    Probe probe;
    probe.tcp = TcpCheck{"db.example.org:5671", true, "", {}};
    probe.verify = false;
    probe.alert_after = 3;
    net::Talked good;
    good.certificate_expires = WallTime(std::chrono::seconds(1'800'000'000));
    talker->talked = good;
    act({put("a", probe)});
    loop.advance(1s);
    EXPECT_TRUE(last("a")->up);
    EXPECT_EQ(last("a")->message, "takes connections");
    EXPECT_EQ(last("a")->certificate_expires, good.certificate_expires);
    EXPECT_EQ(talker->talks.at(0).address, "db.example.org:5671");
    EXPECT_TRUE(talker->talks.at(0).tls && !talker->talks.at(0).verify);
    talker->talked = Error{ErrorClass::unreachable, "no connection: Connection refused"};
    loop.advance(60s);
    EXPECT_FALSE(last("a")->up || last("a")->alert);
    loop.advance(180s);
    EXPECT_TRUE(last("a")->alert);
    EXPECT_NE(metrics.text().find("ocim_probe_success{name=\"a\",namespace=\"campus\"} 0"), std::string::npos);
    probe.tcp->address = "db2.example.org:5671";
    act({put("a", probe)});
    loop.advance(1s);
    EXPECT_FALSE(last("a")->alert) << "how often one server failed says nothing about another";
}

}  // namespace
}  // namespace ocim::monitoring
