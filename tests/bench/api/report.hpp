#pragma once

#include "api/json.hpp"

#include <optional>
#include <string>
#include <vector>

namespace ocim::bench {

/// The value at `share` of `values`, which it reorders; 0 when there are none.
double quantile(std::vector<double>& values, double share);
/// Three significant digits.
std::string rounded(double value);

/// Figures as they come, then as rows for script/bench.
class Report {
public:
    void add(std::string what, double value, std::string unit, std::string note = "");
    void at_least(std::string what, double value, std::string unit, double aim, std::string note = "");
    void at_most(std::string what, double value, std::string unit, double aim, std::string note = "");
    const api::json::array& rows() const { return rows_; }

private:
    void put(std::string what, double value, std::string unit, std::string aim, std::optional<bool> met,
             std::string note);
    api::json::array rows_;
};

}  // namespace ocim::bench
