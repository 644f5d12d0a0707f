#include "apiserver/audit.hpp"

#include "api/json.hpp"
#include "base/limits.hpp"
#include "base/log.hpp"

#include <fcntl.h>
#include <unistd.h>
#include <algorithm>
#include <cerrno>
#include <cstring>

namespace ocim::apiserver {

namespace {

/// All of it, or an error.
Result<void> write_all(int file, const std::string& text) {
    std::size_t done = 0;
    while (done < text.size()) {
        const auto wrote = ::write(file, text.data() + done, text.size() - done);
        if (wrote < 0 && errno == EINTR) continue;
        if (wrote < 0) return Error{ErrorClass::transient, std::string("audit log: ") + std::strerror(errno)};
        done += static_cast<std::size_t>(wrote);
    }
    return {};
}

/// For people, and for whoever filters.
const char* outcome(unsigned code) {
    if (code == 401) return "unauthenticated";
    if (code == 403) return "forbidden";
    if (code == 499) return "abandoned";
    if (code >= 500) return "failed";
    return code >= 400 ? "refused" : "done";
}

}  // namespace

std::string to_line(const AuditRecord& record) {
    api::json::object out;
    out["time"] = record.time;
    out["auditID"] = record.audit_id;
    out["user"] = record.user;
    if (!record.groups.empty()) out["groups"] = api::json::array(record.groups.begin(), record.groups.end());
    out["verb"] = record.verb;
    const auto put = [&](const char* name, const std::string& value) {
        if (!value.empty()) out[name] = value;
    };
    put("impersonatedBy", record.impersonator);
    put("path", record.path);
    put("apiGroup", record.group);
    put("resource", record.plural);
    put("subresource", record.subresource);
    put("namespace", record.namespace_);
    put("name", record.name);
    put("attempted", record.attempted);
    if (record.left_out > 0) out["leftOut"] = record.left_out;
    if (record.dry_run) out["dryRun"] = true;
    out["code"] = record.code;
    out["outcome"] = outcome(record.code);
    out["latencyMilliseconds"] = record.latency_ms;
    put("sourceIP", record.remote_address);
    put("userAgent", record.user_agent);
    return api::to_text(out) + "\n";
}

std::optional<std::size_t> Allowance::take(Instant now) {
    const auto most = static_cast<double>(per_minute_);
    if (last_) left_ = std::min(most, left_ + most * std::chrono::duration<double>(now - *last_).count() / 60);
    last_ = now;
    if (left_ < 1) {
        ++refused_;
        return std::nullopt;
    }
    left_ -= 1;
    return std::exchange(refused_, 0);
}

// --- AuditFile

Result<std::unique_ptr<AuditFile>> AuditFile::open(std::string path, Bounds bounds) {
    std::unique_ptr<AuditFile> out(new AuditFile(std::move(path), bounds));
    if (auto opened = out->reopen(); !opened) return std::move(opened).error();
    return out;
}

AuditFile::~AuditFile() {
    if (file_ >= 0) ::close(file_);
}

Result<void> AuditFile::reopen() {
    if (file_ >= 0) ::close(file_);
    file_ = ::open(path_.c_str(), O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
    struct stat facts{};
    if (file_ < 0 || ::fstat(file_, &facts) != 0)
        return Error{ErrorClass::invalid, "audit log " + path_ + ": " + std::strerror(errno)};
    bytes_ = static_cast<std::size_t>(facts.st_size);
    return {};
}

Result<void> AuditFile::rotate() {
    const auto old = [&](int number) { return path_ + "." + std::to_string(number); };
    for (int number = bounds_.old_files_max; number > 1; --number)
        (void)std::rename(old(number - 1).c_str(), old(number).c_str());  // there may be none yet
    if (std::rename(path_.c_str(), old(1).c_str()) != 0)
        return Error{ErrorClass::transient, "audit log " + path_ + ": " + std::strerror(errno)};
    return reopen();
}

Result<void> AuditFile::append(const std::string& lines) {
    if (bytes_ > 0 && bytes_ + lines.size() > bounds_.bytes_max)
        if (auto rotated = rotate(); !rotated) return rotated;
    bytes_ += lines.size();
    return write_all(file_, lines);
}

// --- AuditLog

AuditLog::AuditLog(boost::asio::any_io_executor loop, Metrics& metrics, std::unique_ptr<AuditFile> file)
    : metrics_(metrics), file_(std::move(file)), pool_(std::move(loop), "audit", 1, 8) {
    metrics_.counter("ocim_audit_dropped_total", "Writes that the audit log could not take.");
}

void AuditLog::write(const AuditRecord& record) {
    auto line = to_line(record);
    if (pending_.size() + line.size() > limits::audit_pending_bytes_max) {
        metrics_.counter("ocim_audit_dropped_total", "").Increment();
        return;
    }
    pending_ += line;
    arrived_.notify();
}

awaitable<void> AuditLog::flush() {
    if (pending_.empty()) co_return;
    auto text = std::exchange(pending_, {});
    auto work = [this, text = std::move(text)]() -> Result<void> { return file_->append(text); };
    const auto wrote = co_await pool_.call(std::move(work));
    if (wrote) co_return;
    metrics_.counter("ocim_audit_dropped_total", "").Increment();
    log::error("audit log cannot be written", {{"error", wrote.error().message}});
}

awaitable<void> AuditLog::run() {
    for (;;) {
        if (pending_.empty()) co_await arrived_.wait();
        co_await flush();
    }
}

}  // namespace ocim::apiserver
