#pragma once

#include "api/json.hpp"
#include "base/result.hpp"
#include "monitoring/watch.hpp"

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>

/// The two files that Prometheus reads: targets (file_sd_configs) and rules (rule_files). Both are JSON, which is YAML
/// too. Pure.
namespace ocim::monitoring::prometheus {

inline constexpr const char* mark_label = "__meta_ocim_mark";    // Prometheus drops it before it stores anything
inline constexpr const char* entry_label = "__meta_ocim_entry";  // a digest of the group, by which it is found again
inline constexpr const char* mark_annotation = "ocim_mark";
/// Of each sample: probe_name() of what was asked, so that what a former target of a Monitor said does not count.
inline constexpr const char* probe_label = "ocim_probe";

/// What is in the files, taken apart: our entries, and what others put there, which stays as it is.
class Files {
public:
    /// Error: transient when a file cannot be read as what it should be, until somebody moves it away.
    static Result<Files> read(std::string_view targets, std::string_view rules, std::string installation);

    /// Each of our entries and, without a mark, each that only looks like one.
    Snapshot snapshot() const;
    void put(const Key& key, const Entry& entry);
    void erase(const Key& key);

    std::string targets() const;
    std::string rules() const;

private:
    struct Place {
        std::optional<Group> group;
        std::optional<Rule> rule;
        bool doubled = false;
    };
    void read_group(const api::Json& group);
    void read_rules(const api::Json& group);

    std::string installation_;
    std::map<Key, Place> places_;                ///< what carries a mark
    std::map<Key, api::json::array> strangers_;  ///< targets of a Monitor's name without a mark
    api::json::array other_groups_;              ///< targets without any sign of a Monitor
    api::json::array other_rules_;               ///< in our group, and not ours
    api::json::array other_rule_groups_;         ///< as they are
};

/// The name of our group of rules.
std::string rule_group(const std::string& installation);

/// A group with the label that says what it is.
Group labelled(Group group);
/// "3600s-9e3779b97f4a7c15": the interval, and a digest of what `group` asks.
std::string probe_name(const Group& group, std::int64_t interval_seconds);

/// Text in an annotation or label of a rule, where it would else be a template of Go.
std::string plain_text(const std::string& text);
/// A string of PromQL, with its quotes.
std::string promql_string(const std::string& text);

}  // namespace ocim::monitoring::prometheus
