#include "schema/jsonpath_steps.hpp"

#include <algorithm>

namespace ocim::schema {

using api::Json;

namespace {

using Step = JsonPath::Step;
using Operand = Step::Operand;
using Compare = Step::Compare;
using Found = std::vector<const Json*>;

Found follow(const std::vector<Step>& steps, const Json& root);

void add(Found& out, const Json& value) {
    if (out.size() < limits::json_path_results_max) out.push_back(&value);
}

template <class Visit>
void for_each_child(const Json& value, Visit visit) {
    if (const auto* array = value.if_array())
        for (const auto& item : *array) visit(item);
    if (const auto* object = value.if_object())
        for (const auto& member : *object) visit(member.value());
}

void descend(const Json& value, Found& out) {
    add(out, value);
    for_each_child(value, [&](const Json& child) {
        if (child.is_structured() && out.size() < limits::json_path_results_max) descend(child, out);
    });
}

/// The sign of left - right; nothing when they cannot be compared.
std::optional<int> order(const Json& left, const Json& right) {
    const auto sign = [](const auto& a, const auto& b) { return a < b ? -1 : b < a ? 1 : 0; };
    if (left.is_number() && right.is_number()) return sign(left.to_number<double>(), right.to_number<double>());
    if (left.is_string() && right.is_string())
        return sign(std::string_view(left.get_string()), std::string_view(right.get_string()));
    if (left.is_bool() && right.is_bool()) return sign(left.get_bool(), right.get_bool());
    return std::nullopt;
}

bool holds(const Step& step, const Json& item) {
    const auto value_of = [&](const Operand& operand) -> const Json* {
        if (operand.literal) return &operand.value;
        const auto found = follow(operand.path, item);
        return found.empty() ? nullptr : found.front();
    };
    const auto* left = value_of(step.operands[0]);
    if (!left) return false;
    if (step.compare == Compare::exists) return true;
    const auto* right = value_of(step.operands[1]);
    if (!right) return false;
    const auto sign = order(*left, *right);
    switch (step.compare) {
        case Compare::exists: return true;
        case Compare::equal: return sign ? *sign == 0 : *left == *right;
        case Compare::not_equal: return sign ? *sign != 0 : *left != *right;
        case Compare::less: return sign && *sign < 0;
        case Compare::less_equal: return sign && *sign <= 0;
        case Compare::greater: return sign && *sign > 0;
        case Compare::greater_equal: return sign && *sign >= 0;
    }
    return false;
}

void slice(const Step& step, const api::json::array& array, Found& out) {
    const auto size = static_cast<std::int64_t>(array.size());
    const auto place = [&](std::int64_t index) { return std::clamp(index < 0 ? index + size : index, 0L, size); };
    const auto end = place(step.to.value_or(size));
    // stride <= size keeps the sum from overflowing
    const auto stride = std::min(step.stride, std::max(size, 1L));
    for (auto i = place(step.from.value_or(0)); i < end; i += stride) add(out, array[static_cast<std::size_t>(i)]);
}

void take_step(const Step& step, const Json& value, Found& out) {
    switch (step.kind) {
        case Step::Kind::fields:
            if (const auto* object = value.if_object())
                for (const auto& name : step.names)
                    if (const auto* field = object->if_contains(name)) add(out, *field);
            return;
        case Step::Kind::every: for_each_child(value, [&](const Json& child) { add(out, child); }); return;
        case Step::Kind::indexes:
            if (const auto* array = value.if_array())
                for (const auto index : step.indexes) {
                    const auto size = static_cast<std::int64_t>(array->size());
                    const auto place = index < 0 ? index + size : index;
                    if (place >= 0 && place < size) add(out, (*array)[static_cast<std::size_t>(place)]);
                }
            return;
        case Step::Kind::slice:
            if (const auto* array = value.if_array()) slice(step, *array, out);
            return;
        case Step::Kind::recursive: descend(value, out); return;
        case Step::Kind::filter:
            for_each_child(value, [&](const Json& child) {
                if (holds(step, child)) add(out, child);
            });
            return;
    }
}

Found follow(const std::vector<Step>& steps, const Json& root) {
    Found here{&root};
    for (const auto& step : steps) {
        Found next;
        for (const auto* value : here) take_step(step, *value, next);
        here = std::move(next);
    }
    return here;
}

}  // namespace

Found JsonPath::find(const Json& object) const {
    Found out;
    for (const auto& piece : pieces_)
        if (piece->is_path)
            for (const auto* value : follow(piece->steps, object)) add(out, *value);
    return out;
}

std::optional<std::string> JsonPath::text(const Json& object) const {
    const auto is_text = [](const auto& piece) { return !piece->is_path; };
    if (std::ranges::none_of(pieces_, is_text)) return std::nullopt;
    std::string out;
    bool any = false;
    for (const auto& piece : pieces_) {
        out += piece->text;
        const auto found = piece->is_path ? follow(piece->steps, object) : Found{};
        if (found.empty() || found.front()->is_null()) continue;
        const Json& value = *found.front();
        out += value.is_string() ? std::string(value.get_string()) : api::to_text(value);
        any = true;
    }
    if (!any) return std::nullopt;
    return out;
}

}  // namespace ocim::schema
