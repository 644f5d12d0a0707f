#pragma once

namespace ocim::runtime {
class Manager;
}

namespace ocim::github {

class Hooks;

/// Registers PullRequestWatch, PullRequestFeed and GitHubOrganization. The manager must not have been started. `hooks`
/// must outlive it.
void register_kinds(runtime::Manager& manager, Hooks& hooks);

}  // namespace ocim::github
