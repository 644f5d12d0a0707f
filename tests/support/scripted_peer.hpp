#pragma once

#include "support/raw_socket.hpp"

#include <atomic>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

/// A TCP server that does what a test tells it, byte by byte.
namespace ocim::test {

class ScriptedPeer {
public:
    /// Called on a thread of its own for each connection; `number` counts them from 0. The socket closes when it
    /// returns. It must end once its peer closes.
    using Script = std::function<void(RawSocket& socket, int number)>;

    explicit ScriptedPeer(Script script) : script_(std::move(script)), acceptor_([this] { accept(); }) {}
    ~ScriptedPeer() {
        listener_.stop();
        acceptor_.join();
        const std::lock_guard lock(mutex_);
        for (auto& thread : threads_) thread.join();
    }
    ScriptedPeer(const ScriptedPeer&) = delete;
    ScriptedPeer& operator=(const ScriptedPeer&) = delete;

    std::uint16_t port() const { return listener_.port(); }
    std::string url() const { return "http://127.0.0.1:" + std::to_string(port()); }
    int connections() const { return count_; }

private:
    void accept() {
        for (;;) {
            auto socket = listener_.accept();
            if (!socket.open()) return;
            const int number = count_++;
            const std::lock_guard lock(mutex_);
            threads_.emplace_back([this, number, socket = std::move(socket)]() mutable { script_(socket, number); });
        }
    }

    Script script_;
    RawListener listener_;
    std::atomic<int> count_ = 0;
    std::mutex mutex_;
    std::vector<std::thread> threads_;
    std::thread acceptor_;  // last: it uses the rest
};

}  // namespace ocim::test
