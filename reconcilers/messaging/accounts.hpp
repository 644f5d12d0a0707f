#pragma once

#include "crd/rabbitmqvhosts.hpp"
#include "messaging/broker.hpp"
#include "messaging/text.hpp"
#include "runtime/rotation.hpp"

#include <optional>
#include <set>
#include <string>
#include <vector>

/// Which users of the broker a declared user is. The broker has one password a user, so where passwords are replaced
/// two take turns: "jobs" and "jobs-2". In between there is one of them.
namespace ocim::messaging {

using DeclaredUser = crd::RabbitMQVhost::Spec::User;

/// One user of the broker, and what lets it in.
struct Account {
    std::string name;
    std::optional<Secret> password;    ///< nothing: not known (yet), or given as
    std::optional<PasswordHash> hash;  ///< this

    bool known() const { return password || hash; }
    bool let_in(const Thing& user) const;
};

/// Where its password or its hash is.
api::SecretKeyRef secret_ref(const crd::RabbitMQVhost& object, const DeclaredUser& user);
/// The name of the user that takes turns with it.
std::string other_name(const std::string& name);
/// Every name that it may have at the broker, in turns.
std::vector<std::string> names_of(const DeclaredUser& user);

/// Who should be there now, as the Secret says; whose password it holds comes first.
std::vector<Account> accounts_of(const crd::RabbitMQVhost& object, const DeclaredUser& user,
                                 const runtime::Inputs& inputs);

/// Users that are not deleted although nobody wants them: while the Secret is empty it is not known who is in use.
std::vector<std::string> spared(const crd::RabbitMQVhost& object, const DeclaredUser& user,
                                const runtime::Inputs& inputs);

/// How its password is replaced; nothing when nobody asked for that. Where nobody asks any more and the Secret still
/// names the other of the two, what was begun is brought to its end and nothing new begins.
std::optional<runtime::Rotation> rotation_of(const crd::RabbitMQVhost& object, const DeclaredUser& user,
                                             const runtime::Inputs& inputs);

}  // namespace ocim::messaging
