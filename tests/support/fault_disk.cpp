#include "support/fault_disk.hpp"

#include <sqlite3.h>
#include <cassert>
#include <cerrno>
#include <cstring>
#include <map>
#include <mutex>
#include <new>
#include <utility>
#include <vector>

namespace ocim::test {

namespace {

constexpr std::size_t sector = 512;

/// A change that is in the page cache only.
struct Unsafe {
    bool truncation = false;
    std::size_t offset = 0;  ///< of a truncation the new size
    std::string data;
};

struct File {
    std::string safe;          ///< what a power cut leaves for certain
    bool safe_exists = false;  ///< so far its name is in the directory
    std::string seen;          ///< what a reader sees now
    bool seen_exists = true;
    std::vector<Unsafe> unsafe;  ///< from `safe` to `seen`
    std::vector<std::unique_ptr<char[]>> shared_memory;
};

void carry_over(std::string& text, const Unsafe& change) {
    if (change.truncation) return text.resize(change.offset);
    if (text.size() < change.offset + change.data.size()) text.resize(change.offset + change.data.size());
    text.replace(change.offset, change.data.size(), change.data);
}

/// The parts of a write that reach the disk each on its own.
std::vector<Unsafe> sectors(const Unsafe& change) {
    if (change.truncation) return {change};
    std::vector<Unsafe> out;
    for (std::size_t done = 0; done < change.data.size();) {
        const auto at = change.offset + done;
        const auto size = std::min(sector - at % sector, change.data.size() - done);
        out.push_back({false, at, change.data.substr(done, size)});
        done += size;
    }
    return out;
}

}  // namespace

struct FaultDisk::State {
    explicit State(std::uint64_t seed) : chance(seed) {}

    std::mutex mutex;                                    // SQLite calls from the journal's thread
    std::map<std::string, std::shared_ptr<File>> files;  // shared with those who have them open
    std::mt19937_64 chance;
    std::uint64_t operations = 0, cut_at = ~0ULL, boots = 0, nameless = 0;
    bool off = false;
    Trouble trouble;
    std::size_t capacity = 0;
    sqlite3_vfs vfs{};
    sqlite3_vfs* real = nullptr;

    /// An errno, or 0 when the operation may go on.
    int begin(Operation operation, const std::string& path) {
        if (off) return EIO;
        if (++operations >= cut_at) {
            off = true;
            return EIO;
        }
        return trouble ? trouble(operation, path) : 0;
    }
    std::size_t used() const {
        std::size_t out = 0;
        for (const auto& [path, file] : files)
            if (!path.starts_with('?')) out += file->seen.size();
        return out;
    }
    void settle(File& file, Unsynced unsynced);
};

void FaultDisk::State::settle(File& file, Unsynced unsynced) {
    switch (unsynced) {
        case Unsynced::lost: break;
        case Unsynced::prefix: {
            std::vector<Unsafe> all;
            for (const auto& change : file.unsafe)
                for (auto& part : sectors(change)) all.push_back(std::move(part));
            const auto kept = all.empty() ? 0 : chance() % (all.size() + 1);
            for (std::size_t i = 0; i < kept; ++i) carry_over(file.safe, all[i]);
            break;
        }
        case Unsynced::scattered:
            for (const auto& change : file.unsafe)
                for (const auto& part : sectors(change))
                    if (chance() % 2 == 0) carry_over(file.safe, part);
            break;
    }
    // a name that was never synced may have reached the directory all the same
    if (unsynced != Unsynced::lost && file.seen_exists && chance() % 2 == 0) file.safe_exists = true;
}

namespace {

struct Handle {
    sqlite3_file base;
    FaultDisk::State* disk;
    std::shared_ptr<File>* file;
    std::string* path;
    std::uint64_t boot;
    bool temporary;
};

Handle& handle(sqlite3_file* file) { return *reinterpret_cast<Handle*>(file); }
FaultDisk::State& disk_of(sqlite3_vfs* vfs) { return *static_cast<FaultDisk::State*>(vfs->pAppData); }
bool dead(const Handle& at) { return at.disk->off || at.boot != at.disk->boots; }

int close(sqlite3_file* file) {
    auto& at = handle(file);
    delete at.file;
    delete at.path;
    return SQLITE_OK;
}

int read(sqlite3_file* file, void* out, int size, sqlite3_int64 offset) {
    auto& at = handle(file);
    const std::lock_guard lock(at.disk->mutex);
    if (dead(at)) return SQLITE_IOERR_READ;
    const auto& text = (*at.file)->seen;
    const auto begin = std::min(static_cast<std::size_t>(offset), text.size());
    const auto count = std::min(static_cast<std::size_t>(size), text.size() - begin);
    std::memcpy(out, text.data() + begin, count);
    if (count == static_cast<std::size_t>(size)) return SQLITE_OK;
    std::memset(static_cast<char*>(out) + count, 0, static_cast<std::size_t>(size) - count);
    return SQLITE_IOERR_SHORT_READ;
}

int write(sqlite3_file* file, const void* data, int size, sqlite3_int64 offset) {
    auto& at = handle(file);
    const std::lock_guard lock(at.disk->mutex);
    if (dead(at)) return SQLITE_IOERR_WRITE;
    const Unsafe change{false, static_cast<std::size_t>(offset),
                        std::string(static_cast<const char*>(data), static_cast<std::size_t>(size))};
    auto& text = (*at.file)->seen;
    const int failed = at.disk->begin(FaultDisk::Operation::write, *at.path);
    if (at.disk->off && !at.temporary) (*at.file)->unsafe.push_back(change);  // it was under way
    if (failed != 0) return failed == ENOSPC ? SQLITE_FULL : SQLITE_IOERR_WRITE;
    const auto end = change.offset + change.data.size();
    const auto grown = end > text.size() ? end - text.size() : 0;
    if (at.disk->capacity != 0 && grown > 0 && at.disk->used() + grown > at.disk->capacity) return SQLITE_FULL;
    carry_over(text, change);
    if (!at.temporary) (*at.file)->unsafe.push_back(change);
    return SQLITE_OK;
}

int truncate(sqlite3_file* file, sqlite3_int64 size) {
    auto& at = handle(file);
    const std::lock_guard lock(at.disk->mutex);
    if (dead(at) || at.disk->begin(FaultDisk::Operation::truncate, *at.path) != 0) return SQLITE_IOERR_TRUNCATE;
    const Unsafe change{true, static_cast<std::size_t>(size), {}};
    carry_over((*at.file)->seen, change);
    if (!at.temporary) (*at.file)->unsafe.push_back(change);
    return SQLITE_OK;
}

int sync(sqlite3_file* file, int) {
    auto& at = handle(file);
    const std::lock_guard lock(at.disk->mutex);
    if (dead(at)) return SQLITE_IOERR_FSYNC;
    const int failed = at.disk->begin(FaultDisk::Operation::sync, *at.path);
    auto& mine = **at.file;
    if (at.disk->off) return SQLITE_IOERR_FSYNC;
    if (failed != 0) {
        mine.unsafe.clear();  // the pages count as clean now, and are not on the disk
        return failed == ENOSPC ? SQLITE_FULL : SQLITE_IOERR_FSYNC;
    }
    for (const auto& change : mine.unsafe) carry_over(mine.safe, change);
    mine.unsafe.clear();
    // the first sync of a new file is one of its directory too, and so of what was removed there
    if (!std::exchange(mine.safe_exists, true))
        std::erase_if(at.disk->files, [](const auto& entry) { return entry.first.starts_with('?'); });
    return SQLITE_OK;
}

int size_of(sqlite3_file* file, sqlite3_int64* out) {
    auto& at = handle(file);
    const std::lock_guard lock(at.disk->mutex);
    if (dead(at)) return SQLITE_IOERR_FSTAT;
    *out = static_cast<sqlite3_int64>((*at.file)->seen.size());
    return SQLITE_OK;
}

// One process, one connection at a time: locks have nobody to keep out.
int lock_file(sqlite3_file*, int) { return SQLITE_OK; }
int check_lock(sqlite3_file*, int* out) { return *out = 0, SQLITE_OK; }
int control(sqlite3_file*, int, void*) { return SQLITE_NOTFOUND; }
int sector_size(sqlite3_file*) { return 4096; }
// as SQLite's own for Linux: a write tears between its sectors, and does not touch the bytes beside it
int characteristics(sqlite3_file*) { return SQLITE_IOCAP_POWERSAFE_OVERWRITE; }

int map_shared(sqlite3_file* file, int page, int size, int extend, void volatile** out) {
    auto& at = handle(file);
    const std::lock_guard lock(at.disk->mutex);
    auto& pages = (*at.file)->shared_memory;
    *out = nullptr;
    if (dead(at)) return SQLITE_IOERR_SHMMAP;
    if (pages.size() <= static_cast<std::size_t>(page) && extend == 0) return SQLITE_OK;
    while (pages.size() <= static_cast<std::size_t>(page))
        pages.push_back(std::make_unique<char[]>(static_cast<std::size_t>(size)));
    *out = pages[static_cast<std::size_t>(page)].get();
    return SQLITE_OK;
}
int lock_shared(sqlite3_file*, int, int, int) { return SQLITE_OK; }
void barrier(sqlite3_file*) {}
int unmap_shared(sqlite3_file* file, int) {
    auto& at = handle(file);
    const std::lock_guard lock(at.disk->mutex);
    (*at.file)->shared_memory.clear();  // it was the last connection
    return SQLITE_OK;
}

const sqlite3_io_methods methods{
    2,          close,   read,        write,           truncate,   sync,        size_of, lock_file,    lock_file,
    check_lock, control, sector_size, characteristics, map_shared, lock_shared, barrier, unmap_shared, nullptr,
    nullptr};

int open(sqlite3_vfs* vfs, const char* name, sqlite3_file* out, int flags, int* out_flags) {
    auto& disk = disk_of(vfs);
    const std::lock_guard lock(disk.mutex);
    out->pMethods = nullptr;
    if (disk.off) return SQLITE_CANTOPEN;
    const std::string path = name ? name : "temporary-" + std::to_string(++disk.nameless);
    auto& file = disk.files[path];
    // the database itself was made by whoever opens it, for the sake of its mode
    const bool made = (flags & (SQLITE_OPEN_CREATE | SQLITE_OPEN_MAIN_DB)) != 0;
    if (!file && !made) return disk.files.erase(path), SQLITE_CANTOPEN;
    if (!file) file = std::make_shared<File>();
    auto& at = *new (out) Handle{};
    at.base.pMethods = &methods;
    at.disk = &disk;
    at.file = new std::shared_ptr<File>(file);
    at.path = new std::string(path);
    at.boot = disk.boots;
    at.temporary = name == nullptr;
    if (out_flags) *out_flags = flags;
    return SQLITE_OK;
}

int remove(sqlite3_vfs* vfs, const char* name, int) {
    auto& disk = disk_of(vfs);
    const std::lock_guard lock(disk.mutex);
    if (disk.off || disk.begin(FaultDisk::Operation::remove, name) != 0) return SQLITE_IOERR_DELETE;
    const auto found = disk.files.find(name);
    if (found == disk.files.end()) return SQLITE_IOERR_DELETE_NOENT;
    // until the directory is synced the file may come back as it was: kept under a name that only power_on() looks at
    if (found->second->safe_exists) disk.files[std::string("?") + name] = found->second;
    disk.files.erase(name);
    return SQLITE_OK;
}

int access(sqlite3_vfs* vfs, const char* name, int, int* out) {
    auto& disk = disk_of(vfs);
    const std::lock_guard lock(disk.mutex);
    const auto found = disk.files.find(name);
    *out = found != disk.files.end() && !found->second->seen.empty() ? 1 : 0;
    return disk.off ? SQLITE_IOERR_ACCESS : SQLITE_OK;
}

int full_path(sqlite3_vfs*, const char* name, int size, char* out) {
    if (std::strlen(name) >= static_cast<std::size_t>(size)) return SQLITE_CANTOPEN;
    std::strcpy(out, name);
    return SQLITE_OK;
}
int randomness(sqlite3_vfs* vfs, int size, char* out) {
    auto& disk = disk_of(vfs);
    const std::lock_guard lock(disk.mutex);
    for (int i = 0; i < size; ++i) out[i] = static_cast<char>(disk.chance());
    return size;
}
int sleep(sqlite3_vfs*, int microseconds) { return microseconds; }
int now(sqlite3_vfs*, double* out) { return *out = 2461000.5, SQLITE_OK; }
int last_error(sqlite3_vfs*, int, char*) { return 0; }

}  // namespace

FaultDisk::FaultDisk(std::uint64_t seed) : state_(std::make_unique<State>(seed)) {
    state_->real = sqlite3_vfs_find(nullptr);
    auto& vfs = state_->vfs;
    vfs.iVersion = 1;
    vfs.szOsFile = sizeof(Handle);
    vfs.mxPathname = 4096;
    vfs.zName = "ocim-fault-disk";
    vfs.pAppData = state_.get();
    vfs.xOpen = open;
    vfs.xDelete = remove;
    vfs.xAccess = access;
    vfs.xFullPathname = full_path;
    vfs.xRandomness = randomness;
    vfs.xSleep = sleep;
    vfs.xCurrentTime = now;
    vfs.xGetLastError = last_error;
    sqlite3_vfs_register(&vfs, 1);
}

FaultDisk::~FaultDisk() {
    sqlite3_vfs_register(state_->real, 1);
    sqlite3_vfs_unregister(&state_->vfs);
}

void FaultDisk::cut_after(std::uint64_t operations) {
    const std::lock_guard lock(state_->mutex);
    state_->cut_at = state_->operations + std::max<std::uint64_t>(operations, 1);
}
bool FaultDisk::is_off() const {
    const std::lock_guard lock(state_->mutex);
    return state_->off;
}
std::uint64_t FaultDisk::operations() const {
    const std::lock_guard lock(state_->mutex);
    return state_->operations;
}
void FaultDisk::set_trouble(Trouble trouble) {
    const std::lock_guard lock(state_->mutex);
    state_->trouble = std::move(trouble);
}
void FaultDisk::set_capacity(std::size_t bytes) {
    const std::lock_guard lock(state_->mutex);
    state_->capacity = bytes;
}

void FaultDisk::power_on(Unsynced unsynced) {
    const std::lock_guard lock(state_->mutex);
    std::map<std::string, std::shared_ptr<File>> left;
    for (auto& [path, file] : state_->files) {
        const bool removed = path.starts_with('?');
        // a removal that was not synced: whether it happened is chance, unless a new file of that name was synced
        if (removed && (unsynced == Unsynced::lost ? false : state_->chance() % 2 == 0)) continue;
        if (!removed) state_->settle(*file, unsynced);
        if (!file->safe_exists) continue;
        auto fresh = std::make_shared<File>();
        fresh->safe = fresh->seen = file->safe;
        fresh->safe_exists = true;
        const auto name = removed ? path.substr(1) : path;
        if (!removed || !left.contains(name)) left[name] = std::move(fresh);
    }
    state_->files = std::move(left);
    state_->off = false;
    state_->cut_at = ~0ULL;
    ++state_->boots;
}

}  // namespace ocim::test
