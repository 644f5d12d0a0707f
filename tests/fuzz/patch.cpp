#include "api/patch.hpp"

#include "fuzz/fuzz.hpp"

using namespace ocim;

/// The object and the patch, a line each.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const auto input = fuzz::lines(data, size, 2);
    const auto object = api::parse_json(input[0]);
    const auto patch = api::parse_json(input[1]);
    if (!object || !patch) return 0;

    auto merged = object->value;
    api::merge_patch(merged, patch->value);
    auto twice = merged;
    api::merge_patch(twice, patch->value);
    fuzz::expect(twice == merged, "merging twice is merging once", api::to_text(merged));

    for (auto* apply : {&api::json_patch, &api::strategic_merge_patch}) {
        auto target = object->value;
        const auto done = apply(target, patch->value);
        fuzz::expect(done || target == object->value, "a patch that is refused changes nothing");
        fuzz::expect(static_cast<bool>(api::parse_json(api::to_text(target))), "the result can be stored");
    }
    return 0;
}
