#include "cli/arguments.hpp"

#include <algorithm>

namespace ocim::cli {

namespace {

std::string spelled(const Flag& flag) {
    return "--" + std::string(flag.name) + (flag.value.empty() ? "" : " " + std::string(flag.value));
}

/// "-n, --namespace NAMESPACE"; room for a letter where another flag has one.
std::string listed(const Flag& flag, bool letters) {
    const std::string letter = flag.letter ? std::string{'-', flag.letter, ',', ' '} : letters ? "    " : "";
    return letter + spelled(flag);
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

struct Arguments::Reading {
    std::string_view command;
    std::span<const std::string> words;
    Operands operands;
    std::size_t at = 0;

    Error error(const std::string& what) const {
        return {ErrorClass::invalid, what + " See \"ocim " + std::string(command) + " --help\"."};
    }
};

Result<Arguments> Arguments::parse(std::string_view command, std::span<const std::string> words,
                                   std::span<const Flag> flags, Operands operands) {
    Arguments out;
    out.flags_ = flags;
    Reading reading{command, words, operands};
    for (; reading.at < words.size(); ++reading.at)
        if (auto read = out.read_word(reading); !read) return std::move(read).error();
    for (const auto& flag : flags)
        if (flag.required && out.text(flag.name).empty()) return reading.error(spelled(flag) + " is required.");
    return out;
}

Result<void> Arguments::read_word(Reading& reading) {
    const std::string_view word = reading.words[reading.at];
    const bool taken = reading.operands == Operands::taken;
    if (taken && word == "--") {
        while (++reading.at < reading.words.size()) operands_.push_back(reading.words[reading.at]);
        return {};
    }
    if (word.starts_with("-") && !word.starts_with("--") && word.size() > 1)
        return read_letters(reading, word.substr(1));
    if (!word.starts_with("--")) {
        if (!taken) return reading.error("unexpected argument \"" + std::string(word) + "\".");
        operands_.emplace_back(word);
        return {};
    }
    const auto equals = word.find('=');
    const auto name = word.substr(2, equals == word.npos ? word.npos : equals - 2);
    const auto flag = std::ranges::find(flags_, name, &Flag::name);
    if (flag == flags_.end()) return unknown(reading.command, name, flags_);
    if (equals != word.npos) {
        if (!flag->value.empty()) return give(reading, *flag, std::string(word.substr(equals + 1)));
        if (word.substr(equals) == "=true") return give(reading, *flag, "");
        return reading.error("--" + std::string(name) + " takes no value.");
    }
    if (flag->value.empty()) return give(reading, *flag, "");
    if (++reading.at == reading.words.size()) return reading.error("--" + std::string(name) + " needs a value.");
    return give(reading, *flag, reading.words[reading.at]);
}

Result<void> Arguments::read_letters(Reading& reading, std::string_view letters) {
    for (; !letters.empty(); letters.remove_prefix(1)) {
        const auto flag = letters.front() ? std::ranges::find(flags_, letters.front(), &Flag::letter) : flags_.end();
        if (flag == flags_.end()) return reading.error("unknown flag -" + std::string(1, letters.front()) + ".");
        if (flag->value.empty()) {
            if (auto given = give(reading, *flag, ""); !given) return given;
            continue;
        }
        letters.remove_prefix(1);
        if (letters.starts_with("=")) letters.remove_prefix(1);
        if (!letters.empty()) return give(reading, *flag, std::string(letters));
        if (++reading.at == reading.words.size())
            return reading.error("-" + std::string(1, flag->letter) + " needs a value.");
        return give(reading, *flag, reading.words[reading.at]);
    }
    return {};
}

Result<void> Arguments::give(const Reading& reading, const Flag& flag, std::string value) {
    auto& given = values_[flag.name];
    given.push_back(std::move(value));
    if (given.size() > 1 && !flag.repeated) return reading.error("--" + std::string(flag.name) + " is given twice.");
    return {};
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
    const bool letters = std::ranges::any_of(flags, [](const Flag& flag) { return flag.letter != 0; });
    std::size_t width = 0;
    for (const auto& flag : flags) width = std::max(width, listed(flag, letters).size());
    std::string out;
    for (const auto& flag : flags) {
        const auto name = listed(flag, letters);
        out += "  " + name + std::string(width - name.size() + 2, ' ') + std::string(flag.help);
        if (flag.required) out += " (required)";
        if (!flag.fallback.empty()) out += " (default " + std::string(flag.fallback) + ")";
        out += "\n";
    }
    return out;
}

}  // namespace ocim::cli
