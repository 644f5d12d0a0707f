#pragma once

#include "base/result.hpp"

#include <string>
#include <string_view>
#include <vector>

/// Files in and out of a stream as tar(1) of every system reads and writes it. Pure.
namespace ocim::loadbalancing {

struct TarFile {
    std::string path;
    std::string content;
    unsigned mode = 0640;
    bool operator==(const TarFile&) const = default;
};

/// A POSIX ustar stream. Paths are at most 100 bytes (assert: we choose them).
std::string write_tar(const std::vector<TarFile>& files);
/// The regular files of a stream; folders, links and devices are left out. GNU's long names are understood.
/// Error: transient, for a stream that is cut off or garbled.
Result<std::vector<TarFile>> read_tar(std::string_view stream);

}  // namespace ocim::loadbalancing
