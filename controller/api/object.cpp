#include "api/object.hpp"

#include "base/utf8.hpp"

#include <optional>
#include <utility>

namespace ocim::api {

namespace {
Error refused(const Json& value, const std::string& path, std::string_view wanted) {
    static constexpr std::size_t shown_max = 80;
    return {ErrorClass::invalid, path + ": not " + std::string(wanted) + ": " + valid_utf8(to_text(value), shown_max)};
}

/// The number, however the value holds it: our own code puts sizes into JSON, which are unsigned.
std::optional<std::int64_t> integer(const Json& value) {
    if (value.is_int64()) return value.get_int64();
    if (value.is_uint64() && std::in_range<std::int64_t>(value.get_uint64()))
        return static_cast<std::int64_t>(value.get_uint64());
    return std::nullopt;
}
}  // namespace

Result<void> decode(const Json& value, std::string& out, const std::string& path) {
    if (!value.is_string()) return refused(value, path, "a string");
    out = value.get_string();
    return {};
}

Result<void> decode(const Json& value, bool& out, const std::string& path) {
    if (!value.is_bool()) return refused(value, path, "a boolean");
    out = value.get_bool();
    return {};
}

Result<void> decode(const Json& value, std::int64_t& out, const std::string& path) {
    const auto number = integer(value);
    if (!number) return refused(value, path, "an integer");
    out = *number;
    return {};
}

Result<void> decode(const Json& value, std::int32_t& out, const std::string& path) {
    const auto number = integer(value);
    if (!number || !std::in_range<std::int32_t>(*number)) return refused(value, path, "an integer of 32 bits");
    out = static_cast<std::int32_t>(*number);
    return {};
}

}  // namespace ocim::api
