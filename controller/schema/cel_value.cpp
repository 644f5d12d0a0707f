#include "schema/cel_value.hpp"

#include "schema/message.hpp"

#include <algorithm>
#include <cmath>
#include <set>

namespace ocim::schema::cel {

std::string_view name_of(Kind kind) {
    switch (kind) {
        case Kind::unknown: return "dyn";
        case Kind::null: return "null";
        case Kind::boolean: return "bool";
        case Kind::integer: return "int";
        case Kind::unsigned_integer: return "uint";
        case Kind::number: return "double";
        case Kind::text: return "string";
        case Kind::bytes: return "bytes";
        case Kind::list: return "list";
        case Kind::map: return "map";
        case Kind::timestamp: return "google.protobuf.Timestamp";
        case Kind::duration: return "google.protobuf.Duration";
        case Kind::type: return "type";
        case Kind::optional: return "optional_type";
        case Kind::fault: return "error";
    }
    return "";
}

Kind Value::kind() const {
    struct Visitor {
        Kind operator()(std::nullptr_t) const { return Kind::null; }
        Kind operator()(bool) const { return Kind::boolean; }
        Kind operator()(std::int64_t) const { return Kind::integer; }
        Kind operator()(std::uint64_t) const { return Kind::unsigned_integer; }
        Kind operator()(double) const { return Kind::number; }
        Kind operator()(const Text&) const { return Kind::text; }
        Kind operator()(const Bytes&) const { return Kind::bytes; }
        Kind operator()(const std::shared_ptr<const List>&) const { return Kind::list; }
        Kind operator()(const std::shared_ptr<const Map>&) const { return Kind::map; }
        Kind operator()(const Place& place) const { return place.json->is_array() ? Kind::list : Kind::map; }
        Kind operator()(Timestamp) const { return Kind::timestamp; }
        Kind operator()(Span) const { return Kind::duration; }
        Kind operator()(Kind) const { return Kind::type; }
        Kind operator()(const Optional&) const { return Kind::optional; }
        Kind operator()(const Fault&) const { return Kind::fault; }
    };
    return std::visit(Visitor{}, variant_);
}

Value fault(std::string message) { return Fault{std::move(message)}; }
Value no_such_overload() { return Fault{"no such overload"}; }

namespace {

Value from_text(std::string_view text, const Node* node) {
    const std::string_view format = node && node->type == Type::string ? std::string_view(node->format) : "";
    if (format == "byte")
        if (auto data = decode_base64(text)) return Bytes{*std::move(data)};
    if (format == "date-time" || format == "datetime" || format == "date")
        if (const auto time = parse_timestamp(text)) return *time;
    if (format == "duration")
        if (const auto span = parse_span(text)) return *span;
    return Text{nullptr, text};
}

}  // namespace

Value from_json(const Json& json, const Node* node) {
    const Type type = node ? node->type : Type::any;
    switch (json.kind()) {
        case api::json::kind::null: return nullptr;
        case api::json::kind::bool_: return json.get_bool();
        case api::json::kind::int64:
            return type == Type::number ? Value(static_cast<double>(json.get_int64())) : Value(json.get_int64());
        case api::json::kind::uint64: return static_cast<double>(json.get_uint64());
        case api::json::kind::double_:
            if (type == Type::integer || (node && node->int_or_string))
                if (std::abs(json.get_double()) < 9e18) return static_cast<std::int64_t>(json.get_double());
            return json.get_double();
        case api::json::kind::string: return from_text(json.get_string(), node);
        case api::json::kind::array:
        case api::json::kind::object: return Place{&json, node};
    }
    return nullptr;
}

std::size_t size_of(const Value& value) {
    if (const auto* list = value.if_a<std::shared_ptr<const List>>()) return (*list)->size();
    if (const auto* map = value.if_a<std::shared_ptr<const Map>>()) return (*map)->size();
    const auto& place = value.as<Place>();
    return place.json->is_array() ? place.json->get_array().size() : place.json->get_object().size();
}

Value item_of(const Value& list, std::size_t index) {
    if (const auto* items = list.if_a<std::shared_ptr<const List>>()) return (**items)[index];
    const auto& place = list.as<Place>();
    return from_json(place.json->get_array()[index], place.node ? place.node->items.get() : nullptr);
}

List keys_of(const Value& map) {
    List out;
    if (const auto* entries = map.if_a<std::shared_ptr<const Map>>()) {
        for (const auto& entry : **entries) out.push_back(entry.first);
    } else {
        for (const auto& member : map.as<Place>().json->get_object()) out.emplace_back(Text{nullptr, member.key()});
    }
    return out;
}

std::unique_ptr<Value> find_key(const Value& map, const Value& key, Budget& budget) {
    if (const auto* entries = map.if_a<std::shared_ptr<const Map>>()) {
        for (const auto& entry : **entries)
            if (equal(entry.first, key, budget)) return std::make_unique<Value>(entry.second);
        return nullptr;
    }
    const auto* text = key.if_a<Text>();
    if (!text) return nullptr;
    const auto& place = map.as<Place>();
    const auto* found = place.json->get_object().if_contains(text->view);
    if (!found) return nullptr;
    return std::make_unique<Value>(from_json(*found, place.node ? place.node->field(text->view) : nullptr));
}

namespace {

bool is_numeric(Kind kind) { return kind == Kind::integer || kind == Kind::unsigned_integer || kind == Kind::number; }

template <class T>
int sign(const T& a, const T& b) {
    return a < b ? -1 : b < a ? 1 : 0;
}

/// Compares integers with doubles without losing digits.
std::optional<int> compare_numbers(const Value& a, const Value& b) {
    const auto* signed_a = a.if_a<std::int64_t>();
    const auto* signed_b = b.if_a<std::int64_t>();
    const auto* unsigned_a = a.if_a<std::uint64_t>();
    const auto* unsigned_b = b.if_a<std::uint64_t>();
    if (signed_a && signed_b) return sign(*signed_a, *signed_b);
    if (unsigned_a && unsigned_b) return sign(*unsigned_a, *unsigned_b);
    if (signed_a && unsigned_b) return *signed_a < 0 ? -1 : sign(static_cast<std::uint64_t>(*signed_a), *unsigned_b);
    if (unsigned_a && signed_b) return *signed_b < 0 ? 1 : sign(*unsigned_a, static_cast<std::uint64_t>(*signed_b));
    // a long double holds every 64-bit integer here
    const auto wide = [](const Value& value) -> long double {
        if (const auto* integer = value.if_a<std::int64_t>()) return static_cast<long double>(*integer);
        if (const auto* integer = value.if_a<std::uint64_t>()) return static_cast<long double>(*integer);
        return value.as<double>();
    };
    const auto left = wide(a), right = wide(b);
    if (std::isnan(left) || std::isnan(right)) return std::nullopt;
    return sign(left, right);
}

/// The list type that decides about equality: sets and map lists have no order.
Node::ListType list_type(const Value& value) {
    const auto* place = value.if_a<Place>();
    return place && place->node ? place->node->list_type.value_or(Node::ListType::atomic) : Node::ListType::atomic;
}

bool equal_unordered(const Value& a, const Value& b, Budget& budget) {
    const auto texts = [&](const Value& value) {
        std::multiset<std::string> out;
        for (const auto& item : value.as<Place>().json->get_array()) budget.charge(out.insert(canonical(item))->size());
        return out;
    };
    return texts(a) == texts(b);
}

bool equal_lists(const Value& a, const Value& b, Budget& budget) {
    const auto size = size_of(a);
    if (size != size_of(b)) return false;
    if (list_type(a) != Node::ListType::atomic && list_type(b) == list_type(a)) return equal_unordered(a, b, budget);
    for (std::size_t i = 0; i < size && !budget.spent(); ++i)
        if (!equal(item_of(a, i), item_of(b, i), budget)) return false;
    return true;
}

bool equal_maps(const Value& a, const Value& b, Budget& budget) {
    if (size_of(a) != size_of(b)) return false;
    for (const auto& key : keys_of(a)) {
        if (budget.spent()) return false;
        const auto other = find_key(b, key, budget);
        if (!other || !equal(*find_key(a, key, budget), *other, budget)) return false;
    }
    return true;
}

}  // namespace

bool equal(const Value& a, const Value& b, Budget& budget) {
    budget.charge(1);
    const auto kind = a.kind();
    if (is_numeric(kind) && is_numeric(b.kind())) return compare_numbers(a, b) == 0;
    if (kind != b.kind()) return false;
    switch (kind) {
        case Kind::null: return true;
        case Kind::boolean: return a.as<bool>() == b.as<bool>();
        case Kind::text: budget.charge(a.text().size() / 10); return a.text() == b.text();
        case Kind::bytes: return a.as<Bytes>().data == b.as<Bytes>().data;
        case Kind::list: return equal_lists(a, b, budget);
        case Kind::map: return equal_maps(a, b, budget);
        case Kind::timestamp: return a.as<Timestamp>() == b.as<Timestamp>();
        case Kind::duration: return a.as<Span>() == b.as<Span>();
        case Kind::type: return a.as<Kind>() == b.as<Kind>();
        case Kind::optional: {
            const auto &left = a.as<Optional>().value, &right = b.as<Optional>().value;
            return !left || !right ? !left && !right : equal(*left, *right, budget);
        }
        case Kind::unknown:
        case Kind::fault:
        case Kind::integer:
        case Kind::unsigned_integer:
        case Kind::number: return false;
    }
    return false;
}

std::optional<int> compare(const Value& a, const Value& b) {
    if (is_numeric(a.kind()) && is_numeric(b.kind())) return compare_numbers(a, b);
    if (a.kind() != b.kind()) return std::nullopt;
    if (a.if_a<Text>()) return sign(a.text(), b.text());
    if (const auto* flag = a.if_a<bool>()) return sign(*flag, b.as<bool>());
    if (const auto* bytes = a.if_a<Bytes>()) return sign(bytes->data, b.as<Bytes>().data);
    if (const auto* time = a.if_a<Timestamp>()) return sign(*time, b.as<Timestamp>());
    if (const auto* span = a.if_a<Span>()) return sign(*span, b.as<Span>());
    return std::nullopt;
}

}  // namespace ocim::schema::cel
