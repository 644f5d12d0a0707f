#pragma once

#include "base/result.hpp"
#include "schema/cel_value.hpp"

#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace ocim::schema::cel {

struct Function;  // all overloads of one name

/// A parsed expression.
struct Expression {
    enum class Kind {
        literal,
        identifier,
        select,      ///< operands[0].name
        has,         ///< has(operands[0].name)
        index,       ///< operands[0][operands[1]]
        call,        ///< name(operands...); a member call has its receiver first
        list,        ///< [operands...]
        map,         ///< {operands[0]: operands[1], …}
        negate,      ///< -x
        not_,        ///< !x
        arithmetic,  ///< operands[0] name operands[1], name being + - * / %
        compare,     ///< == != < <= > >= in
        all_of,      ///< a && b && …
        any_of,      ///< a || b || …
        condition,   ///< a ? b : c
        macro,       ///< operands[0].name(variables, operands[1]...)
    };
    Kind kind{};
    std::size_t at = 0;     ///< where it stands in the source, in bytes
    std::size_t depth = 1;  ///< of the tree below
    std::string name;
    Value literal;
    std::vector<Expression> operands;
    std::vector<std::string> variables;     ///< of a macro
    bool member = false;                    ///< a call with a receiver
    bool optional = false;                  ///< .?name or [?index]
    const Function* function = nullptr;     ///< bound by the checker
    std::shared_ptr<const re2::RE2> regex;  ///< of a literal pattern; shared: immutable
};

/// Reads an expression. Bounded in length and depth. An error (invalid) says "character 7: what".
Result<Expression> parse(std::string_view source);

/// What the checker knows of a value.
struct Known {
    Kind kind = Kind::unknown;
    const Node* node = nullptr;
};

/// Names and fields exist, functions are ours, types fit as far as the schema tells. Binds functions.
class Checker {
public:
    /// `old_self` null: there is none.
    Checker(const Node& self, const Known* old_self);
    Result<Known> check(Expression& expression);
    bool uses_old_self() const { return uses_old_self_; }

private:
    struct Variable {
        std::string name;
        Known known;
    };
    Known visit(Expression& expression);
    Known identifier(const Expression& expression);
    Known select(Expression& expression);
    Known index(Expression& expression);
    Known call(Expression& expression);
    Known macro(Expression& expression);
    Known arithmetic(Expression& expression);
    Known compare(Expression& expression);
    Known field(const Expression& expression, const Known& of);
    void expect(const Expression& expression, const Known& known, Kind kind);
    void refuse(const Expression& expression, std::string why);

    std::vector<Variable> variables_;
    bool uses_old_self_ = false;
    std::optional<Error> fault_;
};

/// The kind of a value of a schema.
Known known(const Node* node);
/// A field as CEL names it: `__namespace__` is `namespace`, `a__dash__b` is `a-b`.
std::string unescaped(std::string_view name);
/// The schema of a field of an object: with apiVersion, kind and metadata.name where the object is a resource.
const Node* field_node(const Node& node, std::string_view name);

/// Where an evaluation finds its variables.
struct Scope {
    Value self;
    Value old_self;  // an Optional when the rule asks for one
};
/// Evaluates; a Fault when it went wrong or the budget is spent.
Value evaluate(const Expression& expression, const Scope& scope, Budget& budget);

}  // namespace ocim::schema::cel
