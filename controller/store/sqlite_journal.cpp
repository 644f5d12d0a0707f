#include "store/database_file.hpp"
#include "store/fold.hpp"
#include "store/store.hpp"

#include "base/async.hpp"

namespace ocim::store {

namespace {

/// All SQL runs on one thread of its own; the loop only waits for it.
class SqliteJournal final : public Journal {
public:
    SqliteJournal(boost::asio::any_io_executor loop, std::unique_ptr<DatabaseFile> file)
        : file_(std::move(file)), thread_(std::move(loop), "journal", 1, 16) {}

    awaitable<Result<Loaded>> load() override {
        auto work = [this] { return file_->load(); };
        co_return co_await thread_.call(std::move(work));
    }
    awaitable<Result<void>> append(std::vector<Change> batch) override {
        auto work = [this, batch = std::move(batch)] { return file_->append(batch); };
        co_return co_await thread_.call(std::move(work));
    }
    awaitable<Result<void>> compact(Revision revision) override {
        auto work = [this, revision] { return file_->compact(revision); };
        co_return co_await thread_.call(std::move(work));
    }

private:
    std::unique_ptr<DatabaseFile> file_;
    BlockingPool thread_;  // last: it ends before the file does
};

}  // namespace

Result<std::unique_ptr<Journal>> open_sqlite_journal(boost::asio::any_io_executor loop, const std::string& path) {
    auto file = DatabaseFile::open(path);
    if (!file) return std::move(file).error();
    return std::unique_ptr<Journal>(std::make_unique<SqliteJournal>(std::move(loop), *std::move(file)));
}

}  // namespace ocim::store
