#include "database/postgresql_connection.hpp"

#include "base/limits.hpp"
#include "base/utf8.hpp"
#include "database/postgresql_sql.hpp"

#include <libpq-fe.h>
#include <poll.h>
#include <algorithm>
#include <array>
#include <chrono>

namespace ocim::database::postgresql {

namespace {

using Steady = std::chrono::steady_clock;  // on a thread of the pool there is no Clock, and a deadline is needed
constexpr std::string_view syntax_error = "42601";
constexpr const char* system_authorities = "/etc/ssl/certs/ca-certificates.crt";
/// Ours go before what the owner of a tenant's database sets for all who connect to it. Names of others' functions and
/// operators are never found by a search, and the server gives up before we hang up.
constexpr const char* session_options =
    "-c search_path=pg_catalog -c role=none -c default_transaction_read_only=off -c standard_conforming_strings=on"
    " -c statement_timeout=25s -c lock_timeout=20s -c client_min_messages=error";

struct Clear {
    void operator()(PGresult* result) const { PQclear(result); }
};
using Answer = std::unique_ptr<PGresult, Clear>;

/// The SQLSTATE in "FATAL:  28P01": before a session stands the library tells it in words only.
std::string state_in(std::string_view text) {
    constexpr std::string_view severity = "FATAL:  ";
    const auto line = text.substr(0, text.find('\n'));
    const auto at = line.find(severity);
    const auto word = at == std::string_view::npos ? std::string_view() : line.substr(at + severity.size());
    const bool is_state = word.size() == 5 && std::ranges::all_of(word, [](char c) {
                              return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z');
                          });
    return is_state ? std::string(word) : "";
}

}  // namespace

std::string Table::cell(std::size_t row, std::string_view column) const {
    const auto found = std::ranges::find(columns, column);
    if (found == columns.end()) return "";
    return rows[row][static_cast<std::size_t>(found - columns.begin())].value_or("");
}

Result<std::unique_ptr<Connection>> Connection::open(const ConnectionSettings& settings) {
    std::unique_ptr<Connection> connection(new Connection(settings));  // the constructor is private
    if (auto done = connection->log_in(); !done) return std::move(done).error();
    return connection;
}

Result<std::unique_ptr<Connection>> Connection::open_in(const std::string& database) const {
    auto settings = settings_;
    settings.database = database;
    return open(settings);
}

Connection::~Connection() { PQfinish(handle_); }

Result<void> Connection::log_in() {
    const bool tls = settings_.tls != ConnectionSettings::Tls::disabled;
    const bool verify = settings_.tls == ConnectionSettings::Tls::verify_identity;
    const auto port = std::to_string(settings_.port);
    const char* authorities = settings_.ca_file.empty() ? system_authorities : settings_.ca_file.c_str();
    struct Setting {
        const char* name;
        const char* value;
    };
    const std::array chosen{Setting{"host", settings_.host.c_str()}, Setting{"port", port.c_str()},
                            Setting{"dbname", settings_.database.c_str()}, Setting{"user", settings_.username.c_str()},
                            Setting{"password", settings_.password.reveal().c_str()}, Setting{"passfile", "/dev/null"},
                            Setting{"sslmode", verify ? "verify-full"
                                               : tls  ? "require"
                                                      : "disable"},
                            Setting{"sslrootcert", verify ? authorities : "/nonexistent"},
                            Setting{"sslcert", "/nonexistent"}, Setting{"gssencmode", "disable"},
                            // a password that is never shown, to nobody but the holder of the certificate
                            Setting{"channel_binding", tls ? "require" : "disable"}, Setting{"client_encoding", "UTF8"},
                            Setting{"application_name", "ocim"}, Setting{"options", session_options},
                            Setting{"target_session_attrs", "any"}};
    std::array<const char*, chosen.size() + 1> names{}, values{};
    for (std::size_t i = 0; i < chosen.size(); ++i) {
        names[i] = chosen[i].name;
        values[i] = chosen[i].value;
    }
    handle_ = PQconnectStartParams(names.data(), values.data(), 0);
    if (!handle_) return Error{ErrorClass::transient, "no memory for a connection"};
    PQsetErrorVerbosity(handle_, PQERRORS_SQLSTATE);
    PQsetNoticeProcessor(handle_, [](void*, const char*) {}, nullptr);
    const auto deadline = Steady::now() + std::chrono::seconds(settings_.connect_seconds);
    auto next = PQstatus(handle_) == CONNECTION_BAD ? PGRES_POLLING_FAILED : PGRES_POLLING_WRITING;
    while (next != PGRES_POLLING_OK) {
        if (next == PGRES_POLLING_FAILED) return lost(PQerrorMessage(handle_));
        const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(deadline - Steady::now());
        pollfd waiting{PQsocket(handle_), static_cast<short>(next == PGRES_POLLING_READING ? POLLIN : POLLOUT), 0};
        if (left.count() <= 0 || ::poll(&waiting, 1, static_cast<int>(left.count())) == 0)
            return Error{ErrorClass::unreachable,
                         "no answer within " + std::to_string(settings_.connect_seconds) + " s"};
        next = PQconnectPoll(handle_);
    }
    PQsetErrorVerbosity(handle_, PQERRORS_DEFAULT);
    if (PQsetnonblocking(handle_, 1) != 0) return lost(PQerrorMessage(handle_));
    return {};
}

Result<void> Connection::wait(short events, Steady::time_point deadline) {
    for (;;) {
        const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(deadline - Steady::now());
        pollfd waiting{PQsocket(handle_), events, 0};
        if (left.count() <= 0) break;
        const int ready = ::poll(&waiting, 1, static_cast<int>(left.count()));
        if (ready > 0) return {};
        if (ready == 0) break;
    }
    auto error = lost("no whole answer within " + std::to_string(settings_.reply_seconds) + " s");
    error.outcome_unknown = true;
    return error;
}

Result<Table> Connection::query(std::string_view statement, const std::vector<std::string>& parameters) {
    state_.clear();
    std::vector<const char*> values;
    for (const auto& parameter : parameters) values.push_back(parameter.c_str());
    const std::string text(statement);
    if (PQsendQueryParams(handle_, text.c_str(), static_cast<int>(values.size()), nullptr, values.data(), nullptr,
                          nullptr, 0) != 1 ||
        PQsetSingleRowMode(handle_) != 1)
        return lost(PQerrorMessage(handle_));
    return collect();
}

Result<void> Connection::execute(std::string_view statements) {
    state_.clear();
    const std::string text(statements);
    if (PQsendQuery(handle_, text.c_str()) != 1) return lost(PQerrorMessage(handle_));
    auto done = collect();
    if (!done) return std::move(done).error();
    return {};
}

Result<Table> Connection::collect() {
    Table out;
    std::optional<Error> failed;
    std::size_t bytes = 0;
    // one for all rows: a server that sends them one by one without an end is not waited for without one
    const auto deadline = Steady::now() + std::chrono::seconds(settings_.reply_seconds);
    for (;;) {
        const int unsent = PQflush(handle_);
        if (unsent < 0) return lost(PQerrorMessage(handle_));
        if (unsent > 0 || PQisBusy(handle_) == 1) {
            auto ready = wait(static_cast<short>(unsent > 0 ? POLLIN | POLLOUT : POLLIN), deadline);
            if (!ready) return std::move(ready).error();
            if (PQconsumeInput(handle_) != 1) return lost(PQerrorMessage(handle_));
            continue;
        }
        const Answer answer(PQgetResult(handle_));
        if (!answer) break;
        const auto status = PQresultStatus(answer.get());
        if (status == PGRES_FATAL_ERROR || status == PGRES_BAD_RESPONSE) {
            if (!failed) failed = failure(answer.get());
            continue;
        }
        if (status != PGRES_SINGLE_TUPLE && status != PGRES_TUPLES_OK) continue;
        const int width = PQnfields(answer.get());
        if (out.columns.empty())
            for (int i = 0; i < width; ++i) out.columns.emplace_back(PQfname(answer.get(), i));
        for (int row = 0; row < PQntuples(answer.get()); ++row) {
            auto& cells = out.rows.emplace_back();
            for (int i = 0; i < width; ++i) {
                const bool null = PQgetisnull(answer.get(), row, i) == 1;
                const auto size = static_cast<std::size_t>(PQgetlength(answer.get(), row, i));
                cells.push_back(null ? std::nullopt
                                     : std::optional(std::string(PQgetvalue(answer.get(), row, i), size)));
                bytes += size + sizeof cells.back();
            }
        }
        if (bytes > limits::reply_bytes_max) {
            auto error = lost("the reply is over " + std::to_string(limits::reply_bytes_max) + " bytes");
            error.outcome_unknown = false;
            return error;  // the rest of it is still on its way: the session is of no more use
        }
    }
    if (failed) return *std::move(failed);
    if (PQstatus(handle_) != CONNECTION_OK) return lost(PQerrorMessage(handle_));
    return out;
}

Result<std::string> Connection::verifier(const Secret& password) {
    struct Free {
        void operator()(char* text) const { PQfreemem(text); }
    };
    const std::unique_ptr<char, Free> text(
        PQencryptPasswordConn(handle_, password.reveal().c_str(), settings_.username.c_str(), "scram-sha-256"));
    // what does not look like one would be taken for the password itself
    if (!text || !is_verifier(text.get())) return Error{ErrorClass::transient, "the password cannot be prepared"};
    return std::string(text.get());
}

Error Connection::failure(const PGresult* result) {
    const auto* state = PQresultErrorField(result, PG_DIAG_SQLSTATE);
    if (!state) return lost(PQresultErrorMessage(result));
    state_ = state;
    const auto* words = PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY);
    // its words about syntax repeat the statement, verifier and all
    const auto text = state_ == syntax_error ? "it does not understand us" : one_line(words ? words : "", 300);
    Error error{class_of(state_), "PostgreSQL error " + state_ + ": " + text};
    error.outcome_unknown = error.error_class == ErrorClass::unreachable;
    return error;
}

Error Connection::lost(const std::string& why) {
    const bool stood = handle_ && PQstatus(handle_) == CONNECTION_OK;
    state_ = state_in(why);
    if (state_.empty()) state_ = "08006";
    auto text = state_ == "08006" ? one_line(why, 300) : "the server refuses us with SQLSTATE " + state_;
    if (state_.starts_with("28")) text = "the server refuses our account (SQLSTATE " + state_ + ")";
    Error error{class_of(state_), std::move(text)};
    error.outcome_unknown = stood || error.error_class == ErrorClass::unreachable;
    return error;
}

}  // namespace ocim::database::postgresql
