#include "cli/arguments.hpp"

#include <gtest/gtest.h>

using namespace ocim::cli;

namespace {

constexpr Flag flags[] = {
    {"data-dir", "DIR", "Where things are kept.", "", true},
    {"listen", "ADDRESS", "Where to listen.", "127.0.0.1:1"},
    {"quiet", "", "Say nothing."},
};

std::string said(std::vector<std::string> words) {
    const auto read = Arguments::parse("serve", words, flags);
    if (!read) return read.error().message;
    return read->text("data-dir") + "|" + read->text("listen") + "|" + (read->has("quiet") ? "quiet" : "");
}

TEST(Arguments, Table) {
    const struct {
        const char* reason;
        std::vector<std::string> words;
        const char* expected;
    } cases[] = {
        {"fallbacks", {"--data-dir", "d"}, "d|127.0.0.1:1|"},
        {"both spellings", {"--data-dir=d", "--listen", "x", "--quiet"}, "d|x|quiet"},
        {"a value may look like a flag", {"--data-dir", "--quiet"}, "--quiet|127.0.0.1:1|"},
        {"left out", {"--quiet"}, "--data-dir DIR is required. See \"ocim serve --help\"."},
        {"empty", {"--data-dir="}, "--data-dir DIR is required. See \"ocim serve --help\"."},
        {"misspelt",
         {"--data_dir", "d"},
         "unknown flag --data_dir. Did you mean --data-dir? See \"ocim serve --help\"."},
        {"unknown", {"--frobnicate"}, "unknown flag --frobnicate. See \"ocim serve --help\"."},
        {"no value", {"--data-dir"}, "--data-dir needs a value. See \"ocim serve --help\"."},
        {"a value too many", {"--data-dir=d", "--quiet=yes"}, "--quiet takes no value. See \"ocim serve --help\"."},
        {"twice", {"--data-dir=d", "--data-dir=e"}, "--data-dir is given twice. See \"ocim serve --help\"."},
        {"no flag", {"d"}, "unexpected argument \"d\". See \"ocim serve --help\"."},
    };
    for (const auto& c : cases) EXPECT_EQ(said(c.words), c.expected) << c.reason;
}

constexpr Flag lettered[] = {
    {.name = "namespace", .value = "NAMESPACE", .help = "Where.", .letter = 'n'},
    {.name = "all", .value = "", .help = "All.", .letter = 'A'},
    {.name = "watch", .value = "", .help = "Go on.", .letter = 'w'},
    {.name = "filename", .value = "FILE", .help = "A file.", .repeated = true, .letter = 'f'},
    {"quiet", "", "Say nothing."},
};

std::string read(std::vector<std::string> words) {
    const auto read = Arguments::parse("get", words, lettered, Operands::taken);
    if (!read) return read.error().message;
    std::string out = read->text("namespace");
    for (const auto* flag : {"all", "watch", "quiet"})
        if (read->has(flag)) out += std::string("|") + flag;
    for (const auto& file : read->all("filename")) out += "|" + file;
    for (const auto& word : read->operands()) out += " " + word;
    return out;
}

TEST(Arguments, TakeLettersAndOperandsInAnyOrder) {
    const struct {
        const char* reason;
        std::vector<std::string> words;
        const char* expected;
    } cases[] = {
        {"operands before and after", {"dns", "-n", "school", "www"}, "school dns www"},
        {"a value beside its letter", {"-nschool"}, "school"},
        {"or behind a sign", {"-n=school"}, "school"},
        {"letters together", {"-Aw"}, "|all|watch"},
        {"the last with a value", {"-An", "school"}, "school|all"},
        {"several times", {"-f", "a", "-fb", "--filename=c"}, "|a|b|c"},
        {"a switch may say that it is on", {"--all=true"}, "|all"},
        {"all after two dashes", {"--", "-A", "--watch"}, " -A --watch"},
        {"a dash alone is a word", {"-f", "-", "-"}, "|- -"},
        {"unknown", {"-x"}, "unknown flag -x. See \"ocim get --help\"."},
        {"no value", {"-n"}, "-n needs a value. See \"ocim get --help\"."},
        {"twice", {"-na", "--namespace", "b"}, "--namespace is given twice. See \"ocim get --help\"."},
    };
    for (const auto& c : cases) EXPECT_EQ(read(c.words), c.expected) << c.reason;
    EXPECT_EQ(describe(std::span(lettered).first(2)),
              "  -n, --namespace NAMESPACE  Where.\n"
              "  -A, --all                  All.\n");
}

TEST(Arguments, AreDescribed) {
    EXPECT_EQ(describe(flags),
              "  --data-dir DIR    Where things are kept. (required)\n"
              "  --listen ADDRESS  Where to listen. (default 127.0.0.1:1)\n"
              "  --quiet           Say nothing.\n");
}

}  // namespace
