#pragma once

#include "base/async.hpp"
#include "messaging/text.hpp"
#include "support/contract.hpp"
#include "support/rabbitmq.hpp"
#include "unit/messaging/sample.hpp"

#include <gtest/gtest.h>
#include <chrono>
#include <memory>
#include <string>
#include <vector>

/// A real broker, and vhosts to put there.
namespace ocim::messaging::test {

using ocim::test::RealLoop;
using ocim::test::Visitor;
using Object = crd::RabbitMQVhost;

inline Object numbered(int n) {
    auto out = test::full(test::vhost());
    const auto name = std::to_string(n);
    out.metadata.name = "demo" + name;
    out.metadata.uid = "uid-" + name;
    out.spec.vhost = "/demo/" + name;
    for (auto& user : out.spec.users) user.name += name;
    return out;
}

/// One for the whole program: it takes long to start.
inline ocim::test::RabbitMQ& shared_broker() {
    static ocim::test::RabbitMQ shared;
    return shared;
}

class WithRabbitMQ : public ::testing::Test {
protected:
    WithRabbitMQ() : inputs(test::inputs()) {
        inputs.add(test::secret("ocim-system", "admin", {{"username", "guest"}, {"password", "guest"}}));
        inputs.add(test::secret("ocim-system", "wrong", {{"username", "guest"}, {"password", "wrong"}}));
        inputs.add(test::secret("ocim-system", "nobody", {{"username", "demo-provider1"}, {"password", password}}));
        loop.set_limit(std::chrono::seconds(240));
    }
    std::unique_ptr<Broker> open(const std::string& credentials = "admin", const std::string& url = "") {
        crd::RabbitMQServer object;
        object.metadata.name = "rabbit1";
        object.spec.management_url = url.empty() ? rabbitmq().url() + "/" : url;
        object.spec.credentials_ref.name = credentials;
        auto opened = Vhost::open(object, inputs, services);
        EXPECT_TRUE(opened) << opened.error().message;
        return *std::move(opened);
    }
    Visitor<Vhost> visitor(Broker& broker) { return {loop, broker, inputs}; }

    static ocim::test::RabbitMQ& rabbitmq() { return shared_broker(); }
    void TearDown() override {
        auto broker = open();
        auto visit = visitor(*broker);
        std::vector<Object> left;
        for (const auto& [key, mark, sweepable] : Vhost::marked(visit.see())) {
            Object object;
            object.metadata.uid = mark.uid;
            object.spec.deletion_policy = Object::Spec::DeletionPolicy::delete_;
            visit.act(visit.wanted(object, true));
        }
        EXPECT_TRUE(Vhost::marked(visit.see()).empty()) << "one test leaves nothing to the next";
    }

    const std::string password = "p'\"\\ä 日本";
    RealLoop loop;
    std::unique_ptr<Random> random = make_seeded_random(1);
    Metrics metrics;
    BlockingPool blocking{loop.executor(), "test", 2, 100};
    runtime::Services services{loop.executor(), loop.clock(), *random, metrics, blocking, "lab", "", nullptr};
    runtime::Inputs inputs;
};

}  // namespace ocim::messaging::test
