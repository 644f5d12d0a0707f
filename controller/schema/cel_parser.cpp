#include "schema/cel_lexer.hpp"
#include "schema/cel_syntax.hpp"

#include <algorithm>
#include <span>

namespace ocim::schema::cel {
namespace {

using Kind = Expression::Kind;

/// How many variables a macro takes and how many expressions after them.
struct Macro {
    std::string_view name;
    std::size_t variables, bodies;
};
constexpr Macro macros[] = {{"all", 1, 1},           {"exists", 1, 1},       {"exists_one", 1, 1}, {"existsOne", 1, 1},
                            {"map", 1, 1},           {"map", 1, 2},          {"filter", 1, 1},     {"all", 2, 1},
                            {"exists", 2, 1},        {"existsOne", 2, 1},    {"optMap", 1, 1},     {"optFlatMap", 1, 1},
                            {"transformList", 2, 1}, {"transformList", 2, 2}};
constexpr std::string_view reserved[] = {"as",        "break",  "const",  "continue", "else", "for",  "function",
                                         "if",        "in",     "import", "let",      "loop", "null", "package",
                                         "namespace", "return", "true",   "false",    "var",  "void", "while"};

class Parser {
public:
    explicit Parser(std::string_view source) : lexer_(source) { advance(); }

    Result<Expression> whole() {
        auto out = expression();
        if (!fault_ && token_.kind != Token::Kind::end) refuse(token_.at, "an operator is missing");
        if (fault_) return *std::move(fault_);
        return out;
    }

private:
    void refuse(std::size_t at, std::string_view why) {
        if (!fault_)
            fault_ = Error{ErrorClass::invalid, "character " + std::to_string(at + 1) + ": " + std::string(why)};
        token_ = Token{.kind = Token::Kind::end, .at = at, .text = {}, .literal = {}};  // so that every loop ends
    }

    void advance() {
        if (fault_) return;
        auto token = lexer_.next();
        if (token) {
            token_ = *std::move(token);
        } else {
            fault_ = std::move(token).error();
            token_ = {};
        }
    }

    bool is(std::string_view symbol) const { return token_.kind == Token::Kind::symbol && token_.text == symbol; }
    bool take(std::string_view symbol) {
        if (!is(symbol)) return false;
        advance();
        return true;
    }
    void expect(std::string_view symbol) {
        if (!take(symbol)) refuse(token_.at, "'" + std::string(symbol) + "' is missing");
    }

    Expression make(Kind kind, std::size_t at, std::string_view name = {}) {
        if (++nodes_ > limits::cel_nodes_max) refuse(at, "the expression has too many parts");
        Expression out;
        out.kind = kind;
        out.at = at;
        out.name = name;
        return out;
    }
    void add(Expression& parent, Expression part) {
        parent.depth = std::max(parent.depth, part.depth + 1);
        if (parent.depth > limits::cel_depth_max) refuse(part.at, "the expression is nested too deep");
        parent.operands.push_back(std::move(part));
    }
    Expression binary(Kind kind, std::size_t at, std::string_view name, Expression left, Expression right) {
        auto out = make(kind, at, name);
        add(out, std::move(left));
        add(out, std::move(right));
        return out;
    }

    Expression expression() {
        if (++depth_ > limits::cel_nesting_max) refuse(token_.at, "the expression is nested too deep");
        auto out = fault_ ? Expression{} : condition();
        --depth_;
        return out;
    }

    Expression condition() {
        auto test = chain(Kind::any_of, "||");
        if (!is("?")) return test;
        auto out = make(Kind::condition, token_.at);
        advance();
        add(out, std::move(test));
        add(out, chain(Kind::any_of, "||"));
        expect(":");
        add(out, expression());
        return out;
    }

    /// a || b || c and a && b && c are one node each: a long chain is not deep.
    Expression chain(Kind kind, std::string_view symbol) {
        auto first = kind == Kind::any_of ? chain(Kind::all_of, "&&") : relation();
        if (!is(symbol)) return first;
        auto out = make(kind, token_.at, symbol);
        add(out, std::move(first));
        while (take(symbol)) add(out, kind == Kind::any_of ? chain(Kind::all_of, "&&") : relation());
        return out;
    }

    Expression relation() {
        static constexpr std::string_view symbols[] = {"==", "!=", "<", "<=", ">", ">="};
        auto left = additive(sum_symbols);
        for (;;) {
            const bool in = token_.kind == Token::Kind::name && token_.text == "in";
            if (!in &&
                (token_.kind != Token::Kind::symbol || std::ranges::find(symbols, token_.text) == std::end(symbols)))
                return left;
            const auto at = token_.at;
            const auto symbol = token_.text;
            advance();
            left = binary(Kind::compare, at, symbol, std::move(left), additive(sum_symbols));
        }
    }

    static constexpr std::string_view sum_symbols[] = {"+", "-"};
    static constexpr std::string_view product_symbols[] = {"*", "/", "%"};

    Expression additive(std::span<const std::string_view> symbols) {
        const bool sums = symbols.size() == 2;
        auto left = sums ? additive(product_symbols) : unary();
        for (;;) {
            if (token_.kind != Token::Kind::symbol || std::ranges::find(symbols, token_.text) == symbols.end())
                return left;
            const auto at = token_.at;
            const auto symbol = token_.text;
            advance();
            left = binary(Kind::arithmetic, at, symbol, std::move(left), sums ? additive(product_symbols) : unary());
        }
    }

    Expression unary() {
        const auto at = token_.at;
        if (!is("!") && !is("-")) return member();
        const bool minus = is("-");
        advance();
        if (minus && token_.kind == Token::Kind::literal) {
            auto number = token_.literal;
            const bool lowest = token_.text == "2^63";
            if (lowest || number.if_a<std::int64_t>() || number.if_a<double>()) {
                if (lowest)
                    token_.literal = INT64_MIN;
                else if (const auto* integer = number.if_a<std::int64_t>())
                    token_.literal = -*integer;
                else
                    token_.literal = -number.as<double>();
                token_.text = {};
                return member();
            }
        }
        if (++depth_ > limits::cel_nesting_max) refuse(at, "the expression is nested too deep");
        auto out = make(minus ? Kind::negate : Kind::not_, at);
        add(out, unary());
        --depth_;
        return out;
    }

    Expression member() {
        auto out = primary();
        while (is(".") || is("[")) out = is(".") ? selection(std::move(out)) : subscript(std::move(out));
        return out;
    }

    Expression subscript(Expression of) {
        auto out = make(Kind::index, token_.at);
        advance();
        out.optional = take("?");
        add(out, std::move(of));
        add(out, expression());
        expect("]");
        return out;
    }

    Expression selection(Expression of) {
        const auto at = token_.at;
        advance();
        const bool optional = take("?");
        if (token_.kind != Token::Kind::name) refuse(token_.at, "a field name is missing");
        const std::string name(token_.text);
        advance();
        if (is("(") && !optional) return call(at, name, std::move(of));
        auto out = make(Kind::select, at, name);
        out.optional = optional;
        add(out, std::move(of));
        return out;
    }

    Expression call(std::size_t at, const std::string& name, std::optional<Expression> receiver) {
        auto out = make(Kind::call, at, name);
        out.member = receiver.has_value();
        if (receiver) add(out, *std::move(receiver));
        expect("(");
        if (!is(")")) {
            do add(out, expression());
            while (take(","));
        }
        expect(")");
        if (fault_) return out;
        if (!out.member && name == "has") return presence(std::move(out));
        return out.member ? with_macro(std::move(out)) : out;
    }

    Expression presence(Expression call) {
        if (call.operands.size() != 1 || call.operands[0].kind != Kind::select || call.operands[0].optional) {
            refuse(call.at, "invalid argument to has() macro");
            return call;
        }
        auto out = std::move(call.operands[0]);
        out.kind = Kind::has;
        return out;
    }

    Expression with_macro(Expression call) {
        for (const auto& macro : macros) {
            if (macro.name != call.name || call.operands.size() != 1 + macro.variables + macro.bodies) continue;
            // a field list could be called map(x): only a plain name makes a macro
            const auto is_name = [](const Expression& part) { return part.kind == Kind::identifier; };
            if (!std::all_of(call.operands.begin() + 1,
                             call.operands.begin() + 1 + static_cast<std::ptrdiff_t>(macro.variables), is_name))
                continue;
            call.kind = Kind::macro;
            for (std::size_t i = 1; i <= macro.variables; ++i) call.variables.push_back(call.operands[i].name);
            call.operands.erase(call.operands.begin() + 1,
                                call.operands.begin() + 1 + static_cast<std::ptrdiff_t>(macro.variables));
            return call;
        }
        return call;
    }

    Expression primary() {
        const auto at = token_.at;
        if (token_.kind == Token::Kind::literal) {
            if (token_.text == "2^63") refuse(at, "an int has 64 bits");
            auto out = make(Kind::literal, at);
            out.literal = token_.literal;
            advance();
            return out;
        }
        if (take("(")) {
            auto out = expression();
            expect(")");
            return out;
        }
        if (is("[")) return list();
        if (is("{")) return map();
        (void)take(".");  // a name of the outermost scope: there is no other
        if (token_.kind == Token::Kind::name) return name();
        refuse(at, token_.kind == Token::Kind::end ? "the expression ends too early" : "a value is missing");
        return {};
    }

    Expression name() {
        const auto at = token_.at;
        const std::string text(token_.text);
        if (text == "true" || text == "false" || text == "null") {
            advance();
            auto out = make(Kind::literal, at);
            if (text != "null") out.literal = text == "true";
            return out;
        }
        if (std::ranges::find(reserved, std::string_view(text)) != std::end(reserved))
            refuse(at, "'" + text + "' is a reserved word");
        advance();
        if (is("(")) return call(at, text, std::nullopt);
        if (is("{")) refuse(token_.at, "messages cannot be made here");
        return make(Kind::identifier, at, text);
    }

    Expression list() {
        auto out = make(Kind::list, token_.at);
        advance();
        while (!is("]") && !fault_) {
            add(out, expression());
            if (!take(",")) break;
        }
        expect("]");
        return out;
    }

    Expression map() {
        auto out = make(Kind::map, token_.at);
        advance();
        while (!is("}") && !fault_) {
            add(out, expression());
            expect(":");
            add(out, expression());
            if (!take(",")) break;
        }
        expect("}");
        return out;
    }

    Lexer lexer_;
    Token token_;
    std::optional<Error> fault_;
    std::size_t depth_ = 0, nodes_ = 0;
};

}  // namespace

Result<Expression> parse(std::string_view source) {
    if (source.size() > limits::cel_bytes_max)
        return Error{ErrorClass::invalid,
                     "a rule of more than " + std::to_string(limits::cel_bytes_max) + " bytes is refused"};
    return Parser(source).whole();
}

}  // namespace ocim::schema::cel
