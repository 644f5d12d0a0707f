#include "cli/controllers.hpp"

#include "cli/hook_routes.hpp"
#include "gitops/register.hpp"

#include <utility>

namespace ocim::cli {

Controllers::Controllers(boost::asio::any_io_executor loop, client::Client& client, Clock& clock, Random& random,
                         Metrics& metrics, BlockingPool& blocking, openedx::RunLogs& logs, Settings settings)
    : client_(client),
      clock_(clock),
      logs_(logs),
      git_workshop_(loop),
      data_directory_(settings.manager.data_directory),
      manager_(loop, client, clock, random, metrics, blocking, settings.manager),
      keepsakes_(client, clock, blocking, settings.manager.data_directory),
      tasks_(loop) {
    reconcilers::register_all(manager_, github_hooks_, settings.local_machines);
    gitops::register_kinds(manager_, {&client, std::move(settings.delegates), &git_hooks_, &git_workshop_});
}

void Controllers::add_routes(apiserver::Webhooks& to) {
    using enum apiserver::Proof;
    to.add("/github", hook_route(github_hooks_, client_, clock_, {hub_signature}));
    to.add("/git", hook_route(git_hooks_, client_, clock_, {hub_signature, gitea_signature, gitlab_token}));
}

awaitable<Result<void>> Controllers::start() {
    CO_CHECK(co_await manager_.start());
    tasks_.spawn("run-logs", logs_.keep());
    tasks_.spawn("keepsakes", keepsakes_.keep());
    tasks_.spawn("git-leftovers", git_workshop_.keep_tidy(clock_, data_directory_));
    co_return Result<void>();
}

awaitable<void> Controllers::stop() {
    co_await manager_.stop();
    co_await tasks_.stop();
}

}  // namespace ocim::cli
