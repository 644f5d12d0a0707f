#pragma once

#include "messaging/vhost.hpp"
#include "runtime/base64.hpp"

#include <map>
#include <string>

/// A vhost to start from, and what it would find.
namespace ocim::messaging::test {

inline crd::RabbitMQVhost vhost() {
    crd::RabbitMQVhost out;
    out.metadata.name = "demo";
    out.metadata.namespace_ = "campus";
    out.metadata.uid = "uid-1";
    out.spec.server_ref.name = "rabbit1";
    out.spec.vhost = "/demo";
    crd::RabbitMQVhost::Spec::User provider, consumer;
    provider.name = "demo-provider";
    provider.password_ref = {"demo-rabbit", "provider"};
    provider.permissions = {".*", ".*", ".*"};
    consumer.name = "demo-consumer";
    consumer.password_ref = {"demo-rabbit", "consumer"};
    consumer.permissions = {"^$", "^$", "^celery"};
    out.spec.users = {provider, consumer};
    out.spec.limits.emplace();
    out.spec.limits->max_connections = 100;
    out.spec.deletion_policy = crd::RabbitMQVhost::Spec::DeletionPolicy::delete_;
    return out;
}

/// The same with all that a vhost can have.
inline crd::RabbitMQVhost full(crd::RabbitMQVhost out) {
    using Spec = crd::RabbitMQVhost::Spec;
    Spec::User::Limits of_user;
    of_user.max_connections = 10;
    of_user.max_channels = 20;
    out.spec.users[0].limits = of_user;
    Spec::User::TopicPermission topic;
    topic.exchange = "amq.topic";
    topic.write = "^$";
    topic.read = "^course\\.";
    out.spec.users[1].topic_permissions = {topic};
    Spec::Policie policy;
    policy.name = "bounded";
    policy.pattern = "^celery";
    policy.apply_to = Spec::Policie::ApplyTo::queues;
    policy.priority = 1;
    policy.definition = api::json::object{{"max-length", 1000}, {"overflow", "reject-publish"}};
    out.spec.policies = {policy};
    return out;
}

inline api::Json secret(const std::string& namespace_, const std::string& name,
                        const std::map<std::string, std::string>& text) {
    api::json::object data, metadata, out;
    for (const auto& [key, value] : text) data[key] = runtime::base64(value);
    metadata["namespace"] = namespace_;
    metadata["name"] = name;
    out["apiVersion"] = "v1";
    out["kind"] = "Secret";
    out["metadata"] = std::move(metadata);
    out["data"] = std::move(data);
    return out;
}

/// The passwords of vhost().
inline runtime::Inputs inputs() {
    runtime::Inputs out;
    out.installation = "lab";
    out.add(secret("campus", "demo-rabbit", {{"provider", "p'\"\\ä 日本"}, {"consumer", "second"}}));
    return out;
}

}  // namespace ocim::messaging::test
