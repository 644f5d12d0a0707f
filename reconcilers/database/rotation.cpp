#include "database/rotation.hpp"

#include "database/mysql_sql.hpp"
#include "database/tenant_standing.hpp"
#include "runtime/backend_spec.hpp"

#include <algorithm>
#include <chrono>

namespace ocim::database {

namespace {

using Object = Tenant::Object;
using User = Object::Spec::User;

Duration duration_of(const std::optional<std::string>& text, Duration otherwise) {
    if (!text) return otherwise;
    const auto parsed = runtime::parse_duration(*text);
    return parsed ? *parsed : otherwise;
}

std::optional<WallTime> time_of(std::string_view text) {
    if (text.empty()) return std::nullopt;
    const auto parsed = parse_rfc3339(text);
    if (!parsed) return std::nullopt;
    return *parsed;
}

bool is_password(const Thing& thing, const std::string& hash, const std::string& print, const Secret& password) {
    switch (thing.login) {
        case Thing::Login::native: return hash == mysql::native_hash(password);
        case Thing::Login::salted: return print == fingerprint(hash, password);
        case Thing::Login::unknown: break;
    }
    return false;
}

/// One user's password, as its Secret tells.
class Rotation {
public:
    Rotation(const Object& object, const User& user, const runtime::Inputs& inputs)
        : object_(object), user_(user), inputs_(inputs), ref_(password_ref(object, user)) {}

    std::optional<runtime::SecretEdit> step(Engine engine) const {
        if (!text("")) return std::nullopt;
        const bool one_only = has_one_password(engine);
        runtime::SecretEdit edit;
        edit.name = ref_.name;
        if (text(".next")) return promoted(std::move(edit), one_only);
        if (text(".previous")) {
            const auto ends = overlap_ends();
            if (!ends || inputs_.now < *ends) return std::nullopt;
            edit.drop.insert(previous_key(ref_.key));
            return edit;
        }
        const auto due = due_at();
        if (!due || inputs_.now < *due) return std::nullopt;
        edit.draw[one_only ? ref_.key : next_key(ref_.key)] = {};
        if (one_only) return finished(std::move(edit), false);
        return edit;
    }

    /// When time alone makes a step due.
    std::optional<WallTime> wakes_at() const {
        if (!text("")) return std::nullopt;
        return text(".previous") ? overlap_ends() : due_at();
    }

private:
    runtime::SecretEdit promoted(runtime::SecretEdit edit, bool one_only) const {
        edit.copy[ref_.key] = next_key(ref_.key);
        if (!one_only) edit.copy[previous_key(ref_.key)] = ref_.key;
        edit.drop.insert(next_key(ref_.key));
        return finished(std::move(edit), !one_only);
    }
    runtime::SecretEdit finished(runtime::SecretEdit edit, bool overlaps) const {
        edit.text[rotated_key(ref_.key)] = rfc3339(inputs_.now);
        edit.note = {false, "PasswordReplaced",
                     "The password of " + user_.name + "@" + user_.host + " was replaced; the former one " +
                         (overlaps ? "is let in until " + rfc3339(inputs_.now + overlap()) : "is refused") + "."};
        return edit;
    }

    /// Nothing when it was not we who replaced it: then whoever wrote the former one there takes it away.
    std::optional<WallTime> overlap_ends() const {
        const auto rotated = rotated_at();
        if (!rotated) return std::nullopt;
        return *rotated + overlap();
    }
    std::optional<WallTime> due_at() const {
        const auto drawn = rotated_at().value_or(made_at());
        std::optional<WallTime> out;
        const auto& annotations = object_.metadata.annotations;
        if (const auto asked = annotations.find(std::string(rotate_at_annotation)); asked != annotations.end())
            if (const auto at = time_of(asked->second); at && *at > drawn) out = *at;
        if (user_.rotation && user_.rotation->every) {
            const auto by_age = drawn + duration_of(user_.rotation->every, Duration::max() / 4);
            if (!out || by_age < *out) out = by_age;
        }
        return out;
    }
    Duration overlap() const {
        return duration_of(user_.rotation ? std::optional(user_.rotation->overlap) : std::nullopt,
                           std::chrono::hours(1));
    }

    std::optional<Secret> text(std::string_view suffix) const {
        auto found = inputs_.secret(object_.metadata.namespace_, ref_.name, ref_.key + std::string(suffix));
        if (!found || found->empty()) return std::nullopt;
        return found;
    }
    std::optional<WallTime> rotated_at() const {
        const auto found = text(".rotated-at");
        return found ? time_of(found->reveal()) : std::nullopt;
    }
    WallTime made_at() const {
        const auto* secret = inputs_.find(api::secret_kind, object_.metadata.namespace_, ref_.name);
        return secret ? time_of(api::find_text(*secret, {"metadata", "creationTimestamp"})).value_or(WallTime{})
                      : WallTime{};
    }

    const Object& object_;
    const User& user_;
    const runtime::Inputs& inputs_;
    api::SecretKeyRef ref_;
};

}  // namespace

std::string next_key(const std::string& key) { return key + ".next"; }
std::string previous_key(const std::string& key) { return key + ".previous"; }
std::string rotated_key(const std::string& key) { return key + ".rotated-at"; }

std::optional<Passwords> passwords_of(const Object& object, const User& user, const runtime::Inputs& inputs,
                                      Engine engine) {
    auto current = password_of(object, user, inputs);
    if (!current) return std::nullopt;
    Passwords out{*std::move(current), std::nullopt};
    if (has_one_password(engine)) return out;
    const auto ref = password_ref(object, user);
    for (const auto& key : {next_key(ref.key), previous_key(ref.key)}) {
        auto other = inputs.secret(object.metadata.namespace_, ref.name, key);
        if (!other || other->empty() || *other == out.current) continue;
        out.second = std::move(other);
        break;
    }
    return out;
}

bool lets_in(const Thing& thing, const Passwords& passwords) {
    const auto first = [&](const Secret& one) { return is_password(thing, thing.hash, thing.fingerprint, one); };
    const auto second = [&](const Secret& one) {
        return is_password(thing, thing.second_hash, thing.second_fingerprint, one);
    };
    if (!passwords.second) return first(passwords.current) && thing.second_hash.empty();
    if (thing.second_hash.empty()) return false;
    return (first(passwords.current) && second(*passwords.second)) ||
           (first(*passwords.second) && second(passwords.current));
}

std::vector<runtime::SecretEdit> Tenant::renewals(const Object& object, const runtime::Inputs& inputs,
                                                  const Snapshot& seen) {
    std::vector<runtime::SecretEdit> out;
    std::set<std::pair<std::string, std::string>> done;  // two users may share a password
    const auto engine = engine_of(seen);
    const auto self = mark_of(object, inputs.installation);
    for (const auto& user : object.spec.users) {
        const auto key = user_key(user);
        const auto passwords = passwords_of(object, user, inputs, engine);
        if (!passwords || standing(object, self, key, seen) != Standing::ours || !lets_in(seen.at(key), *passwords))
            return {};  // nobody's password changes before all users stand
        const auto ref = password_ref(object, user);
        if (!done.insert({ref.name, ref.key}).second) continue;
        if (auto edit = Rotation(object, user, inputs).step(engine)) out.push_back(*std::move(edit));
    }
    return out;
}

std::optional<Duration> next_renewal(const Object& object, const runtime::Inputs& inputs) {
    std::optional<WallTime> out;
    for (const auto& user : object.spec.users)
        if (const auto at = Rotation(object, user, inputs).wakes_at(); at && (!out || *at < *out)) out = at;
    if (!out) return std::nullopt;
    constexpr Duration soonest = std::chrono::seconds(1), latest = std::chrono::hours(24);
    return std::clamp(std::chrono::duration_cast<Duration>(*out - inputs.now), soonest, latest);
}

}  // namespace ocim::database
