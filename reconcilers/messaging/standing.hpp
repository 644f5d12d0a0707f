#pragma once

#include "messaging/accounts.hpp"
#include "messaging/vhost.hpp"

#include <set>
#include <vector>

/// What diff(), remove() and report() of a vhost all ask of a snapshot.
namespace ocim::messaging {

/// Says already that things stay, where they are to stay: then the deletion of their object has nothing to write.
runtime::Mark mark_of(const crd::RabbitMQVhost& object, const std::string& installation);
Key vhost_key(const std::string& vhost);
Key user_key(const std::string& user);

/// What we may do with a thing of a wanted name.
enum class Standing {
    absent,   ///< to be made
    ours,     ///< ours, or to be taken over
    foreign,  ///< never touched
};
Standing standing(const crd::RabbitMQVhost& object, const runtime::Mark& self, const Key& key, const Snapshot& seen);

/// The vhost and the users that are to be there.
std::set<Key> wanted_keys(const crd::RabbitMQVhost& object, const runtime::Inputs& inputs);
/// The policies of its vhost that are ours.
std::set<std::string> own_policies(const crd::RabbitMQVhost& object, const runtime::Mark& self, const Snapshot& seen);
/// What is there of a wanted name and not ours, in words for people. Then nothing at all may be done.
std::vector<std::string> foreign_things(const crd::RabbitMQVhost& object, const runtime::Inputs& inputs,
                                        const Snapshot& seen);
/// What the schema cannot say is wrong with a spec.
std::vector<api::Cause> problems(const crd::RabbitMQVhost& object);

}  // namespace ocim::messaging
