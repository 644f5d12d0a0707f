#pragma once

#include "base/result.hpp"

#include <string>

namespace ocim::store {

/// Holds a file locked for this process, and says in it who we are. The lock goes with the process, however it ends.
class FileLock {
public:
    /// Error conflict: another process holds it; the message names the file and the holder.
    static Result<FileLock> take(const std::string& path);
    FileLock(FileLock&& other) noexcept;
    FileLock& operator=(FileLock&&) = delete;
    ~FileLock();

private:
    explicit FileLock(int descriptor) : descriptor_(descriptor) {}
    int descriptor_;
};

}  // namespace ocim::store
