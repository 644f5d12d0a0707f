#include "api/json.hpp"

#include "fuzz/fuzz.hpp"

using namespace ocim;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const auto parsed = api::parse_json({reinterpret_cast<const char*>(data), size});
    if (!parsed) return 0;
    const auto text = api::to_text(parsed->value);
    const auto again = api::parse_json(text);
    fuzz::expect(static_cast<bool>(again), "what was printed can be read", text);
    fuzz::expect(again->value == parsed->value, "what was printed reads as the same value", text);
    fuzz::expect(api::to_text(again->value) == text, "and prints the same", text);
    return 0;
}
