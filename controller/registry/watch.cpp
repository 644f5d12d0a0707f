#include "registry/selection.hpp"
#include "registry/state.hpp"
#include "registry/text.hpp"

#include <algorithm>

namespace ocim::registry {

using api::Status;

namespace {

constexpr std::size_t events_max = 200;                      // handed out together: bounds the time of one slice
constexpr auto bookmark_interval = std::chrono::minutes(1);  // as kube-apiserver

Status expired(std::string message) {
    Status status;
    status.code = 410;
    status.reason = "Expired";
    status.message = std::move(message);
    return status;
}

class StoreWatch final : public Watch {
public:
    using Listed = std::vector<std::pair<std::string, store::Item>>;

    StoreWatch(ServedPtr served, Selection selection, std::unique_ptr<store::Store::Watcher> changes, Listed initial,
               const WatchOptions& options, Clock& clock)
        : served_(std::move(served)),
          selection_(std::move(selection)),
          changes_(std::move(changes)),
          initial_(std::move(initial)),
          initial_end_(options.send_initial_events && options.bookmarks),
          bookmarks_(options.bookmarks),
          clock_(clock),
          told_(changes_->seen()),
          bookmark_at_(clock.now() + bookmark_interval) {}

    awaitable<Outcome<std::vector<Event>>> next(Instant deadline) override {
        for (;;) {
            auto events = take();
            if (!events || !events->empty()) co_return events;
            if (!initial_done()) continue;
            if (*served_->retired) co_return expired("the resource is no longer served");
            const auto now = clock_.now();
            if (bookmarks_ && now >= bookmark_at_) {
                bookmark_at_ = now + bookmark_interval;
                if (changes_->seen() > told_) co_return std::vector<Event>(1, bookmark(false));
            }
            if (now >= deadline) co_return std::vector<Event>();
            const auto wake = bookmarks_ ? std::min(deadline, bookmark_at_) : deadline;
            co_await changes_->wait(wake);
        }
    }

    Revision seen() const override { return initial_done() ? changes_->seen() : 0; }

private:
    bool initial_done() const { return next_initial_ >= initial_.size(); }

    Outcome<std::vector<Event>> take() {
        std::vector<Event> out;
        for (std::size_t looked = 0; !initial_done() && looked < events_max; ++looked, ++next_initial_) {
            const auto& [key, item] = initial_[next_initial_];
            if (selection_.everything() || selection_.matches(key, *item.value))
                out.push_back({Event::Type::added, served_->show(key, item)});
        }
        if (!initial_done()) return out;
        initial_.clear();
        next_initial_ = 0;
        if (initial_end_) {
            initial_end_ = false;
            out.push_back(bookmark(true));
        }
        if (!out.empty()) return out;
        auto changes = changes_->take(events_max);
        if (!changes)
            return expired("too old resource version: " + std::to_string(told_) + " (" +
                           std::to_string(changes_->seen()) + ")");
        for (const auto& change : *changes) add(*change, out);
        return out;
    }

    void add(const store::Change& change, std::vector<Event>& out) {
        const bool all = selection_.everything();
        const bool now = !change.deleted && (all || selection_.matches(change.key, *change.value));
        const bool before = change.previous && (all || selection_.matches(change.key, *change.previous));
        if (!now && !before) return;
        store::Item item{change.revision, change.value, change.time_ms};
        auto type = before ? Event::Type::modified : Event::Type::added;
        if (!now) {
            type = Event::Type::deleted;
            // it has left the selection, or is gone: its last state there, at this revision
            if (!change.deleted)
                item.value = std::make_shared<const std::string>(with_revision(*change.previous, change.revision));
        }
        told_ = change.revision;
        out.push_back({type, served_->show(change.key, item)});
    }

    Event bookmark(bool initial_end) {
        Event out;
        out.type = Event::Type::bookmark;
        out.object.revision = told_ = changes_->seen();
        out.initial_end = initial_end;
        return out;
    }

    ServedPtr served_;
    Selection selection_;
    std::unique_ptr<store::Store::Watcher> changes_;
    Listed initial_;
    std::size_t next_initial_ = 0;
    bool initial_end_;
    bool bookmarks_;
    Clock& clock_;
    Revision told_;  ///< the last revision the reader has heard of
    Instant bookmark_at_;
};

}  // namespace

Outcome<std::unique_ptr<Watch>> Registry::watch(const Resource& resource, const WatchOptions& options) {
    const auto served = state_->served(resource);
    if (!served) return api::not_found(resource.plural, resource.group, "");
    auto selected = Selection::make(*served, options.labels, options.fields);
    if (!selected) return std::move(selected).error();
    Revision after = 0;
    if (!options.resource_version.empty()) {
        auto parsed = parse_revision(options.resource_version);
        if (!parsed) return std::move(parsed).error();
        after = *parsed;
    }
    auto& store = state_->store;
    auto prefix = served->prefix;
    if (served->resource.namespaced && !options.namespace_.empty()) prefix += options.namespace_ + "/";

    StoreWatch::Listed initial;
    const bool listed = options.send_initial_events || (after == 0 && !options.only_changes);
    if (after == 0) after = store.revision();
    if (listed && after > store.revision()) return too_large_revision(after, store.revision());
    if (listed) {
        const auto only = selected->only_key(*served, options.namespace_);
        if (only) {
            if (auto item = store.get(*only)) initial.emplace_back(*only, *std::move(item));
        } else {
            (void)store.scan(prefix, "", 0, [&](const std::string& key, const store::Item& item) {
                initial.emplace_back(key, item);
                return true;
            });
        }
        after = store.revision();
    }
    auto changes = store.watch(prefix, after);
    if (!changes) return expired(changes.error().message);
    return std::unique_ptr<Watch>(std::make_unique<StoreWatch>(served, *std::move(selected), *std::move(changes),
                                                               std::move(initial), options, state_->clock));
}

}  // namespace ocim::registry
