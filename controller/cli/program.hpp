#pragma once

#include "base/clock.hpp"
#include "base/log.hpp"
#include "base/result.hpp"
#include "cli/address.hpp"
#include "cli/encryption.hpp"
#include "store/postgres_connection.hpp"

#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace ocim::cli {

/// Standalone mode: the store, the API and the controllers on one loop, in one process. Replicated mode: several such
/// processes on one database, each of which serves the API; one of them, at a time, runs the controllers.
class Program {
public:
    struct Settings {
        std::string data_directory;
        std::optional<store::PostgresSettings>
            database;          ///< of the replicated mode; none: a file in the data directory
        std::string identity;  ///< of this process among all that ever run
        Address listen, metrics_listen;
        std::optional<Address> webhook_listen;
        bool controllers = true;
        bool local_machines = true;                           ///< on this host
        std::string installation_id;                          ///< empty: the one it has, else a drawn one
        std::string token_auth_file, service_account_issuer;  ///< empty: none, and the usual one
        std::vector<std::string> tls_names;                   ///< --tls-san
        KeyFile encryption;
        log::Format log_format = log::Format::text;
    };
    explicit Program(Settings settings);
    ~Program();
    Program(const Program&) = delete;
    Program& operator=(const Program&) = delete;

    /// Runs until SIGTERM or SIGINT. Says on stdout where the kubeconfig is once it is ready. Error: why it could
    /// not start.
    Result<void> run();

private:
    struct State;
    std::unique_ptr<State> state_;
};

}  // namespace ocim::cli
