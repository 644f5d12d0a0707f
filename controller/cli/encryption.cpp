#include "cli/encryption.hpp"

#include "base/log.hpp"
#include "cli/files.hpp"
#include "store/file_lock.hpp"

#include <sys/stat.h>

namespace ocim::cli {

namespace {

constexpr auto look_interval = std::chrono::seconds(1);
constexpr auto retry_interval = std::chrono::seconds(30);

Result<Secret> read_passphrase(const KeyFile& file) {
    if (file.passphrase_file.empty()) return Secret();
    auto text = read_file(file.passphrase_file);
    if (!text) return std::move(text).error();
    while (text->ends_with('\n') || text->ends_with('\r')) text->pop_back();
    if (text->empty())
        return Error{ErrorClass::invalid, "--encryption-passphrase-file " + file.passphrase_file +
                                              ": there is no such file, or nothing in it"};
    return Secret(*std::move(text));
}

}  // namespace

KeyFile KeyFile::of(const std::string& data_directory, const std::string& path, const std::string& passphrase_file) {
    return {path.empty() ? data_directory + "/encryption-keys" : path, passphrase_file};
}

Result<std::optional<store::KeyRing>> read_keys(const KeyFile& file) {
    struct stat facts{};
    if (::stat(file.path.c_str(), &facts) == 0 && (facts.st_mode & 007) != 0)
        return Error{ErrorClass::invalid, file.path + " can be read by everybody: run chmod 600 " + file.path};
    auto read = read_file(file.path);
    if (!read) return std::move(read).error();
    const Secret text(*std::move(read));
    if (text.empty()) return std::optional<store::KeyRing>();
    auto passphrase = read_passphrase(file);
    if (!passphrase) return std::move(passphrase).error();
    auto keys = store::KeyRing::parse(text.reveal(), *passphrase);
    if (!keys) return std::move(keys).error().within(file.path);
    return std::optional(*std::move(keys));
}

Result<void> write_keys(const KeyFile& file, const store::KeyRing& keys) {
    auto passphrase = read_passphrase(file);
    if (!passphrase) return std::move(passphrase).error();
    auto text = keys.to_text(*passphrase);
    if (!text) return std::move(text).error();
    return write_file(file.path, text->reveal());
}

awaitable<Result<std::size_t>> finish_rotation(store::SealedJournal& journal, KeyFile file) {
    CO_TRY(const auto changed, co_await journal.reseal());
    // others share the log, and whether each of them has the new key nobody here can tell
    if (journal.shared() || journal.ring().size() == 1) co_return changed;
    const auto lock = store::FileLock::take(file.path + ".lock");
    if (!lock) co_return lock.error();
    auto now = read_keys(file);
    if (!now) co_return std::move(now).error();
    // a newer key came meanwhile: that rotation is another one
    if (!*now || (*now)->first().id != journal.ring().first().id) co_return changed;
    (*now)->forget_old();
    CO_CHECK(write_keys(file, **now));
    journal.use(**std::move(now));
    co_return changed;
}

namespace {

/// Whether there is something to encrypt anew.
bool take_up(store::SealedJournal& journal, store::KeyRing keys, const KeyFile& file) {
    const auto& now = journal.ring();
    const bool first = keys.first().id != now.first().id;
    if (journal.shared()) {
        // what is in the log, or comes from others, may be under any key that was ever known here
        keys.keep(now);
        if (!first && keys.size() == now.size()) return false;
    } else if (!first) {
        return false;
    } else if (!keys.find(now.first().id)) {
        log::error("the file with the encryption keys lacks the key in use: it is not taken up",
                   {{"file", file.path}, {"key", now.first().id}});
        return false;
    }
    journal.use(std::move(keys));
    return first;
}

}  // namespace

awaitable<void> follow_keys(Clock& clock, store::SealedJournal& journal, KeyFile file) {
    for (;;) {
        const auto before = state_of(file.path);
        const auto finished = co_await finish_rotation(journal, file);
        if (!finished) {
            log::error("Secrets could not be encrypted with the first key: they stay as they are for now",
                       {{"key", journal.ring().first().id}, {"error", finished.error().message}});
            co_await clock.sleep(retry_interval);
            continue;
        }
        if (*finished > 0)
            log::info("Secrets were encrypted anew",
                      {{"key", journal.ring().first().id}, {"values", std::to_string(*finished)}});
        auto seen = !journal.shared() && journal.ring().size() == 1 ? state_of(file.path) : before;
        for (bool same = true; same;) {
            co_await clock.sleep(look_interval);
            if (state_of(file.path) == seen) continue;
            seen = state_of(file.path);
            auto keys = read_keys(file);
            // without it we go on with what we have; whoever took it away can bring it back
            if (!keys || !*keys) {
                log::error("the file with the encryption keys cannot be used",
                           {{"file", file.path}, {"error", keys ? "it is gone" : keys.error().message}});
                continue;
            }
            same = !take_up(journal, **std::move(keys), file);
        }
    }
}

}  // namespace ocim::cli
