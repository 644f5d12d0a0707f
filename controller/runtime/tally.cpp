#include "runtime/tally.hpp"

#include <algorithm>
#include <utility>

namespace ocim::runtime {

namespace {

constexpr api::Kind tally_kind{"runtime.ocim.opencraft.com", "v1", "Tally", "tallies", false};  // of no server
constexpr auto tally_name = "others";

}  // namespace

void Tally::count(const Said& said, std::int64_t by) {
    auto all = said.stored;
    all.insert(said.promised.begin(), said.promised.end());
    for (const auto& what : all) {
        auto& held = counts_[what];
        held += by;
        if (held == 0) counts_.erase(what);
    }
}

void Tally::set(const ObjectKey& who, std::set<std::string> says) {
    auto& said = said_[who];
    count(said, -1);
    said.stored = std::move(says);
    if (std::ranges::includes(said.stored, said.promised)) said.promised.clear();
    count(said, 1);
}

void Tally::promise(const ObjectKey& who, std::set<std::string> says) {
    auto& said = said_[who];
    count(said, -1);
    said.promised = std::ranges::includes(said.stored, says) ? std::set<std::string>() : std::move(says);
    count(said, 1);
}

void Tally::forget(const ObjectKey& who) {
    const auto found = said_.find(who);
    if (found == said_.end()) return;
    count(found->second, -1);
    said_.erase(found);
}

Json Tally::without(const ObjectKey& who) const {
    auto counts = counts_;
    if (const auto found = said_.find(who); found != said_.end()) {
        auto own = found->second.stored;
        own.insert(found->second.promised.begin(), found->second.promised.end());
        for (const auto& what : own) --counts[what];
    }
    return tally_input(counts);
}

Json tally_input(const std::map<std::string, std::int64_t>& counts) {
    api::json::object all;
    for (const auto& [what, count] : counts) all[what] = count;
    return Json(api::json::object{{"apiVersion", tally_kind.api_version()},
                                  {"kind", tally_kind.name},
                                  {"metadata", api::json::object{{"name", tally_name}}},
                                  {"counts", std::move(all)}});
}

std::int64_t tallied(const Inputs& inputs, const std::string& what) {
    const auto* found = inputs.find(tally_kind, "", tally_name);
    const auto* count = found ? api::find(*found, {"counts", what}) : nullptr;
    return count && count->is_int64() ? count->get_int64() : 0;
}

}  // namespace ocim::runtime
