#include "apiserver/fair_gate.hpp"

#include <algorithm>

namespace ocim::apiserver {

FairGate::FairGate(Clock& clock, Metrics& metrics, Bounds bounds)
    : clock_(clock),
      bounds_(bounds),
      in_flight_(metrics.gauge("ocim_apiserver_requests_in_flight",
                               "Requests worked on, those of administrators and "
                               "watches apart.")),
      waiting_(metrics.gauge("ocim_apiserver_requests_waiting", "Requests that wait for their turn.")),
      refused_(metrics.counter("ocim_apiserver_requests_refused_total",
                               "Requests that were told to come again: their user had too many waiting.")) {}

void FairGate::sit(const std::string& user) {
    ++users_[user].seats;
    ++seats_;
    in_flight_.Set(static_cast<double>(seats_));
}

void FairGate::forget_if_idle(const std::string& user) {
    const auto found = users_.find(user);
    if (found != users_.end() && found->second.seats == 0 && found->second.waiting.empty()) users_.erase(found);
}

void FairGate::leave(const std::string& user) {
    --users_.at(user).seats;
    --seats_;
    in_flight_.Set(static_cast<double>(seats_));
    call_next();
    forget_if_idle(user);
}

/// Gives free seats away, one to each user who waits and may have more, by turns.
void FairGate::call_next() {
    std::size_t passed = 0;  // users in a row who may not have more
    while (seats_ < bounds_.seats && passed < turns_.size()) {
        const auto user = std::move(turns_.front());
        turns_.pop_front();
        auto& his = users_.at(user);
        if (his.seats < bounds_.seats_of_user) {
            auto* next = his.waiting.front();
            his.waiting.pop_front();
            waiting_.Decrement();
            sit(user);
            next->seated = true;
            next->called.notify();
            passed = 0;
        } else {
            ++passed;
        }
        if (!his.waiting.empty()) turns_.push_back(user);
    }
}

std::optional<FairGate::Seat> FairGate::try_enter(const std::string& user) {
    const auto found = users_.find(user);
    const bool room =
        seats_ < bounds_.seats &&
        (found == users_.end() || (found->second.waiting.empty() && found->second.seats < bounds_.seats_of_user));
    if (!room) return std::nullopt;
    sit(user);
    return Seat(*this, user);
}

/// Leaves the queue however its coroutine ends, and gives back a seat that nobody took.
class FairGate::Place {
public:
    Place(FairGate& gate, const std::string& user) : gate_(gate), user_(user) {
        auto& his = gate.users_[user];
        if (his.waiting.empty()) gate.turns_.push_back(user);
        his.waiting.push_back(&waiter);
        gate.waiting_.Increment();
    }
    ~Place() {
        if (taken) return;
        if (waiter.seated) {
            gate_.leave(user_);
            return;
        }
        auto& queue = gate_.users_.at(user_).waiting;
        std::erase(queue, &waiter);
        gate_.waiting_.Decrement();
        if (queue.empty()) std::erase(gate_.turns_, user_);
        gate_.forget_if_idle(user_);
    }
    Place(const Place&) = delete;
    Place& operator=(const Place&) = delete;

    Waiter waiter;
    bool taken = false;

private:
    FairGate& gate_;
    const std::string& user_;
};

awaitable<std::optional<FairGate::Seat>> FairGate::enter(std::string user) {
    if (auto seat = try_enter(user)) co_return seat;
    const auto found = users_.find(user);
    if (found != users_.end() && found->second.waiting.size() >= bounds_.waiting_of_user) {
        refused_.Increment();
        co_return std::nullopt;
    }
    Place place(*this, user);
    const auto deadline = clock_.now() + bounds_.wait_max;
    while (!place.waiter.seated) {
        const bool called = co_await place.waiter.called.wait_until(clock_, deadline);
        if (!called && !place.waiter.seated) {
            refused_.Increment();
            co_return std::nullopt;
        }
    }
    place.taken = true;
    co_return Seat(*this, user);
}

}  // namespace ocim::apiserver
