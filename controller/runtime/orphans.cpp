#include "runtime/orphans.hpp"

#include <algorithm>

namespace ocim::runtime {

Orphans::Found Orphans::observed(const std::vector<MarkedThing>& marked, const std::string& installation,
                                 const std::set<std::string>& live, std::size_t things, Instant now,
                                 const Rules& rules) {
    Found out;
    std::map<KeyId, Suspect> suspects;
    for (const auto& thing : marked) {
        const bool ours = thing.mark.installation == installation && !thing.mark.retained;
        if (!ours || live.contains(thing.mark.uid)) continue;
        const auto known = suspects_.find(thing.key);
        auto suspect = known == suspects_.end() ? Suspect{now, 0} : known->second;
        if (suspects.contains(thing.key)) continue;  // two marks under one key
        ++suspect.seen;
        suspects.emplace(thing.key, suspect);
        if (suspect.seen < 2) continue;
        ++out.count;
        if (suspect.seen == 2) out.fresh.push_back(thing);
        if (rules.sweep && thing.sweepable && now - suspect.since >= rules.min_age) out.sweep.push_back(thing.key);
    }
    suspects_ = std::move(suspects);
    out.too_many = !out.sweep.empty() && out.count > std::max<std::size_t>(3, things / 10);
    if (out.too_many) out.sweep.clear();
    return out;
}

}  // namespace ocim::runtime
