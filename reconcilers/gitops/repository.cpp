#include "gitops/repository.hpp"

#include "gitops/limits.hpp"
#include "gitops/trial.hpp"

#include <algorithm>
#include <boost/asio/post.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <set>
#include <utility>

namespace ocim::gitops {

namespace {

using client::Delegate;
using client::ServedKind;

constexpr auto field_manager = "ocim-gitsource";
constexpr api::Kind account_kind{"", "v1", "ServiceAccount", "serviceaccounts"};
constexpr api::Kind definition_kind{"apiextensions.k8s.io", "v1", "CustomResourceDefinition",
                                    "customresourcedefinitions"};
constexpr api::Kind binding_kind{"rbac.authorization.k8s.io", "v1", "RoleBinding", "rolebindings"};

/// Kinds that no CustomResourceDefinition has to define.
bool may_be_built_in(const std::string& group) {
    return group.find('.') == std::string::npos || group.ends_with(".k8s.io");
}

/// Thousands of objects must not hold the loop: others have their turn.
awaitable<void> breathe() {
    const auto loop = co_await boost::asio::this_coro::executor;
    co_await boost::asio::post(loop, boost::asio::use_awaitable);
}

class Kept final : public Repository {
public:
    Kept(Opened opened, std::unique_ptr<Delegate> delegate, client::Client& client, const runtime::Services& services)
        : opened_(std::move(opened)),
          delegate_(std::move(delegate)),
          client_(client),
          blocking_(services.blocking),
          clock_(services.clock),
          duration_(services.metrics.histogram("ocim_git_act_seconds",
                                               "How long it took to apply or delete one object of a GitSource.")),
          mark_(opened_.namespace_ + "/" + opened_.name),
          problem_(opened_.problem) {}

    awaitable<Result<Snapshot>> observe() override {
        if (opened_.makes_account && !opened_.suspended) CO_CHECK(co_await make_account());
        troubles_ = 0;
        Snapshot out;
        Fetched fetched;
        if (!opened_.suspended) {
            fetched = co_await fetch();
            CO_CHECK(co_await judge_commit(fetched, out));
            out[ObjectId{}].fetched = std::move(fetched);
        }
        CO_CHECK(co_await look_at_rest(out));
        co_return out;
    }

    awaitable<void> act(std::vector<Action> actions, Results& results) override {
        troubles_ = 0;
        for (std::size_t i = 0; i < actions.size(); ++i) {
            auto action = std::move(actions[i]);
            const bool removes = action.verb == Action::Verb::delete_;
            auto work = removes ? remove(std::move(action)) : apply(std::move(action));
            const auto began = clock_.now();
            auto done = co_await std::move(work);
            duration_.Observe(std::chrono::duration<double>(clock_.now() - began).count());
            // a right that lacks concerns that object, not us: the next look says which
            if (!done && done.error().error_class == ErrorClass::auth) {
                auto error = std::move(done).error();
                if (may_not_act(error)) error = not_granted(std::move(error));
                error.error_class = ErrorClass::conflict;
                done = std::move(error);
            }
            results.set(i, std::move(done));
        }
    }

    /// There is nothing that is asked for its own sake.
    awaitable<Result<void>> probe() override { co_return Result<void>(); }

private:
    /// What is known of the commit; the server is asked when it is time, however often the objects are looked at.
    awaitable<Fetched> fetch() {
        co_await hear();
        const auto now = clock_.now();
        if (opened_.fetcher && now >= ask_at_) {
            co_await ask();
            failures_ = problem_.reason.empty() ? 0 : std::min(failures_ + 1, 16U);
            ask_at_ = now + pause();
        }
        Fetched out;
        out.reason = problem_.reason;
        out.message = problem_.message;
        out.soon = problem_.soon;
        if (checkout_) {
            out.commit = checkout_->commit;
            out.revision = checkout_->words;
            out.signer = checkout_->signer;
        }
        co_return out;
    }

    /// Whether somebody wants the server asked now. What is known stays: of the last commit that counted the objects
    /// are kept, whatever somebody pushes.
    awaitable<void> hear() {
        const auto self = co_await client_.get(crd::GitSource::kind, opened_.namespace_, opened_.name);
        if (!self) co_return;
        const std::string asked(annotation(*self, "ocim.opencraft.com/reconcile-at"));
        if (asked_ && *asked_ != asked) ask_at_ = Instant{};
        asked_ = asked;
    }

    /// A little less than the interval, at whose end the next look comes; sooner where that is worth it.
    Duration pause() const {
        const auto regular = opened_.interval - opened_.interval / 10;
        if (!problem_.soon) return regular;
        return std::min(regular, Duration(limits::retry_after) * (1U << (failures_ - 1)));
    }

    awaitable<void> ask() {
        auto got = co_await opened_.fetcher->fetch();
        if (!got) {
            problem_ = got.error();
            co_return;
        }
        problem_ = {};
        if (*got == checkout_) co_return;
        checkout_ = *std::move(got);
        auto read = [checkout = checkout_]() -> Result<Manifests> { return read_manifests(checkout->tree.files); };
        auto manifests = co_await blocking_.call(std::move(read));
        if (!manifests) {
            checkout_.reset();
            problem_ = {"FetchFailed", manifests.error().message, true};
            co_return;
        }
        const auto& faults = checkout_->tree.faults;
        manifests->faults.insert(manifests->faults.begin(), faults.begin(), faults.end());
        manifests_ = std::make_shared<const Manifests>(*std::move(manifests));
    }

    /// Tries every manifest of the commit.
    awaitable<Result<void>> judge_commit(Fetched& fetched, Snapshot& out) {
        if (!checkout_) co_return Result<void>();
        std::map<KindName, Scope> scopes;
        kinds_.clear();
        for (const auto& manifest : manifests_->items) {
            KindName name{manifest.api_version, manifest.id.kind};
            if (scopes.contains(name) || kinds_.contains(name)) continue;
            CO_TRY(const auto kind, co_await delegate_->served(name.first, name.second));
            if (!kind) continue;
            scopes[name] = {kind->namespaced};
            kinds_[name] = *kind;
        }
        CO_TRY(auto commit, co_await placed_and_marked(std::move(scopes)));
        fetched.faults = std::move(commit.faults);
        std::set<std::string> namespaces;
        for (const auto& manifest : commit.items)
            if (manifest.id.group.empty() && manifest.id.kind == "Namespace") namespaces.insert(manifest.id.name);
        for (auto& manifest : commit.items) {
            co_await breathe();
            const auto id = manifest.id;
            CO_TRY(auto thing, co_await try_one(std::move(manifest), namespaces, fetched.faults));
            tracked_now(id, thing.api_version);
            out[id] = std::move(thing);
        }
        co_return Result<void>();
    }

    /// On a thread: copies and orders what may be megabytes.
    awaitable<Result<Manifests>> placed_and_marked(std::map<KindName, Scope> scopes) {
        auto work = [manifests = manifests_, scopes = std::move(scopes), home = opened_.namespace_,
                     mark = mark_]() -> Result<Manifests> {
            auto copy = *manifests;
            auto out = placed(std::move(copy), scopes, home);
            for (auto& manifest : out.items)
                api::make_object(manifest.object, {"metadata", "annotations"})[mark_annotation] = mark;
            return out;
        };
        co_return co_await blocking_.call(std::move(work));
    }

    /// One object that cannot be looked at says nothing of the others; when there are several it is the API.
    Result<void> concerns_one(const Error& error, std::string& why) {
        if (++troubles_ >= limits::troubles_max) return error;
        why = error.message;
        return {};
    }

    awaitable<Result<Thing>> try_one(Manifest manifest, const std::set<std::string>& namespaces,
                                     std::vector<Fault>& faults) {
        Thing out;
        out.api_version = manifest.api_version;
        const auto id = manifest.id;
        const auto known = kinds_.find({manifest.api_version, id.kind});
        if (known == kinds_.end()) {
            out.differs = out.deferred = true;
            out.wanted = std::move(manifest);
            co_return out;
        }
        const auto kind = known->second;
        const auto live = co_await delegate_->get(kind, id.namespace_, id.name);
        if (!live && may_not_act(live.error())) co_return not_granted(live.error());
        if (!live && is_trouble(live.error())) {
            CO_CHECK(concerns_one(live.error(), out.untried));
            out.unknown = out.untried;
            out.wanted = std::move(manifest);
            co_return out;
        }
        if (!live && live.error().error_class != ErrorClass::not_found) {
            faults.push_back(fault_of(manifest, live.error()));
            out.unknown = live.error().message;
        }
        if (live) describe(*live, out);
        if (live)
            if (auto taken = taken_by(manifest, *live, mark_)) faults.push_back(*std::move(taken));
        if (live && trials_.hold(id, manifest.object, *live, clock_.now())) {
            out.wanted = std::move(manifest);
            co_return out;
        }
        auto object = manifest.object;
        const auto tried = co_await delegate_->apply(kind, std::move(object), field_manager, true);
        if (!tried && is_trouble(tried.error()) && !is_unknown_field(tried.error())) {
            CO_CHECK(concerns_one(tried.error(), out.untried));
            out.wanted = std::move(manifest);
            co_return out;
        }
        if (!tried && tried.error().error_class == ErrorClass::not_found && namespaces.contains(id.namespace_))
            out.deferred = true;
        else if (!tried)
            faults.push_back(fault_of(manifest, tried.error()));
        out.differs = !live || !tried || declared(*live) != declared(*tried);
        if (out.differs)
            trials_.forget(id);
        else
            trials_.note(id, manifest.object, *live, clock_.now());
        out.wanted = std::move(manifest);
        co_return out;
    }

    void describe(const Json& live, Thing& out) const {
        out.exists = true;
        out.ours = annotation(live, mark_annotation) == mark_;
        out.kept = annotation(live, prune_annotation) == "disabled";
        out.uid = api::find_text(live, {"metadata", "uid"});
        out.health = health_of(live);
    }

    /// What was applied once and is not in the commit.
    awaitable<Result<void>> look_at_rest(Snapshot& out) {
        auto rest = opened_.tracked;
        for (const auto& [id, api_version] : rest) {
            if (out.contains(id)) continue;
            co_await breathe();
            CO_TRY(auto thing, co_await look(id, api_version));
            // it was told that it is gone; whoever has not heard it looks before he deletes
            if (thing.unknown.empty() && !thing.exists && !told_gone_.insert(id).second) {
                opened_.tracked.erase(id);
                told_gone_.erase(id);
                continue;
            }
            trials_.forget(id);
            out[id] = std::move(thing);
        }
        co_return Result<void>();
    }

    awaitable<Result<Thing>> look(ObjectId id, std::string api_version) {
        Thing out;
        out.api_version = api_version;
        CO_TRY(const auto kind, co_await kind_of(id, api_version));
        if (!kind) {
            out.unknown = co_await why_not_gone(id, api_version);
            co_return out;
        }
        const auto live = co_await delegate_->get(*kind, id.namespace_, id.name);
        if (!live && may_not_act(live.error())) co_return not_granted(live.error());
        if (live)
            describe(*live, out);
        else if (is_trouble(live.error()))
            CO_CHECK(concerns_one(live.error(), out.unknown));
        else if (live.error().error_class != ErrorClass::not_found)
            out.unknown = live.error().message;
        co_return out;
    }

    /// The kind in that version, or in another in which it is known to be served.
    awaitable<Result<std::optional<ServedKind>>> kind_of(ObjectId id, std::string api_version) {
        CO_TRY(auto kind, co_await delegate_->served(api_version, id.kind));
        if (!kind)
            for (const auto& [name, known] : kinds_)
                if (known.group == id.group && known.kind == id.kind) kind = known;
        co_return Result<std::optional<ServedKind>>(std::move(kind));
    }

    /// That a version is not served says nothing of the others, where it may be. "": nothing defines the kind, so what
    /// there was of it went with its definition.
    awaitable<std::string> why_not_gone(ObjectId id, std::string api_version) {
        std::string why = "the API does not serve " + id.kind + " of " + api_version +
                          " any more; declare it in one that is served, and then remove it";
        if (may_be_built_in(id.group)) co_return why;
        client::Wanted wanted = [id](const Json& one) {
            return api::find_text(one, {"spec", "group"}) == id.group &&
                   api::find_text(one, {"spec", "names", "kind"}) == id.kind;
        };
        const auto defined = co_await client_.list(definition_kind, "", std::move(wanted));
        const bool gone = defined && defined->items.empty();
        co_return gone ? std::string() : why;
    }

    awaitable<Result<Done>> apply(Action action) {
        const auto id = action.id;
        CO_TRY(const auto kind, co_await delegate_->served(action.api_version, id.kind));
        if (!kind) co_return Error(Error{ErrorClass::conflict, "its kind is not served any more"});
        auto object = action.manifest.object;
        CO_TRY(const auto written, co_await delegate_->apply(*kind, std::move(object), field_manager, false));
        Thing now;
        now.api_version = action.api_version;
        describe(written, now);
        now.wanted = std::move(action.manifest);
        co_return done(id, std::move(now));
    }

    awaitable<Result<Done>> remove(Action action) {
        const auto id = action.id;
        CO_TRY(auto now, co_await look(id, action.api_version));
        if (!now.unknown.empty()) {
            Error blind{ErrorClass::conflict, "it is not known whether it is there: " + now.unknown};
            co_return advised(action, std::move(blind));
        }
        CO_TRY(const auto kind, co_await kind_of(id, action.api_version));
        if (!kind) co_return done(id, std::move(now));
        const bool same = action.uid.empty() || now.uid == action.uid;
        if (!now.exists || !now.ours || now.kept || !same) co_return done(id, std::move(now));
        const auto uid = now.uid;
        auto removed = co_await delegate_->remove(*kind, id.namespace_, id.name, uid);
        if (!removed) co_return advised(action, std::move(removed).error());
        const auto left = co_await delegate_->get(*kind, id.namespace_, id.name);
        now = Thing{};
        now.api_version = action.api_version;
        if (left) describe(*left, now);
        if (!left && left.error().error_class != ErrorClass::not_found) now.unknown = left.error().message;
        co_return done(id, std::move(now));
    }

    /// With the way out, where the GitSource waits for it.
    static Error advised(const Action& action, Error error) {
        if (action.last)
            error.message +=
                "; this GitSource stays until that is over. To let go of what is there without cleaning "
                "up, set its annotation ocim.opencraft.com/abandon=true";
        return error;
    }

    static Done done(const ObjectId& id, Thing now) {
        Done out;
        out.now.emplace_back(id, std::move(now));
        return out;
    }
    void tracked_now(const ObjectId& id, const std::string& api_version) {
        opened_.tracked[id] = api_version;
        told_gone_.erase(id);
    }

    /// The default account, with its rights in this namespace only.
    awaitable<Result<void>> make_account() {
        const std::string name(default_account);
        api::json::object metadata{{"name", name}, {"namespace", opened_.namespace_}};
        Json account(api::json::object{{"apiVersion", "v1"}, {"kind", "ServiceAccount"}, {"metadata", metadata}});
        CO_CHECK(co_await make(account_kind, std::move(account)));
        api::json::object subject{{"kind", "ServiceAccount"}, {"name", name}, {"namespace", opened_.namespace_}};
        Json binding(api::json::object{
            {"apiVersion", "rbac.authorization.k8s.io/v1"},
            {"kind", "RoleBinding"},
            {"metadata", metadata},
            {"roleRef",
             api::json::object{{"apiGroup", "rbac.authorization.k8s.io"}, {"kind", "ClusterRole"}, {"name", name}}},
            {"subjects", api::json::array{subject}}});
        CO_CHECK(co_await make(binding_kind, std::move(binding)));
        opened_.makes_account = false;
        co_return Result<void>();
    }
    awaitable<Result<void>> make(api::Kind kind, Json object) {
        const std::string name(default_account);
        const auto there = co_await client_.get(kind, opened_.namespace_, name);
        if (there) co_return Result<void>();
        if (there.error().error_class != ErrorClass::not_found) co_return there.error();
        const auto made = co_await client_.create(kind, std::move(object));
        if (made || made.error().error_class == ErrorClass::conflict) co_return Result<void>();
        co_return made.error();
    }

    Opened opened_;
    std::unique_ptr<Delegate> delegate_;
    client::Client& client_;
    BlockingPool& blocking_;
    Clock& clock_;
    prometheus::Histogram& duration_;
    std::string mark_;
    Problem problem_;                             // of the last question
    unsigned failures_ = 0;                       // one after the other
    std::optional<std::string> asked_;            // when somebody wanted it last, as he wrote it
    Instant ask_at_{};                            // not before
    std::shared_ptr<const Checkout> checkout_;    // shared with the fetcher; the last that could be fetched
    std::shared_ptr<const Manifests> manifests_;  // of the checkout; shared with the thread that orders them
    Trials trials_;
    std::size_t troubles_ = 0;  // of the API, in this look
    std::map<KindName, ServedKind> kinds_;
    std::set<ObjectId> told_gone_;
};

}  // namespace

std::unique_ptr<Repository> open_repository(Opened opened, std::unique_ptr<Delegate> delegate, client::Client& client,
                                            const runtime::Services& services) {
    return std::make_unique<Kept>(std::move(opened), std::move(delegate), client, services);
}

}  // namespace ocim::gitops
