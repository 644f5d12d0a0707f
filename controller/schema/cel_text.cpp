#include "schema/cel_functions.hpp"
#include "schema/message.hpp"

#include <re2/re2.h>
#include <algorithm>
#include <array>
#include <charconv>

namespace ocim::schema::cel {
namespace {

constexpr Kind text = Kind::text, integer = Kind::integer, boolean = Kind::boolean, list = Kind::list;

bool is_start(char c) { return (static_cast<unsigned char>(c) & 0xc0) != 0x80; }

std::int64_t length(std::string_view all) { return std::ranges::count_if(all, is_start); }

/// Where a character begins, in bytes; the end when there are not as many.
std::size_t offset(std::string_view all, std::int64_t character) {
    std::size_t at = 0;
    while (at < all.size() && character > 0) {
        ++at;
        while (at < all.size() && !is_start(all[at])) ++at;
        --character;
    }
    return at;
}

Value out_of_range(std::int64_t index) { return fault("index out of range: " + std::to_string(index)); }

void charge(Arguments arguments, Budget& budget) {
    for (const auto& argument : arguments)
        if (const auto* one = argument.if_a<Text>()) budget.charge(1 + one->view.size() / 10);
}

template <char (*change)(char)>
Value changed(Arguments arguments, Budget& budget) {
    charge(arguments, budget);
    std::string out(arguments[0].text());
    std::ranges::transform(out, out.begin(), change);
    return Value(std::move(out));
}
char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; }
char upper(char c) { return c >= 'a' && c <= 'z' ? static_cast<char>(c - 32) : c; }

Value index_of(Arguments arguments, Budget& budget) {
    charge(arguments, budget);
    const auto all = arguments[0].text(), part = arguments[1].text();
    const auto from = arguments.size() > 2 ? arguments[2].integer() : 0;
    if (from < 0 || from > length(all)) return out_of_range(from);
    const auto at = all.find(part, offset(all, from));
    return at == std::string_view::npos ? Value(std::int64_t{-1}) : Value(length(all.substr(0, at)));
}

Value last_index_of(Arguments arguments, Budget& budget) {
    charge(arguments, budget);
    const auto all = arguments[0].text(), part = arguments[1].text();
    const auto from = arguments.size() > 2 ? arguments[2].integer() : length(all);
    if (from < 0 || from > length(all)) return out_of_range(from);
    const auto at = all.rfind(part, offset(all, from));
    return at == std::string_view::npos ? Value(std::int64_t{-1}) : Value(length(all.substr(0, at)));
}

Value substring(Arguments arguments, Budget& budget) {
    charge(arguments, budget);
    const auto& all = arguments[0].as<Text>();
    const auto size = length(all.view), from = arguments[1].integer();
    const auto to = arguments.size() > 2 ? arguments[2].integer() : size;
    if (from < 0 || from > size) return out_of_range(from);
    if (to < 0 || to > size) return out_of_range(to);
    if (from > to)
        return fault("invalid substring range. start: " + std::to_string(from) + ", end: " + std::to_string(to));
    const auto begin = offset(all.view, from);
    return Value::piece(all, all.view.substr(begin, offset(all.view, to) - begin));
}

Value char_at(Arguments arguments, Budget& budget) {
    charge(arguments, budget);
    const auto& all = arguments[0].as<Text>();
    const auto index = arguments[1].integer();
    if (index < 0 || index > length(all.view)) return out_of_range(index);
    const auto begin = offset(all.view, index);
    const auto rest = all.view.substr(begin);
    return Value::piece(all, rest.substr(0, offset(rest, 1)));
}

Value split(Arguments arguments, Budget& budget) {
    charge(arguments, budget);
    const auto& all = arguments[0].as<Text>();
    const auto separator = arguments[1].text();
    const auto pieces_max = arguments.size() > 2 ? arguments[2].integer() : -1;
    List out;
    if (pieces_max == 0) return out;
    auto rest = all.view;
    const auto more = [&] { return pieces_max < 0 || static_cast<std::int64_t>(out.size()) + 1 < pieces_max; };
    while (more() && !budget.spent()) {
        // an empty separator cuts between characters
        const auto at = separator.empty() ? offset(rest, 1) : rest.find(separator);
        if (at == std::string_view::npos || (separator.empty() && at >= rest.size())) break;
        budget.charge(1);
        out.push_back(Value::piece(all, rest.substr(0, at)));
        rest.remove_prefix(at + separator.size());
    }
    if (!separator.empty() || !rest.empty()) out.push_back(Value::piece(all, rest));
    return out;
}

Value join(Arguments arguments, Budget& budget) {
    std::string out;
    for (std::size_t i = 0; i < size_of(arguments[0]); ++i) {
        const auto item = item_of(arguments[0], i);
        if (!item.if_a<Text>()) return no_such_overload();
        if (i != 0 && arguments.size() > 1) out += arguments[1].text();
        out += item.text();
        budget.charge(1 + item.text().size() / 10);
        if (budget.spent()) return fault("the cost limit is exceeded");
    }
    return Value(std::move(out));
}

Value replace(Arguments arguments, Budget& budget) {
    charge(arguments, budget);
    auto rest = arguments[0].text();
    const auto from = arguments[1].text(), to = arguments[2].text();
    auto times = arguments.size() > 3 ? arguments[3].integer() : -1;
    std::string out;
    bool first = true;
    for (; times != 0; --times) {
        // an empty text is found before every character and at the end
        const auto at = from.empty() ? (first          ? 0
                                        : rest.empty() ? std::string_view::npos
                                                       : offset(rest, 1))
                                     : rest.find(from);
        if (at == std::string_view::npos) break;
        out.append(rest.substr(0, at)).append(to);
        rest.remove_prefix(at + from.size());
        budget.charge(1 + (at + to.size()) / 10);
        if (budget.spent()) return fault("the cost limit is exceeded");
        first = false;
    }
    return Value(std::move(out.append(rest)));
}

Value trim(Arguments arguments, Budget& budget) {
    static const re2::RE2 pattern(
        R"((?s)[\s\v\x{85}\x{A0}\x{1680}\x{2000}-\x{200A}\x{2028}\x{2029}\x{202F}\x{205F}\x{3000}]*(.*?)[\s\v\x{85}\x{A0}\x{1680}\x{2000}-\x{200A}\x{2028}\x{2029}\x{202F}\x{205F}\x{3000}]*)");
    charge(arguments, budget);
    const auto& all = arguments[0].as<Text>();
    re2::StringPiece inner;
    if (!re2::RE2::FullMatch({all.view.data(), all.view.size()}, pattern, &inner)) return arguments[0];
    return Value::piece(all, {inner.data(), inner.size()});
}

Value reverse(Arguments arguments, Budget& budget) {
    charge(arguments, budget);
    std::string out;
    auto rest = arguments[0].text();
    while (!rest.empty()) {
        auto last = rest.size() - 1;
        while (last > 0 && !is_start(rest[last])) --last;
        out += rest.substr(last);
        rest = rest.substr(0, last);
    }
    return Value(std::move(out));
}

std::unique_ptr<const re2::RE2> compiled(std::string_view pattern, Budget& budget) {
    budget.charge(100 + pattern.size());
    re2::RE2::Options options;
    options.set_log_errors(false);
    options.set_max_mem(1 << 20);
    return std::make_unique<const re2::RE2>(re2::StringPiece(pattern.data(), pattern.size()), options);
}

Value find_all(Arguments arguments, Budget& budget) {
    charge(arguments, budget);
    const auto& all = arguments[0].as<Text>();
    const auto regex = compiled(arguments[1].text(), budget);
    if (!regex->ok()) return fault("invalid regular expression: " + regex->error());
    const auto most = arguments.size() > 2 ? arguments[2].integer() : -1;
    List out;
    const re2::StringPiece whole(all.view.data(), all.view.size());
    std::size_t at = 0;
    re2::StringPiece match;
    while (at <= whole.size() && (most < 0 || static_cast<std::int64_t>(out.size()) < most) && !budget.spent() &&
           regex->Match(whole, at, whole.size(), re2::RE2::UNANCHORED, &match, 1)) {
        budget.charge(1 + (whole.size() - at) / 10);
        out.push_back(Value::piece(all, {match.data(), match.size()}));
        const auto end = static_cast<std::size_t>(match.data() - whole.data()) + match.size();
        at = match.empty() ? end + 1 : end;
    }
    return out;
}

Value find(Arguments arguments, Budget& budget) {
    const std::array<Value, 3> one{arguments[0], arguments[1], std::int64_t{1}};
    const auto found = find_all(one, budget);
    if (found.is_fault()) return found;
    return size_of(found) == 0 ? Value(std::string()) : item_of(found, 0);
}

std::string real(double number, int digits, char verb) {
    std::array<char, 400> buffer{};  // the longest double has 309 digits before the point
    const auto form = verb == 'f' ? std::chars_format::fixed : std::chars_format::scientific;
    const auto [end, failed] = std::to_chars(buffer.begin(), buffer.end(), number, form, std::min(digits, 60));
    return {buffer.begin(), end};
}

/// "%s and %d" with a list of values.
Value format(Arguments arguments, Budget& budget) {
    charge(arguments, budget);
    std::string out;
    std::size_t next = 0;
    const auto all = arguments[0].text();
    for (std::size_t i = 0; i < all.size(); ++i) {
        if (all[i] != '%') {
            out += all[i];
            continue;
        }
        int digits = -1;
        if (i + 1 < all.size() && all[i + 1] == '.')
            for (digits = 0, i += 1; i + 1 < all.size() && all[i + 1] >= '0' && all[i + 1] <= '9' && digits < 100; ++i)
                digits = digits * 10 + (all[i + 1] - '0');
        if (++i == all.size()) return fault("could not parse formatting clause: unexpected end of string");
        if (all[i] == '%') {
            out += '%';
            continue;
        }
        if (next >= size_of(arguments[1])) return fault("index " + std::to_string(next) + " out of range");
        const auto item = item_of(arguments[1], next++);
        const bool whole = item.kind() == Kind::integer || item.kind() == Kind::unsigned_integer;
        const auto plain = text_of(item);
        if (all[i] == 's' && plain)
            out += *plain;
        else if (all[i] == 'd' && plain && (whole || item.kind() == Kind::number))
            out += *plain;
        else if ((all[i] == 'f' || all[i] == 'e') && item.kind() == Kind::number)
            out += real(item.as<double>(), digits < 0 ? 6 : digits, all[i]);
        else
            return fault(std::string("formatting clause %") + all[i] + " does not fit " +
                         std::string(name_of(item.kind())));
        budget.charge(1 + (plain ? plain->size() : 0) / 10);
        if (budget.spent()) return fault("the cost limit is exceeded");
    }
    return Value(std::move(out));
}

Value is_address(Arguments arguments, Budget&) {
    return has_format("ipv4", arguments[0].text()) || has_format("ipv6", arguments[0].text());
}

template <class Holds>
Overload pair(Holds holds) {
    return {{text, text}, 2, boolean, holds};
}

Value starts_with(Arguments arguments, Budget& budget) {
    charge(arguments, budget);
    return arguments[0].text().starts_with(arguments[1].text());
}
Value ends_with(Arguments arguments, Budget& budget) {
    charge(arguments, budget);
    return arguments[0].text().ends_with(arguments[1].text());
}
Value contains(Arguments arguments, Budget& budget) {
    charge(arguments, budget);
    return arguments[0].text().find(arguments[1].text()) != std::string_view::npos;
}
Value matches_call(Arguments arguments, Budget& budget) {
    return matches(arguments[0].text(), arguments[1].text(), budget);
}

}  // namespace

Value matches(std::string_view subject, std::string_view pattern, Budget& budget) {
    const auto regex = compiled(pattern, budget);
    if (!regex->ok()) return fault("invalid regular expression: " + regex->error());
    budget.charge(1 + subject.size() / 10);
    return re2::RE2::PartialMatch({subject.data(), subject.size()}, *regex);
}

void add_text_functions(std::vector<Function>& out) {
    out.push_back({"startsWith", true, {pair(starts_with)}});
    out.push_back({"endsWith", true, {pair(ends_with)}});
    out.push_back({"contains", true, {pair(contains)}});
    out.push_back({"matches", true, {pair(matches_call)}});
    out.push_back({"matches", false, {pair(matches_call)}});
    out.push_back({"lowerAscii", true, {{{text}, 1, text, changed<lower>}}});
    out.push_back({"upperAscii", true, {{{text}, 1, text, changed<upper>}}});
    out.push_back({"trim", true, {{{text}, 1, text, trim}}});
    out.push_back({"reverse", true, {{{text}, 1, text, reverse}}});
    out.push_back({"charAt", true, {{{text, integer}, 2, text, char_at}}});
    out.push_back(
        {"substring", true, {{{text, integer}, 2, text, substring}, {{text, integer, integer}, 3, text, substring}}});
    out.push_back({"split", true, {{{text, text}, 2, list, split}, {{text, text, integer}, 3, list, split}}});
    out.push_back({"join", true, {{{list}, 1, text, join}, {{list, text}, 2, text, join}}});
    out.push_back(
        {"replace", true, {{{text, text, text}, 3, text, replace}, {{text, text, text, integer}, 4, text, replace}}});
    out.push_back({"find", true, {{{text, text}, 2, text, find}}});
    out.push_back({"findAll", true, {{{text, text}, 2, list, find_all}, {{text, text, integer}, 3, list, find_all}}});
    out.push_back({"format", true, {{{text, list}, 2, text, format}}});
    out.push_back({"strings.quote", false, {{{text}, 1, text, [](Arguments arguments, Budget& budget) -> Value {
                                                 charge(arguments, budget);
                                                 return Value(quoted(arguments[0].text()));
                                             }}}});
    out.push_back({"isURL", false, {{{text}, 1, boolean, [](Arguments arguments, Budget&) -> Value {
                                         return has_format("uri", arguments[0].text());
                                     }}}});
    out.push_back({"isIP", false, {{{text}, 1, boolean, is_address}}});
    out.push_back({"isCIDR", false, {{{text}, 1, boolean, [](Arguments arguments, Budget&) -> Value {
                                          return has_format("cidr", arguments[0].text());
                                      }}}});
    const Overload first{{text, text}, 2, integer, index_of}, last{{text, text}, 2, integer, last_index_of};
    const Overload first_from{{text, text, integer}, 3, integer, index_of};
    const Overload last_from{{text, text, integer}, 3, integer, last_index_of};
    // lists have these too: cel_list.cpp adds its forms
    out.push_back({"indexOf", true, {first, first_from}});
    out.push_back({"lastIndexOf", true, {last, last_from}});
}

}  // namespace ocim::schema::cel
