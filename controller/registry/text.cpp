#include "registry/text.hpp"

#include "api/json.hpp"

#include <boost/json/parse.hpp>

namespace ocim::registry {

namespace {

/// Moves over valid, compact JSON.
class Cursor {
public:
    explicit Cursor(std::string_view text) : text_(text) {}

    bool at(char c) const { return position_ < text_.size() && text_[position_] == c; }
    void advance() { ++position_; }
    std::size_t position() const { return position_; }

    /// Over a string; its text between the quotes, escapes as they are.
    std::string_view string() {
        const auto begin = ++position_;
        while (position_ < text_.size() && text_[position_] != '"') position_ += text_[position_] == '\\' ? 2 : 1;
        const auto end = std::min(position_, text_.size());
        position_ = end + 1;
        return text_.substr(begin, end - begin);
    }

    /// Over any value.
    std::string_view value() {
        const auto begin = position_;
        int depth = 0;
        while (position_ < text_.size()) {
            const char c = text_[position_];
            if (c == '"') {
                string();
            } else {
                if (c == '{' || c == '[') ++depth;
                if (c == '}' || c == ']') --depth;
                if (depth < 0 || (depth == 0 && c == ',')) break;
                ++position_;
            }
            if (depth == 0 && (position_ >= text_.size() || ends_value(text_[position_]))) break;
        }
        return text_.substr(begin, position_ - begin);
    }

private:
    static bool ends_value(char c) { return c == ',' || c == '}' || c == ']'; }

    std::string_view text_;
    std::size_t position_ = 0;
};

/// From the start of an object to the value of one of its fields; false when it has no such field.
bool enter(Cursor& cursor, std::string_view name) {
    if (!cursor.at('{')) return false;
    cursor.advance();
    while (cursor.at('"')) {
        const auto key = cursor.string();
        cursor.advance();  // the colon
        if (key == name) return true;
        cursor.value();
        if (cursor.at(',')) cursor.advance();
    }
    return false;
}

template <class Path>
std::optional<std::string_view> walk(std::string_view object, const Path& path) {
    Cursor cursor(object);
    for (const auto step : path)
        if (!enter(cursor, step)) return std::nullopt;
    return cursor.value();
}

std::string plain(std::optional<std::string_view> raw) {
    if (!raw || *raw == "null") return "";
    if (!raw->starts_with('"')) return std::string(*raw);
    const auto inside = raw->substr(1, raw->size() - 2);
    if (inside.find('\\') == std::string_view::npos) return std::string(inside);
    boost::json::error_code failed;
    const auto value = boost::json::parse(boost::json::string_view(raw->data(), raw->size()), failed);
    return failed || !value.is_string() ? std::string() : std::string(value.get_string());
}

}  // namespace

std::optional<std::string_view> raw_at(std::string_view object, std::initializer_list<std::string_view> path) {
    return walk(object, path);
}
std::optional<std::string_view> raw_at(std::string_view object, const std::vector<std::string_view>& path) {
    return walk(object, path);
}
std::string text_at(std::string_view object, std::initializer_list<std::string_view> path) {
    return plain(walk(object, path));
}
std::string text_at(std::string_view object, const std::vector<std::string_view>& path) {
    return plain(walk(object, path));
}

std::map<std::string, std::string> labels_of(std::string_view object) {
    std::map<std::string, std::string> out;
    const auto labels = raw_at(object, {"metadata", "labels"});
    if (!labels || !labels->starts_with('{')) return out;
    Cursor cursor(*labels);
    cursor.advance();
    while (cursor.at('"')) {
        const auto begin = cursor.position();
        cursor.string();
        auto key = plain(labels->substr(begin, cursor.position() - begin));
        cursor.advance();
        out[std::move(key)] = plain(cursor.value());
        if (cursor.at(',')) cursor.advance();
    }
    return out;
}

std::string with_revision(std::string_view object, std::uint64_t revision) {
    const auto old = raw_at(object, {"metadata", "resourceVersion"});
    if (!old) return std::string(object);
    const auto begin = static_cast<std::size_t>(old->data() - object.data());
    std::string out(object.substr(0, begin));
    out += '"' + std::to_string(revision) + '"';
    out += object.substr(begin + old->size());
    return out;
}

}  // namespace ocim::registry
