#include "registry/follower.hpp"
#include "registry/quota.hpp"
#include "registry/state.hpp"

/// How many objects a namespace may hold, and holds.
namespace ocim::registry {

void Registry::State::follow_quotas() const {
    if (quotas_seen == store.revision()) return;
    quotas_seen = store.revision();
    const auto news = quota_news->take();
    if (news.from_scratch) quotas.clear();
    for (const auto& item : news.items) {
        auto& there = quotas[item.namespace_];
        there.erase(item.name);
        if (item.bytes)
            if (const auto parsed = api::parse_json(*item.bytes)) there[item.name] = hard_of(parsed->value);
        if (there.empty()) quotas.erase(item.namespace_);
    }
}

bool Registry::State::has_quota(const std::string& namespace_) const {
    follow_quotas();
    return quotas.contains(namespace_);
}

std::int64_t Registry::State::used(const std::string& namespace_, const std::string& name) const {
    const auto kind = counted_by(name);
    if (!kind) return 0;
    const auto prefix = key_prefix(kind->first, kind->second) + namespace_ + "/";
    std::int64_t out = 0;
    (void)store.scan(prefix, "", 0, [&](const std::string&, const store::Item&) {
        ++out;
        return true;
    });
    // accepted, and not durable yet
    for (auto at = being_created.lower_bound(prefix); at != being_created.end() && at->starts_with(prefix); ++at)
        if (!store.get(*at)) ++out;
    return out;
}

std::optional<api::Status> Registry::State::quota_refuses(const Request& request, const std::string& name) const {
    const auto& resource = request.served->resource;
    if (!resource.namespaced || !has_quota(request.namespace_)) return std::nullopt;
    const auto names = quota_names(resource.group, resource.plural);
    for (const auto& [quota, hard] : quotas.at(request.namespace_)) {
        std::string requested, present, limited;
        for (const auto& one : names) {
            const auto limit = hard.find(one);
            if (limit == hard.end()) continue;
            const auto count = used(request.namespace_, one);
            if (count < limit->second) continue;
            const auto* comma = requested.empty() ? "" : ",";
            requested += comma + one + "=1";
            present += comma + one + "=" + std::to_string(count);
            limited += comma + one + "=" + std::to_string(limit->second);
        }
        if (!requested.empty())
            return api::forbidden(resource.plural, resource.group, name,
                                  "exceeded quota: " + quota + ", requested: " + requested + ", used: " + present +
                                      ", limited: " + limited);
    }
    return std::nullopt;
}

}  // namespace ocim::registry
