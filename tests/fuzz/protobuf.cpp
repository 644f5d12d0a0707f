#include "apiserver/protobuf.hpp"

#include "fuzz/fuzz.hpp"

using namespace ocim;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const auto object = apiserver::decode_protobuf({reinterpret_cast<const char*>(data), size});
    if (!object) return 0;
    const auto text = api::to_text(*object);
    const auto again = api::parse_json(text);
    fuzz::expect(static_cast<bool>(again), "what came as protobuf is JSON", text);
    fuzz::expect(again->value == *object, "and stays what it is", text);
    return 0;
}
