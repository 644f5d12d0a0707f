#include "schema/schema.hpp"

#include "fuzz/fuzz.hpp"

using namespace ocim;

namespace {

const api::Json open_api = api::parse_json(R"({"type":"object","properties":{"spec":{"type":"object","properties":{
"text":{"type":"string"},"count":{"type":"integer"},"ratio":{"type":"number"},"flag":{"type":"boolean"},
"maybe":{"type":"string","nullable":true},"time":{"type":"string","format":"date-time"},
"span":{"type":"string","format":"duration"},"data":{"type":"string","format":"byte"},
"port":{"x-kubernetes-int-or-string":true},"list":{"type":"array","items":{"type":"integer"}},
"set":{"type":"array","x-kubernetes-list-type":"set","items":{"type":"string"}},
"labels":{"type":"object","additionalProperties":{"type":"string"}},
"free":{"type":"object","x-kubernetes-preserve-unknown-fields":true}}}}})")
                               ->value;
const api::Json object = api::parse_json(R"({"spec":{"text":"héllo","count":3,"ratio":0.5,"flag":true,"maybe":null,
"time":"2026-11-22T10:00:00Z","span":"1h30m","data":"aGk=","port":80,"list":[1,2,3],"set":["p","q"],
"labels":{"app":"web"},"free":{"any":{"thing":[7,-1.5,"x",null]}}}})")
                             ->value;

}  // namespace

/// A rule, and a message expression on the next line.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const auto input = fuzz::lines(data, size, 2);
    api::json::object rule{{"rule", input[0]}, {"optionalOldSelf", input[0].find("oldSelf.") != input[0].npos}};
    if (!input[1].empty()) rule["messageExpression"] = input[1];
    auto source = open_api;
    source.at("properties").at("spec").as_object()["x-kubernetes-validations"] = api::json::array{rule};
    const auto schema = schema::Schema::compile(source, "schema");
    if (!schema) return 0;
    (void)schema->validate(object, nullptr);
    (void)schema->validate(object, &object);
    return 0;
}
