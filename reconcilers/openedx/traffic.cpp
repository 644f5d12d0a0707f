#include "openedx/traffic.hpp"

#include "openedx/rollout.hpp"

#include <algorithm>
#include <tuple>

namespace ocim::openedx {
namespace {

bool contains(const std::vector<std::string>& names, const std::string& name) {
    return std::ranges::find(names, name) != names.end();
}

}  // namespace

std::vector<crd::AppServer> serving_of(const std::vector<crd::AppServer>& all,
                                       const std::vector<std::string>& rotation) {
    const auto may = [](const crd::AppServer& item) { return item.spec.active && can_serve(item); };
    const auto does = [&](const crd::AppServer& item) { return may(item) && contains(rotation, item.metadata.name); };
    const bool others = std::ranges::any_of(all, does);
    std::vector<crd::AppServer> out;
    for (const auto& item : all)
        if (may(item) && (!others || does(item) || checked(item) == Checked::passed)) out.push_back(item);
    std::ranges::sort(out, [](const auto& a, const auto& b) {
        return std::tie(a.metadata.creation_timestamp, a.metadata.name) >
               std::tie(b.metadata.creation_timestamp, b.metadata.name);
    });
    return out;
}

std::vector<crd::AppServer> standby_of(const std::vector<crd::AppServer>& all,
                                       const std::vector<crd::AppServer>& serving,
                                       const std::vector<std::string>& names) {
    std::vector<crd::AppServer> out;
    if (serving.empty()) return out;
    for (const auto& item : all) {
        const auto same = [&](const crd::AppServer& other) { return other.metadata.name == item.metadata.name; };
        if (!can_serve(item) || std::ranges::any_of(serving, same)) continue;
        if (item.spec.active || contains(names, item.metadata.name)) out.push_back(item);
    }
    std::ranges::sort(out, {}, [](const auto& item) { return item.metadata.name; });
    return out;
}

}  // namespace ocim::openedx
