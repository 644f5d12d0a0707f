#include "report.hpp"

#include <algorithm>
#include <cstdio>
#include <iostream>

namespace ocim::bench {

double quantile(std::vector<double>& values, double share) {
    if (values.empty()) return 0;
    const auto at = std::min(values.size() - 1, static_cast<std::size_t>(share * static_cast<double>(values.size())));
    std::nth_element(values.begin(), values.begin() + static_cast<std::ptrdiff_t>(at), values.end());
    return values[at];
}

std::string rounded(double value) {
    char text[32];
    std::snprintf(text, sizeof text, value >= 100 ? "%.0f" : "%.3g", value);
    return text;
}

void Report::put(std::string what, double value, std::string unit, std::string aim, std::optional<bool> met,
                 std::string note) {
    std::cerr << "  " << what << ": " << rounded(value) << " " << unit << (note.empty() ? "" : ", " + note) << "\n";
    api::json::object row{{"what", std::move(what)}, {"value", value}, {"unit", std::move(unit)}, {"aim", aim}};
    row["met"] = met ? api::Json(*met) : api::Json();
    row["note"] = std::move(note);
    rows_.push_back(std::move(row));
}

void Report::add(std::string what, double value, std::string unit, std::string note) {
    put(std::move(what), value, std::move(unit), "", std::nullopt, std::move(note));
}
void Report::at_least(std::string what, double value, std::string unit, double aim, std::string note) {
    put(std::move(what), value, std::move(unit), ">= " + rounded(aim), value >= aim, std::move(note));
}
void Report::at_most(std::string what, double value, std::string unit, double aim, std::string note) {
    put(std::move(what), value, std::move(unit), "< " + rounded(aim), value < aim, std::move(note));
}

}  // namespace ocim::bench
