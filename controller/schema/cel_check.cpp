#include "schema/cel_functions.hpp"
#include "schema/cel_syntax.hpp"

#include <re2/re2.h>
#include <algorithm>

namespace ocim::schema::cel {
namespace {

bool is_numeric(Kind kind) { return kind == Kind::integer || kind == Kind::unsigned_integer || kind == Kind::number; }

/// Type names are values: type(x) == int.
std::optional<Kind> type_named(std::string_view name) {
    static constexpr std::pair<std::string_view, Kind> types[] = {
        {"int", Kind::integer},    {"uint", Kind::unsigned_integer},
        {"double", Kind::number},  {"bool", Kind::boolean},
        {"string", Kind::text},    {"bytes", Kind::bytes},
        {"list", Kind::list},      {"map", Kind::map},
        {"null_type", Kind::null}, {"type", Kind::type}};
    const auto found = std::ranges::find(types, name, [](const auto& type) { return type.first; });
    return found == std::end(types) ? std::nullopt : std::optional(found->second);
}

std::string no_overload(std::string_view function, std::initializer_list<Kind> kinds) {
    std::string out = "found no matching overload for '" + std::string(function) + "' applied to '(";
    bool first = true;
    for (const auto kind : kinds) {
        out += (first ? "" : ", ") + std::string(name_of(kind));
        first = false;
    }
    return out + ")'";
}

}  // namespace

Known known(const Node* node) {
    if (!node) return {};
    if (node->nullable || node->int_or_string) return {Kind::unknown, node};
    switch (node->type) {
        case Type::any: return {Kind::unknown, node};
        case Type::object: return {Kind::map, node};
        case Type::array: return {Kind::list, node};
        case Type::integer: return {Kind::integer, node};
        case Type::number: return {Kind::number, node};
        case Type::boolean: return {Kind::boolean, node};
        case Type::string: break;
    }
    if (node->format == "byte") return {Kind::bytes, node};
    if (node->format == "duration") return {Kind::duration, node};
    const bool time = node->format == "date-time" || node->format == "datetime" || node->format == "date";
    return {time ? Kind::timestamp : Kind::text, node};
}

std::string unescaped(std::string_view name) {
    static constexpr std::string_view words[] = {
        "true", "false",  "null", "in",   "as",      "break",     "const",  "continue", "else", "for",  "function",
        "if",   "import", "let",  "loop", "package", "namespace", "return", "var",      "void", "while"};
    for (const auto word : words)
        if (name.size() == word.size() + 4 && name.starts_with("__") && name.ends_with("__") &&
            name.substr(2, word.size()) == word)
            return std::string(word);
    static constexpr std::pair<std::string_view, char> marks[] = {
        {"__dot__", '.'}, {"__dash__", '-'}, {"__slash__", '/'}};
    std::string out;
    while (!name.empty()) {
        if (name.starts_with("__underscores__")) {
            out += "__";
            name.remove_prefix(15);
            continue;
        }
        const auto mark = std::ranges::find_if(marks, [&](const auto& one) { return name.starts_with(one.first); });
        out += mark == std::end(marks) ? name[0] : mark->second;
        name.remove_prefix(mark == std::end(marks) ? 1 : mark->first.size());
    }
    return out;
}

const Node* field_node(const Node& node, std::string_view name) {
    static const Node text = [] {
        Node out;
        out.type = Type::string;
        return out;
    }();
    // rules may look at the name only: the rest of the metadata is not the schema's affair
    static const Node metadata = [] {
        Node out;
        out.type = Type::object;
        for (const auto* field : {"name", "generateName"}) {
            Node value;
            value.type = Type::string;
            out.declare(field, std::move(value));
        }
        return out;
    }();
    if (node.resource && name == "metadata") return &metadata;
    if (node.resource && is_meta_field(name)) return &text;
    return node.field(name);
}

Checker::Checker(const Node& self, const Known* old_self) {
    variables_.push_back({"self", known(&self)});
    if (old_self) variables_.push_back({"oldSelf", *old_self});
}

Result<Known> Checker::check(Expression& expression) {
    const auto out = visit(expression);
    if (fault_) return *fault_;
    return out;
}

void Checker::refuse(const Expression& expression, std::string why) {
    if (!fault_)
        fault_ = Error{ErrorClass::invalid, "character " + std::to_string(expression.at + 1) + ": " + std::move(why)};
}

void Checker::expect(const Expression& expression, const Known& known, Kind kind) {
    if (known.kind != kind && known.kind != Kind::unknown)
        refuse(expression, "expected type '" + std::string(name_of(kind)) + "' but found '" +
                               std::string(name_of(known.kind)) + "'");
}

Known Checker::visit(Expression& expression) {
    using K = Expression::Kind;
    switch (expression.kind) {
        case K::literal: return {expression.literal.kind(), nullptr};
        case K::identifier: return identifier(expression);
        case K::select: return select(expression);
        case K::has: (void)select(expression); return {Kind::boolean, nullptr};
        case K::index: return index(expression);
        case K::call: return call(expression);
        case K::macro: return macro(expression);
        case K::arithmetic: return arithmetic(expression);
        case K::compare: return compare(expression);
        case K::list:
        case K::map:
            for (auto& operand : expression.operands) (void)visit(operand);
            return {expression.kind == K::list ? Kind::list : Kind::map, nullptr};
        case K::not_:
        case K::all_of:
        case K::any_of:
            for (auto& operand : expression.operands) expect(operand, visit(operand), Kind::boolean);
            return {Kind::boolean, nullptr};
        case K::negate: {
            const auto of = visit(expression.operands[0]);
            if (of.kind != Kind::integer && of.kind != Kind::number && of.kind != Kind::unknown)
                refuse(expression, no_overload("-_", {of.kind}));
            return {of.kind, nullptr};
        }
        case K::condition: {
            expect(expression.operands[0], visit(expression.operands[0]), Kind::boolean);
            const auto left = visit(expression.operands[1]), right = visit(expression.operands[2]);
            return {left.kind == right.kind ? left.kind : Kind::unknown, left.node == right.node ? left.node : nullptr};
        }
    }
    return {};
}

Known Checker::identifier(const Expression& expression) {
    const auto found = std::find_if(variables_.rbegin(), variables_.rend(),
                                    [&](const Variable& one) { return one.name == expression.name; });
    if (found != variables_.rend()) {
        if (expression.name == "oldSelf") uses_old_self_ = true;
        return found->known;
    }
    if (type_named(expression.name)) return {Kind::type, nullptr};
    refuse(expression, "undeclared reference to '" + expression.name + "'");
    return {};
}

Known Checker::field(const Expression& expression, const Known& of) {
    if (of.kind != Kind::map && of.kind != Kind::unknown && of.kind != Kind::optional) {
        refuse(expression, "type '" + std::string(name_of(of.kind)) + "' does not support field selection");
        return {};
    }
    if (!of.node || of.node->type != Type::object) return {};
    const bool declared = of.node->resource || !of.node->properties.empty();
    const auto* found = field_node(*of.node, declared ? unescaped(expression.name) : expression.name);
    if (!found && !of.node->preserve_unknown && !of.node->additional_anything)
        refuse(expression, "undefined field '" + expression.name + "'");
    return known(found);
}

Known Checker::select(Expression& expression) {
    const auto of = visit(expression.operands[0]);
    const auto out = field(expression, of);
    if (expression.optional || of.kind == Kind::optional) return {Kind::optional, out.node};
    return out;
}

Known Checker::index(Expression& expression) {
    const auto of = visit(expression.operands[0]), at = visit(expression.operands[1]);
    if (of.kind != Kind::list && of.kind != Kind::map && of.kind != Kind::unknown && of.kind != Kind::optional)
        refuse(expression, no_overload("_[_]", {of.kind, at.kind}));
    if (of.kind == Kind::list && !is_numeric(at.kind) && at.kind != Kind::unknown)
        refuse(expression, no_overload("_[_]", {of.kind, at.kind}));
    const Node* node = !of.node                        ? nullptr
                       : of.node->type == Type::array  ? of.node->items.get()
                       : of.node->type == Type::object ? of.node->additional.get()
                                                       : nullptr;
    if (expression.optional || of.kind == Kind::optional) return {Kind::optional, node};
    return known(node);
}

Known Checker::call(Expression& expression) {
    auto& operands = expression.operands;
    if (expression.member && operands[0].kind == Expression::Kind::identifier) {
        const auto is_variable = std::ranges::find(variables_, operands[0].name, &Variable::name) != variables_.end();
        const auto* qualified = is_variable ? nullptr : find_function(operands[0].name + "." + expression.name, false);
        if (qualified) {
            expression.function = qualified;
            expression.member = false;
            operands.erase(operands.begin());
        }
    }
    if (!expression.function) expression.function = find_function(expression.name, expression.member);
    if (!expression.function) {
        refuse(expression, "undeclared reference to '" + expression.name + "'");
        return {};
    }
    std::vector<Kind> kinds;
    for (auto& operand : operands) kinds.push_back(visit(operand).kind);
    std::optional<Kind> result;
    for (const auto& overload : expression.function->overloads)
        if (accepts(overload, kinds)) result = !result || *result == overload.result ? overload.result : Kind::unknown;
    if (!result) {
        std::string list;
        for (const auto kind : kinds) list += (list.empty() ? "" : ", ") + std::string(name_of(kind));
        refuse(expression, "found no matching overload for '" + expression.name + "' applied to '(" + list + ")'");
        return {};
    }
    if (expression.name == "matches" && operands[1].literal.if_a<Text>()) {
        re2::RE2::Options options;
        options.set_log_errors(false);
        expression.regex = std::make_shared<const re2::RE2>(std::string(operands[1].literal.text()), options);
        if (!expression.regex->ok()) refuse(operands[1], "not a regular expression: " + expression.regex->error());
    }
    return {*result, nullptr};
}

Known Checker::macro(Expression& expression) {
    const auto range = visit(expression.operands[0]);
    const bool optional = expression.name == "optMap" || expression.name == "optFlatMap";
    const bool fits = optional ? range.kind == Kind::optional : range.kind == Kind::list || range.kind == Kind::map;
    if (!fits && range.kind != Kind::unknown)
        refuse(expression.operands[0], "expression of type '" + std::string(name_of(range.kind)) +
                                           "' cannot be range of a comprehension (must be list, map, or dynamic)");
    const bool map = range.kind == Kind::map;
    const Node* item = !range.node                       ? nullptr
                       : range.node->type == Type::array ? range.node->items.get()
                                                         : range.node->additional.get();
    const Known element = optional ? known(range.node) : known(item);
    const Known key{map ? Kind::text : range.kind == Kind::list ? Kind::integer : Kind::unknown, nullptr};
    const auto before = variables_.size();
    if (expression.variables.size() == 2) {
        variables_.push_back({expression.variables[0], key});
        variables_.push_back({expression.variables[1], element});
    } else {
        variables_.push_back({expression.variables[0], map ? key : element});
    }
    Known body;
    for (std::size_t i = 1; i < expression.operands.size(); ++i) {
        body = visit(expression.operands[i]);
        const bool is_test = i + 1 < expression.operands.size() ||
                             (!optional && expression.name != "map" && expression.name != "transformList");
        if (is_test) expect(expression.operands[i], body, Kind::boolean);
    }
    variables_.resize(before);
    if (optional) return {Kind::optional, body.node};
    if (expression.name == "map" || expression.name == "transformList") return {Kind::list, nullptr};
    if (expression.name == "filter") return {Kind::list, map ? nullptr : range.node};
    return {Kind::boolean, nullptr};
}

Known Checker::arithmetic(Expression& expression) {
    const auto a = visit(expression.operands[0]).kind, b = visit(expression.operands[1]).kind;
    const char symbol = expression.name[0];
    const auto time = [](Kind kind) { return kind == Kind::timestamp || kind == Kind::duration; };
    if (a == Kind::unknown || b == Kind::unknown)
        return {time(a) || time(b) ? Kind::unknown : a == b ? a : Kind::unknown, nullptr};
    if (time(a) && time(b)) {
        if (symbol == '+' && (a == Kind::duration || b == Kind::duration))
            return {a == b ? a : Kind::timestamp, nullptr};
        if (symbol == '-' && (a == b || b == Kind::duration)) return {a == b ? Kind::duration : a, nullptr};
    } else if (a == b) {
        const bool joins = a == Kind::text || a == Kind::bytes || a == Kind::list;
        if (is_numeric(a) && (a != Kind::number || symbol != '%')) return {a, nullptr};
        if (joins && symbol == '+') return {a, nullptr};
    }
    refuse(expression, no_overload("_" + expression.name + "_", {a, b}));
    return {};
}

Known Checker::compare(Expression& expression) {
    const auto a = visit(expression.operands[0]).kind, b = visit(expression.operands[1]).kind;
    const auto open = [](Kind kind) { return kind == Kind::unknown; };
    const bool same = a == b || (is_numeric(a) && is_numeric(b));
    bool fits = true;
    if (expression.name == "in") {
        fits = open(b) || b == Kind::list || b == Kind::map;
    } else if (expression.name == "==" || expression.name == "!=") {
        // an object may be compared with null
        const auto nullable = [](Kind x, Kind y) { return x == Kind::null && (y == Kind::map || y == Kind::list); };
        fits = open(a) || open(b) || same || nullable(a, b) || nullable(b, a);
    } else {
        const auto ordered = [&](Kind kind) {
            return open(kind) || is_numeric(kind) || kind == Kind::text || kind == Kind::bytes ||
                   kind == Kind::boolean || kind == Kind::timestamp || kind == Kind::duration;
        };
        fits = ordered(a) && ordered(b) && (open(a) || open(b) || same);
    }
    const auto name = expression.name == "in" ? std::string("@in") : "_" + expression.name + "_";
    if (!fits) refuse(expression, no_overload(name, {a, b}));
    return {Kind::boolean, nullptr};
}

}  // namespace ocim::schema::cel
