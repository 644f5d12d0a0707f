#pragma once

#include "schema/cel_syntax.hpp"

#include <array>
#include <span>

namespace ocim::schema::cel {

using Arguments = std::span<const Value>;

/// One form of a function.
struct Overload {
    std::array<Kind, 4> parameters{};  // `unknown`: anything
    std::size_t count = 0;
    Kind result = Kind::unknown;
    Value (*call)(Arguments arguments, Budget& budget) = nullptr;
};

struct Function {
    std::string_view name;
    bool member = false;  // called as x.name(…), x being the first parameter
    std::vector<Overload> overloads;
};

/// The function of this name; null when there is none.
const Function* find_function(std::string_view name, bool member);
bool accepts(const Overload& overload, std::span<const Kind> kinds);

// the parts of the table
void add_conversions(std::vector<Function>& out);
void add_text_functions(std::vector<Function>& out);
void add_list_functions(std::vector<Function>& out);
void add_time_functions(std::vector<Function>& out);

/// `+ - * / %`
Value arithmetic(char symbol, const Value& a, const Value& b, Budget& budget);
/// Whether `text` matches; a Fault for a bad pattern.
Value matches(std::string_view text, std::string_view pattern, Budget& budget);
/// What string() gives; nothing when the type has no text.
std::optional<std::string> text_of(const Value& value);

}  // namespace ocim::schema::cel
