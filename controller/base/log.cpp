#include "base/log.hpp"

#include "base/utf8.hpp"

#include <spdlog/logger.h>
#include <spdlog/pattern_formatter.h>
#include <spdlog/sinks/stdout_sinks.h>
#include <boost/json/serialize.hpp>
#include <boost/json/string.hpp>
#include <mutex>

namespace ocim::log {

namespace {

/// The one place where lines leave the process; configured before the first line, so `format` needs no lock.
struct Sink {
    spdlog::logger logger{"ocim", std::make_shared<spdlog::sinks::stderr_sink_mt>()};
    Format format = Format::text;

    Sink() { configure(Format::text, Level::info); }
    void configure(Format wanted, Level least);
};

Sink& sink() {
    static Sink one;
    return one;
}

spdlog::level::level_enum level_of(Level level) {
    switch (level) {
        case Level::debug: return spdlog::level::debug;
        case Level::info: return spdlog::level::info;
        case Level::warning: return spdlog::level::warn;
        case Level::error: return spdlog::level::err;
    }
    return spdlog::level::info;
}

void Sink::configure(Format wanted, Level least) {
    format = wanted;
    const char* pattern =
        wanted == Format::json ? R"({"time":"%Y-%m-%dT%H:%M:%S.%eZ","level":"%l",%v})" : "%Y-%m-%dT%H:%M:%S.%eZ %l %v";
    logger.set_formatter(std::make_unique<spdlog::pattern_formatter>(pattern, spdlog::pattern_time_type::utc));
    logger.set_level(level_of(least));
    logger.flush_on(spdlog::level::trace);
}

/// A JSON string, whatever bytes it is made of: a byte that is no UTF-8 becomes U+FFFD.
std::string quoted(std::string_view text) {
    std::string clean;
    while (!text.empty()) {
        const auto length = utf8_sequence(text);
        clean += length == 0 ? std::string_view("\xef\xbf\xbd") : text.substr(0, length);
        text.remove_prefix(length == 0 ? 1 : length);
    }
    return boost::json::serialize(boost::json::string_view(clean));
}

bool plain(std::string_view value) {
    if (value.empty()) return false;
    for (const char c : value)
        if (static_cast<unsigned char>(c) <= ' ' || c == '"' || c == '=' || c == '\\' ||
            static_cast<unsigned char>(c) >= 0x7f)
            return false;
    return true;
}

std::string text_line(std::string_view message, std::initializer_list<Field> fields) {
    std::string line(message);
    for (const auto& field : fields) {
        line += ' ';
        line += field.key;
        line += '=';
        line += plain(field.value) ? field.value : quoted(field.value);
    }
    return line;
}

std::string json_line(std::string_view message, std::initializer_list<Field> fields) {
    std::string line = "\"message\":" + quoted(message);
    for (const auto& field : fields) line += "," + quoted(field.key) + ":" + quoted(field.value);
    return line;
}

}  // namespace

void configure(Format format, Level least) { sink().configure(format, least); }

void write(Level level, std::string_view message, std::initializer_list<Field> fields) {
    auto& out = sink();
    const auto spd_level = level_of(level);
    if (!out.logger.should_log(spd_level)) return;
    const auto line = out.format == Format::json ? json_line(message, fields) : text_line(message, fields);
    out.logger.log(spd_level, spdlog::string_view_t(line.data(), line.size()));
}

}  // namespace ocim::log
