#include "storage/store.hpp"

namespace ocim::storage {

namespace {

// Several short words, because Swift takes no value over 256 bytes.
constexpr auto installation_word = "ocim-installation", namespace_word = "ocim-namespace", name_word = "ocim-name",
               uid_word = "ocim-uid", retained_word = "ocim-retained";

bool same_owner(const Mark& one, const Mark& other) {
    return one.installation == other.installation && one.namespace_name == other.namespace_name;
}

Error not_ours(const Action& action) {
    return {ErrorClass::conflict,
            "container " + action.key.container + " came to be somebody else's meanwhile: it is looked at anew"};
}

}  // namespace

Result<bool> still_wanted(const Action& action, const Thing* found) {
    const bool deleting = action.verb == Action::Verb::delete_;
    if (!found) {
        if (deleting) return false;
        if (!action.fresh)
            return Error{ErrorClass::conflict, "container " + action.key.container + " is gone: it is looked at anew"};
        return true;
    }
    if (found->locked) return not_ours(action);
    if (found->mark ? !same_owner(*found->mark, *action.thing.mark) : deleting || !action.adopt)
        return not_ours(action);
    return deleting || *found != action.thing;
}

std::map<std::string, std::string> mark_words(const Mark& mark) {
    const auto slash = mark.namespace_name.find('/');
    std::map<std::string, std::string> out{{installation_word, mark.installation},
                                           {namespace_word, mark.namespace_name.substr(0, slash)},
                                           {name_word, mark.namespace_name.substr(slash + 1)},
                                           {uid_word, mark.uid}};
    if (mark.retained) out[retained_word] = "true";
    return out;
}

std::optional<Mark> read_mark(const std::map<std::string, std::string>& words) {
    const auto word = [&](const char* name) {
        const auto found = words.find(name);
        return found == words.end() ? std::string() : found->second;
    };
    Mark out{word(installation_word), word(namespace_word) + "/" + word(name_word), word(uid_word),
             word(retained_word) == "true"};
    if (out.installation.empty() || word(namespace_word).empty() || word(name_word).empty() || out.uid.empty())
        return std::nullopt;
    return out;
}

}  // namespace ocim::storage
