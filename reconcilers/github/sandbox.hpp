#pragma once

#include "crd/instances.hpp"
#include "crd/pullrequestfeeds.hpp"
#include "crd/pullrequestwatches.hpp"
#include "github/body.hpp"
#include "runtime/kinds.hpp"

#include <optional>
#include <string>

/// The Instance of one pull request, and what is said of it. Pure.
namespace ocim::github {

using Pull = crd::PullRequestFeed::Status::PullRequest;
using Entry = crd::PullRequestWatch::Status::PullRequest;
using TellReport = crd::PullRequestFeed::Spec::Report;

inline constexpr const char* repository_annotation = "ocim.opencraft.com/pull-request-repository";

/// "pr12-acme-site": the same for ever.
std::string instance_name(const std::string& repository, std::int64_t number);
/// The sub-domain that a new sandbox takes.
std::string subdomain(const crd::PullRequestWatch::Spec& watch, const std::string& repository, std::int64_t number);
/// "PR#12: Four words of it ... (ada) - acme/branch (abcdef1)".
std::string display_name(const Pull& pull);

/// The Instance as the pull request wants it now. What is settled when a site is made stays as it is in `existing`.
runtime::Child sandbox(const crd::PullRequestWatch& watch, const Pull& pull, const Settings& settings,
                       const std::string& base_domain, const std::optional<crd::Instance>& existing);
/// It stays exactly as it is.
runtime::Child unchanged(const api::Json& instance);

/// Deploying, Ready or Failed. Who was ready for this commit stays it as long as visitors are served: what is being put
/// right behind them is its operators' business, and no news on GitHub.
std::string progress(const crd::Instance& instance, bool was_ready);

/// What is told on GitHub of `entry`. `left_out`: names of variables that it may not set. `commit`: the newest one.
TellReport tell(const crd::PullRequestWatch::Spec& watch, const Entry& entry, const std::string& commit,
                const std::vector<std::string>& left_out);

}  // namespace ocim::github
