#include "schema/schema.hpp"

#include "fuzz/fuzz.hpp"

using namespace ocim;

/// A schema, an object and the object before, a line of JSON each.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const auto input = fuzz::lines(data, size, 3);
    const auto open_api = api::parse_json(input[0]);
    if (!open_api) return 0;
    const auto schema = schema::Schema::compile(open_api->value, "schema");
    if (!schema) {
        fuzz::expect(schema.error().message.starts_with("schema"), "a refusal names its place", schema.error().message);
        return 0;
    }
    const auto object = api::parse_json(input[1]);
    const auto old = api::parse_json(input[2]);
    if (!object) return 0;
    api::Json value = object->value;
    (void)schema->prune(value);
    fuzz::expect(schema->prune(value).empty(), "pruning twice is pruning once", api::to_text(value));
    schema->apply_defaults(value);
    const auto once = value;
    schema->apply_defaults(value);
    fuzz::expect(value == once, "defaulting twice is defaulting once", api::to_text(once));
    for (const auto& cause : schema->validate(value, old ? &old->value : nullptr))
        fuzz::expect(!cause.field.empty() && cause.reason.starts_with("FieldValue"), "a cause is complete",
                     cause.message);
    (void)schema->type().field("spec");
    return 0;
}
