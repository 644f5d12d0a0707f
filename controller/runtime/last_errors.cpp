#include "runtime/last_errors.hpp"

#include "base/utf8.hpp"

#include <cassert>

namespace ocim::runtime {

Outcome Outcome::of(WallTime at, std::string call, const Result<void>& result) {
    Outcome out{at, one_line(call, LastErrors::message_bytes_max)};
    if (result) return out;
    out.error_class = result.error().error_class;
    out.message = one_line(result.error().message, LastErrors::message_bytes_max);
    out.outcome_unknown = result.error().outcome_unknown;
    return out;
}

void LastErrors::note(Place place, Outcome outcome) {
    assert(outcome.error_class);
    Failure failure{++last_, std::move(place), std::move(outcome)};
    auto& number = numbers_[failure.place];
    if (const auto known = failures_.find(number); known != failures_.end()) {
        const auto& old = known->second.outcome;
        if (old.error_class == failure.outcome.error_class && old.message == failure.outcome.message)
            failure.times = known->second.times + 1;
        failures_.erase(known);
    }
    number = last_;
    failures_.emplace(last_, std::move(failure));
    if (failures_.size() > places_max) forget(Place(failures_.begin()->second.place));
}

void LastErrors::forget(const Place& place) {
    const auto known = numbers_.find(place);
    if (known == numbers_.end()) return;
    failures_.erase(known->second);
    numbers_.erase(known);
}

std::vector<LastErrors::Failure> LastErrors::before(std::uint64_t number, std::size_t most) const {
    std::vector<Failure> out;
    for (auto at = failures_.lower_bound(number); at != failures_.begin() && out.size() < most;)
        out.push_back((--at)->second);
    return out;
}

}  // namespace ocim::runtime
