#include "schema/cel_lexer.hpp"

#include <algorithm>
#include <charconv>

namespace ocim::schema::cel {
namespace {

bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_name_start(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; }

/// Where a text literal begins here: the length of its prefix (r, b, rb, …), or nothing.
std::optional<std::size_t> text_prefix(std::string_view rest) {
    std::size_t length = 0;
    while (length < 2 && length < rest.size() && std::string_view("rRbB").find(rest[length]) != std::string_view::npos)
        ++length;
    const bool quote = length < rest.size() && (rest[length] == '"' || rest[length] == '\'');
    return quote ? std::optional(length) : std::nullopt;
}

void append_utf8(std::string& out, std::uint32_t code) {
    const auto add = [&](std::uint32_t byte) { out += static_cast<char>(byte); };
    if (code < 0x80) {
        add(code);
    } else if (code < 0x800) {
        add(0xc0 | (code >> 6));
        add(0x80 | (code & 0x3f));
    } else if (code < 0x10000) {
        add(0xe0 | (code >> 12));
        add(0x80 | ((code >> 6) & 0x3f));
        add(0x80 | (code & 0x3f));
    } else {
        add(0xf0 | (code >> 18));
        add(0x80 | ((code >> 12) & 0x3f));
        add(0x80 | ((code >> 6) & 0x3f));
        add(0x80 | (code & 0x3f));
    }
}

}  // namespace

Error Lexer::refuse(std::size_t at, std::string_view why) const {
    return {ErrorClass::invalid, "character " + std::to_string(at + 1) + ": " + std::string(why)};
}

Result<Token> Lexer::next() {
    for (;;) {
        while (at_ < source_.size() && std::string_view(" \t\r\n\f").find(source_[at_]) != std::string_view::npos)
            ++at_;
        if (!source_.substr(at_).starts_with("//")) break;
        at_ = std::min(source_.find('\n', at_), source_.size());
    }
    if (at_ == source_.size()) return Token{.kind = Token::Kind::end, .at = at_, .text = {}, .literal = {}};
    const auto rest = source_.substr(at_);
    if (text_prefix(rest)) return text();
    if (is_digit(rest[0]) || (rest[0] == '.' && rest.size() > 1 && is_digit(rest[1]))) return number();
    Token out{.kind = Token::Kind::symbol, .at = at_, .text = {}, .literal = {}};
    std::size_t length = 1;
    if (is_name_start(rest[0])) {
        out.kind = Token::Kind::name;
        while (length < rest.size() && (is_name_start(rest[length]) || is_digit(rest[length]))) ++length;
    } else if (rest.starts_with("&&") || rest.starts_with("||") || rest.starts_with("==") || rest.starts_with("!=") ||
               rest.starts_with("<=") || rest.starts_with(">=")) {
        length = 2;
    } else if (std::string_view("+-*/%!<>()[]{}.,?:").find(rest[0]) == std::string_view::npos) {
        return refuse(at_, "this character has no meaning here");
    }
    out.text = rest.substr(0, length);
    at_ += length;
    return out;
}

Result<Token> Lexer::number() {
    const auto begin = at_;
    const auto rest = source_.substr(at_);
    const bool hex = rest.starts_with("0x") || rest.starts_with("0X");
    std::size_t length = hex ? 2 : 0;
    bool real = false;
    while (length < rest.size()) {
        const char c = rest[length];
        const bool exponent = !hex && (c == 'e' || c == 'E');
        const bool point = !hex && c == '.' && length + 1 < rest.size() && is_digit(rest[length + 1]) && !real;
        if (!is_digit(c) && !exponent && !point && !(hex && std::isxdigit(static_cast<unsigned char>(c)))) break;
        real = real || exponent || point;
        ++length;
        if (exponent && length < rest.size() && (rest[length] == '+' || rest[length] == '-')) ++length;
    }
    const auto digits = rest.substr(hex ? 2 : 0, length - (hex ? 2 : 0));
    at_ += length;
    Token out{.kind = Token::Kind::literal, .at = begin, .text = {}, .literal = {}};
    const auto parsed = [&](auto& value, auto base) {
        const auto [end, failed] = std::from_chars(digits.data(), digits.data() + digits.size(), value, base);
        return failed == std::errc{} && end == digits.data() + digits.size();
    };
    if (real) {
        double value = 0;
        if (!parsed(value, std::chars_format::general)) return refuse(begin, "not a number");
        out.literal = value;
        return out;
    }
    std::uint64_t value = 0;
    if (!parsed(value, hex ? 16 : 10)) return refuse(begin, "not a number, or one beyond 64 bits");
    if (at_ < source_.size() && (source_[at_] == 'u' || source_[at_] == 'U')) {
        ++at_;
        out.literal = value;
    } else if (value > static_cast<std::uint64_t>(INT64_MAX) + 1) {
        return refuse(begin, "an int has 64 bits");
    } else {
        // 2^63 is the parser's affair: with a minus before it, it is an int
        out.literal = value > INT64_MAX ? Value(value) : Value(static_cast<std::int64_t>(value));
        if (value > INT64_MAX) out.text = "2^63";
    }
    return out;
}

Result<Token> Lexer::text() {
    const auto begin = at_;
    const auto prefix = source_.substr(at_, *text_prefix(source_.substr(at_)));
    const auto has = [&](std::string_view letters) { return prefix.find_first_of(letters) != std::string_view::npos; };
    at_ += prefix.size();
    const auto rest = source_.substr(at_);
    const auto quote = rest.starts_with("\"\"\"") || rest.starts_with("'''") ? rest.substr(0, 3) : rest.substr(0, 1);
    at_ += quote.size();
    auto body = text_body(quote, has("rR"), has("bB"));
    if (!body) return std::move(body).error();
    Token out{.kind = Token::Kind::literal, .at = begin, .text = {}, .literal = {}};
    if (has("bB"))
        out.literal = Bytes{*std::move(body)};
    else
        out.literal = Value(*std::move(body));
    return out;
}

Result<std::string> Lexer::text_body(std::string_view quote, bool raw, bool bytes) {
    std::string out;
    const auto begin = at_;
    while (at_ < source_.size()) {
        if (source_.substr(at_).starts_with(quote)) {
            at_ += quote.size();
            return out;
        }
        if (quote.size() == 1 && source_[at_] == '\n') break;
        if (source_[at_] != '\\' || raw) {
            out += source_[at_++];
        } else if (auto done = escape(out, bytes); !done) {
            return std::move(done).error();
        }
    }
    return refuse(begin, "a text is not closed");
}

Result<void> Lexer::escape(std::string& out, bool bytes) {
    static constexpr std::string_view letters = "abfnrtv\\?\"'`";
    static constexpr std::string_view meanings = "\a\b\f\n\r\t\v\\?\"'`";
    const auto begin = at_++;
    if (at_ == source_.size()) return refuse(begin, "a text is not closed");
    const char c = source_[at_++];
    if (const auto found = letters.find(c); found != std::string_view::npos) {
        out += meanings[found];
        return {};
    }
    const bool octal = c >= '0' && c <= '3';
    const std::size_t digits = octal ? 3 : c == 'x' || c == 'X' ? 2 : c == 'u' ? 4 : c == 'U' ? 8 : 0;
    if (octal) --at_;
    const auto text = source_.substr(at_, digits);
    std::uint32_t code = 0;
    const auto [end, failed] = std::from_chars(text.data(), text.data() + text.size(), code, octal ? 8 : 16);
    if (digits == 0 || text.size() != digits || failed != std::errc{} || end != text.data() + digits)
        return refuse(begin, "not an escape sequence");
    at_ += digits;
    if (code > 0x10ffff || (code >= 0xd800 && code < 0xe000)) return refuse(begin, "not a character");
    if (bytes && digits <= 3)
        out += static_cast<char>(code);
    else
        append_utf8(out, code);
    return {};
}

}  // namespace ocim::schema::cel
