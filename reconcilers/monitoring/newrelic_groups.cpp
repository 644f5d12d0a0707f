#include "api/json.hpp"
#include "monitoring/newrelic.hpp"
#include "monitoring/newrelic_alerts.hpp"

#include <openssl/evp.h>

#include <algorithm>
#include <array>
#include <utility>

/// What an AlertGroup is, and whether that is there: no I/O in here.
namespace ocim::monitoring::newrelic {

namespace {

namespace json = api::json;

constexpr int window_max = 900, duration_max = 86'400;  // seconds

/// What a group is, as New Relic is told. Capitals do not count: it may keep addresses without them.
std::string group_id(const Owner& owner, const std::vector<std::string>& emails, int window, int duration) {
    std::set<std::string> lower;
    for (auto email : emails) {
        for (auto& c : email)
            if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
        lower.insert(std::move(email));
    }
    json::array addresses(lower.begin(), lower.end());
    return digest(api::to_text(json::object{{"installation", owner.installation},
                                            {"service", owner.service},
                                            {"emails", std::move(addresses)},
                                            {"window", window},
                                            {"duration", duration}}));
}

template <class Part, class Good>
std::string first(const std::vector<Part>& parts, Good good) {
    const auto found = std::ranges::find_if(parts, good);
    return found == parts.end() ? std::string() : found->id;
}

}  // namespace

std::string query_of(const std::string& group) {
    return "SELECT filter(count(*), WHERE result = 'FAILED') FROM SyntheticCheck WHERE monitorName LIKE '%" +
           alert_word(group) + "' FACET monitorName";
}

std::string digest(const std::string& text) {
    std::array<unsigned char, EVP_MAX_MD_SIZE> bytes{};
    unsigned size = 0;
    EVP_Digest(text.data(), text.size(), bytes.data(), &size, EVP_sha256(), nullptr);
    std::string out;
    for (std::size_t i = 0; i < digest_length / 2; ++i)
        for (const auto nibble : {bytes.at(i) / 16, bytes.at(i) % 16})
            out += "0123456789abcdef"[static_cast<std::size_t>(nibble)];
    return out;
}

AlertGroup make_group(const Owner& owner, std::vector<std::string> emails, int period_seconds, int after_failures) {
    AlertGroup out;
    out.emails = std::move(emails);
    std::ranges::sort(out.emails);
    const auto doubles = std::ranges::unique(out.emails);
    out.emails.erase(doubles.begin(), doubles.end());
    // a duration must be a multiple of its window
    out.window_seconds = std::min(period_seconds, window_max);
    const auto duration = std::int64_t{period_seconds} * after_failures;
    out.duration_seconds = static_cast<int>(std::min<std::int64_t>(duration, duration_max));
    out.duration_seconds -= out.duration_seconds % out.window_seconds;
    out.id = group_id(owner, out.emails, out.window_seconds, out.duration_seconds);
    return out;
}

std::string alert_word(const std::string& group) { return " [ocim " + group + "]"; }

Kept kept_of(const Parts& parts, const Owner& owner, const std::string& group) {
    Kept out;
    const auto says = [&](const Parts::Destination& destination, const Parts::Condition& condition) {
        return condition.window_seconds > 0 &&
               group_id(owner, destination.emails, condition.window_seconds, condition.duration_seconds) == group;
    };
    out.policy = first(parts.policies, [](const auto& item) { return item.preference == policy_preference; });
    // either alone does not tell which of the two was changed: then both come anew
    for (const auto& destination : parts.destinations)
        for (const auto& condition : parts.conditions)
            if (out.destination.empty() && destination.active && says(destination, condition))
                out.destination = destination.id;
    for (const auto& condition : parts.conditions)
        for (const auto& destination : parts.destinations)
            if (out.condition.empty() && !out.policy.empty() && condition.policy == out.policy && condition.good &&
                condition.query == query_of(group) && says(destination, condition))
                out.condition = condition.id;
    if (!out.destination.empty())
        out.channel =
            first(parts.channels, [&](const auto& item) { return item.active && item.destination == out.destination; });
    if (!out.channel.empty() && !out.policy.empty())
        out.workflow = first(parts.workflows, [&](const auto& item) {
            return item.good && item.policies == std::vector{out.policy} && item.channels == std::vector{out.channel};
        });
    return out;
}

bool whole(const Parts& parts, const Kept& kept) {
    const bool all = !kept.condition.empty() && !kept.workflow.empty();
    return all && parts.destinations.size() == 1 && parts.channels.size() == 1 && parts.policies.size() == 1 &&
           parts.conditions.size() == 1 && parts.workflows.size() == 1;
}

}  // namespace ocim::monitoring::newrelic
