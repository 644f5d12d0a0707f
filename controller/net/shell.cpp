#include "net/ssh.hpp"

namespace ocim::net {

Result<std::string> shell_word(std::string_view text) {
    if (text.find('\0') != std::string_view::npos)
        return Error{ErrorClass::invalid, "a NUL cannot be part of a command"};
    // POSIX, 2.2.2: between single quotes every character but the quote itself stands for itself.
    std::string out = "'";
    for (const char c : text) {
        if (c == '\'')
            out += "'\\''";
        else
            out += c;
    }
    out += '\'';
    return out;
}

}  // namespace ocim::net
