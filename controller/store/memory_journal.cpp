#include "store/fold.hpp"
#include "store/store.hpp"

#include <algorithm>
#include <map>

namespace ocim::store {

struct MemoryDisk {
    std::vector<Change> changes;  // those after `compacted`, and before them the last one of each living key
    Revision compacted = 0;
    Revision revision = 0;
};

std::shared_ptr<MemoryDisk> make_memory_disk() { return std::make_shared<MemoryDisk>(); }

namespace {

class MemoryJournal final : public Journal {
public:
    explicit MemoryJournal(std::shared_ptr<MemoryDisk> disk) : disk_(std::move(disk)) {}

    awaitable<Result<Loaded>> load() override { co_return fold(disk_->changes, disk_->compacted, disk_->revision); }

    awaitable<Result<void>> append(std::vector<Change> batch) override {
        for (auto& change : batch) {
            disk_->revision = change.revision;
            disk_->changes.push_back(std::move(change));
            disk_->changes.back().previous.reset();  // load() finds it again
        }
        co_return Result<void>();
    }

    awaitable<Result<void>> compact(Revision revision) override {
        std::map<std::string_view, Revision> last;  // of each key, up to `revision`
        for (const auto& change : disk_->changes)
            if (change.revision <= revision) last[change.key] = change.revision;
        const auto superseded = [&](const Change& change) {
            return change.revision <= revision && (change.deleted || last[change.key] != change.revision);
        };
        std::vector<Change> kept;
        for (const auto& change : disk_->changes)
            if (!superseded(change)) kept.push_back(change);
        disk_->changes = std::move(kept);
        disk_->compacted = std::max(disk_->compacted, revision);
        co_return Result<void>();
    }

private:
    std::shared_ptr<MemoryDisk> disk_;  // shared with the caller, whose disk it is
};

}  // namespace

std::unique_ptr<Journal> open_memory_journal(std::shared_ptr<MemoryDisk> disk) {
    return std::make_unique<MemoryJournal>(std::move(disk));
}

}  // namespace ocim::store
