#include "store/file_lock.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>
#include <cerrno>
#include <cstring>

namespace ocim::store {

namespace {

Error system_error(const std::string& what, const std::string& path) {
    return Error{ErrorClass::invalid, what + " " + path + ": " + std::strerror(errno)};
}

std::string holder(int descriptor) {
    char text[32] = {};
    const auto count = pread(descriptor, text, sizeof text - 1, 0);
    std::string pid(text, count > 0 ? static_cast<std::size_t>(count) : 0);
    pid.erase(std::min(pid.find_first_not_of("0123456789"), pid.size()));
    return pid.empty() ? "another process" : "the process " + pid;
}

}  // namespace

Result<FileLock> FileLock::take(const std::string& path) {
    const int descriptor = open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (descriptor < 0) return system_error("cannot open the lock file", path);
    FileLock lock(descriptor);
    if (flock(descriptor, LOCK_EX | LOCK_NB) != 0) {
        if (errno != EWOULDBLOCK) return system_error("cannot lock", path);
        return Error{ErrorClass::conflict,
                     path + " is locked by " + holder(descriptor) + ": stop it first, or use another data directory"};
    }
    const auto pid = std::to_string(getpid()) + "\n";
    if (ftruncate(descriptor, 0) != 0 || pwrite(descriptor, pid.data(), pid.size(), 0) < 0)
        return system_error("cannot write the lock file", path);
    return lock;
}

FileLock::FileLock(FileLock&& other) noexcept : descriptor_(std::exchange(other.descriptor_, -1)) {}
FileLock::~FileLock() {
    if (descriptor_ >= 0) close(descriptor_);
}

}  // namespace ocim::store
