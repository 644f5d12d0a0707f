#pragma once

#include "base/async.hpp"
#include "base/metrics.hpp"

#include <deque>
#include <map>
#include <optional>
#include <string>

namespace ocim::apiserver {

/// Lets requests be worked on: so many at a time, so many of one user, and when there is no room users by turns, so
/// that one who asks for a thousand things does not keep another from one. Lives on the loop thread.
class FairGate {
public:
    struct Bounds {
        std::size_t seats = 400;            ///< requests worked on at a time, as kube-apiserver
        std::size_t seats_of_user = 100;    ///< of one user, whoever else is there
        std::size_t waiting_of_user = 400;  ///< beyond that he is told to come again
        Duration wait_max{10'000};          ///< and so he is after this
    };
    FairGate(Clock& clock, Metrics& metrics, Bounds bounds);
    FairGate(const FairGate&) = delete;
    FairGate& operator=(const FairGate&) = delete;

    /// The right to be worked on; it goes with it. No longer than the gate.
    class Seat {
    public:
        Seat(FairGate& gate, std::string user) : gate_(&gate), user_(std::move(user)) {}
        Seat(Seat&& other) noexcept : gate_(std::exchange(other.gate_, nullptr)), user_(std::move(other.user_)) {}
        Seat& operator=(Seat&&) = delete;
        ~Seat() {
            if (gate_) gate_->leave(user_);
        }

    private:
        FairGate* gate_;
        std::string user_;
    };
    /// At once if there is room; else nothing.
    std::optional<Seat> try_enter(const std::string& user);
    /// Waits for room; nothing when it is too much, or takes too long.
    awaitable<std::optional<Seat>> enter(std::string user);

private:
    struct Waiter {
        bool seated = false;
        Signal called;
    };
    struct User {
        std::size_t seats = 0;
        std::deque<Waiter*> waiting;
    };
    class Place;  ///< a waiter's in the queue

    void sit(const std::string& user);
    void leave(const std::string& user);
    void call_next();
    void forget_if_idle(const std::string& user);

    Clock& clock_;
    Bounds bounds_;
    std::map<std::string, User> users_;  ///< those with a seat or a waiter
    std::deque<std::string> turns_;      ///< of users who wait, each once
    std::size_t seats_ = 0;
    prometheus::Gauge& in_flight_;
    prometheus::Gauge& waiting_;
    prometheus::Counter& refused_;
};

}  // namespace ocim::apiserver
