#pragma once

#include "crd/mailrelays.hpp"
#include "crd/notifications.hpp"
#include "mail/relay.hpp"

#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace ocim::mail {

/// The kind Notification, decided: one message to people, sent once to each. Its status is what is known of it.
struct Notifications {
    using Object = crd::Notification;
    using Backend = crd::MailRelay;
    using Key = mail::Key;
    using Thing = mail::Thing;
    using Action = mail::Action;
    static constexpr std::string_view name = "notification";
    static constexpr bool backend_status_matters = false;

    static std::string backend_name(const Object& object) { return object.spec.mail_relay_ref.name; }
    static std::vector<runtime::Reference> needs(const Object& object);
    static std::vector<runtime::Claim> claims(const Object&) { return {}; }
    static std::vector<api::Cause> admit(const Object& object, const Object* old, const runtime::Inputs& inputs);

    static std::vector<Action> diff(const Object& object, const runtime::Inputs& inputs, const Snapshot& seen);
    /// What was sent cannot be taken back, and what was not is not sent any more.
    static std::vector<Action> remove(const Object&, const std::string&, const Snapshot&) { return {}; }
    static runtime::Report<Object> report(const Object& object, const runtime::Inputs& inputs, const Snapshot& seen);
    static std::vector<runtime::Marked<Key>> marked(const Snapshot&) { return {}; }
    static std::vector<Action> sweep(const Key&, const Snapshot&) { return {}; }

    static Key key(const Action& action) { return action.key; }
    static std::string describe(const Action& action);
    static std::string_view verb(const Action&) { return "create"; }

    // relay_object.cpp
    static runtime::BackendSettings settings(const Backend& backend);
    static std::vector<runtime::Reference> backend_needs(const Backend& backend);
    static Result<std::unique_ptr<Relay>> open(const Backend& backend, const runtime::Inputs& inputs,
                                               const runtime::Services& services) {
        return open_with(std::make_shared<Taken>(), backend, inputs, services);
    }
    static Result<std::unique_ptr<Relay>> open_with(std::shared_ptr<Taken> taken, const Backend& backend,
                                                    const runtime::Inputs& inputs, const runtime::Services& services);
};

}  // namespace ocim::mail
