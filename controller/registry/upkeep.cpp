#include "registry/upkeep.hpp"

#include "api/selector.hpp"
#include "base/log.hpp"
#include "registry/quota.hpp"

#include <algorithm>

namespace ocim::registry {

using api::Json;
namespace json = boost::json;
using std::chrono_literals::operator""ms;

namespace {

constexpr auto rbac_group = "rbac.authorization.k8s.io";
/// What happens within this time is looked at once.
constexpr auto gather = 200ms;
constexpr auto retry = 2'000ms;
constexpr std::size_t batch = 1'000;

WriteOptions as_ourselves() {
    WriteOptions out;
    out.caller.user = "system:ocim";
    out.caller.groups = {"system:masters"};
    out.field_manager = "ocim";
    out.field_validation = FieldValidation::ignore;
    return out;
}

/// Others were quicker, or it is gone: the next look decides.
bool harmless(const api::Status& status) {
    return status.reason == "AlreadyExists" || status.reason == "NotFound" || status.reason == "Conflict" ||
           status.reason == "Forbidden";
}

bool selected(const Json& aggregate, const Json& role) {
    const auto* selectors = api::find(aggregate, {"aggregationRule", "clusterRoleSelectors"});
    if (!selectors || !selectors->is_array()) return false;
    return std::ranges::any_of(selectors->get_array(), [&](const Json& one) {
        const auto selector = api::LabelSelector::from_json(one);
        return selector && selector->matches(role);
    });
}

json::array gathered(const Json& aggregate, const std::vector<Json>& roles) {
    json::array out;
    for (const auto& role : roles) {
        if (api::find_text(role, {"metadata", "name"}) == api::find_text(aggregate, {"metadata", "name"})) continue;
        const auto* rules = api::find(role, {"rules"});
        if (!rules || !rules->is_array() || !selected(aggregate, role)) continue;
        for (const auto& rule : rules->get_array())
            if (std::ranges::find(out, rule) == out.end()) out.push_back(rule);
    }
    return out;
}

}  // namespace

Upkeep::Upkeep(Registry::State& state) : state_(state) {}

void Upkeep::survey() {
    auto changes = state_.store.watch("", state_.store.revision());
    assert(changes);  // from now on: never compacted
    changes_ = *std::move(changes);
    for (const auto& [group, plural] :
         {std::pair("", "namespaces"), std::pair("", "resourcequotas"), std::pair(rbac_group, "clusterroles")})
        (void)state_.store.scan(key_prefix(group, plural), "", 0, [&](const std::string& key, const store::Item&) {
            note(key);
            return true;
        });
}

void Upkeep::note(const std::string& key) {
    static const auto namespaces = key_prefix("", "namespaces");
    static const auto accounts = key_prefix("", "serviceaccounts");
    static const auto roles = key_prefix(rbac_group, "clusterroles");
    if (key.starts_with(namespaces)) accounts_.insert(key.substr(namespaces.size()));
    if (key.starts_with(accounts) && key.ends_with("/default"))
        accounts_.insert(key.substr(accounts.size(), key.size() - accounts.size() - 8));
    if (key.starts_with(roles)) roles_ = true;
    // GROUP/PLURAL/NAMESPACE/NAME
    const auto plural = key.find('/') + 1;
    const auto namespace_ = key.find('/', plural) + 1;
    const auto name = key.find('/', namespace_);
    if (name == std::string::npos) return;
    if (auto there = key.substr(namespace_, name - namespace_); state_.has_quota(there))
        quotas_.insert(std::move(there));
}

awaitable<void> Upkeep::follow() {
    for (;;) {
        const auto taken = changes_->take(batch);
        if (!taken) {
            survey();
            co_return;
        }
        for (const auto& change : *taken) note(change->key);
        if (taken->size() < batch) co_return;
    }
}

awaitable<void> Upkeep::run() {
    survey();
    for (;;) {
        co_await follow();
        co_await work();
        const bool again = !accounts_.empty() || !quotas_.empty() || roles_;
        const Duration pause = again ? retry : gather;
        co_await state_.clock.sleep(pause);
        if (again) continue;
        const auto deadline = state_.clock.now() + std::chrono::hours(1);
        (void)co_await changes_->wait(deadline);
    }
}

awaitable<void> Upkeep::work() {
    const auto ended = [](const char* what, const Outcome<void>& outcome) {
        if (outcome || harmless(outcome.error())) return true;
        log::warning("upkeep will try again", {{"what", what}, {"error", outcome.error().message}});
        return false;
    };
    const auto accounts = std::exchange(accounts_, {});
    for (const auto& namespace_ : accounts) {
        const auto made = co_await make_account(namespace_);
        if (!ended("default ServiceAccount", made)) accounts_.insert(namespace_);
    }
    if (std::exchange(roles_, false)) {
        const auto aggregated = co_await aggregate();
        if (!ended("aggregated ClusterRoles", aggregated)) roles_ = true;
    }
    const auto quotas = std::exchange(quotas_, {});
    for (const auto& namespace_ : quotas) {
        const auto counted = co_await count(namespace_);
        if (!ended("ResourceQuota", counted)) quotas_.insert(namespace_);
    }
}

Upkeep::Task Upkeep::make_account(std::string namespace_) {
    const auto home = state_.store.get(key_prefix("", "namespaces") + namespace_);
    const auto accounts = state_.served("", "v1", "serviceaccounts");
    if (!home || !accounts || state_.store.get(accounts->key(namespace_, "default"))) co_return Outcome<void>();
    Request request{accounts, namespace_, "", as_ourselves()};
    api::Parsed body;
    api::make_object(body.value, {"metadata"})["name"] = "default";
    auto made = co_await state_.create(std::move(request), std::move(body));
    if (!made) co_return std::move(made).error();
    co_return Outcome<void>();
}

std::vector<Json> Upkeep::cluster_roles() const {
    std::vector<Json> out;
    (void)state_.store.scan(key_prefix(rbac_group, "clusterroles"), "", 0,
                            [&](const std::string&, const store::Item& item) {
                                if (auto parsed = api::parse_json(*item.value)) out.push_back(std::move(parsed->value));
                                return true;
                            });
    return out;
}

Upkeep::Task Upkeep::aggregate() {
    const auto served = state_.served(rbac_group, "v1", "clusterroles");
    auto roles = cluster_roles();
    for (std::size_t i = 0; i < roles.size(); ++i) {
        const auto* rule = api::find(roles[i], {"aggregationRule"});
        if (!rule || rule->is_null()) continue;
        auto wanted = gathered(roles[i], roles);
        const auto* now = api::find(roles[i], {"rules"});
        if (now && now->is_array() && now->get_array() == wanted) continue;
        roles[i].as_object()["rules"] = std::move(wanted);
        api::Parsed body{roles[i], {}};
        Request request{served, "", std::string(api::find_text(roles[i], {"metadata", "name"})), as_ourselves()};
        auto put = co_await state_.update(std::move(request), std::move(body));
        if (!put) co_return std::move(put).error();
    }
    co_return Outcome<void>();
}

Upkeep::Task Upkeep::count(std::string namespace_) {
    const auto served = state_.served("", "v1", "resourcequotas");
    std::vector<Json> quotas;
    (void)state_.store.scan(served->prefix + namespace_ + "/", "", 0, [&](const std::string&, const store::Item& item) {
        if (auto parsed = api::parse_json(*item.value)) quotas.push_back(std::move(parsed->value));
        return true;
    });
    for (auto& quota : quotas) {
        json::object used;
        const auto* hard = api::find(quota, {"spec", "hard"});
        if (!hard || !hard->is_object()) continue;
        for (const auto& [name, limit] : hard->get_object()) used[name] = std::to_string(state_.used(namespace_, name));
        json::object status;
        status["hard"] = *hard;
        status["used"] = std::move(used);
        if (const auto* before = api::find(quota, {"status"}); before && *before == Json(status)) continue;
        quota.as_object()["status"] = std::move(status);
        Request request{served, namespace_, std::string(api::find_text(quota, {"metadata", "name"})), as_ourselves()};
        request.options.subresource = "status";
        api::Parsed body{std::move(quota), {}};
        auto put = co_await state_.update(std::move(request), std::move(body));
        if (!put) co_return std::move(put).error();
    }
    co_return Outcome<void>();
}

}  // namespace ocim::registry
