#include "api/yaml.hpp"

#include "fuzz/fuzz.hpp"

using namespace ocim;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const auto stream = api::parse_yaml_stream({reinterpret_cast<const char*>(data), size});
    if (!stream) return 0;
    for (const auto& document : *stream) {
        const auto text = api::to_yaml(document.value);
        const auto again = api::parse_yaml(text);
        fuzz::expect(static_cast<bool>(again), "what was written can be read", text);
        fuzz::expect(again->value == document.value, "what was written reads as the same value", text);
    }
    return 0;
}
