#include "cli/controllers.hpp"

#include "cli/github_hooks.hpp"
#include "gitops/register.hpp"

#include <utility>

namespace ocim::cli {

Controllers::Controllers(boost::asio::any_io_executor loop, client::Client& client, Clock& clock, Random& random,
                         Metrics& metrics, BlockingPool& blocking, openedx::RunLogs& logs, Settings settings)
    : client_(client),
      clock_(clock),
      logs_(logs),
      manager_(loop, client, clock, random, metrics, blocking, settings.manager),
      keepsakes_(client, clock, blocking, settings.manager.data_directory),
      tasks_(loop) {
    reconcilers::register_all(manager_, hooks_, settings.local_machines);
    gitops::register_kinds(manager_, {&client, std::move(settings.delegates)});
}

apiserver::Webhooks::Route Controllers::github_route() { return cli::github_route(hooks_, client_, clock_); }

awaitable<Result<void>> Controllers::start() {
    CO_CHECK(co_await manager_.start());
    tasks_.spawn("run-logs", logs_.keep());
    tasks_.spawn("keepsakes", keepsakes_.keep());
    co_return Result<void>();
}

awaitable<void> Controllers::stop() {
    co_await manager_.stop();
    co_await tasks_.stop();
}

}  // namespace ocim::cli
