#pragma once

#include "base/secret.hpp"

#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace ocim::github {

/// Who wants to hear at once that something happened on GitHub: each feed that is open and whose watch has a secret for
/// webhooks. A delivery is a hint to look, never a fact. Lives on the loop thread, longer than the feeds.
class Hooks {
public:
    struct Listener {
        std::string namespace_, name;  ///< of the PullRequestFeed
        std::vector<std::string> repositories;
        std::vector<Secret> secrets;
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

    /// Every secret that is good now.
    std::vector<Secret> secrets() const;
    std::vector<Listener> listeners() const;

private:
    std::map<const Hearing*, Listener> listeners_;
};

/// Whether a delivery about `repository` ("": about people) concerns a listener.
bool concerns(const Hooks::Listener& listener, std::string_view repository);

}  // namespace ocim::github
