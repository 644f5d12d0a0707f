#pragma once

#include "apiserver/exchange.hpp"

/// Query parameters, checked as Kubernetes checks them.
namespace ocim::apiserver {

/// `options_kind` (CreateOptions, UpdateOptions, PatchOptions, DeleteOptions) names them in a refusal. Errors: 422.
Result<registry::WriteOptions, api::Status> write_options(const Exchange& exchange, std::string_view options_kind);
/// ?force= of an apply, and its mandatory field manager. Errors: 422.
Result<bool, api::Status> apply_force(const Exchange& exchange);
/// Every other patch has no ?force=. Errors: 422.
Result<void, api::Status> check_no_force(const Exchange& exchange);
/// ?gracePeriodSeconds= is read and means nothing: there is nobody to be gentle with. Errors: 400.
Result<void, api::Status> check_grace_period(const Exchange& exchange);
/// Errors: 400 for a selector that cannot be read, 422 for a combination that means nothing.
Result<registry::ListOptions, api::Status> list_options(const Exchange& exchange);
Result<registry::WatchOptions, api::Status> watch_options(const Exchange& exchange);

}  // namespace ocim::apiserver
