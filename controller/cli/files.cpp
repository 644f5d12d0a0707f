#include "cli/files.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <sstream>

namespace ocim::cli {

namespace {

namespace fs = std::filesystem;

constexpr auto look_interval = std::chrono::seconds(1);

Error failed(const std::string& path, const char* what) {
    return {ErrorClass::transient, path + ": cannot " + what + ": " + std::strerror(errno)};
}

/// A file descriptor that closes itself.
struct File {
    int number;
    ~File() {
        if (number >= 0) ::close(number);
    }
};

Result<void> write_all(int file, const std::string& path, const std::string& text) {
    for (std::size_t done = 0; done < text.size();) {
        const auto wrote = ::write(file, text.data() + done, text.size() - done);
        if (wrote < 0 && errno == EINTR) continue;
        if (wrote < 0) return failed(path, "write");
        done += static_cast<std::size_t>(wrote);
    }
    if (::fsync(file) != 0) return failed(path, "write");
    return {};
}

}  // namespace

Result<void> open_data_directory(const std::string& path, const std::string& our_file) {
    std::error_code error;
    const bool there = fs::exists(path, error);
    if (error) return Error{ErrorClass::invalid, path + ": " + error.message()};
    if (!there) {
        fs::create_directories(fs::path(path), error);
        if (!error) fs::permissions(path, fs::perms::owner_all, error);
        if (error) return Error{ErrorClass::invalid, path + ": cannot be made: " + error.message()};
        return {};
    }
    if (!fs::is_directory(path, error)) return Error{ErrorClass::invalid, path + " is not a directory"};
    struct stat facts{};
    if (::stat(path.c_str(), &facts) != 0) return failed(path, "read");
    if (facts.st_uid != ::geteuid())
        return Error{ErrorClass::invalid, path + " belongs to another user: choose a directory of your own"};
    if ((facts.st_mode & 077) == 0) return {};
    const bool ours = fs::is_empty(path, error) || fs::exists(fs::path(path) / our_file, error);
    if (!ours)
        return Error{ErrorClass::invalid, path +
                                              " can be read by others and holds other files: choose a new directory, "
                                              "or make it private with chmod 700 " +
                                              path};
    if (::chmod(path.c_str(), 0700) != 0) return failed(path, "make private");
    return {};
}

Result<void> write_file(const std::string& path, const std::string& text) {
    const auto temporary = path + ".new";
    {
        const File file{::open(temporary.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600)};
        if (file.number < 0) return failed(temporary, "write");
        if (::fchmod(file.number, 0600) != 0) return failed(temporary, "write");
        if (auto wrote = write_all(file.number, temporary, text); !wrote) return wrote;
    }
    if (::rename(temporary.c_str(), path.c_str()) != 0) return failed(path, "write");
    const auto parent = fs::path(path).parent_path();
    const File directory{::open(parent.empty() ? "." : parent.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)};
    if (directory.number < 0 || ::fsync(directory.number) != 0) return failed(path, "write");
    return {};
}

Result<std::string> read_file(const std::string& path) {
    std::error_code error;
    if (!fs::exists(path, error)) {
        if (error) return Error{ErrorClass::transient, path + ": " + error.message()};
        return std::string();
    }
    const std::ifstream file(path, std::ios::binary);
    std::ostringstream text;
    text << file.rdbuf();
    if (!file) return failed(path, "read");
    return text.str();
}

FileState state_of(const std::string& path) {
    struct stat facts{};
    if (::stat(path.c_str(), &facts) != 0) return {};
    return {facts.st_ino, facts.st_size, facts.st_mtim.tv_sec, facts.st_mtim.tv_nsec};
}

awaitable<void> follow_file(Clock& clock, std::string path, FileState seen, std::function<void()> changed) {
    for (;;) {
        co_await clock.sleep(look_interval);
        const auto now = state_of(path);
        if (now == seen) continue;
        seen = now;
        changed();
    }
}

}  // namespace ocim::cli
