#pragma once

#include "base/clock.hpp"
#include "runtime/cache.hpp"

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace ocim::runtime {

/// What a call, or a visit, came to: for people, who ask when something is wrong.
struct Outcome {
    WallTime at{};
    std::string call;                         ///< "observe", or what an action would do
    std::optional<ErrorClass> error_class{};  ///< nothing: it went well
    std::string message{};
    bool outcome_unknown = false;

    /// The message is cut to what a person reads.
    static Outcome of(WallTime at, std::string call, const Result<void>& result);
};

/// The last failure of each object and of each backend, for people. Bounded: the oldest make place. The loop's.
class LastErrors {
public:
    /// Bounds the memory: some 6 MB when each is as long as it may be.
    static constexpr std::size_t places_max = 5'000, message_bytes_max = 1'024;

    struct Place {
        std::string controller;  ///< who has seen it
        std::string kind;        ///< of the object or of the backend
        ObjectKey key;
        bool backend = false;
        auto operator<=>(const Place&) const = default;
    };
    struct Failure {
        std::uint64_t number = 0;  ///< the newest has the highest
        Place place;
        Outcome outcome;
        std::uint64_t times = 1;  ///< of the same kind and text in a row
    };

    /// `outcome` is a failure.
    void note(Place place, Outcome outcome);
    /// What it was about is gone.
    void forget(const Place& place);
    /// At most `most`, newest first, of those before `number`.
    std::vector<Failure> before(std::uint64_t number, std::size_t most) const;
    std::size_t size() const { return failures_.size(); }

private:
    std::map<std::uint64_t, Failure> failures_;  // by number
    std::map<Place, std::uint64_t> numbers_;
    std::uint64_t last_ = 0;
};

}  // namespace ocim::runtime
