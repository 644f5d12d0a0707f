#pragma once

#include "apiserver/webhooks.hpp"
#include "client/client.hpp"
#include "client/delegate.hpp"
#include "gitops/workshop.hpp"
#include "openedx/keepsakes.hpp"
#include "openedx/run_logs.hpp"
#include "reconcilers/register.hpp"
#include "runtime/manager.hpp"
#include "webhooks/hooks.hpp"

#include <boost/asio/any_io_executor.hpp>

namespace ocim::cli {

/// Every kind's controller, with what they need around them: the same in each way to run. Lives on the loop thread.
class Controllers {
public:
    struct Settings {
        runtime::Manager::Settings manager;
        compute::LocalMachines local_machines = compute::LocalMachines::offered;
        client::Delegates delegates{};  ///< what GitSources act by
    };
    /// All must outlive it.
    Controllers(boost::asio::any_io_executor loop, client::Client& client, Clock& clock, Random& random,
                Metrics& metrics, BlockingPool& blocking, openedx::RunLogs& logs, Settings settings);

    runtime::Manager& manager() { return manager_; }
    /// What wakes the feeds of GitHub, and GitSources.
    void add_routes(apiserver::Webhooks& to);
    awaitable<Result<void>> start();
    awaitable<void> stop();

private:
    client::Client& client_;
    Clock& clock_;
    openedx::RunLogs& logs_;
    webhooks::Hooks github_hooks_, git_hooks_;  // longer than the manager, as what comes next
    gitops::Workshop git_workshop_;
    std::string data_directory_;
    runtime::Manager manager_;
    openedx::Keepsakes keepsakes_;
    TaskGroup tasks_;
};

}  // namespace ocim::cli
