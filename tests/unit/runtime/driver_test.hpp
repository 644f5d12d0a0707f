#pragma once

#include "runtime/conditions.hpp"
#include "support/library_kinds.hpp"
#include "support/memory_client.hpp"
#include "support/test_loop.hpp"

#include <gtest/gtest.h>

namespace ocim::test {

using namespace std::chrono_literals;

/// The drivers under a clock that moves by hand, on an API server in memory, with shelves that can fail.
class DriverTest : public testing::Test {
protected:
    DriverTest() { server_.put(json("{'apiVersion':'v1','kind':'Namespace','metadata':{'name':'ocim-system'}}")); }
    ~DriverTest() override { stop(); }

    void start(runtime::Manager::Settings settings = {}) { start_as<BookKind>(settings); }
    /// With another kind that books are of.
    template <class Kind>
    void start_as(runtime::Manager::Settings settings = {}) {
        client_ = server_.client();
        metrics_ = std::make_unique<Metrics>();
        manager_ = std::make_unique<runtime::Manager>(loop_.executor(), *client_, loop_.clock(), *random_, *metrics_,
                                                      blocking_, settings);
        runtime::add_external<Kind>(*manager_, BookKind::opener(shelves_));
        runtime::add_composite<LibraryKind>(*manager_);
        const auto started = loop_.run(manager_->start());
        ASSERT_TRUE(started) << started.error().message;
    }
    void stop() {
        if (manager_) loop_.run(manager_->stop());
        manager_.reset();
    }
    void wait(Duration time) { loop_.advance(time); }

    void shelf(const std::string& spec = "{}", const std::string& name = "oak") {
        server_.put(json("{'apiVersion':'test.opencraft.com/v1','kind':'Shelf','metadata':{'name':'" + name +
                         "'},'spec':" + spec + "}"));
    }
    void book(const std::string& name, const std::string& spec = "", const std::string& namespace_ = "ns") {
        server_.put(json("{'apiVersion':'test.opencraft.com/v1','kind':'Book','metadata':{'namespace':'" + namespace_ +
                         "','name':'" + name + "'},'spec':{'shelf':'oak','title':'" + name + "','text':'once'" +
                         (spec.empty() ? "" : "," + spec) + "}}"));
    }
    void patch(const std::string& name, const std::string& patch) { server_.merge("Book", "ns", name, patch); }
    const api::Json* found(const std::string& name) const { return server_.get("Book", "ns", name); }

    /// "True Shelved" or "False Reconciling BackendNotFound", of the conditions of an object.
    std::string stands(const api::Json* object) const {
        if (!object) return "gone";
        const auto* ready = runtime::condition(*object, "Ready");
        if (!ready) return "unsaid";
        std::string out(api::find_text(*ready, {"status"}));
        for (const auto* type : {"Reconciling", "Stalled", "Paused"})
            if (runtime::condition(*object, type)) out += std::string(" ") + type;
        return out + " " + std::string(api::find_text(*ready, {"reason"}));
    }
    std::string stands(const std::string& name) const { return stands(found(name)); }
    std::string shelf_stands() const { return stands(server_.get("Shelf", "", "oak")); }

    SimWorld<std::string, Volume>& oak() { return shelves_["oak"]; }
    std::map<std::string, Volume>& volumes() { return oak().things(loop_.clock().now()); }
    std::string text(const std::string& title) {
        const auto it = volumes().find(title);
        return it == volumes().end() ? "nothing" : it->second.text;
    }
    int events(const std::string& reason) const {
        int count = 0;
        for (const auto& event : server_.all("Event"))
            if (api::find_text(event, {"reason"}) == reason) ++count;
        return count;
    }
    /// The value of a series, or -1.
    double metric(const std::string& name, const std::string& labels) const {
        const auto all = metrics_->text();
        const auto at = all.find("\n" + name + "{" + labels + "} ");
        return at == std::string::npos ? -1 : std::stod(all.substr(all.find("} ", at) + 2));
    }

    TestLoop loop_;
    MemoryServer server_{loop_.clock()};
    std::unique_ptr<Random> random_ = make_seeded_random(7);
    BlockingPool blocking_{loop_.executor(), "test", 1, 10};
    Shelves shelves_;
    std::unique_ptr<client::Client> client_;
    std::unique_ptr<Metrics> metrics_;
    std::unique_ptr<runtime::Manager> manager_;
};

}  // namespace ocim::test
