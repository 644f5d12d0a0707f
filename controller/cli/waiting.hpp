#pragma once

#include "cli/targets.hpp"

#include <functional>
#include <optional>
#include <string>
#include <vector>

namespace ocim::cli {

/// "30s", "5m", "1h30m", "0s", "-1s"; without a unit seconds. Error: invalid.
Result<Duration> parse_duration(std::string_view text);
/// --timeout. Error: invalid.
Result<Duration> timeout_of(const Arguments& arguments);

/// An object that is awaited. Another of the same name is not the same: `uid`, if not empty.
struct Waited {
    Named named;
    std::string uid{};
};

/// What holds of an object, or of one that is not there (null): nothing more to wait for?
using Holds = std::function<bool(const api::Json* object)>;

/// Looks until it holds. `limit` 0: as long as it takes. False: it did not in time.
Answer<bool> wait_for(Connection& server, const Waited& waited, std::optional<Instant> deadline, const Holds& holds);

/// Until none of them is there. A refusal with code 0 when it took too long.
Answer<> wait_until_gone(Connection& server, const std::vector<Waited>& going, Duration limit);

/// What its Ready condition says, for one who waits; "" when it says nothing.
std::string told_by(const api::Json& object);

}  // namespace ocim::cli
