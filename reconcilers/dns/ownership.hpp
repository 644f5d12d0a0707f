#pragma once

#include "dns/zone.hpp"

#include <optional>
#include <string>
#include <string_view>

/// Marks kept as TXT records beside what they mark, for services that have nothing better. Pure.
///
/// The mark of "A www.example.org" is the TXT record "_ocim.a.www.example.org": a name of its own, because nothing
/// may stand beside a CNAME; "*" becomes "_wildcard". The TXT goes in first and out last, so that after a crash it
/// alone says "ours, unfinished", never the reverse.
namespace ocim::dns {

/// The first label of every mark's name, and what stands for "*" in it; no record of a person may begin with either.
inline constexpr std::string_view mark_label = "_ocim";
inline constexpr std::string_view wildcard_label = "_wildcard";
/// Whether `label` is the first one of `name`.
bool begins_with(std::string_view name, std::string_view label);
inline constexpr std::int32_t mark_ttl_seconds = 300;

/// Nothing when it would be longer than a name may be.
std::optional<std::string> mark_name(const Key& key);
/// Which record set a TXT record of this name marks, if it is the name of a mark.
std::optional<Key> marked_key(std::string_view name);

/// Takes the marks out of what was read and puts them on what they mark. A mark without its record set becomes one
/// without values. True when there was any.
bool fold_marks(Snapshot& snapshot);

}  // namespace ocim::dns
