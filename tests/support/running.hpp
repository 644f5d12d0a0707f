#pragma once

#include "base/random.hpp"
#include "runtime/conditions.hpp"
#include "runtime/external.hpp"
#include "support/memory_client.hpp"
#include "support/test_loop.hpp"

#include <gtest/gtest.h>
#include <functional>
#include <memory>
#include <string>
#include <utility>

namespace ocim::test {

/// The runtime at work on an API server in memory, with the kinds that a test gives it.
class Running {
public:
    Running(Loop& loop, std::function<void(runtime::Manager&)> register_kinds)
        : loop_(loop), server(loop.clock()), register_kinds_(std::move(register_kinds)) {
        server.put(json("{'apiVersion':'v1','kind':'Namespace','metadata':{'name':'ocim-system'}}"));
    }
    ~Running() { stop(); }
    Running(const Running&) = delete;
    Running& operator=(const Running&) = delete;

    void start() {
        client_ = server.client();
        metrics = std::make_unique<Metrics>();
        manager_ = std::make_unique<runtime::Manager>(loop_.executor(), *client_, loop_.clock(), *random_, *metrics,
                                                      blocking_, runtime::Manager::Settings());
        register_kinds_(*manager_);
        const auto started = loop_.run(manager_->start());
        EXPECT_TRUE(started) << (started ? "" : started.error().message);
    }
    void stop() {
        if (manager_) loop_.run(manager_->stop());
        manager_.reset();
        client_.reset();
    }
    void put_secret(const std::string& namespace_, const std::string& name, const std::string& key,
                    const std::string& base64) {
        server.put(json("{'apiVersion':'v1','kind':'Secret','metadata':{'namespace':'" + namespace_ + "','name':'" +
                        name + "'},'data':{'" + key + "':'" + base64 + "'}}"));
    }
    /// "True Served", "False NotOwned", or "gone".
    std::string stands(const std::string& kind, const std::string& namespace_, const std::string& name) const {
        const auto* object = server.get(kind, namespace_, name);
        if (!object) return "gone";
        const auto* ready = runtime::condition(*object, "Ready");
        if (!ready) return "unsaid";
        return std::string(api::find_text(*ready, {"status"})) + " " + std::string(api::find_text(*ready, {"reason"}));
    }
    std::size_t ready(const std::string& kind) const {
        std::size_t count = 0;
        for (const auto& object : server.all(kind)) {
            const auto* ready = runtime::condition(object, "Ready");
            if (ready && api::find_text(*ready, {"status"}) == "True") ++count;
        }
        return count;
    }
    /// Lets the runtime work until `condition` holds; false when `limit` came first.
    bool until(const std::function<bool()>& condition, Duration limit = std::chrono::seconds(40)) {
        const auto deadline = loop_.clock().now() + limit;
        while (!condition()) {
            if (loop_.clock().now() > deadline) return false;
            loop_.run(loop_.clock().sleep(Duration(200)));
        }
        return true;
    }
    int events(const std::string& reason) const {
        int count = 0;
        for (const auto& event : server.all("Event"))
            if (api::find_text(event, {"reason"}) == reason) ++count;
        return count;
    }

private:
    Loop& loop_;

public:
    MemoryServer server;
    std::unique_ptr<Metrics> metrics;

private:
    std::function<void(runtime::Manager&)> register_kinds_;
    std::unique_ptr<Random> random_ = make_seeded_random(7);
    BlockingPool blocking_{loop_.executor(), "test", 2, 64};
    std::unique_ptr<client::Client> client_;
    std::unique_ptr<runtime::Manager> manager_;
};

}  // namespace ocim::test
