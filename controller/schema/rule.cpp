#include "schema/rule.hpp"

#include "schema/message.hpp"

#include <algorithm>

namespace ocim::schema {
namespace {

using cel::Budget;
using cel::Value;

std::string_view trimmed(std::string_view text) {
    const auto first = text.find_first_not_of(" \t\r\n");
    if (first == std::string_view::npos) return {};
    return text.substr(first, text.find_last_not_of(" \t\r\n") - first + 1);
}

Error refusal(const Cause& cause) { return {ErrorClass::invalid, cause.field + ": " + cause.message}; }

/// ".spec.name" or ".labels['a.b']" below a node, as causes write it; an error says what is wrong.
Result<std::string> field_path(std::string_view text, const Node& self) {
    std::string out;
    const Node* node = &self;
    while (!text.empty()) {
        std::string name;
        if (text.starts_with("['")) {
            const auto end = text.find("']");
            if (end == std::string_view::npos) return Error{ErrorClass::invalid, "expected ] but the path ends"};
            name = text.substr(2, end - 2);
            text.remove_prefix(end + 2);
        } else if (text.starts_with('.')) {
            const auto end = std::min(text.find_first_of(".[", 1), text.size());
            name = text.substr(1, end - 1);
            text.remove_prefix(end);
        } else {
            return Error{ErrorClass::invalid, "expected [ or . but got: " + std::string(text)};
        }
        const bool declared = node->property(name) != nullptr;
        node = name.empty() ? nullptr : node->field(name);
        if (!node) return Error{ErrorClass::invalid, "does not refer to a valid field"};
        out += declared ? (out.empty() ? "" : ".") + name : "[" + name + "]";
    }
    if (out.empty()) return Error{ErrorClass::invalid, "does not refer to a valid field"};
    return out;
}

}  // namespace

Result<std::unique_ptr<const Rule>> Rule::compile(const Json& source, const Node& self, const std::string& path,
                                                  const std::string& uncorrelatable) {
    auto out = std::make_unique<Rule>();
    if (auto done = out->read(source, path); !done) return std::move(done).error();
    if (auto done = out->bind(self, path, uncorrelatable); !done) return std::move(done).error();
    return std::unique_ptr<const Rule>(std::move(out));
}

Result<void> Rule::read(const Json& source, const std::string& path) {
    const auto* fields = source.if_object();
    if (!fields) return refusal(invalid(path, source, "must be an object"));
    static constexpr std::pair<std::string_view, std::string Rule::*> texts[] = {
        {"rule", &Rule::text_},     {"message", &Rule::message_},      {"messageExpression", &Rule::message_text_},
        {"reason", &Rule::reason_}, {"fieldPath", &Rule::field_path_},
    };
    for (const auto& member : *fields) {
        const auto here = path + "." + std::string(member.key());
        const auto text =
            std::ranges::find(texts, std::string_view(member.key()), [](const auto& one) { return one.first; });
        if (member.key() == "optionalOldSelf" && member.value().is_bool())
            optional_old_self_ = member.value().get_bool();
        else if (text == std::end(texts))
            return refusal(forbidden(here, "this keyword is not understood"));
        else if (!member.value().is_string())
            return refusal(invalid(here, member.value(), "must be a text"));
        else
            this->*text->second = std::string(member.value().get_string());
    }
    if (trimmed(text_).empty()) return refusal(required(path + ".rule", "rule is not specified"));
    if (fields->contains("message") && trimmed(message_).empty())
        return refusal(invalid(path + ".message", Json(message_), "message must be non-empty if specified"));
    if (message_.find('\n') != std::string::npos)
        return refusal(invalid(path + ".message", Json(message_), "message must not contain line breaks"));
    if (message_.empty() && message_text_.empty() && text_.find('\n') != std::string::npos)
        return refusal(required(path + ".message", "message must be specified if rule contains line breaks"));
    if (fields->contains("messageExpression") && trimmed(message_text_).empty())
        return refusal(required(path + ".messageExpression", "must be non-empty if specified"));
    static const std::vector<Json> reasons{"FieldValueRequired", "FieldValueForbidden", "FieldValueInvalid",
                                           "FieldValueDuplicate"};
    if (fields->contains("reason") && std::ranges::find(reasons, Json(reason_)) == reasons.end())
        return refusal(not_supported(path + ".reason", Json(reason_), reasons));
    return {};
}

Result<void> Rule::bind(const Node& self, const std::string& path, const std::string& uncorrelatable) {
    const auto known_self = cel::known(&self);
    const cel::Known old = optional_old_self_ ? cel::Known{cel::Kind::optional, &self} : known_self;
    const auto compiled = [&](const std::string& text, std::string_view field, cel::Kind kind,
                              bool& uses_old) -> Result<cel::Expression> {
        const auto refuse = [&](std::string_view why) {
            return refusal(
                invalid(path + "." + std::string(field), Json(text), "compilation failed: " + std::string(why)));
        };
        auto expression = cel::parse(text);
        if (!expression) return refuse(expression.error().message);
        cel::Checker checker(self, &old);
        const auto known = checker.check(*expression);
        if (!known) return refuse(known.error().message);
        if (known->kind != kind && known->kind != cel::Kind::unknown)
            return refuse("must evaluate to a " + std::string(name_of(kind)));
        uses_old = checker.uses_old_self();
        return expression;
    };
    auto rule = compiled(text_, "rule", cel::Kind::boolean, uses_old_self_);
    if (!rule) return std::move(rule).error();
    rule_ = *std::move(rule);
    if (uses_old_self_ && !uncorrelatable.empty())
        return refusal(
            invalid(path + ".rule", Json(text_),
                    "oldSelf cannot be used on the uncorrelatable portion of the schema within " + uncorrelatable));
    if (optional_old_self_ && !uses_old_self_)
        return refusal(invalid(path + ".optionalOldSelf", Json(true), "may not be set if oldSelf is not used in rule"));
    if (!message_text_.empty()) {
        bool message_uses_old = false;
        auto message = compiled(message_text_, "messageExpression", cel::Kind::text, message_uses_old);
        if (!message) return std::move(message).error();
        message_expression_ = *std::move(message);
    }
    if (!field_path_.empty()) {
        auto place = field_path(field_path_, self);
        if (!place)
            return refusal(invalid(path + ".fieldPath", Json(field_path_),
                                   "fieldPath must be a valid path: " + place.error().message));
        field_path_ = *std::move(place);
    }
    return {};
}

std::optional<Cause> Rule::check(const Node& self, const Json& value, const Json* old, const std::string& path,
                                 Budget& budget) const {
    // a transition needs two ends, unless the rule says that it can do with one
    if (uses_old_self_ && !old && !optional_old_self_) return std::nullopt;
    cel::Scope scope{cel::from_json(value, &self), nullptr};
    if (old && !optional_old_self_) scope.old_self = cel::from_json(*old, &self);
    if (optional_old_self_)
        scope.old_self = cel::Optional{old ? std::make_shared<const Value>(cel::from_json(*old, &self)) : nullptr};
    const auto result = cel::evaluate(rule_, scope, budget);
    const Json type(name_of(self.type));
    if (budget.spent())
        return invalid(path, type,
                       "validation failed due to running out of cost budget, no further validation rules will be run");
    const auto* flag = result.if_a<bool>();
    if (flag && *flag) return std::nullopt;
    // what has not changed passes; a rule on changes speaks of them whatever came of it
    if (old && !uses_old_self_ && *old == value) return std::nullopt;
    const std::string rule(trimmed(message_.empty() ? text_ : message_));
    if (!flag) {
        const auto why = result.is_fault() ? result.as<cel::Fault>().message : "no such overload";
        if (why.starts_with("no such overload"))
            return invalid(path, type,
                           "'" + why +
                               "': call arguments did not match a supported operator, function or macro "
                               "signature for rule: " +
                               rule);
        return invalid(path, type, why + " evaluating rule: " + rule);
    }
    return cause(path, value, detail(scope, budget));
}

std::string Rule::detail(const cel::Scope& scope, Budget& budget) const {
    if (message_expression_) {
        const auto value = cel::evaluate(*message_expression_, scope, budget);
        if (value.kind() == cel::Kind::text) {
            const auto text = trimmed(value.text());
            // one line of bounded length, or the plain message speaks
            if (!text.empty() && text.size() <= limits::cel_message_bytes_max &&
                text.find('\n') == std::string_view::npos)
                return std::string(text);
        }
    }
    return message_.empty() ? "failed rule: " + std::string(trimmed(text_)) : std::string(trimmed(message_));
}

Cause Rule::cause(const std::string& path, const Json& value, std::string why) const {
    const auto place = field_path_.empty()            ? path
                       : field_path_.starts_with('[') ? path + field_path_
                                                      : child(path, field_path_);
    if (reason_ == "FieldValueRequired") return required(place, why);
    if (reason_ == "FieldValueForbidden") return forbidden(place, why);
    // structures are too long to be shown, and another field's value would mislead
    const bool show = !value.is_structured() && field_path_.empty();
    if (reason_ == "FieldValueDuplicate") {
        auto out = duplicate(place, value);
        if (!show) out.message = "Duplicate value";
        return out;
    }
    return show ? invalid(place, value, why) : invalid(place, why);
}

namespace {

class RuleCompiler {
public:
    Result<void> compile(Node& node, const std::string& path, const std::string& uncorrelatable) {
        const auto& sources = node.bounds().rule_sources;
        for (std::size_t i = 0; i < sources.size(); ++i) {
            const auto here = path + ".x-kubernetes-validations[" + std::to_string(i) + "]";
            auto rule = Rule::compile(sources[i], node, here, uncorrelatable);
            if (!rule) return std::move(rule).error();
            node.rules.push_back(*std::move(rule));
        }
        node.rules_below = !node.rules.empty();
        const bool list = node.type == Type::array;
        const bool loses = list ? node.list_type != Node::ListType::map : node.atomic_map;
        const auto below = uncorrelatable.empty() && loses ? path : uncorrelatable;
        for (auto& [name, field] : node.properties)
            if (auto done = descend(node, field, path + ".properties[" + name + "]", below); !done) return done;
        if (node.additional)
            if (auto done = descend(node, *node.additional, path + ".additionalProperties", below); !done) return done;
        if (node.items) return descend(node, *node.items, path + ".items", below);
        return {};
    }

private:
    Result<void> descend(Node& node, Node& child, const std::string& path, const std::string& uncorrelatable) {
        auto done = compile(child, path, uncorrelatable);
        node.rules_below = node.rules_below || child.rules_below;
        return done;
    }
};

class RuleRunner {
public:
    std::vector<Cause> causes;

    void run(const Node& node, const Json& value, const Json* old) {
        if (!node.rules_below || value.is_null() || stopped()) return;
        if (old && old->is_null()) old = nullptr;
        for (const auto& rule : node.rules) {
            if (auto cause = rule->check(node, value, old, path_.text(), budget_)) causes.push_back(*std::move(cause));
            if (stopped()) return;
        }
        if (const auto* array = value.if_array()) run_items(node, *array, old ? old->if_array() : nullptr);
        if (const auto* object = value.if_object()) run_fields(node, *object, old ? old->if_object() : nullptr);
    }

private:
    bool stopped() const { return budget_.spent() || causes.size() >= limits::causes_max; }

    void run_fields(const Node& node, const api::json::object& object, const api::json::object* old) {
        if (node.atomic_map) old = nullptr;
        for (const auto& member : object) {
            const Node* declared = node.property(member.key());
            const Node* field = declared ? declared : node.additional.get();
            if (!field || !field->rules_below) continue;
            const auto scope = declared ? path_.enter(member.key()) : path_.enter_key(member.key());
            run(*field, member.value(), old ? old->if_contains(member.key()) : nullptr);
        }
    }

    void run_items(const Node& node, const api::json::array& array, const api::json::array* old) {
        if (!node.items || !node.items->rules_below) return;
        std::map<std::string, const Json*> before;
        const bool keyed = node.list_type == Node::ListType::map;
        if (keyed && old)
            for (const auto& item : *old) before.emplace(canonical(list_key(node, item)), &item);
        for (std::size_t i = 0; i < array.size(); ++i) {
            const auto scope = path_.enter(i);
            const auto found = keyed ? before.find(canonical(list_key(node, array[i]))) : before.end();
            run(*node.items, array[i], found == before.end() ? nullptr : found->second);
        }
    }

    Path path_;
    Budget budget_{limits::cel_steps_max};
};

}  // namespace

Result<void> compile_rules(Node& root, const std::string& path) { return RuleCompiler().compile(root, path, ""); }

std::vector<Cause> check_rules(const Node& root, const Json& value, const Json* old) {
    RuleRunner runner;
    runner.run(root, value, old);
    return std::move(runner.causes);
}

}  // namespace ocim::schema
