#pragma once

#include "runtime/kinds.hpp"

#include <map>
#include <set>
#include <string>
#include <vector>

namespace ocim::runtime {

struct Engine;

/// What was retained for a time that is over, of one object that is gone. An external kind that has
/// `static std::vector<Lapsed<Action>> lapsed(const std::string& installation, WallTime now, const std::map<Key,
/// Thing>& seen)` is asked after each complete observation; what an object of that name still answers for is left to
/// it.
template <class Action>
struct Lapsed {
    std::string namespace_name;
    std::vector<Action> actions;
};

/// One step in replacing what a Secret holds, written as a whole or not at all. An external kind that has
/// `static std::vector<SecretEdit> renewals(const Object&, const Inputs&, const std::map<Key, Thing>& seen)` is asked
/// for these whenever its diff is empty, but not for objects that a composite made, because it writes their Secrets.
/// Pure: what it said is asked again if somebody else wrote to the Secret meanwhile.
struct SecretEdit {
    std::string name;                         ///< of the Secret, in the namespace of the object
    std::map<std::string, Generate> draw;     ///< these keys get a value that was never there
    std::map<std::string, std::string> copy;  ///< a key, and the one whose value of before it gets
    std::map<std::string, std::string> text;
    std::set<std::string> drop;
    Note note;  ///< told of the object when it is done; without a reason: nothing
    bool operator==(const SecretEdit&) const = default;
};

/// The edits of each Secret, which become one write: each for itself would be in the way of the next. Of two that
/// change the same key the later one waits for another visit.
std::vector<std::vector<SecretEdit>> by_secret(std::vector<SecretEdit> edits);

/// The merge patch that is all of these edits of `secret`. Error conflict: a key to be copied is not there.
Result<Json> patch_of(const std::vector<SecretEdit>& edits, const Json& secret, Random& random);

/// Writes them to `secret`, which is as it was when they were decided on, or null. Error conflict: the Secret is gone,
/// or was written to since.
awaitable<Result<void>> edit_secret(Engine& engine, ObjectPtr secret, std::vector<SecretEdit> edits,
                                    const void* writer);

}  // namespace ocim::runtime
