#include "cli/token_keys.hpp"

#include "base/log.hpp"
#include "cli/files.hpp"
#include "store/file_lock.hpp"

namespace ocim::cli {

namespace {

using apiserver::TokenKeys;

constexpr auto look_interval = std::chrono::seconds(1);
constexpr auto tidy_interval = std::chrono::hours(1);

std::string path_in(const std::string& directory) { return directory + "/pki/service-account.key"; }

/// Error invalid: it is not there, among others.
Result<TokenKeys> read(const std::string& path) {
    auto text = read_file(path);
    if (!text) return std::move(text).error();
    const Secret kept(*std::move(text));
    if (kept.empty()) return Error{ErrorClass::invalid, path + " is not there: the server makes it at its first start"};
    auto keys = TokenKeys::parse(kept.reveal());
    if (!keys) return std::move(keys).error().within(path);
    return keys;
}

/// Changes the file under its lock; nothing is written when `change` fails.
Result<void> change(const std::string& path, const std::function<Result<void>(TokenKeys& keys)>& change) {
    const auto lock = store::FileLock::take(path + ".lock");
    if (!lock) return lock.error();
    auto keys = read(path);
    if (!keys) return std::move(keys).error();
    if (auto changed = change(*keys); !changed) return changed;
    return write_file(path, keys->to_text().reveal());
}

void take_up(const std::string& path, apiserver::ServiceAccountTokens& tokens) {
    auto keys = read(path);
    // without it we go on with what we have; whoever took it away can bring it back
    if (!keys) {
        log::error("the keys of tokens cannot be read: those in use stay", {{"error", keys.error().message}});
        return;
    }
    if (keys->same_as(tokens.keys())) return;
    log::info("other keys sign and check tokens from now on",
              {{"key", keys->first().id()}, {"old", std::to_string(keys->size() - 1)}});
    tokens.use(*std::move(keys));
}

}  // namespace

Result<TokenKeys> open_token_keys(const std::string& directory) {
    const auto path = path_in(directory);
    const auto text = read_file(path);
    if (!text) return text.error();
    if (!text->empty()) return read(path);
    auto made = TokenKeys::make();
    if (!made) return made;
    if (auto stored = write_file(path, made->to_text().reveal()); !stored) return std::move(stored).error();
    return made;
}

Result<void> keep_token_key(const std::string& directory, const std::string& key, WallTime until) {
    return change(path_in(directory), [&](TokenKeys& keys) -> Result<void> {
        if (keys.note(key, until)) return {};
        return Error{ErrorClass::conflict, "the key is not in its file any more"};
    });
}

Result<std::string> rotate_token_key(const std::string& directory, OldTokens old, WallTime now) {
    std::string name;
    auto changed = change(path_in(directory), [&](TokenKeys& keys) -> Result<void> {
        keys.forget_ended(now);
        if (old == OldTokens::end) keys.forget_old();
        if (auto renewed = keys.renew(); !renewed) return renewed;
        if (old == OldTokens::end) keys.forget_old();
        keys.forget_ended(now);
        name = keys.first().id();
        return {};
    });
    if (!changed) return std::move(changed).error();
    return name;
}

awaitable<void> follow_token_keys(Clock& clock, std::string directory, apiserver::ServiceAccountTokens& tokens) {
    const auto path = path_in(directory);
    FileState seen;  // one that no file has: what came since the server read it first must not be missed
    auto tidy_at = clock.now();
    for (;;) {
        if (const auto now = state_of(path); now != seen) {
            seen = now;
            take_up(path, tokens);
        }
        if (clock.now() >= tidy_at && tokens.keys().size() > 1) {
            tidy_at = clock.now() + tidy_interval;
            const auto tidied = change(path, [&](TokenKeys& keys) -> Result<void> {
                keys.forget_ended(clock.wall());
                return {};
            });
            if (!tidied) log::error("old keys of tokens could not be forgotten", {{"error", tidied.error().message}});
        }
        co_await clock.sleep(look_interval);
    }
}

}  // namespace ocim::cli
