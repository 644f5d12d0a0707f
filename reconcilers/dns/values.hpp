#pragma once

#include "base/result.hpp"

#include <string>
#include <string_view>
#include <vector>

/// Names and values of DNS: checked, and brought into the one form in which they can be compared. Pure.
namespace ocim::dns {

/// Lower case, without the trailing dot, international labels in their xn-- form. Says nothing about whether it is a
/// name.
std::string canonical_name(std::string_view name);

enum class NameRule {
    record,  ///< underscores anywhere, "*" as the first label
    target,  ///< what a CNAME points at: underscores, no "*"
};
/// Why `name` is no domain name, or "". A trailing dot and international labels are allowed.
std::string wrong_with_name(std::string_view name, NameRule rule);

/// `name` is the zone's own name or below it; both canonical.
bool in_zone(std::string_view name, std::string_view domain);

/// The canonical form of one value as people write it: an address as its family prints it, a host name canonical,
/// text as it is. Error: invalid, naming the reason. `type` is one of those a DNSRecord may have.
Result<std::string> canonical_value(std::string_view type, std::string_view value);

/// The canonical form of one value in presentation form, as a name service answers it; of other types the text as it
/// is. Never fails: what cannot be read compares unequal to everything that we would write.
std::string from_presentation(std::string_view type, std::string_view content);
/// The presentation form of a canonical value: what goes to a name service.
std::string to_presentation(std::string_view type, std::string_view value);

/// Text as one or more quoted strings of at most 255 bytes: the only place where text meets DNS' own quoting.
std::string quote_text(std::string_view text);
/// The text of adjacent strings, quoted or not.
std::string unquote_text(std::string_view content);

}  // namespace ocim::dns
