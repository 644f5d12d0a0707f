#include "schema/cel_functions.hpp"
#include "schema/cel_syntax.hpp"

#include <re2/re2.h>
#include <algorithm>
#include <deque>

namespace ocim::schema::cel {
namespace {

using K = Expression::Kind;

Value spent_fault() { return fault("operation cancelled: actual cost limit exceeded"); }

class Evaluator {
public:
    Evaluator(const Scope& scope, Budget& budget) : scope_(scope), budget_(budget) {}

    Value eval(const Expression& expression) {
        budget_.charge(1);
        if (budget_.spent()) return spent_fault();
        switch (expression.kind) {
            case K::literal: return expression.literal;
            case K::identifier: return identifier(expression.name);
            case K::select: return select(expression);
            case K::has: return has(expression);
            case K::index: return index(expression);
            case K::call: return call(expression);
            case K::list: return list(expression);
            case K::map: return map(expression);
            case K::negate: return negate(expression);
            case K::not_: return not_(expression);
            case K::arithmetic: return arithmetic(expression);
            case K::compare: return compare(expression);
            case K::all_of: return junction(expression, false);
            case K::any_of: return junction(expression, true);
            case K::condition: return condition(expression);
            case K::macro: return macro(expression);
        }
        return no_such_overload();
    }

private:
    struct Variable {
        std::string_view name;
        Value value;
    };

    Value identifier(std::string_view name) {
        const auto found =
            std::find_if(variables_.rbegin(), variables_.rend(), [&](const Variable& one) { return one.name == name; });
        if (found != variables_.rend()) return found->value;
        if (name == "self") return scope_.self;
        if (name == "oldSelf") return scope_.old_self;
        static constexpr std::pair<std::string_view, Kind> types[] = {
            {"int", Kind::integer},    {"uint", Kind::unsigned_integer},
            {"double", Kind::number},  {"bool", Kind::boolean},
            {"string", Kind::text},    {"bytes", Kind::bytes},
            {"list", Kind::list},      {"map", Kind::map},
            {"null_type", Kind::null}, {"type", Kind::type}};
        for (const auto& [type, kind] : types)
            if (type == name) return kind;
        return fault("undeclared reference to '" + std::string(name) + "'");
    }

    /// The field of a map or of an object, or nullptr.
    std::unique_ptr<Value> field(const Value& of, const std::string& name) {
        const auto* place = of.if_a<Place>();
        if (!place) return find_key(of, Value(name), budget_);
        const auto* node = place->node;
        const bool declared = node && (node->resource || !node->properties.empty());
        const auto key = declared ? unescaped(name) : name;
        const auto* found = place->json->get_object().if_contains(key);
        if (!found) return nullptr;
        return std::make_unique<Value>(from_json(*found, node ? field_node(*node, key) : nullptr));
    }

    static Value optional(std::unique_ptr<Value> value) {
        return Optional{std::shared_ptr<const Value>(std::move(value))};
    }

    Value select(const Expression& expression) {
        auto of = eval(expression.operands[0]);
        if (of.is_fault()) return of;
        const auto* outer = of.if_a<Optional>();
        if (outer && !outer->value) return of;
        const Value& value = outer ? *outer->value : of;
        if (value.kind() != Kind::map) return no_such_overload();
        auto found = field(value, expression.name);
        if (expression.optional || outer) return optional(std::move(found));
        return found ? *std::move(found) : fault("no such key: " + expression.name);
    }

    Value has(const Expression& expression) {
        auto of = eval(expression.operands[0]);
        if (of.is_fault()) return of;
        const auto* outer = of.if_a<Optional>();
        if (outer && !outer->value) return false;
        const Value& value = outer ? *outer->value : of;
        if (value.kind() != Kind::map) return no_such_overload();
        return field(value, expression.name) != nullptr;
    }

    Value index(const Expression& expression) {
        auto of = eval(expression.operands[0]);
        if (of.is_fault()) return of;
        auto at = eval(expression.operands[1]);
        if (at.is_fault()) return at;
        const auto* outer = of.if_a<Optional>();
        if (outer && !outer->value) return of;
        const Value& value = outer ? *outer->value : of;
        std::unique_ptr<Value> found;
        if (value.kind() == Kind::map) {
            found = find_key(value, at, budget_);
        } else if (value.kind() == Kind::list) {
            std::int64_t place = -1;
            if (const auto* integer = at.if_a<std::int64_t>())
                place = *integer;
            else if (const auto* number = at.if_a<double>(); number && *number >= 0 && *number < 1e9)
                place = static_cast<std::int64_t>(*number);
            else if (!at.if_a<std::uint64_t>() && !at.if_a<double>())
                return no_such_overload();
            else if (const auto* whole = at.if_a<std::uint64_t>(); whole && *whole < 1'000'000'000)
                place = static_cast<std::int64_t>(*whole);
            if (place >= 0 && static_cast<std::size_t>(place) < size_of(value))
                found = std::make_unique<Value>(item_of(value, static_cast<std::size_t>(place)));
        } else {
            return no_such_overload();
        }
        if (expression.optional || outer) return optional(std::move(found));
        if (found) return *std::move(found);
        const auto text = text_of(at).value_or("?");
        return fault((value.kind() == Kind::map ? "no such key: " : "index out of bounds: ") + text);
    }

    Value call(const Expression& expression) {
        std::vector<Value> arguments;
        std::vector<Kind> kinds;
        for (const auto& operand : expression.operands) {
            arguments.push_back(eval(operand));
            if (arguments.back().is_fault()) return arguments.back();
            kinds.push_back(arguments.back().kind());
        }
        if (expression.regex && kinds[0] == Kind::text) {
            const auto text = arguments[0].text();
            budget_.charge(1 + text.size() / 10);
            return re2::RE2::PartialMatch({text.data(), text.size()}, *expression.regex);
        }
        for (const auto& overload : expression.function->overloads)
            if (accepts(overload, kinds)) return overload.call(arguments, budget_);
        return no_such_overload();
    }

    Value list(const Expression& expression) {
        List out;
        for (const auto& operand : expression.operands) {
            out.push_back(eval(operand));
            if (out.back().is_fault()) return out.back();
        }
        return out;
    }

    Value map(const Expression& expression) {
        Map out;
        for (std::size_t i = 0; i + 1 < expression.operands.size(); i += 2) {
            auto key = eval(expression.operands[i]);
            if (key.is_fault()) return key;
            auto value = eval(expression.operands[i + 1]);
            if (value.is_fault()) return value;
            const auto kind = key.kind();
            if (kind != Kind::text && kind != Kind::integer && kind != Kind::unsigned_integer && kind != Kind::boolean)
                return fault("unsupported key type: " + std::string(name_of(kind)));
            out.emplace_back(std::move(key), std::move(value));
        }
        return out;
    }

    Value negate(const Expression& expression) {
        auto of = eval(expression.operands[0]);
        if (const auto* integer = of.if_a<std::int64_t>())
            return *integer == INT64_MIN ? fault("integer overflow") : Value(-*integer);
        if (const auto* number = of.if_a<double>()) return -*number;
        return of.is_fault() ? of : no_such_overload();
    }

    Value not_(const Expression& expression) {
        auto of = eval(expression.operands[0]);
        if (const auto* flag = of.if_a<bool>()) return !*flag;
        return of.is_fault() ? of : no_such_overload();
    }

    Value arithmetic(const Expression& expression) {
        auto a = eval(expression.operands[0]);
        if (a.is_fault()) return a;
        auto b = eval(expression.operands[1]);
        if (b.is_fault()) return b;
        return cel::arithmetic(expression.name[0], a, b, budget_);
    }

    Value compare(const Expression& expression) {
        auto a = eval(expression.operands[0]);
        if (a.is_fault()) return a;
        auto b = eval(expression.operands[1]);
        if (b.is_fault()) return b;
        const auto& symbol = expression.name;
        if (symbol == "==" || symbol == "!=") return equal(a, b, budget_) == (symbol == "==");
        if (symbol == "in") return in(a, b);
        const auto a_kind = a.kind(), b_kind = b.kind();
        const auto sign = cel::compare(a, b);
        if (!sign) return a_kind == Kind::number || b_kind == Kind::number ? Value(false) : no_such_overload();
        if (symbol == "<") return *sign < 0;
        if (symbol == "<=") return *sign <= 0;
        return symbol == ">" ? *sign > 0 : *sign >= 0;
    }

    Value in(const Value& item, const Value& all) {
        if (all.kind() == Kind::map) return find_key(all, item, budget_) != nullptr;
        if (all.kind() != Kind::list) return no_such_overload();
        for (std::size_t i = 0; i < size_of(all); ++i) {
            if (equal(item, item_of(all, i), budget_)) return true;
            if (budget_.spent()) return spent_fault();
        }
        return false;
    }

    /// && and ||: an operand that decides wins over one that went wrong, on whichever side.
    Value junction(const Expression& expression, bool decisive) {
        std::optional<Value> wrong;
        for (const auto& operand : expression.operands) {
            auto value = eval(operand);
            if (budget_.spent()) return spent_fault();
            const auto* flag = value.if_a<bool>();
            if (flag && *flag == decisive) return decisive;
            if (!flag && !wrong) wrong = value.is_fault() ? std::move(value) : no_such_overload();
        }
        return wrong ? *std::move(wrong) : Value(!decisive);
    }

    Value condition(const Expression& expression) {
        auto test = eval(expression.operands[0]);
        if (test.is_fault()) return test;
        const auto* flag = test.if_a<bool>();
        if (!flag) return no_such_overload();
        return eval(expression.operands[*flag ? 1 : 2]);
    }

    Value macro(const Expression& expression) {
        auto range = eval(expression.operands[0]);
        if (range.is_fault()) return range;
        if (expression.name == "optMap" || expression.name == "optFlatMap") return opt_map(expression, range);
        if (range.kind() != Kind::list && range.kind() != Kind::map) return no_such_overload();
        const auto before = variables_.size();
        auto out = loop(expression, range);
        variables_.resize(before);
        return out;
    }

    Value opt_map(const Expression& expression, const Value& range) {
        const auto* held = range.if_a<Optional>();
        if (!held) return no_such_overload();
        if (!held->value) return range;
        variables_.push_back({expression.variables[0], *held->value});
        auto out = eval(expression.operands[1]);
        variables_.pop_back();
        if (out.is_fault() || expression.name == "optFlatMap") return out;
        return Optional{std::make_shared<const Value>(std::move(out))};
    }

    /// What a loop has found so far.
    struct Loop {
        List collected;
        std::int64_t count = 0;
        std::optional<Value> wrong;
        std::optional<Value> decided;
    };

    Value loop(const Expression& expression, const Value& range) {
        const bool map = range.kind() == Kind::map;
        const auto keys = map ? keys_of(range) : List{};
        const auto first = variables_.size();
        variables_.resize(first + expression.variables.size());
        for (std::size_t i = 0; i < expression.variables.size(); ++i)
            variables_[first + i].name = expression.variables[i];
        Loop state;
        for (std::size_t i = 0; i < size_of(range); ++i) {
            if (expression.variables.size() == 2) {
                variables_[first].value = map ? keys[i] : Value(static_cast<std::int64_t>(i));
                variables_[first + 1].value = map ? *find_key(range, keys[i], budget_) : item_of(range, i);
            } else {
                variables_[first].value = map ? keys[i] : item_of(range, i);
            }
            step(expression, variables_[first].value, state);
            if (budget_.spent()) return spent_fault();
            if (state.decided) return *std::move(state.decided);
        }
        if (expression.name == "all" || expression.name == "exists")
            return state.wrong ? *std::move(state.wrong) : Value(expression.name == "all");
        if (expression.name == "exists_one" || expression.name == "existsOne") return state.count == 1;
        return std::move(state.collected);
    }

    void step(const Expression& expression, const Value& item, Loop& state) {
        const auto& name = expression.name;
        const bool transforms = name == "map" || name == "transformList";
        if (transforms && expression.operands.size() == 2) {
            collect(eval(expression.operands[1]), state);
            return;
        }
        auto test = eval(expression.operands[1]);
        const auto* flag = test.if_a<bool>();
        if (name == "all" || name == "exists") {
            if (!flag && !state.wrong) state.wrong = test.is_fault() ? std::move(test) : no_such_overload();
            if (flag && *flag == (name == "exists")) state.decided = *flag;
        } else if (!flag) {
            state.decided = test.is_fault() ? std::move(test) : no_such_overload();
        } else if (*flag) {
            ++state.count;
            if (name == "filter") collect(item, state);
            if (transforms) collect(eval(expression.operands[2]), state);
        }
    }

    static void collect(Value value, Loop& state) {
        if (value.is_fault())
            state.decided = std::move(value);
        else
            state.collected.push_back(std::move(value));
    }

    const Scope& scope_;
    Budget& budget_;
    std::deque<Variable> variables_;  // a loop's item stays where it is while inner loops add theirs
};

}  // namespace

Value evaluate(const Expression& expression, const Scope& scope, Budget& budget) {
    return Evaluator(scope, budget).eval(expression);
}

}  // namespace ocim::schema::cel
