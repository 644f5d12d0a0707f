#pragma once

#include "base/result.hpp"

#include <cstddef>
#include <memory>
#include <string>

namespace ocim::gitops {

/// Where all of them are.
inline std::string folder_of_fetches(const std::string& data_directory) { return data_directory + "/git"; }

/// A directory of its own that only we may enter, gone with all that is in it. It is locked as long as it is used, so
/// that what a killed process left is told from what a living one works with.
class Workspace {
public:
    /// In `parent`, which is made where it is not there. Blocks. Error: transient when the disk is in trouble.
    static Result<std::unique_ptr<Workspace>> make(const std::string& parent);
    /// Removes what processes that are no more left in `parent`; how many it was. What cannot be locked stays. Blocks.
    static std::size_t sweep(const std::string& parent);
    Workspace(std::string path, int lock) : path_(std::move(path)), lock_(lock) {}
    ~Workspace();
    Workspace(const Workspace&) = delete;
    Workspace& operator=(const Workspace&) = delete;

    const std::string& path() const { return path_; }
    /// A file in it; says where it is. Blocks.
    Result<std::string> write(const std::string& name, const std::string& bytes) const;

private:
    std::string path_;
    int lock_;  // of the directory; the system lets go of it when the process ends, however it does
};

}  // namespace ocim::gitops
