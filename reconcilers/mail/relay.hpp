#pragma once

#include "mail/message.hpp"
#include "net/mail.hpp"
#include "runtime/kinds.hpp"

#include <compare>
#include <map>
#include <memory>
#include <string>

/// A mail relay as Notifications see it: what it has taken from us.
namespace ocim::mail {

/// One person's mail of one Notification.
struct Key {
    std::string notification;  ///< namespace/name
    std::string uid, to;
    auto operator<=>(const Key&) const = default;
};

struct Thing {
    WallTime taken_at{};
    bool operator==(const Thing&) const = default;
};

using Snapshot = std::map<Key, Thing>;

struct Action {
    Key key;
    Message message;  ///< but for from, from_name and date
};

using Relay = runtime::System<Key, Thing, Action>;

/// What relays have taken since we were started. Nobody can ask a relay, so this and the Notification's own status are
/// all that is known. Longer than the relays; the loop's.
class Taken {
public:
    const Snapshot& all() const { return all_; }
    void add(const Key& key, WallTime at);

private:
    Snapshot all_;
};

struct RelaySettings {
    net::MailServer server;
    std::string from, from_name, subject_prefix;
};

std::unique_ptr<Relay> open_relay(RelaySettings settings, std::shared_ptr<Taken> taken,
                                  const runtime::Services& services);

}  // namespace ocim::mail
