#pragma once

#include "base/result.hpp"

#include <string>

/// The files of the data directory: private to their owner, and never half written.
namespace ocim::cli {

/// Makes the directory with mode 0700, or checks that it may be used: an existing one that others can enter is made
/// private when it is empty or ours, and refused when it holds anything else. Errors: invalid.
Result<void> open_data_directory(const std::string& path, const std::string& our_file);

/// Replaces the file as a whole, with mode 0600: whoever opens it sees the old text or the new. Errors: transient.
Result<void> write_file(const std::string& path, const std::string& text);
/// The text, or "" when there is no such file. Errors: transient.
Result<std::string> read_file(const std::string& path);

}  // namespace ocim::cli
