#include "monitoring/newrelic_alerts.hpp"

#include "monitoring/newrelic_queries.hpp"

#include <algorithm>
#include <array>
#include <utility>

namespace ocim::monitoring::newrelic {

namespace {

using api::Json;
namespace json = api::json;

constexpr int pages_max = 200;                             // beyond, something is wrong with the pages
constexpr int silence_min = 3'600, silence_max = 172'800;  // seconds
constexpr const char *muting = "DONT_NOTIFY_FULLY_MUTED_ISSUES", *policy_ids = "labels.policyIds",
                     *is_one_of = "EXACTLY_MATCHES";

/// What New Relic calls has an end; a longer name is told apart by a digest.
std::string short_name(const std::string& service) {
    constexpr std::size_t name_max = 40;
    if (service.size() <= name_max) return service;
    return service.substr(0, name_max - digest_length - 1) + "-" + digest(service);
}

/// Of what people are told, sorted.
std::vector<std::string> triggers() { return {"ACTIVATED", "CLOSED"}; }

std::vector<std::string> split(std::string_view text) {
    std::vector<std::string> out;
    while (!text.empty()) {
        const auto end = std::min(text.find(','), text.size());
        if (end > 0) out.emplace_back(text.substr(0, end));
        text.remove_prefix(std::min(end + 1, text.size()));
    }
    std::ranges::sort(out);
    return out;
}

std::string joined(const std::vector<std::string>& items) {
    std::string out;
    for (const auto& item : items) out += (out.empty() ? "" : ",") + item;
    return out;
}

/// The list there, or an empty one.
const json::array& list_at(const Json& value, std::initializer_list<std::string_view> path) {
    static const json::array none;
    const auto* found = api::find(value, path);
    return found && found->is_array() ? found->get_array() : none;
}

std::string text_at(const Json& value, std::string_view key) { return std::string(api::find_text(value, {key})); }
bool is_true(const Json& value, std::string_view key) {
    const auto* found = api::find(value, {key});
    return found && found->is_bool() && found->get_bool();
}
int number_at(const Json& value, std::initializer_list<std::string_view> path) {
    const auto* found = api::find(value, path);
    return found && found->is_int64() ? static_cast<int>(found->get_int64()) : 0;
}

/// Sorted.
std::vector<std::string> texts_at(const Json& value, std::string_view key) {
    std::vector<std::string> out;
    for (const auto& item : list_at(value, {key}))
        if (item.is_string()) out.emplace_back(item.get_string());
    std::ranges::sort(out);
    return out;
}

Parts::Destination destination_of(const Json& item) {
    Parts::Destination out{text_at(item, "id"), {}, is_true(item, "active")};
    for (const auto& property : list_at(item, {"properties"}))
        if (api::find_text(property, {"key"}) == "email") out.emails = split(api::find_text(property, {"value"}));
    return out;
}

Parts::Condition condition_of(const Json& item) {
    Parts::Condition out{text_at(item, "id"),
                         text_at(item, "policyId"),
                         std::string(api::find_text(item, {"nrql", "query"})),
                         false,
                         number_at(item, {"signal", "aggregationWindow"}),
                         0};
    const auto& terms = list_at(item, {"terms"});
    if (terms.size() != 1) return out;
    const auto& term = terms[0];
    out.duration_seconds = number_at(term, {"thresholdDuration"});
    const auto* threshold = api::find(term, {"threshold"});
    const bool is_zero = threshold && threshold->is_number() && threshold->to_number<double>() == 0;
    out.good = is_true(item, "enabled") && is_zero && text_at(term, "operator") == "ABOVE" &&
               text_at(term, "priority") == "CRITICAL" && text_at(term, "thresholdOccurrences") == "ALL";
    return out;
}

Parts::Workflow workflow_of(const Json& item) {
    Parts::Workflow out{text_at(item, "id"), {}, {}, false};
    const auto& predicates = list_at(item, {"issuesFilter", "predicates"});
    out.good = is_true(item, "workflowEnabled") && is_true(item, "destinationsEnabled") &&
               text_at(item, "mutingRulesHandling") == muting && predicates.size() == 1;
    for (const auto& predicate : predicates) {
        out.good =
            out.good && text_at(predicate, "attribute") == policy_ids && text_at(predicate, "operator") == is_one_of;
        out.policies = texts_at(predicate, "values");
    }
    for (const auto& given : list_at(item, {"destinationConfigurations"})) {
        out.good = out.good && texts_at(given, "notificationTriggers") == triggers();
        out.channels.push_back(text_at(given, "channelId"));
    }
    return out;
}

json::object condition_input(const std::string& name, const AlertGroup& group) {
    const int silence = std::clamp(2 * group.duration_seconds, silence_min, silence_max);
    json::object term{{"operator", "ABOVE"},
                      {"priority", "CRITICAL"},
                      {"threshold", 0},
                      {"thresholdDuration", group.duration_seconds},
                      {"thresholdOccurrences", "ALL"}};
    return {{"name", name},
            {"enabled", true},
            {"nrql", json::object{{"query", query_of(group.id)}}},
            {"terms", json::array{std::move(term)}},
            {"signal", json::object{{"aggregationMethod", "EVENT_TIMER"},
                                    {"aggregationTimer", 60},
                                    {"aggregationWindow", group.window_seconds},
                                    {"fillOption", "LAST_VALUE"}}},
            {"expiration", json::object{{"expirationDuration", silence},
                                        {"openViolationOnExpiration", false},
                                        {"closeViolationsOnExpiration", true}}},
            {"violationTimeLimitSeconds", 259'200}};
}

json::object workflow_input(const std::string& name, const Kept& kept) {
    json::object predicate{{"attribute", policy_ids}, {"operator", is_one_of}, {"values", json::array{kept.policy}}};
    const auto when = triggers();
    json::object told{{"channelId", kept.channel}, {"notificationTriggers", json::array(when.begin(), when.end())}};
    return {{"name", name},
            {"workflowEnabled", true},
            {"destinationsEnabled", true},
            {"enrichmentsEnabled", false},
            {"mutingRulesHandling", muting},
            {"issuesFilter",
             json::object{{"name", name}, {"type", "FILTER"}, {"predicates", json::array{std::move(predicate)}}}},
            {"destinationConfigurations", json::array{std::move(told)}}};
}

}  // namespace

Alerts::Alerts(NerdGraph& nerd_graph, Owner owner) : nerd_graph_(nerd_graph), owner_(std::move(owner)) {}

std::string Alerts::name_of_group(const std::string& group) const {
    return "ocim " + owner_.installation + " " + short_name(owner_.service) + " " + group;
}

Parts* Alerts::named(const Json& item, std::map<std::string, Parts>& groups) const {
    const auto name = api::find_text(item, {"name"});
    const auto prefix = name_of_group("");
    if (!name.starts_with(prefix)) return nullptr;
    const auto group = name.substr(prefix.size());
    const bool is_id = group.size() == digest_length && std::ranges::all_of(group, [](char c) {
                           return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
                       });
    return is_id ? &groups[std::string(group)] : nullptr;
}

Result<void> Alerts::take(const Json& account, Pages& pages, std::map<std::string, Parts>& groups) const {
    const auto read = [&](const char* list, std::initializer_list<std::string_view> path, const char* items,
                          auto keep) -> bool {
        if (!pages.more.contains(list)) return true;
        const auto* page = api::find(account, path);
        const auto* entries = page ? api::find(*page, {items}) : nullptr;
        if (!entries || !entries->is_array()) return false;
        for (const auto& item : entries->get_array())
            if (auto* parts = named(item, groups)) keep(*parts, item);
        const auto cursor = api::find_text(*page, {"nextCursor"});
        if (cursor.empty()) pages.more.erase(list);
        auto& before = pages.cursors[list];
        const bool leads_on = cursor.empty() || before != cursor;
        before = std::string(cursor);
        return leads_on;
    };
    const bool good =
        read("Policies", {"alerts", "policiesSearch"}, "policies",
             [](Parts& parts, const Json& item) {
                 parts.policies.push_back({text_at(item, "id"), text_at(item, "incidentPreference")});
             }) &&
        read("Conditions", {"alerts", "nrqlConditionsSearch"}, "nrqlConditions",
             [](Parts& parts, const Json& item) { parts.conditions.push_back(condition_of(item)); }) &&
        read("Destinations", {"aiNotifications", "destinations"}, "entities",
             [](Parts& parts, const Json& item) { parts.destinations.push_back(destination_of(item)); }) &&
        read("Channels", {"aiNotifications", "channels"}, "entities",
             [](Parts& parts, const Json& item) {
                 parts.channels.push_back(
                     {text_at(item, "id"), text_at(item, "destinationId"), is_true(item, "active")});
             }) &&
        read("Workflows", {"aiWorkflows", "workflows"}, "entities",
             [](Parts& parts, const Json& item) { parts.workflows.push_back(workflow_of(item)); });
    if (!good) return strange("a list of what alerts is not there, or a page of it leads to itself", false);
    return {};
}

awaitable<Result<void>> Alerts::look() {
    constexpr std::array lists{"Policies", "Conditions", "Destinations", "Channels", "Workflows"};
    std::map<std::string, Parts> groups;
    const auto changes = changes_;
    Pages pages;
    for (const auto* list : lists) pages.more.insert(list);
    for (int page = 0; !pages.more.empty(); ++page) {
        if (page > pages_max) co_return strange("its pages have no end", false);
        json::object variables{{"account", nerd_graph_.account()},
                               {"conditionsNamed", json::object{{"nameLike", name_of_group("")}}}};
        for (const std::string list : lists) {
            auto variable = list;
            variable[0] = static_cast<char>(variable[0] - 'A' + 'a');
            if (const auto& cursor = pages.cursors[list]) variables[variable] = *cursor;
            variables["more" + list] = pages.more.contains(list);
        }
        CO_TRY(const auto data, co_await nerd_graph_.ask(list_alerts, std::move(variables)));
        const auto* account = api::find(data, {"actor", "account"});
        if (!account || !account->is_object())
            co_return Error{ErrorClass::auth, "the key's user may not see the account, or it does not exist"};
        CO_CHECK(take(*account, pages, groups));
    }
    if (changes == changes_) groups_ = std::move(groups);
    co_return Result<void>();
}

std::set<std::string> Alerts::groups() const {
    std::set<std::string> out;
    for (const auto& [group, parts] : groups_) out.insert(group);
    return out;
}

bool Alerts::stands(const std::string& group) const {
    const auto found = groups_.find(group);
    return found != groups_.end() && whole(found->second, kept_of(found->second, owner_, group));
}

awaitable<Result<void>> Alerts::erase(const Query& query, std::string id) {
    json::object variables{{"account", nerd_graph_.account()}, {"id", std::move(id)}};
    ++changes_;
    auto done = co_await nerd_graph_.ask(query, std::move(variables));
    ++changes_;
    auto wrong = done ? refusal(answer_of(*done)) : std::optional(std::move(done).error());
    if (wrong && wrong->error_class != ErrorClass::not_found) co_return *std::move(wrong);
    co_return Result<void>();
}

/// Removes all that is not kept: what refers to something before what it refers to.
awaitable<Result<void>> Alerts::prune(Parts parts, Kept kept) {
    for (const auto& item : parts.workflows)
        if (item.id != kept.workflow) CO_CHECK(co_await erase(delete_workflow, item.id));
    for (const auto& item : parts.channels)
        if (item.id != kept.channel) CO_CHECK(co_await erase(delete_channel, item.id));
    for (const auto& item : parts.destinations)
        if (item.id != kept.destination) CO_CHECK(co_await erase(delete_destination, item.id));
    for (const auto& item : parts.conditions)
        if (item.id != kept.condition) CO_CHECK(co_await erase(delete_condition, item.id));
    for (const auto& item : parts.policies)
        if (item.id != kept.policy) CO_CHECK(co_await erase(delete_policy, item.id));
    co_return Result<void>();
}

/// The id of what was made, which is in the answer at `path` ("" for the answer itself).
awaitable<Result<std::string>> Alerts::create(const Query& query, std::string variable, json::object given,
                                              std::string path, json::object more) {
    more["account"] = nerd_graph_.account();
    more[variable] = std::move(given);
    ++changes_;
    auto said = co_await nerd_graph_.ask(query, std::move(more));
    ++changes_;
    if (!said) co_return std::move(said).error();
    const auto& data = *said;
    const auto& answer = answer_of(data);
    if (auto wrong = refusal(answer)) co_return std::move(*wrong).within("spec.alertEmails, " + variable);
    const auto id = path.empty() ? api::find_text(answer, {"id"}) : api::find_text(answer, {path, "id"});
    if (id.empty()) co_return strange("what it made has no id", true);
    co_return std::string(id);
}

awaitable<Result<void>> Alerts::ensure(AlertGroup group) {
    if (stands(group.id)) co_return Result<void>();
    const auto name = name_of_group(group.id);
    const auto parts = groups_[group.id];
    auto kept = kept_of(parts, owner_, group.id);
    groups_.erase(group.id);  // what is there is not known until all has been done
    CO_CHECK(co_await prune(parts, kept));
    if (kept.destination.empty()) {
        json::object property{{"key", "email"}, {"value", joined(group.emails)}};
        json::object given{{"type", "EMAIL"}, {"name", name}, {"properties", json::array{std::move(property)}}};
        CO_TRY(kept.destination,
               co_await create(create_destination, "destination", std::move(given), "destination", json::object()));
    }
    if (kept.channel.empty()) {
        json::object property{{"key", "subject"}, {"value", "{{ issueTitle }}"}};
        json::object given{{"type", "EMAIL"},
                           {"name", name},
                           {"product", "IINT"},
                           {"destinationId", kept.destination},
                           {"properties", json::array{std::move(property)}}};
        CO_TRY(kept.channel, co_await create(create_channel, "channel", std::move(given), "channel", json::object()));
    }
    if (kept.policy.empty()) {
        json::object given{{"name", name}, {"incidentPreference", policy_preference}};
        CO_TRY(kept.policy, co_await create(create_policy, "policy", std::move(given), "", json::object()));
    }
    if (kept.condition.empty()) {
        auto given = condition_input(name, group);
        json::object more{{"policy", kept.policy}};
        CO_TRY(kept.condition, co_await create(create_condition, "condition", std::move(given), "", std::move(more)));
    }
    if (kept.workflow.empty()) {
        auto given = workflow_input(name, kept);
        CO_TRY(kept.workflow,
               co_await create(create_workflow, "workflow", std::move(given), "workflow", json::object()));
    }
    groups_[group.id] = {
        {{kept.destination, group.emails, true}},
        {{kept.channel, kept.destination, true}},
        {{kept.policy, policy_preference}},
        {{kept.condition, kept.policy, query_of(group.id), true, group.window_seconds, group.duration_seconds}},
        {{kept.workflow, {kept.policy}, {kept.channel}, true}}};
    co_return Result<void>();
}

awaitable<Result<void>> Alerts::remove(std::string group) {
    const auto parts = groups_[group];
    groups_.erase(group);
    co_return co_await prune(parts, Kept());
}

}  // namespace ocim::monitoring::newrelic
