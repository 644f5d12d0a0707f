#pragma once

#include "store/file_lock.hpp"
#include "store/store.hpp"

#include <memory>
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

    Result<Journal::Loaded> load();
    Result<void> append(const std::vector<Change>& batch);
    Result<void> compact(Revision revision);

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
