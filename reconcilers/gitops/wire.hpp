#pragma once

#include "base/result.hpp"

#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>

/// Git's own protocol (version 0, "smart"), as far as reading one commit needs it: pure functions over what a server
/// sent. See gitprotocol-pack(5) and gitprotocol-http(5).
namespace ocim::gitops {

/// What a server has.
struct Refs {
    std::map<std::string, std::string> tips;  ///< "refs/heads/main" -> 40 digits; of a tag what it points at
    std::map<std::string, std::string> own;   ///< the same; of an annotated tag the tag itself
    std::set<std::string> capabilities;
    std::string head;  ///< "refs/heads/main": what HEAD stands for; "" when it is not told
    bool operator==(const Refs&) const = default;
};

/// Which commit of a repository is meant.
struct Wanted {
    std::optional<std::string> branch{}, tag{}, commit{};
    bool operator==(const Wanted&) const = default;
};

/// Which one that is now.
struct Target {
    std::string want;  ///< what the server is asked for: a commit, or the tag that points at one
    std::string commit;
    std::string words;  ///< "main at 4f2a…", for people
    bool operator==(const Target&) const = default;
};

/// Reads what a server says at first, over HTTP with its heading. `rest`: what comes behind it. Error: transient when
/// it is cut short, invalid when it is something else or a repository of a form that we do not know.
Result<Refs> read_refs(std::string_view text, std::string_view& rest);

/// Error: not_found, naming what there is.
Result<Target> target_of(const Refs& refs, const Wanted& wanted);

/// Asks for that commit alone, without its past where the server can do so.
std::string request_for(const Refs& refs, const Target& target);
/// Ends the talk after the refs.
inline constexpr std::string_view nothing_wanted = "0000";

/// The pack in the answer to request_for(). Error: transient when it is cut short, invalid with the server's own words
/// when it refuses.
Result<std::string> read_pack(std::string_view answer, const Refs& refs);

}  // namespace ocim::gitops
