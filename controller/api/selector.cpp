#include "api/selector.hpp"

#include <algorithm>
#include <charconv>
#include <set>

namespace ocim::api {

namespace {

using Requirement = LabelSelector::Requirement;
using Operator = Requirement::Operator;

Error unexpected(std::string_view found, std::string_view wanted) {
    return {ErrorClass::invalid,
            "unable to parse requirement: found '" + std::string(found) + "', expected: " + std::string(wanted)};
}

Error refused(std::string_view part, std::string_view why) {
    return {ErrorClass::invalid, "unable to parse requirement: " + to_text(Json(part)) + ": " + std::string(why)};
}

bool alphanumeric(char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }

/// Letters, digits and "-_." with a letter or digit at each end.
bool label_text(std::string_view text) {
    const auto inner = [](char c) { return alphanumeric(c) || c == '-' || c == '_' || c == '.'; };
    return text.size() <= 63 && !text.empty() && alphanumeric(text.front()) && alphanumeric(text.back()) &&
           std::ranges::all_of(text, inner);
}

bool dns_subdomain(std::string_view text) {
    if (text.empty() || text.size() > 253) return false;
    const auto lower = [](char c) { return alphanumeric(c) && !(c >= 'A' && c <= 'Z'); };
    char before = '.';
    for (const char c : text) {
        if (c == '.' ? !lower(before) : !(lower(c) || (c == '-' && before != '.'))) return false;
        before = c;
    }
    return lower(before);
}

bool label_key(std::string_view key) {
    const auto slash = key.find('/');
    if (slash == std::string_view::npos) return label_text(key);
    return dns_subdomain(key.substr(0, slash)) && label_text(key.substr(slash + 1));
}

bool whole_number(std::string_view text, std::int64_t& out) {
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), out);
    return error == std::errc() && end == text.data() + text.size();
}

Result<void> check(const Requirement& requirement) {
    if (!label_key(requirement.key))
        return refused(requirement.key,
                       "a label key is a name of at most 63 letters, digits, '-', '_' and '.', after "
                       "an optional DNS name and '/'");
    const bool number = requirement.op == Operator::greater || requirement.op == Operator::less;
    for (const auto& value : requirement.values) {
        std::int64_t ignored = 0;
        if (number && !whole_number(value, ignored)) return refused(value, "'>' and '<' compare with an integer");
        if (!value.empty() && !label_text(value))
            return refused(value, "a label value is at most 63 letters, digits, '-', '_' and '.'");
    }
    return {};
}

/// Words and signs of a label selector.
class Tokens {
public:
    explicit Tokens(std::string_view text) : text_(text) { advance(); }

    /// "" at the end. A sign is itself; whatever else is a word.
    std::string_view now() const { return now_; }
    bool is_word() const { return word_; }
    std::string_view take() {
        const auto was = now_;
        advance();
        return was;
    }
    bool take_if(std::string_view sign) {
        if (word_ || now_ != sign) return false;
        advance();
        return true;
    }
    bool take_word_if(std::string_view word) {
        if (!word_ || now_ != word) return false;
        advance();
        return true;
    }

private:
    static constexpr std::string_view signs = "=!(),<>";
    static constexpr std::string_view spaces = " \t\r\n";

    void advance() {
        text_.remove_prefix(std::min(text_.find_first_not_of(spaces), text_.size()));
        word_ = !text_.empty() && signs.find(text_[0]) == std::string_view::npos;
        std::size_t length = text_.empty() ? 0 : 1;
        if (text_.starts_with("==") || text_.starts_with("!=")) length = 2;
        while (word_ && length < text_.size() && signs.find(text_[length]) == std::string_view::npos &&
               spaces.find(text_[length]) == std::string_view::npos)
            ++length;
        now_ = text_.substr(0, length);
        text_.remove_prefix(length);
    }

    std::string_view text_, now_;
    bool word_ = false;
};

/// What stands where a value may: a word, or nothing.
std::string value_of(Tokens& tokens) { return tokens.is_word() ? std::string(tokens.take()) : std::string(); }

Result<std::vector<std::string>> values_in_brackets(Tokens& tokens) {
    if (!tokens.take_if("(")) return unexpected(tokens.now(), "'('");
    std::set<std::string> values;
    do values.insert(value_of(tokens));
    while (tokens.take_if(","));
    if (!tokens.take_if(")")) return unexpected(tokens.now(), "',' or ')'");
    return std::vector<std::string>(values.begin(), values.end());
}

Result<Requirement> parse_requirement(Tokens& tokens) {
    Requirement out;
    const bool absent = tokens.take_if("!");
    if (!tokens.is_word()) return unexpected(tokens.now(), "identifier");
    out.key = tokens.take();
    const bool alone = tokens.now().empty() || (!tokens.is_word() && tokens.now() == ",");
    if (absent || alone) {
        out.op = absent ? Operator::not_exists : Operator::exists;
        return out;
    }
    const bool in = tokens.take_word_if("in");
    if (in || tokens.take_word_if("notin")) {
        out.op = in ? Operator::in : Operator::not_in;
        auto values = values_in_brackets(tokens);
        if (!values) return std::move(values).error();
        out.values = *std::move(values);
        return out;
    }
    if (tokens.take_if("=") || tokens.take_if("=="))
        out.op = Operator::equals;
    else if (tokens.take_if("!="))
        out.op = Operator::not_equals;
    else if (tokens.take_if(">"))
        out.op = Operator::greater;
    else if (tokens.take_if("<"))
        out.op = Operator::less;
    else
        return unexpected(tokens.now(), "in, notin, =, ==, !=, gt, lt");
    out.values.push_back(value_of(tokens));
    return out;
}

bool holds(const Requirement& requirement, const std::string* value) {
    const auto listed = [&] { return std::ranges::find(requirement.values, *value) != requirement.values.end(); };
    const auto compared = [&](bool greater) {
        std::int64_t left = 0, right = 0;
        if (!whole_number(*value, left) || !whole_number(requirement.values.at(0), right)) return false;
        return greater ? left > right : left < right;
    };
    switch (requirement.op) {
        case Operator::exists: return value != nullptr;
        case Operator::not_exists: return value == nullptr;
        case Operator::in:
        case Operator::equals: return value && listed();
        case Operator::not_in:
        case Operator::not_equals: return !value || !listed();
        case Operator::greater: return value && compared(true);
        case Operator::less: return value && compared(false);
    }
    return false;
}

Result<Requirement> requirement_of(const Json& expression) {
    static constexpr std::pair<std::string_view, Operator> operators[] = {
        {"In", Operator::in},
        {"NotIn", Operator::not_in},
        {"Exists", Operator::exists},
        {"DoesNotExist", Operator::not_exists},
    };
    const auto name = find_text(expression, {"operator"});
    const auto* found = std::ranges::find(operators, name, &std::pair<std::string_view, Operator>::first);
    if (found == std::end(operators))
        return Error{ErrorClass::invalid, "matchExpressions: " + to_text(Json(name)) + " is not a valid operator"};
    Requirement out{std::string(find_text(expression, {"key"})), found->second, {}};
    if (const auto* values = find(expression, {"values"}); values && !values->is_null()) {
        if (!values->is_array()) return Error{ErrorClass::invalid, "matchExpressions: values: not an array"};
        for (const auto& value : values->get_array()) {
            if (!value.is_string()) return Error{ErrorClass::invalid, "matchExpressions: values: not a string"};
            out.values.emplace_back(value.get_string());
        }
    }
    const bool wants_values = out.op == Operator::in || out.op == Operator::not_in;
    if (wants_values == out.values.empty())
        return Error{ErrorClass::invalid,
                     "matchExpressions: " + std::string(name) + (wants_values ? " needs values" : " takes no values")};
    return out;
}

std::string text_of(const Requirement& requirement) {
    const auto& [key, op, values] = requirement;
    switch (op) {
        case Operator::exists: return key;
        case Operator::not_exists: return "!" + key;
        case Operator::equals: return key + "=" + values.at(0);
        case Operator::not_equals: return key + "!=" + values.at(0);
        case Operator::greater: return key + ">" + values.at(0);
        case Operator::less: return key + "<" + values.at(0);
        case Operator::in:
        case Operator::not_in: break;
    }
    std::string listed;
    for (const auto& value : values) listed += (listed.empty() ? "" : ",") + value;
    return key + (op == Operator::in ? " in (" : " notin (") + listed + ")";
}

}  // namespace

std::string LabelSelector::text() const {
    std::string out;
    for (const auto& requirement : requirements_) out += (out.empty() ? "" : ",") + text_of(requirement);
    return out;
}

Result<LabelSelector> LabelSelector::parse(std::string_view text) {
    LabelSelector out;
    Tokens tokens(text);
    if (tokens.now().empty()) return out;
    do {
        auto requirement = parse_requirement(tokens);
        if (!requirement) return std::move(requirement).error();
        if (auto checked = check(*requirement); !checked) return std::move(checked).error();
        out.requirements_.push_back(*std::move(requirement));
    } while (tokens.take_if(","));
    if (!tokens.now().empty()) return unexpected(tokens.now(), "',' or 'end of string'");
    return out;
}

Result<LabelSelector> LabelSelector::from_json(const Json& selector) {
    LabelSelector out;
    if (selector.is_null()) return out;
    if (!selector.is_object()) return Error{ErrorClass::invalid, "a label selector is an object"};
    const auto add = [&](Requirement requirement) -> Result<void> {
        auto checked = check(requirement);
        out.requirements_.push_back(std::move(requirement));
        return checked;
    };
    if (const auto* labels = find(selector, {"matchLabels"}); labels && !labels->is_null()) {
        if (!labels->is_object()) return Error{ErrorClass::invalid, "matchLabels: not an object"};
        for (const auto& [key, value] : labels->get_object()) {
            if (!value.is_string())
                return Error{ErrorClass::invalid, "matchLabels." + std::string(key) + ": not a string"};
            auto added = add({std::string(key), Operator::equals, {std::string(value.get_string())}});
            if (!added) return std::move(added).error();
        }
    }
    const auto* expressions = find(selector, {"matchExpressions"});
    if (!expressions || expressions->is_null()) return out;
    if (!expressions->is_array()) return Error{ErrorClass::invalid, "matchExpressions: not an array"};
    for (const auto& expression : expressions->get_array()) {
        auto requirement = requirement_of(expression);
        if (!requirement) return std::move(requirement).error();
        if (auto added = add(*std::move(requirement)); !added) return std::move(added).error();
    }
    return out;
}

bool LabelSelector::matches(const std::map<std::string, std::string>& labels) const {
    return std::ranges::all_of(requirements_, [&](const Requirement& requirement) {
        const auto found = labels.find(requirement.key);
        return holds(requirement, found == labels.end() ? nullptr : &found->second);
    });
}

bool LabelSelector::matches(const Json& object) const {
    const auto* labels = find(object, {"metadata", "labels"});
    return std::ranges::all_of(requirements_, [&](const Requirement& requirement) {
        const auto* value = labels ? find(*labels, {requirement.key}) : nullptr;
        if (!value || !value->is_string()) return holds(requirement, nullptr);
        const std::string text(value->get_string());
        return holds(requirement, &text);
    });
}

// --- fields

namespace {

/// Splits at commas; a backslash keeps what follows.
std::vector<std::string_view> terms_of(std::string_view text) {
    std::vector<std::string_view> out;
    std::size_t start = 0;
    for (std::size_t at = 0; at < text.size(); ++at) {
        if (text[at] == '\\')
            ++at;
        else if (text[at] == ',')
            out.push_back(text.substr(start, at - start)), start = at + 1;
    }
    if (start < text.size()) out.push_back(text.substr(start));
    return out;
}

Result<std::string> unescaped(std::string_view text) {
    std::string out;
    for (std::size_t at = 0; at < text.size(); ++at) {
        if (text[at] == ',' || text[at] == '=') return refused(text, "',' and '=' in a value need a backslash");
        if (text[at] == '\\') {
            if (++at == text.size() || std::string_view("\\,=").find(text[at]) == std::string_view::npos)
                return refused(text, "a backslash stands before '\\', ',' or '=' only");
        }
        out += text[at];
    }
    return out;
}

std::string text_at(const Json& object, std::string_view path) {
    const Json* at = &object;
    while (at) {
        const auto dot = path.find('.');
        at = find(*at, {path.substr(0, dot)});
        if (dot == std::string_view::npos) break;
        path.remove_prefix(dot + 1);
    }
    if (!at || at->is_null()) return "";
    return at->is_string() ? std::string(at->get_string()) : to_text(*at);
}

}  // namespace

Result<FieldSelector> FieldSelector::parse(std::string_view text) {
    FieldSelector out;
    for (const auto term : terms_of(text)) {
        if (term.empty()) continue;
        const auto sign = term.find_first_of("=!");
        const auto rest = sign == std::string_view::npos ? std::string_view() : term.substr(sign);
        const std::size_t length = rest.starts_with("==") || rest.starts_with("!=") ? 2 : 1;
        if (sign == 0 || rest.empty() || (rest[0] == '!' && length == 1))
            return refused(term, "expected a field's path, '=' or '!=', and a value");
        auto value = unescaped(rest.substr(length));
        if (!value) return std::move(value).error();
        out.requirements_.push_back({std::string(term.substr(0, sign)), rest[0] == '=', *std::move(value)});
    }
    return out;
}

bool FieldSelector::matches(const Json& object) const {
    return std::ranges::all_of(requirements_, [&](const Requirement& requirement) {
        return (text_at(object, requirement.path) == requirement.value) == requirement.equal;
    });
}

}  // namespace ocim::api
