#pragma once

#include "cli/served_kinds.hpp"

#include <set>
#include <string>
#include <vector>

/// Which Secrets of an installation say anything to controllers. Those of everybody else are nobody's to read.
namespace ocim::cli {

/// Every text that objects hold, wherever: a Secret whose name is none of these is named by none of them.
std::set<std::string> words_in(const std::vector<api::Json>& objects);

/// By its metadata: it is named, or has a finalizer, an annotation or an owner of ours.
bool is_needed(const api::Json& secret, const std::set<std::string>& words);

/// All Secrets; of those that the objects need with their data, of others what their metadata tell.
Answer<std::vector<api::Json>> read_secrets(Connection& server, const ServedKind& secrets,
                                            const std::vector<api::Json>& objects);

}  // namespace ocim::cli
