#pragma once

namespace ocim::runtime {
class Manager;
}

namespace ocim::webhooks {
class Hooks;
}

namespace ocim::github {

/// Registers PullRequestWatch, PullRequestFeed and GitHubOrganization. The manager must not have been started. `hooks`
/// must outlive it.
void register_kinds(runtime::Manager& manager, webhooks::Hooks& hooks);

}  // namespace ocim::github
