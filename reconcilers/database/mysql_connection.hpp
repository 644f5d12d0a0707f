#pragma once

#include "base/result.hpp"
#include "base/secret.hpp"
#include "database/mysql_sql.hpp"

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

struct st_mysql;

namespace ocim::database::mysql {

struct ConnectionSettings {
    enum class Tls { verify_identity, required, disabled };
    std::string host;
    std::uint16_t port = 3306;
    std::string username;
    Secret password;
    Tls tls = Tls::verify_identity;
    std::string ca_file;  ///< PEM; empty: the system's
    unsigned connect_seconds = 5;
    unsigned reply_seconds = 30;  ///< for one statement
};

/// What a query brought: cells by column, nothing for NULL.
struct Table {
    std::vector<std::string> columns;
    std::vector<std::vector<std::optional<std::string>>> rows;

    /// The cell, or "" for NULL and for a column that is not there.
    std::string cell(std::size_t row, std::string_view column) const;
};

/// One session. Every call blocks, for at most the seconds above: for threads of a BlockingPool, one at a time.
/// After an error of class unreachable it is of no more use.
class Connection {
public:
    /// Logs in and asks the server what it is.
    static Result<std::unique_ptr<Connection>> open(const ConnectionSettings& settings);
    ~Connection();
    Connection(const Connection&) = delete;
    Connection& operator=(const Connection&) = delete;

    /// Errors carry the server's number and words; never the statement, which may hold a hash.
    Result<Table> query(const std::string& statement);
    Result<void> execute(const std::string& statement);
    /// From any thread: ends the call in flight, and with it the session.
    void interrupt();
    /// The server's number of the last error; 0 after a success.
    unsigned code() const { return code_; }

    const Dialect& dialect() const { return dialect_; }
    /// "user@host" of the account we logged in with.
    const std::string& own_account() const { return own_account_; }

private:
    explicit Connection(st_mysql* handle) : handle_(handle) {}
    Result<void> log_in(const ConnectionSettings& settings);
    Result<void> learn();
    Error failure();

    st_mysql* handle_;
    Dialect dialect_;
    std::string own_account_;
    unsigned code_ = 0;
};

}  // namespace ocim::database::mysql
