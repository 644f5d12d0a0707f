#include "webhooks/hooks.hpp"

#include <algorithm>
#include <cstddef>
#include <tuple>

namespace ocim::webhooks {

namespace {

/// Of each namespace one, then of each the next, and so on; always in the same order.
std::vector<Secret> by_turns(std::vector<const Hooks::Listener*> listeners) {
    std::ranges::sort(listeners, {}, [](const Hooks::Listener* one) {
        return std::tuple(std::string_view(one->namespace_), std::string_view(one->name), one->kind.name);
    });
    std::map<std::string_view, std::vector<const Secret*>> of_namespaces;
    for (const auto* listener : listeners)
        for (const auto& secret : listener->secrets) of_namespaces[listener->namespace_].push_back(&secret);
    std::vector<Secret> out;
    for (std::size_t turn = 0; !of_namespaces.empty(); ++turn) {
        std::erase_if(of_namespaces, [&](const auto& one) { return turn >= one.second.size(); });
        for (const auto& [namespace_, secrets] : of_namespaces) out.push_back(*secrets[turn]);
    }
    return out;
}

}  // namespace

Hooks::Hearing::Hearing(Hooks& hooks, Listener listener) : hooks_(hooks) {
    hooks_.listeners_[this] = std::move(listener);
}

Hooks::Hearing::~Hearing() { hooks_.listeners_.erase(this); }

std::vector<Secret> Hooks::secrets(std::string_view repository) const {
    std::vector<const Listener*> meant;
    for (const auto& [hearing, listener] : listeners_)
        if (concerns(listener, repository)) meant.push_back(&listener);
    return by_turns(std::move(meant));
}

std::vector<Secret> Hooks::other_secrets(std::string_view repository) const {
    std::vector<const Listener*> others;
    for (const auto& [hearing, listener] : listeners_)
        if (!concerns(listener, repository)) others.push_back(&listener);
    return by_turns(std::move(others));
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
