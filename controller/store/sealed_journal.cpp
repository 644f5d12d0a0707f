#include "store/sealed_journal.hpp"

#include "store/database_file.hpp"

namespace ocim::store {

namespace {

constexpr std::size_t slice = 200;  // values encrypted anew in one transaction: appends go in between

class Sealed final : public SealedJournal {
public:
    Sealed(boost::asio::any_io_executor loop, std::unique_ptr<DatabaseFile> file, KeyRing ring, std::string prefix)
        : file_(std::move(file)),
          ring_(std::make_shared<const KeyRing>(std::move(ring))),
          prefix_(std::move(prefix)),
          thread_(std::move(loop), "journal", 1, 16) {}

    awaitable<Result<Loaded>> load() override {
        auto work = [this, ring = ring_] {
            return file_->load([&](const std::string& key, std::string value) -> Result<std::string> {
                if (!key.starts_with(prefix_)) return value;
                return ring->open(key, value);
            });
        };
        co_return co_await thread_.call(std::move(work));
    }

    awaitable<Result<void>> append(std::vector<Change> batch) override {
        for (auto& change : batch) {
            if (!change.key.starts_with(prefix_)) continue;
            auto sealed = ring_->seal(change.key, *change.value);
            if (!sealed) co_return std::move(sealed).error();
            change.value = std::make_shared<const std::string>(*std::move(sealed));
        }
        auto work = [this, batch = std::move(batch)] { return file_->append(batch); };
        co_return co_await thread_.call(std::move(work));
    }

    awaitable<Result<void>> compact(Revision revision) override {
        auto work = [this, revision] { return file_->compact(revision); };
        co_return co_await thread_.call(std::move(work));
    }

    void use(KeyRing ring) override { ring_ = std::make_shared<const KeyRing>(std::move(ring)); }
    const KeyRing& ring() const override { return *ring_; }

    awaitable<Result<std::size_t>> reseal() override {
        std::size_t all = 0;
        bool plain = false;
        for (std::optional<Revision> after = 0; after;) {
            auto work = [this, ring = ring_, from = *after]() -> Result<DatabaseFile::Rewritten> {
                return file_->rewrite(prefix_, from, slice, [&](const std::string& key, const std::string& stored) {
                    return sealed_anew(*ring, key, stored);
                });
            };
            CO_TRY(const auto done, co_await thread_.call(std::move(work)));
            all += done.changed;
            plain = plain || done.marked;
            after = done.next;
        }
        if (!plain) co_return all;
        auto scrub = [this] { return file_->scrub(); };
        CO_CHECK(co_await thread_.call(std::move(scrub)));
        co_return all;
    }

private:
    static Result<DatabaseFile::Rewrite> sealed_anew(const KeyRing& ring, const std::string& key,
                                                     const std::string& stored) {
        DatabaseFile::Rewrite out;
        if (ring.is_current(stored)) return out;
        out.marked = !is_sealed(stored);
        auto value = ring.open(key, stored);
        if (!value) return std::move(value).error();
        auto sealed = ring.seal(key, *value);
        if (!sealed) return std::move(sealed).error();
        out.value = *std::move(sealed);
        return out;
    }

    std::unique_ptr<DatabaseFile> file_;
    std::shared_ptr<const KeyRing> ring_;  // shared with the thread, which may still work with the one before
    const std::string prefix_;
    BlockingPool thread_;  // last: it ends before the file does
};

}  // namespace

Result<std::unique_ptr<SealedJournal>> open_sealed_journal(boost::asio::any_io_executor loop, const std::string& path,
                                                           KeyRing ring, std::string prefix) {
    auto file = DatabaseFile::open(path);
    if (!file) return std::move(file).error();
    return std::unique_ptr<SealedJournal>(
        std::make_unique<Sealed>(std::move(loop), *std::move(file), std::move(ring), std::move(prefix)));
}

}  // namespace ocim::store
