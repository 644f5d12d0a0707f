#include "apiserver/protobuf.hpp"

#include "apiserver/kubernetes.pb.h"
#include "base/clock.hpp"

#include <google/protobuf/descriptor.h>
#include <google/protobuf/message.h>
#include <openssl/evp.h>
#include <algorithm>
#include <cmath>
#include <map>
#include <optional>

namespace ocim::apiserver {

namespace {

namespace pb = google::protobuf;
using api::Json;

constexpr std::string_view magic{"k8s\0", 4};

std::string base64(const std::string& bytes) {
    std::string out(4 * ((bytes.size() + 2) / 3), '\0');
    // writes a terminating NUL too, where std::string keeps its own
    EVP_EncodeBlock(reinterpret_cast<unsigned char*>(out.data()),  // the bytes are the same, only the sign differs
                    reinterpret_cast<const unsigned char*>(bytes.data()), static_cast<int>(bytes.size()));
    return out;
}

/// The message for an apiVersion and kind, empty; null when we take that kind in JSON only.
const pb::Message* prototype(const std::string& api_version, const std::string& kind) {
    static const std::map<std::pair<std::string_view, std::string_view>, const pb::Message*> known{
        {{"v1", "Namespace"}, &wire::Namespace::default_instance()},
        {{"v1", "Secret"}, &wire::Secret::default_instance()},
        {{"v1", "ConfigMap"}, &wire::ConfigMap::default_instance()},
        {{"v1", "ServiceAccount"}, &wire::ServiceAccount::default_instance()},
        {{"v1", "ResourceQuota"}, &wire::ResourceQuota::default_instance()},
        {{"v1", "Event"}, &wire::CoreEvent::default_instance()},
        {{"events.k8s.io/v1", "Event"}, &wire::Event::default_instance()},
        {{"apiextensions.k8s.io/v1", "CustomResourceDefinition"}, &wire::CustomResourceDefinition::default_instance()},
        {{"coordination.k8s.io/v1", "Lease"}, &wire::Lease::default_instance()},
        {{"authentication.k8s.io/v1", "SelfSubjectReview"}, &wire::SelfSubjectReview::default_instance()},
        {{"authentication.k8s.io/v1", "TokenRequest"}, &wire::TokenRequest::default_instance()},
        {{"authentication.k8s.io/v1", "TokenReview"}, &wire::TokenReview::default_instance()},
        {{"authorization.k8s.io/v1", "LocalSubjectAccessReview"}, &wire::LocalSubjectAccessReview::default_instance()},
        {{"authorization.k8s.io/v1", "SelfSubjectAccessReview"}, &wire::SelfSubjectAccessReview::default_instance()},
        {{"authorization.k8s.io/v1", "SelfSubjectRulesReview"}, &wire::SelfSubjectRulesReview::default_instance()},
        {{"authorization.k8s.io/v1", "SubjectAccessReview"}, &wire::SubjectAccessReview::default_instance()},
        {{"rbac.authorization.k8s.io/v1", "Role"}, &wire::Role::default_instance()},
        {{"rbac.authorization.k8s.io/v1", "ClusterRole"}, &wire::ClusterRole::default_instance()},
        {{"rbac.authorization.k8s.io/v1", "RoleBinding"}, &wire::RoleBinding::default_instance()},
        {{"rbac.authorization.k8s.io/v1", "ClusterRoleBinding"}, &wire::ClusterRoleBinding::default_instance()},
    };
    // client-go sends DeleteOptions with the group and version of what is deleted
    if (kind == "DeleteOptions") return &wire::DeleteOptions::default_instance();
    const auto found = known.find({api_version, kind});
    return found == known.end() ? nullptr : found->second;
}

Json object_of(const pb::Message& message);

WallTime wall_time(std::int64_t seconds, std::int32_t nanos) {
    // what RFC 3339 can say: the years 1 to 9999
    constexpr std::int64_t first = -62'135'596'800, last = 253'402'300'799;
    return WallTime(std::chrono::seconds(std::clamp(seconds, first, last)) + std::chrono::microseconds(nanos / 1000));
}

Json json_in(const std::string& text) {
    auto parsed = api::parse_json(text);
    return parsed ? std::move(parsed->value) : Json(nullptr);
}

/// What in JSON is one of two things stands in a message of its own. Nothing: it is none of those.
std::optional<Json> either_of(const pb::Message& message) {
    if (const auto* items = dynamic_cast<const wire::JSONSchemaPropsOrArray*>(&message)) {
        if (items->has_schema()) return object_of(items->schema());
        api::json::array out;
        for (const auto& one : items->jsonschemas()) out.push_back(object_of(one));
        return out;
    }
    if (const auto* more = dynamic_cast<const wire::JSONSchemaPropsOrBool*>(&message))
        return more->has_schema() ? object_of(more->schema()) : Json(more->allows());
    if (const auto* needs = dynamic_cast<const wire::JSONSchemaPropsOrStringArray*>(&message)) {
        if (needs->has_schema()) return object_of(needs->schema());
        return Json(api::json::array(needs->property().begin(), needs->property().end()));
    }
    return std::nullopt;
}

/// Bounds of a schema travel as floating-point numbers and are whole ones mostly.
Json number(double value) {
    constexpr double exact = 9007199254740992;
    if (std::trunc(value) == value && std::abs(value) < exact) return static_cast<std::int64_t>(value);
    return value;
}

/// A nested message; null stands for "leave it out".
Json message_value(const pb::Message& message) {
    // Go's zero time travels as an empty message
    if (const auto* time = dynamic_cast<const wire::Time*>(&message)) {
        if (time->seconds() == 0 && time->nanos() == 0) return nullptr;
        return Json(rfc3339(wall_time(time->seconds(), 0)));
    }
    if (const auto* time = dynamic_cast<const wire::MicroTime*>(&message)) {
        if (time->seconds() == 0 && time->nanos() == 0) return nullptr;
        return Json(rfc3339_micro(wall_time(time->seconds(), time->nanos())));
    }
    if (const auto* quantity = dynamic_cast<const wire::Quantity*>(&message)) return Json(quantity->string());
    if (const auto* extra = dynamic_cast<const wire::ExtraValue*>(&message))
        return Json(api::json::array(extra->items().begin(), extra->items().end()));
    if (const auto* fields = dynamic_cast<const wire::FieldsV1*>(&message)) return json_in(fields->raw());
    if (const auto* any = dynamic_cast<const wire::SchemaJson*>(&message)) return json_in(any->raw());
    if (auto either = either_of(message)) return *std::move(either);
    return object_of(message);
}

Json scalar(const pb::Message& message, const pb::FieldDescriptor& field) {
    const auto& reflection = *message.GetReflection();
    switch (field.cpp_type()) {
        case pb::FieldDescriptor::CPPTYPE_STRING: {
            auto text = reflection.GetString(message, &field);
            return Json(field.type() == pb::FieldDescriptor::TYPE_BYTES ? base64(text) : text);
        }
        case pb::FieldDescriptor::CPPTYPE_BOOL: return Json(reflection.GetBool(message, &field));
        case pb::FieldDescriptor::CPPTYPE_INT32: return Json(std::int64_t{reflection.GetInt32(message, &field)});
        case pb::FieldDescriptor::CPPTYPE_INT64: return Json(reflection.GetInt64(message, &field));
        case pb::FieldDescriptor::CPPTYPE_MESSAGE: return message_value(reflection.GetMessage(message, &field));
        case pb::FieldDescriptor::CPPTYPE_DOUBLE: return number(reflection.GetDouble(message, &field));
        case pb::FieldDescriptor::CPPTYPE_UINT32:
        case pb::FieldDescriptor::CPPTYPE_UINT64:
        case pb::FieldDescriptor::CPPTYPE_FLOAT:
        case pb::FieldDescriptor::CPPTYPE_ENUM: break;
    }
    assert(false && "kubernetes.proto has no field of this type");
    return nullptr;
}

Json map_value(const pb::Message& message, const pb::FieldDescriptor& field) {
    const auto& entry = *field.message_type();
    api::json::object out;
    for (int i = 0; i < message.GetReflection()->FieldSize(message, &field); ++i) {
        const auto& item = message.GetReflection()->GetRepeatedMessage(message, &field, i);
        out[item.GetReflection()->GetString(item, entry.map_key())] = scalar(item, *entry.map_value());
    }
    return out;
}

Json list_value(const pb::Message& message, const pb::FieldDescriptor& field) {
    const auto& reflection = *message.GetReflection();
    api::json::array out;
    for (int i = 0; i < reflection.FieldSize(message, &field); ++i) {
        if (field.cpp_type() == pb::FieldDescriptor::CPPTYPE_MESSAGE)
            out.push_back(message_value(reflection.GetRepeatedMessage(message, &field, i)));
        else
            out.emplace_back(reflection.GetRepeatedString(message, &field, i));  // the only other lists there are
    }
    return out;
}

Json object_of(const pb::Message& message) {
    std::vector<const pb::FieldDescriptor*> fields;
    message.GetReflection()->ListFields(message, &fields);  // those that are there
    api::json::object out;
    for (const auto* field : fields) {
        auto value = field->is_map()        ? map_value(message, *field)
                     : field->is_repeated() ? list_value(message, *field)
                                            : scalar(message, *field);
        if (!value.is_null()) out[field->has_json_name() ? field->json_name() : field->name()] = std::move(value);
    }
    return out;
}

}  // namespace

Result<api::Json> decode_protobuf(std::string_view body) {
    const Error broken{ErrorClass::invalid, "the body is not a Kubernetes protobuf message"};
    if (!body.starts_with(magic)) return broken;
    body.remove_prefix(magic.size());
    wire::Unknown envelope;
    if (!envelope.ParseFromArray(body.data(), static_cast<int>(body.size()))) return broken;
    const auto& type = envelope.typemeta();
    const auto* known = prototype(type.apiversion(), type.kind());
    if (!known)
        return Error{ErrorClass::invalid, "no protobuf is known for kind \"" + type.kind() + "\" in \"" +
                                              type.apiversion() + "\": send JSON"};
    const std::unique_ptr<pb::Message> message(known->New());
    if (!message->ParseFromString(envelope.raw())) return broken;
    auto out = object_of(*message);
    auto& object = out.as_object();
    object["apiVersion"] = type.apiversion();
    object["kind"] = type.kind();
    return out;
}

}  // namespace ocim::apiserver
