#include "loadbalancing/traffic.hpp"

#include "fake_machine.hpp"
#include "loadbalancing/haproxy.hpp"
#include "sample.hpp"
#include "support/running.hpp"

#include <gtest/gtest.h>

namespace ocim::loadbalancing {
namespace {

using namespace test;
using namespace std::chrono_literals;

Thing ours(const std::string& installation = "prod") {
    Thing out;
    out.mark = Mark{installation, "campus/a", "uid", false};
    return out;
}

Thing traffic(std::uint64_t requests) {
    Thing out;
    out.traffic.answers[1] = requests;
    return out;
}

TEST(SeldomTraffic, IsToldTheLessOftenTheMoreFragmentsThereAre) {
    const struct {
        std::size_t fragments;
        Duration interval;
    } rows[] = {{0, 60s}, {600, 60s}, {601, 60'100ms}, {5'000, 500s}};
    for (const auto& row : rows) EXPECT_EQ(traffic_interval(row.fragments), row.interval) << row.fragments;

    // on two hosts each fragment is one
    Snapshot seen;
    for (int n = 0; n < 1'200; ++n)
        for (const auto* host : {"east", "west"}) {
            seen[fragment_key(name_of(n), host)] = ours();
            seen[traffic_key(name_of(n), host)] = traffic(1);
        }
    SeldomTraffic seldom;
    std::map<Key, std::uint64_t> before;
    std::map<Key, int> renewed;
    for (auto after = 0s; after <= 240s; after += 4s) {
        auto now = seen;
        for (auto& [at, thing] : now)
            if (at.part == Key::Part::traffic) thing = traffic(static_cast<std::uint64_t>(after.count()));
        seldom.apply(now, Instant(1h) + after);
        std::set<std::string> news;
        for (const auto& [at, thing] : now) {
            if (at.part != Key::Part::traffic || thing.traffic.requests() == before[at]) continue;
            before[at] = thing.traffic.requests();
            ++renewed[at];
            news.insert(at.name);
            EXPECT_EQ(now.at(traffic_key(at.name, "east")).traffic, now.at(traffic_key(at.name, "west")).traffic)
                << "at the same moment on both hosts, because it is one status";
        }
        EXPECT_LE(news.size(), 80U) << "ten a second on the average, and never all of them";
    }
    EXPECT_EQ(renewed.size(), 2'400U);
    for (const auto& [key, times] : renewed) EXPECT_EQ(times, 2) << key.name << " in twice the interval";
}

TEST(SeldomTraffic, WhatComesAndGoesIsNewsAtOnce) {
    SeldomTraffic seldom;
    const auto look = [&](Duration after, std::map<std::string, std::uint64_t> requests, std::set<std::string> there) {
        Snapshot seen;
        for (const auto& name : there) seen[fragment_key(name)] = ours();
        for (const auto& [name, count] : requests) seen[traffic_key(name)] = traffic(count);
        seldom.apply(seen, Instant(1h) + after);
        std::map<std::string, std::uint64_t> out;
        for (const auto& [key, thing] : seen)
            if (key.part == Key::Part::traffic) out[key.name] = thing.traffic.requests();
        return out;
    };
    using Told = std::map<std::string, std::uint64_t>;
    EXPECT_EQ(look(0s, {{"a", 1}}, {"a"}), (Told{{"a", 1}}));
    EXPECT_EQ(look(1s, {{"a", 2}, {"b", 1}}, {"a", "b"}), (Told{{"a", 1}, {"b", 1}}))
        << "a new one has no former count";
    EXPECT_EQ(look(2s, {{"b", 2}}, {"b"}), (Told{{"b", 1}})) << "who is gone is not told of";
    EXPECT_EQ(look(70s, {}, {"b"}), (Told{{"b", 1}})) << "a master that is away for a moment is no news";
    EXPECT_EQ(look(71s, {{"b", 3}}, {"b"}), (Told{{"b", 3}})) << "and the next look is not too early";
}

TEST(SeldomTraffic, AHostThatDoesNotTellIsNoFall) {
    SeldomTraffic seldom;
    const auto look = [&](Duration after, std::map<std::string, std::uint64_t> requests) {
        Snapshot seen;
        for (const auto* host : {"east", "west"}) seen[fragment_key("a", host)] = ours();
        for (const auto& [host, count] : requests) seen[traffic_key("a", host)] = traffic(count);
        seldom.apply(seen, Instant(1h) + after);
        const auto said = totals("prod", seen).traffic;
        return said ? said->requests : std::int64_t{-1};
    };
    EXPECT_EQ(look(0s, {}), -1);
    EXPECT_EQ(look(1s, {{"east", 10}}), -1) << "nobody knows what the other one has";
    EXPECT_EQ(look(2s, {{"east", 10}, {"west", 5}}), 15);
    EXPECT_EQ(look(70s, {{"east", 20}}), 25) << "what it told stays";
    EXPECT_EQ(look(140s, {{"east", 30}, {"west", 8}}), 38);
}

TEST(Totals, AreOfAllFragmentsOfOursOnAllHosts) {
    Snapshot seen;
    for (const auto* host : {"east", "west"}) {
        seen[fragment_key("a", host)] = ours();
        seen[fragment_key("b", host)] = ours();
        seen[fragment_key("c", host)] = ours("another");
        for (const auto* name : {"a", "b", "c"}) {
            seen[traffic_key(name, host)].traffic = {{1, 20, 3, 4, 5}, 100, 2'000, 2};
            auto& checks = seen[checks_key(name, host)].checks;
            checks["a1"].state = Check::State::passed;
            checks["a2"].state = std::string_view(host) == "east" ? Check::State::failed : Check::State::passed;
        }
    }
    auto said = totals("prod", seen);
    ASSERT_TRUE(said.traffic && said.servers);
    EXPECT_EQ(*said.traffic, (crd::LoadBalancer::Status::Traffic{132, {4, 80, 12, 16, 20}, 400, 8'000, 8}));
    EXPECT_EQ(*said.servers, (crd::LoadBalancer::Status::ServerStates{2, 2})) << "down on one host is down";
    std::erase_if(seen, [](const auto& one) { return one.first.host == "west"; });
    seen[unknown_host_key("west")].trouble = "no route to host";
    said = totals("prod", seen);
    EXPECT_FALSE(said.traffic) << "a sum without it would look like a fall";
    EXPECT_EQ(*said.servers, (crd::LoadBalancer::Status::ServerStates{2, 2}));
    EXPECT_FALSE(totals("prod", {}).traffic);
    EXPECT_FALSE(totals("prod", {}).servers);
}

/// Under the runtime: what visitors do is written once an interval, and the balancer says what holds for all.
TEST(TrafficUnderTheRuntime, IsWrittenSeldomAndSummedUp) {
    Machine machine;
    ocim::test::TestLoop loop;
    ocim::test::Running running{loop, [&](runtime::Manager& manager) {
                                    runtime::add_external<Fragment>(
                                        manager,
                                        [&](const crd::LoadBalancer&, const runtime::Inputs&,
                                            const runtime::Services& services) -> Result<std::unique_ptr<System>> {
                                            HaproxySettings settings{"/x", {}, "/run/s"};
                                            auto haproxy = open_haproxy(std::make_unique<FakeHost>(machine), services,
                                                                        std::move(settings));
                                            return with_seldom_traffic(std::move(haproxy), services.clock);
                                        });
                                }};
    running.server.put(api::encode_object(balancer()));
    for (int n = 0; n < 3; ++n) {
        auto object = fragment(n);
        object.metadata.uid.clear();
        running.server.put(api::encode_object(object));
    }
    machine.down = {"a1"};
    machine.requests = 5;
    running.start();
    const auto requests = [&](const char* kind, const char* namespace_, const char* name) -> std::int64_t {
        const auto* object = running.server.get(kind, namespace_, name);
        const auto* count = object ? api::find(*object, {"status", "traffic", "requests"}) : nullptr;
        return count ? count->to_number<std::int64_t>() : -1;
    };
    ASSERT_TRUE(running.until([&] { return requests("LoadBalancer", "", "lb1") == 15; }));
    const auto* said = running.server.get("LoadBalancer", "", "lb1");
    EXPECT_EQ(*api::find(*said, {"status", "serverStates", "down"}), api::Json(3));
    EXPECT_EQ(*api::find(*said, {"status", "traffic", "responses", "successful"}), api::Json(15));
    EXPECT_EQ(*api::find(*said, {"status", "objects"}), api::Json(3)) << "and what the runtime says";
    int written = 0;
    for (std::int64_t before = requests("LoadBalancerFragment", "campus", "site1"), second = 0; second < 600;
         ++second) {
        ++machine.requests;
        loop.advance(1s);
        if (const auto now = requests("LoadBalancerFragment", "campus", "site1"); now != before) {
            ++written;
            before = now;
        }
    }
    EXPECT_GE(written, 4) << "they are told";
    EXPECT_LE(written, 10) << "and not more often than once a minute";
}

}  // namespace
}  // namespace ocim::loadbalancing
