#include "store/database_file.hpp"

#include "store/fold.hpp"

#include <fcntl.h>
#include <sqlite3.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cerrno>
#include <cstring>

namespace ocim::store {

namespace {

constexpr std::int64_t application = 0x4f63696d;  // "Ocim" in the file's header
constexpr std::int64_t format = 1;

/// Made by us, so that nobody else can read it even for a moment; SQLite gives its side files the same mode.
Result<void> make_private(const std::string& path) {
    const int descriptor = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (descriptor < 0 || fchmod(descriptor, 0600) != 0) {
        const std::string why = std::strerror(errno);
        if (descriptor >= 0) close(descriptor);
        return Error{ErrorClass::invalid, "cannot open " + path + ": " + why};
    }
    close(descriptor);
    return {};
}

ErrorClass class_of(int code) {
    switch (code & 0xff) {
        case SQLITE_NOTADB:
        case SQLITE_CORRUPT:
        case SQLITE_FORMAT: return ErrorClass::invalid;
        case SQLITE_FULL:
        case SQLITE_IOERR:
        case SQLITE_CANTOPEN:
        case SQLITE_READONLY: return ErrorClass::unreachable;
        default: return ErrorClass::transient;
    }
}

/// What a person can do about it; every write tries anew by itself. `system` is an errno.
const char* next_step(int code, int system) {
    if (class_of(code) != ErrorClass::unreachable) return "";
    const bool full = (code & 0xff) == SQLITE_FULL || system == ENOSPC || system == EDQUOT;
    return full ? ": free some space on its disk, and writes go on by themselves"
                : ": mend its disk, and writes go on by themselves";
}

}  // namespace

void DatabaseFile::Closer::operator()(sqlite3* connection) const { sqlite3_close_v2(connection); }
void DatabaseFile::Closer::operator()(sqlite3_stmt* statement) const { sqlite3_finalize(statement); }

DatabaseFile::DatabaseFile(std::string path, FileLock lock) : path_(std::move(path)), lock_(std::move(lock)) {}
DatabaseFile::~DatabaseFile() = default;

Result<std::unique_ptr<DatabaseFile>> DatabaseFile::open(const std::string& path) {
    auto lock = FileLock::take(path + ".lock");
    if (!lock) return std::move(lock).error();
    if (auto made = make_private(path); !made) return std::move(made).error();
    std::unique_ptr<DatabaseFile> file(new DatabaseFile(path, *std::move(lock)));
    if (auto connected = file->connect(); !connected) return std::move(connected).error();
    const auto stored = file->number(
        "SELECT max(coalesce((SELECT max(revision) FROM change), 0), "
        "coalesce((SELECT value FROM mark WHERE name = 'compacted'), 0))");
    if (!stored) return stored.error();
    file->stored_ = static_cast<Revision>(*stored);
    return file;
}

Error DatabaseFile::error(const char* doing) const {
    const int code = connection_ ? sqlite3_extended_errcode(connection_.get()) : SQLITE_NOMEM;
    std::string why = connection_ ? sqlite3_errmsg(connection_.get()) : "out of memory";
    const int system = connection_ ? sqlite3_system_errno(connection_.get()) : 0;
    if (class_of(code) == ErrorClass::unreachable && system != 0)
        why += std::string(" (") + std::strerror(system) + ")";
    return Error{class_of(code), path_ + ": " + doing + ": " + why + next_step(code, system)};
}

Result<void> DatabaseFile::connect() {
    insert_.reset(), begin_.reset(), commit_.reset(), rollback_.reset();
    connection_.reset();
    sqlite3* raw = nullptr;
    const int opened = sqlite3_open_v2(path_.c_str(), &raw,
                                       SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_NOFOLLOW, nullptr);
    connection_.reset(raw);
    if (opened != SQLITE_OK) return error("open");
    sqlite3_extended_result_codes(raw, 1);
    if (auto checked = check_format(); !checked) return checked;
    if (auto logged = use_log(); !logged) return logged;
    // FULL: a commit is on the disk when it returns, not merely in the write-ahead log's page cache
    for (const char* sql : {"PRAGMA synchronous=FULL", "PRAGMA journal_size_limit=67108864",
                            "CREATE TABLE IF NOT EXISTS change (revision INTEGER PRIMARY KEY, key TEXT NOT NULL, "
                            "value BLOB NOT NULL, deleted INTEGER NOT NULL, time_ms INTEGER NOT NULL)",
                            "CREATE INDEX IF NOT EXISTS change_of_key ON change (key, revision)",
                            "CREATE TABLE IF NOT EXISTS mark (name TEXT PRIMARY KEY, value INTEGER NOT NULL)"})
        if (auto ran = run(sql); !ran) return ran;
    const std::pair<const char*, Statement*> statements[] = {
        {"INSERT INTO change (revision, key, value, deleted, time_ms) VALUES (?1, ?2, ?3, ?4, ?5)", &insert_},
        {"BEGIN IMMEDIATE", &begin_},
        {"COMMIT", &commit_},
        {"ROLLBACK", &rollback_}};
    for (auto [sql, statement] : statements) {
        auto prepared = prepare(sql);
        if (!prepared) return std::move(prepared).error();
        *statement = *std::move(prepared);
    }
    return {};
}

Result<void> DatabaseFile::check_format() {
    const auto id = number("PRAGMA application_id");
    if (!id) return id.error();
    const auto version = number("PRAGMA user_version");
    if (!version) return version.error();
    const auto tables = number("SELECT count(*) FROM sqlite_master");
    if (!tables) return tables.error();
    if (*id == 0 && *version == 0 && *tables == 0) {
        if (auto marked = run("PRAGMA application_id=1331915117"); !marked) return marked;
        return run("PRAGMA user_version=1");
    }
    if (*id != application) return Error{ErrorClass::invalid, path_ + " is a database, but not one of ours"};
    if (*version > format)
        return Error{ErrorClass::invalid, path_ + " has format " + std::to_string(*version) +
                                              ", of a newer version of this program, which reads up to format " +
                                              std::to_string(format)};
    return {};
}

/// SQLite stays silently with what it had when it cannot change it.
Result<void> DatabaseFile::use_log() {
    constexpr const char* sql = "PRAGMA journal_mode=WAL";
    auto statement = prepare(sql);
    if (!statement) return std::move(statement).error();
    if (sqlite3_step(statement->get()) != SQLITE_ROW) return error(sql);
    const auto* mode = reinterpret_cast<const char*>(sqlite3_column_text(statement->get(), 0));
    if (mode && std::string_view(mode) == "wal") return {};
    return Error{ErrorClass::unreachable, path_ + ": cannot use a write-ahead log: move it to a local disk"};
}

Result<void> DatabaseFile::run(const char* sql) {
    if (sqlite3_exec(connection_.get(), sql, nullptr, nullptr, nullptr) != SQLITE_OK) return error(sql);
    return {};
}

Result<DatabaseFile::Statement> DatabaseFile::prepare(const char* sql) {
    sqlite3_stmt* raw = nullptr;
    if (sqlite3_prepare_v3(connection_.get(), sql, -1, SQLITE_PREPARE_PERSISTENT, &raw, nullptr) != SQLITE_OK)
        return error(sql);
    return Statement(raw);
}

Result<void> DatabaseFile::step(Statement& statement) {
    const int code = sqlite3_step(statement.get());
    auto failed = code == SQLITE_DONE ? Result<void>() : Result<void>(error("write"));
    sqlite3_reset(statement.get());
    return failed;
}

Result<std::int64_t> DatabaseFile::number(const char* sql) {
    auto statement = prepare(sql);
    if (!statement) return std::move(statement).error();
    const int code = sqlite3_step(statement->get());
    if (code == SQLITE_DONE) return std::int64_t{0};
    if (code != SQLITE_ROW) return error(sql);
    return sqlite3_column_int64(statement->get(), 0);
}

Result<Journal::Loaded> DatabaseFile::load(const Open& open) {
    const auto compacted = number("SELECT value FROM mark WHERE name = 'compacted'");
    if (!compacted) return compacted.error();
    auto statement = prepare("SELECT revision, key, value, deleted, time_ms FROM change ORDER BY revision");
    if (!statement) return std::move(statement).error();
    auto* row = statement->get();
    std::vector<Change> changes;
    int code = SQLITE_OK;
    while ((code = sqlite3_step(row)) == SQLITE_ROW) {
        auto& change = changes.emplace_back();
        const auto text = [&](int column) {
            const auto* data = static_cast<const char*>(sqlite3_column_blob(row, column));
            return std::string(data ? data : "", static_cast<std::size_t>(sqlite3_column_bytes(row, column)));
        };
        change.revision = static_cast<Revision>(sqlite3_column_int64(row, 0));
        change.key = text(1);
        auto value = open ? open(change.key, text(2)) : Result<std::string>(text(2));
        if (!value) return std::move(value).error().within(path_);
        change.value = std::make_shared<const std::string>(*std::move(value));
        change.deleted = sqlite3_column_int(row, 3) != 0;
        change.time_ms = sqlite3_column_int64(row, 4);
    }
    if (code != SQLITE_DONE) return error("load");
    const auto upto = static_cast<Revision>(*compacted);
    return fold(std::move(changes), upto, upto);
}

Result<void> DatabaseFile::append(const std::vector<Change>& batch) {
    if (batch.empty()) return {};
    if (auto healed = heal(); !healed) return healed;
    auto stored = insert(batch);
    if (stored) {
        stored_ = batch.back().revision;
        return stored;
    }
    doubtful_ = true;  // until the file was read anew, whatever the roll-back says
    (void)step(rollback_);
    return stored;
}

Result<void> DatabaseFile::insert(const std::vector<Change>& batch) {
    if (auto begun = step(begin_); !begun) return begun;
    auto* row = insert_.get();
    for (const auto& change : batch) {
        sqlite3_bind_int64(row, 1, static_cast<std::int64_t>(change.revision));
        sqlite3_bind_text(row, 2, change.key.data(), static_cast<int>(change.key.size()), SQLITE_STATIC);
        sqlite3_bind_blob(row, 3, change.value->data(), static_cast<int>(change.value->size()), SQLITE_STATIC);
        sqlite3_bind_int(row, 4, change.deleted ? 1 : 0);
        sqlite3_bind_int64(row, 5, change.time_ms);
        if (auto inserted = step(insert_); !inserted) return inserted;
    }
    sqlite3_clear_bindings(row);
    return step(commit_);
}

/// After a failed commit its pages may be in the log, on the disk or in the kernel's cache only; a sync that failed
/// says nothing about those any more, even if repeated. So what the log holds is written once more, elsewhere: the file
/// is opened anew, the log moved into it and synced there, and what was reported as not stored is removed.
Result<void> DatabaseFile::heal() {
    if (!doubtful_) return {};
    if (auto connected = connect(); !connected) return connected;
    if (auto moved = run("PRAGMA wal_checkpoint(TRUNCATE)"); !moved) return moved;
    auto remove = prepare("DELETE FROM change WHERE revision > ?1");
    if (!remove) return std::move(remove).error();
    sqlite3_bind_int64(remove->get(), 1, static_cast<std::int64_t>(stored_));
    if (auto removed = step(*remove); !removed) return removed;
    doubtful_ = false;
    return {};
}

Result<void> DatabaseFile::settle() {
    constexpr const char* sql = "PRAGMA wal_checkpoint(TRUNCATE)";
    const auto busy = number(sql);  // it fails without an error when somebody reads
    if (!busy) return busy.error();
    if (*busy == 0) return {};
    return Error{ErrorClass::conflict, path_ + ": somebody else has it open"};
}

Result<DatabaseFile::Rewritten> DatabaseFile::rewrite(
    const std::string& prefix, Revision after, std::size_t count,
    const std::function<Result<Rewrite>(const std::string& key, const std::string& value)>& change) {
    if (auto begun = step(begin_); !begun) return std::move(begun).error();
    auto out = rewrite_within(prefix, after, count, change);
    if (!out) {
        (void)step(rollback_);
        return out;
    }
    if (auto committed = step(commit_); !committed) {
        (void)step(rollback_);
        return std::move(committed).error();
    }
    return out;
}

Result<DatabaseFile::Rewritten> DatabaseFile::rewrite_within(
    const std::string& prefix, Revision after, std::size_t count,
    const std::function<Result<Rewrite>(const std::string& key, const std::string& value)>& change) {
    struct Row {
        Revision revision;
        std::string key, value;
    };
    auto select = prepare(
        "SELECT revision, key, value FROM change WHERE revision > ?1 AND substr(key, 1, ?2) = ?3 "
        "ORDER BY revision LIMIT ?4");
    if (!select) return std::move(select).error();
    auto* row = select->get();
    sqlite3_bind_int64(row, 1, static_cast<std::int64_t>(after));
    sqlite3_bind_int64(row, 2, static_cast<std::int64_t>(prefix.size()));
    sqlite3_bind_text(row, 3, prefix.data(), static_cast<int>(prefix.size()), SQLITE_STATIC);
    sqlite3_bind_int64(row, 4, static_cast<std::int64_t>(count));
    std::vector<Row> rows;
    int code = SQLITE_OK;
    while ((code = sqlite3_step(row)) == SQLITE_ROW) {
        const auto text = [&](int column) {
            const auto* data = static_cast<const char*>(sqlite3_column_blob(row, column));
            return std::string(data ? data : "", static_cast<std::size_t>(sqlite3_column_bytes(row, column)));
        };
        rows.push_back({static_cast<Revision>(sqlite3_column_int64(row, 0)), text(1), text(2)});
    }
    if (code != SQLITE_DONE) return error("read");
    auto update = prepare("UPDATE change SET value = ?2 WHERE revision = ?1");
    if (!update) return std::move(update).error();
    Rewritten out;
    for (const auto& one : rows) {
        auto wanted = change(one.key, one.value);
        if (!wanted) return std::move(wanted).error().within(path_);
        if (!wanted->value) continue;
        out.marked = out.marked || wanted->marked;
        ++out.changed;
        sqlite3_bind_int64(update->get(), 1, static_cast<std::int64_t>(one.revision));
        sqlite3_bind_blob(update->get(), 2, wanted->value->data(), static_cast<int>(wanted->value->size()),
                          SQLITE_STATIC);
        if (auto stored = step(*update); !stored) return std::move(stored).error();
    }
    if (rows.size() == count) out.next = rows.back().revision;
    return out;
}

Result<void> DatabaseFile::scrub() {
    if (auto done = run("VACUUM"); !done) return done;
    return run("PRAGMA wal_checkpoint(TRUNCATE)");
}

Result<void> DatabaseFile::compact(Revision revision) {
    if (auto healed = heal(); !healed) return healed;
    if (auto begun = step(begin_); !begun) return begun;
    auto compacted = delete_up_to(revision);
    if (compacted) compacted = step(commit_);
    if (compacted) return compacted;
    doubtful_ = true;
    (void)step(rollback_);
    return compacted;
}

/// The last change of each key up to `revision` stays, unless it is a deletion. Before the last compaction everything
/// is so already: only what the changes since then have replaced is looked for.
Result<void> DatabaseFile::delete_up_to(Revision revision) {
    for (const char* sql : {"DELETE FROM change WHERE revision IN (SELECT earlier.revision FROM change AS later "
                            "JOIN change AS earlier ON earlier.key = later.key AND earlier.revision < later.revision "
                            "WHERE later.revision <= ?1 AND later.revision > "
                            "coalesce((SELECT value FROM mark WHERE name = 'compacted'), 0))",
                            "DELETE FROM change WHERE deleted <> 0 AND revision <= ?1 AND revision > "
                            "coalesce((SELECT value FROM mark WHERE name = 'compacted'), 0)",
                            "INSERT INTO mark (name, value) VALUES ('compacted', ?1) "
                            "ON CONFLICT (name) DO UPDATE SET value = max(value, excluded.value)"}) {
        auto statement = prepare(sql);
        if (!statement) return std::move(statement).error();
        sqlite3_bind_int64(statement->get(), 1, static_cast<std::int64_t>(revision));
        if (auto done = step(*statement); !done) return done;
    }
    return {};
}

}  // namespace ocim::store
