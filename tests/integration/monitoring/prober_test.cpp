#include "base/async.hpp"
#include "monitoring/monitor.hpp"
#include "support/contract.hpp"
#include "support/haproxy.hpp"

#include <gtest/gtest.h>

namespace ocim::monitoring {
namespace {

using namespace std::chrono_literals;
using ocim::test::RealLoop;
using ocim::test::Visitor;
using Object = crd::Monitor;

/// The built-in prober against a real HAProxy: as the demo uses it, by the site's name at the load balancer's address.
class Prober : public ::testing::Test {
protected:
    Prober() {
        inputs.installation = "lab";
        crd::MonitoringService service;
        service.metadata.name = "builtin";
        service.spec.prober.emplace();
        auto opened = Monitor::open(service, inputs, services);
        EXPECT_TRUE(opened);
        watch = *std::move(opened);
    }
    ~Prober() override {
        watch.reset();
        loop.run(tasks.stop());
    }
    Object monitor(int n, int origin = 0) {
        Object out;
        out.metadata.name = "m" + std::to_string(n);
        out.metadata.namespace_ = "campus";
        out.metadata.uid = "uid-" + std::to_string(n);
        out.spec.service_ref.name = "builtin";
        out.spec.url = "http://demo" + std::to_string(n) + ".example.org/";
        out.spec.connect_to = "127.0.0.1:" + std::to_string(origin < 0 ? haproxy.port : haproxy.origin_ports[0]);
        out.spec.interval_seconds = 1;
        return out;
    }
    /// Lets time pass until the report says so.
    bool comes(Visitor<Monitor>& visit, const Object& object, bool up) {
        for (int i = 0; i < 400; ++i) {
            const auto said = visit.report(object);
            if (said.status.up == up && said.verdict.state == runtime::Verdict::State::ready) return true;
            loop.run(loop.clock().sleep(25ms));
        }
        return false;
    }

    ocim::test::HaproxyService haproxy;
    RealLoop loop;
    std::unique_ptr<Random> random = make_seeded_random(1);
    Metrics metrics;
    BlockingPool blocking{loop.executor(), "test", 1, 10};
    TaskGroup tasks{loop.executor()};
    runtime::Services services{loop.executor(), loop.clock(), *random, metrics, blocking, "lab", "", &tasks};
    runtime::Inputs inputs;
    std::unique_ptr<Watch> watch;
};

TEST_F(Prober, SeesASiteComeAndGo) {
    Visitor<Monitor> visit(loop, *watch, inputs);
    const auto up = monitor(1), unknown = monitor(2, -1);
    visit.act(visit.wanted({up, unknown}));
    EXPECT_TRUE(comes(visit, up, true)) << visit.report(up).findings[0].message;
    EXPECT_TRUE(comes(visit, unknown, false));
    EXPECT_EQ(visit.report(unknown).status.status_code, 404) << "the load balancer does not know this host";
    EXPECT_EQ(visit.report(unknown).notes.at(0).reason, "ProbeFailed");
    EXPECT_NE(metrics.text().find("ocim_probe_success{name=\"m1\",namespace=\"campus\"} 1"), std::string::npos);
    EXPECT_NE(metrics.text().find("ocim_probe_success{name=\"m2\",namespace=\"campus\"} 0"), std::string::npos);

    auto moved = up;
    moved.spec.connect_to = "127.0.0.1:" + std::to_string(ocim::test::free_port());
    visit.act(visit.wanted(moved));
    EXPECT_TRUE(comes(visit, moved, false));
    EXPECT_EQ(visit.report(moved).status.message, "no connection: Connection refused");
    visit.act(visit.wanted(up));
    EXPECT_TRUE(comes(visit, up, true)) << "recovery is automatic";
    visit.act(visit.wanted({up, unknown}, true));
    EXPECT_TRUE(visit.see().empty());
}

}  // namespace
}  // namespace ocim::monitoring
