#include "messaging/accounts.hpp"

#include <algorithm>
#include <cctype>
#include <utility>

namespace ocim::messaging {

namespace {

using Object = crd::RabbitMQVhost;

std::optional<Secret> text_of(const Object& object, const api::SecretKeyRef& ref, const runtime::Inputs& inputs) {
    auto found = inputs.secret(object.metadata.namespace_, ref.name, ref.key);
    if (!found || found->empty()) return std::nullopt;
    return found;
}

/// Nobody asks that two users take turns any more, but they did, and clients may be let in as the second of them.
bool took_turns(const Object& object, const DeclaredUser& user, const runtime::Inputs& inputs) {
    const auto other = other_name(user.name);
    if (std::ranges::find(object.spec.users, other, &DeclaredUser::name) != object.spec.users.end()) return false;
    const auto ref = secret_ref(object, user);
    const auto in_use = text_of(object, {ref.name, runtime::username_key(ref.key)}, inputs);
    if (!in_use) return false;
    if (in_use->reveal() == other) return true;
    return in_use->reveal() == user.name && text_of(object, {ref.name, runtime::previous_key(ref.key)}, inputs) &&
           text_of(object, {ref.name, runtime::rotated_key(ref.key)}, inputs);
}

}  // namespace

bool Account::let_in(const Thing& user) const {
    if (hash) return user.hash == hash->hash && user.algorithm == hash->algorithm;
    return password && fits(user, *password);
}

api::SecretKeyRef secret_ref(const Object& object, const DeclaredUser& user) {
    if (user.password_hash_ref) return *user.password_hash_ref;
    if (user.password_ref) return *user.password_ref;
    auto name = user.name;
    std::ranges::transform(name, name.begin(),
                           [](unsigned char c) { return static_cast<char>(c == '_' ? '-' : std::tolower(c)); });
    return {object.metadata.name + "." + name, "password"};
}

std::string other_name(const std::string& name) { return name + "-2"; }

std::vector<std::string> names_of(const DeclaredUser& user) {
    if (!user.rotation) return {user.name};
    return {user.name, other_name(user.name)};
}

std::vector<std::string> spared(const Object& object, const DeclaredUser& user, const runtime::Inputs& inputs) {
    if (user.rotation || text_of(object, secret_ref(object, user), inputs)) return {};
    return {other_name(user.name)};
}

std::optional<runtime::Rotation> rotation_of(const Object& object, const DeclaredUser& user,
                                             const runtime::Inputs& inputs) {
    if (user.password_hash_ref || (!user.rotation && !took_turns(object, user, inputs))) return std::nullopt;
    runtime::Rotation out{object.metadata.namespace_, secret_ref(object, user)};
    out.form = runtime::Rotation::Form::two_accounts;
    out.account = user.name;
    out.other_account = other_name(user.name);
    if (!user.rotation) return out;
    out.every = user.rotation->every;
    out.overlap = user.rotation->overlap;
    out.asked = runtime::asked_in(object.metadata.annotations);
    return out;
}

std::vector<Account> accounts_of(const Object& object, const DeclaredUser& user, const runtime::Inputs& inputs) {
    const auto ref = secret_ref(object, user);
    if (user.password_hash_ref) {
        const auto text = text_of(object, ref, inputs);
        return {{user.name, std::nullopt, text ? read_hash(*text) : std::nullopt}};
    }
    const auto password = text_of(object, ref, inputs);
    const auto rotation = rotation_of(object, user, inputs);
    if (!rotation) return {{user.name, password, std::nullopt}};
    const auto current = runtime::account_in_use(*rotation, inputs);
    const auto other = current == user.name ? rotation->other_account : user.name;
    std::vector<Account> out{{current, password, std::nullopt}};
    // while its Secret is empty nobody knows which of the two is in use
    if (!out.front().known()) out.push_back({other, std::nullopt, std::nullopt});
    for (const auto& key : {runtime::next_key(ref.key), runtime::previous_key(ref.key)}) {
        if (out.size() > 1) break;
        if (auto second = text_of(object, {ref.name, key}, inputs))
            out.push_back({other, std::move(second), std::nullopt});
    }
    // nobody takes turns any more, so whoever goes by the declared name is let in too
    if (!user.rotation && out.size() == 1 && current != user.name) out.push_back({user.name, password, std::nullopt});
    return out;
}

}  // namespace ocim::messaging
