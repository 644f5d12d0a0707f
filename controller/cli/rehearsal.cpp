#include "cli/rehearsal.hpp"

#include "cli/applying.hpp"
#include "cli/taken_along.hpp"
#include "client/client.hpp"
#include "crd/schemas.hpp"
#include "reconcilers/register.hpp"
#include "registry/registry.hpp"
#include "registry/served.hpp"
#include "runtime/conditions.hpp"
#include "runtime/engine.hpp"
#include "store/store.hpp"
#include "webhooks/hooks.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>

#include <stdlib.h>
#include <algorithm>
#include <array>
#include <filesystem>
#include <optional>
#include <utility>

namespace ocim::cli {

namespace {

using api::Json;

std::string text(const Json& object, std::initializer_list<std::string_view> path) {
    return std::string(api::find_text(object, path));
}

/// Names that live as long as the program: an api::Kind only looks at them.
struct Definition {
    std::string group, version, kind, plural;
    bool namespaced = true;
    api::Kind view() const { return {group, version, kind, plural, namespaced}; }
};

const std::deque<Definition>& definitions() {
    static const auto* all = [] {
        auto* out = new std::deque<Definition>;  // never freed: static objects may still look at it
        for (const auto schema : crd::schemas()) {
            const auto parsed = api::parse_json(schema);
            if (!parsed) continue;
            const auto& crd = parsed->value;
            const auto* versions = api::find(crd, {"spec", "versions"});
            if (!versions || !versions->is_array() || versions->get_array().empty()) continue;
            out->push_back({text(crd, {"spec", "group"}), text(versions->get_array().front(), {"name"}),
                            text(crd, {"spec", "names", "kind"}), text(crd, {"spec", "names", "plural"}),
                            text(crd, {"spec", "scope"}) != "Cluster"});
        }
        return out;
    }();
    return *all;
}

/// What makes an object another one to those who decide about it.
std::size_t print_of(const Json& object) {
    auto seen = essence(object);
    seen.as_object().erase("status");
    auto& metadata = api::make_object(seen, {"metadata"});
    metadata.erase("finalizers");
    metadata["uid"] = text(object, {"metadata", "uid"});
    return std::hash<std::string>()(api::to_text(seen));
}

/// A directory of our own that is gone with us.
class Workshop {
public:
    Workshop() {
        std::string pattern = (std::filesystem::temp_directory_path() / "ocim-plan-XXXXXX").string();
        if (::mkdtemp(pattern.data())) path_ = pattern;
    }
    ~Workshop() {
        std::error_code ignored;
        if (!path_.empty()) std::filesystem::remove_all(path_, ignored);
    }
    Workshop(const Workshop&) = delete;
    Workshop& operator=(const Workshop&) = delete;
    const std::string& path() const { return path_; }

private:
    std::string path_;
};

class Sandbox final : public runtime::Planning {
public:
    explicit Sandbox(Rehearsal::Given given) : given_(std::move(given)) {}

    Result<Rehearsed> run(Duration limit) {
        std::optional<Result<Rehearsed>> out;
        auto work = rehearse(limit);
        boost::asio::co_spawn(loop_, std::move(work), [&](const std::exception_ptr& thrown, Result<Rehearsed> ended) {
            loop_.stop();
            if (thrown) std::rethrow_exception(thrown);
            out = std::move(ended);
        });
        loop_.run();
        return *std::move(out);
    }

private:
    awaitable<Result<Rehearsed>> rehearse(Duration limit) {
        note_state();
        CO_CHECK(co_await load());
        webhooks::Hooks hooks;
        const auto client = client::make_local_client(*registry_, *clock_, "ocim-plan/" OCIM_VERSION);
        runtime::Manager manager(loop_.get_executor(), *client, *clock_, *random_, metrics_, pool_, settings());
        reconcilers::register_all(manager, hooks, compute::LocalMachines::refused);
        manager_ = &manager;
        auto result = co_await act_out(limit);
        manager_ = nullptr;
        co_await manager.stop();
        co_await store_->stop();
        co_return result;
    }

    runtime::Manager::Settings settings() {
        runtime::Manager::Settings out;
        out.data_directory = workshop_.path();
        out.batch_wait = Duration(10);
        out.retry_min = Duration(50);
        out.probe_busy = Duration(500);
        out.stop_limit = Duration(1'000);
        out.may_act = [] { return false; };  // a second lock on the same door
        out.planning = this;
        return out;
    }

    awaitable<Result<Rehearsed>> act_out(Duration limit) {
        CO_CHECK(co_await manager_->start());
        const auto deadline = clock_->now() + limit;
        out_.complete = co_await manager_->settle(deadline);
        conclude();
        co_return std::move(out_);
    }

    /// What there was, and what of it is other now.
    void note_state() {
        for (auto& object : given_.before) {
            const auto spot = spot_of(object);
            prints_[spot] = print_of(object);
            before_[spot] = object;
            state_[spot] = std::move(object);
        }
        for (auto& object : given_.after) {
            const auto spot = spot_of(object);
            changed_.insert(spot);
            state_[spot] = std::move(object);
        }
        for (const auto& object : given_.applied) changed_.insert(spot_of(object));
        for (const auto& spot : given_.gone) remove(spot);
        note_asked();
    }

    /// Those that are asked about, with all that they own.
    void note_asked() {
        std::set<std::string> uids;
        for (bool more = true; std::exchange(more, false);)
            for (const auto& [spot, object] : state_) {
                if (!given_.asked.contains(spot) && !is_owned(object, uids)) continue;
                asked_.insert(spot);
                more = uids.insert(text(object, {"metadata", "uid"})).second || more;
            }
    }
    static bool is_owned(const Json& object, const std::set<std::string>& uids) {
        const auto* owners = api::find(object, {"metadata", "ownerReferences"});
        return owners && owners->is_array() && std::ranges::any_of(owners->get_array(), [&](const Json& owner) {
                   return uids.contains(text(owner, {"uid"}));
               });
    }

    /// With all that goes with it.
    void remove(const Spot& spot) {
        const auto found = state_.find(spot);
        if (found == state_.end()) return;
        changed_.insert(spot);
        auto along = taken_along(spot, found->second, state_);
        if (is_held(found->second)) {
            auto& metadata = api::make_object(found->second, {"metadata"});
            if (!metadata.contains("deletionTimestamp")) metadata["deletionTimestamp"] = rfc3339(clock_->wall());
        } else {
            state_.erase(found);
        }
        for (auto& [other, object] : along)
            if (!given_.gone.contains(other) && taken_.emplace(other, std::move(object)).second) remove(other);
    }
    /// It stays until somebody has done something; a Namespace until it is empty.
    static bool is_held(const Json& object) {
        return std::ranges::any_of(std::array{"metadata", "spec"}, [&](std::string_view where) {
            const auto* held = api::find(object, {where, "finalizers"});
            return held && held->is_array() && !held->get_array().empty();
        });
    }

    /// A store that holds the objects as they are to be.
    awaitable<Result<void>> load() {
        const auto disk = store::make_memory_disk();
        journal_ = store::open_memory_journal(disk);
        auto changes = stored();
        CO_CHECK(co_await journal_->append(std::move(changes)));
        store_ = std::make_unique<store::Store>(loop_.get_executor(), *journal_, *clock_, metrics_);
        CO_CHECK(co_await store_->load());
        registry_ =
            std::make_unique<registry::Registry>(*store_, *clock_, *random_, metrics_, registry::Registry::Settings{});
        CO_CHECK(co_await registry_->start());
        for (const auto schema : crd::schemas()) {
            CO_TRY(const auto parsed, api::parse_json(schema));
            const auto installed = co_await registry_->install(parsed.value);
            if (!installed) co_return api::to_error(installed.error());
        }
        for (auto& object : given_.applied) { CO_CHECK(co_await apply(std::move(object))); }
        co_return Result<void>();
    }

    std::vector<store::Change> stored() const {
        std::map<std::string, api::Kind> kinds;
        for (const auto& kind : Rehearsal::kinds()) kinds.emplace(runtime::kind_id(kind), kind);
        std::vector<store::Change> out;
        store::Revision revision = 0;
        for (const auto& [spot, object] : state_) {
            const auto kind = kinds.find(spot.kind);
            if (kind == kinds.end()) continue;
            auto copy = object;
            api::make_object(copy, {"metadata"})["resourceVersion"] = std::to_string(++revision);
            store::Change change;
            change.revision = revision;
            change.key = registry::key_prefix(kind->second.group, kind->second.plural) +
                         (kind->second.namespaced ? spot.key.namespace_ + "/" : "") + spot.key.name;
            change.value = std::make_shared<const std::string>(api::to_text(copy));
            out.push_back(std::move(change));
        }
        return out;
    }

    awaitable<Result<void>> apply(Json object) {
        const auto version = text(object, {"apiVersion"});
        const auto slash = version.find('/');
        const auto* resource = registry_->resource_of_kind(slash == version.npos ? "" : version.substr(0, slash),
                                                           slash == version.npos ? version : version.substr(slash + 1),
                                                           text(object, {"kind"}));
        if (!resource) co_return Result<void>();  // nothing of the controllers' concern
        auto namespace_ = text(object, {"metadata", "namespace"}), name = text(object, {"metadata", "name"});
        api::Parsed body;
        body.value = std::move(object);
        registry::WriteOptions options;
        options.field_manager = "ocim-cli";
        options.field_validation = registry::FieldValidation::strict;
        auto said = name;
        auto written = co_await registry_->apply(*resource, std::move(namespace_), std::move(name), std::move(body),
                                                 true, std::move(options));
        if (!written) co_return api::to_error(written.error()).within(said);
        co_return Result<void>();
    }

    // --- Planning

    bool concerns(const api::Kind& kind, const Json& object,
                  const std::vector<runtime::Reference>& references) override {
        const Spot spot{runtime::kind_id(kind), runtime::ObjectKey::of(object)};
        const auto print = prints_.find(spot);
        const bool yes = changed_.contains(spot) || asked_.contains(spot) || print == prints_.end() ||
                         print->second != print_of(object) ||
                         std::ranges::any_of(references, [&](const auto& one) { return is_changed(one); });
        if (yes) concerned_.insert(spot);
        return yes;
    }
    void planned(std::vector<runtime::Planned> actions) override {
        for (auto& action : actions) {
            acted_.insert({runtime::kind_id(action.kind), action.object});
            out_.actions.push_back(std::move(action));
        }
    }

    bool is_changed(const runtime::Reference& reference) const {
        const auto kind = runtime::kind_id(reference.kind);
        if (!reference.name.empty()) return changed_.contains({kind, {reference.namespace_, reference.name}});
        return std::ranges::any_of(changed_, [&](const Spot& spot) {
            return spot.kind == kind && (reference.namespace_.empty() || reference.namespace_ == spot.key.namespace_);
        });
    }

    // --- what came of it

    void conclude() {
        std::set<Spot> seen;
        note_abandoned();
        for (auto& [spot, object] : taken_) out_.consequences.push_back({spot, std::move(object), nullptr});
        for (const auto& kind : Rehearsal::kinds()) {
            const auto* resource = registry_->resource(kind.group, kind.version, kind.plural);
            const auto page = resource ? registry_->list(*resource, {}) : registry::Outcome<registry::ListPage>();
            if (!page) continue;
            for (const auto& item : page->items) {
                auto object = item.parsed();
                const Spot spot{runtime::kind_id(kind), runtime::ObjectKey::of(object)};
                seen.insert(spot);
                tell_untold(spot, object);
                tell_consequence(spot, std::move(object));
            }
        }
        for (const auto& [spot, object] : before_)
            if (!seen.contains(spot) && !changed_.contains(spot)) out_.consequences.push_back({spot, object, nullptr});
    }

    /// Those that say so themselves, and what they own: that is let go of with them.
    void note_abandoned() {
        std::set<std::string> uids;
        std::set<Spot> found;
        for (bool more = true; std::exchange(more, false);)
            for (const auto& [spot, object] : state_) {
                const bool itself = changed_.contains(spot) && is_abandoned(spot, object);
                if (!itself && !(is_of_ours(spot) && is_owned(object, uids))) continue;
                found.insert(spot);
                more = uids.insert(text(object, {"metadata", "uid"})).second || more;
            }
        out_.abandoned.assign(found.begin(), found.end());
        // decided here before its owner had spoken, and by then it is gone
        std::erase_if(out_.actions, [&](const auto& action) {
            return found.contains({runtime::kind_id(action.kind), action.object});
        });
    }
    static bool is_of_ours(const Spot& spot) { return spot.kind.starts_with(std::string(runtime::group) + "/"); }
    static bool is_abandoned(const Spot& spot, const Json& object) {
        return is_of_ours(spot) && runtime::is_deleting(object) &&
               runtime::annotation(object, runtime::abandon_annotation) == "true";
    }

    void tell_consequence(const Spot& spot, Json object) {
        if (changed_.contains(spot)) return;
        const auto known = before_.find(spot);
        if (known == before_.end()) {
            // what every installation has is no consequence
            if (spot.kind == "/Namespace" || spot.kind == "/ConfigMap") return;
            out_.consequences.push_back({spot, nullptr, std::move(object)});
            return;
        }
        if (prints_.at(spot) == print_of(object)) return;
        const bool goes = runtime::is_deleting(object) && !runtime::is_deleting(known->second);
        out_.consequences.push_back({spot, known->second, goes ? Json(nullptr) : std::move(object)});
    }

    void tell_untold(const Spot& spot, const Json& object) {
        // its controller is none of these
        if (auto untold = changed_.contains(spot) ? untold_of_git_source(spot, object) : std::nullopt)
            return out_.untold.push_back(*std::move(untold));
        if (!concerned_.contains(spot) || acted_.contains(spot) || runtime::is_ready(object)) return;
        const auto* ready = runtime::condition(object, "Ready");
        const auto reason = ready ? text(*ready, {"reason"}) : "", message = ready ? text(*ready, {"message"}) : "";
        const bool no_kind_of_ours =
            !ready && !api::find(object, {"status", "conditions"}) && spot.kind.starts_with("/");
        if (no_kind_of_ours) return;
        auto why = ready ? reason + ": " + message : std::string("nothing was decided about it in time");
        if (message.find("Unsupported: ") != std::string::npos)
            why = "its backend is a part of the server's machine, which only the server can look at";
        out_.untold.push_back({spot, std::move(why), !ready || reason.starts_with("Backend")});
    }

    Rehearsal::Given given_;
    std::map<Spot, Json> before_, state_;
    std::map<Spot, Json> taken_;  ///< goes with what is to go
    std::map<Spot, std::size_t> prints_;
    std::set<Spot> changed_, asked_, concerned_, acted_;
    Rehearsed out_;

    Workshop workshop_;
    boost::asio::io_context loop_{1};
    std::unique_ptr<Clock> clock_ = make_system_clock(loop_);
    std::unique_ptr<Random> random_ = make_system_random();
    Metrics metrics_;
    BlockingPool pool_{loop_.get_executor(), "blocking", 2, 256};
    std::unique_ptr<store::Journal> journal_;
    std::unique_ptr<store::Store> store_;
    std::unique_ptr<registry::Registry> registry_;
    runtime::Manager* manager_ = nullptr;
};

}  // namespace

Spot spot_of(const Json& object) {
    const auto version = text(object, {"apiVersion"});
    const auto slash = version.find('/');
    const auto group = slash == version.npos ? std::string() : version.substr(0, slash);
    return {group + "/" + text(object, {"kind"}), runtime::ObjectKey::of(object)};
}

std::vector<api::Kind> Rehearsal::kinds() {
    std::vector<api::Kind> out{api::namespace_kind, api::secret_kind, api::config_map_kind};
    for (const auto& definition : definitions()) out.push_back(definition.view());
    return out;
}

Result<Rehearsed> Rehearsal::run(Given given, Duration limit) { return Sandbox(std::move(given)).run(limit); }

}  // namespace ocim::cli
