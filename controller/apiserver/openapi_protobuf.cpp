#include "apiserver/openapi_protobuf.hpp"

#include "apiserver/openapi.pb.h"

#include <google/protobuf/descriptor.h>
#include <google/protobuf/message.h>
#include <string_view>

namespace ocim::apiserver {

namespace {

namespace pb = google::protobuf;
namespace json = api::json;
using api::Json;

/// A keyword that has one value, or a list of texts.
void set_plain(pb::Message& message, const pb::FieldDescriptor& field, const Json& value) {
    const auto& reflection = *message.GetReflection();
    if (field.is_repeated()) {
        if (!value.is_array()) return;
        for (const auto& item : value.get_array())
            if (item.is_string()) reflection.AddString(&message, &field, std::string(item.get_string()));
        return;
    }
    switch (field.cpp_type()) {
        case pb::FieldDescriptor::CPPTYPE_STRING:
            if (value.is_string()) reflection.SetString(&message, &field, std::string(value.get_string()));
            return;
        case pb::FieldDescriptor::CPPTYPE_BOOL:
            if (value.is_bool()) reflection.SetBool(&message, &field, value.get_bool());
            return;
        case pb::FieldDescriptor::CPPTYPE_INT64:
            if (value.is_int64()) reflection.SetInt64(&message, &field, value.get_int64());
            return;
        case pb::FieldDescriptor::CPPTYPE_DOUBLE:
            if (value.is_number()) reflection.SetDouble(&message, &field, value.to_number<double>());
            return;
        case pb::FieldDescriptor::CPPTYPE_INT32:
        case pb::FieldDescriptor::CPPTYPE_UINT32:
        case pb::FieldDescriptor::CPPTYPE_UINT64:
        case pb::FieldDescriptor::CPPTYPE_FLOAT:
        case pb::FieldDescriptor::CPPTYPE_ENUM:
        case pb::FieldDescriptor::CPPTYPE_MESSAGE: return;
    }
}

/// Fills the fields of `message` that are no messages themselves from the keywords of their names.
void set_plain_fields(pb::Message& message, const json::object& from) {
    const auto& type = *message.GetDescriptor();
    for (int i = 0; i < type.field_count(); ++i) {
        const auto& field = *type.field(i);
        if (field.cpp_type() == pb::FieldDescriptor::CPPTYPE_MESSAGE) continue;
        if (const auto* value = from.if_contains(field.json_name())) set_plain(message, field, *value);
    }
}

/// The members whose names begin with x-, which the standard leaves to whoever writes the document.
template <class Message>
void set_extensions(Message& message, const json::object& from) {
    for (const auto& [key, value] : from) {
        if (!std::string_view(key).starts_with("x-")) continue;
        auto& extension = *message.add_vendor_extension();
        extension.set_name(std::string(key));
        extension.mutable_value()->set_yaml(api::to_text(value) + "\n");
    }
}

void set_schema(openapi::Schema& out, const Json& value);

template <class Named>
void set_named(Named& out, const Json& value) {
    for (const auto& [name, schema] : value.as_object()) {
        auto& one = *out.add_named();
        one.set_name(std::string(name));
        set_schema(*one.mutable_value(), schema);
    }
}

void set_nested_schemas(openapi::Schema& out, const json::object& from) {
    if (const auto* items = from.if_contains("items"); items && items->is_object())
        set_schema(*out.mutable_items()->add_schema(), *items);
    if (const auto* properties = from.if_contains("properties"); properties && properties->is_object())
        set_named(*out.mutable_properties(), *properties);
    if (const auto* all = from.if_contains("allOf"); all && all->is_array())
        for (const auto& one : all->get_array()) set_schema(*out.add_all_of(), one);
    const auto* additional = from.if_contains("additionalProperties");
    if (!additional) return;
    if (additional->is_bool())
        out.mutable_additional_properties()->set_boolean(additional->get_bool());
    else
        set_schema(*out.mutable_additional_properties()->mutable_schema(), *additional);
}

void set_schema(openapi::Schema& out, const Json& value) {
    if (!value.is_object()) return;
    const auto& from = value.get_object();
    set_plain_fields(out, from);
    if (const auto* type = from.if_contains("type"); type && type->is_string())
        out.mutable_type()->add_value(std::string(type->get_string()));
    if (const auto* value_of = from.if_contains("default"))
        out.mutable_default_value()->set_yaml(api::to_text(*value_of) + "\n");
    if (const auto* values = from.if_contains("enum"); values && values->is_array())
        for (const auto& one : values->get_array()) out.add_enum_values()->set_yaml(api::to_text(one) + "\n");
    set_nested_schemas(out, from);
    set_extensions(out, from);
}

void set_parameter(openapi::Parameter& out, const json::object& from) {
    const auto in = api::find_text(Json(from), {"in"});
    if (in == "body") {
        auto& body = *out.mutable_body_parameter();
        set_plain_fields(body, from);
        if (const auto* schema = from.if_contains("schema")) set_schema(*body.mutable_schema(), *schema);
        return;
    }
    auto& other = *out.mutable_non_body_parameter();
    if (in == "path")
        set_plain_fields(*other.mutable_path_parameter_sub_schema(), from);
    else
        set_plain_fields(*other.mutable_query_parameter_sub_schema(), from);
}

template <class Message>
void set_parameters(Message& out, const json::object& from) {
    const auto* parameters = from.if_contains("parameters");
    if (!parameters || !parameters->is_array()) return;
    for (const auto& one : parameters->get_array())
        set_parameter(*out.add_parameters()->mutable_parameter(), one.as_object());
}

void set_operation(openapi::Operation& out, const json::object& from) {
    set_plain_fields(out, from);
    set_parameters(out, from);
    for (const auto& [code, value] : from.at("responses").as_object()) {
        auto& one = *out.mutable_responses()->add_response_code();
        one.set_name(std::string(code));
        auto& response = *one.mutable_value()->mutable_response();
        set_plain_fields(response, value.as_object());
        if (const auto* schema = value.as_object().if_contains("schema"))
            set_schema(*response.mutable_schema()->mutable_schema(), *schema);
    }
    set_extensions(out, from);
}

void set_path(openapi::PathItem& out, const json::object& from) {
    const auto& type = *out.GetDescriptor();
    for (int i = 0; i < type.field_count(); ++i) {
        const auto& field = *type.field(i);
        const auto* method = from.if_contains(field.json_name());
        if (!method || field.is_repeated()) continue;
        set_operation(static_cast<openapi::Operation&>(*out.GetReflection()->MutableMessage(&out, &field)),
                      method->as_object());
    }
    set_parameters(out, from);
}

}  // namespace

std::string open_api_v2_protobuf(const Json& document) {
    const auto& from = document.as_object();
    openapi::Document out;
    set_plain_fields(out, from);
    set_plain_fields(*out.mutable_info(), from.at("info").as_object());
    for (const auto& [path, item] : from.at("paths").as_object()) {
        auto& one = *out.mutable_paths()->add_path();
        one.set_name(std::string(path));
        set_path(*one.mutable_value(), item.as_object());
    }
    set_named(*out.mutable_definitions(), from.at("definitions"));
    return out.SerializeAsString();
}

}  // namespace ocim::apiserver
