#pragma once

#include "base/result.hpp"

#include <memory>
#include <string>

namespace ocim::gitops {

/// A directory of its own that only we may enter, gone with all that is in it.
class Workspace {
public:
    /// In `parent`, which is made where it is not there. Blocks. Error: transient when the disk is in trouble.
    static Result<std::unique_ptr<Workspace>> make(const std::string& parent);
    explicit Workspace(std::string path) : path_(std::move(path)) {}
    ~Workspace();
    Workspace(const Workspace&) = delete;
    Workspace& operator=(const Workspace&) = delete;

    const std::string& path() const { return path_; }
    /// A file in it; says where it is. Blocks.
    Result<std::string> write(const std::string& name, const std::string& bytes) const;

private:
    std::string path_;
};

}  // namespace ocim::gitops
