#pragma once

#include "base/async.hpp"
#include "base/metrics.hpp"

#include <string>

namespace ocim::apiserver {

/// One write that was asked for, whether it was done or refused. Never what was written.
struct AuditRecord {
    std::string time, audit_id, user, verb, group, plural, subresource, namespace_, name, remote_address, user_agent;
    bool dry_run = false;
    unsigned code = 0;
    std::int64_t latency_ms = 0;
};

/// A file of JSON lines, one a write: who, what, when, with what answer. Lines are written by a thread, in order;
/// what does not fit into limits::audit_pending_bytes_max is dropped and counted. Lives on the loop thread.
class AuditLog {
public:
    /// Appends to `path`, made with mode 0600. Error: the file cannot be opened.
    static Result<std::unique_ptr<AuditLog>> open(boost::asio::any_io_executor loop, Metrics& metrics,
                                                  const std::string& path);
    ~AuditLog();
    AuditLog(const AuditLog&) = delete;
    AuditLog& operator=(const AuditLog&) = delete;

    void write(const AuditRecord& record);
    /// Writes what is waiting until cancelled.
    awaitable<void> run();
    /// Writes what is waiting now.
    awaitable<void> flush();

private:
    AuditLog(boost::asio::any_io_executor loop, Metrics& metrics, int file);

    Metrics& metrics_;
    int file_;
    std::string pending_;
    Signal arrived_;
    BlockingPool pool_;
};

std::string to_line(const AuditRecord& record);

}  // namespace ocim::apiserver
