#pragma once

#include "storage/store.hpp"

#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace ocim::storage {

/// A listing of an account names its containers and says nothing of them, and asking each one at every look would cost
/// as many calls as there are containers. So a look asks for what is new, has changed in the listing or was touched by
/// us, and goes the rounds among the others: those whose turn was longest ago. Pure.
class Rounds {
public:
    /// At most so many a look are asked for again only because it is their turn.
    explicit Rounds(std::size_t again_max) : again_max_(again_max) {}

    /// Whom to ask for now. `listed`: name -> what changes when somebody makes it anew. A listing may lag: what we know
    /// and it does not show is asked for too.
    std::vector<std::string> due(const std::map<std::string, std::string>& listed);

    /// The moment before one is asked for; see looked().
    std::uint64_t now() const { return tick_; }
    /// What was found, nothing when there is nothing. Does not count when we have touched it since `began`. What is
    /// locked and stands in our own listing is of our account: whose it is cannot be seen now, and what was known
    /// stays.
    void looked(const std::string& name, std::optional<Thing> thing, std::uint64_t began);
    /// It could not be looked at, and why: what was known of it is all that there is to say.
    void unseen(const std::string& name, const std::string& why, std::uint64_t began);
    /// We are about to change it: what was known of it does not hold.
    void touch(const std::string& name);
    /// We have changed it, and this is there now.
    void made(const std::string& name, const std::optional<Thing>& thing);

    /// Whether the account's own listing had it.
    bool listed(const std::string& name) const;

    Snapshot all() const;

private:
    struct Known {
        std::optional<Thing> thing;
        std::string stamp;
        bool certain = false;       // of nothing that was listed or done since
        bool listed = false;        // the last time
        std::uint64_t touched = 0;  // by us
        std::uint64_t asked = 0;    // for the turn
    };
    std::map<std::string, Known> known_;
    std::uint64_t tick_ = 0;
    std::size_t again_max_;
};

}  // namespace ocim::storage
