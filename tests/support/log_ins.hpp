#pragma once

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdlib>
#include <functional>
#include <iostream>
#include <mutex>
#include <string>
#include <thread>
#include <utility>
#include <vector>

namespace ocim::test {

/// Threads that read what is published, log in with it, and so on without a pause.
class LogIns {
public:
    struct Published {
        std::string user, password;
        bool operator==(const Published&) const = default;
    };
    /// Nothing when it was let in, else what it was told.
    using LogIn = std::function<std::string(const Published&)>;

    explicit LogIns(LogIn log_in) : log_in_(std::move(log_in)) {}
    ~LogIns() { stop(); }
    LogIns(const LogIns&) = delete;
    LogIns& operator=(const LogIns&) = delete;

    void publish(const Published& now) {
        const std::lock_guard lock(mutex_);
        if (now == published_) return;
        published_ = now;
        ++version_;
        if (threads_.empty())
            for (auto& seen : seen_) {
                ++at_work_;
                threads_.emplace_back([this, &seen] { run(seen); });
            }
    }
    /// All of them have logged in with what was published last, and none is still at it with what was before.
    bool all_know() const {
        const std::lock_guard lock(mutex_);
        return std::ranges::all_of(seen_, [this](const auto& seen) { return seen.load() == version_; });
    }
    /// A log-in that does not end is no reason to wait without end: it ends the program instead, as nobody could say
    /// what of it is still in use.
    void stop() {
        stopping_ = true;
        const auto deadline = std::chrono::steady_clock::now() + patience;
        {
            std::unique_lock lock(mutex_);
            if (!ended_.wait_until(lock, deadline, [this] { return at_work_ == 0; })) {
                std::cerr << "a log-in takes longer than " << patience.count() << " s\n";
                std::abort();
            }
        }
        for (auto& thread : threads_) thread.join();
        threads_.clear();
    }
    long logins() const { return logins_; }
    std::vector<std::string> refused() const {
        const std::lock_guard lock(mutex_);
        return refused_;
    }

private:
    void run(std::atomic<int>& seen) {
        while (!stopping_) {
            std::unique_lock lock(mutex_);
            const auto with = published_;
            const auto version = version_;
            lock.unlock();
            const auto told = log_in_(with);
            ++logins_;
            seen = version;
            if (told.empty()) continue;
            lock.lock();
            refused_.push_back("password " + std::to_string(version) + ": " + told);
        }
        const std::lock_guard lock(mutex_);
        --at_work_;
        ended_.notify_all();
    }

    static constexpr std::chrono::seconds patience{60};

    LogIn log_in_;
    mutable std::mutex mutex_;
    std::condition_variable ended_;
    int at_work_ = 0;
    Published published_;
    int version_ = 0;
    std::atomic<bool> stopping_ = false;
    std::atomic<long> logins_ = 0;
    std::array<std::atomic<int>, 3> seen_{};
    std::vector<std::string> refused_;
    std::vector<std::thread> threads_;
};

}  // namespace ocim::test
