#pragma once

#include "runtime/adapter.hpp"
#include "runtime/manager.hpp"
#include "runtime/tally.hpp"

#include <memory>
#include <set>
#include <string>
#include <utility>

/// A CompositeKind, its types erased for the driver.
namespace ocim::runtime {

/// Nothing, or for a kind that is tallied how.
template <class K>
class TalliedOf {};
template <class K>
    requires requires(const Json& status) { K::tallies(status); }
class TalliedOf<K> : public Tallied {
public:
    std::set<std::string> tallies(const Json& status) const override { return K::tallies(status); }
};

template <CompositeKind K>
class CompositeOf final : public CompositeAdapter, public TalliedOf<K> {
public:
    std::string name() const override { return std::string(std::string_view(K::name)); }
    api::Kind kind() const override { return K::Object::kind; }
    std::vector<api::Kind> child_kinds() const override { return K::child_kinds(); }

    Result<ObjectFacts> facts(const Json& object) const override {
        auto decoded = api::decode_object<typename K::Object>(object);
        if (!decoded) return std::move(decoded).error();
        return ObjectFacts{"", K::needs(*decoded), K::claims(*decoded)};
    }
    std::vector<api::Cause> admit(const Json& object, const Json* old, const Inputs& inputs) const override {
        if constexpr (requires(const typename K::Object& o) { K::admit(o, &o, inputs); }) {
            auto decoded = api::decode_object<typename K::Object>(object);
            if (!decoded) return {};  // the schema says so better
            if (!old) return K::admit(*decoded, nullptr, inputs);
            const auto before = api::decode_object<typename K::Object>(*old);
            return K::admit(*decoded, before ? &*before : nullptr, inputs);
        }
        return {};
    }
    std::vector<Reference> further_needs(const Json& object, const Inputs& inputs) const override {
        if constexpr (requires(const typename K::Object& o) { K::further_needs(o, inputs); })
            if (const auto decoded = api::decode_object<typename K::Object>(object))
                return K::further_needs(*decoded, inputs);
        return {};
    }
    std::vector<HistogramKind> histograms() const override {
        if constexpr (requires { K::histograms(); }) return K::histograms();
        return {};
    }
    bool attends() const override {
        if constexpr (requires { K::attends; }) return K::attends;
        return false;
    }
    bool has_phase() const override {
        return requires(const typename K::Object& o) { o.status.phase; };
    }
    std::vector<Edit> edits(const Json& object, const Children& children, const Inputs& inputs) const override {
        if constexpr (requires(const typename K::Object& o) { K::edits(o, children, inputs); })
            if (const auto decoded = api::decode_object<typename K::Object>(object))
                return K::edits(*decoded, children, inputs);
        return {};
    }
    Result<Composed> compose(const Json& object, const Children& children, const Inputs& inputs) const override {
        auto decoded = api::decode_object<typename K::Object>(object);
        if (!decoded) return std::move(decoded).error();
        auto made = K::compose(*decoded, children, inputs);
        return Composed{std::move(made.children), api::encode(made.status), std::move(made.verdict),
                        std::move(made.findings), std::move(made.notes),    std::move(made.measures),
                        std::move(made.keeps),    made.look_again,          made.complete};
    }
};

/// Registers a composite kind. Optional, beside what kinds.hpp has: static std::set<std::string> tallies(const Json&
/// status): what of an object is counted over all of its kind; compose() finds the others' counts in its inputs
/// (tally.hpp).
template <CompositeKind K>
void add_composite(Manager& manager) {
    manager.add(std::make_unique<CompositeOf<K>>());
}

}  // namespace ocim::runtime
