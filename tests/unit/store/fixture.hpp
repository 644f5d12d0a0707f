#pragma once

#include "base/async.hpp"
#include "store/store.hpp"
#include "support/test_loop.hpp"

#include <gtest/gtest.h>
#include <deque>
#include <optional>
#include <string>
#include <vector>

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

/// A journal that waits to be told how each append ends.
class HeldJournal final : public Journal {
public:
    explicit HeldJournal(std::shared_ptr<MemoryDisk> disk) : inner_(open_memory_journal(std::move(disk))) {}

    awaitable<Result<Loaded>> load() override { return inner_->load(); }
    awaitable<Result<void>> append(std::vector<Change> batch) override {
        sizes.push_back(batch.size());
        while (!open && verdicts.empty()) co_await told_.wait();
        if (!open) {
            const auto verdict = std::move(verdicts.front());
            verdicts.pop_front();
            if (verdict) co_return *verdict;
        }
        co_return co_await inner_->append(std::move(batch));
    }
    awaitable<Result<void>> compact(Revision revision) override { return inner_->compact(revision); }

    void let_pass() { tell(std::nullopt); }
    void let_fail() { tell(Error{ErrorClass::transient, "the disk is full"}); }

    std::vector<std::size_t> sizes;  ///< of the batches, as they came
    bool open = false;               ///< appends pass by themselves
    std::deque<std::optional<Error>> verdicts;

private:
    void tell(std::optional<Error> verdict) {
        verdicts.push_back(std::move(verdict));
        told_.notify();
    }
    std::unique_ptr<Journal> inner_;
    Signal told_;
};

/// A loaded store on a memory disk; restart() is what a crash and a new process are.
class StoreTest : public testing::Test {
protected:
    explicit StoreTest(Store::Settings settings = {}) : settings_(settings) { restart(); }
    ~StoreTest() override { loop_.run(tasks_.stop()); }

    void restart() {
        store_.reset();
        journal_ = open_memory_journal(disk_);
        store_ = std::make_unique<Store>(loop_.executor(), *journal_, loop_.clock(), metrics_, settings_);
        const auto loaded = loop_.run(store_->load());
        ASSERT_TRUE(loaded);
    }
    Result<Revision> write(Write write) { return loop_.run(store_->write(std::move(write))); }
    std::string value(std::string_view key) const {
        const auto item = store_->get(key);
        return item ? *item->value : "(none)";
    }

    test::TestLoop loop_;
    Metrics metrics_;
    std::shared_ptr<MemoryDisk> disk_ = make_memory_disk();
    std::unique_ptr<Journal> journal_;
    std::unique_ptr<Store> store_;
    TaskGroup tasks_{loop_.executor()};
    Store::Settings settings_;
};

}  // namespace ocim::store
