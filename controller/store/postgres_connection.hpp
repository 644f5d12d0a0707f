#pragma once

#include "base/result.hpp"
#include "base/secret.hpp"

#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

struct pg_conn;
struct pg_result;

/// A session with PostgreSQL, by libpq itself: libpqxx 6 opens a lost session anew behind our back, and its calls have
/// no bound. Room-internal.
namespace ocim::store {

/// Ends every wait of the sessions that know it, from any thread and for good.
class Interrupt {
public:
    Interrupt();
    ~Interrupt();
    Interrupt(const Interrupt&) = delete;
    Interrupt& operator=(const Interrupt&) = delete;
    void raise();
    bool raised() const { return raised_; }
    int descriptor() const { return descriptor_; }

private:
    int descriptor_;
    std::atomic<bool> raised_ = false;
};

struct PostgresSettings {
    std::string url;  ///< postgres://…, or any text that libpq takes; without a password
    Secret password;  ///< empty: what libpq finds, in PGPASSWORD or the file that PGPASSFILE names
};
/// Error invalid: libpq does not understand it, or it holds a password, which everybody could read in the list of
/// processes. The message never repeats it.
Result<void> check_postgres_url(const std::string& url);

struct Statement {
    std::string sql;  ///< one statement, or the name of a prepared one
    struct Parameter {
        std::string bytes;
        bool binary = false;
    };
    std::vector<Parameter> parameters;
    bool prepared = false;
};
/// Of one statement: cells as PostgreSQL sends them in binary; "" for NULL.
using Rows = std::vector<std::vector<std::string>>;
std::int64_t number_in(const std::string& cell);
bool is_true(const std::string& cell);

/// One session. Every call blocks until its deadline at most, or until the interrupt: for a thread of its own. After
/// any error it is of no more use: whoever has it closes it, which takes back what it had begun.
class PostgresConnection {
public:
    using Deadline = std::chrono::steady_clock::time_point;
    static Result<std::unique_ptr<PostgresConnection>> open(const PostgresSettings& settings,
                                                            const Interrupt& interrupt, Deadline deadline);
    ~PostgresConnection();
    PostgresConnection(const PostgresConnection&) = delete;
    PostgresConnection& operator=(const PostgresConnection&) = delete;

    /// All of them in one go; what each brought. The error is that of the first that failed, after which none was
    /// carried out; `outcome_unknown` when the server did not say.
    Result<std::vector<Rows>> run(const std::vector<Statement>& statements, Deadline deadline);
    Result<Rows> ask(Statement statement, Deadline deadline);
    Result<void> prepare(const std::string& name, const std::string& sql, Deadline deadline);
    /// Until somebody notifies a channel that this session listens to: false when the deadline came first.
    Result<bool> wait_for_notice(Deadline deadline);

private:
    explicit PostgresConnection(const Interrupt& interrupt) : interrupt_(interrupt) {}
    Result<void> log_in(const PostgresSettings& settings, Deadline deadline);
    /// False: the deadline came first.
    Result<bool> wait(short events, Deadline deadline) const;
    Result<void> send(const std::vector<Statement>& statements);
    /// Null between the results of two statements.
    Result<pg_result*> next_result(Deadline deadline);
    Result<void> collect(std::vector<Rows>& out, Deadline deadline);
    Error failure(const pg_result* result) const;
    Error lost(const std::string& why) const;

    const Interrupt& interrupt_;
    pg_conn* handle_ = nullptr;
};

}  // namespace ocim::store
