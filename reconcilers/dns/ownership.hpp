#pragma once

#include "dns/zone.hpp"

#include <optional>
#include <string>
#include <string_view>

/// Marks kept as TXT records beside what they mark, for services that have nothing better. Pure.
///
/// Names and text are those of external-dns' registry with --txt-prefix=_ocim.%{record_type}. and
/// --txt-wildcard-replacement=_wildcard, so that either of the two sees what the other holds.
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

/// heritage=external-dns,external-dns/owner=ocim-<installation>,… : what the TXT record says.
std::string mark_text(const Mark& mark);
/// Nothing when it is no mark of ours.
std::optional<Mark> parse_mark_text(std::string_view text);

/// Where an external-dns that works in the same zone keeps its registry: its own options.
struct ExternalDns {
    std::string txt_prefix{}, txt_suffix{}, wildcard_replacement{};
};

/// Takes the marks out of what was read and puts them on what they mark. A mark without its record set becomes one
/// without values. True when there was any. What external-dns registered is noted on what it holds.
bool fold_marks(Snapshot& snapshot, const ExternalDns& external = {});

}  // namespace ocim::dns
