#include "api/yaml.hpp"

#include "api/yaml_scalar.hpp"
#include "base/utf8.hpp"

#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/exceptions.h>
#include <yaml-cpp/parser.h>
#include <algorithm>
#include <map>
#include <optional>
#include <set>
#include <sstream>

namespace ocim::api {

namespace {

/// Thrown through the parser and caught where it is called.
struct Refused {
    std::string why;
    int line, column;
};

/// A value as an alias may repeat it, with what it costs to do so.
struct Part {
    Json value;
    std::size_t nodes = 0, bytes = 0, depth = 0;
};

constexpr std::string_view core = "tag:yaml.org,2002:";

/// The parser makes single bytes of the escapes "\\N" and "\\_": the characters that they stand for.
std::string unescaped(std::string_view text) {
    std::string out;
    while (!text.empty()) {
        const auto length = utf8_sequence(text);
        if (length == 0) out += '\xc2';
        out += text.substr(0, std::max<std::size_t>(length, 1));
        text.remove_prefix(std::max<std::size_t>(length, 1));
    }
    return out;
}

/// Builds the values of one stream from the parser's events.
class Builder final : public YAML::EventHandler {
public:
    std::vector<Parsed> documents;

    void OnDocumentStart(const YAML::Mark& mark) override {
        at_ = mark;
        // at a comma or the like the parser stays where it is, and finds one empty document after another there
        if (std::exchange(began_, mark.pos) == mark.pos) refuse("no value can begin here");
        anchors_.clear();
        document_ = {};
    }
    void OnDocumentEnd() override {
        if (!document_.value.is_null()) documents.push_back(std::move(document_));
    }
    void OnNull(const YAML::Mark& mark, YAML::anchor_t anchor) override {
        at_ = mark;
        add(leaf(nullptr, 0), anchor);
    }
    void OnAlias(const YAML::Mark& mark, YAML::anchor_t anchor) override {
        at_ = mark;
        const auto found = anchors_.find(anchor);
        if (found == anchors_.end()) refuse("an alias stands within what it repeats");
        count(found->second.nodes, found->second.bytes);
        if (frames_.size() + found->second.depth > limits::json_depth_max) refuse_depth();
        add(found->second, 0);
    }
    void OnScalar(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                  const std::string& text) override {
        at_ = mark;
        const bool merge = text == "<<" && (tag == "?" || tag == std::string(core) + "merge");
        if (merge && wants_key()) {
            count(1, text.size());
            frames_.back().key = text;
            frames_.back().merging = true;
            return;
        }
        add(leaf(meaning(tag, unescaped(text)), text.size()), anchor);
    }
    void OnSequenceStart(const YAML::Mark& mark, const std::string&, YAML::anchor_t anchor,
                         YAML::EmitterStyle::value) override {
        open(mark, json::array(), anchor);
    }
    void OnSequenceEnd() override { close(); }
    void OnMapStart(const YAML::Mark& mark, const std::string&, YAML::anchor_t anchor,
                    YAML::EmitterStyle::value) override {
        open(mark, json::object(), anchor);
    }
    void OnMapEnd() override {
        for (const auto& source : frames_.back().merged) merge(source);
        close();
    }

    [[noreturn]] void refuse(std::string why) const { throw Refused{std::move(why), at_.line + 1, at_.column + 1}; }

private:
    struct Frame {
        Json value;  ///< an object or an array, as far as it is read
        YAML::anchor_t anchor = 0;
        std::size_t nodes_before = 0, bytes_before = 0, depth = 1;
        std::optional<std::string> key{};
        bool merging = false;
        std::vector<Json> merged{};
    };

    bool wants_key() const { return !frames_.empty() && frames_.back().value.is_object() && !frames_.back().key; }

    void count(std::size_t nodes, std::size_t bytes) {
        nodes_ += nodes;
        bytes_ += bytes;
        if (nodes_ > limits::yaml_nodes_max)
            refuse("more than " + std::to_string(limits::yaml_nodes_max) + " values, counting what aliases repeat");
        if (bytes_ > limits::yaml_bytes_max)
            refuse("more than " + std::to_string(limits::yaml_bytes_max) + " bytes, counting what aliases repeat");
    }
    [[noreturn]] void refuse_depth() const {
        refuse("nested deeper than " + std::to_string(limits::json_depth_max) + " levels");
    }

    Part leaf(Json value, std::size_t bytes) {
        count(1, bytes);
        return {std::move(value), 1, bytes, 0};
    }

    Json resolved(const std::string& text) const {
        auto value = resolve_scalar(text);
        if (!value) refuse(value.error().message);
        return *std::move(value);
    }
    Json meaning(const std::string& tag, const std::string& text) const {
        if (tag == "?" || tag.empty()) return resolved(text);
        if (!tag.starts_with(core)) return Json(text);  // quoted, or of a type of somebody's own
        const auto type = tag.substr(core.size());
        if (type == "str" || type == "timestamp") return Json(text);
        const auto value = resolved(text);
        if ((type == "int" && value.is_int64()) || (type == "float" && value.is_number()) ||
            (type == "bool" && value.is_bool()) || (type == "null" && value.is_null()))
            return value;
        refuse(to_text(Json(text)) + " is no !!" + type + " that JSON could hold");
    }

    std::string key_of(const Json& value) const {
        if (value.is_string()) return std::string(value.get_string());
        if (value.is_bool() || value.is_number()) return to_text(value);
        refuse("a key must be a plain value, not " + std::string(value.is_null() ? "null" : "a list or a map"));
    }

    /// A value is complete: it becomes a key, a field, an item or the document.
    void add(Part part, YAML::anchor_t anchor) {
        if (anchor != 0) anchors_[anchor] = part;
        if (frames_.empty()) {
            document_.value = std::move(part.value);
            return;
        }
        auto& frame = frames_.back();
        frame.depth = std::max(frame.depth, part.depth + 1);
        if (auto* items = frame.value.if_array()) {
            items->push_back(std::move(part.value));
            return;
        }
        if (!frame.key) {
            frame.key = key_of(part.value);
            return;
        }
        const auto key = *std::exchange(frame.key, std::nullopt);
        if (std::exchange(frame.merging, false)) {
            frame.merged.push_back(std::move(part.value));
            return;
        }
        auto& fields = frame.value.get_object();
        if (fields.contains(key)) document_.duplicates.push_back(place(key));
        fields[key] = std::move(part.value);
    }

    void open(const YAML::Mark& mark, Json value, YAML::anchor_t anchor) {
        at_ = mark;
        if (wants_key()) key_of(value);
        if (frames_.size() >= limits::json_depth_max) refuse_depth();
        frames_.push_back({std::move(value), anchor, nodes_, bytes_});
        count(1, 0);
    }
    void close() {
        auto frame = std::move(frames_.back());
        frames_.pop_back();
        const Part part{std::move(frame.value), nodes_ - frame.nodes_before, bytes_ - frame.bytes_before, frame.depth};
        add(part, frame.anchor);
    }

    /// Fields of `source` that the map at hand does not have itself; of several sources the first wins.
    void merge(const Json& source) {
        if (const auto* several = source.if_array()) {
            for (const auto& one : *several) {
                if (!one.is_object()) refuse("<< takes a map or a list of maps");
                merge(one);
            }
            return;
        }
        if (!source.is_object()) refuse("<< takes a map or a list of maps");
        auto& fields = frames_.back().value.get_object();
        for (const auto& [key, value] : source.get_object())
            if (!fields.contains(key)) fields[key] = value;
    }

    /// "spec.ports[1].name"
    std::string place(const std::string& last) const {
        std::string out;
        for (const auto& frame : frames_) {
            if (const auto* items = frame.value.if_array())
                out += "[" + std::to_string(items->size()) + "]";
            else if (&frame != &frames_.back())
                out += (out.empty() ? "" : ".") + frame.key.value_or("");
        }
        return out + (out.empty() ? "" : ".") + last;
    }

    YAML::Mark at_;
    std::optional<int> began_;  ///< where the document at hand did
    std::vector<Frame> frames_;
    std::map<YAML::anchor_t, Part> anchors_;
    Parsed document_;
    std::size_t nodes_ = 0, bytes_ = 0;
};

Error refusal(const std::string& why, int line, int column) {
    return {ErrorClass::invalid,
            "invalid YAML at line " + std::to_string(line) + ", column " + std::to_string(column) + ": " + why};
}

/// The parser takes some bytes for the end of its input and puts others in the place of what it cannot read: only
/// text that YAML allows gets to it.
Result<void> check_text(std::string_view text) {
    int line = 1, column = 1;
    while (!text.empty()) {
        const auto c = static_cast<unsigned char>(text[0]);
        const auto length = utf8_sequence(text);
        if (length == 0) return refusal("not UTF-8", line, column);
        const bool c1_control = length == 2 && c == 0xc2 && static_cast<unsigned char>(text[1]) < 0xa0;
        if ((c < 0x20 && c != '\t' && c != '\n' && c != '\r') || c == 0x7f ||
            (c1_control && static_cast<unsigned char>(text[1]) != 0x85))
            return refusal("control characters are not allowed", line, column);
        ++column;
        if (c == '\n') ++line, column = 1;
        text.remove_prefix(length);
    }
    return {};
}

}  // namespace

Result<std::vector<Parsed>> parse_yaml_stream(std::string_view text) {
    if (auto checked = check_text(text); !checked) return std::move(checked).error();
    try {
        std::istringstream input{std::string(text)};
        YAML::Parser parser(input);
        Builder builder;
        while (parser.HandleNextDocument(builder)) {}
        return std::move(builder.documents);
    } catch (const Refused& refused) {
        return refusal(refused.why, refused.line, refused.column);
    } catch (const YAML::Exception& error) {
        return refusal(error.msg, error.mark.line + 1, error.mark.column + 1);
    } catch (const std::exception& error) {
        return Error{ErrorClass::invalid, std::string("invalid YAML: ") + error.what()};
    }
}

Result<Parsed> parse_yaml(std::string_view text) {
    auto documents = parse_yaml_stream(text);
    if (!documents) return std::move(documents).error();
    if (documents->size() > 1)
        return Error{ErrorClass::invalid,
                     "invalid YAML: one document is wanted, not " + std::to_string(documents->size())};
    return documents->empty() ? Parsed{} : std::move(documents->front());
}

}  // namespace ocim::api
