#include "webhooks/hooks.hpp"

#include <algorithm>

namespace ocim::webhooks {

Hooks::Hearing::Hearing(Hooks& hooks, Listener listener) : hooks_(hooks) {
    hooks_.listeners_[this] = std::move(listener);
}

Hooks::Hearing::~Hearing() { hooks_.listeners_.erase(this); }

std::vector<Secret> Hooks::secrets(std::string_view repository) const {
    std::vector<Secret> out;
    for (const auto& [hearing, listener] : listeners_)
        if (concerns(listener, repository)) out.insert(out.end(), listener.secrets.begin(), listener.secrets.end());
    return out;
}

std::vector<Hooks::Listener> Hooks::listeners() const {
    std::vector<Listener> out;
    for (const auto& [hearing, listener] : listeners_) out.push_back(listener);
    return out;
}

bool concerns(const Hooks::Listener& listener, std::string_view repository) {
    if (repository.empty()) return true;
    const auto same = [&](std::string_view one) {
        if (one.size() > repository.size() && one[one.size() - repository.size() - 1] == '/')
            one.remove_prefix(one.size() - repository.size());  // a service below a path of its host
        const auto lower = [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; };
        return std::ranges::equal(one, repository, {}, lower, lower);  // GitHub tells no case apart
    };
    return std::ranges::any_of(listener.repositories, same);
}

std::vector<Secret> secrets_of(const runtime::Inputs& inputs, const std::string& namespace_, const std::string& name) {
    std::vector<Secret> out;
    for (const auto* key : {"secret", "previous"}) {
        auto secret = inputs.secret(namespace_, name, key);
        if (secret && !secret->empty()) out.push_back(*std::move(secret));
    }
    return out;
}

}  // namespace ocim::webhooks
