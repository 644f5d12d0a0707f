#pragma once

#include "api/json.hpp"

#include <map>
#include <string>
#include <vector>

namespace ocim::api {

/// A label selector: every requirement must hold. Empty selects all.
class LabelSelector {
public:
    struct Requirement {
        enum class Operator { in, not_in, exists, not_exists, equals, not_equals, greater, less };
        std::string key;
        Operator op{};
        std::vector<std::string> values;
    };
    /// "a=b,c!=d,e in (f,g),!h,i>3". Error: invalid, naming the part.
    static Result<LabelSelector> parse(std::string_view text);
    /// metav1.LabelSelector: {matchLabels, matchExpressions}.
    static Result<LabelSelector> from_json(const Json& selector);

    bool matches(const std::map<std::string, std::string>& labels) const;
    /// The same on an object's JSON.
    bool matches(const Json& object) const;
    bool empty() const { return requirements_.empty(); }
    /// As parse() reads it; "" for the one that selects all.
    std::string text() const;

private:
    std::vector<Requirement> requirements_;
};

/// "metadata.name=x,status.phase!=y".
class FieldSelector {
public:
    struct Requirement {
        std::string path;
        bool equal = true;
        std::string value;
    };
    static Result<FieldSelector> parse(std::string_view text);
    const std::vector<Requirement>& requirements() const { return requirements_; }
    /// Compares the text form of the value at each path ("" when absent).
    bool matches(const Json& object) const;
    bool empty() const { return requirements_.empty(); }

private:
    std::vector<Requirement> requirements_;
};

}  // namespace ocim::api
