#include <dlfcn.h>
#include <fcntl.h>
#include <unistd.h>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>

/// For LD_PRELOAD: a disk that is full or broken as long as the file $OCIM_DISK_TROUBLE says so in one word: full,
/// broken (writes fail) or unsynced (syncs fail). Only what belongs to ocim.db is concerned.
namespace {

bool is_database(int file) {
    char link[64], path[4096];
    std::snprintf(link, sizeof link, "/proc/self/fd/%d", file);
    const auto size = ::readlink(link, path, sizeof path - 1);
    if (size <= 0) return false;
    path[size] = '\0';
    return std::strstr(path, "/ocim.db") != nullptr;
}

bool trouble_is(const char* word, int file) {
    const char* path = std::getenv("OCIM_DISK_TROUBLE");
    const int control = path ? ::open(path, O_RDONLY | O_CLOEXEC) : -1;
    if (control < 0) return false;
    char said[16] = {};
    const auto size = ::read(control, said, sizeof said - 1);
    ::close(control);
    return size > 0 && std::strcmp(said, word) == 0 && is_database(file);
}

template <class F>
F next(const char* name) {
    return reinterpret_cast<F>(::dlsym(RTLD_NEXT, name));
}

int fail(int error) {
    errno = error;
    return -1;
}

}  // namespace

extern "C" {

ssize_t pwrite64(int file, const void* data, size_t size, off64_t offset) {
    static const auto real = next<ssize_t (*)(int, const void*, size_t, off64_t)>("pwrite64");
    if (trouble_is("full", file)) return fail(ENOSPC);
    if (trouble_is("broken", file)) return fail(EIO);
    return real(file, data, size, offset);
}

int fdatasync(int file) {
    static const auto real = next<int (*)(int)>("fdatasync");
    if (trouble_is("unsynced", file)) return fail(EIO);
    return real(file);
}

int fsync(int file) {
    static const auto real = next<int (*)(int)>("fsync");
    if (trouble_is("unsynced", file)) return fail(EIO);
    return real(file);
}
}
