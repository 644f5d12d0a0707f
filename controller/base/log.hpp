#pragma once

#include <initializer_list>
#include <string>
#include <string_view>

namespace ocim::log {

enum class Level { debug, info, warning, error };
enum class Format { text, json };

/// One fact of a log line. Never a secret.
struct Field {
    std::string_view key;
    std::string value;
};

/// Where lines go (stderr) and how they look. Call once, before the first line; the default is text, info.
void configure(Format format, Level least);

/// One event, one line: a constant message, facts as fields. Any thread.
void write(Level level, std::string_view message, std::initializer_list<Field> fields = {});
inline void debug(std::string_view m, std::initializer_list<Field> f = {}) { write(Level::debug, m, f); }
inline void info(std::string_view m, std::initializer_list<Field> f = {}) { write(Level::info, m, f); }
inline void warning(std::string_view m, std::initializer_list<Field> f = {}) { write(Level::warning, m, f); }
inline void error(std::string_view m, std::initializer_list<Field> f = {}) { write(Level::error, m, f); }

}  // namespace ocim::log
