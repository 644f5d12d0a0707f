#pragma once

#include "schema/node.hpp"

#include <concepts>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

/// CEL, the expression language of x-kubernetes-validations; for this room only.
namespace ocim::schema::cel {

/// What a value is. `unknown` is of the checker: anything is possible.
enum class Kind {
    unknown,
    null,
    boolean,
    integer,
    unsigned_integer,
    number,
    text,
    bytes,
    list,
    map,
    timestamp,
    duration,
    type,
    optional,
    fault,
};
/// "int", "list", "google.protobuf.Timestamp".
std::string_view name_of(Kind kind);

class Value;
using List = std::vector<Value>;
using Map = std::vector<std::pair<Value, Value>>;

/// A text, which may be a piece of the object that is looked at.
struct Text {
    std::shared_ptr<const std::string> owner;  // shared: values are copied freely and never change
    std::string_view view;
};
struct Bytes {
    std::string data;
};
/// An object or array as it stands in the object, with what the schema knows about it (may be null).
struct Place {
    const Json* json;
    const Node* node;
};
struct Timestamp {
    std::int64_t seconds = 0;  // since 1970
    std::int32_t nanoseconds = 0;
    auto operator<=>(const Timestamp&) const = default;
};
struct Span {
    std::int64_t nanoseconds = 0;
    auto operator<=>(const Span&) const = default;
};
struct Optional {
    std::shared_ptr<const Value> value;  // null: none; shared as Text is
};
/// An evaluation that went wrong, as a value: && and || may ignore it.
struct Fault {
    std::string message;
};

template <class T, class... Alternatives>
concept OneOf = (std::same_as<T, Alternatives> || ...);

class Value {
public:
    using Variant = std::variant<std::nullptr_t, bool, std::int64_t, std::uint64_t, double, Text, Bytes,
                                 std::shared_ptr<const List>, std::shared_ptr<const Map>, Place, Timestamp, Span, Kind,
                                 Optional, Fault>;

    Value() = default;
    /// Only from exactly these: an int or a literal text is ambiguous.
    template <class T>
        requires OneOf<T, std::nullptr_t, bool, std::int64_t, std::uint64_t, double, Text, Bytes, Place, Timestamp,
                       Span, Kind, Optional, Fault>
    Value(T value) : variant_(std::in_place_type<T>, std::move(value)) {}
    Value(std::string text) {
        auto owner = std::make_shared<const std::string>(std::move(text));
        const std::string_view view = *owner;
        variant_ = Text{std::move(owner), view};
    }
    Value(List items) : variant_(std::make_shared<const List>(std::move(items))) {}
    Value(Map entries) : variant_(std::make_shared<const Map>(std::move(entries))) {}
    /// A piece of `text` that keeps it alive.
    static Value piece(const Text& text, std::string_view view) { return Text{text.owner, view}; }

    Kind kind() const;
    bool is_fault() const { return std::holds_alternative<Fault>(variant_); }
    template <class T>
    const T* if_a() const {
        return std::get_if<T>(&variant_);
    }
    template <class T>
    const T& as() const {
        return std::get<T>(variant_);
    }
    std::string_view text() const { return as<Text>().view; }
    std::int64_t integer() const { return as<std::int64_t>(); }

private:
    Variant variant_;
};

Value fault(std::string message);
Value no_such_overload();

/// A value of the object, read as its schema says: a date-time is a timestamp, a whole float of type integer an int.
Value from_json(const Json& json, const Node* node);

/// The number of members; of lists and maps.
std::size_t size_of(const Value& value);
/// The item of a list at a valid index.
Value item_of(const Value& list, std::size_t index);
/// The keys of a map, in order.
List keys_of(const Value& map);
/// Counts what an evaluation does; when nothing is left, everything ends.
struct Budget {
    std::int64_t left;
    bool spent() const { return left < 0; }
    void charge(std::size_t amount) { left -= static_cast<std::int64_t>(amount); }
};

/// The value of a key, or nullptr.
std::unique_ptr<Value> find_key(const Value& map, const Value& key, Budget& budget);

/// Values of different types are not equal, except numbers, which are compared by value.
bool equal(const Value& a, const Value& b, Budget& budget);
/// The sign of a - b; nothing when the types have no order.
std::optional<int> compare(const Value& a, const Value& b);

/// "1h30m0s", as Go prints it.
std::string printed(Span span);
/// RFC 3339 with as many digits as needed.
std::string printed(Timestamp time);
std::optional<Span> parse_span(std::string_view text);
std::optional<Timestamp> parse_timestamp(std::string_view text);
std::optional<std::string> decode_base64(std::string_view text);
std::string encode_base64(std::string_view data);

}  // namespace ocim::schema::cel
