#include "api/object.hpp"

#include <limits>

namespace ocim::api {

namespace {
Error refused(const Json& value, const std::string& path, std::string_view wanted) {
    static constexpr std::size_t shown_max = 80;
    auto text = to_text(value);
    if (text.size() > shown_max) text = text.substr(0, shown_max) + "...";
    return {ErrorClass::invalid, path + ": not " + std::string(wanted) + ": " + text};
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
    if (!value.is_int64()) return refused(value, path, "an integer");
    out = value.get_int64();
    return {};
}

Result<void> decode(const Json& value, std::int32_t& out, const std::string& path) {
    using Range = std::numeric_limits<std::int32_t>;
    if (!value.is_int64() || value.get_int64() < Range::min() || value.get_int64() > Range::max())
        return refused(value, path, "an integer of 32 bits");
    out = static_cast<std::int32_t>(value.get_int64());
    return {};
}

}  // namespace ocim::api
