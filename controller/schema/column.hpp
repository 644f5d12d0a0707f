#pragma once

#include "api/json.hpp"
#include "base/clock.hpp"

#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace ocim::schema {

/// A JSONPath as printer columns use it: `.status.conditions[?(@.type=="Ready")].status`, `.spec.items[*].name`,
/// `.metadata.labels['a\.b']`; or a template of such paths in braces with text between: `{.kind}/{.name}`.
class JsonPath {
public:
    /// Error (invalid): what is wrong and where. Bounded in length and number of steps.
    static Result<JsonPath> parse(std::string_view text);
    /// Every value it finds, in order; of a template, those of each path in turn.
    std::vector<const api::Json*> find(const api::Json& object) const;
    /// The text of a template: each path's first value as text, "" where it finds none. Nothing when no path of it
    /// finds anything, or when this is not a template with text in it.
    std::optional<std::string> text(const api::Json& object) const;

    struct Step;   ///< what one dot or bracket does
    struct Piece;  ///< one path, or the text between two

private:
    std::vector<std::shared_ptr<const Piece>> pieces_;  // shared by copies: immutable
};

/// One printer column.
struct Column {
    std::string name, type, format, description;
    int priority = 0;
    JsonPath path;

    /// The cell of an object in a Table: typed by `type`; null when absent; dates as ages ("3m") at `now`. Only the
    /// first value counts, as in Kubernetes. The columns of built-in kinds have formats of their own:
    /// `count` (how many members all that is found has), `list` (all that is found, joined by ", "),
    /// `reference` (Kind/name, the kind in lower case).
    api::Json cell(const api::Json& object, WallTime now) const;
};

/// "3s", "5m", "2h", "4d": how kubectl prints an age.
std::string age(WallTime then, WallTime now);

}  // namespace ocim::schema
