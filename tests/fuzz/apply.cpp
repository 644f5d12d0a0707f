#include "api/apply.hpp"

#include "fuzz/fuzz.hpp"
#include "support/test_type.hpp"

using namespace ocim;

namespace {

api::Manager manager(bool apply, const char* time) {
    api::Manager out;
    out.name = "m";
    out.apply = apply;
    out.api_version = "v1";
    out.time = time;
    return out;
}

}  // namespace

/// The object as it is stored, with its managedFields, and what is applied, a line each.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const auto input = fuzz::lines(data, size, 2);
    const auto current = api::parse_json(input[0]);
    const auto config = api::parse_json(input[1]);
    if (!current || !config) return 0;
    const auto& type = test::widget_type();
    (void)api::apply(current->value, config->value, type, manager(true, "2026-01-01T00:00:00Z"), false);
    const auto done = api::apply(current->value, config->value, type, manager(true, "2026-01-01T00:00:00Z"), true);
    if (done) {
        const auto again = api::apply(*done, config->value, type, manager(true, "2026-01-01T00:00:01Z"), false);
        fuzz::expect(static_cast<bool>(again), "applying the same again is no conflict", api::to_text(*done));
        // where nobody owns anything, whatever is there becomes "before-first-apply"'s, as in Kubernetes
        const bool owned = api::find(*done, {"metadata", "managedFields"}) != nullptr;
        fuzz::expect(!owned || *again == *done, "applying the same again changes nothing",
                     api::to_text(*done) + "\n" + api::to_text(*again));
    }
    if (!config->value.is_object()) return 0;
    auto updated = config->value;
    api::track_update(current->value, updated, type, manager(false, "2026-01-01T00:00:00Z"));
    auto same = updated;
    api::track_update(updated, same, type, manager(false, "2026-01-01T00:00:01Z"));
    fuzz::expect(same == updated, "writing the same again changes nothing",
                 api::to_text(updated) + "\n" + api::to_text(same));
    return 0;
}
