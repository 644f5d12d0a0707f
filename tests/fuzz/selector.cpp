#include "api/selector.hpp"

#include "fuzz/fuzz.hpp"

using namespace ocim;

/// A selector and the object it is tried on, a line each.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const auto input = fuzz::lines(data, size, 2);
    const auto parsed = api::parse_json(input[1]);
    const auto object = parsed ? parsed->value : api::Json();
    if (const auto selector = api::LabelSelector::parse(input[0])) {
        (void)selector->matches(object);
        (void)selector->matches(std::map<std::string, std::string>{{"app", "web"}, {"n", "5"}});
    }
    if (const auto selector = api::FieldSelector::parse(input[0])) (void)selector->matches(object);
    if (const auto selector = api::LabelSelector::from_json(object)) (void)selector->matches(object);
    return 0;
}
