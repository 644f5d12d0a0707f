#include "cli/revoked.hpp"

#include "base/log.hpp"
#include "cli/files.hpp"
#include "store/file_lock.hpp"

namespace ocim::cli {

namespace {

std::string path_in(const std::string& directory) { return directory + "/pki/revoked"; }

}  // namespace

Result<apiserver::Revoked> read_revoked(const std::string& directory) {
    const auto path = path_in(directory);
    const auto text = read_file(path);
    if (!text) return text.error();
    if (text->empty()) return apiserver::Revoked();
    auto read = apiserver::Revoked::parse(*text);
    if (!read) return std::move(read).error().within(path);
    return read;
}

Result<void> revoke(const std::string& directory, const std::string& user, WallTime now) {
    const auto path = path_in(directory);
    const auto lock = store::FileLock::take(path + ".lock");
    if (!lock) return lock.error();
    auto revoked = read_revoked(directory);
    if (!revoked) return std::move(revoked).error();
    revoked->add(user, now);
    return write_file(path, revoked->to_text());
}

WallTime issue_from(const apiserver::Revoked& revoked, const std::string& user) {
    const auto when = revoked.of(user);
    // certificates tell time by whole seconds
    return when ? std::chrono::floor<std::chrono::seconds>(*when) + std::chrono::seconds(1) : WallTime::min();
}

awaitable<void> follow_revoked(Clock& clock, std::string directory, std::function<void(apiserver::Revoked)> use) {
    const auto path = path_in(directory);
    auto look = [directory, use = std::move(use)] {
        auto revoked = read_revoked(directory);
        if (revoked) {
            log::info("the list of certificates that were taken back was read");
            use(*std::move(revoked));
            return;
        }
        log::error("the list of certificates that were taken back cannot be read: the last one holds",
                   {{"error", revoked.error().message}});
    };
    // a state that no file has: what came since the server read it first must not be missed
    co_await follow_file(clock, path, FileState(), std::move(look));
}

}  // namespace ocim::cli
