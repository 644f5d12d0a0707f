#pragma once

#include "runtime/cache.hpp"

#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

namespace ocim::runtime {

/// Who needs what: from an object that changed to the keys that referred to it.
class ReferenceIndex {
public:
    void set(const std::string& dependent, const std::vector<Reference>& references);
    /// Who refers to what the object was or is.
    std::set<std::string> dependents(const Change& change) const;
    /// Of any object of that kind.
    std::set<std::string> dependents(const std::string& kind) const;

private:
    void add_to(const std::string& place, std::set<std::string>& out) const;

    std::map<std::string, std::set<std::string>> dependents_;  // by place
    std::map<std::string, std::vector<std::string>> places_;   // by dependent
    std::map<std::string, std::set<std::string>> fields_;      // by kind: those that anybody ever narrowed by
};

/// Who wants a name, and which of them holds it: the oldest.
class ClaimIndex {
public:
    struct Claimant {
        std::string kind;  ///< its name, for people
        std::string kind_id;
        ObjectKey key;
        std::string created;  ///< creationTimestamp
        bool begun = false;   ///< carries our finalizer
        std::string uid;

        bool same_object(const Claimant& other) const { return kind_id == other.kind_id && key == other.key; }
    };
    struct Lost {
        Claim claim;
        Claimant holder;
    };

    /// Replaces what `who` claims. Returns the others whose claims this may have decided anew.
    std::vector<Claimant> set(const Claimant& who, const std::vector<Claim>& claims);
    /// The first claim of `who` that an older object holds.
    std::optional<Lost> lost(const Claimant& who, const std::vector<Claim>& claims) const;
    const Claimant* holder(const std::string& claim) const;
    /// Who but that object holds a claim, in words for whoever may see that object. Must not outlive this.
    Inputs::Holders others(std::string kind_id, ObjectKey key) const;

private:
    struct Older {
        /// Of objects made in the same second one that has begun goes first: it may have made things already.
        bool operator()(const Claimant& a, const Claimant& b) const;
    };
    struct Entry {
        Claimant who;
        std::set<std::string> keys;
    };
    std::map<std::string, std::set<Claimant, Older>> claimants_;  // by claim
    std::map<std::pair<std::string, ObjectKey>, Entry> entries_;  // by object
};

/// What a person is told who may not have the name: details only within one namespace.
std::string held_by(const ClaimIndex::Claimant& holder, const std::string& namespace_);

}  // namespace ocim::runtime
