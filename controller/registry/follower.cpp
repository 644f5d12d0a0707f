#include "registry/follower.hpp"

#include "registry/served.hpp"

namespace ocim::registry {

namespace {

constexpr std::size_t batch = 1'000;  // changes taken from the store at a time

class StoreFollower final : public Follower {
public:
    StoreFollower(store::Store& store, std::vector<std::pair<std::string, std::string>> kinds) : store_(store) {
        for (auto& [group, plural] : kinds) {
            auto prefix = key_prefix(group, plural);
            sources_.push_back({std::move(group), std::move(plural), std::move(prefix), nullptr});
        }
    }

    News take() override {
        News out;
        for (auto& source : sources_)
            if (!source.changes || !follow(source, out)) return everything();
        return out;
    }

private:
    struct Source {
        std::string group, plural, prefix;
        std::unique_ptr<store::Store::Watcher> changes;
    };

    /// False when it was too slow.
    static bool follow(Source& source, News& out) {
        for (;;) {
            const auto taken = source.changes->take(batch);
            if (!taken) return false;
            for (const auto& change : *taken)
                out.items.push_back(item(source, change->key, change->deleted ? nullptr : change->value));
            if (taken->size() < batch) return true;
        }
    }

    News everything() {
        News out;
        out.from_scratch = true;
        for (auto& source : sources_) {
            auto changes = store_.watch(source.prefix, store_.revision());
            assert(changes);  // from now on: never compacted
            source.changes = *std::move(changes);
            (void)store_.scan(source.prefix, "", 0, [&](const std::string& key, const store::Item& found) {
                out.items.push_back(item(source, key, found.value));
                return true;
            });
        }
        return out;
    }

    static Item item(const Source& source, const std::string& key, store::Bytes bytes) {
        const auto rest = key.substr(source.prefix.size());
        const auto slash = rest.find('/');
        if (slash == std::string::npos) return {source.group, source.plural, "", rest, std::move(bytes)};
        return {source.group, source.plural, rest.substr(0, slash), rest.substr(slash + 1), std::move(bytes)};
    }

    store::Store& store_;
    std::vector<Source> sources_;
};

}  // namespace

std::unique_ptr<Follower> make_follower(store::Store& store, std::vector<std::pair<std::string, std::string>> kinds) {
    return std::make_unique<StoreFollower>(store, std::move(kinds));
}

}  // namespace ocim::registry
