#pragma once

#include "base/result.hpp"
#include "schema/cel_value.hpp"

namespace ocim::schema::cel {

struct Token {
    enum class Kind { end, name, literal, symbol };
    Kind kind = Kind::end;
    std::size_t at = 0;
    std::string_view text;  // of a name or a symbol
    Value literal;          // numbers, texts, bytes; true, false and null are names
};

/// Cuts an expression into tokens.
class Lexer {
public:
    explicit Lexer(std::string_view source) : source_(source) {}
    Result<Token> next();

private:
    Result<Token> number();
    Result<Token> text();
    Result<std::string> text_body(std::string_view quote, bool raw, bool bytes);
    Result<void> escape(std::string& out, bool bytes);
    Error refuse(std::size_t at, std::string_view why) const;

    std::string_view source_;
    std::size_t at_ = 0;
};

}  // namespace ocim::schema::cel
