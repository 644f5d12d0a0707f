#include "schema/cel_functions.hpp"

#include "schema/message.hpp"

#include <algorithm>
#include <limits>

namespace ocim::schema::cel {
namespace {

template <class T>
Value checked(char symbol, T a, T b, std::string_view overflow) {
    T out{};
    const auto zero = [&] { return fault(symbol == '%' ? "modulus by zero" : "division by zero"); };
    // the one quotient that does not fit
    const bool lowest = std::is_signed_v<T> && b == static_cast<T>(-1) && a == std::numeric_limits<T>::min();
    bool failed = false;
    switch (symbol) {
        case '+': failed = __builtin_add_overflow(a, b, &out); break;
        case '-': failed = __builtin_sub_overflow(a, b, &out); break;
        case '*': failed = __builtin_mul_overflow(a, b, &out); break;
        default:
            if (b == 0) return zero();
            failed = lowest;
            if (!failed) out = symbol == '/' ? static_cast<T>(a / b) : static_cast<T>(a % b);
    }
    return failed ? fault(std::string(overflow)) : Value(out);
}

Value add_seconds(const Timestamp& time, std::int64_t nanoseconds) {
    constexpr std::int64_t second = 1'000'000'000;
    auto rest = time.nanoseconds + nanoseconds % second;
    Timestamp out{time.seconds + nanoseconds / second, 0};
    if (rest < 0) {
        rest += second;
        --out.seconds;
    }
    out.seconds += rest / second;
    out.nanoseconds = static_cast<std::int32_t>(rest % second);
    // years 1 to 9999
    if (out.seconds < -62'135'596'800 || out.seconds > 253'402'300'799) return fault("timestamp overflow");
    return out;
}

Value time_arithmetic(char symbol, const Value& a, const Value& b) {
    const auto *time_a = a.if_a<Timestamp>(), *time_b = b.if_a<Timestamp>();
    const auto *span_a = a.if_a<Span>(), *span_b = b.if_a<Span>();
    const bool plus = symbol == '+', minus = symbol == '-';
    if (time_a && span_b && plus) return add_seconds(*time_a, span_b->nanoseconds);
    if (time_a && span_b && minus && span_b->nanoseconds != INT64_MIN)
        return add_seconds(*time_a, -span_b->nanoseconds);
    if (span_a && time_b && plus) return add_seconds(*time_b, span_a->nanoseconds);
    std::int64_t out = 0;
    bool failed = true;
    if (time_a && time_b && minus)
        failed = __builtin_mul_overflow(time_a->seconds - time_b->seconds, 1'000'000'000, &out) ||
                 __builtin_add_overflow(out, time_a->nanoseconds - time_b->nanoseconds, &out);
    else if (span_a && span_b && plus)
        failed = __builtin_add_overflow(span_a->nanoseconds, span_b->nanoseconds, &out);
    else if (span_a && span_b && minus)
        failed = __builtin_sub_overflow(span_a->nanoseconds, span_b->nanoseconds, &out);
    else
        return no_such_overload();
    return failed ? fault("duration overflow") : Value(Span{out});
}

/// What identifies an item where lists are joined: the item of a set, the keys of an item of a map list.
std::string identity(const Json& item, const Node& list) {
    if (list.list_type == Node::ListType::set) return canonical(item);
    api::json::object key;
    for (const auto& name : list.list_keys)
        if (const auto* object = item.if_object())
            if (const auto* value = object->if_contains(name)) key[name] = *value;
    return canonical(key);
}

/// Sets and map lists are united: what both have counts once, and of a map list the right one counts.
Value united(const Place& a, const Place& b, Budget& budget) {
    List out;
    std::map<std::string, std::size_t, std::less<>> where;
    const Node* items = a.node->items.get();
    for (const auto* place : {&a, &b})
        for (const auto& item : place->json->get_array()) {
            auto key = identity(item, *a.node);
            budget.charge(1 + key.size() / 10);
            const auto [found, added] = where.emplace(std::move(key), out.size());
            if (added)
                out.push_back(from_json(item, items));
            else
                out[found->second] = from_json(item, items);
        }
    return out;
}

Value joined(const Value& a, const Value& b, Budget& budget) {
    const auto *place_a = a.if_a<Place>(), *place_b = b.if_a<Place>();
    const bool unite = place_a && place_b && place_a->node && place_a->node == place_b->node &&
                       place_a->node->list_type.value_or(Node::ListType::atomic) != Node::ListType::atomic;
    if (unite) return united(*place_a, *place_b, budget);
    budget.charge(size_of(a) + size_of(b));
    if (budget.spent()) return fault("the cost limit is exceeded");
    List out;
    for (const auto* list : {&a, &b})
        for (std::size_t i = 0; i < size_of(*list); ++i) out.push_back(item_of(*list, i));
    return out;
}

}  // namespace

Value arithmetic(char symbol, const Value& a, const Value& b, Budget& budget) {
    budget.charge(1);
    const auto kind = a.kind();
    if (kind == Kind::timestamp || kind == Kind::duration) return time_arithmetic(symbol, a, b);
    if (kind != b.kind()) return no_such_overload();
    if (kind == Kind::integer) return checked(symbol, a.integer(), b.integer(), "integer overflow");
    if (kind == Kind::unsigned_integer)
        return checked(symbol, a.as<std::uint64_t>(), b.as<std::uint64_t>(), "unsigned integer overflow");
    if (kind == Kind::number && symbol != '%') {
        const double left = a.as<double>(), right = b.as<double>();
        return symbol == '+'   ? left + right
               : symbol == '-' ? left - right
               : symbol == '*' ? left * right
                               : left / right;
    }
    if (symbol != '+') return no_such_overload();
    if (kind == Kind::text) {
        budget.charge((a.text().size() + b.text().size()) / 10);
        return budget.spent() ? fault("the cost limit is exceeded") : Value(std::string(a.text()).append(b.text()));
    }
    if (kind == Kind::bytes) return Bytes{a.as<Bytes>().data + b.as<Bytes>().data};
    if (kind == Kind::list) return joined(a, b, budget);
    return no_such_overload();
}

bool accepts(const Overload& overload, std::span<const Kind> kinds) {
    if (kinds.size() != overload.count) return false;
    for (std::size_t i = 0; i < kinds.size(); ++i)
        if (kinds[i] != overload.parameters[i] && kinds[i] != Kind::unknown && overload.parameters[i] != Kind::unknown)
            return false;
    return true;
}

const Function* find_function(std::string_view name, bool member) {
    static const std::vector<Function> all = [] {
        std::vector<Function> out;
        add_conversions(out);
        add_text_functions(out);
        add_list_functions(out);
        add_time_functions(out);
        return out;
    }();
    const auto is_it = [&](const Function& one) { return one.name == name && one.member == member; };
    const auto found = std::ranges::find_if(all, is_it);
    return found == all.end() ? nullptr : &*found;
}

}  // namespace ocim::schema::cel
