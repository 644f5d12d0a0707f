#pragma once

#include "database/server.hpp"

#include <cstddef>
#include <optional>
#include <set>
#include <string>
#include <vector>

/// An action on its way, and the order in which actions are done: the same on every engine.
namespace ocim::database {

using Done = runtime::Done<Key, Thing>;

struct Job {
    std::size_t index = 0;  ///< among the actions we were given
    Action action;
    std::string salt, second_salt;  ///< for new passwords
    // filled by an engine's prepare()
    std::string hash, fingerprint;  ///< as the server will store the password, and what tells that it is that one
    std::string second_hash, second_fingerprint;
    bool is_there = false;        ///< of a create: what an earlier try of ours made already
    std::set<std::string> frame;  ///< of a schema on PostgreSQL: which of its groups are there
    bool unsettled = false;  ///< of a schema on PostgreSQL: its own remark, which says that it is whole, is not due
    std::optional<Error> refused;
};

/// In which order jobs are done, so that every prefix is a legal state: notes, schemas, accounts, rights; and back.
int rank(Action::Verb verb);

/// What a job stands on: a right needs its account and its schema to be ours.
std::vector<Key> grounds(const Action& action);

/// A thing by its name: "wiki", "wiki@%".
std::string thing_name(const Key& key);

/// What a job is told when its thing is another's meanwhile.
Error appeared(const Key& key);

/// What the drop of a thing is told whose window was ended before its time.
Error taken_back(const Key& key);

/// The same object's mark, whatever its uid.
bool same_owner(const runtime::Mark& left, const runtime::Mark& right);

/// Says whether `password` is the one that the account was given with `hash`, without the many rounds that comparing
/// with the hash itself would take. It is kept beside our note of the account.
std::string fingerprint(const std::string& hash, const Secret& password);

/// A schema's name as a Key of rights has it: "_" and "%" stand for others there unless a backslash says no.
std::string pattern(std::string_view name);
/// The name that pattern() was given.
std::string plain(std::string_view pattern);

}  // namespace ocim::database
