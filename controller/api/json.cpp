#include "api/json.hpp"

#include "api/number.hpp"
#include "base/utf8.hpp"

#include <algorithm>
#include <boost/json/basic_parser_impl.hpp>
#include <boost/json/value_stack.hpp>
#include <charconv>
#include <cmath>
#include <limits>
#include <optional>
#include <unordered_set>

namespace ocim::api {

namespace {

constexpr std::size_t duplicates_max = 100;  // more would tell a reader nothing new

/// What the parser calls: builds the value and looks for keys that come twice.
class Handler {
public:
    static constexpr std::size_t max_object_size = std::numeric_limits<std::size_t>::max();
    static constexpr std::size_t max_array_size = std::numeric_limits<std::size_t>::max();
    static constexpr std::size_t max_key_size = std::numeric_limits<std::size_t>::max();
    static constexpr std::size_t max_string_size = std::numeric_limits<std::size_t>::max();
    using Code = json::error_code;
    using View = json::string_view;

    std::vector<std::string> duplicates;
    /// Why the document was refused, when it was not the parser who did it.
    std::string refusal;

    Json release() { return stack_.release(); }

    bool on_document_begin(Code&) {
        stack_.reset();
        return true;
    }
    bool on_document_end(Code&) { return true; }
    bool on_object_begin(Code&) {
        frames_.push_back({true, 0, keys_.size(), texts_.size(), {}});
        return true;
    }
    bool on_object_end(std::size_t size, Code&) {
        stack_.push_object(size);
        return close();
    }
    bool on_array_begin(Code&) {
        frames_.push_back({false, 0, keys_.size(), texts_.size(), {}});
        return true;
    }
    bool on_array_end(std::size_t size, Code&) {
        stack_.push_array(size);
        return close();
    }
    bool on_key_part(View part, std::size_t, Code&) {
        stack_.push_chars(part);
        texts_.append(part.data(), part.size());
        return true;
    }
    bool on_key(View part, std::size_t size, Code&) {
        stack_.push_key(part);
        texts_.append(part.data(), part.size());
        const Key key{texts_.size() - size, size};
        const bool twice = came_before(key);
        keys_.push_back(key);
        if (twice && duplicates.size() < duplicates_max) duplicates.push_back(place());
        return true;
    }
    bool on_string_part(View part, std::size_t, Code&) {
        stack_.push_chars(part);
        return true;
    }
    bool on_string(View part, std::size_t, Code&) {
        stack_.push_string(part);
        return item();
    }
    bool on_number_part(View part, Code&) {
        number_.append(part.data(), part.size());
        return true;
    }
    bool on_int64(std::int64_t value, View, Code&) {
        number_.clear();
        stack_.push_int64(value);
        return item();
    }
    bool on_uint64(std::uint64_t value, View, Code&) {
        number_.clear();
        push(number(static_cast<double>(value)));
        return item();
    }
    bool on_double(double, View part, Code& error) {
        number_.append(part.data(), part.size());
        const auto text = std::exchange(number_, {});
        const auto value = read_number(text);
        if (!value) {
            refusal = "the number " + text.substr(0, 40) + " is too large";
            error = make_error_code(json::error::not_number);
            return false;
        }
        push(*value);
        return item();
    }
    bool on_bool(bool value, Code&) {
        stack_.push_bool(value);
        return item();
    }
    bool on_null(Code&) {
        stack_.push_null();
        return item();
    }
    bool on_comment_part(View, Code&) { return true; }
    bool on_comment(View, Code&) { return true; }

private:
    /// A key's place in texts_.
    struct Key {
        std::size_t begin, size;
    };
    struct Frame {
        bool object;
        std::size_t items;
        std::size_t first_key, first_text;       ///< of this object, in keys_ and texts_
        std::unordered_set<std::string> many{};  ///< its keys, when a look at each would take long
    };
    static constexpr std::size_t many_keys = 32;

    std::string_view text_of(const Key& key) const { return std::string_view(texts_).substr(key.begin, key.size); }
    bool came_before(const Key& key) {
        auto& frame = frames_.back();
        const auto text = text_of(key);
        if (keys_.size() - frame.first_key < many_keys)
            return std::any_of(keys_.begin() + static_cast<std::ptrdiff_t>(frame.first_key), keys_.end(),
                               [&](const Key& other) { return text_of(other) == text; });
        if (frame.many.empty())
            for (auto i = frame.first_key; i < keys_.size(); ++i) frame.many.emplace(text_of(keys_[i]));
        return !frame.many.emplace(text).second;
    }

    void push(const Json& value) {
        if (value.is_int64())
            stack_.push_int64(value.get_int64());
        else
            stack_.push_double(value.get_double());
    }
    bool item() {
        if (!frames_.empty()) ++frames_.back().items;
        return true;
    }
    bool close() {
        keys_.resize(frames_.back().first_key);
        texts_.resize(frames_.back().first_text);
        frames_.pop_back();
        return item();
    }
    std::string place() const {
        std::string out;
        for (std::size_t i = 0; i < frames_.size(); ++i) {
            const auto& frame = frames_[i];
            const auto keys = i + 1 < frames_.size() ? frames_[i + 1].first_key : keys_.size();
            if (frame.object)
                out += (out.empty() ? "" : ".") + std::string(text_of(keys_[keys - 1]));
            else
                out += "[" + std::to_string(frame.items) + "]";
        }
        return out;
    }

    json::value_stack stack_;
    std::vector<Frame> frames_;
    std::vector<Key> keys_;  ///< of all open objects
    std::string texts_;      ///< of those keys
    std::string number_;
};

std::string place_of(std::string_view text, std::size_t offset) {
    std::size_t line = 1, column = 1;
    for (const char c : text.substr(0, offset)) {
        ++column;
        if (c == '\n') ++line, column = 1;
    }
    return "line " + std::to_string(line) + ", column " + std::to_string(column);
}

std::string why(const json::error_code& error, const Handler& handler) {
    if (!handler.refusal.empty()) return handler.refusal;
    if (error == json::error::too_deep)
        return "nested deeper than " + std::to_string(limits::json_depth_max) + " levels";
    if (error == json::error::incomplete) return "it ends too early";
    if (error == json::error::extra_data) return "there is something after the value";
    return error.message();
}

bool only_space(std::string_view text) { return text.find_first_not_of(" \t\r\n") == std::string_view::npos; }

// --- printing

/// The shortest text that reads back as `value`: 1.25e+02.
std::string scientific(double value) {
    char text[64];
    const auto end = std::to_chars(text, text + sizeof text, value, std::chars_format::scientific).ptr;
    return {text, end};
}

/// The same without an exponent; digits beyond the shortest are zeros, not those of the exact value.
std::string fixed(double value) {
    constexpr double exact_integers_max = 9007199254740992;  // 2^53
    if (std::abs(value) < exact_integers_max) {
        char text[64];
        return {text, std::to_chars(text, text + sizeof text, value, std::chars_format::fixed).ptr};
    }
    auto text = scientific(value);
    const auto mark = text.find('e');
    const auto exponent = static_cast<std::size_t>(std::stoi(text.substr(mark + 1)));
    text.resize(mark);
    if (const auto point = text.find('.'); point != std::string::npos) text.erase(point, 1);
    text.resize(exponent + 1 + (value < 0 ? 1 : 0), '0');
    return text;
}

void print(std::string& out, double value) {
    if (!std::isfinite(value)) {
        out += "null";  // JSON has no other word; what we parse is finite
        return;
    }
    const auto size = std::abs(value);
    if (size == 0 || (size >= 1e-6 && size < 1e21)) {
        out += fixed(value);
        return;
    }
    auto text = scientific(value);
    // Go writes a negative exponent of one digit as e-9
    if (const auto at = text.find("e-0"); at != std::string::npos) text.erase(at + 2, 1);
    out += text;
}

bool is_plain(char c) { return static_cast<signed char>(c) >= 0x20 && c != '"' && c != '\\'; }

void print_escaped(std::string& out, char c) {
    static constexpr std::string_view digits = "0123456789abcdef";
    switch (c) {
        case '"': out += "\\\""; return;
        case '\\': out += "\\\\"; return;
        case '\n': out += "\\n"; return;
        case '\r': out += "\\r"; return;
        case '\t': out += "\\t"; return;
        default: break;
    }
    out += "\\u00";
    out += digits[static_cast<unsigned char>(c) >> 4];
    out += digits[static_cast<unsigned char>(c) & 0xf];
}

void print(std::string& out, std::string_view text) {
    out += '"';
    while (!text.empty()) {
        const auto plain = static_cast<std::size_t>(std::ranges::find_if_not(text, is_plain) - text.begin());
        out += text.substr(0, plain);
        text.remove_prefix(plain);
        if (text.empty()) break;
        const bool ascii = static_cast<unsigned char>(text.front()) < 0x80;
        const auto length = ascii ? 1 : utf8_sequence(text);
        if (ascii)
            print_escaped(out, text.front());
        else
            out += length > 0 ? text.substr(0, length) : "\xef\xbf\xbd";  // U+FFFD
        text.remove_prefix(std::max<std::size_t>(length, 1));
    }
    out += '"';
}

void print(std::string& out, const Json& value) {
    switch (value.kind()) {
        case json::kind::null: out += "null"; return;
        case json::kind::bool_: out += value.get_bool() ? "true" : "false"; return;
        case json::kind::int64: out += std::to_string(value.get_int64()); return;
        case json::kind::uint64: out += std::to_string(value.get_uint64()); return;
        case json::kind::double_: print(out, value.get_double()); return;
        case json::kind::string: print(out, std::string_view(value.get_string())); return;
        case json::kind::array: {
            out += '[';
            bool first = true;
            for (const auto& item : value.get_array()) {
                if (!std::exchange(first, false)) out += ',';
                print(out, item);
            }
            out += ']';
            return;
        }
        case json::kind::object: {
            out += '{';
            bool first = true;
            for (const auto& [key, item] : value.get_object()) {
                if (!std::exchange(first, false)) out += ',';
                print(out, std::string_view(key));
                out += ':';
                print(out, item);
            }
            out += '}';
            return;
        }
    }
}

}  // namespace

Result<Parsed> parse_json(std::string_view text) {
    json::parse_options options;
    options.max_depth = limits::json_depth_max;
    try {
        json::basic_parser<Handler> parser(options);
        json::error_code error;
        const auto read = parser.write_some(false, text.data(), text.size(), error);
        if (!error && !only_space(text.substr(read))) error = json::error::extra_data;
        if (error)
            return Error{ErrorClass::invalid,
                         "invalid JSON at " + place_of(text, read) + ": " + why(error, parser.handler())};
        return Parsed{parser.handler().release(), std::move(parser.handler().duplicates)};
    } catch (const std::exception& e) {  // the library throws on lengths beyond its own
        return Error{ErrorClass::invalid, std::string("invalid JSON: ") + e.what()};
    }
}

std::string to_text(const Json& value) {
    std::string out;
    out.reserve(1024);  // most objects; grown text is copied
    print(out, value);
    out.shrink_to_fit();
    return out;
}

const Json* find(const Json& value, std::initializer_list<std::string_view> path) {
    const Json* at = &value;
    for (const auto step : path) {
        const auto* fields = at->if_object();
        if (!fields) return nullptr;
        at = fields->if_contains(step);
        if (!at) return nullptr;
    }
    return at;
}

std::string_view find_text(const Json& value, std::initializer_list<std::string_view> path) {
    const auto* found = find(value, path);
    if (!found || !found->is_string()) return "";
    return found->get_string();
}

json::object& make_object(Json& value, std::initializer_list<std::string_view> path) {
    Json* at = &value;
    if (!at->is_object()) at->emplace_object();
    for (const auto step : path) {
        at = &at->get_object()[step];
        if (!at->is_object()) at->emplace_object();
    }
    return at->get_object();
}

}  // namespace ocim::api
