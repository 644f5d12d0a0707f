#pragma once

#include "runtime/kinds.hpp"

#include <set>
#include <string>
#include <string_view>
#include <vector>

/// What the attendants of this area share: how Notifications are named and kept.
namespace ocim::mail {

/// The MailRelay where none is named.
inline constexpr std::string_view default_relay = "default";

/// "<owner>-<suffix>", shortened in the middle to what a name may have.
std::string notice_name(const std::string& owner, const std::string& suffix);
/// Eight hexadecimal digits that differ when the text does, as good as always; the same in every run.
std::string short_hash(std::string_view text);
/// Valid UTF-8 of at most `bytes_max`, lines kept.
std::string fit_for_json(std::string_view text, std::size_t bytes_max);
/// Names the Notifications that are there and stay: those of `current` and of the rest the newest, `max` in all.
void keep_notices(const runtime::Children& children, const std::set<std::string>& current, std::size_t max,
                  std::vector<runtime::Child>& out);

}  // namespace ocim::mail
