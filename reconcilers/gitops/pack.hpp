#pragma once

#include "base/result.hpp"
#include "gitops/limits.hpp"
#include "gitops/manifest.hpp"
#include "gitops/signature.hpp"
#include "gitops/wire.hpp"

#include <chrono>
#include <string>
#include <vector>

namespace ocim::gitops {

/// A folder of a commit, and what was signed of it.
struct Tree {
    std::vector<File> files;    ///< its manifests, by path
    std::vector<Fault> faults;  ///< what is there and must not be read
    Signed commit{};            ///< the commit itself
    Signed tag{};               ///< the tag that was asked for, where it is an annotated one
    std::string tag_name{};     ///< what that tag calls itself; "" when it does not point at the commit
    bool operator==(const Tree&) const = default;
};

/// Takes the manifests of `path` out of a pack that has the target. No hook, filter or link is followed, nothing is
/// checked out; a directory in `workspace` is used and removed again. Blocks: runs on a thread, which it gives back
/// after `most`. Errors: invalid for a pack that is none or too much, not_found when the commit or the path is not in
/// it, transient when the disk is in trouble.
Result<Tree> read_tree(const std::string& pack, const Target& target, const std::string& path,
                       const std::string& workspace, std::chrono::steady_clock::duration most = limits::unpack_max);

}  // namespace ocim::gitops
