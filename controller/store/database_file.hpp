#pragma once

#include "store/file_lock.hpp"
#include "store/store.hpp"

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

struct sqlite3;
struct sqlite3_stmt;

namespace ocim::store {

/// The journal's SQLite file: one table of changes, of which compaction keeps the last of each living key and all
/// after the compacted revision. Blocking; used by one thread at a time.
class DatabaseFile {
public:
    static Result<std::unique_ptr<DatabaseFile>> open(const std::string& path);
    ~DatabaseFile();
    DatabaseFile(const DatabaseFile&) = delete;
    DatabaseFile& operator=(const DatabaseFile&) = delete;

    /// Turns a stored value into what it stands for.
    using Open = std::function<Result<std::string>(const std::string& key, std::string value)>;
    Result<Journal::Loaded> load(const Open& open = nullptr);
    Result<void> append(const std::vector<Change>& batch);
    Result<void> compact(Revision revision);

    /// What becomes of one stored value.
    struct Rewrite {
        std::optional<std::string> value;  ///< nothing: it stays
        bool marked = false;
    };
    struct Rewritten {
        std::size_t changed = 0;
        bool marked = false;           ///< one of them was
        std::optional<Revision> next;  ///< go on after this revision; nothing: that was all
    };
    /// Replaces the values of up to `count` changes after a revision, of keys that start with `prefix`, in one
    /// transaction; their revisions stay. All of it or, with an error, nothing.
    Result<Rewritten> rewrite(
        const std::string& prefix, Revision after, std::size_t count,
        const std::function<Result<Rewrite>(const std::string& key, const std::string& value)>& change);
    /// Writes the file anew, so that nothing is left in it of what was deleted or replaced.
    Result<void> scrub();
    /// All of it is in the file itself then, and the log beside it empty. Error conflict: somebody else has it open.
    Result<void> settle();

private:
    struct Closer {
        void operator()(sqlite3* connection) const;
        void operator()(sqlite3_stmt* statement) const;
    };
    using Statement = std::unique_ptr<sqlite3_stmt, Closer>;

    DatabaseFile(std::string path, FileLock lock);
    Result<void> connect();
    Result<void> check_format();
    Result<void> use_log();
    Result<void> run(const char* sql);
    Result<void> step(Statement& statement);
    Result<std::int64_t> number(const char* sql);
    Result<Statement> prepare(const char* sql);
    Result<Rewritten> rewrite_within(
        const std::string& prefix, Revision after, std::size_t count,
        const std::function<Result<Rewrite>(const std::string& key, const std::string& value)>& change);
    Result<void> insert(const std::vector<Change>& batch);
    Result<void> heal();
    Result<void> delete_up_to(Revision revision);
    Error error(const char* doing) const;

    const std::string path_;
    FileLock lock_;
    std::unique_ptr<sqlite3, Closer> connection_;
    Statement insert_, begin_, commit_, rollback_;
    Revision stored_ = 0;    ///< the last that was reported as stored
    bool doubtful_ = false;  ///< a transaction failed: whether the file holds it is not known
};

}  // namespace ocim::store
