#include "gitops/workspace.hpp"

#include "gitops/limits.hpp"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <fstream>
#include <string_view>
#include <vector>

namespace ocim::gitops {

namespace {

constexpr std::string_view prefix = "work-";

/// -1: it is not there, or somebody works in it. What cannot be locked at all counts as in use.
int lock_of(const std::string& path) {
    const int out = ::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (out < 0 || ::flock(out, LOCK_EX | LOCK_NB) == 0) return out;
    const int why = errno;
    ::close(out);
    errno = why;
    return -1;
}

bool is_there(const std::string& path) {
    struct stat found{};
    return ::lstat(path.c_str(), &found) == 0;
}

}  // namespace

Result<std::unique_ptr<Workspace>> Workspace::make(const std::string& parent) {
    std::error_code error;
    std::filesystem::create_directories(parent, error);
    for (std::size_t tries = 0; !error && tries < limits::workspace_tries_max; ++tries) {
        auto pattern = parent + "/" + std::string(prefix) + "XXXXXX";
        if (!::mkdtemp(pattern.data())) break;
        const int lock = lock_of(pattern);
        // a sweep may come between the two, find it nobody's, and remove it
        const bool swept = lock < 0 ? errno == EWOULDBLOCK || errno == ENOENT : !is_there(pattern);
        if (swept) {
            if (lock >= 0) ::close(lock);
            continue;
        }
        return std::make_unique<Workspace>(std::move(pattern), lock);
    }
    return Error{ErrorClass::transient, "no directory can be made in " + parent + "; look at the disk"};
}

std::size_t Workspace::sweep(const std::string& parent) {
    std::error_code ignored;
    std::vector<std::string> found;
    for (std::filesystem::directory_iterator at(parent, ignored), end; !ignored && at != end; at.increment(ignored))
        if (at->path().filename().native().starts_with(prefix)) found.push_back(at->path().native());
    std::size_t out = 0;
    for (const auto& path : found) {
        const int lock = lock_of(path);
        if (lock < 0) continue;
        const Workspace nobodys(path, lock);
        ++out;
    }
    return out;
}

Workspace::~Workspace() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
    if (lock_ >= 0) ::close(lock_);
}

Result<std::string> Workspace::write(const std::string& name, const std::string& bytes) const {
    auto path = path_ + "/" + name;
    std::ofstream out(path, std::ios::binary);
    out.write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
    out.close();
    if (!out) return Error{ErrorClass::transient, "no file can be written in " + path_ + "; look at the disk"};
    return path;
}

}  // namespace ocim::gitops
