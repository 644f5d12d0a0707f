#pragma once

#include "api/json.hpp"
#include "base/result.hpp"

#include <string>
#include <vector>

namespace ocim::cli {

/// The objects in files, in the order of files and of documents; "-" is stdin. Of a directory, the files *.yaml, *.yml
/// and *.json in the order of their names, with `recursive` also those of its directories. The items of a List stand
/// for themselves. Errors (invalid) name the file.
Result<std::vector<api::Json>> read_manifests(const std::vector<std::string>& paths, bool recursive);

}  // namespace ocim::cli
