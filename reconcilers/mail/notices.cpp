#include "mail/notices.hpp"

#include "base/utf8.hpp"
#include "crd/notifications.hpp"

#include <algorithm>
#include <cstdint>

namespace ocim::mail {

std::string notice_name(const std::string& owner, const std::string& suffix) {
    constexpr std::size_t name_max = 253;
    const auto room = name_max - suffix.size() - 1;
    if (owner.size() <= room) return owner + "-" + suffix;
    const auto hash = short_hash(owner);
    return owner.substr(0, room - hash.size() - 1) + "-" + hash + "-" + suffix;
}

std::string short_hash(std::string_view text) {
    std::uint64_t hash = 0xcbf29ce484222325ULL;  // FNV-1a
    for (const char c : text) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3ULL;
    std::string out;
    for (int shift = 60; shift > 28; shift -= 4) out += "0123456789abcdef"[(hash >> shift) & 15];
    return out;
}

std::string fit_for_json(std::string_view text, std::size_t bytes_max) { return valid_utf8(text, bytes_max); }

void keep_notices(const runtime::Children& children, const std::set<std::string>& current, std::size_t max,
                  std::vector<runtime::Child>& out) {
    auto there = children.items();
    std::ranges::sort(there, std::greater(), [&](const api::Json& item) {
        const auto name = std::string(api::find_text(item, {"metadata", "name"}));
        return std::pair(current.contains(name), std::string(api::find_text(item, {"metadata", "creationTimestamp"})));
    });
    for (std::size_t n = 0; n < there.size(); ++n) {
        const auto name = std::string(api::find_text(there[n], {"metadata", "name"}));
        if (n < max || current.contains(name)) out.push_back({std::move(there[n]), std::nullopt, true, {}, false});
    }
}

}  // namespace ocim::mail
