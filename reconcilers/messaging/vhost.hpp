#pragma once

#include "api/status.hpp"
#include "crd/rabbitmqservers.hpp"
#include "crd/rabbitmqvhosts.hpp"
#include "messaging/broker.hpp"
#include "runtime/kinds.hpp"
#include "runtime/renewal.hpp"

#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace ocim::messaging {

/// The kind RabbitMQVhost, decided: a virtual host of a broker and its users.
struct Vhost {
    using Object = crd::RabbitMQVhost;
    using Backend = crd::RabbitMQServer;
    using Key = messaging::Key;
    using Thing = messaging::Thing;
    using Action = messaging::Action;
    static constexpr std::string_view name = "rabbitmqvhost";

    static std::string backend_name(const Object& object) { return object.spec.server_ref.name; }
    static std::vector<runtime::Reference> needs(const Object& object);
    static std::vector<runtime::GeneratedSecret> generates(const Object& object);
    static std::vector<runtime::Claim> claims(const Object& object);
    static std::vector<api::Cause> admit(const Object& object, const Object* old, const runtime::Inputs& inputs);

    // vhost_diff.cpp
    static std::vector<Action> diff(const Object& object, const runtime::Inputs& inputs, const Snapshot& seen);
    static std::vector<Action> remove(const Object& object, const std::string& installation, const Snapshot& seen);

    static runtime::Report<Object> report(const Object& object, const runtime::Inputs& inputs, const Snapshot& seen);
    static std::vector<runtime::SecretEdit> renewals(const Object& object, const runtime::Inputs& inputs,
                                                     const Snapshot& seen);
    static std::vector<runtime::Marked<Key>> marked(const Snapshot& seen);
    /// Data-bearing: nothing is ever swept.
    static std::vector<Action> sweep(const Key&, const Snapshot&) { return {}; }

    static Key key(const Action& action) { return action.key; }
    static std::string describe(const Action& action);
    static std::string_view verb(const Action& action);

    // server_object.cpp
    static runtime::BackendSettings settings(const Backend& backend);
    static std::vector<runtime::Reference> backend_needs(const Backend& backend);
    static Result<std::unique_ptr<Broker>> open(const Backend& backend, const runtime::Inputs& inputs,
                                                const runtime::Services& services);
};

}  // namespace ocim::messaging
