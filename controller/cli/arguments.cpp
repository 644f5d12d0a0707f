#include "cli/arguments.hpp"

#include <algorithm>

namespace ocim::cli {

namespace {

std::string spelled(const Flag& flag) {
    return "--" + std::string(flag.name) + (flag.value.empty() ? "" : " " + std::string(flag.value));
}

/// How many letters must be put in, left out or changed.
std::size_t distance(std::string_view a, std::string_view b) {
    std::vector<std::size_t> row(b.size() + 1);
    for (std::size_t j = 0; j <= b.size(); ++j) row[j] = j;
    for (std::size_t i = 1; i <= a.size(); ++i) {
        std::size_t diagonal = std::exchange(row[0], i);
        for (std::size_t j = 1; j <= b.size(); ++j) {
            const auto changed = diagonal + (a[i - 1] == b[j - 1] ? 0 : 1);
            diagonal = row[j];
            row[j] = std::min({changed, row[j] + 1, row[j - 1] + 1});
        }
    }
    return row.back();
}

Error unknown(std::string_view command, std::string_view name, std::span<const Flag> flags) {
    std::string message = "unknown flag --" + std::string(name) + ".";
    const auto near = std::ranges::min_element(flags, {}, [&](const Flag& f) { return distance(f.name, name); });
    if (near != flags.end() && distance(near->name, name) <= 3)
        message += " Did you mean --" + std::string(near->name) + "?";
    return {ErrorClass::invalid, message + " See \"ocim " + std::string(command) + " --help\"."};
}

}  // namespace

Result<Arguments> Arguments::parse(std::string_view command, std::span<const std::string> words,
                                   std::span<const Flag> flags) {
    Arguments out;
    out.flags_ = flags;
    const auto see = " See \"ocim " + std::string(command) + " --help\".";
    for (std::size_t i = 0; i < words.size(); ++i) {
        const std::string_view word = words[i];
        if (!word.starts_with("--"))
            return Error{ErrorClass::invalid, "unexpected argument \"" + std::string(word) + "\"." + see};
        const auto equals = word.find('=');
        const auto name = word.substr(2, equals == word.npos ? word.npos : equals - 2);
        const auto flag = std::ranges::find(flags, name, &Flag::name);
        if (flag == flags.end()) return unknown(command, name, flags);
        std::string value;
        if (equals != word.npos) {
            if (flag->value.empty())
                return Error{ErrorClass::invalid, "--" + std::string(name) + " takes no value." + see};
            value = word.substr(equals + 1);
        } else if (!flag->value.empty()) {
            if (++i == words.size())
                return Error{ErrorClass::invalid, "--" + std::string(name) + " needs a value." + see};
            value = words[i];
        }
        auto& given = out.values_[flag->name];
        given.push_back(std::move(value));
        if (given.size() > 1 && !flag->repeated)
            return Error{ErrorClass::invalid, "--" + std::string(name) + " is given twice." + see};
    }
    for (const auto& flag : flags)
        if (flag.required && out.text(flag.name).empty())
            return Error{ErrorClass::invalid, spelled(flag) + " is required." + see};
    return out;
}

std::string Arguments::text(std::string_view flag) const {
    if (const auto found = values_.find(flag); found != values_.end()) return found->second.front();
    const auto known = std::ranges::find(flags_, flag, &Flag::name);
    return known == flags_.end() ? std::string() : std::string(known->fallback);
}

std::vector<std::string> Arguments::all(std::string_view flag) const {
    const auto found = values_.find(flag);
    return found == values_.end() ? std::vector<std::string>() : found->second;
}

std::string describe(std::span<const Flag> flags) {
    std::size_t width = 0;
    for (const auto& flag : flags) width = std::max(width, spelled(flag).size());
    std::string out;
    for (const auto& flag : flags) {
        const auto name = spelled(flag);
        out += "  " + name + std::string(width - name.size() + 2, ' ') + std::string(flag.help);
        if (flag.required) out += " (required)";
        if (!flag.fallback.empty()) out += " (default " + std::string(flag.fallback) + ")";
        out += "\n";
    }
    return out;
}

}  // namespace ocim::cli
