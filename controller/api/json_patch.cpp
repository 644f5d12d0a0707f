#include "api/patch.hpp"

#include <algorithm>
#include <charconv>

namespace ocim::api {

namespace {

using Path = std::vector<std::string>;
using Done = Result<void, Status>;

Status malformed(std::size_t index, std::string_view why) {
    return bad_request("error decoding patch: operation " + std::to_string(index) + ": " + std::string(why));
}

/// The patch is well formed but does not fit the object. The message is Kubernetes' own; what is wrong is its cause.
Status unfit(std::string why) {
    Status out;
    out.code = 422;
    out.reason = "Invalid";
    out.message = "the server rejected our request due to an error in our request";
    out.causes.push_back({"", std::move(why), ""});
    return out;
}

Status too_many(std::size_t operations) {
    Status out;
    out.code = 413;
    out.reason = "RequestEntityTooLarge";
    out.message = "The allowed maximum operations in a JSON patch is " + std::to_string(limits::patch_operations_max) +
                  ", got " + std::to_string(operations);
    return out;
}

/// RFC 6901: "/a~1b/0" -> ["a/b", "0"].
std::optional<Path> parse_pointer(std::string_view text) {
    Path out;
    if (text.empty()) return out;
    if (text[0] != '/') return std::nullopt;
    for (std::size_t at = 0; at < text.size(); ++at) {
        if (text[at] == '/') {
            out.emplace_back();
            continue;
        }
        char c = text[at];
        if (c == '~') {
            if (++at == text.size() || (text[at] != '0' && text[at] != '1')) return std::nullopt;
            c = text[at] == '0' ? '~' : '/';
        }
        out.back() += c;
    }
    return out;
}

std::string text_of(const Path& path, std::size_t steps) {
    std::string out;
    for (std::size_t i = 0; i < steps; ++i) {
        out += '/';
        for (const char c : path[i]) out += c == '~' ? "~0" : c == '/' ? "~1" : std::string(1, c);
    }
    return out.empty() ? "the document" : out;
}

/// Digits without a leading zero, at most `last`.
std::optional<std::size_t> index_of(std::string_view step, std::size_t last) {
    std::size_t out = 0;
    const auto [end, error] = std::from_chars(step.data(), step.data() + step.size(), out);
    if (error != std::errc() || end != step.data() + step.size() || (step.size() > 1 && step[0] == '0')) return {};
    return out <= last ? std::optional(out) : std::nullopt;
}

Json* child(Json& parent, std::string_view step) {
    if (auto* fields = parent.if_object()) return fields->if_contains(step);
    auto* items = parent.if_array();
    if (!items || items->empty()) return nullptr;
    const auto index = index_of(step, items->size() - 1);
    return index ? &(*items)[*index] : nullptr;
}

/// What the first `steps` steps of a path lead to.
Result<Json*, Status> walk(Json& document, const Path& path, std::size_t steps) {
    Json* at = &document;
    for (std::size_t i = 0; i < steps; ++i) {
        at = child(*at, path[i]);
        if (!at) return unfit(text_of(path, i + 1) + " does not exist");
    }
    return at;
}

/// Nesting of a value, counted up to `limit`.
std::size_t depth_of(const Json& value, std::size_t limit) {
    if (limit == 0) return 0;
    std::size_t deepest = 0;
    if (const auto* items = value.if_array()) {
        for (const auto& item : *items) deepest = std::max(deepest, depth_of(item, limit - 1));
    } else if (const auto* fields = value.if_object()) {
        for (const auto& [key, item] : *fields) deepest = std::max(deepest, depth_of(item, limit - 1));
    } else {
        return 0;
    }
    return deepest + 1;
}

Done check_depth(const Path& path, const Json& value) {
    if (path.size() + depth_of(value, limits::json_depth_max + 1) <= limits::json_depth_max) return {};
    return unfit("the result would be nested deeper than " + std::to_string(limits::json_depth_max) + " levels");
}

Done add(Json& document, const Path& path, Json value) {
    if (auto checked = check_depth(path, value); !checked) return checked;
    if (path.empty()) {
        document = std::move(value);
        return {};
    }
    auto parent = walk(document, path, path.size() - 1);
    if (!parent) return std::move(parent).error();
    if (auto* fields = (*parent)->if_object()) {
        (*fields)[path.back()] = std::move(value);
        return {};
    }
    auto* items = (*parent)->if_array();
    if (!items) return unfit(text_of(path, path.size() - 1) + " is neither an object nor an array");
    const auto index = path.back() == "-" ? items->size() : index_of(path.back(), items->size());
    if (!index) return unfit(text_of(path, path.size()) + " is no index of that array");
    items->insert(items->begin() + static_cast<std::ptrdiff_t>(*index), std::move(value));
    return {};
}

Done replace(Json& document, const Path& path, Json value) {
    if (auto checked = check_depth(path, value); !checked) return checked;
    auto target = walk(document, path, path.size());
    if (!target) return std::move(target).error();
    **target = std::move(value);
    return {};
}

Result<Json, Status> remove(Json& document, const Path& path) {
    if (path.empty()) return unfit("the whole document cannot be removed");
    auto target = walk(document, path, path.size());
    if (!target) return std::move(target).error();
    Json out = std::move(**target);
    Json& parent = **walk(document, path, path.size() - 1);
    if (auto* fields = parent.if_object()) {
        fields->stable_erase(path.back());
    } else {
        auto& items = parent.get_array();
        items.erase(items.begin() + static_cast<std::ptrdiff_t>(*index_of(path.back(), items.size() - 1)));
    }
    return out;
}

struct Operation {
    std::string_view op;
    Path path, from;
    const Json* value = nullptr;
};

Result<Operation, Status> read(const Json& item, std::size_t index) {
    if (!item.is_object()) return malformed(index, "not an object");
    Operation out;
    out.op = find_text(item, {"op"});
    static constexpr std::string_view known[] = {"add", "remove", "replace", "move", "copy", "test"};
    if (std::ranges::find(known, out.op) == std::end(known))
        return malformed(index, "op must be one of add, remove, replace, move, copy, test");
    const auto pointer = [&](std::string_view field) -> Result<Path, Status> {
        const auto* text = find(item, {field});
        auto path = text && text->is_string() ? parse_pointer(text->get_string()) : std::nullopt;
        if (!path) return malformed(index, std::string(field) + " must be a JSON pointer (RFC 6901)");
        return *std::move(path);
    };
    auto path = pointer("path");
    if (!path) return std::move(path).error();
    out.path = *std::move(path);
    if (out.op == "move" || out.op == "copy") {
        auto from = pointer("from");
        if (!from) return std::move(from).error();
        out.from = *std::move(from);
    } else if (out.op != "remove") {
        out.value = find(item, {"value"});
        if (!out.value) return malformed(index, "value is missing");
    }
    return out;
}

bool is_within(const Path& path, const Path& place) {
    return path.size() > place.size() && std::equal(place.begin(), place.end(), path.begin());
}

/// `copied` sums up what copies have added: a few of them could double a document for ever.
Done copy(Json& document, const Operation& operation, std::size_t& copied) {
    auto source = walk(document, operation.from, operation.from.size());
    if (!source) return std::move(source).error();
    copied += to_text(**source).size();
    if (copied > limits::body_bytes_max) return unfit("the operations copy more than a request may hold");
    return add(document, operation.path, Json(**source));
}

Done run(Json& document, const Operation& operation, std::size_t& copied) {
    if (operation.op == "add") return add(document, operation.path, *operation.value);
    if (operation.op == "replace") return replace(document, operation.path, *operation.value);
    if (operation.op == "copy") return copy(document, operation, copied);
    if (operation.op == "test") {
        auto target = walk(document, operation.path, operation.path.size());
        if (!target) return std::move(target).error();
        if (**target == *operation.value) return {};
        return unfit("testing value " + text_of(operation.path, operation.path.size()) + " failed");
    }
    if (operation.op == "move" && is_within(operation.path, operation.from))
        return unfit("a value cannot be moved into itself");
    auto removed = remove(document, operation.op == "move" ? operation.from : operation.path);
    if (!removed) return std::move(removed).error();
    return operation.op == "move" ? add(document, operation.path, *std::move(removed)) : Done();
}

}  // namespace

Result<void, Status> json_patch(Json& target, const Json& patch) {
    const auto* operations = patch.if_array();
    if (!operations) return bad_request("error decoding patch: a JSON patch is an array of operations");
    if (operations->size() > limits::patch_operations_max) return too_many(operations->size());
    Json document = target;
    std::size_t index = 0, copied = 0;
    for (const auto& item : *operations) {
        auto operation = read(item, index++);
        if (!operation) return std::move(operation).error();
        if (auto done = run(document, *operation, copied); !done) return done;
    }
    target = std::move(document);
    return {};
}

}  // namespace ocim::api
