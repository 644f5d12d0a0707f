#pragma once

#include "api/json.hpp"
#include "base/result.hpp"
#include "base/secret.hpp"

#include <memory>
#include <string>
#include <utility>
#include <vector>

struct _mongoc_client_t;

namespace ocim::database::mongodb {

struct ConnectionSettings {
    enum class Tls { verify_identity, required, disabled };
    std::vector<std::string> hosts;  ///< "name", "name:port", "[address]:port"
    std::string replica_set;         ///< empty: one server
    std::string username;
    Secret password;
    std::string auth_source = "admin";
    std::string mechanism = "SCRAM-SHA-256";
    Tls tls = Tls::verify_identity;
    std::string ca_file;  ///< PEM; empty: the system's
    unsigned connect_seconds = 5;
    unsigned reply_seconds = 30;  ///< for one command
};

/// A session with whichever member is the primary. Every call blocks, for at most the seconds above: for threads of a
/// BlockingPool, one at a time. After an error of class unreachable it is of no more use.
class Connection {
public:
    /// Connects to the primary and logs in.
    static Result<std::unique_ptr<Connection>> open(const ConnectionSettings& settings);
    ~Connection();
    Connection(const Connection&) = delete;
    Connection& operator=(const Connection&) = delete;

    /// One command, whose name is its first member; `password` is sent as its "pwd". Errors carry the server's number
    /// and words, never what was sent. What was done here but is not confirmed by a majority is an error, too, and so
    /// is what was done in part, but of an insert, whose answer tells which documents were refused.
    Result<api::json::object> run(const std::string& database, api::json::object command,
                                  const Secret& password = Secret());
    /// The server's number of the last error; 0 after a success and when the server did not say it.
    int code() const { return code_; }
    /// Whether the same servers let this account in.
    Result<bool> lets_in(const std::string& username, const std::string& auth_source, const Secret& password,
                         const std::string& mechanism) const;

private:
    Connection(ConnectionSettings settings, _mongoc_client_t* client)
        : settings_(std::move(settings)), client_(client) {}

    ConnectionSettings settings_;
    _mongoc_client_t* client_;
    int code_ = 0;
};

}  // namespace ocim::database::mongodb
