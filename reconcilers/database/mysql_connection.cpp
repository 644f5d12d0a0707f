#include "database/mysql_connection.hpp"

#include "base/limits.hpp"
#include "base/utf8.hpp"

#include <mysql.h>
#include <sys/socket.h>
#include <algorithm>
#include <mutex>

namespace ocim::database::mysql {

namespace {
constexpr unsigned syntax_error = 1064;
/// The ways to log in that never show the password: whoever answers at that port may ask for another.
constexpr const char* login_methods = "mysql_native_password,client_ed25519,caching_sha2_password,sha256_password";
}  // namespace

std::string Table::cell(std::size_t row, std::string_view column) const {
    const auto found = std::ranges::find(columns, column);
    if (found == columns.end()) return "";
    return rows[row][static_cast<std::size_t>(found - columns.begin())].value_or("");
}

Result<std::unique_ptr<Connection>> Connection::open(const ConnectionSettings& settings) {
    static std::once_flag once;  // the library's own start is not safe on several threads
    std::call_once(once, [] { mysql_library_init(0, nullptr, nullptr); });
    auto* handle = mysql_init(nullptr);
    if (!handle) return Error{ErrorClass::transient, "no memory for a connection"};
    std::unique_ptr<Connection> connection(new Connection(handle));  // the constructor is private
    if (auto done = connection->log_in(settings); !done) return std::move(done).error();
    if (auto done = connection->learn(); !done) return std::move(done).error();
    return connection;
}

Connection::~Connection() { mysql_close(handle_); }

Result<void> Connection::log_in(const ConnectionSettings& settings) {
    const unsigned connect = settings.connect_seconds, reply = settings.reply_seconds;
    mysql_optionsv(handle_, MYSQL_OPT_CONNECT_TIMEOUT, &connect);
    mysql_optionsv(handle_, MYSQL_OPT_READ_TIMEOUT, &reply);
    mysql_optionsv(handle_, MYSQL_OPT_WRITE_TIMEOUT, &reply);
    mysql_optionsv(handle_, MYSQL_SET_CHARSET_NAME, "utf8mb4");
    const unsigned protocol = MYSQL_PROTOCOL_TCP;  // "localhost" means the socket otherwise
    mysql_optionsv(handle_, MYSQL_OPT_PROTOCOL, &protocol);
    const my_bool yes = 1, no = 0;
    const unsigned no_local_files = 0;
    mysql_optionsv(handle_, MYSQL_OPT_LOCAL_INFILE, &no_local_files);
    mysql_optionsv(handle_, MYSQL_OPT_RECONNECT, &no);
    if (settings.tls != ConnectionSettings::Tls::disabled) {
        mysql_optionsv(handle_, MYSQL_OPT_SSL_ENFORCE, &yes);
        if (!settings.ca_file.empty()) mysql_optionsv(handle_, MYSQL_OPT_SSL_CA, settings.ca_file.c_str());
        if (settings.tls == ConnectionSettings::Tls::verify_identity)
            mysql_optionsv(handle_, MYSQL_OPT_SSL_VERIFY_SERVER_CERT, &yes);
    }
    mysql_optionsv(handle_, MARIADB_OPT_RESTRICTED_AUTH, login_methods);
    if (!mysql_real_connect(handle_, settings.host.c_str(), settings.username.c_str(),
                            settings.password.reveal().c_str(), nullptr, settings.port, nullptr, 0))
        return failure();
    // the library goes on in the clear with a server that has no TLS, unless it must verify a certificate
    if (settings.tls != ConnectionSettings::Tls::disabled && !mysql_get_ssl_cipher(handle_))
        return Error{ErrorClass::unreachable, "the server does not speak TLS, which spec.mysql.tls.mode asks for"};
    return {};
}

void Connection::interrupt() { ::shutdown(mysql_get_socket(handle_), SHUT_RDWR); }

Result<void> Connection::learn() {
    auto about = query("SELECT VERSION(), CURRENT_USER()");
    if (!about) return std::move(about).error();
    if (about->rows.size() != 1) return Error{ErrorClass::unreachable, "the server does not say what it is"};
    dialect_.mariadb = about->cell(0, "VERSION()").find("MariaDB") != std::string::npos;
    own_account_ = about->cell(0, "CURRENT_USER()");
    if (!dialect_.mariadb) {
        auto revokes = query("SHOW VARIABLES LIKE 'partial_revokes'");
        if (!revokes) return std::move(revokes).error();
        dialect_.literal_grants = !revokes->rows.empty() && revokes->cell(0, "Value") == "ON";
    }
    return execute(session_settings(dialect_));
}

Result<Table> Connection::query(const std::string& statement) {
    code_ = 0;
    if (mysql_real_query(handle_, statement.data(), statement.size()) != 0) return failure();
    auto* result = mysql_use_result(handle_);
    if (!result) {
        if (mysql_errno(handle_) != 0) return failure();
        return Table{};  // a statement without rows
    }
    const std::unique_ptr<MYSQL_RES, decltype(&mysql_free_result)> owner(result, &mysql_free_result);
    Table out;
    const auto width = mysql_num_fields(result);
    const auto* fields = mysql_fetch_fields(result);
    for (unsigned i = 0; i < width; ++i) out.columns.emplace_back(fields[i].name, fields[i].name_length);
    std::size_t bytes = 0;
    while (const auto row = mysql_fetch_row(result)) {
        const auto* lengths = mysql_fetch_lengths(result);
        auto& cells = out.rows.emplace_back();
        for (unsigned i = 0; i < width; ++i) {
            cells.push_back(row[i] ? std::optional(std::string(row[i], lengths[i])) : std::nullopt);
            bytes += lengths[i] + sizeof cells.back();
        }
        if (bytes > limits::reply_bytes_max)
            return Error{ErrorClass::transient,
                         "the reply is over " + std::to_string(limits::reply_bytes_max) + " bytes"};
    }
    if (mysql_errno(handle_) != 0) return failure();
    return out;
}

Result<void> Connection::execute(const std::string& statement) {
    auto done = query(statement);
    if (!done) return std::move(done).error();
    return {};
}

Error Connection::failure() {
    code_ = mysql_errno(handle_);
    auto text = one_line(mysql_error(handle_), 300);
    if (code_ == syntax_error) text = "it does not understand us";  // its words repeat the statement, hash and all
    Error error{class_of(code_), "MySQL error " + std::to_string(code_) + ": " + text};
    error.outcome_unknown = outcome_unknown(code_);
    return error;
}

}  // namespace ocim::database::mysql
