#pragma once

#include "base/async.hpp"
#include "base/clock.hpp"
#include "base/limits.hpp"
#include "base/metrics.hpp"

#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace ocim::apiserver {

/// One request worth remembering, whether it was done or refused: a write, a look at Secrets, a refusal. Never what was
/// written or read.
struct AuditRecord {
    std::string time, audit_id, user, impersonator, verb, group, plural, subresource, namespace_, name, path,
        remote_address, user_agent;
    std::vector<std::string> groups;
    bool dry_run = false;
    std::string attempted;     ///< of who is not known: by what he tried to be
    std::size_t left_out = 0;  ///< requests of that kind before this one that were not written down
    unsigned code = 0;
    std::int64_t latency_ms = 0;
};

/// So many at once, and again so many each minute: what anybody can cause must not fill the log.
class Allowance {
public:
    explicit Allowance(std::size_t per_minute) : per_minute_(per_minute), left_(static_cast<double>(per_minute)) {}
    /// How many were refused since the last one that was not; nothing when this one is refused too.
    std::optional<std::size_t> take(Instant now);

private:
    std::size_t per_minute_;
    double left_;
    std::size_t refused_ = 0;
    std::optional<Instant> last_;
};

/// The files that the log goes to: PATH, and when that has grown to `bytes_max` PATH.1 (the newest) to PATH.N. One
/// thread at a time.
class AuditFile {
public:
    struct Bounds {
        std::size_t bytes_max = limits::audit_file_bytes_max;
        int old_files_max = limits::audit_old_files_max;
    };
    /// Opens or makes it, with mode 0600. Error: invalid, with the reason.
    static Result<std::unique_ptr<AuditFile>> open(std::string path, Bounds bounds);
    ~AuditFile();
    AuditFile(const AuditFile&) = delete;
    AuditFile& operator=(const AuditFile&) = delete;

    Result<void> append(const std::string& lines);

private:
    AuditFile(std::string path, Bounds bounds) : path_(std::move(path)), bounds_(bounds) {}
    Result<void> reopen();
    Result<void> rotate();

    std::string path_;
    Bounds bounds_;
    int file_ = -1;
    std::size_t bytes_ = 0;
};

/// A file of JSON lines, one a request: who, what, when, with what answer. Lines are written by a thread, in order;
/// what does not fit into limits::audit_pending_bytes_max is dropped and counted. Lives on the loop thread.
class AuditLog {
public:
    AuditLog(boost::asio::any_io_executor loop, Metrics& metrics, std::unique_ptr<AuditFile> file);
    AuditLog(const AuditLog&) = delete;
    AuditLog& operator=(const AuditLog&) = delete;

    void write(const AuditRecord& record);
    /// Writes what is waiting until cancelled.
    awaitable<void> run();
    /// Writes what is waiting now.
    awaitable<void> flush();

private:
    Metrics& metrics_;
    std::unique_ptr<AuditFile> file_;
    std::string pending_;
    Signal arrived_;
    BlockingPool pool_;
};

std::string to_line(const AuditRecord& record);

}  // namespace ocim::apiserver
