#pragma once

#include "api/json.hpp"
#include "api/status.hpp"

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace re2 {
class RE2;
}

/// A compiled schema as a tree; for this room only.
namespace ocim::schema {

using api::Cause;
using api::Json;

class Rule;  // one of x-kubernetes-validations

enum class Type { any, object, array, string, integer, number, boolean };
std::string_view name_of(Type type);

/// A minimum or maximum. Integers are compared exactly where both sides are integers.
struct Bound {
    double value = 0;
    std::optional<std::int64_t> integer;
    bool exclusive = false;
};

/// One schema. A value validation below allOf, anyOf, oneOf or not is a Node without type.
struct Node {
    enum class ListType { atomic, set, map };
    struct Property;

    Node();
    Node(Node&&) noexcept;
    Node& operator=(Node&&) noexcept;
    ~Node();

    // structure
    Type type = Type::any;
    bool nullable = false, int_or_string = false, preserve_unknown = false, embedded = false;
    bool resource = false;             // the root or an embedded resource: has apiVersion, kind and metadata
    bool additional_anything = false;  // additionalProperties: true
    bool atomic_map = false;
    bool granular_map = false;  // said so; it is the default too
    std::optional<ListType> list_type;
    bool rules_below = false;  // rules here or further down
    bool embeds = false;       // embedded resources here or further down
    std::vector<std::string> list_keys;
    std::vector<Property> properties;    // as declared
    std::vector<std::uint32_t> by_name;  // the properties' places in the order of their names
    std::unique_ptr<Node> additional, items;
    std::optional<Json> default_value;

    // validation
    std::string format;
    std::vector<std::string> required;
    std::vector<std::unique_ptr<const Rule>> rules;

    /// What few schemas have; there are thousands of schemas.
    struct Bounds;
    const Bounds& bounds() const;
    Bounds& set_bounds();

    /// The declared property, or null.
    const Node* property(std::string_view name) const;
    /// Declares one more. Properties have each their own name.
    void declare(std::string name, Node node);
    /// The schema of a field: declared, else additional; null when neither.
    const Node* field(std::string_view name) const;

private:
    std::unique_ptr<Bounds> bounds_;
};

struct Node::Property {
    std::string name;
    Node node;
};

struct Node::Bounds {
    std::vector<Json> allowed;  // enum
    std::optional<Bound> minimum, maximum, multiple_of;
    std::optional<std::int64_t> length_min, length_max, items_min, items_max, properties_min, properties_max;
    std::string pattern;
    std::shared_ptr<const re2::RE2> compiled_pattern;  // one for all that are written alike
    std::vector<Node> all_of, any_of, one_of;
    std::unique_ptr<Node> not_;
    std::vector<Json> rule_sources;  // x-kubernetes-validations as written
};

/// Where a walk over an object is: "spec.ports[0].name". One buffer for the whole walk, so that long names cost
/// their length once and not once a descendant.
class Path {
public:
    class Scope {
    public:
        Scope(std::string& text, std::size_t before) : text_(text), before_(before) {}
        ~Scope() { text_.resize(before_); }
        Scope(const Scope&) = delete;
        Scope& operator=(const Scope&) = delete;

    private:
        std::string& text_;
        std::size_t before_;
    };
    Path() = default;
    explicit Path(std::string text) : text_(std::move(text)) {}

    /// Goes down to a field or an item until the Scope ends.
    [[nodiscard]] Scope enter(std::string_view name);
    [[nodiscard]] Scope enter(std::size_t index);
    /// The same for a key that may be any text: "data[a.b]".
    [[nodiscard]] Scope enter_key(std::string_view key);
    const std::string& text() const { return text_; }

private:
    std::string text_;
};

/// apiVersion, kind and metadata: what every object has whatever its schema says.
bool is_meta_field(std::string_view name);

/// Compiles a schema; see Schema::compile.
Result<Node> compile(const Json& open_api, const std::string& path);
/// What must hold between keywords. The first thing wrong, with the path.
Result<void> check_structure(const Node& root, const std::string& path);
/// Every default validates against its schema.
Result<void> check_defaults(const Node& node, const std::string& path);

void drop_nulls(const Node& node, Json& value);
void apply_defaults(const Node& node, Json& value);
/// `root`: apiVersion, kind and metadata are kept as in an embedded resource.
std::vector<std::string> prune(const Node& node, Json& value, bool root);

/// Types, bounds, enums, patterns, formats and combinations. What is as it was in `old` (null at creation) passes,
/// so that a schema which became stricter does not stand in the way of other changes.
std::vector<Cause> validate_values(const Node& node, const Json& value, const std::string& path,
                                   const Json* old = nullptr);
/// The keys of an item of a map list, as one value.
Json list_key(const Node& list, const Json& item);
/// No item of a set twice, no key of a map list twice.
void validate_lists(const Node& node, const Json& value, Path& path, std::vector<Cause>& out);

/// Sets `embeds` of a schema and all below.
bool mark_embedded(Node& node);
/// Embedded resources have an apiVersion, a kind and metadata as resources do.
void validate_embedded(const Node& node, const Json& value, Path& path, std::vector<Cause>& out);

/// Whether a text has a format. Formats that nobody knows pass.
bool has_format(std::string_view format, std::string_view text);

}  // namespace ocim::schema
