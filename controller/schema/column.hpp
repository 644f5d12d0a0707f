#pragma once

#include "api/json.hpp"
#include "base/clock.hpp"

#include <string>

namespace ocim::schema {

/// A JSONPath as printer columns use it: `.status.conditions[?(@.type=="Ready")].status`, `.spec.items[*].name`,
/// `.metadata.labels['a\.b']`.
class JsonPath {
public:
    static Result<JsonPath> parse(std::string_view text);
    /// Every value it finds, in order.
    std::vector<const api::Json*> find(const api::Json& object) const;

private:
    struct Step;
    std::vector<std::shared_ptr<const Step>> steps_;  // shared by copies: immutable
};

/// One printer column.
struct Column {
    std::string name, type, format, description;
    int priority = 0;
    JsonPath path;

    /// The cell of an object in a Table: typed by `type`; null when absent; dates as ages ("3m") at `now`.
    api::Json cell(const api::Json& object, WallTime now) const;
};

/// "3s", "5m", "2h", "4d": how kubectl prints an age.
std::string age(WallTime then, WallTime now);

}  // namespace ocim::schema
