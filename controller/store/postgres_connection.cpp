#include "store/postgres_connection.hpp"

#include <libpq-fe.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>
#include <algorithm>
#include <array>
#include <cassert>
#include <string_view>

namespace ocim::store {

namespace {

using Steady = std::chrono::steady_clock;  // on a thread of its own there is no Clock, and a deadline is needed

/// The server gives up before we hang up; a session of ours that stops in the middle of a turn, with its process or its
/// network, stands in the way of the others for two seconds.
constexpr const char* session_options =
    "-c statement_timeout=20s -c lock_timeout=8s "
    "-c idle_in_transaction_session_timeout=2s -c tcp_user_timeout=5s -c client_min_messages=error "
    "-c default_transaction_read_only=off -c synchronous_commit=on";

struct Clear {
    void operator()(PGresult* result) const { PQclear(result); }
};
using Answer = std::unique_ptr<PGresult, Clear>;

struct FreeOptions {
    void operator()(PQconninfoOption* options) const { PQconninfoFree(options); }
};
using Options = std::unique_ptr<PQconninfoOption, FreeOptions>;

/// The reason it gives for a bad text quotes that text, so nobody is told.
Options options_of(const std::string& url) {
    char* why = nullptr;
    Options out(PQconninfoParse(url.c_str(), &why));
    PQfreemem(why);
    return out;
}

std::string one_line(std::string_view text) {
    std::string out(text.substr(0, 300));
    std::ranges::replace(out, '\n', ' ');
    while (out.ends_with(' ')) out.pop_back();
    return out;
}

ErrorClass class_of(std::string_view state) {
    const auto group = state.substr(0, 2);
    if (group == "28" || group == "3D" || state == "42501") return ErrorClass::auth;
    if (group == "08" || group == "53" || group == "57" || group == "58" || group == "25")
        return ErrorClass::unreachable;
    return ErrorClass::transient;
}

}  // namespace

Interrupt::Interrupt() : descriptor_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) { assert(descriptor_ >= 0); }
Interrupt::~Interrupt() { ::close(descriptor_); }
void Interrupt::raise() {
    raised_ = true;
    (void)::eventfd_write(descriptor_, 1);
}

Result<void> check_postgres_url(const std::string& url) {
    const auto options = options_of(url);
    if (!options)
        return Error{ErrorClass::invalid,
                     "this is no URL of a PostgreSQL database: give postgres://USER@HOST/DATABASE"};
    for (const auto* option = options.get(); option->keyword; ++option)
        if (std::string_view(option->keyword) == "password" && option->val)
            return Error{ErrorClass::invalid,
                         "the URL holds a password, which everybody on this machine can read: leave it out, and give "
                         "--store-password-file, or the variable PGPASSFILE or PGPASSWORD"};
    return {};
}

std::int64_t number_in(const std::string& cell) {
    std::uint64_t out = 0;
    for (const char c : cell) out = out << 8 | static_cast<unsigned char>(c);
    return static_cast<std::int64_t>(out);
}
bool is_true(const std::string& cell) { return cell == std::string_view("\1", 1); }

Result<std::unique_ptr<PostgresConnection>> PostgresConnection::open(const PostgresSettings& settings,
                                                                     const Interrupt& interrupt, Deadline deadline) {
    std::unique_ptr<PostgresConnection> out(new PostgresConnection(interrupt));  // the constructor is private
    if (auto done = out->log_in(settings, deadline); !done) return std::move(done).error();
    return out;
}

PostgresConnection::~PostgresConnection() { PQfinish(handle_); }

Result<void> PostgresConnection::log_in(const PostgresSettings& settings, Deadline deadline) {
    // what comes later counts: the URL's own settings, TLS among them, go before our defaults, and ours that must hold
    // go before the URL's
    std::vector<const char*> names{
        "application_name", "fallback_application_name", "keepalives_idle", "keepalives_interval",
        "keepalives_count", "tcp_user_timeout",          "dbname"};
    std::vector<const char*> values{"ocim", "ocim", "5", "2", "3", "5000", settings.url.c_str()};
    const auto add = [&](const char* name, const char* value) {
        names.push_back(name);
        values.push_back(value);
    };
    if (!settings.password.empty()) add("password", settings.password.reveal().c_str());
    add("client_encoding", "UTF8");
    add("target_session_attrs", "read-write");  // of several hosts, and after a fail-over: never one that only reads
    add("options", session_options);
    names.push_back(nullptr), values.push_back(nullptr);
    handle_ = PQconnectStartParams(names.data(), values.data(), 1);
    if (!handle_) return Error{ErrorClass::transient, "no memory for a connection"};
    PQsetNoticeProcessor(handle_, [](void*, const char*) {}, nullptr);
    auto next = PQstatus(handle_) == CONNECTION_BAD ? PGRES_POLLING_FAILED : PGRES_POLLING_WRITING;
    while (next != PGRES_POLLING_OK) {
        if (next == PGRES_POLLING_FAILED) return lost(PQerrorMessage(handle_));
        const auto ready = wait(next == PGRES_POLLING_READING ? POLLIN : POLLOUT, deadline);
        if (!ready) return ready.error();
        if (!*ready) return lost("no answer in time");
        next = PQconnectPoll(handle_);
    }
    if (PQsetnonblocking(handle_, 1) != 0) return lost(PQerrorMessage(handle_));
    return {};
}

Result<bool> PostgresConnection::wait(short events, Deadline deadline) const {
    for (;;) {
        if (interrupt_.raised()) return Error{ErrorClass::unreachable, "the store is shutting down"};
        const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(deadline - Steady::now());
        if (left.count() <= 0) return false;
        std::array<pollfd, 2> waiting{pollfd{PQsocket(handle_), events, 0}, pollfd{interrupt_.descriptor(), POLLIN, 0}};
        const int ready = ::poll(waiting.data(), waiting.size(), static_cast<int>(left.count()) + 1);
        if (ready > 0 && waiting[0].revents != 0) return true;
    }
}

Result<void> PostgresConnection::send(const std::vector<Statement>& statements) {
    if (PQenterPipelineMode(handle_) != 1) return lost(PQerrorMessage(handle_));
    for (const auto& statement : statements) {
        std::vector<const char*> values;
        std::vector<int> lengths, formats;
        for (const auto& parameter : statement.parameters) {
            values.push_back(parameter.bytes.c_str());
            lengths.push_back(static_cast<int>(parameter.bytes.size()));
            formats.push_back(parameter.binary ? 1 : 0);
        }
        const int count = static_cast<int>(values.size());
        const int sent = statement.prepared ? PQsendQueryPrepared(handle_, statement.sql.c_str(), count, values.data(),
                                                                  lengths.data(), formats.data(), 1)
                                            : PQsendQueryParams(handle_, statement.sql.c_str(), count, nullptr,
                                                                values.data(), lengths.data(), formats.data(), 1);
        if (sent != 1) return lost(PQerrorMessage(handle_));
    }
    if (PQpipelineSync(handle_) != 1) return lost(PQerrorMessage(handle_));
    return {};
}

Result<PGresult*> PostgresConnection::next_result(Deadline deadline) {
    for (;;) {
        const int unsent = PQflush(handle_);
        if (unsent < 0) return lost(PQerrorMessage(handle_));
        if (unsent == 0 && PQisBusy(handle_) == 0) return PQgetResult(handle_);
        const auto ready = wait(static_cast<short>(unsent > 0 ? POLLIN | POLLOUT : POLLIN), deadline);
        if (!ready) return ready.error();
        if (!*ready) return lost("no whole answer in time");
        if (PQconsumeInput(handle_) != 1) return lost(PQerrorMessage(handle_));
    }
}

Result<void> PostgresConnection::collect(std::vector<Rows>& out, Deadline deadline) {
    bool separated = true;  // a null comes after the result of each statement; two in a row never do
    std::optional<Error> failed;
    for (;;) {
        auto result = next_result(deadline);
        if (!result) return failed ? Result<void>(*failed) : Result<void>(std::move(result).error());
        const Answer answer(*result);
        if (!answer) {
            if (std::exchange(separated, true)) return failed ? *failed : lost("the session is over");
            continue;
        }
        separated = false;
        const auto status = PQresultStatus(answer.get());
        if (status == PGRES_PIPELINE_SYNC) break;
        if (status == PGRES_PIPELINE_ABORTED) continue;
        if (status != PGRES_TUPLES_OK && status != PGRES_COMMAND_OK) {
            if (!failed) failed = failure(answer.get());
            continue;
        }
        auto& rows = out.emplace_back();
        for (int row = 0; row < PQntuples(answer.get()); ++row) {
            auto& cells = rows.emplace_back();
            for (int i = 0; i < PQnfields(answer.get()); ++i)
                cells.emplace_back(PQgetvalue(answer.get(), row, i),
                                   static_cast<std::size_t>(PQgetlength(answer.get(), row, i)));
        }
    }
    if (failed) return *std::move(failed);
    if (PQexitPipelineMode(handle_) != 1) return lost(PQerrorMessage(handle_));
    return {};
}

Result<std::vector<Rows>> PostgresConnection::run(const std::vector<Statement>& statements, Deadline deadline) {
    if (auto sent = send(statements); !sent) return std::move(sent).error();
    std::vector<Rows> out;
    if (auto collected = collect(out, deadline); !collected) return std::move(collected).error();
    return out;
}

Result<Rows> PostgresConnection::ask(Statement statement, Deadline deadline) {
    auto ran = run(std::vector<Statement>(1, std::move(statement)), deadline);
    if (!ran) return std::move(ran).error();
    return std::move(ran->front());
}

Result<void> PostgresConnection::prepare(const std::string& name, const std::string& sql, Deadline deadline) {
    if (PQsendPrepare(handle_, name.c_str(), sql.c_str(), 0, nullptr) != 1) return lost(PQerrorMessage(handle_));
    for (;;) {
        auto result = next_result(deadline);
        if (!result) return std::move(result).error();
        const Answer answer(*result);
        if (!answer) return {};
        if (PQresultStatus(answer.get()) != PGRES_COMMAND_OK) return failure(answer.get());
    }
}

Result<bool> PostgresConnection::wait_for_notice(Deadline deadline) {
    bool told = false;
    for (;;) {
        if (PQconsumeInput(handle_) != 1) return lost(PQerrorMessage(handle_));
        while (auto* notice = PQnotifies(handle_)) {
            told = true;
            PQfreemem(notice);
        }
        if (told) return true;
        const auto ready = wait(POLLIN, deadline);
        if (!ready || !*ready) return ready;
    }
}

Error PostgresConnection::failure(const PGresult* result) const {
    const auto* state = PQresultErrorField(result, PG_DIAG_SQLSTATE);
    if (!state) return lost(PQresultErrorMessage(result));
    const auto* words = PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY);
    Error out{class_of(state), "PostgreSQL error " + std::string(state) + ": " + one_line(words ? words : "")};
    // it is ending: whether what it was asked for was done before, it does not say
    out.outcome_unknown = out.error_class == ErrorClass::unreachable;
    return out;
}

Error PostgresConnection::lost(const std::string& why) const {
    Error out{ErrorClass::unreachable, "PostgreSQL: " + one_line(why)};
    out.outcome_unknown = true;
    return out;
}

}  // namespace ocim::store
