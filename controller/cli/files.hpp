#pragma once

#include "base/async.hpp"
#include "base/clock.hpp"
#include "base/result.hpp"

#include <sys/types.h>
#include <functional>
#include <string>
#include <tuple>

/// The files of the data directory: private to their owner, and never half written.
namespace ocim::cli {

/// Makes the directory with mode 0700, or checks that it may be used: an existing one that others can enter is made
/// private when it is empty or ours, and refused when it holds anything else. Errors: invalid.
Result<void> open_data_directory(const std::string& path, const std::string& our_file);

/// Replaces the file as a whole, with mode 0600: whoever opens it sees the old text or the new. Errors: transient.
Result<void> write_file(const std::string& path, const std::string& text);
/// The text, or "" when there is no such file. Errors: transient.
Result<std::string> read_file(const std::string& path);

/// Changes whenever the file was written, made or removed.
using FileState = std::tuple<ino_t, off_t, std::int64_t, std::int64_t>;
FileState state_of(const std::string& path);
/// Calls `changed` within a second of every change since `seen`. Until cancelled.
awaitable<void> follow_file(Clock& clock, std::string path, FileState seen, std::function<void()> changed);

}  // namespace ocim::cli
