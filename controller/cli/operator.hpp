#pragma once

#include "base/log.hpp"
#include "base/result.hpp"
#include "cli/address.hpp"
#include "client/remote.hpp"
#include "compute/register.hpp"

#include <memory>
#include <optional>
#include <string>

namespace ocim::cli {

/// Operator mode: the controllers against an API server elsewhere, in one of several processes, of which one leads.
class Operator {
public:
    struct Settings {
        std::string data_directory;
        client::AccessSource access;
        Address metrics_listen;
        std::optional<Address> webhook_listen;
        std::optional<Address> listen;  ///< of the Door
        std::string advertised;         ///< host by which others reach it; empty: that of `listen`
        std::string identity;           ///< of this process among those that may lead
        compute::LocalMachines local_machines = compute::LocalMachines::refused;
        log::Format log_format = log::Format::text;
    };
    explicit Operator(Settings settings);
    ~Operator();
    Operator(const Operator&) = delete;
    Operator& operator=(const Operator&) = delete;

    /// Runs until SIGTERM or SIGINT. A process that loses the lease while it leads ends at once, whatever it is doing,
    /// and one that could not renew it by its deadline begins no call after that: nothing that it had begun goes on.
    /// Error: why it could not start.
    Result<void> run();

private:
    struct State;
    std::unique_ptr<State> state_;
};

}  // namespace ocim::cli
