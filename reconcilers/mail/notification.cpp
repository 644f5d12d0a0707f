#include "mail/notification.hpp"

#include "base/utf8.hpp"

#include <algorithm>
#include <set>

namespace ocim::mail {
namespace {

using namespace std::chrono_literals;
using Object = Notifications::Object;
using runtime::Inputs;
using runtime::Verdict;

constexpr Duration log_wait = 2min;  // a log is whole a second after its run has ended, or will never be
constexpr Duration log_look = 1s;
constexpr Duration given_up_after = 72h;  // nobody wants to hear of it any more; mail servers try for about as long
constexpr std::size_t log_bytes_max = 128 * 1024;
constexpr auto complete_annotation = "ocim.opencraft.com/complete";

WallTime made_at(const Object& object, const Inputs& inputs) {
    const auto made = parse_rfc3339(object.metadata.creation_timestamp);
    return made ? *made : inputs.now;
}

bool taken(const Object& object, const std::string& to, const Snapshot& seen) {
    const auto said = std::ranges::any_of(object.status.sent, [&](const auto& item) { return item.to == to; });
    return said || seen.contains({object.metadata.key(), object.metadata.uid, to});
}

/// Whom it has not been sent to, each once.
std::vector<std::string> left(const Object& object, const Snapshot& seen) {
    std::vector<std::string> out;
    for (const auto& to : object.spec.to)
        if (!taken(object, to, seen) && std::ranges::find(out, to) == out.end()) out.push_back(to);
    return out;
}

bool expired(const Object& object, const Inputs& inputs) {
    return inputs.now - made_at(object, inputs) > given_up_after;
}

const api::Json* log_of(const Object& object, const Inputs& inputs) {
    if (!object.spec.log_ref) return nullptr;
    return inputs.find(api::config_map_kind, object.metadata.namespace_, object.spec.log_ref->name);
}

bool waits_for_log(const Object& object, const Inputs& inputs) {
    if (!object.spec.log_ref || inputs.now - made_at(object, inputs) > log_wait) return false;
    const auto* found = log_of(object, inputs);
    return !found || api::find_text(*found, {"metadata", "annotations", complete_annotation}) != "true";
}

Message message_of(const Object& object, const Inputs& inputs, const std::string& to) {
    Message out;
    out.to = to;
    out.subject = object.spec.subject;
    out.text = object.spec.text;
    const auto index = std::ranges::find(object.spec.to, to) - object.spec.to.begin();
    out.id = object.metadata.uid + "." + std::to_string(index) + "." + inputs.installation;
    if (const auto* log = log_of(object, inputs)) {
        const auto text = api::find_text(*log, {"data", "log"});
        out.attachment = Attachment{object.spec.log_ref->name + ".txt",
                                    std::string(text.substr(text.size() - std::min(text.size(), log_bytes_max)))};
    } else if (object.spec.log_ref) {
        out.text += "\nThere is no log.\n";
    }
    return out;
}

std::string people(std::size_t count) { return std::to_string(count) + (count == 1 ? " person" : " people"); }

}  // namespace

std::vector<runtime::Reference> Notifications::needs(const Object& object) {
    if (!object.spec.log_ref) return {};
    return {{api::config_map_kind, object.metadata.namespace_, object.spec.log_ref->name, true}};
}

std::vector<api::Cause> Notifications::admit(const Object& object, const Object*, const Inputs&) {
    std::vector<api::Cause> out;
    for (std::size_t n = 0; n < object.spec.to.size(); ++n)
        if (!net::good_mail_address(object.spec.to[n]))
            out.push_back(
                {"FieldValueInvalid",
                 "Invalid value: \"" + one_line(object.spec.to[n], 300) + "\": must be a mail address, name@domain",
                 "spec.to[" + std::to_string(n) + "]"});
    return out;
}

std::vector<Action> Notifications::diff(const Object& object, const Inputs& inputs, const Snapshot& seen) {
    if (expired(object, inputs) || waits_for_log(object, inputs)) return {};
    std::vector<Action> out;
    for (const auto& to : left(object, seen))
        out.push_back({{object.metadata.key(), object.metadata.uid, to}, message_of(object, inputs, to)});
    return out;
}

runtime::Report<Object> Notifications::report(const Object& object, const Inputs& inputs, const Snapshot& seen) {
    using State = Verdict::State;
    runtime::Report<Object> out;
    out.status.sent = object.status.sent;
    out.status.sent_at = object.status.sent_at;
    std::set<std::string> said;
    for (const auto& item : object.status.sent) said.insert(item.to);
    for (const auto& to : object.spec.to) {
        const auto found = seen.find({object.metadata.key(), object.metadata.uid, to});
        if (found == seen.end() || !said.insert(to).second) continue;
        const auto at = rfc3339(found->second.taken_at);
        out.status.sent.push_back({to, at});
        out.status.sent_at = std::max(out.status.sent_at.value_or(at), at);
    }
    const auto open = left(object, seen).size();
    if (open == 0) {
        out.verdict = {State::ready, "Sent", "the relay has taken it for " + people(out.status.sent.size())};
    } else if (expired(object, inputs)) {
        out.verdict = {State::stalled, "GivenUp",
                       "not sent to " + people(open) + " within three days; delete it and make it anew to try again"};
    } else if (waits_for_log(object, inputs)) {
        out.verdict = {State::progressing, "WaitingForLog",
                       "ConfigMap " + object.spec.log_ref->name + " is not whole yet"};
        out.look_again = log_look;
    } else {
        out.verdict = {State::progressing, "Sending", "not yet sent to " + people(open)};
    }
    return out;
}

std::string Notifications::describe(const Action& action) {
    return "send " + action.key.notification + " to " + one_line(action.key.to, 300);
}

}  // namespace ocim::mail
