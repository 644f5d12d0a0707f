#pragma once

#include "base/result.hpp"

#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace ocim::cli {

/// A flag that a command knows: --name VALUE, --name=VALUE, or --name alone when it takes no value.
struct Flag {
    std::string_view name;
    /// What the value is called in the help text; empty: the flag takes none.
    std::string_view value;
    std::string_view help;
    std::string_view fallback{};
    bool required = false;
    bool repeated = false;  ///< may be given several times
    char letter = 0;        ///< "-n VALUE" says the same
};

/// Whether a command takes words that are no flags.
enum class Operands { refused, taken };

/// What a command was given, checked against its flags. Flags and operands may come in any order; letters may stand
/// together (-Aw), and their value beside them (-nschool).
class Arguments {
public:
    /// Errors (invalid): an unknown flag, a missing or superfluous value, a flag given twice, a required one left
    /// out, anything that is no flag. The message names the next step.
    static Result<Arguments> parse(std::string_view command, std::span<const std::string> words,
                                   std::span<const Flag> flags, Operands operands = Operands::refused);

    bool has(std::string_view flag) const { return values_.contains(flag); }
    /// The value given, else the fallback.
    std::string text(std::string_view flag) const;
    /// Every value given for a flag that may be repeated.
    std::vector<std::string> all(std::string_view flag) const;
    /// The words that are no flags, and all after a "--".
    const std::vector<std::string>& operands() const { return operands_; }

private:
    /// What is being read: the words, and where in them.
    struct Reading;
    Result<void> read_word(Reading& reading);
    Result<void> read_letters(Reading& reading, std::string_view letters);
    Result<void> give(const Reading& reading, const Flag& flag, std::string value);

    std::map<std::string_view, std::vector<std::string>> values_;
    std::span<const Flag> flags_;
    std::vector<std::string> operands_;
};

/// One line a flag, as help texts show them.
std::string describe(std::span<const Flag> flags);

}  // namespace ocim::cli
