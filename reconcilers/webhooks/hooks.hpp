#pragma once

#include "api/kind.hpp"
#include "base/secret.hpp"
#include "runtime/kinds.hpp"

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace ocim::webhooks {

/// Who wants to hear at once that something happened to a repository: each object that is open and has a secret for
/// webhooks. A delivery is a hint to look, never a fact. Lives on the loop thread, longer than who hears.
class Hooks {
public:
    struct Listener {
        api::Kind kind{};  ///< of the object that is to look
        std::string namespace_{}, name{};
        std::vector<std::string> repositories{};  ///< "owner/name", maybe with more before it
        std::vector<Secret> secrets{};
    };
    /// Hears until it goes.
    class Hearing {
    public:
        Hearing(Hooks& hooks, Listener listener);
        ~Hearing();
        Hearing(const Hearing&) = delete;
        Hearing& operator=(const Hearing&) = delete;

    private:
        Hooks& hooks_;
    };

    /// The secrets of those whom a delivery about `repository` concerns. They come by turns of the namespaces, so that
    /// whoever tries only so many comes to each tenant, however many secrets another has.
    std::vector<Secret> secrets(std::string_view repository) const;
    /// The secrets of all others, by turns too.
    std::vector<Secret> other_secrets(std::string_view repository) const;
    std::vector<Listener> listeners() const;

private:
    std::map<const Hearing*, Listener> listeners_;
};

/// Whether a delivery about `repository` ("": about no repository) concerns a listener.
bool concerns(const Hooks::Listener& listener, std::string_view repository);

/// What signs deliveries, in the Secret that a spec's webhookSecretRef names: its keys "secret" and, while it is being
/// replaced, "previous".
std::vector<Secret> secrets_of(const runtime::Inputs& inputs, const std::string& namespace_, const std::string& name);

}  // namespace ocim::webhooks
