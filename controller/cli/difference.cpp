#include "cli/difference.hpp"

#include "base/utf8.hpp"
#include "cli/applying.hpp"

namespace ocim::cli {

namespace {

using api::Json;

constexpr std::size_t shown_max = 200;
constexpr std::string_view last_applied = "kubectl.kubernetes.io/last-applied-configuration";

std::string shown(const Json* value) { return value ? one_line(api::to_text(*value), shown_max) : ""; }

class Comparison {
public:
    explicit Comparison(bool secret) : secret_(secret) {}

    void compare(const std::string& path, const Json* before, const Json* after) {
        if (before && after && *before == *after) return;
        const auto *old_fields = before ? before->if_object() : nullptr, *fields = after ? after->if_object() : nullptr;
        const bool whole = (before && !old_fields) || (after && !fields) || (!before && !after);
        if (whole) {
            add(path, before, after);
            return;
        }
        if (old_fields)
            for (const auto& [key, value] : *old_fields)
                compare(path_of(path, key), &value, fields ? fields->if_contains(key) : nullptr);
        if (fields)
            for (const auto& [key, value] : *fields)
                if (!old_fields || !old_fields->if_contains(key)) compare(path_of(path, key), nullptr, &value);
    }

    std::vector<FieldChange> take() { return std::move(out_); }

private:
    static std::string path_of(const std::string& path, std::string_view key) {
        return path.empty() ? std::string(key) : path + "." + std::string(key);
    }
    void add(const std::string& path, const Json* before, const Json* after) {
        const bool hidden = secret_ && (path.starts_with("data.") || path.starts_with("stringData."));
        if (hidden)
            out_.push_back({path, before ? "(hidden)" : "", after ? "(hidden)" : ""});
        else
            out_.push_back({path, shown(before), shown(after)});
    }

    bool secret_;
    std::vector<FieldChange> out_;
};

Json told(Json object) {
    object = essence(std::move(object));
    if (!object.is_object()) return object;
    object.get_object().erase("status");
    if (auto* annotations = api::make_object(object, {"metadata"}).if_contains("annotations"))
        if (annotations->is_object()) annotations->get_object().erase(last_applied);
    return object;
}

}  // namespace

std::vector<FieldChange> differences(const Json& before, const Json& after) {
    const auto old_one = told(before), new_one = told(after);
    const auto& some = after.is_null() ? before : after;
    Comparison comparison(api::find_text(some, {"kind"}) == "Secret");
    comparison.compare("", before.is_null() ? nullptr : &old_one, after.is_null() ? nullptr : &new_one);
    return comparison.take();
}

}  // namespace ocim::cli
