#pragma once

#include "base/async.hpp"
#include "store/postgres_journal.hpp"
#include "support/door.hpp"
#include "support/postgresql.hpp"
#include "support/test_loop.hpp"

#include <gtest/gtest.h>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <vector>

/// Stores that share a database of a real PostgreSQL.
namespace ocim::store {

inline Bytes bytes(std::string text) { return std::make_shared<const std::string>(std::move(text)); }

inline Write put(std::string key, Revision expected, std::string value) {
    Write out;
    out.key = std::move(key);
    out.expected = expected;
    out.make = [value = std::move(value)](Revision) { return bytes(value); };
    return out;
}
inline Write erase(std::string key, Revision expected) {
    auto out = put(std::move(key), expected, "last");
    out.erase = true;
    return out;
}

class PostgresTest : public testing::Test {
protected:
    static void SetUpTestSuite() {
        if (server_) return;
        server_ = std::make_unique<test::PostgreSQL>();
        server_->sql("CREATE ROLE ocim LOGIN PASSWORD 'hidden'");
    }
    PostgresTest() {
        static int databases = 0;
        database_ = "store" + std::to_string(++databases);
        server_->sql("CREATE DATABASE " + database_ + " OWNER ocim");
        if (!ring_) ring_.emplace(*KeyRing::make());
    }
    ~PostgresTest() override {
        if (!server_->service().running()) server_->restart();
        loop_.run(tasks_.stop());
        for (auto& replica : replicas_) loop_.run(replica.store->stop());
    }

    PostgresSettings settings(std::uint16_t port = 0) const {
        return {"postgres://ocim@127.0.0.1:" + std::to_string(port == 0 ? server_->port() : port) + "/" + database_,
                Secret("hidden")};
    }
    std::string sql(const std::string& statements) { return server_->sql(statements, database_); }

    /// A process that has started: its journal, and its store, loaded.
    struct Replica {
        std::unique_ptr<Metrics> metrics = std::make_unique<Metrics>();
        std::unique_ptr<SealedJournal> journal;
        std::unique_ptr<Store> store;
    };
    Replica& start(std::uint16_t port = 0, Store::Settings bounds = {}) {
        auto& out = replicas_.emplace_back();
        out.journal = open_postgres_journal(loop_.executor(), *out.metrics, *ring_,
                                            {settings(port), "replica" + std::to_string(replicas_.size())});
        out.store = std::make_unique<Store>(loop_.executor(), *out.journal, loop_.clock(), *out.metrics, bounds);
        const auto loaded = loop_.run(out.store->load());
        EXPECT_TRUE(loaded) << (loaded ? "" : loaded.error().message);
        return out;
    }
    Result<Revision> write(Replica& replica, Write write) { return loop_.run(replica.store->write(std::move(write))); }
    void catch_up(Replica& replica) {
        const auto caught = loop_.run(replica.store->catch_up());
        ASSERT_TRUE(caught) << caught.error().message;
    }
    static std::string value(const Replica& replica, std::string_view key) {
        const auto item = replica.store->get(key);
        return item ? *item->value : "(none)";
    }
    /// Starts something that goes on by itself while the loop runs.
    template <class T>
    std::shared_ptr<std::optional<T>> begin(awaitable<T> work) {
        auto out = std::make_shared<std::optional<T>>();  // shared with the task
        tasks_.spawn("begun", keep(std::move(work), out));
        return out;
    }
    template <class Condition>
    bool run_until(Condition condition, std::chrono::milliseconds limit = std::chrono::seconds(20)) {
        const auto deadline = loop_.clock().now() + limit;
        while (!condition()) {
            if (loop_.clock().now() > deadline) return false;
            loop_.run(loop_.clock().sleep(Duration(5)));
        }
        return true;
    }

    inline static std::unique_ptr<test::PostgreSQL> server_;
    inline static std::optional<KeyRing> ring_;
    test::RealLoop loop_;
    std::deque<Replica> replicas_;
    TaskGroup tasks_{loop_.executor()};
    std::string database_;

private:
    template <class T>
    static awaitable<void> keep(awaitable<T> work, std::shared_ptr<std::optional<T>> out) {
        auto result = co_await std::move(work);
        out->emplace(std::move(result));
    }
};

}  // namespace ocim::store
