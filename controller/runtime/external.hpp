#pragma once

#include "runtime/adapter.hpp"
#include "runtime/manager.hpp"
#include "runtime/seen.hpp"

#include <functional>
#include <map>
#include <memory>
#include <utility>

/// An ExternalKind, its types erased for the driver.
namespace ocim::runtime {

template <ExternalKind A>
using Opener = std::function<Result<std::unique_ptr<System<typename A::Key, typename A::Thing, typename A::Action>>>(
    const typename A::Backend&, const Inputs&, const Services&)>;

/// A kind may say how many of its things are under way at a time: static std::optional<Turn> turn(const Object&,
/// const Inputs&, const std::map<Key, Thing>& seen). Pure. What creates its thing then waits for a place.
template <ExternalKind A>
constexpr bool takes_turns_v = requires(const typename A::Object& object, const Inputs& inputs,
                                        const std::map<typename A::Key, typename A::Thing>& seen) {
    { A::turn(object, inputs, seen) } -> std::same_as<std::optional<Turn>>;
};

template <ExternalKind A>
std::optional<Turn> turn_of(const Json& object, const Inputs& inputs,
                            const std::map<typename A::Key, typename A::Thing>& seen) {
    if constexpr (takes_turns_v<A>)
        if (const auto decoded = api::decode_object<typename A::Object>(object)) return A::turn(*decoded, inputs, seen);
    return std::nullopt;
}

template <ExternalKind A>
class WorldOf final : public World {
public:
    explicit WorldOf(Opener<A> open) : open_(std::move(open)) {}

    Result<void> open(const Json& backend, const Inputs& inputs, const Services& services) override {
        close();
        auto decoded = api::decode_object<typename A::Backend>(backend);
        if (!decoded) return std::move(decoded).error();
        auto system = open_(*decoded, inputs, services);
        if (!system) return std::move(system).error();
        system_ = *std::move(system);
        return {};
    }
    void close() override {
        system_.reset();
        seen_.forget();
    }
    bool is_open() const override { return system_ != nullptr; }

    awaitable<Result<News>> observe() override {
        const auto began = seen_.tick();
        CO_TRY(auto found, co_await system_->observe());
        const bool first = !seen_.known();
        (void)seen_.observed(std::move(found), began);
        if (first) co_return News(News{true});
        co_return news();
    }
    awaitable<Result<void>> act(std::vector<PlannedAction> planned, ActionResults& results) override {
        std::vector<Action> actions;
        for (const auto& item : planned) actions.push_back(*static_cast<const Action*>(item.action.get()));
        Folding folding(seen_, results);
        co_await system_->act(std::move(actions), folding);
        co_return Result<void>();
    }
    awaitable<Result<void>> probe() override { co_return co_await system_->probe(); }

    bool known() const override { return seen_.known(); }
    std::uint64_t tick() override { return seen_.tick(); }
    std::uint64_t observation_began() const override { return seen_.began(); }
    std::uint64_t changed(KeyId key) const override { return seen_.changed(keys_.at(key)->first); }
    std::size_t things() const override { return seen_.things().size(); }
    std::size_t bytes_min() const override {
        constexpr auto node = sizeof(std::pair<const Key, Thing>) + 4 * sizeof(void*);
        return things() * node;
    }
    std::uint64_t folded() const override { return seen_.folded(); }

    Result<std::vector<PlannedAction>> diff(const Json& object, const Inputs& inputs) override {
        auto decoded = api::decode_object<typename A::Object>(object);
        if (!decoded) return std::move(decoded).error();
        return planned(A::diff(*decoded, inputs, seen_.things()));
    }
    Result<std::vector<PlannedAction>> remove(const Json& object, const std::string& installation) override {
        auto decoded = api::decode_object<typename A::Object>(object);
        if (!decoded) return std::move(decoded).error();
        return planned(A::remove(*decoded, installation, seen_.things()));
    }
    std::vector<SecretEdit> renewals(const Json& object, const Inputs& inputs) override {
        if constexpr (requires(const typename A::Object& o) { A::renewals(o, inputs, seen_.things()); }) {
            const auto decoded = api::decode_object<typename A::Object>(object);
            if (decoded) return A::renewals(*decoded, inputs, seen_.things());
        }
        return {};
    }
    std::optional<Duration> going(const Json& object, const std::string& installation) override {
        if constexpr (requires(const typename A::Object& o) { A::going(o, installation, seen_.things()); }) {
            const auto decoded = api::decode_object<typename A::Object>(object);
            if (decoded) return A::going(*decoded, installation, seen_.things());
        }
        return std::nullopt;
    }
    /// Optional of a kind: static bool settled(const Object&, const std::string& installation, const std::map<Key,
    /// Thing>& seen): what is seen is what an earlier run said that it had made, so no creation of that run is still to
    /// come.
    bool settled(const Json& object, const std::string& installation) override {
        if constexpr (requires(const typename A::Object& o) { A::settled(o, installation, seen_.things()); }) {
            const auto decoded = api::decode_object<typename A::Object>(object);
            return decoded && A::settled(*decoded, installation, seen_.things());
        }
        return false;
    }
    Result<Reported> report(const Json& object, const Inputs& inputs) override {
        auto decoded = api::decode_object<typename A::Object>(object);
        if (!decoded) return std::move(decoded).error();
        auto said = A::report(*decoded, inputs, seen_.things());
        return Reported{api::encode(said.status), std::move(said.verdict), std::move(said.findings), said.look_again,
                        std::move(said.notes)};
    }
    std::optional<Turn> turn(const Json& object, const Inputs& inputs) override {
        return turn_of<A>(object, inputs, seen_.things());
    }
    /// Optional of a kind: static api::json::object backend_report(const std::string& installation, seen): what the
    /// status of its backend says besides, asked after each look. Only what nobody decides by
    /// (content.cpp).
    api::json::object backend_report(const std::string& installation) override {
        if constexpr (requires { A::backend_report(installation, seen_.things()); })
            return A::backend_report(installation, seen_.things());
        return {};
    }
    std::vector<MarkedThing> marked() override {
        std::vector<MarkedThing> out;
        for (auto& item : A::marked(seen_.things()))
            out.push_back({number(item.key), std::move(item.mark), item.sweepable});
        return out;
    }
    std::vector<PlannedAction> sweep(KeyId key) override {
        return planned(A::sweep(keys_.at(key)->first, seen_.things()));
    }
    std::vector<Lapsed<PlannedAction>> lapsed(const std::string& installation, WallTime now) override {
        std::vector<Lapsed<PlannedAction>> out;
        if constexpr (requires { A::lapsed(installation, now, seen_.things()); })
            for (auto& one : A::lapsed(installation, now, seen_.things()))
                out.push_back({std::move(one.namespace_name), planned(std::move(one.actions))});
        return out;
    }

private:
    using Key = typename A::Key;
    using Thing = typename A::Thing;
    using Action = typename A::Action;

    class Folding final : public Results<Key, Thing> {
    public:
        Folding(Seen<Key, Thing>& seen, ActionResults& results) : seen_(seen), results_(results) {}
        void set(std::size_t action, Result<Done<Key, Thing>> result) override {
            if (!result) {
                results_.set(action, std::move(result).error());
                return;
            }
            for (const auto& [key, thing] : result->now) seen_.fold(key, thing);
            results_.set(action, Result<void>());
        }

    private:
        Seen<Key, Thing>& seen_;
        ActionResults& results_;
    };

    /// Optional of a kind: static std::optional<std::string> concerns(const Key&, const std::map<Key, Thing>& seen):
    /// whom alone ("namespace/name") a change of what is under a key can concern; nothing: it may be anybody.
    News news() const {
        News out;
        for (const auto& key : seen_.news()) {
            std::optional<std::string> whom;
            if constexpr (requires { A::concerns(key, seen_.things()); }) whom = A::concerns(key, seen_.things());
            if (!whom) return {true};
            out.only.insert(ObjectKey::parse(*whom));
        }
        return out;
    }
    std::vector<PlannedAction> planned(std::vector<Action> actions) {
        std::vector<PlannedAction> out;
        for (auto& action : actions) {
            const auto key = number(A::key(action));
            std::string verb(A::verb(action)), description(A::describe(action));
            auto held = std::make_shared<const Action>(std::move(action));
            out.push_back({key, std::move(verb), std::move(description), std::move(held), {}});
        }
        return out;
    }
    KeyId number(const Key& key) {
        const auto [it, fresh] = numbers_.try_emplace(key, keys_.size());
        if (fresh) keys_.push_back(it);
        return it->second;
    }

    Opener<A> open_;
    std::unique_ptr<System<Key, Thing, Action>> system_;
    Seen<Key, Thing> seen_;
    std::map<Key, KeyId> numbers_;
    std::vector<typename std::map<Key, KeyId>::const_iterator> keys_;
};

template <ExternalKind A>
class ExternalOf final : public ExternalAdapter {
public:
    explicit ExternalOf(Opener<A> open) : open_(std::move(open)) {}

    std::string name() const override { return std::string(std::string_view(A::name)); }
    api::Kind kind() const override { return A::Object::kind; }
    api::Kind backend_kind() const override { return A::Backend::kind; }
    /// Optional of a kind: static constexpr bool backend_status_matters = false: what its backend's status says does
    /// not open the backend anew.
    bool backend_status_matters() const override {
        if constexpr (requires { A::backend_status_matters; }) return A::backend_status_matters;
        return true;
    }
    bool backend_is_ours() const override {
        if constexpr (requires { A::backend_is_ours; }) return A::backend_is_ours;
        return true;
    }
    Result<ObjectFacts> facts(const Json& object) const override {
        auto decoded = api::decode_object<typename A::Object>(object);
        if (!decoded) return std::move(decoded).error();
        return ObjectFacts{A::backend_name(*decoded), A::needs(*decoded), A::claims(*decoded)};
    }
    std::vector<api::Cause> admit(const Json& object, const Json* old, const Inputs& inputs) const override {
        if constexpr (requires(const typename A::Object& o) { A::admit(o, &o, inputs); }) {
            auto decoded = api::decode_object<typename A::Object>(object);
            if (!decoded) return {};  // the schema says so better
            if (!old) return A::admit(*decoded, nullptr, inputs);
            const auto before = api::decode_object<typename A::Object>(*old);
            return A::admit(*decoded, before ? &*before : nullptr, inputs);
        }
        return {};
    }
    std::vector<Reference> further_needs(const Json& object, const Inputs& inputs) const override {
        if constexpr (requires(const typename A::Object& o) { A::further_needs(o, inputs); })
            if (const auto decoded = api::decode_object<typename A::Object>(object))
                return A::further_needs(*decoded, inputs);
        return {};
    }
    std::vector<GeneratedSecret> generates(const Json& object) const override {
        if constexpr (requires(const typename A::Object& o) { A::generates(o); }) {
            const auto decoded = api::decode_object<typename A::Object>(object);
            if (decoded) return A::generates(*decoded);
        }
        return {};
    }
    bool takes_turns() const override { return takes_turns_v<A>; }
    std::optional<Turn> turn(const Json& object, const Inputs& inputs) const override {
        return turn_of<A>(object, inputs, {});
    }
    Result<BackendSettings> settings(const Json& backend) const override {
        auto decoded = api::decode_object<typename A::Backend>(backend);
        if (!decoded) return std::move(decoded).error();
        return A::settings(*decoded);
    }
    Result<std::vector<Reference>> backend_needs(const Json& backend) const override {
        auto decoded = api::decode_object<typename A::Backend>(backend);
        if (!decoded) return std::move(decoded).error();
        return A::backend_needs(*decoded);
    }
    std::unique_ptr<World> make_world() const override { return std::make_unique<WorldOf<A>>(open_); }

private:
    Opener<A> open_;
};

/// Registers an external kind. `open` stands in for A::open in tests.
template <ExternalKind A>
void add_external(Manager& manager, Opener<A> open = A::open) {
    manager.add(std::make_unique<ExternalOf<A>>(std::move(open)));
}

}  // namespace ocim::runtime
