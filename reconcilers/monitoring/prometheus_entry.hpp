#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

namespace ocim::monitoring::prometheus {

using Labels = std::map<std::string, std::string>;

/// Targets of a file of file_sd_configs, with their labels.
struct Group {
    std::vector<std::string> targets{};
    Labels labels{};
    bool operator==(const Group&) const = default;
};

/// An alert of a file of rule_files.
struct Rule {
    std::string alert{}, expression{};
    std::string lasts{};  ///< the field "for": "120s"
    Labels labels{}, annotations{};
    bool operator==(const Rule&) const = default;
};

/// What Prometheus reads of one Monitor.
struct Entry {
    Group group{};
    std::optional<Rule> rule{};
    bool doubled = false;  ///< somebody copied it: there is more than one
    bool operator==(const Entry&) const = default;
};

/// Whether Prometheus goes by what its files say.
enum class Loaded {
    yes,
    not_yet,  ///< a target is missing, which follows the file by itself within seconds
    no,       ///< the rule is missing: a reload is needed
};

/// What is to be written.
struct Order {
    Entry entry{};
    bool adopt = false;  ///< may take what carries no mark
    bool operator==(const Order&) const = default;
};

}  // namespace ocim::monitoring::prometheus
