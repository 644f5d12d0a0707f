#include "base/random.hpp"
#include "support.hpp"

#include <algorithm>

namespace ocim::schema {
namespace {

/// Draws schemas together with values that they accept.
class Maker {
public:
    explicit Maker(std::uint64_t seed) : random_(make_seeded_random(seed)) {}

    struct Made {
        api::json::object schema;
        api::Json value;
    };

    Made make(int depth) {
        Made out = any(depth);
        if (chance(8)) out.schema["nullable"] = true;
        if (out.schema.contains("nullable") && chance(3) && !out.schema.contains("enum")) out.value = nullptr;
        if (chance(4) && !out.value.is_null()) out.schema["default"] = out.value;
        // all of these hold of every value
        if (chance(10)) out.schema["anyOf"] = api::json::array{api::json::object{}, {{"enum", api::json::array{"no"}}}};
        if (chance(10)) out.schema["not"] = api::json::object{{"enum", api::json::array{"never drawn"}}};
        if (chance(10))
            out.schema["x-kubernetes-validations"] = api::json::array{{{"rule", "self == self || dyn(self) == null"}}};
        return out;
    }

    api::Json object() {
        auto made = thing(4);
        made.schema.erase("nullable");
        schema_ = std::move(made.schema);
        return made.value;
    }
    const api::Json& schema() const { return schema_; }

    /// Something else at a random place.
    void disturb(api::Json& value, int depth = 0) {
        if (chance(4) || depth > 5 || (!value.is_object() && !value.is_array())) {
            value = anything(2);
        } else if (auto* object = value.if_object()) {
            if (object->empty() || chance(3))
                (*object)[name()] = anything(2);
            else
                disturb((object->begin() + static_cast<std::ptrdiff_t>(random_->below(object->size())))->value(),
                        depth + 1);
        } else if (auto* array = value.if_array(); !array->empty()) {
            disturb((*array)[random_->below(array->size())], depth + 1);
        }
    }

private:
    bool chance(std::uint64_t of) { return random_->below(of) == 0; }
    std::string name() { return std::string(1, static_cast<char>('a' + random_->below(6))); }
    std::string text() { return random_->text(random_->below(5), "aZ0 é\n\"\\"); }

    Made any(int depth) {
        switch (random_->below(depth > 0 ? 8 : 5)) {
            case 0: return text_schema();
            case 1: return integer();
            case 2: return {{{"type", "number"}}, static_cast<double>(random_->below(1000)) / 8};
            case 3: return {{{"type", "boolean"}}, chance(2)};
            case 4: return {{{"x-kubernetes-int-or-string", true}}, chance(2) ? api::Json(text()) : api::Json(5)};
            case 5: return list(depth - 1);
            case 6: return map(depth - 1);
            default: return thing(depth - 1);
        }
    }

    Made text_schema() {
        Made out{{{"type", "string"}}, "abc"};
        if (chance(3)) out.schema["pattern"] = "^[a-z]*$";
        if (chance(3)) out.schema["maxLength"] = 3;
        if (chance(3)) out.schema["minLength"] = 1;
        if (chance(3)) out.schema["enum"] = api::json::array{"x", "abc"};
        return out;
    }

    Made integer() {
        const auto value = static_cast<std::int64_t>(random_->below(100)) * 2 - 100;
        Made out{{{"type", "integer"}}, value};
        if (chance(3)) out.schema["minimum"] = value - 1;
        if (chance(3)) out.schema["maximum"] = value;
        if (chance(3)) out.schema["multipleOf"] = 2;
        if (chance(3)) out.schema["format"] = "int32";
        return out;
    }

    Made list(int depth) {
        auto item = make(depth);
        item.schema.erase("nullable");
        if (item.value.is_null()) item = text_schema();
        Made out{{{"type", "array"}, {"items", item.schema}}, api::json::array(random_->below(3), item.value)};
        if (chance(3)) out.schema["maxItems"] = 3;
        const auto type = item.schema.if_contains("type");
        const bool scalar = type && *type != "object" && *type != "array";
        if (scalar && out.value.get_array().size() < 2 && chance(2)) out.schema["x-kubernetes-list-type"] = "set";
        return out;
    }

    Made map(int depth) {
        auto item = make(depth);
        Made out{{{"type", "object"}, {"additionalProperties", item.schema}}, api::json::object{}};
        for (auto i = random_->below(3); i > 0; --i) out.value.get_object()[name()] = item.value;
        if (chance(3)) out.schema["maxProperties"] = 3;
        return out;
    }

    Made thing(int depth) {
        api::json::object properties, value;
        api::json::array required;
        for (auto i = random_->below(5); i > 0; --i) {
            const auto key = name();
            auto field = make(depth);
            properties[key] = field.schema;
            value.erase(key);
            if (chance(2) || field.schema.contains("default")) continue;
            // a null without permission would be dropped
            value[key] = field.value;
            if (chance(2)) required.emplace_back(key);
        }
        Made out{{{"type", "object"}, {"properties", properties}}, value};
        // a later field of the same name may have taken the value away
        api::json::array kept;
        for (const auto& key : required)
            if (value.contains(key.get_string())) kept.push_back(key);
        if (!kept.empty()) out.schema["required"] = kept;
        if (chance(5)) out.schema["x-kubernetes-preserve-unknown-fields"] = true;
        return out;
    }

    api::Json anything(int depth) {
        switch (random_->below(depth > 0 ? 8 : 6)) {
            case 0: return nullptr;
            case 1: return chance(2);
            case 2: return static_cast<std::int64_t>(random_->next());
            case 3: return static_cast<double>(random_->below(1000)) / 7;
            case 4: return api::Json(text());
            case 5: return random_->next();
            case 6: return api::json::array{anything(depth - 1), anything(depth - 1)};
            default: return api::json::object{{name(), anything(depth - 1)}, {name(), anything(depth - 1)}};
        }
    }

    std::unique_ptr<Random> random_;
    api::Json schema_;
};

void expect_well_worded(const std::vector<api::Cause>& causes) {
    for (const auto& cause : causes) {
        EXPECT_FALSE(cause.field.empty());
        EXPECT_TRUE(cause.reason.starts_with("FieldValue")) << cause.reason;
        EXPECT_FALSE(cause.message.empty());
    }
}

TEST(SchemaProperty, HoldsForRandomSchemasAndValues) {
    int compiled_count = 0;
    for (std::uint64_t seed = 0; seed < 5000; ++seed) {
        SCOPED_TRACE(seed);
        Maker maker(seed);
        const auto good = maker.object();
        const auto schema = Schema::compile(maker.schema(), "s");
        // a default beside a stricter parent may be refused; that is an answer too
        if (!schema) {
            EXPECT_TRUE(schema.error().message.starts_with("s.")) << schema.error().message;
            continue;
        }
        ++compiled_count;
        EXPECT_EQ(texts(schema->validate(good, nullptr)), std::vector<std::string>{})
            << api::to_text(maker.schema()) << "\n"
            << api::to_text(good);
        for (int i = 0; i < 4; ++i) {
            api::Json value = good;
            for (int times = 0; times <= i; ++times) maker.disturb(value);
            const auto before = value;
            schema->prune(value);
            EXPECT_EQ(schema->prune(value), std::vector<std::string>{});
            schema->apply_defaults(value);
            EXPECT_EQ(schema->prune(value), std::vector<std::string>{}) << "a default is declared";
            const auto once = value;
            schema->apply_defaults(value);
            EXPECT_EQ(value, once) << api::to_text(maker.schema()) << "\n" << api::to_text(before);
            expect_well_worded(schema->validate(value, nullptr));
            expect_well_worded(schema->validate(value, &good));
            EXPECT_EQ(schema->validate(value, &before), schema->validate(value, &before));
        }
        if (HasFailure()) break;
    }
    EXPECT_GT(compiled_count, 4000);
}

}  // namespace
}  // namespace ocim::schema
