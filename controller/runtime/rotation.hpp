#pragma once

#include "api/object.hpp"
#include "runtime/kinds.hpp"
#include "runtime/renewal.hpp"

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

/// How a password in a Secret is replaced, in steps of which each leaves a state in which nobody is refused who has
/// read the Secret. With <key> for the key that users read:
///
///     <key>.next            the new password: the system is to let it in beside <key>. Once it does,
///     <key>.next-due        since when it was due: <key> is no older than that, whatever the clock of who goes on
///     shows <key>.previous        the former one: <key>.next has become <key>, and this is let in while the overlap
///     lasts <key>.previous-until  when that ends, for when nobody says any more how long it lasts <key>.rotated-at
///     when <key> was replaced <key>.username        where two accounts take turns: whose password <key> is
///
/// All that is known about how far it has come is in the Secret, so that every step may follow a crash.
namespace ocim::runtime {

/// Says in an annotation of an object: passwords older than this time are replaced.
inline constexpr std::string_view rotate_at_annotation = "ocim.opencraft.com/rotate-at";

std::string next_key(const std::string& key);
std::string next_due_key(const std::string& key);
std::string previous_key(const std::string& key);
std::string previous_until_key(const std::string& key);
std::string rotated_key(const std::string& key);
std::string username_key(const std::string& key);

/// One password that is replaced.
struct Rotation {
    enum class Form {
        one_password,   ///< replaced at once: who logs in at that moment is refused
        two_passwords,  ///< the account lets in two for a while
        two_accounts,   ///< an account has one password, so another account gets the next one
    };
    std::string namespace_;
    api::SecretKeyRef ref;
    Form form = Form::two_passwords;
    std::string account{};                 ///< for people; of two_accounts the first one's name
    std::string other_account{};           ///< of two_accounts
    std::optional<std::string> every{};    ///< a duration; without it only what is asked for
    std::optional<std::string> overlap{};  ///< a duration; when it is not given, what was promised, or an hour
    std::string asked{};                   ///< the annotation's time, or ""
};

/// The next step that is due now. To be asked only when the system is seen to let in what the Secret says. Nothing as
/// well when a time there cannot be read: what is unknown is not old.
std::optional<SecretEdit> next_step(const Rotation& rotation, const Inputs& inputs);

/// In how long time alone makes a step of one of them due.
std::optional<Duration> next_step_in(const std::vector<Rotation>& rotations, const Inputs& inputs);

/// What <key>.rotated-at becomes: now, but not before <key>.next-due, or the same wish would have it replaced again.
std::string rotated_time(WallTime now, const std::string& next_due);
/// What the annotation says, in whole seconds, as the Secret has them. Nothing when it is no time.
std::optional<WallTime> asked_time(std::string_view text);

/// What object.metadata.annotations ask for, or "".
std::string asked_in(const std::map<std::string, std::string>& annotations);

/// Of two accounts that take turns: whose password <key> is.
std::string account_in_use(const Rotation& rotation, const Inputs& inputs);

}  // namespace ocim::runtime
