#include "monitoring/newrelic.hpp"

#include "monitoring/newrelic_alerts.hpp"
#include "monitoring/newrelic_client.hpp"
#include "monitoring/newrelic_entities.hpp"
#include "monitoring/newrelic_index.hpp"
#include "monitoring/newrelic_monitor.hpp"
#include "monitoring/newrelic_queries.hpp"

#include <algorithm>
#include <set>
#include <utility>

namespace ocim::monitoring::newrelic {

namespace {

using api::Json;
using Results = runtime::Results<Key, Thing>;
using Done = runtime::Done<Key, Thing>;
using Verb = Action::Verb;
namespace json = api::json;

constexpr Duration turn_max{60'000};  // the rest of a batch comes in the next: one is cut off after 90 s
constexpr std::string_view alerts_prefix = "alerts ";  // of the keys of AlertGroups that nothing uses

class NewRelic final : public Watch {
public:
    NewRelic(std::unique_ptr<net::HttpClient> http, const runtime::Services& services, Settings settings)
        : clock_(services.clock),
          installation_(services.installation),
          nerd_graph_(std::move(http), services, std::move(settings)),
          index_(nerd_graph_, clock_, installation_),
          alerts_(nerd_graph_, {installation_, nerd_graph_.service()}),
          opened_(clock_.now()) {}

    awaitable<Result<Snapshot>> observe() override {
        CO_CHECK(co_await look());
        co_return snapshot();
    }

    awaitable<Result<void>> probe() override {
        json::object variables{{"account", nerd_graph_.account()}};
        CO_TRY(const auto data, co_await nerd_graph_.ask(probe_query, std::move(variables)));
        co_return sees_account(data);
    }

    awaitable<void> act(std::vector<Action> actions, Results& results) override {
        const auto until = clock_.now() + turn_max;
        auto looked = co_await look();
        std::optional<Error> stopped;  // why nothing more is sent: it concerns the whole account
        if (!looked) {
            stopped = looked.error();
            stopped->outcome_unknown = false;  // it was only a look
        }
        for (std::size_t i = 0; i < actions.size(); ++i) {
            if (!stopped && clock_.now() > until)
                stopped = Error{ErrorClass::rate_limited, "the rest of the changes follows", Duration(1'000)};
            if (stopped) {
                results.set(i, *stopped);
                continue;
            }
            auto result = co_await act_once(actions[i]);
            if (!result && ends_all(result.error())) {
                stopped = result.error();
                stopped->outcome_unknown = false;  // what is not sent cannot have happened
            }
            results.set(i, std::move(result));
        }
        // what fails here is tried again after the next batch
        if (!stopped) (void)co_await remove_left();
    }

private:
    const Entities& entities() const { return index_.entities(); }

    /// Whether the neighbours would fare no better: it takes nothing of us now, or is not there.
    bool ends_all(const Error& error) const {
        const auto is = error.error_class;
        return is == ErrorClass::auth || is == ErrorClass::unreachable || is == ErrorClass::rate_limited ||
               (is == ErrorClass::transient && nerd_graph_.failed());
    }

    awaitable<Result<void>> look() {
        CO_CHECK(co_await index_.look());
        co_return co_await alerts_.look();
    }

    Thing thing_of(const Entity& entity) {
        Thing out;
        out.mark = entity.mark;
        out.synthetic = entity.shown;
        if (!alerts_.stands(entity.shown.alerts)) out.synthetic->alerts.clear();
        if (!entity.up) return out;
        auto& last = outcomes_[entity.shown.guid];
        // as long as it says the same nothing has changed, so the time stays
        if (last.up != *entity.up || last.message != entity.message)
            last = Outcome{*entity.up, std::nullopt, entity.message, clock_.wall()};
        out.last = last;
        return out;
    }

    Snapshot snapshot() {
        Snapshot out;
        std::set<std::string> used;
        for (const auto& [guid, entity] : entities()) {
            const bool ours = entity.mark && entity.mark->installation == installation_;
            if (ours) used.insert(entity.shown.alerts);
            auto key = ours ? Key{entity.mark->namespace_name} : stranger_key(entity.shown.url, guid);
            if (ours && out.contains(key)) key = double_key(entity.mark->namespace_name, guid);
            out.emplace(std::move(key), thing_of(entity));
        }
        std::erase_if(outcomes_, [&](const auto& item) { return !entities().contains(item.first); });
        for (const auto& group : alerts_.groups()) {
            if (used.contains(group)) continue;
            const std::string name = std::string(alerts_prefix) + group;
            Thing thing;
            thing.mark = runtime::Mark{installation_, "alerts/" + group, group, false};
            out.emplace(Key{name}, std::move(thing));
        }
        return out;
    }

    // --- acting

    awaitable<Result<Done>> act_once(Action action) {
        if (action.key.monitor.starts_with(alerts_prefix)) co_return co_await act_on_alerts(std::move(action));
        if (!action.order) co_return Error{ErrorClass::invalid, "nothing is ordered of New Relic"};
        if (action.verb == Verb::delete_) co_return co_await erase(std::move(action));
        if (action.mark.retained) co_return co_await retain(std::move(action));
        co_return co_await put(std::move(action));
    }

    awaitable<Result<Done>> act_on_alerts(Action action) {
        const auto group = action.key.monitor.substr(alerts_prefix.size());
        for (const auto& [guid, entity] : entities())
            if (entity.shown.alerts == group)
                co_return Error{ErrorClass::conflict, "these alerts have come to be used"};
        CO_CHECK(co_await alerts_.remove(group));
        Done done;
        done.now.emplace_back(action.key, std::nullopt);
        co_return done;
    }

    /// What is there for a put, a copy because a look may come between; nothing when it is to be made. Error: conflict,
    /// when it is not for us to change.
    Result<std::optional<Entity>> target_of(const Action& action) const {
        const auto& order = *action.order;
        const auto named = entities().find(order.synthetic.guid);
        const Entity* there = named == entities().end() ? marked_as(entities(), action.mark) : &named->second;
        if (!there && !order.synthetic.guid.empty())
            return Error{ErrorClass::not_found, "the monitor " + order.synthetic.guid + " is gone from New Relic"};
        if (!there) there = unmarked(entities(), order.synthetic.url);
        if (there && !runtime::takeable(there->mark, action.mark, order.adopt))
            return Error{ErrorClass::conflict, "the monitor " + there->shown.guid + " of " + there->shown.url +
                                                   " is not ours, or has come to belong to another"};
        return there ? std::optional(*there) : std::nullopt;
    }

    awaitable<Result<Done>> put(Action action) {
        auto& order = *action.order;
        auto target = target_of(action);
        if (!target) co_return std::move(target).error();
        auto wanted = target->value_or(Entity());
        if (wanted.shown.alerts != order.synthetic.alerts) leave(wanted.shown.alerts);
        const bool was_marked = wanted.mark.has_value();
        const auto tags = with_ours(wanted.tags, action.mark, order.synthetic);
        const bool same =
            target->has_value() && ours_of(wanted.tags) == ours_of(tags) && agrees(wanted.shown, order.synthetic);
        order.synthetic.guid = wanted.shown.guid;
        wanted.shown = order.synthetic;
        wanted.tags = tags;
        wanted.mark = action.mark;
        left_.erase(order.synthetic.alerts);
        Result<void> done_there;
        if (order.group) done_there = co_await alerts_.ensure(*order.group);
        if (done_there && !same) done_there = co_await write(action, wanted);
        if (!done_there) {
            // it was made for one that did not come; if that may have come, a later look decides
            if (!done_there.error().outcome_unknown) leave(order.synthetic.alerts);
            co_return std::move(done_there).error();
        }
        Done done;
        if (!was_marked && target->has_value())
            done.now.emplace_back(stranger_key(order.synthetic.url, wanted.shown.guid), std::nullopt);
        done.now.emplace_back(action.key, thing_of(wanted));
        co_return done;
    }

    /// Makes or changes it, and says its GUID in `wanted`.
    awaitable<Result<void>> write(const Action& action, Entity& wanted) {
        const bool fresh = wanted.shown.guid.empty();
        if (!fresh) CO_CHECK(co_await keep_their_tags(wanted));
        json::object variables{{"monitor", monitor_input(action.probe, *action.order, wanted.tags)}};
        if (fresh)
            variables["account"] = nerd_graph_.account();
        else
            variables["guid"] = wanted.shown.guid;
        const auto& query = fresh ? create_monitor : update_monitor;
        CO_TRY(const auto data, co_await nerd_graph_.ask(query, std::move(variables)));
        const auto& answer = answer_of(data);
        const auto guid = fresh ? std::string(api::find_text(answer, {"monitor", "guid"})) : wanted.shown.guid;
        if (auto wrong = refusal(answer)) {
            // it was made, and only its tags are not there
            const bool untagged = wrong->message.find("TAGGING_ERROR") != std::string::npos && !guid.empty();
            if (!untagged) co_return *std::move(wrong);
            CO_CHECK(co_await tag(guid, wanted.tags, fresh));
        } else if (guid.empty()) {
            co_return strange("a monitor without a GUID", true);
        }
        wanted.shown.guid = guid;
        index_.remember(wanted);
        co_return Result<void>();
    }

    /// Its tags are written as a whole: those of others as they are now, without New Relic's own.
    awaitable<Result<void>> keep_their_tags(Entity& wanted) {
        json::object variables{{"guid", wanted.shown.guid}};
        CO_TRY(const auto data, co_await nerd_graph_.ask(list_tags, std::move(variables)));
        const auto* entity = api::find(data, {"actor", "entity"});
        if (!entity || !entity->is_object())
            co_return Error{ErrorClass::not_found, "the monitor " + wanted.shown.guid + " is gone from New Relic"};
        wanted.tags = joined(mutable_tags(*entity), wanted.tags);
        co_return Result<void>();
    }

    /// A new one that cannot be marked goes again: nobody would know whose it is.
    awaitable<Result<void>> tag(std::string guid, Tags tags, bool fresh) {
        json::object variables{{"guid", guid}, {"tags", tags_input(tags)}};
        auto done = co_await nerd_graph_.ask(replace_tags, std::move(variables));
        auto wrong = done ? refusal(answer_of(*done)) : std::optional(std::move(done).error());
        if (!wrong) co_return Result<void>();
        if (fresh) {
            json::object undo{{"guid", guid}};
            (void)co_await nerd_graph_.ask(delete_monitor, std::move(undo));
        }
        co_return std::move(*wrong).within("the monitor " + guid + " cannot be marked");
    }

    awaitable<Result<Done>> retain(Action action) {
        const auto found = entities().find(action.order->synthetic.guid);
        if (found == entities().end() || !found->second.mark || found->second.mark->uid != action.mark.uid)
            co_return Error{ErrorClass::conflict, "the monitor " + action.order->synthetic.guid + " is no longer ours"};
        auto wanted = found->second;
        wanted.tags = with_ours(wanted.tags, action.mark, wanted.shown);
        wanted.mark = action.mark;
        if (ours_of(wanted.tags) != ours_of(found->second.tags)) {
            CO_CHECK(co_await keep_their_tags(wanted));
            CO_CHECK(co_await tag(wanted.shown.guid, wanted.tags, false));
            index_.remember(wanted);
        }
        Done done;
        done.now.emplace_back(action.key, thing_of(wanted));
        co_return done;
    }

    awaitable<Result<Done>> erase(Action action) {
        const auto guid = action.order->synthetic.guid;
        const auto found = entities().find(guid);
        Done done;
        done.now.emplace_back(action.key, std::nullopt);
        if (found == entities().end()) co_return done;
        const auto& mark = found->second.mark;
        if (!mark || mark->installation != action.mark.installation || mark->uid != action.mark.uid)
            co_return Error{ErrorClass::conflict, "the monitor " + guid + " has come to belong to another"};
        leave(found->second.shown.alerts);
        json::object variables{{"guid", guid}};
        auto answer = co_await nerd_graph_.ask(delete_monitor, std::move(variables));
        if (!answer && answer.error().error_class != ErrorClass::not_found) co_return std::move(answer).error();
        index_.forget(guid);
        co_return done;
    }

    /// A monitor of ours uses that AlertGroup no more.
    void leave(const std::string& group) {
        if (!group.empty()) left_.insert(group);
    }

    /// Those that were left and that nothing uses. What else is unused is an orphan, and may only seem so.
    awaitable<Result<void>> remove_left() {
        // what the System before this one made may use them and not be listed yet
        if (clock_.now() < opened_ + index_delay_max) co_return Result<void>();
        const auto left = left_;
        for (const auto& group : left) {
            const bool used =
                std::ranges::any_of(entities(), [&](const auto& item) { return item.second.shown.alerts == group; });
            if (!used) CO_CHECK(co_await alerts_.remove(group));
            left_.erase(group);
        }
        co_return Result<void>();
    }

    Clock& clock_;
    std::string installation_;
    NerdGraph nerd_graph_;
    Index index_;
    Alerts alerts_;
    Instant opened_;
    std::set<std::string> left_;               // AlertGroups that nothing of ours may use any more
    std::map<std::string, Outcome> outcomes_;  // by GUID; when what is found became as it is
};

}  // namespace

std::unique_ptr<Watch> open(std::unique_ptr<net::HttpClient> http, const runtime::Services& services,
                            Settings settings) {
    return std::make_unique<NewRelic>(std::move(http), services, std::move(settings));
}

}  // namespace ocim::monitoring::newrelic
