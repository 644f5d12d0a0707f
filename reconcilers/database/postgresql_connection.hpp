#pragma once

#include "base/result.hpp"
#include "base/secret.hpp"

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

struct pg_conn;
struct pg_result;

namespace ocim::database::postgresql {

struct ConnectionSettings {
    enum class Tls { verify_identity, required, disabled };
    std::string host;
    std::uint16_t port = 5432;
    std::string database = "postgres";
    std::string username;
    Secret password;
    Tls tls = Tls::verify_identity;
    std::string ca_file;  ///< PEM; empty: the system's
    unsigned connect_seconds = 5;
    unsigned reply_seconds = 30;  ///< for one statement and all that it brings
};

/// What a query brought: cells by column, nothing for NULL.
struct Table {
    std::vector<std::string> columns;
    std::vector<std::vector<std::optional<std::string>>> rows;

    /// The cell, or "" for NULL and for a column that is not there.
    std::string cell(std::size_t row, std::string_view column) const;
    bool is_true(std::size_t row, std::string_view column) const { return cell(row, column) == "t"; }
};

/// One session. Every call blocks, for at most the seconds above: for threads of a BlockingPool, one at a time.
/// After an error of class unreachable it is of no more use.
class Connection {
public:
    static Result<std::unique_ptr<Connection>> open(const ConnectionSettings& settings);
    /// The same server and account, another database.
    Result<std::unique_ptr<Connection>> open_in(const std::string& database) const;
    ~Connection();
    Connection(const Connection&) = delete;
    Connection& operator=(const Connection&) = delete;

    /// One statement with its parameters, $1 first. Errors carry the server's SQLSTATE and words; never the statement,
    /// which may hold a verifier.
    Result<Table> query(std::string_view statement, const std::vector<std::string>& parameters = {});
    /// Several statements, which are one transaction. Of what they bring nothing is kept.
    Result<void> execute(std::string_view statements);
    /// SCRAM-SHA-256 as the server stores it, so that no password is in a statement or a log.
    Result<std::string> verifier(const Secret& password);
    /// The SQLSTATE of the last error; "" after a success.
    const std::string& state() const { return state_; }

private:
    explicit Connection(ConnectionSettings settings) : settings_(std::move(settings)) {}
    Result<void> log_in();
    Result<void> wait(short events, std::chrono::steady_clock::time_point deadline);
    Result<Table> collect();
    Error failure(const pg_result* result);
    Error lost(const std::string& why);

    ConnectionSettings settings_;
    pg_conn* handle_ = nullptr;
    std::string state_;
};

}  // namespace ocim::database::postgresql
