#pragma once

#include <optional>
#include <string>
#include <vector>

namespace ocim::monitoring {

/// A ping monitor at New Relic, as far as its list of entities tells.
struct Synthetic {
    std::string guid{};  ///< "" of one that is to be made
    std::string name{}, url{};
    int period_minutes = 0;
    std::optional<bool> enabled{};  ///< nothing: it is not told yet
    /// A digest, kept in a tag, of what the list does not tell: locations, TLS, text, headers.
    std::string settings{};
    /// The AlertGroup that tells of it, as long as that stands whole; "" when there is none.
    std::string alerts{};
    bool operator==(const Synthetic&) const = default;
};

/// Who is told of failures, and after how many: what one policy, condition, destination, channel and workflow are for.
struct AlertGroup {
    std::string id{};                              ///< a digest of the rest and the installation, [0-9a-f]{12}
    std::vector<std::string> emails{};             ///< sorted
    int window_seconds = 0, duration_seconds = 0;  ///< over which failures are counted; for how long there are some
    bool operator==(const AlertGroup&) const = default;
};

/// What New Relic is to make of a Monitor.
struct SyntheticOrder {
    Synthetic synthetic{};
    std::vector<std::string> locations{};  ///< sorted
    std::optional<AlertGroup> group{};     ///< of `synthetic.alerts`
    bool adopt = false;                    ///< may take what carries no mark
    bool operator==(const SyntheticOrder&) const = default;
};

}  // namespace ocim::monitoring
