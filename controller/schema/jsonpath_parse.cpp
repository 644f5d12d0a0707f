#include "schema/jsonpath_steps.hpp"

#include <charconv>

namespace ocim::schema {
namespace {

using api::Json;
using Step = JsonPath::Step;
using Operand = Step::Operand;
using Compare = Step::Compare;

constexpr std::size_t nesting_max = 4;  // filters within filters

class Parser {
public:
    explicit Parser(std::string_view text) : text_(text) {}

    Result<std::vector<Step>> path(std::size_t depth = 0) {
        std::vector<Step> steps;
        if (peek() == '$' || peek() == '@') ++at_;
        while (at_ < text_.size() && (peek() == '.' || peek() == '[')) {
            if (steps.size() == limits::json_path_steps_max) return refuse("too many steps");
            auto step = peek() == '[' ? bracket(depth) : dot();
            if (!step) return std::move(step).error();
            if (step->kind != Step::Kind::fields || !step->names.empty()) steps.push_back(std::move(*step));
        }
        return steps;
    }

    bool at_end() const { return at_ >= text_.size(); }
    Error refuse(std::string_view why) const {
        return {ErrorClass::invalid, "JSONPath \"" + std::string(text_) + "\", at character " +
                                         std::to_string(at_ + 1) + ": " + std::string(why)};
    }

private:
    char peek() const { return at_ < text_.size() ? text_[at_] : '\0'; }
    bool take(std::string_view word) {
        if (!text_.substr(at_).starts_with(word)) return false;
        at_ += word.size();
        return true;
    }
    void skip_spaces() {
        while (peek() == ' ') ++at_;
    }

    Result<Step> dot() {
        ++at_;
        if (take(".")) {
            --at_;  // the second dot begins the next step, unless a bracket does
            if (at_ + 1 < text_.size() && text_[at_ + 1] == '[') ++at_;
            return Step{.kind = Step::Kind::recursive};
        }
        if (take("*")) return Step{.kind = Step::Kind::every};
        if (peek() == '[') return Step{};  // ".[0]" is "[0]"
        std::string name;
        while (!at_end() && std::string_view(".[ ]()=!<>,").find(peek()) == std::string_view::npos) {
            if (peek() == '\\' && at_ + 1 < text_.size()) ++at_;
            name += text_[at_++];
        }
        if (name.empty() && !at_end()) return refuse("a field name is missing");
        Step step;
        if (!name.empty()) step.names.push_back(std::move(name));
        return step;
    }

    Result<Step> bracket(std::size_t depth) {
        ++at_;
        skip_spaces();
        Result<Step> step = Step{};
        if (take("*"))
            step->kind = Step::Kind::every;
        else if (take("?("))
            step = filter(depth);
        else if (peek() == '\'' || peek() == '"')
            step = quoted_names();
        else
            step = numbers();
        if (!step) return step;
        skip_spaces();
        if (!take("]")) return refuse("']' is missing");
        return step;
    }

    Result<Step> quoted_names() {
        Step step;
        do {
            skip_spaces();
            auto name = quoted();
            if (!name) return std::move(name).error();
            step.names.push_back(std::move(*name));
            skip_spaces();
        } while (take(","));
        return step;
    }

    Result<std::string> quoted() {
        const char quote = peek();
        if (quote != '\'' && quote != '"') return refuse("a quoted text is missing");
        ++at_;
        std::string out;
        while (!at_end() && peek() != quote) {
            if (peek() == '\\' && at_ + 1 < text_.size()) ++at_;
            out += text_[at_++];
        }
        if (!take(std::string_view(&quote, 1))) return refuse("a quote is not closed");
        return out;
    }

    std::optional<std::int64_t> integer() {
        std::int64_t out = 0;
        const auto [end, failed] = std::from_chars(text_.data() + at_, text_.data() + text_.size(), out);
        if (failed != std::errc{}) return std::nullopt;
        at_ = static_cast<std::size_t>(end - text_.data());
        return out;
    }

    Result<Step> numbers() {
        Step step;
        step.from = integer();
        skip_spaces();
        if (take(":")) {
            step.kind = Step::Kind::slice;
            step.to = integer();
            if (take(":")) step.stride = integer().value_or(1);
            if (step.stride <= 0) return refuse("the step of a slice must be positive");
            return step;
        }
        if (!step.from) return refuse("a name in quotes, a number, '*' or '?(' is missing");
        step.kind = Step::Kind::indexes;
        step.indexes.push_back(*step.from);
        while (take(",")) {
            skip_spaces();
            const auto next = integer();
            if (!next) return refuse("a number is missing");
            step.indexes.push_back(*next);
        }
        return step;
    }

    Result<Step> filter(std::size_t depth) {
        if (depth == nesting_max) return refuse("filters are nested too deep");
        Step step{.kind = Step::Kind::filter};
        auto left = operand(depth);
        if (!left) return std::move(left).error();
        step.operands.push_back(std::move(*left));
        static constexpr std::pair<std::string_view, Compare> operators[] = {
            {"==", Compare::equal},         {"!=", Compare::not_equal}, {"<=", Compare::less_equal},
            {">=", Compare::greater_equal}, {"<", Compare::less},       {">", Compare::greater}};
        for (const auto& [word, compare] : operators)
            if (take(word)) {
                step.compare = compare;
                auto right = operand(depth);
                if (!right) return std::move(right).error();
                step.operands.push_back(std::move(*right));
                break;
            }
        if (!take(")")) return refuse("')' of the filter is missing");
        return step;
    }

    Result<Operand> operand(std::size_t depth) {
        skip_spaces();
        Operand out{.literal = true};
        if (peek() == '@' || peek() == '$' || peek() == '.') {
            auto steps = path(depth + 1);
            if (!steps) return std::move(steps).error();
            out.literal = false;
            out.path = std::move(*steps);
        } else if (peek() == '\'' || peek() == '"') {
            auto text = quoted();
            if (!text) return std::move(text).error();
            out.value = Json(*text);
        } else if (take("true")) {
            out.value = true;
        } else if (take("false")) {
            out.value = false;
        } else {
            double number = 0;
            const auto [end, failed] = std::from_chars(text_.data() + at_, text_.data() + text_.size(), number);
            if (failed != std::errc{}) return refuse("a path from @ or a literal is missing");
            at_ = static_cast<std::size_t>(end - text_.data());
            out.value = number;
        }
        skip_spaces();
        return out;
    }

    std::string_view text_;
    std::size_t at_ = 0;
};

/// The end of the path that begins at `from`: its closing brace, which may not be one inside quotes.
std::size_t closing_brace(std::string_view text, std::size_t from) {
    char quote = '\0';
    for (auto i = from; i < text.size(); ++i) {
        if (text[i] == '\\')
            ++i;
        else if (quote != '\0')
            quote = text[i] == quote ? '\0' : quote;
        else if (text[i] == '\'' || text[i] == '"')
            quote = text[i];
        else if (text[i] == '}')
            return i;
    }
    return std::string_view::npos;
}

Result<std::vector<Step>> parse_path(std::string_view text) {
    Parser parser(text);
    auto steps = parser.path();
    if (steps && !parser.at_end()) return parser.refuse("'.' or '[' is missing");
    return steps;
}

}  // namespace

Result<JsonPath> JsonPath::parse(std::string_view text) {
    if (text.size() > limits::json_path_bytes_max)
        return Error{ErrorClass::invalid, "a JSONPath of more than " + std::to_string(limits::json_path_bytes_max) +
                                              " characters is refused"};
    JsonPath out;
    const bool is_template = text.starts_with('{');
    while (!text.empty()) {
        auto path = text;
        if (is_template) {
            const auto open = text.find('{');
            if (open != 0) {
                const auto between = text.substr(0, open);
                out.pieces_.push_back(std::make_shared<Piece>(Piece{.text = std::string(between)}));
                text.remove_prefix(between.size());
                continue;
            }
            const auto close = closing_brace(text, 1);
            if (close == std::string_view::npos)
                return Error{ErrorClass::invalid, "JSONPath \"" + std::string(text) + "\": '}' is missing"};
            path = text.substr(1, close - 1);
            text.remove_prefix(close + 1);
        } else {
            text = {};
        }
        auto steps = parse_path(path);
        if (!steps) return std::move(steps).error();
        out.pieces_.push_back(std::make_shared<Piece>(Piece{.steps = std::move(*steps), .is_path = true}));
    }
    if (out.pieces_.empty()) return Error{ErrorClass::invalid, "a JSONPath may not be empty"};
    return out;
}

}  // namespace ocim::schema
