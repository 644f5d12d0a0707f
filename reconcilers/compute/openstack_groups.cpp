#include "compute/openstack.hpp"
#include "compute/openstack_read.hpp"

#include <algorithm>

namespace ocim::compute::openstack {
namespace {

using api::Json;
namespace json = api::json;
using Verb = GroupAction::Verb;
using Done = runtime::Done<GroupKey, Group>;

std::string text(const Json& value, std::initializer_list<std::string_view> path) {
    return std::string(api::find_text(value, path));
}

std::optional<std::int32_t> port(const Json& rule, std::string_view field) {
    const auto* found = api::find(rule, {field});
    if (!found || !found->is_number()) return {};
    return found->to_number<std::int32_t>();
}

Result<Group> read_group(const Json& value) {
    Group out{runtime::Mark::parse(text(value, {"description"})), text(value, {"id"}), text(value, {"name"}), {}};
    const auto* rules = api::find(value, {"security_group_rules"});
    const Error strange{ErrorClass::unreachable, "neutron: its list of security groups cannot be read"};
    if (out.id.empty() || !rules || !rules->is_array()) return strange;
    for (const auto& rule : rules->get_array()) {
        auto read = normal({text(rule, {"direction"}), text(rule, {"ethertype"}), text(rule, {"protocol"}),
                            port(rule, "port_range_min"), port(rule, "port_range_max"),
                            text(rule, {"remote_ip_prefix"}), text(rule, {"remote_group_id"})});
        if (!read) return strange;
        // a kind of other end that we cannot declare: equal to nothing that is
        if (const auto set = text(rule, {"remote_address_group_id"}); !set.empty()) read->remote_group = "set " + set;
        out.rules.emplace(text(rule, {"id"}), *std::move(read));
    }
    return out;
}

json::object rule_body(const std::string& group, const GroupRule& rule) {
    json::object out{{"security_group_id", group}, {"direction", rule.direction}, {"ethertype", rule.ether_type}};
    if (!rule.protocol.empty()) out["protocol"] = rule.protocol;
    if (rule.port_min) out["port_range_min"] = *rule.port_min;
    if (rule.port_max) out["port_range_max"] = *rule.port_max;
    if (!rule.remote_cidr.empty()) out["remote_ip_prefix"] = rule.remote_cidr;
    if (!rule.remote_group.empty()) out["remote_group_id"] = rule.remote_group;
    return out;
}

std::string group_path(const std::string& id) { return "/security-groups/" + net::percent_encode(id); }

class ProjectGroups final : public GroupSystem {
public:
    explicit ProjectGroups(std::unique_ptr<Session> session) : session_(std::move(session)) {}

    awaitable<Result<GroupSnapshot>> observe() override {
        std::string path = "/security-groups?sort_key=id&sort_dir=asc";
        CO_TRY(const auto listed, co_await session_->list(Service::network, std::move(path), "security_groups"));
        std::vector<Group> groups;
        for (const auto& item : listed) {
            auto read = read_group(item);
            if (!read) co_return std::move(read).error();
            groups.push_back(*std::move(read));
        }
        GroupSnapshot out;
        for (const bool marked : {true, false})  // of several with one name that with a mark has the key
            for (const auto& group : groups)
                if (group.mark.has_value() == marked && !out.try_emplace(group.name, group).second)
                    out.emplace(group.name + "/" + group.id, group);
        co_return out;
    }

    awaitable<Result<void>> probe() override { co_return co_await session_->prove(); }

    awaitable<void> act(std::vector<GroupAction> actions, runtime::Results<GroupKey, Group>& results) override {
        for (std::size_t index = 0; index < actions.size(); ++index) {
            auto done = co_await perform(actions[index]);
            results.set(index, std::move(done));
        }
    }

private:
    awaitable<Result<Done>> perform(GroupAction action) {
        switch (action.verb) {
            case Verb::create: co_return co_await create(std::move(action));
            case Verb::sync:
            case Verb::mark: co_return co_await change(std::move(action));
            case Verb::remove: co_return co_await remove(std::move(action));
        }
        co_return Done{};
    }

    static Done done(const GroupKey& key, std::optional<Group> group) {
        Done out;
        out.now.emplace_back(key, std::move(group));
        return out;
    }

    awaitable<Result<Done>> create(GroupAction action) {
        auto seen = co_await observe();
        if (!seen) {
            auto error = std::move(seen).error();
            error.outcome_unknown = false;  // it was only a look
            co_return error;
        }
        for (auto& [key, group] : *seen) {
            const bool ours = group.mark && group.mark->installation == action.mark.installation &&
                              group.mark->uid == action.mark.uid;
            if (ours) co_return done(action.key, group);  // a lost answer told of it
            if (group.name == action.name)
                co_return Error(Error{ErrorClass::conflict, "a group of that name has come to be there"});
        }
        Request request{.service = Service::network, .method = "POST", .path = "/security-groups"};
        request.body = api::to_text(json::object{
            {"security_group", json::object{{"name", action.name}, {"description", description_of(action.mark)}}}});
        CO_TRY(const auto reply, co_await session_->call(std::move(request)));
        const auto* body = api::find(reply.body, {"security_group"});
        auto group = read_group(body ? *body : Json());
        if (!group) {
            auto error = std::move(group).error();
            error.outcome_unknown = true;
            co_return error;
        }
        co_return done(action.key, *std::move(group));
    }

    /// The group as it is now; nothing when it is gone. Error: conflict when it is not ours.
    awaitable<Result<std::optional<Group>>> look_at(GroupAction action) {
        Request request{.service = Service::network, .path = group_path(action.id)};
        auto reply = co_await session_->call(std::move(request));
        if (!reply && reply.error().error_class == ErrorClass::not_found) co_return std::optional<Group>();
        if (!reply) {
            auto error = std::move(reply).error();
            error.outcome_unknown = false;
            co_return error;
        }
        const auto* body = api::find(reply->body, {"security_group"});
        auto group = read_group(body ? *body : Json());
        if (!group) co_return std::move(group).error();
        const bool ours = group->mark && group->mark->uid == action.mark.uid;
        if (!ours && !runtime::takeable(group->mark, action.mark, action.adopt))
            co_return Error(Error{ErrorClass::conflict, "it has come to belong to another"});
        co_return std::optional(*std::move(group));
    }

    awaitable<Result<Done>> change(GroupAction action) {
        CO_TRY(const auto before, co_await look_at(action));
        if (!before) co_return Error(Error{ErrorClass::not_found, "the group is not there any more"});
        if (action.verb == Verb::mark && before->mark != action.mark) {
            Request request{.service = Service::network, .method = "PUT", .path = group_path(action.id)};
            request.body = api::to_text(
                json::object{{"security_group", json::object{{"description", description_of(action.mark)}}}});
            CO_TRY([[maybe_unused]] const auto reply, co_await session_->call(std::move(request)));
        }
        json::array missing;
        for (const auto& rule : action.add) {
            const bool there =
                std::ranges::any_of(before->rules, [&](const auto& known) { return known.second == rule; });
            if (!there) missing.push_back(rule_body(action.id, rule));
        }
        if (!missing.empty()) {  // all of them, or none
            Request request{.service = Service::network, .method = "POST", .path = "/security-group-rules"};
            request.body = api::to_text(json::object{{"security_group_rules", std::move(missing)}});
            CO_TRY([[maybe_unused]] const auto reply, co_await session_->call(std::move(request)));
        }
        for (const auto& id : action.drop) {
            Request request{.service = Service::network,
                            .method = "DELETE",
                            .path = "/security-group-rules/" + net::percent_encode(id)};
            auto reply = co_await session_->call(std::move(request));
            if (!reply && reply.error().error_class != ErrorClass::not_found) co_return std::move(reply).error();
        }
        action.adopt = true;  // what was just marked need not be shown so yet
        CO_TRY(auto now, co_await look_at(action));
        co_return done(action.key, std::move(now));
    }

    awaitable<Result<Done>> remove(GroupAction action) {
        CO_TRY(const auto before, co_await look_at(action));
        if (before) {
            Request request{.service = Service::network, .method = "DELETE", .path = group_path(action.id)};
            auto reply = co_await session_->call(std::move(request));  // a conflict while machines use it: waited for
            if (!reply && reply.error().error_class != ErrorClass::not_found) co_return std::move(reply).error();
        }
        co_return done(action.key, std::nullopt);
    }

    std::unique_ptr<Session> session_;
};

}  // namespace

std::unique_ptr<GroupSystem> open_groups(std::unique_ptr<Session> session) {
    return std::make_unique<ProjectGroups>(std::move(session));
}

}  // namespace ocim::compute::openstack
