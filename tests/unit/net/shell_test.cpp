#include "net/ssh.hpp"

#include <gtest/gtest.h>

namespace ocim::net {
namespace {

TEST(ShellWord, QuotesWhatAShellWouldRead) {
    EXPECT_EQ(*shell_word(""), "''");
    EXPECT_EQ(*shell_word("plain"), "'plain'");
    EXPECT_EQ(*shell_word("it's"), "'it'\\''s'");
    EXPECT_EQ(*shell_word("$(x) `x` \\ \" ;\n"), "'$(x) `x` \\ \" ;\n'");
}

TEST(ShellWord, RefusesANul) {
    EXPECT_EQ(shell_word(std::string_view("a\0b", 3)).error(),
              (Error{ErrorClass::invalid, "a NUL cannot be part of a command"}));
}

}  // namespace
}  // namespace ocim::net
