#include "schema/column.hpp"

#include "fuzz/fuzz.hpp"

using namespace ocim;

/// A path and the object it is tried on, a line each.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const auto input = fuzz::lines(data, size, 2);
    auto path = schema::JsonPath::parse(input[0]);
    const auto object = api::parse_json(input[1]);
    if (!path || !object) return 0;
    fuzz::expect(path->find(object->value).size() <= limits::json_path_results_max, "what is found is bounded");
    for (const auto* type : {"string", "integer", "date"})
        for (const auto* format : {"", "count", "list", "reference"}) {
            const schema::Column column{
                .name = "C", .type = type, .format = format, .description = "", .priority = 0, .path = *path};
            (void)column.cell(object->value, {});
        }
    return 0;
}
