#include "api/field_set.hpp"

#include <algorithm>

namespace ocim::api {

Element field_element(std::string_view name) { return "f:" + std::string(name); }
Element value_element(const Json& value) { return "v:" + to_text(value); }
Element index_element(std::size_t index) { return "i:" + std::to_string(index); }
Element key_element(std::map<std::string, Json> keys) {
    json::object out;
    for (auto& [name, value] : keys) out[name] = std::move(value);
    return "k:" + to_text(out);
}

namespace {

int rank(const Element& step) {
    constexpr std::string_view order = "fkvi";
    return static_cast<int>(order.find(step.front()));
}

/// The same step as we write it, or nothing when it is none.
std::optional<Element> canonical(std::string_view text) {
    if (text.size() < 2 || text[1] != ':') return std::nullopt;
    const auto rest = text.substr(2);
    if (text[0] == 'f') return Element(text);
    if (text[0] == 'i') {
        const bool digits =
            !rest.empty() && rest.size() < 10 && std::ranges::all_of(rest, [](char c) { return c >= '0' && c <= '9'; });
        return digits ? std::optional(index_element(std::stoul(std::string(rest)))) : std::nullopt;
    }
    const auto parsed = parse_json(rest);
    if (!parsed) return std::nullopt;
    if (text[0] == 'v') return value_element(parsed->value);
    if (text[0] != 'k' || !parsed->value.is_object()) return std::nullopt;
    std::map<std::string, Json> keys;
    for (const auto& [name, value] : parsed->value.get_object()) keys[name] = value;
    return key_element(std::move(keys));
}

}  // namespace

bool ElementOrder::operator()(const Element& left, const Element& right) const {
    const int a = rank(left), b = rank(right);
    return a != b ? a < b : left < right;
}

std::optional<FieldSet> FieldSet::from_json(const Json& fields) {
    const auto* object = fields.if_object();
    if (!object) return std::nullopt;
    FieldSet out;
    for (const auto& [key, value] : *object) {
        if (key == ".") {
            out.member = true;
            continue;
        }
        const auto step = canonical(key);
        auto below = step ? from_json(value) : std::nullopt;
        if (!below) return std::nullopt;
        if (value.get_object().empty()) below->member = true;
        const auto [child, fresh] = out.children.try_emplace(*step);
        child->second = fresh ? *std::move(below) : unite(std::move(child->second), *below);
    }
    return out;
}

Json FieldSet::to_json() const {
    json::object out;
    if (member && !children.empty()) out["."] = json::object();
    for (const auto& [step, child] : children) out[step] = child.to_json();
    return out;
}

const FieldSet* FieldSet::below(const Element& step) const {
    const auto found = children.find(step);
    return found == children.end() ? nullptr : &found->second;
}

void FieldSet::insert(const std::vector<Element>& path) {
    auto* at = this;
    for (const auto& step : path) at = &at->children[step];
    at->member = true;
}

void FieldSet::tidy() {
    for (auto at = children.begin(); at != children.end();) {
        at->second.tidy();
        at = at->second.empty() ? children.erase(at) : std::next(at);
    }
}

void FieldSet::each(const std::function<void(const std::string& path)>& call, const std::string& prefix) const {
    for (const auto& [step, child] : children)
        if (child.member) call(prefix + text_of(step));
    for (const auto& [step, child] : children) child.each(call, prefix + text_of(step));
}

FieldSet unite(FieldSet left, const FieldSet& right) {
    left.member = left.member || right.member;
    for (const auto& [step, child] : right.children) {
        auto& mine = left.children[step];
        mine = unite(std::move(mine), child);
    }
    return left;
}

FieldSet intersect(const FieldSet& left, const FieldSet& right) {
    FieldSet out;
    out.member = left.member && right.member;
    for (const auto& [step, child] : left.children) {
        const auto* other = right.below(step);
        if (!other) continue;
        if (auto both = intersect(child, *other); !both.empty()) out.children.emplace(step, std::move(both));
    }
    return out;
}

FieldSet subtract(FieldSet left, const FieldSet& right) {
    left.member = left.member && !right.member;
    for (const auto& [step, child] : right.children) {
        const auto found = left.children.find(step);
        if (found == left.children.end()) continue;
        found->second = subtract(std::move(found->second), child);
        if (found->second.empty()) left.children.erase(found);
    }
    return left;
}

FieldSet subtract_whole(FieldSet left, const FieldSet& right) {
    if (right.member) return {};
    for (const auto& [step, child] : right.children) {
        const auto found = left.children.find(step);
        if (found == left.children.end()) continue;
        found->second = subtract_whole(std::move(found->second), child);
        if (found->second.empty()) left.children.erase(found);
    }
    return left;
}

std::string text_of(const Element& step) {
    const auto rest = step.substr(2);
    if (step[0] == 'f') return "." + rest;
    if (step[0] == 'v') return "[=" + rest + "]";
    if (step[0] == 'i') return "[" + rest + "]";
    const auto keys = parse_json(rest);
    std::string out;
    if (keys)
        for (const auto& [name, value] : keys->value.get_object())
            out += (out.empty() ? "" : ",") + std::string(name) + "=" + to_text(value);
    return "[" + out + "]";
}

}  // namespace ocim::api
