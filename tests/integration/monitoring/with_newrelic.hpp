#pragma once

#include "base/random.hpp"
#include "monitoring/monitor.hpp"
#include "monitoring/newrelic.hpp"
#include "runtime/base64.hpp"
#include "support/contract.hpp"
#include "support/door.hpp"
#include "support/memory_client.hpp"
#include "support/newrelic.hpp"

#include <gtest/gtest.h>
#include <algorithm>
#include <memory>
#include <string>
#include <vector>

namespace ocim::monitoring {

inline crd::Monitor monitor(int n) {
    crd::Monitor out;
    out.metadata.name = "m" + std::to_string(n);
    out.metadata.namespace_ = "campus";
    out.metadata.uid = "uid-" + std::to_string(n);
    out.spec.service_ref.name = "newrelic";
    out.spec.url = "https://m" + std::to_string(n) + ".example.org/heartbeat";
    out.spec.interval_seconds = 300;
    return out;
}
inline std::vector<crd::Monitor> monitors(int count) {
    std::vector<crd::Monitor> out;
    for (int n = 0; n < count; ++n) out.push_back(monitor(n));
    return out;
}
inline crd::Monitor adopting(crd::Monitor object) {
    object.spec.adoption_policy = crd::Monitor::Spec::AdoptionPolicy::adopt;
    return object;
}
inline crd::Monitor telling(crd::Monitor object, std::vector<std::string> emails = {"ops@example.org"}) {
    object.spec.alert_emails = std::move(emails);
    return object;
}

/// The machine's clock, and so much ahead.
class ClockAhead final : public Clock {
public:
    explicit ClockAhead(Clock& machine) : machine_(machine) {}
    Instant now() const override { return machine_.now() + ahead; }
    WallTime wall() const override { return machine_.wall() + ahead; }
    TimerId call_at(Instant when, std::function<void()> call) override {
        return machine_.call_at(when - ahead, std::move(call));
    }
    void cancel(TimerId timer) override { machine_.cancel(timer); }

    Duration ahead{};

private:
    Clock& machine_;
};

/// Monitors at a New Relic that holds us to its schema.
class WithNewRelic : public testing::Test {
protected:
    /// The first was opened long ago: what one before it made is in the index.
    WithNewRelic() { index_catches_up(); }
    ~WithNewRelic() override { EXPECT_EQ(server.violations(), "[]"); }

    /// As much time goes by as the index may be behind.
    void index_catches_up() { clock.ahead += newrelic::index_delay_max + std::chrono::seconds(1); }

    static runtime::Inputs inputs(const std::string& key, const std::string& url,
                                  const std::string& name = "newrelic") {
        crd::MonitoringService service;
        service.metadata.name = name;
        auto& given = service.spec.new_relic.emplace();
        given.account_id = 1234567;
        given.url = url;
        given.locations = {"US_EAST_1", "EU_WEST_1"};
        service.spec.credentials_ref = api::LocalRef{"key"};
        runtime::Inputs out;
        out.installation = "prod";
        out.add(api::encode_object(service));
        out.add(
            ocim::test::json("{'apiVersion':'v1','kind':'Secret','metadata':{'namespace':'ocim-system','name':'key'},'"
                             "data':{'apiKey':'" +
                             runtime::base64(key) + "'}}"));
        return out;
    }
    std::unique_ptr<Watch> open(const std::string& key = "NRAK-key", const std::string& name = "newrelic") {
        const runtime::Services services{loop.executor(), clock, *random, metrics, pool, "prod", ""};
        const auto given = inputs(key, front.url() + "/graphql", name);
        auto opened = Monitor::open(*given.get<crd::MonitoringService>("", name), given, services);
        EXPECT_TRUE(opened) << (opened ? "" : opened.error().message);
        return opened ? *std::move(opened) : nullptr;
    }
    std::vector<Error> errors(const std::vector<Action>& actions) {
        std::vector<Error> out;
        for (const auto& answer : visitor.act(actions))
            if (answer && !*answer) out.push_back(answer->error());
        return out;
    }
    /// How often each of these was called since one last asked.
    std::size_t calls(const std::string& name = "") {
        const auto made = server.calls();
        return static_cast<std::size_t>(
            std::ranges::count_if(made, [&](const auto& call) { return name.empty() || call == name.c_str(); }));
    }

    ocim::test::NewRelicService server;
    ocim::test::Door front{server.port};
    ocim::test::RealLoop loop;
    std::unique_ptr<Random> random = make_system_random();
    ClockAhead clock{loop.clock()};
    Metrics metrics;
    BlockingPool pool{loop.executor(), "blocking", 1, 16};
    std::unique_ptr<Watch> watch = open();
    ocim::test::Visitor<Monitor> visitor{loop, *watch, inputs("NRAK-key", "http://127.0.0.1:1")};
};

}  // namespace ocim::monitoring
