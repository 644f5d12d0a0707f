#pragma once

#include "runtime/cache.hpp"
#include "runtime/kinds.hpp"

#include <cstdint>
#include <map>
#include <set>
#include <string>

namespace ocim::runtime {

/// How many objects of one kind say the same of themselves: "DatabaseServer/db1", they live there. What a visit has
/// just decided counts before it is stored, so that no two visits take the last place of something. Pure.
class Tally {
public:
    /// What is stored of an object now; gone: nothing.
    void set(const ObjectKey& who, std::set<std::string> says);
    /// What it will say as well once a write has landed that begins now, or was begun. Counts until it is stored, or
    /// another decision about that object takes its place.
    void promise(const ObjectKey& who, std::set<std::string> says);
    /// The object is gone.
    void forget(const ObjectKey& who);

    /// All the others' counts, as an input of a decision about `who`.
    Json without(const ObjectKey& who) const;

private:
    struct Said {
        std::set<std::string> stored, promised;
    };
    void count(const Said& said, std::int64_t by);

    std::map<ObjectKey, Said> said_;
    std::map<std::string, std::int64_t> counts_;
};

/// A kind whose objects are tallied: its adapter is one of these too.
class Tallied {
public:
    virtual ~Tallied() = default;
    /// What an object says of itself, by its status.
    virtual std::set<std::string> tallies(const Json& status) const = 0;
};

/// A tally as an input, and what it says. Nothing that was not tallied counts.
Json tally_input(const std::map<std::string, std::int64_t>& counts);
std::int64_t tallied(const Inputs& inputs, const std::string& what);

}  // namespace ocim::runtime
