#pragma once

#include "apiserver/negotiate.hpp"
#include "registry/registry.hpp"

#include <string>
#include <vector>

namespace ocim::apiserver {

/// Prints objects of one kind in one format, each piece as JSON text. Holds its own copy of what it needs from the
/// Resource, so it may live across a co_await.
class Printer {
public:
    enum class Include { none, metadata, object };

    Printer(const registry::Resource& resource, Format format, Include include);

    /// An item of a list, a row of a table, or the object of a watch event without its table around it.
    std::string item(const registry::StoredObject& object, WallTime now) const;
    /// The object alone, as the answer to a get or a write.
    std::string single(const registry::StoredObject& object, WallTime now) const;
    /// What stands before and after the items of a list, which are separated by commas. `metadata` is the list's.
    std::string list_head(const api::json::object& metadata) const;
    std::string list_tail() const { return "]}\n"; }
    /// The object of a watch event. A table carries its columns in the first event only.
    std::string event(const registry::StoredObject& object, bool first, WallTime now) const;
    /// A bookmark's object.
    std::string bookmark(const registry::Event& event, bool first) const;

    /// Items are the stored bytes themselves.
    bool verbatim() const { return format_.shape == Format::Shape::object; }
    /// Bytes to reserve for an item besides the stored ones.
    const Format& format() const { return format_; }

private:
    std::string columns() const;
    std::string row(const registry::StoredObject& object, WallTime now) const;

    Format format_;
    Include include_;
    std::string api_version_, kind_, list_kind_;
    bool name_first_;
    std::vector<schema::Column> columns_;
};

/// ?includeObject=None|Metadata|Object. Error: 400.
Result<Printer::Include, api::Status> parse_include(std::string_view text);

}  // namespace ocim::apiserver
