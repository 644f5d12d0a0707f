#include "store/transfer.hpp"

#include "store/database_file.hpp"
#include "store/file_lock.hpp"
#include "store/postgres_log.hpp"
#include "store/postgres_words.hpp"

#include <fcntl.h>
#include <sqlite3.h>
#include <unistd.h>
#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <memory>

namespace ocim::store {

namespace {

namespace fs = std::filesystem;

constexpr std::string_view sealed_prefix = "core/secrets/";
constexpr std::size_t slice = 1'000;  // changes written together

OpenValue opener(const KeyRing& keys) {
    return [&keys](const std::string& key, std::string value) -> Result<std::string> {
        if (!key.starts_with(sealed_prefix)) return value;
        return keys.open(key, value);
    };
}

/// A file that goes with its lock and what SQLite puts beside it.
struct Temporary {
    std::string path;
    ~Temporary() {
        std::error_code ignored;
        for (const auto* ending : {"", ".lock", "-wal", "-shm"}) fs::remove(path + ending, ignored);
    }
};

/// A copy of one moment, whoever writes meanwhile.
Result<void> copy_file(const std::string& from, const std::string& to) {
    sqlite3* raw = nullptr;
    const int opened = sqlite3_open_v2(from.c_str(), &raw, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOFOLLOW, nullptr);
    const std::unique_ptr<sqlite3, decltype(&sqlite3_close_v2)> connection(raw, &sqlite3_close_v2);
    const auto error = [&] { return Error{ErrorClass::transient, from + ": " + sqlite3_errmsg(raw)}; };
    if (opened != SQLITE_OK) return error();
    sqlite3_busy_timeout(raw, 30'000);
    sqlite3_stmt* statement = nullptr;
    if (sqlite3_prepare_v2(raw, "VACUUM INTO ?1", -1, &statement, nullptr) != SQLITE_OK) return error();
    sqlite3_bind_text(statement, 1, to.c_str(), -1, SQLITE_STATIC);
    const int done = sqlite3_step(statement);
    sqlite3_finalize(statement);
    return done == SQLITE_DONE ? Result<void>() : Result<void>(error());
}

Result<Snapshot> read_file(const std::string& path, const KeyRing& keys) {
    auto file = DatabaseFile::open(path);
    if (!file) return std::move(file).error();
    auto loaded = (*file)->load(opener(keys));
    if (!loaded) return std::move(loaded).error();
    return Snapshot{loaded->revision, std::move(loaded->state)};
}

auto in(std::chrono::seconds time) { return std::chrono::steady_clock::now() + time; }

Result<bool> holds_store(PostgresConnection& connection) {
    const auto there =
        connection.ask({"SELECT to_regclass('ocim_meta') IS NOT NULL", {}, false}, in(std::chrono::seconds(10)));
    if (!there) return there.error();
    return is_true(there->front().front());
}

/// Keeps servers away as long as the session lives.
Result<void> keep_servers_away(PostgresConnection& connection) {
    const auto taken = connection.ask({"SELECT pg_try_advisory_lock($1::bigint)", {{presence, false}}, false},
                                      in(std::chrono::seconds(10)));
    if (!taken) return taken.error();
    if (is_true(taken->front().front())) return {};
    const auto who = connection.ask(
        {"SELECT coalesce(string_agg(DISTINCT coalesce(host(a.client_addr), 'this host'), ', '), '') FROM pg_locks l "
         "JOIN pg_stat_activity a USING (pid) WHERE l.locktype = 'advisory' AND l.granted AND l.database = a.datid AND "
         "(l.classid::bigint << 32 | l.objid::bigint) = $1::bigint",
         {{presence, false}},
         false},
        in(std::chrono::seconds(10)));
    return Error{ErrorClass::conflict, "a server runs on the database (from " +
                                           (who && !who->empty() ? who->front().front() : std::string("somewhere")) +
                                           "): end all of them first"};
}

Result<Snapshot> read_database(const PostgresSettings& settings, const KeyRing& keys) {
    const Interrupt never;
    auto connection = PostgresConnection::open(settings, never, in(std::chrono::seconds(10)));
    if (!connection) return std::move(connection).error();
    const auto there = holds_store(**connection);
    if (!there) return there.error();
    if (!*there) return Error{ErrorClass::not_found, "the database holds no store"};
    auto loaded = PostgresReader(settings, never).load(opener(keys));
    if (!loaded) return std::move(loaded).error();
    return Snapshot{loaded->all.revision, std::move(loaded->all.state)};
}

/// In the order of revisions, as a journal has them, and sealed.
Result<std::vector<Change>> changes_of(const Snapshot& snapshot, const KeyRing& keys) {
    std::vector<Change> out;
    out.reserve(snapshot.state.size());
    for (const auto& [key, item] : snapshot.state) {
        Change change;
        change.revision = item.revision;
        change.key = key;
        change.value = item.value;
        change.time_ms = item.time_ms;
        if (key.starts_with(sealed_prefix)) {
            auto sealed = keys.seal(key, *item.value);
            if (!sealed) return std::move(sealed).error();
            change.value = std::make_shared<const std::string>(*std::move(sealed));
        }
        out.push_back(std::move(change));
    }
    std::ranges::sort(out, {}, &Change::revision);
    return out;
}

Result<void> write_file(const std::string& path, const std::vector<Change>& changes, Revision revision) {
    auto file = DatabaseFile::open(path);
    if (!file) return std::move(file).error();
    for (std::size_t at = 0; at < changes.size(); at += slice) {
        const auto end = std::min(changes.size(), at + slice);
        const auto from = changes.begin() + static_cast<std::ptrdiff_t>(at);
        const auto to = changes.begin() + static_cast<std::ptrdiff_t>(end);
        if (auto stored = (*file)->append(std::vector<Change>(from, to)); !stored) return stored;
    }
    if (auto compacted = (*file)->compact(revision); !compacted) return compacted;
    return (*file)->settle();
}

Result<void> same(const Result<Snapshot>& read, const Snapshot& wanted) {
    if (!read) return Error(read.error()).within("reading back what was written");
    const bool equal = read->revision == wanted.revision &&
                       std::ranges::equal(read->state, wanted.state, [](const auto& a, const auto& b) {
                           return a.first == b.first && a.second.revision == b.second.revision &&
                                  a.second.time_ms == b.second.time_ms && *a.second.value == *b.second.value;
                       });
    if (equal) return {};
    return Error{ErrorClass::transient, "what was written reads otherwise: do not use it"};
}

/// A log that is left of another database SQLite would play into what is put beside it.
Result<void> refuse_left_over(const std::string& path) {
    if (fs::exists(path)) return Error{ErrorClass::conflict, path + " is there already"};
    for (const auto* ending : {"-wal", "-shm", "-journal"})
        if (fs::exists(path + ending))
            return Error{ErrorClass::conflict, path + ending +
                                                   " is left of the database that was there: move it to where that "
                                                   "database is now, and try again"};
    return {};
}

/// A file, or the names in a directory.
Result<void> sync(const std::string& path) {
    const int descriptor = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
    const bool good = descriptor >= 0 && ::fsync(descriptor) == 0;
    const std::string why = good ? "" : std::strerror(errno);
    if (descriptor >= 0) ::close(descriptor);
    return good ? Result<void>() : Result<void>(Error{ErrorClass::transient, path + ": " + why});
}

/// It becomes `path` as a whole: nothing of it is in a log beside it.
Result<void> put_in_place(const std::string& fresh, const std::string& path) {
    std::error_code failed;
    const auto log = fs::file_size(fresh + "-wal", failed);
    if (!failed && log > 0)
        return Error{ErrorClass::transient, fresh + "-wal still holds some of it: see to the disk, and try again"};
    if (auto synced = sync(fresh); !synced) return synced;
    failed.clear();
    fs::rename(fresh, path, failed);
    if (failed) return Error{ErrorClass::transient, path + ": " + failed.message()};
    const auto directory = fs::path(path).parent_path().string();
    return sync(directory.empty() ? "." : directory);
}

Result<void> fill_file(const std::string& path, const KeyRing& keys, const Snapshot& snapshot) {
    const auto lock = FileLock::take(path + ".lock");  // a server that is started meanwhile would make the file
    if (!lock) return lock.error();
    if (auto free = refuse_left_over(path); !free) return free;
    auto changes = changes_of(snapshot, keys);
    if (!changes) return std::move(changes).error();
    const Temporary fresh{path + ".new"};
    if (fs::exists(fresh.path)) return Error{ErrorClass::conflict, fresh.path + " is there already: remove it"};
    if (auto wrote = write_file(fresh.path, *changes, snapshot.revision); !wrote) return wrote;
    if (auto good = same(read_file(fresh.path, keys), snapshot); !good) return good;
    return put_in_place(fresh.path, path);
}

Result<void> fill_database(const PostgresSettings& settings, const KeyRing& keys, const Snapshot& snapshot) {
    const Interrupt never;
    PostgresReader reader(settings, never);
    if (auto made = reader.prepare(); !made) return std::move(made).error();
    auto connection = PostgresConnection::open(settings, never, in(std::chrono::seconds(10)));
    if (!connection) return std::move(connection).error();
    if (auto free = keep_servers_away(**connection); !free) return free;
    auto changes = changes_of(snapshot, keys);
    if (!changes) return std::move(changes).error();
    PostgresWriter writer(settings, never, "transfer");
    const auto seal = keys.seal(seal_name, "");
    if (!seal) return seal.error();
    if (auto stored = writer.seed(*changes, snapshot.revision, *seal); !stored) return stored;
    return same(read_database(settings, keys), snapshot);
}

}  // namespace

struct Claim::Held {
    std::optional<FileLock> file;
    Interrupt never;
    std::unique_ptr<PostgresConnection> session;
};

Claim::Claim(std::unique_ptr<Held> held) : held_(std::move(held)) {}
Claim::Claim(Claim&&) noexcept = default;
Claim::~Claim() = default;

Result<Claim> Claim::make(const Place& place) {
    auto held = std::make_unique<Held>();
    if (!place.database) {
        if (!fs::exists(place.file)) return Error{ErrorClass::not_found, place.file + " is not there"};
        auto lock = FileLock::take(place.file + ".lock");
        if (!lock) return std::move(lock).error();
        held->file.emplace(*std::move(lock));
        return Claim(std::move(held));
    }
    auto opened = PostgresConnection::open(*place.database, held->never, in(std::chrono::seconds(10)));
    if (!opened) return std::move(opened).error();
    held->session = *std::move(opened);
    const auto there = holds_store(*held->session);
    if (!there) return there.error();
    if (!*there) return Error{ErrorClass::not_found, "the database holds no store"};
    if (auto free = keep_servers_away(*held->session); !free) return std::move(free).error();
    return Claim(std::move(held));
}

Result<void> Claim::confirm() {
    if (!held_->session) return {};
    const auto alive = held_->session->ask({"SELECT 1", {}, false}, in(std::chrono::seconds(10)));
    if (alive) return {};
    return Error{ErrorClass::conflict, "the connection that kept servers away was lost (" + alive.error().message +
                                           "): if one ran meanwhile, what it wrote was not carried over"};
}

Result<Snapshot> read_snapshot(const Place& place, const KeyRing& keys) {
    if (place.database) return read_database(*place.database, keys);
    if (!fs::exists(place.file)) return Error{ErrorClass::not_found, place.file + " is not there"};
    const Temporary copy{place.file + ".copy-" + std::to_string(::getpid())};
    if (auto copied = copy_file(place.file, copy.path); !copied) return std::move(copied).error();
    return read_file(copy.path, keys);
}

Result<void> fill(const Place& place, const KeyRing& keys, const Snapshot& snapshot) {
    return place.database ? fill_database(*place.database, keys, snapshot) : fill_file(place.file, keys, snapshot);
}

}  // namespace ocim::store
