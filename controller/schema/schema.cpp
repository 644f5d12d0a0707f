#include "schema/schema.hpp"

#include "schema/merge_type.hpp"
#include "schema/message.hpp"
#include "schema/node.hpp"
#include "schema/rule.hpp"

#include <algorithm>

namespace ocim::schema {

struct Schema::Compiled {
    std::string open_api;
    Node root;
    TypePtr type;
};

Result<Schema> Schema::compile(const Json& open_api, const std::string& path) {
    auto root = schema::compile(open_api, path);
    if (!root) return std::move(root).error();
    Schema out;
    auto type = merge_type(*root);
    out.compiled_ =
        std::make_shared<const Compiled>(Compiled{api::to_text(open_api), *std::move(root), std::move(type)});
    return out;
}

void Schema::apply_defaults(Json& object) const {
    drop_nulls(compiled_->root, object);
    schema::apply_defaults(compiled_->root, object);
}

std::vector<std::string> Schema::prune(Json& object) const { return schema::prune(compiled_->root, object, true); }

std::vector<api::Cause> Schema::validate(const Json& object, const Json* old) const {
    const Node& root = compiled_->root;
    auto causes = validate_values(root, object, "", old);
    Path path;
    std::vector<api::Cause> twice, twice_before;
    validate_lists(root, object, path, twice);
    // who had such a list already may keep it while he changes something else
    if (old && !twice.empty()) validate_lists(root, *old, path, twice_before);
    if (twice_before.empty()) std::ranges::move(twice, std::back_inserter(causes));
    validate_embedded(root, object, path, causes);
    if (!root.rules_below) return causes;
    if (std::ranges::any_of(causes, is_blocking)) {
        causes.push_back(invalid("", Json(),
                                 "some validation rules were not checked because the object was invalid; correct the "
                                 "existing errors to complete validation"));
        return causes;
    }
    for (auto& cause : check_rules(root, object, old)) causes.push_back(std::move(cause));
    return causes;
}

const api::TypeNode& Schema::type() const { return *compiled_->type; }

const std::string& Schema::open_api() const { return compiled_->open_api; }

namespace {

void visit_texts(const Node& node, Json& value, std::string_view name, const Schema::TextVisitor& visit) {
    if (value.is_string()) {
        visit(name, node.format, value);
    } else if (auto* list = value.if_array()) {
        if (!node.items) return;
        for (auto& item : *list) visit_texts(*node.items, item, name, visit);
    } else if (auto* object = value.if_object()) {
        for (auto& member : *object)
            if (const auto* field = node.property(member.key()))
                visit_texts(*field, member.value(), member.key(), visit);
    }
}

}  // namespace

void Schema::for_each_text(Json& object, const TextVisitor& visit) const {
    visit_texts(compiled_->root, object, "", visit);
}

}  // namespace ocim::schema
