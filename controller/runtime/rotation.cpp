#include "runtime/rotation.hpp"

#include "runtime/backend_spec.hpp"

#include <algorithm>
#include <chrono>

namespace ocim::runtime {

namespace {

using Form = Rotation::Form;

std::optional<WallTime> time_of(std::string_view text) {
    const auto parsed = parse_rfc3339(text);
    if (!parsed) return std::nullopt;
    return *parsed;
}

/// What the Secret tells of one rotation.
class State {
public:
    State(const Rotation& rotation, const Inputs& inputs) : rotation_(rotation), inputs_(inputs) {}

    std::optional<SecretEdit> step() const {
        const auto& key = rotation_.ref.key;
        if (!text("")) return std::nullopt;
        SecretEdit edit;
        edit.name = rotation_.ref.name;
        if (rotation_.form == Form::two_accounts && !text(".username")) {
            edit.text[username_key(key)] = rotation_.account;
            return edit;
        }
        if (text(".next")) return promoted(std::move(edit));
        if (text(".previous")) {
            const auto ends = overlap_ends();
            if (!ends || inputs_.now < *ends) return std::nullopt;
            edit.drop.insert(previous_key(key));
            if (text(".previous-until")) edit.drop.insert(previous_until_key(key));
            return edit;
        }
        const auto due = due_at();
        if (!due || inputs_.now < *due) return std::nullopt;
        const bool at_once = rotation_.form == Form::one_password;
        edit.draw[at_once ? key : next_key(key)] = {};
        if (!at_once) edit.text[next_due_key(key)] = rfc3339(*due);
        return at_once ? finished(std::move(edit)) : std::move(edit);
    }

    /// When time alone makes a step due.
    std::optional<WallTime> wakes_at() const {
        if (!text("")) return std::nullopt;
        return text(".previous") ? overlap_ends() : due_at();
    }

    std::string in_use() const {
        const auto found = text(".username");
        const bool other = found && found->reveal() == rotation_.other_account;
        return other ? rotation_.other_account : rotation_.account;
    }

private:
    SecretEdit promoted(SecretEdit edit) const {
        const auto& key = rotation_.ref.key;
        edit.copy[key] = next_key(key);
        if (rotation_.form != Form::one_password) {
            edit.copy[previous_key(key)] = key;
            if (const auto lasts = overlap()) edit.text[previous_until_key(key)] = rfc3339(inputs_.now + *lasts);
        }
        if (rotation_.form == Form::two_accounts) edit.text[username_key(key)] = idle();
        edit.drop.insert(next_key(key));
        if (text(".next-due")) edit.drop.insert(next_due_key(key));
        return finished(std::move(edit));
    }
    SecretEdit finished(SecretEdit edit) const {
        const auto due = text(".next-due");
        edit.text[rotated_key(rotation_.ref.key)] = rotated_time(inputs_.now, due ? due->reveal() : "");
        const auto lasts = overlap();
        const auto until = " let in " + (lasts ? "until " + rfc3339(inputs_.now + *lasts) : "for now");
        auto& said = edit.note.message;
        edit.note = {false, "PasswordReplaced", "The password of " + rotation_.account + " was replaced; "};
        switch (rotation_.form) {
            case Form::one_password: said += "the former one is refused."; break;
            case Form::two_passwords: said += "the former one is" + until + "."; break;
            case Form::two_accounts: said += idle() + " is in use now, and " + in_use() + " is" + until + "."; break;
        }
        return edit;
    }
    std::string idle() const { return in_use() == rotation_.account ? rotation_.other_account : rotation_.account; }

    /// Nothing when it was not we who replaced it: then whoever wrote the former one there takes it away. Nothing as
    /// well when a time cannot be read.
    std::optional<WallTime> overlap_ends() const {
        // clients go by what was promised; only who says another overlap may shorten it
        if (const auto promised = text(".previous-until"); promised && !rotation_.overlap)
            return time_of(promised->reveal());
        const auto rotated = text(".rotated-at");
        const auto at = rotated ? time_of(rotated->reveal()) : std::nullopt;
        const auto lasts = overlap();
        if (!at || !lasts) return std::nullopt;
        return *at + *lasts;
    }
    std::optional<WallTime> due_at() const {
        const auto drawn = drawn_at();
        if (!drawn) return std::nullopt;
        std::optional<WallTime> out;
        if (const auto asked = asked_time(rotation_.asked); asked && *asked > *drawn) out = *asked;
        if (const auto every = duration_of(rotation_.every); every && (!out || *drawn + *every < *out))
            out = *drawn + *every;
        return out;
    }
    /// A password that was never replaced is as old as its Secret.
    std::optional<WallTime> drawn_at() const {
        if (const auto rotated = text(".rotated-at")) return time_of(rotated->reveal());
        const auto* secret = inputs_.find(api::secret_kind, rotation_.namespace_, rotation_.ref.name);
        return secret ? time_of(api::find_text(*secret, {"metadata", "creationTimestamp"})) : std::nullopt;
    }
    static std::optional<Duration> duration_of(const std::optional<std::string>& text) {
        if (!text) return std::nullopt;
        const auto parsed = parse_duration(*text);
        if (!parsed) return std::nullopt;
        return *parsed;
    }
    std::optional<Duration> overlap() const {
        if (!rotation_.overlap) return std::chrono::hours(1);
        return duration_of(rotation_.overlap);
    }

    std::optional<Secret> text(std::string_view suffix) const {
        auto found = inputs_.secret(rotation_.namespace_, rotation_.ref.name, rotation_.ref.key + std::string(suffix));
        if (!found || found->empty()) return std::nullopt;
        return found;
    }

    const Rotation& rotation_;
    const Inputs& inputs_;
};

}  // namespace

std::string next_key(const std::string& key) { return key + ".next"; }
std::string next_due_key(const std::string& key) { return key + ".next-due"; }
std::string previous_key(const std::string& key) { return key + ".previous"; }
std::string previous_until_key(const std::string& key) { return key + ".previous-until"; }
std::string rotated_key(const std::string& key) { return key + ".rotated-at"; }
std::string username_key(const std::string& key) { return key + ".username"; }

std::string rotated_time(WallTime now, const std::string& next_due) {
    return rfc3339(std::max(now, time_of(next_due).value_or(now)));
}

std::optional<WallTime> asked_time(std::string_view text) {
    const auto time = time_of(text);
    if (!time) return std::nullopt;
    return std::chrono::floor<std::chrono::seconds>(*time);
}

std::optional<SecretEdit> next_step(const Rotation& rotation, const Inputs& inputs) {
    return State(rotation, inputs).step();
}

std::optional<Duration> next_step_in(const std::vector<Rotation>& rotations, const Inputs& inputs) {
    std::optional<WallTime> out;
    for (const auto& rotation : rotations) {
        const auto at = State(rotation, inputs).wakes_at();
        // a step that is due and did not come waits for something else than time
        if (at && *at > inputs.now && (!out || *at < *out)) out = at;
    }
    if (!out) return std::nullopt;
    constexpr Duration soonest = std::chrono::seconds(1), latest = std::chrono::hours(24);
    return std::clamp(std::chrono::duration_cast<Duration>(*out - inputs.now), soonest, latest);
}

std::string asked_in(const std::map<std::string, std::string>& annotations) {
    const auto found = annotations.find(std::string(rotate_at_annotation));
    return found == annotations.end() ? "" : found->second;
}

std::string account_in_use(const Rotation& rotation, const Inputs& inputs) { return State(rotation, inputs).in_use(); }

}  // namespace ocim::runtime
